"""Sparse history: one scene per interval and cell, from overviews; the same from catalogues and from whole files."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.enums import Resampling
from rasterio.warp import transform_geom

import real_archive
from catalogue_servers import AssetServer, Container, StacServer
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.demand import Demand, Target
from vadose.catalogues.fetch import FetchOptions, FetchReport, estimate_fetch, fetch, restore
from vadose.catalogues.settings import Catalogue, Catalogues
from vadose.errors import NoDataError
from vadose.fusion import FeatureBuilder, HistorySpec, InputSpec, TemporalPolicy
from vadose.grid import AreaOfInterest, Period, Tile
from vadose.mapping.inventory import inventory
from vadose.sources import open_sources
from vadose.sources.raster import Raster
from vadose.sources.records import Asset
from vadose.sources.window import Window

EPSG, WEST, NORTH, SIDE = 32632, 512_000, 6_144_000, 768
"""Ground of the scenes: 24 cells a side."""
TIME = np.datetime64("2021-06-30T12:00", "ns")
PAST = HistorySpec(("vv", "B04", "B11"), 4, 10.0, 160.0)
RADAR = {"a": "2021-05-28T05", "b": "2021-06-03T05", "c": "2021-06-04T17", "d": "2021-06-15T05", "e": "2021-06-28T05"}
EASTERN = "c"
"""Pass whose footprint is the eastern half of the ground."""
OPTICAL = {"p": ("2021-06-02", 60.0), "q": ("2021-06-05", 5.0), "r": ("2021-06-08", 20.0), "s": ("2021-06-21", None)}
COLLECTIONS = {"sentinel1": ("sentinel-1-rtc",), "sentinel2": ("sentinel-2-l2a",)}


def layer(low: float, high: float, seed: int, kind: str, step: int = 10) -> real_archive.Layer:
    side = SIDE * 10 // step
    values = np.random.default_rng(seed).uniform(low, high, (side, side)).astype(kind)
    return real_archive.Layer(values, f"EPSG:{EPSG}", Affine(step, 0, WEST, 0, -step, NORTH), 0)


def write(archive: Path) -> None:
    """Write an archive of whole scenes without overviews, of which each has values of its own."""
    for number, (name, time) in enumerate(RADAR.items()):
        layers = {"vv": layer(0.05, 0.2, number, "float32"), "vh": layer(0.01, 0.04, 10 + number, "float32")}
        file = real_archive.write_item(archive, "sentinel-1-rtc", name, f"{time}:00:00Z", layers)
        placed(file, 0.5 if name == EASTERN else 0.0, {})
    for number, (name, (day, cover)) in enumerate(OPTICAL.items()):
        bands = {"B04": layer(400, 900, 100 + number, "uint16"), "B11": layer(800, 2000, 200 + number, "uint16", 20)}
        classes = layer(4, 7.99, 300 + number, "uint8", 20)
        classes.values[:, 176:216] = 9
        about = {"s2:processing_baseline": "02.14"} | ({} if cover is None else {"eo:cloud_cover": cover})
        file = real_archive.write_item(archive, "sentinel-2-l2a", name, f"{day}T10:00:00Z", {**bands, "SCL": classes})
        placed(file, 0.0, about)


def overviews(archive: Path) -> None:
    for path in archive.rglob("*.tif"):
        with rasterio.open(path, "r+") as raster:
            raster.build_overviews(
                [2, 4, 8, 16] if raster.width == SIDE else [2, 4, 8],
                Resampling.nearest if path.stem == "SCL" else Resampling.average,
            )


def placed(file: Path, share: float, properties: dict[str, Any]) -> None:
    """State the ground of an item without its western share, and properties."""
    item = json.loads(file.read_text())
    box = shapely.box(WEST + share * SIDE * 10, NORTH - SIDE * 10, WEST + SIDE * 10, NORTH)
    item["geometry"] = transform_geom(f"EPSG:{EPSG}", "EPSG:4326", shapely.geometry.mapping(box))
    item["properties"] |= properties
    file.write_text(json.dumps(item))


class Served:
    """An archive behind a catalogue."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive

    def __enter__(self) -> "Served":
        self.assets = AssetServer([Container("a", "b", self.archive, signed=False)]).__enter__()
        items = []
        for path in sorted(self.archive.rglob("*.json")):
            item = json.loads(path.read_text())
            for asset in item["assets"].values():
                file = (path.parent / asset["href"]).relative_to(self.archive)
                asset["href"] = self.assets.address("a", "b", str(file))
            items.append(item)
        self.stac = StacServer(items, page_size=3).__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.stac.__exit__(*error)
        self.assets.__exit__(*error)

    def options(self, cache: Path, **more: Any) -> FetchOptions:
        held = Catalogue(
            title="loopback", kind="stac", endpoint=self.stac.root, hosts=("127.0.0.1",), collections=COLLECTIONS
        )
        known = Catalogues(catalogues={"loopback": held}, precedence=dict.fromkeys(COLLECTIONS, ("loopback",)))
        return FetchOptions(known, BlockCache(cache), **more)

    def fetch(self, folder: Path, needs: InputSpec, policy: TemporalPolicy | None = None) -> FetchReport:
        return fetch(demand(needs, policy), folder, self.options(folder.parent / "cache"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive without overviews; read only."""
    archive = tmp_path_factory.mktemp("plain")
    write(archive)
    return archive


@pytest.fixture(scope="module")
def served(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    archive = shutil.copytree(plain, tmp_path_factory.mktemp("whole"), dirs_exist_ok=True)
    overviews(archive)
    with Served(archive) as held:
        yield held


@pytest.fixture(autouse=True)
def fresh(served: Served) -> None:
    served.assets.reset()
    served.stac.reset()


PLACE = Tile(EPSG, WEST // 320 + 8, NORTH // 320 - 14, 8, 8)
"""Cells on both sides of the middle of the ground."""
SMALL = InputSpec(cells=(), history=PAST)


def area() -> AreaOfInterest:
    return AreaOfInterest.from_tile(PLACE, name="area")


def demand(needs: InputSpec, policy: TemporalPolicy | None = None) -> Demand:
    span = Period(TIME, TIME + np.timedelta64(1, "ns"))
    return Demand.of([Target.of_tiles("area", [PLACE])], span, needs, policy or TemporalPolicy(), masks=False)


def cube(archive: Path, needs: InputSpec = SMALL, tile: Tile = PLACE, **more: Any) -> Any:
    sources = [source for source in open_sources(archive) if source.name in COLLECTIONS]
    policy = more.pop("policy", None)
    period = Period(TIME, TIME + np.timedelta64(1, "ns"))
    return FeatureBuilder.open(sources, tile, period, needs, policy, **more).at(TIME)


def steps(archive: Path, name: str, **more: Any) -> Any:
    return cube(archive, **more).history[name].values


def test_the_scene_of_least_cloud_cover_is_read_of_each_interval(served):
    """Intervals of ten days begin on 2, 12 and 22 June: of the first p, q and r could be read."""
    assert set(cube(served.archive).items) & OPTICAL.keys() == {"q", "s"}


def test_the_latest_pass_is_read_and_where_it_saw_nothing_the_one_before(served):
    found = cube(served.archive)
    assert set(found.items) >= RADAR.keys()
    alone = {name: mean_of(served.archive / "sentinel-1-rtc" / name / "vv.tif") for name in RADAR}
    both = np.concatenate([alone["b"][:, :4], alone["c"][:, 4:]], axis=1)
    expected = [alone["e"], alone["d"], both, alone["a"]]
    np.testing.assert_allclose(found.history["vv"], np.stack(expected), rtol=1e-6)


def mean_of(path: Path) -> Any:
    """Means over the cells of the place, by the pixels of the overview."""
    with rasterio.open(path, overview_level=3) as raster:
        values = raster.read(1).repeat(4, 0).repeat(4, 1)
    top, left = (NORTH - PLACE.north * 320) // 40, (PLACE.west * 320 - WEST) // 40
    held = values[top : top + 8 * PLACE.rows, left : left + 8 * PLACE.columns]
    return held.reshape(PLACE.rows, 8, PLACE.columns, 8).mean((1, 3))


@pytest.mark.parametrize("cells", [(), ("vv",), ("vv", "B04", "B11")])
def test_a_fetched_archive_has_the_history_of_whole_files(served, tmp_path, cells):
    needs = InputSpec(cells=cells, history=PAST)
    report = served.fetch(tmp_path / "archive", needs)
    assert {one.state for one in report.sources} == {"fetched"}
    held, whole = cube(tmp_path / "archive", needs), cube(served.archive, needs)
    assert int(whole.history["vv"].count()) > 0 < int(whole.history["B11"].count())
    for name in PAST.variables:
        np.testing.assert_array_equal(held.history[name], whole.history[name], err_msg=name)
    for name in whole.cells:
        np.testing.assert_array_equal(held.cells[name], whole.cells[name], err_msg=name)
    assert held.items == whole.items


def test_whole_files_with_and_without_overviews_have_the_same_means(served, plain):
    """Averages of producers are rounded in whole numbers; of classes GDAL takes another pixel than the middle."""
    bare, held = cube(plain).history, cube(served.archive).history
    for name, most in (("vv", 1e-6), ("B04", 2e-4)):
        one, other = bare[name].values, held[name].values
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        assert np.nanmax(np.abs(one - other)) <= most


def test_files_without_overviews_are_fetched_at_full_resolution_and_read_alike(plain, tmp_path):
    with Served(plain) as held:
        held.fetch(tmp_path / "archive", SMALL)
    fetched, whole = (cube(each).history for each in (tmp_path / "archive", plain))
    for name in PAST.variables:
        np.testing.assert_array_equal(fetched[name], whole[name])


def test_a_cell_alone_has_the_history_that_it_has_in_a_tile(served):
    whole = cube(served.archive).history
    alone = cube(served.archive, tile=Tile(EPSG, PLACE.west + 5, PLACE.north - 2, 1, 1)).history
    for name in PAST.variables:
        np.testing.assert_array_equal(alone[name].values[:, 0, 0], whole[name].values[:, 2, 5])


def test_only_overviews_of_few_scenes_are_read(served, tmp_path):
    dense = served.fetch(tmp_path / "dense" / "archive", InputSpec(history=HistorySpec(PAST.variables, 4, 10.0)))
    sparse = served.fetch(tmp_path / "sparse" / "archive", SMALL)
    spent = [sum(one.bytes for one in report.sources) for report in (dense, sparse)]
    assert spent[1] < spent[0] / 8
    items = [json.loads(path.read_text()) for path in (tmp_path / "sparse" / "archive").rglob("*.json")]
    items = [item for item in items if "assets" in item]
    assert {item["properties"]["vadose:overview_m"] for item in items} == {160.0}
    for item in items:
        assert {asset["proj:transform"][0] for asset in item["assets"].values()} == {160.0}


@pytest.mark.parametrize("cells", [(), ("vv", "B04")])
def test_a_dry_run_says_what_a_sparse_fetch_costs(served, tmp_path, cells):
    """Items are sampled by the resolutions at which they are read."""
    needs = InputSpec(cells=cells, history=PAST)
    told = estimate_fetch(demand(needs), tmp_path / "a" / "archive", served.options(tmp_path / "a" / "cache"), sample=1)
    spent = served.fetch(tmp_path / "b" / "archive", needs)
    for name in ("bytes", "requests"):
        one, other = (sum(getattr(each, name) for each in report.sources) for report in (told, spent))
        assert one == pytest.approx(other, rel=0.2), name


def test_windows_of_overviews_are_no_observations_of_full_resolution(served, tmp_path):
    served.fetch(tmp_path / "archive", SMALL)
    dense = InputSpec(cells=("vv",))
    with pytest.raises(NoDataError):
        cube(tmp_path / "archive", dense)
    served.fetch(tmp_path / "archive", dense)
    np.testing.assert_array_equal(
        cube(tmp_path / "archive", dense).cells["vv"], cube(served.archive, dense).cells["vv"]
    )
    np.testing.assert_array_equal(steps(tmp_path / "archive", "vv"), steps(served.archive, "vv"))


def test_overviews_count_alone_where_windows_of_full_resolution_disagree(served, tmp_path):
    """The pixel behind the middle of a block is clear, that of the overview is cloud."""
    archive = shutil.copytree(served.archive, tmp_path / "whole")
    for path in archive.rglob("SCL.tif"):
        with rasterio.open(path, "r+") as raster:
            classes = np.full(raster.shape, 9, np.uint8)
            classes[4::8, 4::8] = 5
            classes[:, 224:] = 5
            raster.write(classes, 1)
            raster.build_overviews([2, 4, 8], Resampling.mode)
    needs = InputSpec(cells=("B04", "B11"), history=PAST)
    with Served(archive) as held:
        held.fetch(tmp_path / "archive", needs)
        found, whole = (cube(each, needs).history["B04"].values for each in (tmp_path / "archive", archive))
    assert np.isnan(whole[..., 0]).all() and np.isfinite(whole[..., -1]).any()
    np.testing.assert_array_equal(found, whole)


def test_a_second_fetch_reads_nothing_and_a_lock_restores_the_same(served, tmp_path):
    served.fetch(tmp_path / "archive", SMALL)
    served.assets.reset()
    assert sum(one.new for one in served.fetch(tmp_path / "archive", SMALL).sources) == 0
    assert served.assets.totals().requests == 0
    before = {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*.tif")}
    for path in before:
        path.unlink()
    restore(tmp_path / "archive", served.options(tmp_path / "cache"))
    assert {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*.tif")} == before


@pytest.mark.parametrize("as_of", ["2021-06-07T00:00", "2021-06-28T12:00", None])
def test_causal_and_past_estimates_find_what_they_need(served, tmp_path, as_of):
    policy = TemporalPolicy(causal=as_of is None)
    until = None if as_of is None else np.datetime64(as_of, "ns")
    past = demand(SMALL, policy)
    held = Demand(past.targets, past.periods, past.bands, True, past.sparse)
    fetch(held, tmp_path / "archive", served.options(tmp_path / "cache"))
    one, other = (cube(each, policy=policy, as_of=until).history for each in (tmp_path / "archive", served.archive))
    for name in PAST.variables:
        np.testing.assert_array_equal(one[name], other[name])


def test_the_inventory_of_a_map_names_the_scenes_that_are_read(served):
    sources = [source for source in open_sources(served.archive) if source.name in COLLECTIONS]
    found = inventory(sources, area(), [TIME], SMALL, TemporalPolicy())
    assert sorted(one.name for one in found) == list(cube(served.archive).items)


def test_without_the_setting_specifications_and_locks_are_written_as_before(served, tmp_path):
    needs = InputSpec(cells=("vv",), history=HistorySpec(("vv",), 2, 10.0))
    assert "sparse_m" not in json.dumps(needs.describe())
    assert needs.differences(InputSpec(cells=("vv",), history=HistorySpec(("vv",), 2, 10.0, 160.0)))
    served.fetch(tmp_path / "archive", needs)
    assert b"overview" not in (tmp_path / "archive" / "vadose.lock").read_bytes()


@pytest.mark.parametrize(("shape", "factors"), [((1098, 1099), (2, 4, 8, 16)), ((640, 320), (2, 4)), ((333, 250), ())])
def test_overviews_are_read_as_gdal_places_them(tmp_path, shape, factors):
    values = np.random.default_rng(1).uniform(1, 2, shape).astype(np.float32)
    values[:50] = 0
    path = tmp_path / "a.tif"
    real_archive.write_raster(path, real_archive.Layer(values, f"EPSG:{EPSG}", Affine(10, 0, WEST, 0, -10, NORTH), 0))
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews(list(factors), Resampling.average)
    coarse = Raster.open(Asset("vv", str(path), nodata=0)).coarser(160.0)
    assert coarse.grid.metres == pytest.approx(160, rel=0.01)
    whole = coarse.read(Window(0, coarse.grid.height, 0, coarse.grid.width))
    assert whole.shape == (coarse.grid.height, coarse.grid.width)
    assert np.isnan(whole[:3]).all() and np.nanmean(whole) == pytest.approx(1.5, abs=0.01)
    inner = coarse.read(Window(4, 9, 2, 7))
    np.testing.assert_array_equal(inner, whole[4:9, 2:7])
    if factors[-1:] == (16,):
        with rasterio.open(path, overview_level=3) as raster:
            np.testing.assert_array_equal(np.nan_to_num(whole), raster.read(1))
            assert coarse.grid.transform == raster.transform
