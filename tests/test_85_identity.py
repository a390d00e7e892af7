"""A network that learned one product and meets another: SMAP is never interchanged, the rest is used and said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vadose.dataset import SampleStore
from vadose.dataset.table_columns import TableMapping
from vadose.dataset.tables import import_table
from vadose.errors import VadoseError
from vadose.experiment import read_experiment
from vadose.experiment.build_samples import store_of
from vadose.experiment.predict import predict_store
from vadose.experiment.product_identity import differences, products_of_run
from vadose.experiment.run import Run
from vadose.experiment.train import train
from vadose.export.card import model_card
from vadose.fusion import FeatureCube, HistorySpec, InputSpec, OwnRecord
from vadose.grid import tile_around
from vadose.inference import estimate_points, estimate_tile
from vadose.io.files import write_json
from vadose.models import Batch, by_own_record
from vadose.registry import ARCHIVE_PRODUCTS, Quality
from vadose.training import TrainingRows, fit_product, fit_rescaled, load
from vadose.training.checkpoint import DESCRIPTION, signed

SENSORS, MOMENTS, STEPS = 10, 20, 6
COLUMNS = {"smap_usda": {"column": "wet"}, "sand": {"column": "sand", "product": "HWSD"}}
COLUMNS |= {"B04": {"column": "red", "product": "Sentinel-2 L1C"}}
PAST = {"variables": ["smap_usda"], "steps": STEPS, "step_days": 10}


def quiet(*_: object) -> None:
    pass


def points() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    sensor = np.repeat(np.arange(SENSORS), MOMENTS)
    wet = rng.uniform(0.05, 0.45, sensor.size)
    table = pd.DataFrame({"station": [f"S{number}" for number in sensor], "lat": 40.0 + sensor, "lon": 2.0 * sensor})
    return table.assign(
        time=pd.Timestamp("2021-01-01") + pd.to_timedelta(np.tile(np.arange(MOMENTS) * 10, SENSORS), "D"),
        wet=wet,
        sand=rng.uniform(0.1, 0.8, SENSORS)[sensor],
        red=rng.uniform(0.05, 0.3, sensor.size),
        moisture=0.1 + 0.5 * wet + rng.normal(0, 0.01, sensor.size),
    )


def mapping(predictors: dict) -> dict:
    held = {name: {"column": name} for name in ("station", "lat", "lon", "time")}
    past = {"history": {**PAST, "variables": []}}
    return held | past | {"network": {"value": "SIMULATED"}, "predictors": predictors, "simulated": True}


def store(folder: Path, table: pd.DataFrame, predictors: dict) -> Path:
    folder.mkdir()
    table.to_parquet(folder / "table.parquet")
    import_table(folder / "table.parquet", TableMapping.model_validate(mapping(predictors)), folder / "store")
    return folder / "store"


def config(**needs: object) -> dict:
    return {
        "name": "point",
        "simulated": True,
        "samples": {"table": "table.parquet", "columns": "mapping.yaml"},
        "needs": {"cells": ["smap_usda", "sand", "B04"], "history": PAST} | needs,
        "split": {"grouping": {"by": "place"}, "folds": 2, "validation_fraction": 0.3},
        "network": {"hidden_size": 4},
        "schedule": {"epochs": 1, "batch_size": 64, "per_sensor": 5, "patience": None},
        "baselines": ["smap", "smap_usda"],
        "min_samples": 5,
    }


def trained(folder: Path, **needs: object) -> Run:
    folder.mkdir()
    points().to_parquet(folder / "table.parquet")
    label = {"label": {"column": "moisture"}}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping(COLUMNS) | label))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(config(**needs)))
    experiment, run = read_experiment(folder / "experiment.yaml"), Run(folder / "run")
    train(experiment, store_of(experiment, run.store), run, quiet)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("identity") / "plain")


@pytest.fixture(scope="module")
def relative(tmp_path_factory: pytest.TempPathFactory) -> Run:
    own = {"variables": ["smap_usda"], "min_steps": 3}
    return trained(tmp_path_factory.mktemp("identity") / "relative", own_record=own)


def estimated(run: Run, samples: Path) -> tuple[pd.DataFrame, list[str]]:
    told: list[str] = []
    out = samples.with_name(f"{samples.name}.estimates.parquet")
    predict_store(run.folder, samples, out, quiet, told.append)
    table = pd.read_parquet(out)
    *told, observed = told
    assert table.attrs["made_from"].get("inputs", []) == told
    share = 1 - flagged(table["quality"], Quality.SMAP_MISSING).mean()
    assert observed.startswith("Observed, of all samples: ") and f"smap {share:.0%}" in observed
    return table, told


def flagged(quality: pd.Series, flag: Quality) -> np.ndarray:
    return (quality.to_numpy() & int(flag)) != 0


def without(*names: str) -> dict:
    return {name: column for name, column in COLUMNS.items() if name not in names}


def test_another_smap_is_no_smap(run, tmp_path):
    other = without("smap_usda") | {"smap": {"column": "wet"}}
    table, told = estimated(run, store(tmp_path / "other", points(), other))
    assert flagged(table["quality"], Quality.SMAP_MISSING).all() and table["soil_moisture"].notna().all()
    none, _ = estimated(run, store(tmp_path / "none", points(), without("smap_usda")))
    np.testing.assert_array_equal(table["soil_moisture"], none["soil_moisture"])
    same, silent = estimated(run, store(tmp_path / "same", points(), COLUMNS))
    assert not flagged(same["quality"], Quality.SMAP_MISSING).any() and silent == []
    assert told == [
        "the network was trained on NASA-USDA Enhanced SMAP (smap_usda), the store has SPL3SMP or SPL3SMP_E (smap): "
        "not the "
        "same input, so that it counts as missing (SMAP_MISSING)"
    ]


def test_a_product_independent_input_meets_another_product(relative, tmp_path):
    own, _ = estimated(relative, store(tmp_path / "own", points(), COLUMNS))
    line = points().assign(wet=lambda table: 0.07 + 0.4 * table["wet"])
    other, told = estimated(
        relative, store(tmp_path / "other", line, without("smap_usda") | {"smap": {"column": "wet"}})
    )
    np.testing.assert_allclose(other["soil_moisture"], own["soil_moisture"], atol=2e-6)
    np.testing.assert_array_equal(other["quality"], own["quality"])
    assert len(told) == 1 and told[0].endswith("read relative to the place's own record, as the experiment states")
    first = own.groupby("station").head(2)["quality"], own.groupby("station").nth(2)["quality"]
    assert flagged(first[0], Quality.SMAP_MISSING).all(), "two steps are fewer than three"
    assert not flagged(first[1], Quality.SMAP_MISSING).any()


def test_a_map_reads_it_as_the_samples_do(relative, tmp_path):
    samples = SampleStore.open(store(tmp_path / "own", points(), COLUMNS))
    row, model = 12, load(relative.networks()[0])
    expected = estimate_points([model], samples, np.array([row]))
    place = samples.index.iloc[row]
    tile = tile_around(place.lon, place.lat, 0)
    cells = {name: samples.cells((name,), np.array([row]))[0, 0] for name in ("smap_usda", "sand", "B04")}
    past = samples.steps("smap_usda", np.array([row]))[0]

    def inputs(name: str, scale: float) -> FeatureCube:
        now = {name: scale * cells["smap_usda"] + 0.01, "sand": cells["sand"], "B04": cells["B04"]}
        now |= {"sentinel2_valid_fraction": 1.0, "sentinel2_age": 0.0}
        layers = {key: (("y", "x"), np.full(tuple(tile.cells.shape), value, np.float32)) for key, value in now.items()}
        steps = np.broadcast_to((scale * past + 0.01)[:, None, None], (STEPS, *tile.cells.shape)).astype(np.float32)
        history = xr.Dataset({name: (("step", "y", "x"), steps)})
        return FeatureCube(tile, place.time.to_datetime64(), xr.Dataset(), xr.Dataset(layers), history)

    for given_inputs in (inputs("smap_usda", 1.0), inputs("smap", 0.5)):
        found = estimate_tile([model], given_inputs)
        assert found.mean[0, 0] == pytest.approx(expected["soil_moisture"][0], abs=2e-6)
        assert not found.quality[0, 0] & int(Quality.SMAP_MISSING)


def test_a_predictor_that_a_table_lacks_is_missing_and_flagged(run, tmp_path):
    table, told = estimated(run, store(tmp_path / "bare", points(), without("B04")))
    assert flagged(table["quality"], Quality.SENTINEL2_MISSING).all() and table["soil_moisture"].notna().all()
    assert told == ["the store has no B04: counted as missing"]
    blank = points().assign(red=np.nan)
    as_nan, _ = estimated(run, store(tmp_path / "nan", blank, COLUMNS))
    pd.testing.assert_frame_equal(table, as_nan)


def test_a_store_with_a_shorter_past_or_none_is_estimated_and_flagged(run, tmp_path):
    (tmp_path / "short").mkdir()
    points().to_parquet(tmp_path / "short" / "table.parquet")
    bare = {key: value for key, value in mapping(COLUMNS).items() if key != "history"}
    import_table(tmp_path / "short" / "table.parquet", TableMapping.model_validate(bare), tmp_path / "short" / "store")
    table, _ = estimated(run, tmp_path / "short" / "store")
    assert flagged(table["quality"], Quality.HISTORY_SHORT).all() and table["soil_moisture"].notna().all()
    days = mapping(COLUMNS) | {"history": {"steps": STEPS, "step_days": 5}}
    import_table(tmp_path / "short" / "table.parquet", TableMapping.model_validate(days), tmp_path / "short" / "five")
    with pytest.raises(VadoseError, match="steps of 10 days, held 5"):
        estimated(run, tmp_path / "short" / "five")


def test_a_store_with_nothing_in_common_is_refused(run, tmp_path):
    bare = store(tmp_path / "bare", points(), {"gldas": {"column": "wet"}})
    with pytest.raises(VadoseError, match="cells smap_usda"):
        estimated(run, bare)
    assert not bare.with_name("estimates.parquet").exists()


def test_another_level_or_soil_map_is_used_and_said(run, tmp_path):
    table, told = estimated(run, store(tmp_path / "level", points(), {
        **COLUMNS, "B04": {"column": "red", "product": "Sentinel-2 L2A"}, "sand": {"column": "sand"}
    }))  # fmt: skip
    same, _ = estimated(run, store(tmp_path / "same", points(), COLUMNS))
    np.testing.assert_array_equal(table["soil_moisture"], same["soil_moisture"])
    assert told == [
        "B04: the network was trained on Sentinel-2 L1C, the store has Sentinel-2 L2A: used unchanged",
        "sand: the network was trained on HWSD, the store has not stated: used unchanged",
    ]


def test_what_is_said_of_an_archive(run):
    needs = load(run.networks()[0]).needs
    lines = differences(needs, products_of_run(run.networks()), ARCHIVE_PRODUCTS.keys(), ARCHIVE_PRODUCTS, "an archive")
    assert len(lines) == 3 and "SMAP_MISSING" in lines[0]
    assert "SoilGrids 2.0" in " ".join(lines) and "Sentinel-2 L2A" in " ".join(lines)
    radar = InputSpec(cells=("vv", "vh"))
    for learned, words in (
        ("gamma0 ellipsoid", "on slopes"),
        ("sigma0 ellipsoid", "cos(incidence angle)"),
    ):
        (line,) = differences(radar, {"vv": learned, "vh": learned}, ("vv", "vh"), ARCHIVE_PRODUCTS, "an archive")
        assert (
            line.startswith(f"vh, vv: the network was trained on {learned}, an archive has gamma0 RTC")
            and words in line
        )


def test_a_checkpoint_that_does_not_tell_its_products_is_refused(run, tmp_path):
    folder = tmp_path / "network"
    description = yaml.safe_load((run.networks()[0] / DESCRIPTION).read_text())
    del description["made_from"]["products"]
    write_json(folder / DESCRIPTION, signed(description))
    with pytest.raises(VadoseError) as refused:
        products_of_run([folder])
    assert str(folder) in refused.value.context and "Train again" in refused.value.hint


def test_the_card_tells_what_each_input_was(relative):
    card = model_card(relative, relative.members(), {})
    assert "| `cells` | `smap_usda` | m3 m-3 | NASA-USDA Enhanced SMAP |" in card
    assert "`B04`" in card and "Sentinel-2 L1C" in card and "HWSD" in card
    assert "(x - mean) / std" in card and "fewer than 3" in card


def test_a_product_is_judged_as_it_is_and_rescaled_on_the_training_stations(run):
    found = {path.stem: pd.read_parquet(path) for path in (run.folder / "predictions").iterdir()}
    assert set(found) == {"network", "smap_usda", "smap_usda_rescaled"}
    samples = SampleStore.open(run.store)
    model = load(run.checkpoint(0, "smap_usda_rescaled", 0))
    tested = found["network"].iloc[: len(found["network"])]["station"]
    split = pd.read_parquet(run.split)
    learned = split[(split["fold"] == 0) & split["part"].isin(["train", "validation"])]["station"]
    rows = np.flatnonzero(samples.index["station"].isin(learned))
    slope, intercept = np.polyfit(samples.cells(("smap_usda",), rows)[:, 0], samples.labels(rows), 1)
    assert (model.slope, model.intercept) == (pytest.approx(slope, rel=1e-4), pytest.approx(intercept, rel=1e-4))
    assert set(learned) < set(tested)
    error = {
        name: np.sqrt(((t["soil_moisture"] - t["soil_moisture_in_situ"]) ** 2).mean()) for name, t in found.items()
    }
    assert error["smap_usda_rescaled"] < 0.5 * error["smap_usda"]
    card = (run.folder / "scorecard.md").read_text()
    assert "smap_usda_rescaled is NASA-USDA Enhanced SMAP, linearly rescaled on the training stations" in card
    assert "Not evaluated" not in card, "SMAP L3 is not asked for where Enhanced SMAP stands in its role"


def test_a_product_that_never_varies_is_rescaled_to_the_mean(run):
    samples = SampleStore.open(run.store)
    places = TrainingRows(samples, samples.rows[:100], samples.rows[100:])
    flat = replace(samples, _held={"cells/smap_usda": np.full(len(samples), 0.2, np.float32)})
    model = fit_rescaled(replace(places, store=flat), "smap_usda")
    assert (model.slope, model.intercept) == (0.0, pytest.approx(samples.labels(samples.rows).mean()))
    assert fit_product(places, "smap_usda").slope == 1.0


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"variables": ["sand"]}, "not for sand"),
        ({"variables": ["gldas"], "min_steps": 3}, "which the history does not"),
        ({"variables": ["smap_usda"], "min_steps": 7}, "min_steps 7, the history 6"),
        ({"variables": ["smap_usda"], "min_steps": 1}, "min_steps 1"),
    ],
)
def test_an_own_record_that_cannot_be_had_is_refused(own, words, tmp_path):
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(config(own_record=own)))
    with pytest.raises(VadoseError, match=words):
        read_experiment(tmp_path / "experiment.yaml")


NEEDS = InputSpec(
    cells=("smap", "sand"), history=HistorySpec(("vv", "smap"), 8, 1.0), own_record=OwnRecord(("smap",), 3)
)


@given(seed=st.integers(0, 10**6), slope=st.floats(0.05, 20), intercept=st.floats(-2, 2))
def test_a_line_of_positive_slope_changes_nothing(seed, slope, intercept):
    rng = np.random.default_rng(seed)
    steps = np.where(rng.random((5, 8, 2)) < 0.3, np.nan, rng.uniform(0.05, 0.4, (5, 8, 2))).astype(np.float32)
    cells = rng.uniform(0.05, 0.4, (5, 2)).astype(np.float32)
    one = by_own_record(Batch.of_samples(None, cells, steps), NEEDS)
    moved, now = steps.astype(np.float64), cells.astype(np.float64)
    moved[..., 1], now[:, 0] = slope * moved[..., 1] + intercept, slope * now[:, 0] + intercept
    other = by_own_record(Batch.of_samples(None, now.astype(np.float32), moved.astype(np.float32)), NEEDS)
    scale = 2e-6 * (1 + abs(intercept) / slope) / 0.05
    torch.testing.assert_close(one.history, other.history, rtol=1e-3, atol=scale, equal_nan=True)
    torch.testing.assert_close(one.cells, other.cells, rtol=1e-3, atol=scale, equal_nan=True)
    enough = np.isfinite(steps[..., 1]).sum(axis=1) >= 3
    np.testing.assert_array_equal(np.isfinite(one.cells[:, 0, 0, 0].numpy()), enough)
    np.testing.assert_array_equal(one.cells[:, 1, 0, 0].numpy(), cells[:, 1])
    np.testing.assert_array_equal(one.history[:, :, 0, 0, 0].numpy(), steps[..., 0])


def test_a_record_without_variation_is_missing():
    steps = np.full((1, 8, 2), 0.3, np.float32)
    read = by_own_record(Batch.of_samples(None, np.full((1, 2), 0.3, np.float32), steps), NEEDS)
    assert read.cells[0, 0].isnan().all() and read.history[0, :, 1].isnan().all()
