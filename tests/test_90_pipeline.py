"""The whole way: from an archive to samples, models, scores and maps; on a simulated world and on real scenes."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
import yaml
from odc.geo.geobox import GeoBox
from rio_cogeo.cogeo import cog_validate

import real_archive
import vadose
from vadose.dataset import LabelRule, SampleStore, ScalingStats, SpatialGroups
from vadose.errors import VadoseError
from vadose.experiment import Experiment, read_experiment
from vadose.experiment.build_samples import build_samples, store_of
from vadose.experiment.folds import folds_of
from vadose.experiment.predict import predict_store
from vadose.experiment.run import Run
from vadose.experiment.train import train_in
from vadose.fusion import FeatureCube, InputSpec, TemporalPolicy, build_features
from vadose.grid import AreaOfInterest, cell_centres, tile_around
from vadose.inference import UNCALIBRATED, estimate_points
from vadose.inference.held_out import Member
from vadose.mapping.make import MapRequest, make_map
from vadose.maps import read_map
from vadose.registry import Quality
from vadose.simulation import COVERS, cover_of, made
from vadose.sources import open_sources
from vadose.studies.truth import TruthEvaluation as TruthJudge
from vadose.studies.truth import evaluate_against_truth, network_of, truth_at, truth_of
from vadose.studies.truth_ground import COVER, FAR, ground_of
from vadose.studies.truth_page import page
from vadose.variables import BANDS

LOOKS_AT_PAGES = True
SENSOR = ["network", "station", "sensor"]
EXPERIMENT = {
    "name": "walk",
    "simulated": True,
    "samples": {
        "archive": "world",
        "period": "2021-12-01/2022-03-15",
        "sample_times": "sentinel1",
        "max_samples_per_sensor": 6,
    },
    "needs": {
        "pixels": ["vv", "vh", "incidence_angle", "B04", "B03", "B02", "B08", "B11", "B12", "elevation"],
        "cells": ["sand", "silt", "clay", "bulk_density", "smap", "gldas"],
        "history": {"variables": ["smap", "gldas"], "steps": 8, "step_days": 1},
    },
    "split": {"grouping": {"by": "place"}, "test_fraction": 0.34, "validation_fraction": 0.3},
    "network": {
        "encoder": {"width": 4, "max_width": 8, "blocks": [2, 1, 1, 1]},
        "cell_features": 8,
        "gru_size": 8,
        "hidden_size": 16,
    },
    "schedule": {"epochs": 2, "batch_size": 8, "per_sensor": 2},
    "baselines": ["smap", "gldas", "trees"],
    "min_samples": 3,
}


@dataclass(frozen=True)
class Walk:
    """A simulated world, and a run on it."""

    archive: Path
    run: Run
    experiment: Experiment

    @property
    def store(self) -> SampleStore:
        return SampleStore.open(self.run.store)


def quiet(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def walk(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = tmp_path_factory.mktemp("walk")
    (folder / "world").symlink_to(tiny_world)
    (folder / "walk.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    experiment, run = read_experiment(folder / "walk.yaml"), Run(folder / "run")
    build_samples(experiment, run.store)
    train_in(experiment, run.folder, False, quiet, quiet)
    return Walk(folder / "world", run, experiment)


def contents(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_samples_open_with_plain_tools(walk):
    index = pd.read_parquet(walk.run.store / "index.parquet")
    declared = json.loads((walk.run.store / "declaration.json").read_text())
    assert declared["count"] == len(index) > 20
    assert declared["simulated"] is True
    assert index.groupby(SENSOR).size().max() <= 6
    assert index["soil_moisture_in_situ"].between(0, 0.6).all()
    side = 32 * (1 + 2 * walk.experiment.network_needs.halo)
    with xr.open_zarr(walk.run.store / "arrays.zarr", group="pixels", consolidated=False) as pixels:
        assert pixels["vv"].shape == (len(index), side, side)
        assert pixels["vv"].attrs["vadose_packed_as"] == "10 log10 of the value"
        assert -25 < float(pixels["vv"].load().median()) < 0, "decibel, scaled and masked by what reads it"
    with xr.open_zarr(walk.run.store / "arrays.zarr", group="history", consolidated=False) as history:
        assert history["gldas"].shape == (len(index), 8)
        assert np.isfinite(history["gldas"].values[:, 0]).all(), "of the step that holds the moment itself"


def test_held_out_sensors_are_held_out(walk):
    (fold,) = folds_of(walk.experiment.split, walk.store)
    index = walk.store.index
    learned, judged = (set(index.iloc[rows]["station"]) for rows in ([*fold.train, *fold.validation], fold.test))
    assert learned and judged and not learned & judged
    network = walk.run.checkpoint(0, "network", 0)
    described = json.loads((network / "checkpoint.json").read_text())
    assert described["made_from"]["held_out_sensors"] == len(judged)
    assert described["made_from"]["training_samples"] == len(fold.train)
    needs = walk.experiment.network_needs
    assert described["model"]["scaling"]["mean"]["smap"] == ScalingStats.fit(walk.store, fold.train, needs).mean["smap"]
    assert (
        described["model"]["scaling"]["mean"]["smap"]
        != ScalingStats.fit(walk.store, walk.store.rows, needs).mean["smap"]
    )
    for name in ("network", "smap", "gldas", "trees"):
        estimates = pd.read_parquet(walk.run.folder / "predictions" / f"{name}.parquet")
        assert set(estimates["station"]) == judged
        assert len(estimates) == len(fold.test)


def test_the_scorecard_says_what_it_is_of(walk, tmp_path):
    text = (walk.run.folder / "scorecard.md").read_text()
    for words in ("SIMULATED", "walk", "network", "smap", "gldas", "trees", "ubRMSE", "sensors held out"):
        assert words in text
    scores = pd.read_csv(walk.run.folder / "scorecard.csv")
    assert len(scores) and scores["network"].str.startswith("SIM-").all()
    path = walk.run.folder / "predictions" / "network.parquet"
    told = str(vadose.evaluate([path], out=tmp_path / "scores", min_samples=3))
    assert "ubRMSE" in told and (tmp_path / "scores" / "scorecard.md").is_file()


def test_estimates_are_a_table_of_sensors_and_times(walk, tmp_path):
    predict_store(walk.run.folder, walk.run.store, tmp_path / "predictions.parquet", quiet)
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    assert {
        "network",
        "station",
        "time",
        "soil_moisture",
        "soil_moisture_std",
        "quality",
        "soil_moisture_in_situ",
    } <= set(table)
    pd.testing.assert_frame_equal(table[[*SENSOR, "time"]], walk.store.index[[*SENSOR, "time"]])
    assert table["soil_moisture"].between(0, 1).all() and (table["soil_moisture_std"] > 0).all()
    assert table["quality"].dtype == np.uint32
    assert (table["quality"].to_numpy() & Quality.SENTINEL1_MISSING == 0).all(), "samples stand at passes of Sentinel-1"


def test_samples_without_labels_get_the_same_estimates(walk, tmp_path):
    store = tmp_path / "unlabelled"
    shutil.copytree(walk.run.store, store)
    pd.read_parquet(store / "index.parquet").drop(columns="soil_moisture_in_situ").to_parquet(store / "index.parquet")
    without = predict_store(walk.run.folder, store, tmp_path / "without.parquet", quiet)
    known = estimate_points(walk.run.members(), walk.store)
    assert "soil_moisture_in_situ" not in without or without["soil_moisture_in_situ"].isna().all()
    columns = ["soil_moisture", "soil_moisture_std", "quality"]
    pd.testing.assert_frame_equal(without[columns], known[columns])


def outline_of(grid: GeoBox, path: Path) -> str:
    path.write_text(json.dumps(grid.geographic_extent.json))
    return str(path)


def test_a_map_says_at_a_sensor_what_is_said_of_the_sensor(walk, tmp_path):
    estimates = estimate_points(walk.run.members(), walk.store)
    for number in (0, len(estimates) - 1):
        sensor = estimates.iloc[number]
        around = tile_around(sensor["lon"], sensor["lat"], 1)
        area = outline_of(around.pixels, tmp_path / "area.geojson")
        request = MapRequest(walk.run.folder, walk.archive, area, sensor["time"].isoformat(), tmp_path / str(number))
        path, picture = make_map(request, quiet)
        assert picture.suffix == ".png" and picture.stat().st_size > 10_000
        with rasterio.open(path) as file:
            assert file.crs.to_epsg() == around.epsg and file.res == (320, 320) and file.shape == (3, 3)
            assert (file.transform.c % 320, file.transform.f % 320) == (0, 0)
            assert "SIMULATED" in file.tags()["notice"]
            x, y = around.cells.coords["x"].values[0], around.cells.coords["y"].values[0]
            mean, spread = next(file.sample([(x, y)]))
        assert mean == pytest.approx(sensor["soil_moisture"], abs=1e-4)
        assert spread == pytest.approx(sensor["soil_moisture_std"], abs=1e-4)
        with rasterio.open(path.with_name(f"{path.stem}_quality.tif")) as file:
            assert file.read(1)[1, 1] == sensor["quality"]
            assert "SMAP_MISSING" in file.tags(1)["flag_meanings"].upper()


def test_a_period_without_products_is_refused(walk, tmp_path):
    samples = walk.experiment.samples.model_copy(update={"period": "2010-01-01/2010-12-31"})
    with pytest.raises(VadoseError) as refused:
        build_samples(walk.experiment.model_copy(update={"samples": samples}), tmp_path / "store")
    assert all((refused.value.context, refused.value.problem, refused.value.hint))
    assert not contents(tmp_path)


def test_a_reading_just_after_the_period_serves_its_last_moment(walk, tmp_path):
    late = {"period": "2022-01-10/2022-01-10", "sample_times": 700 / 1440, "labels": LabelRule(window_minutes=25)}
    samples = walk.experiment.samples.model_copy(update=late)
    build_samples(walk.experiment.model_copy(update={"samples": samples}), tmp_path / "store")
    index = SampleStore.open(tmp_path / "store").index
    last = index[index["time"].dt.hour == 23]
    assert len(last) and (last["lag_minutes"] > 15).all(), "noon and 23:40, of hourly readings"
    assert index["time"].max() < pd.Timestamp("2022-01-11")


def test_samples_of_another_period_are_not_taken_for_those_of_this_one(walk):
    assert store_of(walk.experiment, walk.run.store).path == walk.run.store
    samples = walk.experiment.samples.model_copy(update={"period": "2021-12-01/2022-01-15"})
    with pytest.raises(VadoseError, match="another period"):
        store_of(walk.experiment.model_copy(update={"samples": samples}), walk.run.store)


def test_a_truncated_product_is_left_out_of_samples_by_name(walk, tmp_path):
    shutil.copytree(walk.archive, tmp_path / "world")
    raster = min((tmp_path / "world" / "nasadem").rglob("*.tif"))
    raster.write_bytes(raster.read_bytes()[: raster.stat().st_size // 2])
    samples = walk.experiment.samples.model_copy(update={"archive": tmp_path / "world"})
    told = str(build_samples(walk.experiment.model_copy(update={"samples": samples}), tmp_path / "store"))
    assert "sample without dem" in told and "Not read: " in told
    left_out = pd.read_parquet(tmp_path / "store" / "left_out.parquet")
    assert left_out["source"].tolist() == ["dem"] and raster.name in left_out["reason"].iloc[0]
    assert {path.name for path in tmp_path.iterdir()} == {"world", "store"}


REAL_TIMES = {"denmark": "2016-01-01T12:30", "chile": "2020-04-11T12:00", "tanzania": "2023-06-10T12:00"}
LACKING = Quality.SOILGRIDS_MISSING | Quality.SMAP_MISSING | Quality.HISTORY_SHORT


@pytest.fixture(scope="module")
def scenes(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives of the real scenes.

    The granules of GLDAS are of 2016-01-01, so Denmark's Sentinel-1 and Sentinel-2 are transplanted to that day.
    """
    folder = tmp_path_factory.mktemp("scenes")
    for name in REAL_TIMES:
        time = "2016-01-01T05:00:00Z" if name == "denmark" else None
        real_archive.build(real / "scenes" / name, folder / name, time=time)
    shutil.copytree(real / "gldas", folder / "denmark" / "gldas")
    return folder


