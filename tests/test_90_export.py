"""A run given away: the same estimates from ONNX and torch.export, and a card that says what it is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from typer.testing import CliRunner

from vadose.cli.main import app
from vadose.dataset import ScalingStats
from vadose.errors import VadoseError
from vadose.experiment import read_experiment
from vadose.experiment.run import Run
from vadose.experiment.train import train_in
from vadose.export.formats import examples, format_of, write_graph
from vadose.export.module import ExportModule
from vadose.export.run import export_run
from vadose.fusion import HistorySpec, InputSpec, OwnRecord
from vadose.inference import Calibration, quality
from vadose.inference.ensemble import combine
from vadose.models import Batch, EncoderShape, FusionNetwork, NetworkShape, by_own_record
from vadose.registry import PREDICTORS

SMALL = EncoderShape(width=4, max_width=8, blocks=(2, 1, 1, 1))
CHIPS = InputSpec(("vv", "B04"), ("sand",), HistorySpec(("smap",), 3, 1.0), SMALL.halo)
CELLS = InputSpec((), ("sand", "elevation"), HistorySpec(("smap", "vv"), 4, 10.0))


def quiet(*_: object) -> None:
    pass


def networks(needs: InputSpec, count: int, shape: NetworkShape) -> list[FusionNetwork]:
    """Untrained, with random weights everywhere, the level included; their columns fitted on random values."""
    ranges = {name: PREDICTORS[name].valid_range for name in needs.names} | {"soil_moisture": (0.0, 0.6)}
    scaling = ScalingStats(
        {name: 0.5 * (low + high) for name, (low, high) in ranges.items()},
        {name: 0.3 * (high - low) for name, (low, high) in ranges.items()},
    )
    members = []
    for seed in range(count):
        torch.manual_seed(seed)
        member = FusionNetwork(needs, shape, scaling).eval()
        with torch.no_grad():
            member.level.weight.normal_(0, 0.1)
        members.append(member)
    batch = batch_of(ExportModule(members), examples(ExportModule(members), (40, 1, 1)))
    for member in members:
        member.fit_columns(lambda: [batch])
    return members


def batch_of(released: ExportModule, inputs: tuple[torch.Tensor, ...]) -> Batch:
    given = dict(zip(released.inputs, inputs, strict=True))
    empty = torch.zeros(len(inputs[0]), 0, 0, 0)
    return Batch(given.get("pixels", empty), given["cells"], given["history"], given["day_of_year"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two folds on a table of simulated sensors."""
    folder = tmp_path_factory.mktemp("export")
    rng = np.random.default_rng(0)
    sensors, days = 12, 30
    number = np.repeat(np.arange(sensors), days)
    smap = rng.uniform(0.05, 0.4, number.size)
    table = pd.DataFrame({"network": np.where(number < 8, "NEAR", "FAR"), "station": [f"s{n}" for n in number]}).assign(
        lat=40 + 2 * (number % 4), lon=-100 + 2 * (number // 4), smap=smap, sand=rng.uniform(0.1, 0.9, sensors)[number]
    )
    table["time"] = pd.Timestamp("2021-03-01") + pd.to_timedelta(np.tile(np.arange(days), sensors), "D")
    table["soil_moisture"] = 0.05 + 0.6 * smap + rng.normal(0, 0.02, number.size)
    table.to_csv(folder / "sensors.csv", index=False)
    columns = {name: {"column": name} for name in ("network", "station", "lat", "lon", "time")}
    predictors = {name: {"column": name} for name in ("smap", "sand")}
    mapping = columns | {"label": {"column": "soil_moisture"}, "predictors": predictors}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    experiment = {
        "name": "two_folds",
        "simulated": True,
        "samples": {"table": "sensors.csv", "columns": "mapping.yaml"},
        "needs": {"cells": ["smap", "sand"]},
        "split": {"grouping": {"by": "block", "block_degrees": 1}, "folds": 2},
        "network": {"hidden_size": 8},
        "schedule": {"epochs": 2, "batch_size": 64},
        "baselines": ["smap"],
        "min_samples": 20,
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    train_in(read_experiment(folder / "experiment.yaml"), folder / "run", False, quiet, quiet)
    return folder / "run"


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_a_graph_reads_relative_to_the_own_record_inside(tmp_path, form):
    needs = InputSpec((), ("sand",), HistorySpec(("smap",), 3, 10.0), own_record=OwnRecord(("smap",), 2))
    members = networks(needs, 1, NetworkShape(hidden_size=8, season=True))
    released = ExportModule(members)
    cells, history, day = examples(released, (4, 2, 1))
    mean, _ = released(cells, history, day)
    expected = combine(members, by_own_record(batch_of(released, (cells, history, day)), needs)).mean
    np.testing.assert_allclose(mean.detach().numpy(), expected, atol=1e-6)
    moved = history.clone()
    moved[:, :, 0] = 0.1 + 0.5 * moved[:, :, 0]
    np.testing.assert_allclose(released(cells, moved, day)[0].detach().numpy(), expected, atol=1e-5)
    assert write_graph(released, tmp_path / f"model.{form}", form) <= 1e-5


@pytest.mark.parametrize(("needs", "height", "width"), [(CELLS, 3, 2), (CHIPS, 2, 1)])
def test_the_graph_says_what_the_estimates_say(needs, height, width):
    members = networks(needs, 3, NetworkShape(SMALL, 8, 8, 16, season=True))
    calibration = Calibration(1.3, {"smap": 1.7}, 30)
    released = ExportModule(members, calibration.whole, calibration.without)
    inputs = examples(released, (4, height, width))
    for part in inputs[:-1]:
        part[0] = torch.nan
    inputs[list(released.inputs).index("history")][1, :, 0] = torch.nan  # no SMAP in the history of the second
    batch = batch_of(released, inputs)
    expected = combine(members, batch)
    factor = calibration.factor(quality.absent(batch, needs))
    assert {float(one) for one in factor[1].ravel()} == {float(np.float32(1.7))}
    seen = quality.any_observed(batch, needs)
    assert not seen[0].any() and seen[1:].all()
    with torch.no_grad():
        mean, spread = released(*inputs)
    np.testing.assert_allclose(mean, np.where(seen, expected.mean, np.nan), atol=1e-6)
    np.testing.assert_allclose(spread, np.where(seen, factor * expected.std, np.nan), atol=1e-6)
    assert np.nanstd(mean) > 1e-3, "the networks have something to say"


def test_a_graph_of_chips_takes_any_batch_and_area(tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    needs = replace(CHIPS, history=HistorySpec(("smap",), 2, 1.0))
    released = ExportModule(networks(needs, 1, NetworkShape(SMALL, hidden_size=8)))
    assert write_graph(released, tmp_path / "model.onnx", "onnx") < 1e-5
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    for size in ((1, 1, 1), (5, 2, 6)):
        inputs = examples(released, size, seed=7)
        found = session.run(None, {name: part.numpy() for name, part in zip(released.inputs, inputs, strict=True)})
        with torch.no_grad():
            expected = released(*inputs)
        assert found[0].shape == size
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_run_is_written_with_all_its_folds_and_a_card(run, tmp_path):
    paths = export_run(run, tmp_path / "release", ["pt2"])
    assert [path.name for path in paths] == ["model.pt2", "inputs.json", "MODEL_CARD.md"]
    assert sorted(path.name for path in (tmp_path / "release").iterdir()) == sorted(path.name for path in paths)
    program = torch.export.load(paths[0]).module()
    rng = np.random.default_rng(1)
    cells = rng.uniform(0.05, 0.5, (7, 2, 1, 1)).astype(np.float32)
    cells[3], day = np.nan, np.full(7, 100, np.float32)
    expected = combine(
        Run(run).members(), Batch(torch.zeros(7, 0, 0, 0), *map(torch.tensor, (cells, cells[:, None, :0], day)))
    )
    mean, spread = program(torch.tensor(cells), torch.tensor(day))
    calibration = Run(run).calibration()
    assert calibration.sensors == 12 and calibration.whole != 1
    for found, value in ((mean, expected.mean), (spread, calibration.whole * expected.std)):
        assert found[3].isnan().all()
        np.testing.assert_allclose(np.delete(found.detach().numpy(), 3, 0), np.delete(value, 3, 0), atol=1e-5)
    said = json.loads(paths[1].read_text())
    assert said["networks"] == 2 and said["needs"]["cells"] == ["smap", "sand"] and said["units"]["smap"] == "m3 m-3"


def test_a_card_tells_the_figures_of_the_run(run, tmp_path):
    from vadose.export.card import model_card

    card = model_card(Run(run), Run(run).members(), {"model.onnx": 2e-8})
    figures = json.loads((run / "scorecard.json").read_text())["headline"]
    for row in figures[:2]:
        assert f"{row['r']:.3f} [{row['r_low']:.3f}, {row['r_high']:.3f}]" in card
    for words in (
        "SIMULATED",
        "2 networks",
        "12 of 2 networks with 360 samples from 2021-03-01 to 2021-03-30",
        "| NEAR | 8 | 240 |",
        "2-fold cross-validation",
        "(batch, 2, y, x)",
        "between latitudes 40.0 and 46.0",
        "2e-08",
        "not of the ensemble of all",
    ):
        assert words in card, words


def test_a_graph_that_says_something_else_is_refused(tmp_path, monkeypatch):
    released = ExportModule(networks(CELLS, 1, NetworkShape(hidden_size=8)))
    said = released.forward

    def other(*inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, spread = said(*inputs)
        return mean + 1e-4, spread

    monkeypatch.setattr("vadose.export.formats._pt2", lambda *_: lambda inputs: other(*inputs))
    with pytest.raises(VadoseError, match=r"They differ by (0\.0001|9\.99\d*e-05)"):
        write_graph(released, tmp_path / "model.pt2", "pt2")
    assert not list(tmp_path.iterdir())


def test_a_format_that_cannot_be_written_is_refused(run, tmp_path, monkeypatch):
    asked = ["export", str(run), "--out", str(tmp_path / "release"), "--format", "keras"]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 2 and all(word in told.output for word in ("keras", "onnx", "pt2"))
    monkeypatch.setattr("vadose.export.formats.find_spec", lambda _: None)
    with pytest.raises(VadoseError, match=r"Not installed: onnx, onnxscript, onnxruntime.*vadose\[onnx\]"):
        format_of("onnx")
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_not_finished_is_refused_before_its_graphs_are_made(run, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr("vadose.export.run.write_graph", None)
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "scorecard.json").unlink()
    with pytest.raises(VadoseError, match="cannot be read"):
        export_run(tmp_path / "run", tmp_path / "release", ["pt2"])
    assert not (tmp_path / "release").exists() or not list((tmp_path / "release").iterdir())
    with pytest.raises(VadoseError, match=r"no readable experiment\.json"):
        export_run(tmp_path / "nowhere", tmp_path / "release", ["pt2"])
