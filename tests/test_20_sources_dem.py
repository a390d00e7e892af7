"""Elevation: NASADEM and Copernicus tiles, whatever the time."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from real_archive import DATES, Layer, build, painted, write_item, write_raster
from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period, tile_around, to_lonlat
from vadose.sources.dem import Dem

SECOND = 1 / 3600
TILE = Affine(SECOND, 0, 9 - SECOND / 2, 0, -SECOND, 46 + SECOND / 2)
"""Upper left corner of NASADEM n45e009: pixel centres on whole seconds."""
ANY = Period.parse("1990-01-01")
AREA = AreaOfInterest.from_tile(tile_around(9.05, 45.95, 4), "chip")


def heights(transform: Affine = TILE, shape: tuple[int, int] = (400, 600)) -> Layer:
    """Metres that tell the column by the longitude: 1 m a second of arc."""
    lon, _ = painted(shape, transform)
    return Layer(np.round((lon - 9) * 3600).astype(np.int16), "EPSG:4326", transform, -32768)


def write(archive: Path, layer: Layer, name: str = "NASADEM_HGT_n45e009") -> Path:
    return write_item(archive, "nasadem", name, "2000-02-20T00:00:00Z", {"elevation": layer})


def test_a_tile_conforms_and_disregards_the_period(tmp_path):
    write(tmp_path, heights())
    (found,) = Dem(tmp_path).open(AREA, ANY)
    elevation = found["elevation"]
    assert (elevation.dims, elevation.dtype, elevation.attrs["units"]) == (("y", "x"), np.float32, "m")
    assert found.rio.crs.to_epsg() == 4326
    assert (found.attrs["source"], found.attrs["item"]) == ("dem", "NASADEM_HGT_n45e009")
    assert "time" not in found.coords


def test_every_pixel_tells_its_own_place(tmp_path):
    write(tmp_path, heights())
    (found,) = Dem(tmp_path).open(AREA, ANY)
    expected = np.broadcast_to((found["x"].values - 9) * 3600, found["elevation"].shape)
    np.testing.assert_allclose(found["elevation"], expected, atol=1e-3)
    west, south, east, north = AREA.geometry.bounds
    assert found["x"][0] < west < east < found["x"][-1]
    assert found["y"][-1] < south < north < found["y"][0]
    assert found["x"].size < (east - west) * 3600 + 10


def test_voids_are_missing_with_or_without_a_tag(tmp_path):
    for name, tag in (("tagged", -32768), ("bare", None)):
        layer = heights()
        layer.values[:] = 120
        layer.values[170:200, 150:200] = -32768
        write(tmp_path / name, Layer(layer.values, layer.crs, layer.transform, tag))
        (found,) = Dem(tmp_path / name).open(AREA, ANY)
        values = found["elevation"].values
        assert 0 < np.isnan(values).sum() < values.size
        assert set(values[np.isfinite(values)]) == {120}


def test_tiles_that_share_an_edge_are_both_given(tmp_path):
    east = Affine(SECOND, 0, 9 + 599.5 * SECOND, 0, -SECOND, 46 + SECOND / 2)
    write(tmp_path, heights(), "west")
    write(tmp_path, heights(east), "east")
    found = Dem(tmp_path).open(AreaOfInterest.from_bbox(9.16, 45.95, 9.17, 45.96), ANY)
    assert [part.attrs["item"] for part in found] == ["east", "west"]
    for part in found:
        np.testing.assert_allclose(part["elevation"][0], (part["x"] - 9) * 3600, atol=1e-3)


@pytest.mark.real
def test_a_real_copernicus_item_is_read(tmp_path, real):
    name = "Copernicus_DSM_COG_10_N53_00_W115_00_DEM"
    item = json.loads((real / "stac_items/stactools/cop-dem-glo-30" / f"{name}.json").read_text())
    item["assets"]["data"]["href"] = f"https://example.org/{name}.tif"
    (tmp_path / f"{name}.json").write_text(json.dumps(item))
    transform = Affine(1 / 2400, 0, -115.00020833333333, 0, -SECOND, 54.00013888888889)
    values = np.full((400, 300), 812.25, np.float32)
    write_raster(tmp_path / f"{name}.tif", Layer(values, "EPSG:4326", transform))
    (found,) = Dem(tmp_path).open(AreaOfInterest.from_bbox(-114.95, 53.95, -114.94, 53.96), ANY)
    np.testing.assert_array_equal(found["elevation"], np.float32(812.25))
    assert found.attrs["platform"] == "tandem-x"


def test_nothing_found_and_cut_files(tmp_path):
    with pytest.raises(NoDataError, match=r"dem: items over 'chip'\. .*holds none\. Put items of dem"):
        Dem(tmp_path).open(AREA, ANY)
    item = write(tmp_path, heights())
    with pytest.raises(NoDataError, match="0 of them over the area"):
        Dem(tmp_path).open(AreaOfInterest.from_bbox(0, 0, 1, 1), ANY)
    path = item.with_name("elevation.tif")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(VadoseError, match=r"elevation\.tif: reading it.*Get the file again"):
        Dem(tmp_path).open(AREA, ANY)


@pytest.mark.real
@pytest.mark.parametrize("scene", DATES)
def test_real_scenes_are_read_back(tmp_path, real, scene):
    build(real / "scenes" / scene, tmp_path)
    with rasterio.open(real / "scenes" / scene / "dem.tif") as file:
        expected, epsg, bounds = file.read(1), file.crs.to_epsg(), file.bounds
    tile = tile_around(*to_lonlat(epsg).transform(bounds.left + 1120, bounds.bottom + 1120), 5)
    (found,) = Dem(tmp_path).open(AreaOfInterest.from_tile(tile), ANY)
    np.testing.assert_array_equal(found["elevation"], expected)
