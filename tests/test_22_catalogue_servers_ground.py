"""SoilGrids, the open buckets and the servers of a whole archive on loopback hold what their archive holds."""

import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.io import MemoryFile
from rasterio.windows import Window

import real_archive
from catalogue_servers import AssetServer, BucketServer, SoilGridsServer, StacServer, World, faults, moved
from catalogue_servers.buckets import dem_grid, dem_name, worldcover_name
from catalogue_servers.fixtures import catalogues, world_servers  # noqa: F401 -- fixtures
from catalogue_servers.plain_http import Answer

IGH = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"
SOIL = Affine(250, 0, -19_949_750, 0, -250, 8_361_000)
NODATA = -32768
PARTS = {
    Window(80_800, 16_600, 30, 40): 300,
    Window(36_440, 15_290, 20, 20): 500,
    Window(159_240, 58_030, 6, 4): 700,
}
"""Windows of the soil map that hold values, and the least value of each: within a tile, over a corner of tiles, in the
corner of the map."""


def part_values(window: Window, least: int) -> Any:
    return least + np.arange(window.height * window.width, dtype=np.int16).reshape(window.height, window.width)


@pytest.fixture(scope="module")
def soil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of one sparse map of the whole Earth."""
    folder = tmp_path_factory.mktemp("maps")
    profile = {"driver": "GTiff", "width": 159_246, "height": 58_034, "count": 1, "dtype": "int16", "nodata": NODATA}
    blocks = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "sparse_ok": True}
    with rasterio.open(folder / "sand_0-5cm_mean.tif", "w", crs=IGH, transform=SOIL, **profile, **blocks) as file:
        for window, least in PARTS.items():
            file.write(part_values(window, least), 1, window=window)
    return folder


def downloaded(address: str, folder: Path) -> Path:
    """Copy of a VRT and its tiles: GDAL cannot ask a server of its own process, whose lock it holds."""
    root, _, name = address.rpartition("/")
    vrt = Answer(address).body
    for part in re.findall(r'relativeToVRT="1">([^<]+)<', vrt.decode()):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).write_bytes(Answer(f"{root}/{part.removeprefix('./')}").body)
    (folder / name).write_bytes(vrt)
    return folder / name


READ_VRT = """
import json, pickle, sys
import rasterio
from rasterio.windows import Window
with rasterio.open(sys.argv[1]) as file:
    parts = [file.read(1, window=Window(*edges)) for edges in json.loads(sys.argv[2])]
    content = (file.width, file.height, tuple(file.transform), file.nodata), parts
sys.stdout.buffer.write(pickle.dumps(content))
"""


def read_vrt(path: Path, windows: list[Window]) -> tuple[Any, list[Any]]:
    """Read windows with GDAL's own driver, in another process: that of the tests may keep GDAL from it."""
    edges = json.dumps([[one.col_off, one.row_off, one.width, one.height] for one in windows])
    environment = {name: value for name, value in os.environ.items() if name != "GDAL_SKIP"}
    command = [sys.executable, "-c", READ_VRT, str(path), edges]
    content: tuple[Any, list[Any]] = pickle.loads(
        subprocess.run(command, capture_output=True, check=True, env=environment).stdout
    )
    return content


