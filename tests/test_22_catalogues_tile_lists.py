"""Lists of tiles of open buckets: names, places and grids, and that the readers take them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from real_archive import Layer, write_raster
from vadose.catalogues.tile_lists import copernicus_dem_items, worldcover_items
from vadose.grid import AreaOfInterest, Period
from vadose.sources.dem import Dem
from vadose.sources.stac import parse
from vadose.sources.worldcover import WorldCover

BASE = "https://bucket.example.org"
ANY = Period.parse("2020-01-01")


def box(west: float, south: float, east: float, north: float) -> AreaOfInterest:
    return AreaOfInterest.from_bbox(west, south, east, north)


def places(items: tuple[dict[str, Any], ...]) -> list[str]:
    """The part of each name that says the place."""
    return [item["id"].removeprefix("Copernicus_DSM_COG_10_").removesuffix("_00_DEM")[-11:] for item in items]


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        (box(9.2, 45.3, 9.3, 45.4), ["N45_00_E009"]),
        (box(9.9, 45.9, 10.1, 46.1), ["N45_00_E009", "N45_00_E010", "N46_00_E009", "N46_00_E010"]),
        (box(-0.5, -0.5, -0.4, -0.4), ["S01_00_W001"]),
        (box(-1.5, -0.2, -0.5, 0.2), ["S01_00_W002", "S01_00_W001", "N00_00_W002", "N00_00_W001"]),
        (box(179.8, -16.5, -179.7, -16.4), ["S17_00_W180", "S17_00_E179"]),
        (box(25.3, 83.5, 25.4, 83.9), ["N83_00_E025"]),
        (box(25.3, -79.9, 25.4, -79.8), ["S80_00_E025"]),
        (box(-180, 10.2, -179.9, 10.3), ["N10_00_W180"]),
        (box(179.9, 10.2, 179.9998, 10.3), ["N10_00_E179"]),
    ],
)
def test_tiles_of_copernicus_dem_by_place(area: AreaOfInterest, expected: list[str]) -> None:
    assert places(copernicus_dem_items(area, BASE)) == expected


def test_a_strip_at_the_edge_of_a_degree_is_of_the_tile_that_holds_its_pixels() -> None:
    """The pixels of a tile begin half a pixel west and north of its degrees."""
    half = 0.5 / 3600
    assert places(copernicus_dem_items(box(9.5, 46, 9.6, 46 + 0.9 * half), BASE)) == ["N45_00_E009"]
    assert places(copernicus_dem_items(box(10 - 0.9 * half, 45.5, 9.99999, 45.6), BASE)) == ["N45_00_E010"]
    assert places(copernicus_dem_items(box(9.5, 46, 9.6, 46 + 1.1 * half), BASE)) == ["N45_00_E009", "N46_00_E009"]


@pytest.mark.parametrize(
    ("latitude", "columns"),
    [
        (0.5, 3600),
        (49.5, 3600),
        (-49.5, 3600),
        (50.5, 2400),
        (-50.5, 2400),
        (60.5, 1800),
        (-60.5, 1800),
        (70.5, 1200),
        (-79.5, 1200),
        (79.5, 1200),
        (80.5, 720),
        (83.5, 720),
    ],
)
def test_pixels_of_copernicus_dem_widen_towards_the_poles(latitude: float, columns: int) -> None:
    (item,) = copernicus_dem_items(box(10.4, latitude, 10.5, latitude + 0.1), BASE)
    assert item["assets"]["data"]["proj:shape"] == [3600, columns]
    width, _, west, _, height, north = item["assets"]["data"]["proj:transform"]
    assert (width, height) == (pytest.approx(1 / columns), pytest.approx(-1 / 3600))
    assert (west, north) == (pytest.approx(10 - 0.5 / columns), pytest.approx(np.ceil(latitude) + 0.5 / 3600))


@pytest.mark.real
def test_an_item_is_that_of_the_real_catalogue(real: Path) -> None:
    name = "Copernicus_DSM_COG_10_N53_00_W115_00_DEM"
    theirs = json.loads((real / "stac_items/stactools/cop-dem-glo-30" / f"{name}.json").read_text())
    (own,) = copernicus_dem_items(box(-114.5, 53.5, -114.4, 53.6), BASE)
    assert own["id"] == name
    np.testing.assert_allclose(own["bbox"], theirs["bbox"], atol=1e-8)
    asset = own["assets"]["data"]
    assert asset["proj:shape"] == theirs["properties"]["proj:shape"]
    np.testing.assert_allclose(asset["proj:transform"], theirs["properties"]["proj:transform"], atol=1e-12)


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        (box(9.2, 48.3, 9.3, 48.4), ["N48E009"]),
        (box(11.9, 47.9, 12.1, 48.1), ["N45E009", "N45E012", "N48E009", "N48E012"]),
        (box(-0.5, -0.5, -0.4, -0.4), ["S03W003"]),
        (box(179.8, -16.5, -179.7, -16.4), ["S18W180", "S18E177"]),
        (box(20, 83.2, 20.5, 83.9), ["N81E018"]),
        (box(20, -61, 20.5, -59.5), ["S60E018"]),
        (box(20, -70, 20.5, -69.5), []),
        (box(12.0, 48.0, 12.1, 48.1), ["N48E012"]),
    ],
)
def test_tiles_of_worldcover_by_place(area: AreaOfInterest, expected: list[str]) -> None:
    items = worldcover_items(area, BASE + "/")
    assert [item["id"][-7:] for item in items] == expected
    for item in items:
        name = f"ESA_WorldCover_10m_2021_v200_{item['id'][-7:]}_Map.tif"
        assert item["assets"]["map"]["href"] == f"{BASE}/v200/2021/map/{name}"


def test_an_area_of_two_parts_takes_no_tile_between_them() -> None:
    two = AreaOfInterest.from_shapes([box(1.2, 10.2, 1.3, 10.3).geometry, box(8.2, 10.2, 8.3, 10.3).geometry])
    assert places(copernicus_dem_items(two, BASE)) == ["N10_00_E001", "N10_00_E008"]


def test_the_readers_take_items_and_their_files(tmp_path: Path) -> None:
    area = box(9.4, 50.4, 9.41, 50.41)
    (dem,), (cover,) = copernicus_dem_items(area, BASE), worldcover_items(area, BASE)
    assert dem["assets"]["data"]["href"] == f"{BASE}/{dem['id']}/{dem['id']}.tif"
    for item, key, value, kind, reader in (
        (dem, "data", 812.25, np.float32, Dem),
        (cover, "map", 50, np.uint8, WorldCover),
    ):
        record = parse(item)
        (asset,) = record.assets
        assert asset.transform is not None and record.epsg == 4326
        # a cut of the tile along its pixels, as the reader accepts it
        grid = Affine(*asset.transform)
        column, row = (int(number) for number in ~grid @ (9.39, 50.42))
        layer = Layer(np.full((200, 200), value, kind), "EPSG:4326", grid @ Affine.translation(column, row))
        archive = tmp_path / item["collection"]
        write_raster(archive / Path(asset.href).name, layer)
        (archive / "item.json").write_text(json.dumps(item))
        (found,) = reader(archive).open(area, ANY)
        name = next(iter(found.data_vars))
        assert float(found[name].isel(x=5, y=5)) == (value if key == "data" else 1)