def grid_of(real: Path, name: str) -> GeoBox:
    with rasterio.open(real / "scenes" / name / "s1_rtc.tif") as file:
        return GeoBox(file.shape, file.transform, str(file.crs))


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(REAL_TIMES))
def test_a_real_scene_becomes_a_map_that_tells_what_was_missing(name, walk, real, scenes, tmp_path):
    grid = grid_of(real, name)
    area = outline_of(grid, tmp_path / f"{name}.geojson")
    path, _ = make_map(MapRequest(walk.run.folder, scenes / name, area, REAL_TIMES[name], tmp_path / "map"), quiet)
    for file in (path, path.with_name(f"{path.stem}_quality.tif")):
        valid, errors, warnings = cog_validate(file, strict=True)
        assert valid and not errors and not warnings
    made = read_map(path)
    assert made.rio.crs == rasterio.CRS.from_user_input(str(grid.crs))
    assert made["soil_moisture"].shape == (7, 7)
    assert np.isfinite(made["soil_moisture"].values).all() and np.isfinite(made["soil_moisture_std"].values).all()
    assert float(made["soil_moisture"].min()) >= 0 and float(made["soil_moisture"].max()) <= 1
    assert np.ptp(made["soil_moisture"].values) > 0
    expected = LACKING if name == "denmark" else LACKING | Quality.GLDAS_MISSING
    of_the_ground = Quality.STALE | Quality.CLOUD | Quality.STEEP
    others = Quality.OUT_OF_DOMAIN | of_the_ground  # a made-up network knows no domain
    lacking = made["quality"].values & ~np.uint32(others)
    assert (lacking == expected).all()
    items = json.loads(made.attrs["declaration"])["made_from"]["items"]
    assert {f"{name}_rtc", f"{name}_l2a", f"{name}_dem"} <= set(items)


