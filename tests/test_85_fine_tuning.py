"""Training that starts from the networks of another run: what is taken over, what is refused, what it is worth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner

import vadose
from sandy_sensors import write_sensors
from vadose.cli.main import app
from vadose.errors import VadoseError
from vadose.experiment.config import read_experiment
from vadose.experiment.run import Run
from vadose.inference.held_out import LEARNED_FROM
from vadose.training import origin

DAYS = 30


def write_config(folder: Path, south: float, sensors: int, **changes: object) -> Path:
    """Write an experiment on simulated sensors from a latitude on."""
    folder.mkdir()
    named = write_sensors(folder, sensors, DAYS, south=south, prefix=f"{south:g}-", seed=90 + round(south))
    experiment = {
        "name": "farms",
        "split": {"grouping": {"by": "block", "block_degrees": 1}, "folds": 2},
        "schedule": {"epochs": 1, "batch_size": 120, "per_sensor": 30, "patience": None},
        "baselines": ["smap"],
        "min_samples": 20,
    }
    experiment |= named | changes
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    return folder / "experiment.yaml"


WHOLE = {"needs": {"cells": ["smap", "sand"]}, "network": {"hidden_size": 8}, "ensemble": [{"size": 2}]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network of 24 sensors in the north."""
    folder = tmp_path_factory.mktemp("model")
    schedule = {"epochs": 15, "batch_size": 120, "per_sensor": 30, "patience": None, "learning_rate": 0.01}
    config = write_config(folder / "north", 30, 24, **WHOLE, schedule=schedule)
    return vadose.train(config, out=folder / "run")


def test_a_network_goes_on_from_the_weights_of_another_and_is_better_on_few_sensors(model, tmp_path):
    config = write_config(tmp_path / "few", -30, 4)
    scratch = vadose.train(write_config(tmp_path / "same", -30, 4, **WHOLE), out=tmp_path / "scratch")
    run = CliRunner().invoke(app, ["train", str(config), "--from", str(model.folder), "--out", str(tmp_path / "run")])
    assert run.exit_code == 0, run.output
    tuned = Run(tmp_path / "run")
    assert tuned.experiment().start_from == model.folder
    assert tuned.experiment().needs == model.experiment().needs
    assert tuned.experiment().ensemble == model.experiment().ensemble
    rmse = [float(one.headline.set_index("product").loc["network", "rmse"]) for one in (tuned, scratch)]
    assert rmse[0] < 0.8 * rmse[1]


def test_training_without_a_step_keeps_the_weights_of_the_start(model, tmp_path):
    still = {"epochs": 1, "batch_size": 120, "per_sensor": 30, "patience": None, "learning_rate": 1e-12}
    tuned = vadose.train(
        write_config(tmp_path / "few", -30, 4, schedule=still), out=tmp_path / "run", start_from=model.folder
    )
    for path in tuned.networks():
        fold, member = path.parent.name, path.name
        own, start = (load_file(run.folder / fold / member / "weights.safetensors") for run in (tuned, model))
        other = load_file(model.checkpoint(0, "network", int(member[-1]) % 2) / "weights.safetensors")
        kept = start if fold == "fold-0" else other
        assert all(np.allclose(own[name], kept[name], atol=1e-6) for name in own)


def test_its_networks_know_the_places_of_both_trainings(model, tmp_path):
    tuned = vadose.train(write_config(tmp_path / "few", -30, 4), out=tmp_path / "run", start_from=model.folder)
    learned = pd.DataFrame(origin(tuned.networks()[0])[LEARNED_FROM])
    assert (learned["lat"] > 0).any() and (learned["lat"] < 0).any()
    assert f"The networks start from those of {model.folder.name}" in tuned.scorecard.read_text()


def test_a_fold_starts_from_networks_that_were_not_trained_at_its_held_out_places(model, tmp_path):
    again = write_config(tmp_path / "again", 30, 24)
    tuned = vadose.train(again, out=tmp_path / "run", start_from=model.folder)
    split = pd.read_parquet(tuned.split)
    held_out = set(split[(split["fold"] == 0) & (split["part"] == "test")]["station"])
    for path in tuned.networks():
        if path.parent.name == "fold-0":
            assert not held_out & {row["station"] for row in origin(path)[LEARNED_FROM]}


def test_a_start_that_was_trained_at_every_held_out_place_is_refused(model, tmp_path):
    split = {"grouping": {"by": "block", "block_degrees": 1}, "folds": 2, "seed": 5}
    other = write_config(tmp_path / "other", 30, 24, split=split)
    with pytest.raises(VadoseError, match="was trained at a place that this experiment holds out"):
        vadose.train(other, out=tmp_path / "run", start_from=model.folder)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"needs": {"cells": ["smap"]}}, "none with the inputs and the size"),
        ({"network": {"hidden_size": 9}}, "none with the inputs and the size"),
    ],
)
def test_other_inputs_or_another_size_are_refused(model, tmp_path, changes, problem):
    with pytest.raises(VadoseError, match=problem):
        vadose.train(write_config(tmp_path / "few", -30, 4, **changes), out=tmp_path / "run", start_from=model.folder)


def test_a_start_that_is_no_run_is_refused_with_what_can_be_given(tmp_path):
    config = write_config(tmp_path / "few", -30, 4)
    with pytest.raises(VadoseError, match=r"start_from: .*nothing is no run.*released model: conus-10day"):
        vadose.train(config, out=tmp_path / "run", start_from=tmp_path / "nothing")


def test_a_released_model_is_named_in_a_configuration(tmp_path):
    started = read_experiment(write_config(tmp_path / "few", -30, 4, start_from="conus-10day"))
    assert started.start_from == Path("conus-10day")
    assert started.needs == vadose.load_model("conus-10day").experiment.needs
