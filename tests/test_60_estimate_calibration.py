"""Spreads that held-out sensors have made true, with all sources and without one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_training import NEEDS, write_store
from vadose.dataset import SampleStore
from vadose.evaluation import per_sensor, reliability
from vadose.experiment.calibrate import HeldOut, calibrated, calibrations, held_out, missing_source_cost
from vadose.inference import UNCALIBRATED, Calibration, conformal_scale, estimate_points
from vadose.models import Product, sources_of
from vadose.registry import Quality

SMAP, DEM = Quality.SMAP_MISSING, Quality.DEM_MISSING


def said(seed: int, truth_is_wider: float, sensors: int = 60, moments: int = 40, absent: int = 0) -> pd.DataFrame:
    """Estimates of simulated sensors whose error is so many times the spread that is stated."""
    rng = np.random.default_rng(seed)
    sensor = np.repeat(np.arange(sensors), moments)
    spread = rng.uniform(0.005, 0.02, sensor.size)
    mean = rng.uniform(0.3, 0.5, sensor.size)
    return pd.DataFrame(
        {
            "network": "SIMULATED",
            "station": sensor.astype(str),
            "sensor": "a",
            "lat": sensor / 4,
            "lon": sensor / 2,
            "time": pd.Timestamp("2021-01-01") + pd.to_timedelta(np.tile(np.arange(moments), sensors), "D"),
            "soil_moisture": mean,
            "soil_moisture_std": spread,
            "soil_moisture_in_situ": (mean + truth_is_wider * spread * rng.normal(size=sensor.size)).clip(0, 0.9),
            "quality": np.uint32(0),
            "absent": np.uint32(absent),
        }
    )


@given(st.floats(0.3, 4.0), st.integers(0, 1000))
def test_the_factor_is_by_how_much_the_truth_scatters_wider(wider: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sensor = np.repeat(np.arange(50), 60)
    spread = rng.uniform(0.01, 0.1, sensor.size)
    truth = 0.3 + wider * spread * rng.normal(size=sensor.size)
    assert conformal_scale(np.full(sensor.size, 0.3), spread, truth, sensor) == pytest.approx(wider, rel=0.1)


def test_every_sensor_weighs_the_same() -> None:
    sensor = np.concatenate([np.repeat(np.arange(20), 50), np.full(20_000, 20)])
    truth = np.where(sensor < 20, 1.0, 50.0) * np.random.default_rng(0).normal(0, 0.02, sensor.size)
    factor = conformal_scale(np.zeros(sensor.size), np.full(sensor.size, 0.02), truth, sensor)
    assert factor < 2, "one sensor of 21, however many samples it has, is below the tenth that may lie outside"


def test_every_place_weighs_the_same_where_places_are_told() -> None:
    sensor = np.repeat(np.arange(40), 100)
    place = np.where(sensor < 20, 0, sensor)
    wide = np.where(place == 0, 4.0, 1.0)
    truth = wide * np.random.default_rng(0).normal(0, 0.02, sensor.size)
    state = (np.zeros(sensor.size), np.full(sensor.size, 0.02), truth, sensor)
    assert conformal_scale(*state) > 2.2, (
        "half of the sensors stand at one site where the spread is four times too narrow"
    )
    assert 0.9 < conformal_scale(*state, place) < 1.3, "that site is one place of 21"
    assert conformal_scale(*state, sensor) == conformal_scale(*state)
    thinned = np.flatnonzero((sensor >= 30) | (np.arange(sensor.size) % 2 == 0))
    fewer = conformal_scale(*(values[thinned] for values in state), place[thinned])
    assert fewer == pytest.approx(conformal_scale(*state, place), rel=0.05), "samples of a sensor do not count"


def test_too_few_sensors_say_nothing_of_a_spread() -> None:
    sensor = np.repeat(np.arange(9), 100)
    assert conformal_scale(np.zeros(900), np.ones(900), np.full(900, 9.0), sensor) == 1.0


def test_of_several_missing_sources_the_largest_factor_counts() -> None:
    calibration = Calibration(1.2, {"smap": 1.5, "dem": 1.1}, 30)
    absent = np.array([[0, SMAP, DEM, SMAP | DEM, Quality.GLDAS_MISSING]], np.uint32)
    np.testing.assert_allclose(calibration.factor(absent), [[1.2, 1.5, 1.2, 1.5, 1.2]])
    assert (UNCALIBRATED.factor(absent) == 1).all()


def test_a_fold_is_calibrated_by_the_others_alone() -> None:
    folds = [HeldOut(said(seed, 2.0), {}) for seed in range(3)]
    spoilt = HeldOut(folds[0].whole.assign(soil_moisture_in_situ=0.9), {})
    own, other = (calibrations([first, *folds[1:]])[1] for first in (folds[0], spoilt))
    assert own[0] == other[0] and own[1] != other[1]
    assert calibrations(folds[:1])[1] == (UNCALIBRATED,)


def test_calibrated_intervals_hold_what_they_say_with_a_source_missing_too() -> None:
    folds = [HeldOut(said(s, 2.0), {"smap": said(s + 10, 3.0, absent=SMAP)}) for s in range(4)]
    _, of_folds = calibrations(folds)
    told = [fold.calibrated_by(own) for fold, own in zip(folds, of_folds, strict=True)]
    for tables in ([fold.whole for fold in told], [fold.lacking["smap"] for fold in told]):
        sensors = per_sensor(pd.concat(tables).assign(station=(np.arange(4 * 2400) // 40).astype(str)))
        held = reliability(sensors)["mean"]
        for level in (50, 80, 90, 95):
            assert held[f"coverage_{level}"] == pytest.approx(level / 100, abs=0.02)
    cost = missing_source_cost([told[0]], 20)
    assert list(cost["missing"]) == ["nothing", "smap"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SampleStore:
    return write_store(tmp_path_factory.mktemp("calibration") / "store")


def test_points_are_calibrated_by_what_was_missing(store: SampleStore) -> None:
    model, calibration = Product("smap", 0.04), Calibration(1.5, {"smap": 3.0}, 30)
    plain = estimate_points([model], store, store.rows[:5])
    wider = estimate_points([model], store, store.rows[:5], calibration=calibration)
    np.testing.assert_allclose(wider["soil_moisture_std"], 1.5 * plain["soil_moisture_std"])
    pd.testing.assert_frame_equal(calibrated(plain, calibration), wider)


def test_a_source_that_is_taken_away_is_gone_from_the_moment_and_the_history(store: SampleStore) -> None:
    from small_training import small_network

    network = small_network().eval()
    told = held_out([network], store, store.rows[:40])
    assert sorted(told.lacking) == ["smap", "soilgrids"] == [s for s in sources_of(NEEDS) if s != "dem"]
    assert not told.whole["absent"].any()
    assert (told.lacking["smap"]["absent"] == int(SMAP)).all()
    assert (told.lacking["smap"]["soil_moisture"] != told.whole["soil_moisture"]).all()


def test_a_store_that_is_empty_of_a_source_says_the_same(store: SampleStore, tmp_path: Path) -> None:
    from small_training import small_network
    from vadose.dataset import Samples, SampleWriter

    cells, past = store.cells(NEEDS.cells, store.rows), store.history(NEEDS.history, store.rows)
    cells[:, NEEDS.cells.index("smap")] = np.nan
    past[:] = np.nan
    with SampleWriter.open(tmp_path / "without", NEEDS, {}, simulated=True) as writer:
        writer.append(Samples(store.index, cells, past))
    network = small_network().eval()
    taken = estimate_points([network], store, lacking="smap")
    never = estimate_points([network], SampleStore.open(tmp_path / "without"))
    pd.testing.assert_frame_equal(taken, never)