def assembled(real: Path, scenes: Path, name: str) -> FeatureCube:
    """What is known of every cell that a scene touches."""
    needs = InputSpec(pixels=("vv", *(band.name for band in BANDS)), cells=("elevation",))
    (tile,) = AreaOfInterest.from_geojson(grid_of(real, name).buffered(320, 320).geographic_extent.json).tiles(64, 0)
    return build_features(open_sources(scenes / name), tile, np.datetime64(REAL_TIMES[name]), needs)


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(REAL_TIMES))
def test_cells_at_the_edge_of_a_real_scene_are_known_in_part(name, real, scenes):
    fraction = assembled(real, scenes, name).cells["sentinel1_valid_fraction"].values
    assert ((fraction >= 0) & (fraction <= 1)).all()
    assert (fraction == 1).sum() == 36, "the corner of the scene lies within a cell, so 6 x 6 cells are whole"
    assert (fraction > 0).sum() == 64
    assert fraction.sum() == pytest.approx(49, abs=0.5), "224 x 224 pixels in all"


@pytest.mark.real
@pytest.mark.parametrize(("name", "offset"), [("chile", 1000), ("denmark", 0), ("tanzania", 0)])
def test_reflectance_of_a_real_scene_is_that_of_the_ground(name, offset, real, scenes):
    pixels = assembled(real, scenes, name).pixels
    with rasterio.open(real / "scenes" / name / "s2_l2a.tif") as file:
        numbers = {band: file.read(place) for band, place in real_archive.BANDS_L2A.items()}
    for band, raw in numbers.items():
        held = raw[(raw > 0) & (raw < 65535)]
        assert float(pixels[band].median()) == pytest.approx((np.median(held) - offset) / 10_000, abs=2e-3)
    assert 0 < float(pixels["B02"].median()) < 0.1
    assert 0 < float(pixels["B04"].median()) < 0.15
    assert 0.1 < float(pixels["B08"].median()) < 0.5


