"""SoilGrids: scales, zeros that mean missing, and a projection with gaps."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer

from real_archive import Layer, painted, write_raster
from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period, tile_around
from vadose.sources.soilgrids import SoilGrids

HOMOLOSINE = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"
ANY = Period.parse("1990-01-01")
NUMBERS = {"sand": 400, "silt": 350, "clay": 250, "bdod": 137}
VALUES = {"sand": 0.4, "silt": 0.35, "clay": 0.25, "bulk_density": 1370}
REAL = {"Sand": "sand", "Silt": "silt", "Clay": "clay", "Bulk_density": "bdod"}


def homolosine(lon: float, lat: float) -> tuple[float, float]:
    return Transformer.from_crs(4326, HOMOLOSINE, always_xy=True).transform(lon, lat)


def around(lon: float, lat: float, cells: int = 100, step: float = 250) -> Affine:
    x, y = homolosine(lon, lat)
    half = cells * step / 2
    return Affine(step, 0, x - half, 0, -step, y + half)


def write(
    archive: Path, transform: Affine, names: tuple[str, ...] = tuple(NUMBERS), nodata: int | None = -32768
) -> None:
    for name in names:
        layer = Layer(np.full((100, 100), NUMBERS[name], np.int16), HOMOLOSINE, transform, nodata)
        write_raster(archive / "soilgrids" / f"{name}_0-5cm_mean.tif", layer)


AREA = AreaOfInterest.from_tile(tile_around(-97.5, 36.6, 4), "oklahoma")
HERE = around(-97.5, 36.6)


def test_numbers_become_mass_fractions_and_density(tmp_path):
    write(tmp_path, HERE)
    (found,) = SoilGrids(tmp_path).open(AREA, ANY)
    units = {name: array.attrs["units"] for name, array in found.data_vars.items()}
    assert units == {"sand": "kg kg-1", "silt": "kg kg-1", "clay": "kg kg-1", "bulk_density": "kg m-3"}
    for name, expected in VALUES.items():
        assert (found[name].dims, found[name].dtype) == (("y", "x"), np.float32)
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)
    assert found.attrs["item"] == "soilgrids_0-5cm"
    assert "Homolosine" in found.rio.crs.to_wkt()


def test_the_window_of_a_small_area_is_small(tmp_path):
    write(tmp_path, HERE)
    (found,) = SoilGrids(tmp_path).open(AREA, ANY)
    assert max(found.sizes.values()) < 30
    x, y = (found[name].values for name in ("x", "y"))
    for lon, lat in np.transpose(AREA.geometry.exterior.coords.xy):
        east, north = homolosine(lon, lat)
        assert x[2] < east < x[-3] and y[-3] < north < y[2]


def test_every_pixel_tells_its_own_place(tmp_path):
    write(tmp_path, HERE, ("bdod",))
    x, y = painted((100, 100), HERE)
    for name, place, corner in (("sand", x, HERE.c), ("clay", -y, -HERE.f)):
        layer = Layer(((place - corner) / 100).astype(np.int16), HOMOLOSINE, HERE, -32768)
        write_raster(tmp_path / "soilgrids" / f"{name}_0-5cm_mean.tif", layer)
    (found,) = SoilGrids(tmp_path).open(AREA, ANY)
    x, y = np.meshgrid(found["x"], found["y"])
    np.testing.assert_allclose(found["sand"] * 1e5, (x - HERE.c), atol=100)
    np.testing.assert_allclose(found["clay"] * 1e5, (HERE.f - y), atol=100)


def test_an_area_across_a_gap_of_the_projection_is_covered_on_both_sides(tmp_path):
    gap = AreaOfInterest.from_bbox(-40.02, 9.99, -39.98, 10.01, "atlantic")
    (west, y), (east, _) = homolosine(-40.02, 10), homolosine(-39.98, 10)
    transform = Affine(250, 0, west - 5000, 0, -250, y + 5000)
    wide = np.full((40, round((east - west) / 250) + 40), 400, np.int16)
    write_raster(tmp_path / "soilgrids" / "sand_0-5cm_mean.tif", Layer(wide, HOMOLOSINE, transform, -32768))
    (found,) = SoilGrids(tmp_path).open(gap, ANY)
    assert found["x"][0] < west and found["x"][-1] > east


def test_zero_is_missing_only_where_the_file_names_no_number_for_it(tmp_path):
    for archive, tag in ((tmp_path / "tagged", -32768), (tmp_path / "bare", None)):
        write(archive, HERE, ("clay",))
        values = np.full((100, 100), 400, np.int16)
        values[:, ::2], values[:, 1::4] = 0, -32768
        layer = Layer(values, HOMOLOSINE, HERE, tag)
        write_raster(archive / "soilgrids" / "sand_0-5cm_mean.tif", layer)
    (tagged,), (bare,) = (SoilGrids(tmp_path / name).open(AREA, ANY) for name in ("tagged", "bare"))
    found = [set(np.unique(np.nan_to_num(part["sand"].values.round(3), nan=-1))) for part in (tagged, bare)]
    assert found == [{-1, 0, np.float32(0.4)}, {-1, np.float32(0.4)}]
    np.testing.assert_allclose(bare["clay"], 0.25)


def test_maps_on_other_grids_come_in_other_datasets(tmp_path):
    write(tmp_path, HERE, ("sand", "silt", "clay"))
    write(tmp_path, around(-97.5, 36.6, step=1000), ("bdod",))
    texture, density = SoilGrids(tmp_path).open(AREA, ANY)
    assert (set(texture.data_vars), set(density.data_vars)) == ({"sand", "silt", "clay"}, {"bulk_density"})
    assert texture.attrs["item"] == density.attrs["item"]


def test_some_maps_are_better_than_none(tmp_path):
    write(tmp_path, HERE, ("clay",))
    (found,) = SoilGrids(tmp_path).open(AREA, ANY)
    assert set(found.data_vars) == {"clay"}


@pytest.mark.real
def test_the_real_copy_with_zeros_for_missing(tmp_path, real):
    (tmp_path / "soilgrids").mkdir()
    for theirs, name in REAL.items():
        shutil.copy(real / "soilgrids" / f"{theirs}_5_15.tif", tmp_path / "soilgrids" / f"{name}_5-15cm_mean.tif")
    area = AreaOfInterest.from_bbox(-48.8, -23.7, -46.9, -21.8, "sao paulo")
    (found,) = SoilGrids(tmp_path, depth="5-15cm").open(area, ANY)
    assert found.rio.crs.to_epsg() == 4326
    total = (found["sand"] + found["silt"] + found["clay"]).values
    assert 0.9 < np.isfinite(total).mean() < 1
    assert np.nanmin(total) > 0.95 and np.nanmax(total) < 1.05
    assert 900 < np.nanmin(found["bulk_density"]) < np.nanmedian(found["bulk_density"]) < 1400
    assert np.isnan(found["bulk_density"].values[np.isnan(total)]).all()


def test_nothing_found_names_the_files_that_are_wanted_and_held(tmp_path):
    with pytest.raises(NoDataError, match=r"maps of 0-5cm over 'oklahoma'.*holds no map.*sand_0-5cm_mean\.tif"):
        SoilGrids(tmp_path).open(AREA, ANY)
    write(tmp_path, HERE)
    with pytest.raises(NoDataError, match=r"maps of 15-30cm.*holds bdod_0-5cm_mean\.tif, clay_0-5cm_mean\.tif"):
        SoilGrids(tmp_path, depth="15-30cm").open(AREA, ANY)
    with pytest.raises(NoDataError, match=r"sand, silt, clay, bulk_density have no pixel there"):
        SoilGrids(tmp_path).open(AreaOfInterest.from_bbox(10, 50, 10.1, 50.1), ANY)


def test_bad_files_are_refused_by_name(tmp_path):
    write(tmp_path, HERE)
    (found,) = SoilGrids(tmp_path).open(AREA, ANY)
    path = tmp_path / "soilgrids" / "silt_0-5cm_mean.tif"
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(VadoseError, match=r"silt_0-5cm_mean\.tif: reading it"):
        found["silt"].compute()
    path.write_bytes(whole[:60])
    with pytest.raises(VadoseError, match=r"silt_0-5cm_mean\.tif: reading it.*Get the file again"):
        SoilGrids(tmp_path).open(AREA, ANY)
    path.unlink()
    write_raster(path, Layer(np.ones((100, 100), np.int16), None, HERE))
    with pytest.raises(VadoseError, match=r"silt_0-5cm_mean\.tif.*no coordinate reference system"):
        SoilGrids(tmp_path).open(AREA, ANY)
