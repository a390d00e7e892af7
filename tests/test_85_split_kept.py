"""Splits by year and by each network, and the split that a run keeps."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from vadose.cli.main import app
from vadose.dataset import SampleStore, TableMapping, import_table
from vadose.dataset.layout import IDENTITY
from vadose.errors import VadoseError
from vadose.experiment import Experiment
from vadose.experiment.folds import folds_of
from vadose.experiment.split_table import KEY, read, save_or_verify, table_of

GAP_DAYS = 30.0
PREDICTORS = {"smap": {"column": "smap"}, "sand": {"column": "sand", "units": "%"}}
MAPPING = {name: {"column": name} for name in ("network", "station", "lat", "lon", "time")} | {
    "label": {"column": "moisture"},
    "predictors": PREDICTORS,
    "history": {"steps": 3, "step_days": 10, "variables": ["smap"]},
    "simulated": True,
}
CONFIG = {
    "name": "years",
    "simulated": True,
    "samples": {"table": "points.csv", "columns": "mapping.yaml"},
    "needs": {"cells": ["smap", "sand"], "history": {"variables": ["smap"], "steps": 3, "step_days": 10}},
    "split": {"grouping": {"by": "year"}, "test_years": [2021]},
    "network": {"hidden_size": 8},
    "schedule": {"epochs": 2, "batch_size": 64, "patience": None, "per_sensor": 4},
    "baselines": ["smap"],
    "min_samples": 5,
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rng, days = np.random.default_rng(1), np.arange(0, 3 * 365, 20)
    sensor = np.repeat(np.arange(9), days.size)
    smap, sand = rng.uniform(0.05, 0.4, sensor.size), rng.uniform(10, 80, 9)[sensor]
    table = pd.DataFrame({"network": sensor // 4, "station": sensor, "lat": 40 + sensor, "lon": 2.0 * sensor})
    table["time"] = pd.Timestamp("2019-01-05") + pd.to_timedelta(np.tile(days, 9), "D")
    moisture = 0.05 + 0.6 * smap + 0.001 * sand + rng.normal(0, 0.01, sensor.size)
    table.assign(smap=smap, sand=sand, moisture=moisture).to_csv(tmp_path / "points.csv", index=False)
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    (tmp_path / "years.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path / "years.yaml"


@pytest.fixture
def store(config: Path, tmp_path: Path) -> SampleStore:
    import_table(tmp_path / "points.csv", TableMapping.read(tmp_path / "mapping.yaml"), tmp_path / "store")
    return SampleStore.open(tmp_path / "store")


def plan(**split: object) -> Experiment:
    return Experiment.model_validate(CONFIG | {"split": split})


def test_parts_of_a_split_by_year_are_apart_by_the_history(store):
    asked = plan(grouping={"by": "year"}, test_years=[2021])
    (fold,) = folds_of(asked.split, store, GAP_DAYS)
    times = store.index["time"].to_numpy()
    parts = [times[rows] for rows in (fold.train, fold.validation, fold.test)]
    assert all(part.size for part in parts)
    assert set(pd.DatetimeIndex(parts[2]).year) == {2021}
    for number, one in enumerate(parts):
        for other in parts[number + 1 :]:
            assert np.abs(one[:, None] - other).min() > np.timedelta64(int(GAP_DAYS), "D")


def test_each_network_is_held_out_once(store):
    folds = folds_of(plan(grouping={"by": "network"}, leave_one_out=True).split, store)
    held = [set(store.index["network"].iloc[fold.test]) for fold in folds]
    assert sorted(name for names in held for name in names) == sorted(set(store.index["network"]))
    assert all(len(names) == 1 for names in held)
    for fold, names in zip(folds, held, strict=True):
        assert not names & set(store.index["network"].iloc[[*fold.train, *fold.validation]])


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"grouping": {"by": "network"}, "test_years": [2021]}, "by: year"),
        ({"grouping": {"by": "year", "buffer_km": 5}, "folds": 2}, "buffer_km has no meaning"),
        ({"grouping": {"by": "network"}, "folds": 2, "leave_one_out": True}, "give one of"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(split, said):
    with pytest.raises(ValueError, match=said):
        plan(**split)


def test_a_year_without_samples_is_refused(store):
    with pytest.raises(VadoseError, match="2030") as refusal:
        folds_of(plan(grouping={"by": "year"}, test_years=[2030]).split, store)
    assert "2019" in str(refusal.value)


def test_a_run_keeps_its_split_and_refuses_another(store, tmp_path):
    path = tmp_path / "split.parquet"
    tables = [
        table_of(folds_of(plan(grouping={"by": "place"}, folds=folds).split, store), store.index) for folds in (2, 3)
    ]
    save_or_verify(tables[0], path)
    save_or_verify(tables[0], path)
    assert read(path)["samples"].sum() == 2 * len(store)
    before = path.read_bytes()
    with pytest.raises(VadoseError, match="fold"):
        save_or_verify(tables[1], path)
    assert path.read_bytes() == before


def test_a_torn_split_is_refused(store, tmp_path):
    path = tmp_path / "split.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(VadoseError, match="cannot be read"):
        read(path)


@pytest.mark.parametrize("column", [*KEY, "samples", "first_time", "last_time"])
@pytest.mark.parametrize("value", ["some text", 1.5, None, [1]])
def test_a_split_with_columns_of_another_kind_is_refused(column, value, store, tmp_path):
    """Whatever of it the samples of now contradict, or nobody can read, in words."""
    path = tmp_path / "split.parquet"
    table = table_of(folds_of(plan(grouping={"by": "place"}, folds=2).split, store), store.index)
    save_or_verify(table, path)
    table.assign(**{column: [value] * len(table)}).to_parquet(path)
    times = ("first_time", "last_time")
    another = column in ("part", *IDENTITY) if isinstance(value, str) else value is None and column in times
    with pytest.raises(VadoseError, match="The samples now give another" if another else "It cannot be read"):
        save_or_verify(table, path)


def test_training_by_year_goes_the_whole_way(config, tmp_path):
    out = tmp_path / "run"
    done = CliRunner().invoke(app, ["train", str(config), "--out", str(out), "--device", "cpu"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    held = pd.read_parquet(out / "predictions" / "network.parquet")
    assert set(held["time"].dt.year) == {2021}
    assert held["seen_in_training"].all()
    assert "2021 held out" in (out / "scorecard.md").read_text(encoding="utf-8")


def test_a_machine_that_is_not_there_is_refused_before_anything_is_made(config, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(VadoseError, match="less than or equal to 4096"):
        CliRunner().invoke(
            app,
            ["train", str(config), "--out", str(out), "--device", "cpu", "--devices", "9999"],
            catch_exceptions=False,
        )
    assert not out.exists()