def test_maps_are_set_beside_the_truth_by_networks_that_have_not_seen_the_region(walk, tmp_path):
    text = evaluate_against_truth(walk.run.folder, walk.archive, tmp_path / "truth.md", quiet)
    assert (tmp_path / "truth.md").read_text().startswith(text) and "SIMULATED" in text
    readings = pd.read_parquet(walk.run.folder / "predictions" / "network.parquet")
    world = made(walk.archive)
    (region,) = (one for one in world.regions if network_of(one) in set(readings["network"]))
    own, truth = readings[readings["network"] == network_of(region)], truth_of(walk.archive, region)
    maps = judge_of(walk, own.assign(network="FAR", lat=0.0)).maps(world, region, own, truth)
    first = maps[maps["time"] == maps["time"].iloc[0]]
    assert len(maps) == region.side_cells**2 * min(12, own["time"].nunique())
    expected = truth.sel(time=first["time"].iloc[0], method="nearest").to_numpy().ravel()
    np.testing.assert_array_equal(first["truth"], expected)
    ground = ground_of(walk.archive, region, world.ground(region), own)
    maps = maps.join(ground, on="cell")
    perfect = page(maps.assign(network=maps["truth"]), own.assign(truth=0.2), 3)
    (row,) = (line for line in perfect.splitlines() if line.startswith("| network"))
    assert row.count("1.000") >= 2, "a map that is the truth has R of 1 in space and in time"
    with pytest.raises(VadoseError, match="Every network of the run was trained on it"):
        judge_of(walk, own).maps(world, region, own, truth)


