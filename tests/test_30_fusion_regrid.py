"""Carrying values from one grid to another."""

from dataclasses import replace

import numpy as np
import pytest
import rioxarray  # noqa: F401
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from pyproj import Transformer

from vadose.fusion.regrid import bilinear, block_mean, block_mode, carried, nearest, positions
from vadose.grid import AreaOfInterest, Tile, tile_around, to_lonlat

TILE = Tile(32632, 1600, 19200, 3, 2, 1)


def painted(grid: GeoBox) -> xr.Dataset:
    """A grid whose pixels say where they are."""
    coords = xr_coords(grid)
    y, x = (coords[dim].values for dim in grid.dimensions)
    dataset = xr.Dataset(
        {"x_at": (("y", "x"), np.tile(x, (y.size, 1))), "y_at": (("y", "x"), np.tile(y, (x.size, 1)).T)}
    )
    return dataset.assign_coords(y=y, x=x).rio.write_crs(str(grid.crs))


def test_the_same_grid_is_carried_unchanged():
    native = painted(TILE.pixels)
    at = positions(native, TILE.pixels)
    assert np.array_equal(nearest(native["x_at"].values, at), native["x_at"].values)
    assert np.array_equal(bilinear(native["y_at"].values, at), native["y_at"].values)


@pytest.mark.parametrize("shift", [(10, 0), (0, -10), (30, 20)])
def test_a_shift_by_whole_pixels_is_followed(shift):
    moved = GeoBox(TILE.pixels.shape, Affine.translation(*shift) @ TILE.pixels.affine, TILE.pixels.crs)
    native = painted(moved)
    found = nearest(native["x_at"].values, positions(native, TILE.pixels))
    expected = np.tile(TILE.pixels.coords["x"].values, (TILE.pixels.shape[0], 1))
    seen = np.isfinite(found)
    assert 0.8 < seen.mean() < 1
    assert np.array_equal(found[seen], expected[seen])


@pytest.mark.parametrize("size", [3, 10, 30, 250, 9000])
def test_nearest_is_never_farther_than_half_a_native_pixel(size):
    box = TILE.pixels.boundingbox
    grid = GeoBox.from_bbox(
        (box.left - 3 * size, box.bottom - 3 * size, box.right + 3 * size, box.top + 3 * size),
        TILE.pixels.crs,
        resolution=size,
    )
    native = painted(grid)
    at = positions(native, TILE.pixels)
    x = TILE.pixels.coords["x"].values
    assert np.abs(nearest(native["x_at"].values, at) - x).max() <= size / 2 + 1e-6
    assert np.abs(bilinear(native["x_at"].values, at) - x).max() <= size * 1e-6


@pytest.mark.parametrize("place", [(9.1, 55.2), (-67.3, -50.0), (35.0, -6.0), (-120.5, 38.0)])
def test_another_crs_is_carried_to_the_place_itself(place):
    tile = tile_around(*place, halo=1)
    west, south, east, north = AreaOfInterest.from_tile(tile).geometry.buffer(0.01).bounds
    native = painted(GeoBox.from_bbox((west, south, east, north), "EPSG:4326", resolution=1 / 3600))
    at = positions(native, tile.pixels)
    x, y = np.meshgrid(tile.pixels.coords["x"].values, tile.pixels.coords["y"].values)
    lon, lat = to_lonlat(tile.epsg).transform(x, y)
    assert np.abs(bilinear(native["x_at"].values, at) - lon).max() < 1e-7
    assert np.abs(bilinear(native["y_at"].values, at) - lat).max() < 1e-7


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:6933", "EPSG:3857", "zone beside", "+proj=igh +datum=WGS84"])
@pytest.mark.parametrize("place", [(-72.05, 0.1), (11.9, 60.0), (-180.0, -16.5), (179.98, 70.2), (-40.02, 83.5)])
def test_a_tile_is_transformed_to_a_millionth_of_a_pixel(place, crs):
    tile = replace(tile_around(*place, halo=4), columns=32, rows=32)
    other = f"EPSG:{tile.epsg - 1 if tile.epsg % 100 > 1 else tile.epsg + 1}" if crs == "zone beside" else crs
    transformer = Transformer.from_crs(f"EPSG:{tile.epsg}", other, always_xy=True)
    x, y = (tile.pixels.coords[name].values for name in ("x", "y"))
    expected = transformer.transform(*np.meshgrid(x[::7], y[::7]))
    metres = 111_320 if crs == "EPSG:4326" else 1
    for found, exact in zip(carried(x, y, transformer), expected, strict=True):
        assert np.abs(found[::7, ::7] - exact).max() * metres <= 1e-5


def test_a_rotated_projection_is_followed_to_its_own_pixels():
    tile = tile_around(-60.0, -50.0, halo=1)
    crs = "+proj=igh +datum=WGS84"
    x, y = np.meshgrid(tile.pixels.coords["x"].values, tile.pixels.coords["y"].values)
    east, north = Transformer.from_crs(f"EPSG:{tile.epsg}", crs, always_xy=True).transform(x, y)
    native = painted(
        GeoBox.from_bbox(
            (east.min() - 999, north.min() - 999, east.max() + 999, north.max() + 999), crs, resolution=250
        )
    )
    at = positions(native, tile.pixels)
    assert np.abs(nearest(native["x_at"].values, at) - east).max() <= 125.001
    assert np.abs(nearest(native["y_at"].values, at) - north).max() <= 125.001


def test_nothing_is_carried_from_outside_the_native_grid():
    native = painted(TILE.pixels)
    far = Tile(TILE.epsg, TILE.west + 100, TILE.north, 1, 1)
    assert np.isnan(nearest(native["x_at"].values, positions(native, far.pixels))).all()
    assert positions(native, far.pixels).window() is None


def test_bilinear_carries_nothing_into_missing_ground():
    native = painted(GeoBox.from_bbox((0, 0, 400, 400), "EPSG:32632", resolution=100))
    values = native["x_at"].values.copy()
    values[:, 2] = np.nan
    found = bilinear(values, positions(native, GeoBox.from_bbox((0, 0, 400, 400), "EPSG:32632", resolution=10)))
    assert np.isnan(found[:, 20:30]).all()
    assert np.isfinite(found[:, :20]).all() and np.isfinite(found[:, 30:]).all()
    assert found[0, 19] == pytest.approx(150)


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9))
def test_block_means_conserve_what_was_observed(seed, missing):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((2, 64, 96)) < missing, np.nan, rng.gamma(4, 0.02, (2, 64, 96)))
    mean, fraction = block_mean(values, 32)
    assert np.nansum(mean * fraction) * 32**2 == pytest.approx(np.nansum(values), rel=1e-9)
    assert fraction.mean() == pytest.approx(np.isfinite(values).mean())


def test_the_mean_of_power_is_not_the_mean_of_decibel():
    power = np.where(np.arange(32 * 32).reshape(32, 32) % 2 == 0, 0.1, 0.001)
    assert block_mean(power, 32)[0].item() == pytest.approx(0.0505)


def test_mode_is_the_class_that_covers_most():
    classes = np.full((4, 4), 7.0)
    classes[:2, :2] = [[1, 1], [2, np.nan]]
    assert np.array_equal(block_mode(classes, 2), [[1, 7], [7, 7]])