def test_soil_map_is_a_list_of_tiles(soil: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    with SoilGridsServer(soil, work) as server:
        address = f"{server.root}/sand/sand_0-5cm_mean.vrt"
        text = Answer(address).body.decode()
        assert '<SourceFilename relativeToVRT="1">./sand_0-5cm_mean/tileSG-010-045/tileSG-010-045_1-4.tif<' in text
        assert text.count("<ComplexSource>") == 1 + 4 + 1
        assert text.count("<NODATA>-32768</NODATA>") == 6
        assert '<DstRect xOff="80550" yOff="16200" xSize="450" ySize="450" />' in text
        assert Answer(address.replace(".vrt", "/tileSG-001-001/tileSG-001-001_1-1.tif")).status == 404
        empty = Window(80_700, 16_600, 90, 40)
        grid, values = read_vrt(downloaded(address, tmp_path / "copy"), [*PARTS, empty])
        assert grid == (159_246, 58_034, tuple(SOIL), NODATA)
        for found, (window, least) in zip(values, PARTS.items(), strict=False):
            np.testing.assert_array_equal(found, part_values(window, least))
        assert (values[-1] == NODATA).all()
    tiles = {path.name for path in work.rglob("tileSG-*.tif")}
    assert tiles == {
        "tileSG-010-045_1-4.tif",
        *(f"tileSG-009-021_{row}-{column}.tif" for row in (2, 3) for column in (1,)),
        *(f"tileSG-009-021_{row}-{column}.tif" for row in (2, 3) for column in (2,)),
        "tileSG-033-089_1-2.tif",
    }
    with rasterio.open(next(work.rglob("tileSG-033-089_1-2.tif"))) as last:
        assert (last.width, last.height) == (159_246 - 353 * 450, 58_034 - 128 * 450)


def degrees(values: Any, west: float, north: float, pixel: float, nodata: float | None = None) -> real_archive.Layer:
    return real_archive.Layer(values, "EPSG:4326", Affine(pixel, 0, west, 0, -pixel, north), nodata)


def test_buckets_hold_tiles_where_there_is_land(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    classes = rng.choice([10, 20, 30, 80], (40, 60)).astype(np.uint8)
    west, north = 12 - 20 / 12_000, 45 + 15 / 12_000
    cover = real_archive.write_raster(tmp_path / "cover.tif", degrees(classes, west, north, 1 / 12_000, 0))
    slope = np.add.outer(np.arange(80) * 2.0, np.arange(90) * 3.0).astype(np.float32)
    ground = real_archive.write_raster(tmp_path / "dem.tif", degrees(slope, 12.5, 45.5, 1 / 3600))
    with BucketServer([ground], [cover], tmp_path / "work") as server:
        tile = "Copernicus_DSM_COG_10_N45_00_E012_00_DEM"
        assert Answer(f"{server.dem}/tileList.txt").body.decode().split() == [tile]
        assert Answer(f"{server.dem}/{tile.replace('E012', 'E013')}/{tile}.tif").status == 404
        assert b"<Code>NoSuchKey</Code>" in Answer(f"{server.worldcover}/v200/2021/map/none.tif").body
        with MemoryFile(Answer(f"{server.dem}/{tile}/{tile}.tif").body) as memory, memory.open() as dem:
            assert dem.shape == (3600, 3600) and dem.transform.almost_equals(dem_grid(45, 12)[0])
            inner = dem.read(1, window=Window(1810, 1810, 40, 30))
        np.testing.assert_allclose(inner, slope[9:39, 9:49] + 2.5, atol=0.01)  # half a pixel to the north-west
        found = np.zeros_like(classes)
        for south, rows, to_rows in ((45, (35_985, 36_000), slice(15)), (42, (0, 25), slice(15, 40))):
            for start, columns, to_columns in ((9, (35_980, 36_000), slice(20)), (12, (0, 40), slice(20, 60))):
                body = Answer(f"{server.worldcover}/v200/2021/map/{worldcover_name(south, start)}").body
                with MemoryFile(body) as memory, memory.open() as cover_tile:
                    assert cover_tile.shape == (36_000, 36_000) and cover_tile.nodata == 0
                    found[to_rows, to_columns] = cover_tile.read(1, window=Window.from_slices(rows, columns))
    np.testing.assert_array_equal(found, classes)


@pytest.mark.parametrize(
    ("south", "west", "name", "columns"),
    [
        (45, 12, "Copernicus_DSM_COG_10_N45_00_E012_00_DEM", 3600),
        (-34, -71, "Copernicus_DSM_COG_10_S34_00_W071_00_DEM", 3600),
        (0, 0, "Copernicus_DSM_COG_10_N00_00_E000_00_DEM", 3600),
        (50, 0, "Copernicus_DSM_COG_10_N50_00_E000_00_DEM", 2400),
        (-51, 0, "Copernicus_DSM_COG_10_S51_00_E000_00_DEM", 2400),
        (85, 5, "Copernicus_DSM_COG_10_N85_00_E005_00_DEM", 360),
        (-90, -180, "Copernicus_DSM_COG_10_S90_00_W180_00_DEM", 360),
    ],
)
def test_tiles_of_the_dem(south: int, west: int, name: str, columns: int) -> None:
    assert dem_name(south, west) == name
    transform, found = dem_grid(south, west)
    assert found == columns
    assert (transform.c, transform.f) == pytest.approx((west - 0.5 / columns, south + 1 + 0.5 / 3600))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive of one radar scene with its annotation, one optical scene, and granules."""
    folder = tmp_path_factory.mktemp("archive")
    utm = Affine(10, 0, 500_000, 0, -10, 5_000_000)
    image = real_archive.Layer(np.arange(64 * 64, dtype=np.float32).reshape(64, 64), "EPSG:32632", utm)
    annotation = {"schema-product-vv": {"href": "./annotation/iw-vv.xml", "type": "application/xml"}}
    scene = "S1A_IW_GRDH_1SDV_20220105T053000_20220105T053025_041000_04DF00_rtc"
    real_archive.write_item(folder, "sentinel-1-rtc", scene, "2022-01-05T05:30:00Z", {"vv": image}, assets=annotation)
    (folder / "sentinel-1-rtc" / scene / "annotation").mkdir()
    (folder / "sentinel-1-rtc" / scene / "annotation" / "iw-vv.xml").write_text("<product/>")
    real_archive.write_item(folder, "sentinel-2-l2a", "optical", "2022-01-04T10:00:00Z", {"B04": image})
    (folder / "smap").mkdir()
    (folder / "smap" / "SMAP_L3_SM_P_20220104_R18290_001.h5").write_bytes(b"granule")
    return folder


@pytest.fixture(scope="module")
def started(archive: Path) -> Iterator[World]:
    with World(archive) as world:
        yield world


@pytest.fixture
def world(started: World) -> World:
    started.mend()
    started.reset()
    return started


def read(world: World, item: dict[str, Any], key: str) -> bytes:
    """Asset of an item, with the token of its collection."""
    token = Answer(f"{world.addresses['sas']}/{item['collection']}").json["token"]
    answer = Answer(f"{item['assets'][key]['href']}?{token}")
    assert answer.status == 200
    return answer.body


def test_radar_is_parted_into_two_collections(world: World, archive: Path) -> None:
    (item,) = Answer(f"{world.stac.root}/search?collections=sentinel-1-rtc").json["features"]
    assert set(item["assets"]) == {"vv"}
    assert "/sentinel1euwestrtc/sentinel1-grd-rtc/" in item["assets"]["vv"]["href"]
    assert Answer(item["assets"]["vv"]["href"]).status == 403
    assert read(world, item, "vv") == next(archive.rglob("vv.tif")).read_bytes()
    (derived,) = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
    raw = Answer(derived).json
    assert (raw["collection"], raw["id"] + "_rtc") == ("sentinel-1-grd", item["id"])
    assert set(raw["assets"]) == {"schema-product-vv"} and not any(
        name.startswith("proj") for name in raw["properties"]
    )
    assert read(world, raw, "schema-product-vv") == b"<product/>"


def test_addresses_and_counts(world: World) -> None:
    addresses = world.addresses
    assert all(address.startswith("http://127.0.0.1:") for address in addresses.values())
    assert Answer(addresses["stac"]).json["type"] == "Catalog"
    (record,) = Answer(f"{addresses['cmr']}/granules.umm_json?short_name=SPL3SMP").json["items"]
    (data,) = [link["URL"] for link in record["umm"]["RelatedUrls"] if link["Type"] == "GET DATA"]
    assert data.startswith(addresses["earthdata"])
    assert Answer(data, headers={"Authorization": "Bearer bearer-token"}).body == b"granule"
    assert Answer(f"{addresses['copernicus_dem']}/tileList.txt").body == b""
    assert [server.totals().requests for server in (world.stac, world.cmr, world.archive, world.buckets)] == [1] * 4
    world.cmr.fail(faults.down())
    world.reset()
    world.mend()
    assert world.cmr.totals().requests == 0
    assert Answer(f"{addresses['cmr']}/granules.umm_json?short_name=SPL3SMP").status == 200


def test_file_of_items(world: World, tmp_path: Path) -> None:
    world.write_items(tmp_path / "items.json")
    written = json.loads((tmp_path / "items.json").read_text())
    assert [item["collection"] for item in written["features"]] == [
        "sentinel-1-grd",
        "sentinel-1-rtc",
        "sentinel-2-l2a",
    ]
    assert written["features"] == [world.stac.items[key] for key in sorted(world.stac.items)]


def test_archive_may_grow(world: World, archive: Path) -> None:
    late = archive / "smap" / "SMAP_L3_SM_P_20220105_R18290_001.h5"
    late.write_bytes(b"later")
    try:
        world.refresh()
        assert len(Answer(f"{world.addresses['cmr']}/granules.umm_json?short_name=SPL3SMP").json["items"]) == 2
    finally:
        late.unlink()
        world.refresh()
    assert len(world.cmr.records) == 1 and len(world.stac.items) == 3


def test_simulated_world_is_served_whole(tiny_world: Path, catalogues: World, tmp_path: Path) -> None:  # noqa: F811
    found: list[dict[str, Any]] = []
    answer = Answer(f"{catalogues.stac.root}/search", "POST", {"limit": 100}).json
    while True:
        found += answer["features"]
        (link,) = [link for link in answer["links"] if link["rel"] == "next"] or [None]
        if link is None:
            break
        answer = Answer(link["href"], "POST", link["body"]).json
    kept = {
        path.stem
        for collection in ("sentinel-*", "nasadem", "esa-*")
        for path in tiny_world.glob(f"{collection}/*/*.json")
    }
    assert {item["id"] for item in found if item["collection"] != "sentinel-1-grd"} == kept
    assert len(found) == len({(item["collection"], item["id"]) for item in found}) == len(catalogues.stac.items)
    optical = next(item for item in found if item["collection"] == "sentinel-2-l2a")
    source = tiny_world / "sentinel-2-l2a" / optical["id"] / "R10m" / "B04_10m.tif"
    assert read(catalogues, optical, "B04") == source.read_bytes()
    layer = "sand_0-5cm_mean"
    with rasterio.open(tiny_world / "soilgrids" / f"{layer}.tif") as truth:
        window = Window(142_650, 48_150, 450, 450)
        expected = truth.read(1, window=window)
    assert (expected != NODATA).any()
    _, (served,) = read_vrt(downloaded(f"{catalogues.soilgrids.root}/sand/{layer}.vrt", tmp_path), [window])
    np.testing.assert_array_equal(served, expected)
    cover = next(tiny_world.glob("esa-worldcover/*/*_Map.tif"))
    with rasterio.open(cover) as truth:
        bounds, expected = truth.bounds, truth.read(1)
    body = Answer(f"{catalogues.buckets.worldcover}/v200/2021/map/{cover.name}").body
    with MemoryFile(body) as memory, memory.open() as served:
        window = served.window(*bounds).round_offsets().round_lengths()
        np.testing.assert_array_equal(served.read(1, window=window), expected)


def test_earth_search_has_the_same_files(catalogues: World, tiny_world: Path) -> None:  # noqa: F811
    search = f"{catalogues.addresses['earth_search']}/search?collections=sentinel-2-c1-l2a&limit=100"
    items = Answer(search).json["features"]
    assert len(items) == catalogues.earth_search.page_size
    assert len(catalogues.earth_search.items) == len(list(tiny_world.glob("sentinel-2-l2a/*/*.json")))
    asset = items[0]["assets"]["red"]
    content = Answer(asset["href"]).body
    assert len(content) == asset["file:size"]
    assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
    offsets = {
        (item["properties"]["s2:processing_baseline"] >= "04.00", item["assets"]["red"]["raster:bands"][0]["offset"])
        for item in catalogues.earth_search.items.values()
    }
    assert offsets == {(False, 0.0), (True, -0.1)}
    assert items[0]["properties"]["s2:product_uri"].endswith(".SAFE") and "scl" in items[0]["assets"]
    sources = {path.read_bytes() for path in tiny_world.glob("sentinel-2-l2a/*/R10m/B04_10m.tif")}
    assert content in sources


def test_settings_name_what_is_served(world: World) -> None:
    named = world.settings()["catalogues"]
    assert {one["endpoint"] for one in named.values()} <= set(world.addresses.values())
    assert {source for one in named.values() for source in one["collections"]} == {
        "sentinel1",
        "sentinel2",
        "dem",
        "worldcover",
        "soilgrids",
        "smap",
        "gldas",
    }


@pytest.mark.real
def test_real_items_are_served(real: Path) -> None:
    paths = sorted((real / "stac_items").glob("*/*/*.json"))
    items = [json.loads(path.read_text()) for path in paths]
    items = [{"collection": path.parent.name, **item} for path, item in zip(paths, items, strict=True)]
    with AssetServer([]) as assets, StacServer((moved(item, assets.url) for item in items), page_size=7) as stac:
        found: list[Any] = []
        answer = Answer(f"{stac.root}/search", "POST", {"limit": 100}).json
        while True:
            found += answer["features"]
            (link,) = [link for link in answer["links"] if link["rel"] == "next"] or [None]
            if link is None:
                break
            answer = Answer(link["href"], "POST", link["body"]).json
        assert len(found) == len(stac.items) > 40
        hrefs = {asset["href"] for item in found for asset in item["assets"].values()}
        assert all(href.startswith(assets.url) for href in hrefs)
        assert any("/sentinel1euwestrtc/sentinel1-grd-rtc/" in href for href in hrefs)
        assert Answer(min(hrefs)).status == 404
