"""Rivals fitted on training places alone, tuned there, and the same from disk."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.dataset import Samples, SampleStore, SampleWriter, SpatialGroups
from vadose.fusion import HistorySpec, InputSpec
from vadose.inference import estimate_points
from vadose.training import TrainingRows, fit_change, fit_climatology, fit_trees, load, save
from vadose.training.tuning import TOGETHER, Learning, tuned

SENSORS, MOMENTS, STEPS = 24, 30, 12
SLOPE, DRY, GAIN = -0.12, 0.08, 0.3
LOOKS = InputSpec(history=HistorySpec(("vv", "incidence_angle"), STEPS, 10.0))
ALL = InputSpec(cells=("sand",), history=HistorySpec(("vv", "incidence_angle"), STEPS, 10.0))
HELD_OUT = np.arange(20 * MOMENTS, SENSORS * MOMENTS)


def write_store(path: Path, spoil: bool = False) -> SampleStore:
    """Simulated samples: backscatter follows wetness and the angle, each sensor has its own dry level of it."""
    rng = np.random.default_rng(5)
    count = MOMENTS + STEPS
    wet, angle = rng.uniform(0, 1, (SENSORS, count)), rng.uniform(32, 44, (SENSORS, count))
    vv_db = -16 + rng.uniform(0, 3, (SENSORS, 1)) + 8 * wet + SLOPE * (angle - 40)
    series = np.stack([10 ** (vv_db / 10), angle], axis=2)
    history = np.stack([series[:, k + STEPS - 1 :: -1][:, :STEPS] for k in range(1, MOMENTS + 1)], axis=1)
    day = np.tile(np.arange(MOMENTS) * 12, SENSORS)
    sensor = np.repeat(np.arange(SENSORS), MOMENTS)
    label = DRY + GAIN * wet[:, STEPS:].ravel()
    if spoil:
        label[HELD_OUT] = 0.9
    index = pd.DataFrame({"network": "SIMULATED", "station": sensor.astype(str), "sensor": "a"}).assign(
        lat=30.5 + 2 * (sensor % 6),
        lon=2.5 * (sensor // 6),
        soil_moisture_in_situ=label,
        time=pd.Timestamp("2021-01-01") + pd.to_timedelta(day, "D"),
    )
    cells = rng.uniform(0.1, 0.9, SENSORS)[sensor][:, np.newaxis].astype(np.float32)
    past = history.reshape(-1, STEPS, 2).astype(np.float32)
    with SampleWriter.open(path, ALL, {}, simulated=True) as writer:
        writer.append(Samples(index, cells, past))
    return SampleStore.open(path)


def places_of(store: SampleStore) -> TrainingRows:
    return TrainingRows(store, store.rows[: 15 * MOMENTS], store.rows[15 * MOMENTS : 20 * MOMENTS])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SampleStore:
    return write_store(tmp_path_factory.mktemp("baselines") / "store")


@pytest.fixture(scope="module")
def places(store: SampleStore) -> TrainingRows:
    return places_of(store)


@pytest.fixture(scope="module")
def trees(places: TrainingRows):
    return fit_trees(places, ALL, seed=0)


def correlation(models, store: SampleStore) -> float:
    table = estimate_points(models, store, HELD_OUT)
    return float(np.corrcoef(table["soil_moisture"], table["soil_moisture_in_situ"])[0, 1])


def test_change_detection_finds_the_slope_and_follows_places_it_never_saw(places, store):
    model = fit_change(places, LOOKS)
    assert model.slope == pytest.approx(SLOPE, abs=0.06), "two standard errors"
    assert correlation([model], store) > 0.95
    assert model.dry == pytest.approx(DRY, abs=0.05) and model.gain == pytest.approx(GAIN, abs=0.08)


def test_a_radar_that_was_never_there_leaves_a_model_without_estimates(tmp_path):
    index = pd.DataFrame({"network": "n", "station": list("aabb"), "sensor": "s", "lat": 1.0, "lon": 2.0})
    index = index.assign(time=pd.date_range("2021-01-01", periods=4), soil_moisture_in_situ=[0.1, 0.2, 0.3, 0.2])
    with SampleWriter.open(tmp_path / "store", ALL, {}, simulated=True) as writer:
        writer.append(Samples(index, np.full((4, 1), 0.5, np.float32), np.full((4, STEPS, 2), np.nan, np.float32)))
    blind = SampleStore.open(tmp_path / "store")
    model = fit_change(TrainingRows(blind, blind.rows[:2], blind.rows[2:]), LOOKS)
    assert estimate_points([model], blind)["soil_moisture"].isna().all()


@pytest.mark.parametrize("fit", [lambda p: [fit_climatology(p)], lambda p: [fit_change(p, LOOKS)]])
def test_no_label_of_a_judged_sensor_is_read(fit, store, tmp_path):
    spoilt = write_store(tmp_path / "spoilt", spoil=True)
    honest, other = (estimate_points(fit(places_of(one)), one, HELD_OUT) for one in (store, spoilt))
    pd.testing.assert_series_equal(honest["soil_moisture"], other["soil_moisture"])


def test_climatology_learns_the_season_of_the_places_around(tmp_path, store):
    season = 0.25 + 0.1 * np.sin(2 * np.pi * store.index["time"].dt.day_of_year.to_numpy() / 365.25)
    index = store.index.assign(soil_moisture_in_situ=season + np.where(store.index["lat"] > 36, 0.1, 0.0))
    with SampleWriter.open(tmp_path / "season", ALL, {}, simulated=True) as writer:
        writer.append(Samples(index, store.cells(ALL.cells, store.rows), store.history(ALL.history, store.rows)))
    yearly = SampleStore.open(tmp_path / "season")
    table = estimate_points([fit_climatology(places_of(yearly))], yearly, HELD_OUT)
    within = table.groupby("station").apply(
        lambda sensor: np.corrcoef(sensor["soil_moisture"], sensor["soil_moisture_in_situ"])[0, 1]
    )
    assert (within > 0.98).all()
    assert float(np.sqrt(np.mean((table["soil_moisture"] - table["soil_moisture_in_situ"]) ** 2))) < 0.06


def test_trees_learn_and_the_search_is_the_same_with_the_same_seed(trees, places, store):
    assert correlation(trees, store) > 0.9
    again = fit_trees(places, ALL, seed=0)
    one, other = (estimate_points(models, store, HELD_OUT)["soil_moisture"] for models in (trees, again))
    pd.testing.assert_series_equal(one, other)
    assert len(trees) == TOGETHER


def test_trees_do_without_a_history(places, store):
    needs = InputSpec(cells=("sand",))
    assert np.isfinite(estimate_points(fit_trees(places, needs, seed=0), store)["soil_moisture"]).all()


def test_the_search_prefers_what_can_be_learned_and_judges_it_on_other_places(store):
    """One table holds the label, the other noise that names each sensor."""
    label, rng = store.labels(store.rows), np.random.default_rng(0)
    sensor = store.index.groupby("station").ngroup().to_numpy()
    tables = {
        "steps": np.stack([sensor, sensor**2], axis=1).astype(np.float32),
        "columns": np.stack([label + rng.normal(0, 0.01, len(label)), sensor], axis=1).astype(np.float32),
    }
    tables["both"] = tables["columns"]
    best = tuned(Learning(tables, label, store.index, SpatialGroups()), 0, 1)
    assert best[0][0].reads != "steps"
    assert best[0][1] < 0.5 * float(label.std()), "its error on inner held-out places"


@pytest.mark.parametrize("kind", ["trees", "change", "climatology"])
def test_a_rival_on_disk_is_the_same_rival(kind, trees, places, store, tmp_path):
    fits = {"trees": lambda: trees[0], "change": lambda: fit_change(places, LOOKS)}
    model = fits.get(kind, lambda: fit_climatology(places))()
    save(model, tmp_path / "baseline", {"experiment": "simulated"})
    before, after = (estimate_points([one], store) for one in (model, load(tmp_path / "baseline")))
    pd.testing.assert_frame_equal(before, after, rtol=1e-6)
    assert load(tmp_path / "baseline").needs == model.needs
