"""What trains: processes, parts of a batch, precision, the mean of the weights, journals, refusals."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from small_training import MOMENTS, NEEDS, SCHEDULE, SHAPE, SmallLessons, small_network, write_store
from vadose.dataset import ScalingStats
from vadose.errors import VadoseError
from vadose.models import FusionNetwork, NetworkShape
from vadose.training import ComputeConfig, Progress, TrainingConfig, TrainingRows, ema, fit_network, loop
from vadose.training.batch_io import LossInputs
from vadose.training.compute import processors
from vadose.training.loop import fit
from vadose.training.objective import BatchTotals, Labels, LossWeights, objective
from vadose.training.trainer import weight_groups
from vadose.training.training_log import tensorboard_of, training_log

STILL = NetworkShape(SHAPE.encoder, 8, 8, 16, dropout=0.0)
"""Without noise, which each process and each part of a batch draws for itself."""
SURE = replace(SCHEDULE, epochs=3, batch_size=96, per_sensor=8, source_dropout=0.0, ema_decay=0.9)


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> TrainingRows:
    store = write_store(tmp_path_factory.mktemp("machine") / "store")
    return TrainingRows(store, store.rows[: 7 * MOMENTS], store.rows[7 * MOMENTS : 10 * MOMENTS])


@pytest.fixture(scope="module")
def alone(places: TrainingRows, tmp_path_factory: pytest.TempPathFactory) -> tuple[FusionNetwork, Progress]:
    return trained(places, tmp_path_factory.mktemp("alone"), ComputeConfig(device="cpu"))


def trained(places: TrainingRows, folder: Path, machine: ComputeConfig) -> tuple[FusionNetwork, Progress]:
    network, _, progress = fit_network(places, NEEDS, STILL, SURE, folder / "state", machine=machine)
    return network, progress


def agree(one: tuple[FusionNetwork, Progress], other: tuple[FusionNetwork, Progress]) -> None:
    for name in ("train_loss", "loss", "rmse"):
        mine, theirs = ([row[name] for row in progress.journal] for _, progress in (one, other))
        assert mine == pytest.approx(theirs, abs=1e-5), name
    weights = other[0].state_dict()
    for name, value in one[0].state_dict().items():
        assert torch.allclose(value, weights[name], atol=1e-5), name


@pytest.mark.skipif(processors() < 2, reason="needs two processors")
def test_two_processes_learn_as_one_does_from_the_whole_batch(places, alone, tmp_path):
    told: list[float] = []
    machine = ComputeConfig(device="cpu", devices=2, accumulate=2)
    network, _, progress = fit_network(
        places, NEEDS, STILL, SURE, tmp_path / "state", lambda row: told.append(row["epoch"]), machine
    )
    agree((network, progress), alone)
    assert told == [0, 1, 2]


@pytest.mark.parametrize("accumulate", [2, 5, 1000])
def test_a_batch_in_parts_teaches_what_the_whole_does(places, alone, tmp_path, accumulate):
    agree(trained(places, tmp_path, ComputeConfig(device="cpu", accumulate=accumulate)), alone)


def test_the_shares_of_the_objective_add_up_to_it():
    rng = np.random.default_rng(0)
    label, level, swing = (torch.tensor(rng.random(40)) for _ in range(3))
    sensor, spread = torch.tensor(rng.integers(0, 6, 40)), torch.tensor(rng.uniform(0.02, 0.1, 40))
    day = torch.tensor(rng.uniform(18_000, 18_100, 40))
    told = LossInputs(level, swing, spread, label, sensor, torch.tensor(rng.random(6))[sensor], day, torch.arange(40))
    scale, weights = torch.tensor(0.1), LossWeights(anomaly=0.5)
    whole = BatchTotals.of(told.truth)
    parts = [LossInputs(*(row[part] for row in told)) for part in (sensor < 2, sensor == 2, sensor > 2)]
    shares = [float(objective(part.parts, part.truth, scale, weights, whole)) for part in parts]
    assert sum(shares) == pytest.approx(float(objective(told.parts, told.truth, scale, weights)))


@pytest.mark.parametrize("average", [None, 0.95])
@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
def test_an_interrupted_training_goes_on_to_the_same_numbers(tmp_path, average, precision):
    schedule = TrainingConfig(epochs=6, batch_size=32, learning_rate=1e-2, patience=None, ema_decay=average)
    machine = ComputeConfig(device="cpu", precision=precision)

    def interrupt(row: dict[str, float]) -> None:
        if row["epoch"] == 2:
            raise Interrupted

    whole, parted = small_network(), small_network()
    expected = fit(whole, SmallLessons(), schedule, tmp_path / "whole", machine=machine)
    with pytest.raises(Interrupted):
        fit(parted, SmallLessons(), schedule, tmp_path / "parted", interrupt, machine)
    torch.manual_seed(99)
    parted = small_network()
    found = fit(parted, SmallLessons(), schedule, tmp_path / "parted", machine=machine)
    assert [row["loss"] for row in found.journal] == [row["loss"] for row in expected.journal]
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in parted.state_dict().items())


def test_the_mean_of_the_weights_follows_them_and_is_what_is_kept(tmp_path):
    network = small_network()
    average = ema.averaged(network, 0.5)
    first, mean = network.head.weight.detach().clone(), network.head.weight.detach().clone()
    for step in range(1, 6):
        with torch.no_grad():
            network.head.weight.add_(1.0)
        average.update_parameters(network)
        keep = min(0.5, (1 + step) / (10 + step))
        mean = keep * mean + (1 - keep) * (first + step)
    assert torch.allclose(average.module.head.weight, mean, atol=1e-6)
    schedule = TrainingConfig(epochs=4, batch_size=32, learning_rate=3e-2, patience=None, ema_decay=0.9)
    fit(network, SmallLessons(), schedule, tmp_path / "state")
    kept = torch.load(tmp_path / "state", weights_only=True)
    assert torch.equal(network.head.weight, kept["averaged"]["weights"]["head.weight"])
    assert not torch.equal(network.head.weight, kept["network"]["head.weight"])


def test_fewer_bits_reach_the_layers_but_not_the_physical_units(tmp_path):
    """In bf16 two readings of 0.5 that differ by 0.001 are one; the network still tells them apart."""

    class Fine(SmallLessons):
        def _batch(self, seed: int):
            batch, truth = super()._batch(seed)
            label = 0.3 * batch.cells[:, 1, 0, 0]
            return replace(batch, cells=0.5 + 0.001 * batch.cells), Labels(
                label, truth.sensor, truth.site_weight, truth.day, truth.scene
            )

    schedule = TrainingConfig(epochs=60, batch_size=32, learning_rate=2e-2, patience=None, source_dropout=0.0)
    rmse = {}
    for precision in ("32", "bf16-mixed"):
        network = small_network()
        network.fit_columns(lambda: (batch for batch, _ in Fine().validation((0, 1))))
        machine = ComputeConfig(device="cpu", precision=precision)
        rmse[precision] = fit(network, Fine(), schedule, tmp_path / precision, machine=machine).journal[-1]["rmse"]
    assert rmse["32"] < 0.04 and rmse["bf16-mixed"] < 1.5 * rmse["32"]


def test_the_learning_rate_rises_for_a_tenth_and_falls_to_nothing():
    schedule = TrainingConfig(learning_rate=2e-3)
    rates = [schedule.rate(done) for done in np.linspace(0, 1, 101)]
    assert int(np.argmax(rates)) == 10 and max(rates) == pytest.approx(2e-3)
    assert rates[5] == pytest.approx(1e-3) and rates[55] == pytest.approx(1e-3) and rates[100] == pytest.approx(0.0)
    assert (np.diff(rates[:11]) > 0).all() and (np.diff(rates[10:]) < 0).all()


def test_biases_and_norms_do_not_decay():
    needs = replace(NEEDS, pixels=("vv",), halo=SHAPE.encoder.halo)
    names = ("sand", "smap", "vv", "soil_moisture")
    network = FusionNetwork(needs, SHAPE, ScalingStats(dict.fromkeys(names, 0.5), dict.fromkeys(names, 0.5)))
    held, free = (set(group["params"]) for group in weight_groups(network, 0.05))
    assert held | free == set(network.parameters()) and not held & free
    assert {network.head.weight, network.level.weight, network.past.unit.weight_hh_l0} <= held
    assert {network.head.bias, network.level.bias, network.past.unit.bias_hh_l0} <= free
    norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert norms and all({norm.weight, norm.bias} <= free for norm in norms)


def test_a_journal_tells_of_every_epoch_of_an_interrupted_training(tmp_path):
    state = tmp_path / "network-0.state"
    for epochs in (2, 5):
        progress = fit(small_network(), SmallLessons(), TrainingConfig(epochs=epochs, patience=None), state)
    assert training_log(state).name == "network-0.journal.csv"
    with training_log(state).open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert rows == progress.journal and [row["epoch"] for row in rows] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("function", ["write_training_log", "_write_state"])
def test_a_journal_is_whole_wherever_the_last_epoch_was_interrupted(function, tmp_path, monkeypatch):
    state, schedule, calls = tmp_path / "state", TrainingConfig(epochs=2, patience=None), []
    whole = getattr(loop, function)

    def interrupted(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise Interrupted
        whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, function, interrupted)
        with pytest.raises(Interrupted):
            fit(small_network(), SmallLessons(), schedule, state)
    progress = fit(small_network(), SmallLessons(), schedule, state)
    with training_log(state).open() as file:
        assert [float(row["loss"]) for row in csv.DictReader(file)] == [row["loss"] for row in progress.journal]
    assert len(progress.journal) == 2


def test_tensorboard_reads_the_same_figures(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    machine = ComputeConfig(device="cpu", tensorboard=True)
    state = tmp_path / "state"
    progress = fit(small_network(), SmallLessons(), TrainingConfig(epochs=3), state, machine=machine)
    read = events.EventAccumulator(str(tensorboard_of(state))).Reload()
    assert [event.step for event in read.Scalars("loss")] == [0, 1, 2]
    assert [event.value for event in read.Scalars("loss")] == pytest.approx([row["loss"] for row in progress.journal])


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        pytest.param(
            ComputeConfig(device="cuda"),
            ("CUDA", "no CUDA device", "cpu or auto"),
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device"),
        ),
        (ComputeConfig(device="cpu", devices=4096), ("4096 processors", f"There are {processors()}", "or fewer")),
        (ComputeConfig(device="cpu", precision="16-mixed"), ("16-mixed", "It is a CPU", "bf16-mixed")),
    ],
)
def test_a_machine_that_is_not_there_is_refused(places, tmp_path, machine, words):
    with pytest.raises(VadoseError) as refused:
        fit_network(places, NEEDS, STILL, SURE, tmp_path / "state", machine=machine)
    for word, part in zip(words, (refused.value.context, refused.value.problem, refused.value.hint), strict=True):
        assert word in part
    assert not list(tmp_path.iterdir())


def test_programs_that_are_missing_are_refused(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CXX", "no-compiler")
    with pytest.raises(VadoseError, match=r"C\+\+ compiler"):
        ComputeConfig(device="cpu", compile=True).check()
    monkeypatch.setattr("vadose.training.compute.find_spec", lambda _: None)
    with pytest.raises(VadoseError, match=r"vadose\[tensorboard\]"):
        ComputeConfig(device="cpu", tensorboard=True).check()


@pytest.mark.parametrize("wrong", [{"devices": 0}, {"accumulate": 0}, {"precision": "8"}, {"device": "abacus"}])
def test_a_machine_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ComputeConfig(**wrong)


def test_a_machine_in_the_words_of_a_user_is_made_or_refused():
    assert ComputeConfig.asked("cpu", 1, "bf16-mixed", 4, False, False) == ComputeConfig("cpu", 1, "bf16-mixed", 4)
    with pytest.raises(VadoseError) as refused:
        ComputeConfig.asked("abacus", 1, "8", 1, False, False)
    assert "abacus" in refused.value.context and "'auto', 'cpu' or 'cuda'" in refused.value.problem
    assert "bf16-mixed" in refused.value.problem


@pytest.mark.parametrize("average", [0.0, 1.0, -0.5])
def test_a_mean_that_cannot_be_is_refused(average):
    with pytest.raises(ValidationError, match="ema_decay"):
        TrainingConfig(ema_decay=average)
