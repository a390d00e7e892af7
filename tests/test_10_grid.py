"""Cells, tiles, areas and periods."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from vadose.errors import VadoseError
from vadose.grid import (
    CELL_M,
    MOST_TILES,
    AreaOfInterest,
    Period,
    Tile,
    cell_centres,
    from_lonlat,
    tile_around,
    utm_epsg,
)

places = st.tuples(st.floats(-180, 180), st.floats(-79.9, 83.9))


@given(places)
def test_a_place_lies_in_its_own_cell(place):
    tile = tile_around(*place, halo=4)
    x, y = from_lonlat(tile.epsg).transform(*place)
    box = tile.cells.boundingbox
    assert box.left <= x < box.right and box.bottom <= y < box.top
    assert tile.cells.shape == (1, 1) and tile.pixels.shape == (288, 288)


@given(places, st.integers(0, 5))
def test_cells_lie_at_multiples_of_320_m_and_pixels_fill_them(place, halo):
    tile = tile_around(*place, halo=halo)
    box, ground = tile.cells.boundingbox, tile.pixels.boundingbox
    assert all(edge % CELL_M == 0 for edge in (box.left, box.bottom, box.right, box.top))
    assert tile.pixels.resolution.x == 10 and tile.pixels.resolution.y == -10
    assert (box.left - ground.left, ground.top - box.top) == (halo * CELL_M, halo * CELL_M)


@given(st.floats(-179, 178.5), st.floats(-70, 75), st.floats(0.01, 0.4), st.integers(3, 40))
def test_tiles_cover_an_area_once(west, south, width, size):
    area = AreaOfInterest.from_bbox(west, south, west + width, south + 0.1)
    inside = [(tile.epsg, lon, lat) for tile in area.tiles(size, 2) for lon, lat in _inside(area, tile)]
    assert len(set(inside)) == len(inside)
    expected = width * 111.32 * np.cos(np.radians(south + 0.05)) * 0.1 * 111.0 / (CELL_M / 1000) ** 2
    assert len(inside) == pytest.approx(expected, rel=0.1, abs=40)


def _inside(area, tile):
    lon, lat = cell_centres(tile)
    held = area.contains_cells(tile)
    return zip(np.round(lon[held], 6), np.round(lat[held], 6), strict=True)


def test_two_tilings_give_the_same_cells():
    area = AreaOfInterest.from_bbox(11.9, 55.0, 12.1, 55.1)
    cells = [{place for tile in area.tiles(size, 0) for place in _inside(area, tile)} for size in (8, 31)]
    assert cells[0] == cells[1]


def test_a_cell_at_a_zone_border_belongs_to_one_zone():
    area = AreaOfInterest.from_bbox(11.9, 55.0, 12.1, 55.1)
    for tile in area.tiles(32, 0):
        lon, _ = cell_centres(tile)
        assert np.all((lon[area.contains_cells(tile)] < 12) == (tile.epsg == 32632))


def test_an_area_across_the_antimeridian_has_tiles_on_both_sides():
    tiles = AreaOfInterest.from_bbox(179.9, 10, -179.9, 10.1).tiles(64, 4)
    assert {tile.epsg for tile in tiles} == {32601, 32660}


def test_an_area_across_the_equator_has_both_hemispheres():
    tiles = AreaOfInterest.from_bbox(33, -0.1, 33.1, 0.1).tiles(64, 0)
    assert {tile.epsg for tile in tiles} == {32636, 32736}


def test_a_tile_at_the_antimeridian_lies_within_its_area():
    area = AreaOfInterest.from_tile(tile_around(179.999, 10, halo=4))
    assert len(shapely.get_parts(area.geometry)) == 2
    assert area.geometry.area < 0.01


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: utm_epsg(0, 88), "latitude 88"),
        (lambda: utm_epsg(200, 0), "longitude 200"),
        (lambda: AreaOfInterest.from_bbox(5, 50, 6, 50), "no height"),
        (lambda: AreaOfInterest.from_bbox(5, 85, 6, 86), "cells exist within"),
        (lambda: AreaOfInterest("x", shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])), "crosses itself"),
        (lambda: AreaOfInterest.from_bbox(500000, 6000000, 510000, 6010000), "cells exist within"),
        (lambda: AreaOfInterest.from_geojson({"type": "Point", "coordinates": [5, 50]}), "no polygon"),
        (lambda: AreaOfInterest.from_geojson({"type": "Nonsense"}), "no readable geometry"),
        (lambda: Period.parse("yesterday"), "2019-01-01/2019-12-31"),
        (lambda: Period.parse("2020-02-01/2020-01-01"), "ends before it starts"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_in_three_parts(make, words):
    with pytest.raises(VadoseError, match=words) as refusal:
        make()
    assert all([refusal.value.context, refusal.value.problem, refusal.value.hint])


def test_a_period_holds_its_last_day():
    period = Period.parse("2019-01-01/2019-01-31")
    assert np.datetime64("2019-01-31T23:59") in period
    assert np.datetime64("2019-02-01") not in period
    assert str(period) == "2019-01-01..2019-01-31"


def test_what_was_known_before_a_moment_includes_the_moment():
    moment = np.datetime64("2020-06-15T06:00", "ns")
    period = Period.before(moment, 3)
    assert moment in period and np.datetime64("2020-06-12T07:00", "ns") in period
    assert np.datetime64("2020-06-12T05:00", "ns") not in period


def test_a_tile_is_known_by_its_value():
    assert Tile(32632, 1, 2, 3, 4) == Tile(32632, 1, 2, 3, 4)
    assert Tile(32632, 1, 2, 3, 4).with_halo(4) != Tile(32632, 1, 2, 3, 4)


def test_geojson_features_become_one_area():
    boxes = [shapely.geometry.mapping(shapely.box(west, 50, west + 0.1, 50.1)) for west in (5.0, 5.2)]
    features = [{"type": "Feature", "properties": {}, "geometry": box} for box in boxes]
    area = AreaOfInterest.from_geojson({"type": "FeatureCollection", "features": features})
    assert area.geometry.area == pytest.approx(0.02)
    assert area.geometry.equals(AreaOfInterest.from_geojson(shapely.geometry.mapping(area.geometry)).geometry)


@pytest.mark.parametrize("seed", range(4))
def test_tiles_are_those_of_a_lattice_that_hold_a_cell(seed: int) -> None:
    """Against asking every tile of the lattice around the area for its cells."""
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(-170, 170), rng.uniform(-70, 70)
    ring = shapely.Point(lon, lat).buffer(rng.uniform(0.1, 0.3)).difference(shapely.Point(lon + 0.1, lat).buffer(0.04))
    area = AreaOfInterest(
        "odd", ring if seed % 2 else shapely.LineString([(lon, lat), (lon + 1.5, lat + 0.8)]).buffer(0.03)
    )
    expected = set()
    west, south, east, north = area.geometry.bounds
    for epsg in {utm_epsg(x, y) for x in np.linspace(west, east, 9) for y in (south, north)}:
        x, y = from_lonlat(epsg).transform(*shapely.get_coordinates(area.geometry.envelope.segmentize(0.05)).T)
        for column in range(int(min(x) // 10240) - 1, int(max(x) // 10240) + 2):
            for row in range(int(min(y) // 10240) - 1, int(max(y) // 10240) + 2):
                held = area.contains_cells(Tile(epsg, column * 32, (row + 1) * 32, 32, 32))
                rows, columns = np.flatnonzero(held.any(axis=1)), np.flatnonzero(held.any(axis=0))
                if held.any():
                    left, top = column * 32 + int(columns[0]), (row + 1) * 32 - int(rows[0])
                    expected.add(Tile(epsg, left, top, int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1))
    assert set(area.tiles(32, 0)) == expected


def test_an_area_of_more_tiles_than_a_map_holds_is_refused_soon() -> None:
    with pytest.raises(VadoseError, match=f"more than {MOST_TILES:,} tiles"):
        AreaOfInterest.from_bbox(-180, -60, 180, 80).tiles(32, 0)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", range(4))
def test_a_box_of_numbers_that_are_not_finite_is_refused(odd: float, place: int) -> None:
    corners = [1.0, 2.0, 3.0, 4.0]
    corners[place] = odd
    with pytest.raises(VadoseError, match="finite"):
        AreaOfInterest.from_bbox(*corners)