def test_cells_are_parted_by_their_cover_and_their_distance_from_sensors(walk):
    world = made(walk.archive)
    region = world.regions[0]
    tile = world.ground(region)
    lon, lat = cell_centres(tile)
    readings = pd.DataFrame({"lon": lon[2, 5:6], "lat": lat[2, 5:6]})
    ground = ground_of(walk.archive, region, tile, readings)
    assert len(ground) == lon.size and ground[FAR].idxmin() == 2 * tile.columns + 5
    assert ground[FAR].iloc[2 * tile.columns + 8] == pytest.approx(0.96, abs=1e-3), "three cells to the east"
    pixels = cover_of(walk.archive, region.name)
    first = np.bincount(pixels[:8, :8].ravel(), minlength=len(COVERS))
    assert ground[COVER].iloc[0] == COVERS[int(first.argmax())]
    assert ground[COVER].nunique() >= 2


def judge_of(walk: Walk, learned_from: pd.DataFrame) -> TruthJudge:
    """A judge whose networks have learned from some sensors."""
    learned = learned_from[["network", "station", "sensor", "lat", "lon"]].drop_duplicates()
    members = [Member(model, learned) for model in walk.run.members()]
    return TruthJudge(open_sources(walk.archive), members, UNCALIBRATED, SpatialGroups(by="place"), TemporalPolicy())


def test_the_truth_at_a_reading_is_that_of_its_cell_and_day(walk):
    world = made(walk.archive)
    region = world.regions[0]
    truth, tile = truth_of(walk.archive, region), world.ground(region)
    lon, lat = cell_centres(tile)
    readings = pd.DataFrame({"lon": lon[2:3, 5], "lat": lat[2:3, 5], "time": truth["time"].values[7:8]})
    assert truth_at(truth, tile.epsg, readings)[0] == truth.values[7, 2, 5]
