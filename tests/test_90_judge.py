"""Estimates of a run, judged: how far they are from what was learned, and how they declare their setting."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vadose
from vadose.evaluation import DISTANCE, Setting, Split
from vadose.experiment.score import setting_of
from vadose.experiment.training_distance import with_training_distance
from vadose.products import Product

PLACES = {"a": (0.0, 0.0), "b": (0.0, 1.0), "c": (10.0, 179.9), "d": (10.0, -179.9)}
DEGREE_KM = 6371.0 * np.pi / 180


def estimates() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.date_range("2021-01-01", periods=30, freq="D")
    parts = [
        pd.DataFrame({"network": "N", "station": name, "sensor": "s", "lat": lat, "lon": lon, "time": days})
        for name, (lat, lon) in PLACES.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    truth = rng.uniform(0.1, 0.4, len(table))
    return table.assign(soil_moisture=truth + rng.normal(0, 0.02, len(table)), soil_moisture_in_situ=truth)


def write_split(path: Path, parts: dict[int, dict[str, str]]) -> Path:
    rows = [
        {"fold": fold, "part": part, "network": "N", "station": station, "sensor": "s", "year": 2021, "samples": 30}
        | {"first_time": pd.Timestamp("2021-01-01"), "last_time": pd.Timestamp("2021-01-30")}
        for fold, held in parts.items()
        for station, part in held.items()
    ]
    pd.DataFrame(rows).to_parquet(path)
    return path


FOLDS = {
    0: {"a": "test", "b": "train", "c": "train", "d": "validation"},
    1: {"a": "train", "b": "train", "c": "test", "d": "train"},
    2: {"a": "train", "b": "test", "c": "validation", "d": "test"},
}


def test_the_distance_is_to_the_nearest_place_of_training_of_the_own_fold(tmp_path):
    table = with_training_distance(estimates(), write_split(tmp_path / "folds.parquet", FOLDS))
    found = table.groupby("station")[DISTANCE].first()
    assert found["a"] == pytest.approx(DEGREE_KM, rel=1e-3)
    assert found["c"] == pytest.approx(0.2 * DEGREE_KM * np.cos(np.radians(10)), rel=1e-3), "over the date line"
    assert found["b"] == pytest.approx(DEGREE_KM, rel=1e-3) and found["d"] > 1000
    assert len(table) == 120


def test_a_place_of_training_that_is_not_known_leaves_the_distance_open(tmp_path):
    folds = {0: FOLDS[0] | {"e": "train"}, 1: FOLDS[1]}
    table = with_training_distance(estimates(), write_split(tmp_path / "folds.parquet", folds))
    assert table[DISTANCE].isna().sum() == 90 and table.loc[table["station"] == "c", DISTANCE].notna().all()


def test_estimates_in_the_folder_of_their_run_are_parted_by_distance(tmp_path):
    (tmp_path / "run" / "predictions").mkdir(parents=True)
    write_split(tmp_path / "run" / "folds.parquet", FOLDS)
    estimates().to_parquet(tmp_path / "run" / "predictions" / "network.parquet")
    vadose.evaluate([str(tmp_path / "run" / "predictions" / "network.parquet")], out=tmp_path / "card", min_samples=10)
    strata = json.loads((tmp_path / "card" / "scorecard.json").read_text())["strata"]
    held = {row["class"]: row["sensors"] for row in strata if row["stratum"].startswith("distance")}
    assert held == {"10 to 50 km": 1, "100 to 500 km": 2, "500 km and more": 1}


def test_the_setting_is_what_the_estimates_declare(tmp_path):
    table = estimates().assign(seen_in_training=False)
    experiment = {
        "name": "trial",
        "samples": {"archive": "archive", "period": "2021-01-01/2021-02-01"},
        "needs": {"cells": ["smap"]},
        "split": {"grouping": {"by": "block"}, "folds": 3},
    }
    table.attrs = {"kind": "estimates", "made_from": {"experiment": experiment}}
    table.to_parquet(tmp_path / "network.parquet")
    product = Product(name="network", path=tmp_path / "network.parquet")
    split = Split(way="places", text="3-fold cross-validation by 1 degree block")
    assert setting_of(product, table) == Setting(split, "320 m")
    seen = setting_of(product, table.assign(seen_in_training=True))
    assert seen.split.way == "not stated" and "seen in training" in seen.split.text
    table.attrs = {}
    table.to_parquet(tmp_path / "plain.parquet")
    assert setting_of(Product(name="plain", path=tmp_path / "plain.parquet"), table) == Setting()


def test_errors_are_told_by_triple_collocation_where_asked(tmp_path):
    pytest.importorskip("pytesmo")
    rng = np.random.default_rng(1)
    days = pd.date_range("2020-01-01", periods=400, freq="D")
    truth = np.concatenate([0.25 + 0.1 * np.sin(np.arange(400) / 20 + place) for place in range(3)])
    index = pd.DataFrame(
        {
            "network": "N",
            "station": np.repeat(["a", "b", "c"], 400),
            "sensor": "s",
            "lat": np.repeat([0.5, 2.5, 4.5], 400),
        }
    ).assign(lon=0.5, time=np.tile(days, 3), soil_moisture_in_situ=truth + rng.normal(0, 0.03, 1200))
    for name, noise in (("one", 0.02), ("two", 0.04)):
        index.assign(soil_moisture=truth + rng.normal(0, noise, 1200)).to_parquet(tmp_path / f"{name}.parquet")
    asked = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    told = str(vadose.evaluate(asked, out=tmp_path / "card", min_samples=10, triple=True))
    page = (tmp_path / "card" / "scorecard.html").read_text()
    assert "Triple collocation" in page and "in situ" in page
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in told.splitlines() if line.startswith("| ")}
    for name, noise in (("one", 0.02), ("two", 0.04), ("in situ", 0.03)):
        assert float(rows[name][2].split(" [")[0]) == pytest.approx(noise, rel=0.15), name
