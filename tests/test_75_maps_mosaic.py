"""Tiles put together: every cell in its place, in every zone, whatever the tiles."""

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Tile, cell_centres
from vadose.maps import NODATA, Mosaic, map_dataset
from vadose.registry import Quality
from vadose.variables import SOIL_MOISTURE

AREAS = {
    "one zone": AreaOfInterest.from_bbox(9.0, 55.0, 9.1, 55.06),
    "two zones": AreaOfInterest.from_bbox(11.95, 47.0, 12.05, 47.04),
    "equator": AreaOfInterest.from_bbox(36.0, -0.03, 36.06, 0.03),
    "antimeridian": AreaOfInterest.from_bbox(179.96, -17.0, -179.96, -16.96),
}


def painted(area: AreaOfInterest, size: int, halo: int = 2) -> tuple[xr.Dataset, ...]:
    """A map whose mean is each cell's longitude and whose spread is its latitude."""
    tiles = area.tiles(size, halo)
    mosaic = Mosaic(area, tiles)
    for tile in reversed(tiles):
        lon, lat = cell_centres(tile)
        mosaic.put(tile, lon, lat, np.full(lon.shape, 3))
    return mosaic.zones()


@pytest.mark.parametrize("name", AREAS)
def test_every_cell_lies_where_it_was_painted(name):
    area = AREAS[name]
    zones = painted(area, 8)
    assert len(zones) == (1 if name == "one zone" else 2)
    cells = 0
    for zone in zones:
        x, y = np.meshgrid(zone["x"], zone["y"])
        lon, lat = Transformer.from_crs(zone.rio.crs, 4326, always_xy=True).transform(x, y)
        held = zone["quality"].values != NODATA
        np.testing.assert_allclose(zone["soil_moisture"].values[held], lon[held], atol=1e-4)
        np.testing.assert_allclose(zone["soil_moisture_std"].values[held], lat[held], atol=1e-4)
        assert np.isnan(zone["soil_moisture"].values[~held]).all()
        assert held.any(axis=1)[[0, -1]].all()
        assert held.any(axis=0)[[0, -1]].all()
        cells += held.sum()
    assert cells == sum(area.contains_cells(tile).sum() for tile in area.tiles(8, 0))


@settings(deadline=None, max_examples=12)
@given(st.sampled_from(sorted(AREAS)), st.integers(3, 30), st.integers(0, 3))
def test_the_tiling_leaves_no_trace(name, size, halo):
    for one, other in zip(painted(AREAS[name], 16), painted(AREAS[name], size, halo), strict=True):
        xr.testing.assert_identical(one, other)


def test_layers_are_on_the_grid_with_cf_attributes():
    (zone,) = painted(AREAS["one zone"], 8)
    assert zone.rio.crs.to_epsg() == 32632
    assert (np.diff(zone["x"]) == 320).all()
    assert (np.diff(zone["y"]) == -320).all()
    assert ((zone["x"] - 160) % 320 == 0).all()
    assert ((zone["y"] - 160) % 320 == 0).all()
    assert zone["soil_moisture"].attrs["units"] == zone["soil_moisture_std"].attrs["units"] == "m3 m-3"
    assert zone["soil_moisture"].attrs["standard_name"] == SOIL_MOISTURE.standard_name
    assert (zone["soil_moisture"].dtype, zone["soil_moisture_std"].dtype, zone["quality"].dtype) == (
        "float32",
        "float32",
        "uint32",
    )
    assert zone["quality"].rio.nodata == NODATA
    meanings = zone["quality"].attrs["flag_meanings"].split()
    masks = zone["quality"].attrs["flag_masks"]
    assert dict(zip(meanings, masks.tolist(), strict=True)) == {f.name.lower(): f.value for f in Quality}
    assert all(int(low) < int(high) for low, high in pairwise(masks))
    assert sum(masks.tolist()) < NODATA


def test_layers_of_any_grid():
    grid = GeoBox.from_bbox((10, 50, 10.3, 50.2), "EPSG:4326", resolution=0.1)
    dataset = map_dataset(grid, np.ones((2, 3)), np.ones((2, 3)), np.zeros((2, 3), int))
    assert dataset["soil_moisture"].dims == ("y", "x")
    assert dataset.rio.crs.to_epsg() == 4326
    np.testing.assert_allclose(dataset["y"], [50.15, 50.05])


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ((np.zeros((3, 4)), np.zeros((4, 3)), np.zeros((4, 3), int)), r"\(3, 4\)"),
        ((np.zeros((4, 3)), np.zeros((8, 7)), np.zeros((4, 3), int)), r"\(8, 7\)"),
        ((np.zeros((4, 3)), np.zeros((4, 3)), np.zeros((1, 4, 3), int)), r"\(1, 4, 3\)"),
        ((np.zeros((4, 3)), np.zeros((4, 3)), np.zeros((4, 3))), "float64"),
        ((np.zeros((4, 3)), np.zeros((4, 3)), np.full((4, 3), -1)), "outside"),
    ],
)
def test_arrays_of_another_shape_are_refused(arrays, found):
    tile = Tile(32632, 0, 100, 3, 4)
    with pytest.raises(VadoseError, match=found) as caught:
        map_dataset(tile.cells, *arrays)
    assert caught.value.context.startswith("maps: the layer")
    assert caught.value.hint.startswith("Give")


def test_an_area_without_a_cell_is_refused():
    tiny = AreaOfInterest.from_bbox(9.0001, 55.0001, 9.0002, 55.0002, "garden")
    with pytest.raises(VadoseError, match=r"'garden'.*No cell of 320 m has its centre in it") as caught:
        Mosaic(tiny, tiny.tiles(8, 0))
    assert "larger area" in caught.value.hint


def test_a_map_with_missing_tiles_is_refused():
    area = AREAS["one zone"]
    first, second, *others = area.tiles(8, 2)
    mosaic = Mosaic(area, [first, second, *others])
    shape = (second.rows, second.columns)
    blank = np.zeros(shape), np.zeros(shape), np.zeros(shape, int)
    mosaic.put(second, *blank)
    assert mosaic.waiting == {tile.with_halo(0) for tile in (first, *others)}
    with pytest.raises(VadoseError, match=f"{len(others) + 1} tiles are missing"):
        mosaic.zones()
    with pytest.raises(VadoseError, match="put before"):
        mosaic.put(second, *blank)
    with pytest.raises(VadoseError, match="not a tile of this map"):
        mosaic.put(Tile(32633, 0, 0, 8, 8), *blank)
    with pytest.raises(VadoseError, match="Its shape is"):
        mosaic.put(first, np.zeros((first.rows + 4, first.columns + 4)), *blank[1:])
    assert first.with_halo(0) in mosaic.waiting
