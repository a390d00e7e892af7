"""An ensemble of several kinds: weights from other folds, the same estimates in tables, tiles and graphs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from sandy_sensors import write_sensors
from vadose.api.model import load_model
from vadose.cli.main import app
from vadose.dataset import SampleStore
from vadose.errors import VadoseError
from vadose.experiment import located, read_experiment
from vadose.experiment.config import Experiment
from vadose.experiment.kind_weights import WEIGHTS
from vadose.experiment.mixture import choose_weights
from vadose.experiment.predict import predict_store
from vadose.experiment.run import Run
from vadose.experiment.train import train_in
from vadose.export.card import model_card
from vadose.export.formats import examples, write_graph
from vadose.export.module import ExportModule
from vadose.export.released import release_run
from vadose.inference import Ensemble, combine, estimate_points
from vadose.models import Batch, DepartureTrees, FusionNetwork

SENSORS, DAYS = 18, 40
KINDS = [{"kind": "network", "size": 2}, {"kind": "recurrent"}, {"kind": "departure_trees"}]
KEYS = ["network", "station", "sensor", "time"]
SENSOR = KEYS[:3]


def quiet(*_: object) -> None:
    pass


def write_config(folder: Path, **changes: object) -> Path:
    """Write an experiment on simulated sensors."""
    history = {"steps": 6, "step_days": 5, "variables": ["smap"]}
    sensors = write_sensors(folder, SENSORS, DAYS, history=history)
    experiment = {
        "name": "kinds",
        "needs": {"cells": ["smap", "sand"], "history": {"variables": ["smap"], "steps": 6, "step_days": 5}},
        "split": {"grouping": {"by": "block", "block_degrees": 1}, "folds": 3},
        "network": {"hidden_size": 8},
        "ensemble": KINDS,
        "schedule": {"epochs": 2, "batch_size": 120, "per_sensor": 40, "weights": {"anomaly": 0.3}},
        "baselines": ["smap"],
        "min_samples": 20,
    }
    experiment |= sensors | changes
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    return folder / "experiment.yaml"


def held_out_rows(run: Run, store: SampleStore, fold: int) -> np.ndarray:
    """Return the rows of the sensors that a fold holds out."""
    split = pd.read_parquet(run.split)
    held_out = split[(split["fold"] == fold) & (split["part"] == "test")][SENSOR].drop_duplicates()
    return np.flatnonzero(store.index[SENSOR].merge(held_out, how="left", indicator=True)["_merge"] == "both")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("kinds")
    train_in(read_experiment(write_config(folder)), folder / "run", False, quiet, quiet)
    return Run(folder / "run")


def test_a_run_has_the_members_of_every_kind_with_their_weights(trained):
    members = trained.members()
    kinds = [type(one).__name__ for one in members]
    assert kinds == 3 * ["FusionNetwork", "FusionNetwork", "FusionNetwork", "DepartureTrees"]
    recurrent = members[2]
    assert isinstance(recurrent, FusionNetwork) and not recurrent.shape.condensed and recurrent.shape.gru_size == 24
    said = json.loads((trained.folder / WEIGHTS).read_text())["weights"]
    assert sum(said.values()) == pytest.approx(1) and set(said) == {"network", "recurrent", "departure_trees"}
    assert members.weights[:4] == pytest.approx(
        [said["network"] / 2, said["network"] / 2, said["recurrent"], said["departure_trees"]]
    )
    assert sum(members.weights) == pytest.approx(3)


def test_trees_lead_networks_of_two_epochs_and_the_scorecard_says_of_what_it_is_made(trained):
    said = json.loads((trained.folder / WEIGHTS).read_text())["weights"]
    assert said["departure_trees"] >= 0.5
    assert "departure_trees (1)" in trained.scorecard.read_text()


def test_held_out_estimates_are_those_of_the_other_folds_weights(trained):
    table, store = trained.estimates(), SampleStore.open(trained.store)
    members = trained.members()
    for fold in range(3):
        own = Ensemble(members.members[4 * fold : 4 * fold + 4], members.weights[4 * fold : 4 * fold + 4])
        rows = held_out_rows(trained, store, fold)
        together = estimate_points(own, store, rows)
        held = table.merge(together[KEYS], on=KEYS)
        assert len(held) == len(together)
        each = [estimate_points([one], store, rows)["soil_moisture"] for one in own]
        low, high = np.min(each, axis=0), np.max(each, axis=0)
        assert ((held["soil_moisture"] >= low - 1e-6) & (held["soil_moisture"] <= high + 1e-6)).all()


def test_a_sensor_of_the_run_is_estimated_by_the_weighted_members_that_never_saw_it(trained, tmp_path):
    table = predict_store(trained.folder, trained.store, tmp_path / "table.parquet", quiet)
    held = trained.estimates().set_index(KEYS)["soil_moisture"]
    joined = table.set_index(KEYS)["soil_moisture"].reindex(held.index)
    assert np.corrcoef(held, joined)[0, 1] > 0.99 and not table["seen_in_training"].any()


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_the_graph_of_all_kinds_estimates_the_same(trained, tmp_path, form):
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    assert write_graph(ExportModule(trained.members()[1:4]), tmp_path / f"model.{form}", form) <= 1e-5


def test_the_card_describes_every_kind(trained):
    card = model_card(trained, trained.members(), {})
    assert "6 networks of " in card and "3 recurrent networks of " in card
    assert "3 tree ensembles on standardised departures of 900 trees each, with a weight of " in card


def test_the_graph_is_the_weighted_mixture(trained):
    members = trained.members()
    released = ExportModule(members)
    cells, history, day = examples(released, (3, 2, 2))
    mean, std = released(cells, history, day)
    expected = combine(members, Batch(torch.zeros(3, 0, 0, 0), cells, history, day))
    seen = np.isfinite(mean.detach().numpy())
    np.testing.assert_allclose(mean.detach().numpy()[seen], expected.mean[seen], atol=1e-6)
    np.testing.assert_allclose(std.detach().numpy()[seen], expected.std[seen], atol=1e-6)


def test_a_resumed_run_ends_with_the_same_weights_and_trees(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "run")
    again = Run(tmp_path / "run")
    for lost in (again.folder / WEIGHTS, again.scorecard, again.folder / "scorecard.json"):
        lost.unlink()
    shutil.rmtree(again.checkpoint(1, "departure_trees", 0))
    config = trained.folder.parent / "experiment.yaml"
    train_in(read_experiment(config), again.folder, True, quiet, quiet)
    assert (again.folder / WEIGHTS).read_bytes() == (trained.folder / WEIGHTS).read_bytes()
    path = again.checkpoint(1, "departure_trees", 0) / "weights.safetensors"
    assert path.read_bytes() == (trained.checkpoint(1, "departure_trees", 0) / "weights.safetensors").read_bytes()


def test_damaged_weights_are_refused(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "run")
    (tmp_path / "run" / WEIGHTS).write_text('{"weights": {"network": 1}}')
    with pytest.raises(VadoseError, match="weights"):
        Run(tmp_path / "run").members()


def test_a_single_fold_mixes_its_kinds_equally(tmp_path):
    config = write_config(tmp_path, split={"grouping": {"by": "place"}, "test_fraction": 0.3})
    train_in(read_experiment(config), tmp_path / "run", False, quiet, quiet)
    said = json.loads((tmp_path / "run" / WEIGHTS).read_text())["weights"]
    assert list(said.values()) == pytest.approx([1 / 3] * 3)
    assert "equal, as a single fold" in Run(tmp_path / "run").scorecard.read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ensemble": [{"kind": "network"}, {"kind": "network"}]}, "repeated"),
        ({"needs": {"cells": ["smap"]}, "ensemble": [{"kind": "recurrent"}]}, "history"),
        ({"ensemble": []}, "at least 1"),
    ],
)
def test_unfit_ensembles_are_refused(tmp_path, changes, said):
    content = yaml.safe_load(write_config(tmp_path, **changes).read_text())
    with pytest.raises(ValidationError, match=said):
        Experiment.model_validate(content)


def test_the_kind_that_is_right_has_all_the_weight_and_places_count_once():
    rng = np.random.default_rng(0)
    sensor = np.repeat(np.arange(28), 50)
    crowd = sensor < 20
    label = rng.uniform(0.1, 0.4, sensor.size)
    index = pd.DataFrame({"network": "SIM", "station": sensor.astype(str), "sensor": "a"}).assign(
        lat=np.where(crowd, 40.0, 40.0 + sensor), lon=0.0, soil_moisture_in_situ=label
    )
    noise = rng.normal(0, 0.2, sensor.size)
    right, wrong = index.assign(soil_moisture=label), index.assign(soil_moisture=label + noise)
    assert choose_weights({"a": right, "b": wrong}, 20) == {"a": 1.0, "b": 0.0}
    crowded, lone = (index.assign(soil_moisture=np.where(crowd == one, label, label + noise)) for one in (True, False))
    weights = choose_weights({"crowded": crowded, "lone": lone}, 20)
    assert weights["lone"] > weights["crowded"], "twenty sensors of one place count as one place of nine"
    assert choose_weights({"a": right, "b": wrong}, 1000) == {"a": 0.5, "b": 0.5}


def test_weights_that_places_cannot_tell_apart_are_even():
    rng = np.random.default_rng(1)
    sensor = np.repeat(np.arange(12), 50)
    label = rng.uniform(0.1, 0.4, sensor.size)
    index = pd.DataFrame({"network": "SIM", "station": sensor.astype(str), "sensor": "a"}).assign(
        lat=40.0 + sensor, lon=0.0, soil_moisture_in_situ=label
    )
    kinds = {name: index.assign(soil_moisture=label + rng.normal(0, 0.05, sensor.size)) for name in "abc"}
    assert sorted(choose_weights(kinds, 20).values()) == pytest.approx([0.3, 0.3, 0.4])


def test_trees_know_the_level_and_the_amplitude_of_new_places(trained):
    store = SampleStore.open(trained.store)
    rows = held_out_rows(trained, store, 0)
    trees = trained.members()[3]
    assert isinstance(trees, DepartureTrees)
    table = estimate_points([trees], store, rows)
    r = table.groupby("station")[["soil_moisture", "soil_moisture_in_situ"]].corr().iloc[0::2, -1]
    assert r.mean() > 0.9 and 0 < trees.error.level < 0.1 and 0 < trees.error.departure < 1


def test_trees_without_anything_that_lasts_have_one_level(tmp_path):
    needs = {"cells": ["smap"]}
    config = write_config(tmp_path, needs=needs, ensemble=[{"kind": "departure_trees"}])
    train_in(read_experiment(config), tmp_path / "run", False, quiet, quiet)
    trees = Run(tmp_path / "run").members()[0]
    rows = torch.rand(5, len(trees.columns), dtype=torch.float64)
    assert not trees.invariant.numel() and len(set(trees.level(rows).tolist())) == 1


@pytest.fixture(scope="module")
def given_away(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release_run(trained, tmp_path_factory.mktemp("given") / "model", "## Elsewhere\n\nR 0.5 at other places.")


def test_a_model_to_give_away_estimates_the_same_without_samples_and_readings(trained, given_away, tmp_path):
    names = {path.name for path in given_away.rglob("*") if path.is_file()}
    assert names == {
        *("experiment.json", "folds.parquet", "calibration.json", "ensemble.json", "scorecard.json", "MODEL_CARD.md"),
        *("checkpoint.json", "weights.safetensors"),
    }
    store = SampleStore.open(trained.store)
    one, other = (
        predict_store(folder, store.path, tmp_path / f"{number}.parquet", quiet)
        for number, folder in enumerate((trained.folder, given_away))
    )
    pd.testing.assert_frame_equal(one, other)
    everything = b"".join(path.read_bytes() for path in given_away.rglob("*.json"))
    assert str(trained.folder.parent).encode() not in everything, "paths of the samples stay behind"
    card = load_model(given_away).card
    assert "SIMULATED" in card and "R 0.5 at other places." in card


def test_a_model_is_written_over_itself_but_not_over_another(trained, given_away, tmp_path):
    before = {path: path.read_bytes() for path in given_away.rglob("*") if path.is_file()}
    release_run(trained, given_away, "## Elsewhere\n\nR 0.5 at other places.")
    assert {path: path.read_bytes() for path in given_away.rglob("*") if path.is_file()} == before
    with pytest.raises(VadoseError, match="other arguments"):
        release_run(trained, given_away, "other notes")


def test_a_released_model_has_a_name_unless_a_folder_here_has_it(given_away, tmp_path, monkeypatch):
    monkeypatch.setattr(located, "RELEASED", given_away.parent)
    monkeypatch.chdir(tmp_path)
    assert Run(Path("model")).folder == given_away
    listed = CliRunner().invoke(app, ["models", "list"])
    assert listed.exit_code == 0 and "model" in listed.output and "a simulated Earth" in listed.output
    shown = CliRunner().invoke(app, ["models", "show", "model"])
    assert shown.exit_code == 0 and "## Scores" in shown.output
    (tmp_path / "model").mkdir()
    assert Run(Path("model")).folder == Path("model")
    assert Run(tmp_path / "elsewhere" / "model").folder == tmp_path / "elsewhere" / "model"


def test_an_unknown_model_names_the_ways_to_give_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VadoseError, match="a released model") as failed:
        load_model("conus-99day")
    assert "conus-99day" in str(failed.value)
