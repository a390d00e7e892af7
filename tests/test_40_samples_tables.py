"""Matched point tables: real ones come out right, wrong ones are refused with the reason and the remedy."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.dataset import SampleStore
from vadose.dataset.table_columns import TableMapping
from vadose.dataset.tables import import_table
from vadose.fusion import HistorySpec

CONFIGS = Path(__file__).parents[1] / "configs" / "tables"

MAPPING = {
    "network": {"column": "net"},
    "station": {"column": "station"},
    "lat": {"column": "lat"},
    "lon": {"column": "lon"},
    "time": {"column": "date"},
    "label": {"column": "sm"},
    "predictors": {
        "vv": {"column": "VV_dB", "units": "dB"},
        "B04": {"column": "B4", "units": "DN", "offset": -1000},
        "smap_usda": {"column": "ssm", "units": "mm", "depth_mm": 50, "missing": [-9999]},
    },
    "history": {"steps": 3, "step_days": 10},
}


def simulated_table(stations: int = 2, times: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(1)
    count = stations * times
    return pd.DataFrame(
        {
            "net": "NA",
            "station": np.repeat([f"00{number}" for number in range(stations)], times),
            "lat": np.repeat(np.linspace(40, 41, stations), times),
            "lon": np.repeat(np.linspace(-100, -99, stations), times),
            "date": np.tile(pd.date_range("2020-01-01", periods=times, freq="5D").strftime("%Y-%m-%d"), stations),
            "VV_dB": random.uniform(-20, -5, count),
            "B4": random.uniform(1200, 4000, count).round(),
            "ssm": random.uniform(2, 25, count),
            "sm": random.uniform(0.05, 0.45, count),
            "unused": "x",
        }
    )


def imported(folder: Path, table: pd.DataFrame, mapping: dict, name: str = "table.csv") -> SampleStore:
    path = folder / name
    table.to_parquet(path) if name.endswith(".parquet") else table.to_csv(path, index=False)
    import_table(path, TableMapping.model_validate(mapping), folder / "store")
    return SampleStore.open(folder / "store")


def without(mapping: dict, *keys: str) -> dict:
    return {key: value for key, value in mapping.items() if key not in keys}


def test_committed_mappings_are_valid() -> None:
    paths = sorted(CONFIGS.glob("*.yaml"))
    assert [path.stem for path in paths] == ["conus_10day", "conus_10day_sparse", "oznet_yanco"]
    for path in paths:
        TableMapping.read(path)


@pytest.mark.real
def test_the_real_conus_table(real: Path, tmp_path: Path) -> None:
    path = real / "points" / "conus_10day.csv.gz"
    report = import_table(path, TableMapping.read(CONFIGS / "conus_10day.yaml"), tmp_path / "store")
    assert report.samples == 8418
    assert dict(report.dropped.counts) == {"row without a label": 738}
    assert report.masked.total == 0
    store = SampleStore.open(tmp_path / "store")
    raw = pd.read_csv(path, parse_dates=["period_start"]).sort_values(["network", "station", "period_start"])
    labelled = raw[raw["soil_moisture_m3m3"].notna()]
    assert store.index["station"].tolist() == labelled["station"].tolist()
    assert store.index["sensor"].tolist() == labelled["station"].tolist()
    np.testing.assert_array_equal(store.index["time"], labelled["period_start"].astype("datetime64[ns]"))
    np.testing.assert_allclose(store.labels(store.rows), labelled["soil_moisture_m3m3"], rtol=1e-6)
    expected = {
        "sand": labelled["hwsd_sand_pct"] / 100,
        "organic_carbon": labelled["hwsd_oc_pct"] / 100,
        "smap_usda": labelled["smap_usda_ssm_mm"] / 50,
        "elevation": labelled["elev_m"],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(store.cells((name,), store.rows)[:, 0], values, rtol=1e-6, err_msg=name)
    looks = {
        "vv": 10 ** (labelled["VV_dB"] / 10) / np.cos(np.radians(labelled["angle_deg"])),
        "B11": labelled["B11"] / 10000,
    }
    for name, values in looks.items():
        own = values.notna().to_numpy()
        np.testing.assert_allclose(store.cells((name,), store.rows)[own, 0], values[own], rtol=1e-6, err_msg=name)
    radar, optics = store.cells(("sentinel1_age", "sentinel2_age"), store.rows).T
    assert np.nanmax(radar) == 10 and np.nanmax(optics) == 30
    blank = labelled["VV_dB"].isna() & labelled["VH_dB"].isna()
    assert np.isnan(radar).mean() < 0.5 * blank.mean()
    assert store.products["smap_usda"] == "NASA-USDA Enhanced SMAP" and store.products["vv"] == "gamma0 ellipsoid"
    _history_agrees(store, raw, labelled)


def _history_agrees(store: SampleStore, raw: pd.DataFrame, labelled: pd.DataFrame) -> None:
    """The table has a row each ten days, so step k is the row k rows before, labelled or not."""
    history = store.history(store.holds.history, store.rows)
    steps = TableMapping.read(CONFIGS / "conus_10day.yaml").history
    assert steps is not None and history.shape == (8418, steps.steps, 10)
    power = 10 ** (raw["VV_dB"] / 10) / np.cos(np.radians(raw["angle_deg"]))
    smap = raw.assign(smap_usda=raw["smap_usda_ssm_mm"] / 50, vv=power)
    for name in ("smap_usda", "vv"):
        place = store.holds.history.variables.index(name)
        for step in (0, 1, 17, steps.steps - 1):
            earlier = smap.groupby(["network", "station"])[name].shift(step).loc[labelled.index]
            np.testing.assert_allclose(history[:, step, place], earlier, rtol=1e-6)


@pytest.mark.real
def test_the_real_oznet_table(real: Path, tmp_path: Path) -> None:
    path = real / "points" / "oznet_yanco.csv.gz"
    report = import_table(path, TableMapping.read(CONFIGS / "oznet_yanco.yaml"), tmp_path / "store")
    store = SampleStore.open(tmp_path / "store")
    assert report.samples == len(store) == 35835
    assert report.dropped.total == 25541
    assert store.index["station"].nunique() == 28
    assert set(store.index["network"]) == {"OZNET"}
    assert store.labels(store.rows).max() == pytest.approx(0.599)
    sand, silt, clay = store.cells(("sand", "silt", "clay"), store.rows).T
    assert abs(sand + silt + clay - 1).max() < 0.01


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz", "table.parquet"])
def test_each_format_gives_the_same_samples(tmp_path: Path, name: str) -> None:
    table = simulated_table()
    store = imported(tmp_path, table, MAPPING, name)
    assert set(store.index["network"]) == {"NA"}
    assert set(store.index["station"]) == {"000", "001"}
    assert store.index["time"].iloc[1] == pd.Timestamp("2020-01-06")
    vv, red, smap = store.cells(("vv", "B04", "smap_usda"), store.rows).T
    np.testing.assert_allclose(vv, 10 ** (table["VV_dB"] / 10), rtol=1e-6)
    np.testing.assert_allclose(red, (table["B4"] - 1000) / 10000, rtol=1e-5)
    np.testing.assert_allclose(smap, table["ssm"] / 50, rtol=1e-6)
    assert store.holds.history == HistorySpec(("vv", "B04", "smap_usda"), 3, 10.0)


def test_history_is_the_mean_of_earlier_rows_of_the_same_sensor_in_linear_power(tmp_path: Path) -> None:
    table = simulated_table()
    store = imported(tmp_path, table.sample(frac=1, random_state=2), MAPPING)
    vv = store.history(store.holds.history, store.rows)[:, :, 0]
    power = (10 ** (table["VV_dB"] / 10)).to_numpy().reshape(2, 60)
    for station in (0, 1):
        own = vv[store.index["station"] == f"00{station}"]
        np.testing.assert_allclose(own[7, 0], power[station, 6:8].mean(), rtol=1e-6)
        np.testing.assert_allclose(own[7, 2], power[station, 2:4].mean(), rtol=1e-6)
        np.testing.assert_allclose(own[0, 0], power[station, 0], rtol=1e-6)
        assert np.isnan(own[0, 1:]).all()


def test_rows_without_label_are_left_out_but_remembered(tmp_path: Path) -> None:
    table = simulated_table(1, 10)
    table.loc[[0, 4], "sm"] = np.nan
    path = tmp_path / "table.csv"
    table.to_csv(path, index=False)
    report = import_table(path, TableMapping.model_validate(MAPPING), tmp_path / "store")
    assert report.samples == 8
    assert dict(report.dropped.counts) == {"row without a label": 2}
    store = SampleStore.open(tmp_path / "store")
    first = store.history(store.holds.history, store.rows)[0, 0]
    np.testing.assert_allclose(first[2], (table["ssm"][:2] / 50).mean(), rtol=1e-6)
    assert store.declaration["made_from"]["left_out"] == {"row without a label": 2}


def test_a_table_without_labels_keeps_every_row(tmp_path: Path) -> None:
    store = imported(tmp_path, simulated_table().drop(columns="sm"), without(MAPPING, "label", "history"))
    assert len(store) == 120
    assert "soil_moisture_in_situ" not in store.index
    assert store.history(store.holds.history, store.rows).shape == (120, 0, 0)


def test_missing_values_and_stray_ones_become_nan_and_are_counted(tmp_path: Path) -> None:
    table = simulated_table()
    table.loc[0, "ssm"] = -9999
    table.loc[1, "ssm"] = np.nan
    table.loc[2, "ssm"] = 70.0
    path = tmp_path / "table.csv"
    table.to_csv(path, index=False)
    report = import_table(path, TableMapping.model_validate(MAPPING), tmp_path / "store")
    assert dict(report.masked.counts) == {"smap_usda out of its range": 1}
    store = SampleStore.open(tmp_path / "store")
    assert np.flatnonzero(np.isnan(store.cells(("smap_usda",), store.rows)[:, 0])).tolist() == [0, 1, 2]


def test_a_simulated_table_says_so(tmp_path: Path) -> None:
    assert imported(tmp_path, simulated_table(), MAPPING | {"simulated": True}).simulated


def test_times_are_utc_in_any_stated_format(tmp_path: Path) -> None:
    table = simulated_table(1, 2).assign(date=["01.02.2020 06:00 +0100", "02.02.2020 06:00 +0100"])
    time = {"column": "date", "format": "%d.%m.%Y %H:%M %z"}
    store = imported(tmp_path, table, MAPPING | {"time": time})
    assert store.index["time"].tolist() == [pd.Timestamp("2020-02-01 05:00"), pd.Timestamp("2020-02-02 05:00")]


def test_an_optional_label_that_is_absent_gives_a_store_to_estimate(tmp_path):
    mapping = MAPPING | {"label": {"column": "sm", "optional": True}}
    bare = imported(tmp_path, simulated_table().drop(columns="sm"), mapping)
    (tmp_path / "whole").mkdir()
    whole = imported(tmp_path / "whole", simulated_table(), mapping)
    assert len(bare) == len(whole) == 120
    assert np.isnan(bare.labels(bare.rows)).all() and np.isfinite(whole.labels(whole.rows)).all()
    assert np.array_equal(bare.cells(("smap_usda",), bare.rows), whole.cells(("smap_usda",), whole.rows))
