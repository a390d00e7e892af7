"""Training that stops in the middle of an epoch goes on there and ends with the numbers of one that never stopped."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from small_training import MOMENTS, NEEDS, SCHEDULE, SHAPE, write_store
from vadose.errors import VadoseError
from vadose.models import FusionNetwork
from vadose.training import ComputeConfig, Progress, TrainingConfig, TrainingRows, fit_network
from vadose.training.fit import _SampleModule
from vadose.training.trainer import Trainer

LONG = replace(SCHEDULE, epochs=3, batch_size=40, source_dropout=0.3, ema_decay=0.9)
"""Of twelve batches an epoch."""
OFTEN, SELDOM = ComputeConfig(device="cpu", save_minutes=0), ComputeConfig(device="cpu", save_minutes=1e6)


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> TrainingRows:
    store = write_store(tmp_path_factory.mktemp("within") / "store")
    return TrainingRows(store, store.rows[: 20 * MOMENTS], store.rows[20 * MOMENTS : 25 * MOMENTS])


@pytest.fixture(scope="module")
def whole(places: TrainingRows, tmp_path_factory: pytest.TempPathFactory) -> tuple[FusionNetwork, Progress]:
    return trained(places, tmp_path_factory.mktemp("whole"), SELDOM)


def trained(places: TrainingRows, folder: Path, machine: ComputeConfig = OFTEN) -> tuple[FusionNetwork, Progress]:
    network, _, progress = fit_network(places, NEEDS, SHAPE, LONG, folder / "state", machine=machine)
    return network, progress


def same(one: tuple[FusionNetwork, Progress], other: tuple[FusionNetwork, Progress]) -> bool:
    numbers = [
        [(row["train_loss"], row["loss"], row["rmse"]) for row in progress.journal] for _, progress in (one, other)
    ]
    weights = [network.state_dict() for network, _ in (one, other)]
    return numbers[0] == numbers[1] and all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


@pytest.mark.parametrize("steps", [(1,), (11,), (17, 3), (5, 9, 12)])
def test_a_training_stopped_within_an_epoch_ends_with_the_same_numbers(
    places: TrainingRows, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: tuple[int, ...]
) -> None:
    step = Trainer._step
    for count in steps:
        left = [count]

        def stepping(self: Trainer, done: float, left: list[int] = left) -> None:
            if not left[0]:
                raise Interrupted
            left[0] -= 1
            step(self, done)

        monkeypatch.setattr(Trainer, "_step", stepping)
        with pytest.raises(Interrupted):
            trained(places, tmp_path)
        kept = torch.load(tmp_path / "state", weights_only=True)
        assert kept["within"]["batches"] == (sum(steps[: steps.index(count) + 1])) % 12
        torch.manual_seed(99)
    monkeypatch.setattr(Trainer, "_step", step)
    assert same(trained(places, tmp_path), whole)


def test_keeping_the_state_changes_no_number(places: TrainingRows, whole, tmp_path: Path) -> None:
    assert same(trained(places, tmp_path), whole)
    assert "within" not in torch.load(tmp_path / "state", weights_only=True), "the last is that of a whole epoch"


def test_a_state_within_an_epoch_that_lacks_its_random_numbers_is_refused(places: TrainingRows, tmp_path: Path) -> None:
    trained(places, tmp_path)
    kept = torch.load(tmp_path / "state", weights_only=True)
    torch.save(kept | {"within": {"batches": 3, "samples": 120, "loss": 1.0}}, tmp_path / "state")
    with pytest.raises(VadoseError, match="cannot be read"):
        trained(places, tmp_path)


@given(start=st.integers(0, 14), epoch=st.integers(0, 3), size=st.integers(1, 200), together=st.integers(1, 9))
def test_the_batches_that_are_left_are_those_of_the_whole_epoch(places, start, epoch, size, together):
    lessons = _SampleModule(places, NEEDS, TrainingConfig(batch_size=size, per_sensor=together))
    every, left = (list(lessons.training(epoch, (0, 1), begin)) for begin in (0, start))
    assert len(left) == max(len(every) - start, 0)
    for (batch, truth), (other, measured) in zip(every[start:], left, strict=True):
        for name in ("cells", "history", "day_of_year"):
            assert torch.equal(getattr(batch, name), getattr(other, name))
        assert torch.equal(truth.label, measured.label) and torch.equal(truth.site_weight, measured.site_weight)


def test_a_machine_that_keeps_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match="save_minutes"):
        ComputeConfig(save_minutes=-1)
