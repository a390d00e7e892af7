"""SoilGrids: scales, zeros that mean missing, and a projection with gaps."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
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


def write_part(archive: Path, folder: str, maps: dict[str, Layer], rows: slice, columns: slice) -> None:
    """Write a window of some maps into a folder of its own."""
    for name, layer in maps.items():
        moved = layer.transform @ Affine.translation(columns.start, rows.start)
        part = Layer(layer.values[rows, columns], layer.crs, moved, layer.nodata)
        write_raster(archive / "soilgrids" / folder / f"{name}_0-5cm_mean.tif", part)


def some_maps() -> dict[str, Layer]:
    """Maps whose textures sum to one whole and whose pixels all differ."""
    row, column = np.mgrid[:100, :100]
    sand, silt = 300 + row + column, 200 + (row * 7 + column * 3) % 90
    texture = {"sand": sand, "silt": silt, "clay": 1000 - sand - silt, "bdod": 120 + (row + 2 * column) % 30}
    missing = (row + column) % 17 == 0
    return {
        name: Layer(np.where(missing, -32768, values).astype(np.int16), HOMOLOSINE, HERE, -32768)
        for name, values in texture.items()
    }


def test_windows_in_folders_are_one_map(tmp_path):
    maps = some_maps()
    for name, layer in maps.items():
        write_raster(tmp_path / "whole" / "soilgrids" / f"{name}_0-5cm_mean.tif", layer)
    for folder, rows, columns in (("a", (10, 60), (20, 55)), ("b", (35, 95), (40, 90)), ("far", (0, 5), (95, 100))):
        write_part(tmp_path / "parts", folder, maps, slice(*rows), slice(*columns))
    (tmp_path / "parts" / "soilgrids" / "notes").mkdir()
    whole, parts = SoilGrids(tmp_path / "whole"), SoilGrids(tmp_path / "parts")
    (expected,), (found,) = whole.open(AREA, ANY), parts.open(AREA, ANY)
    for name in VALUES:
        both = xr.align(expected[name], found[name], join="inner")
        assert both[0].size == expected[name].size, "the windows cover the area together"
        np.testing.assert_array_equal(both[0], both[1])
    assert len(parts.paths) == len(whole.paths) == 4
    sizes = {
        name: sum(path.stat().st_size for path in paths[:2])
        for name, paths in zip(NUMBERS, parts.paths.values(), strict=True)
    }
    assert {one.name: one.size for one in parts.files(AREA, ANY)} == {
        f"{k}_0-5cm_mean.tif": v for k, v in sizes.items()
    }


def test_only_windows_over_the_area_are_judged_and_read(tmp_path):
    maps = some_maps()
    write_part(tmp_path, "here", maps, slice(30, 70), slice(30, 70))
    strange = maps | {"sand": Layer(maps["sand"].values * 0 + 7, HOMOLOSINE, HERE, -32768)}
    write_part(tmp_path, "there", strange, slice(0, 12), slice(0, 12))
    source = SoilGrids(tmp_path)
    (found,) = source.open(AREA, ANY)
    assert np.isfinite(found["sand"]).any() and source.left_out == ()
    lon, lat = Transformer.from_crs(HOMOLOSINE, 4326, always_xy=True).transform(HERE.c + 1500, HERE.f - 1500)
    corner = AreaOfInterest.from_tile(tile_around(lon, lat, 1))
    (density,) = source.open(corner, ANY)
    assert set(density.data_vars) == {"bulk_density"}
    assert {one.file for one in source.left_out} == {f"soilgrids/there/{name}_0-5cm_mean.tif" for name in TEXTURES}
    assert {one.name for one in source.files(corner, ANY)} == {"bdod_0-5cm_mean.tif"}


TEXTURES = ("sand", "silt", "clay")


def test_a_damaged_window_is_left_out_by_name(tmp_path):
    maps = some_maps()
    for folder in ("a", "b"):
        write_part(tmp_path, folder, maps, slice(30, 70), slice(30, 70))
    (tmp_path / "soilgrids" / "a" / "clay_0-5cm_mean.tif").write_bytes(b"<html>sign in</html>")
    source = SoilGrids(tmp_path)
    found = source.open(AREA, ANY)
    assert {name for part in found for name in part.data_vars} == set(VALUES)
    assert [(one.name, one.file) for one in source.left_out] == [
        ("clay_0-5cm_mean.tif", "soilgrids/a/clay_0-5cm_mean.tif")
    ]


def test_windows_elsewhere_are_told(tmp_path):
    write_part(tmp_path, "a", some_maps(), slice(0, 12), slice(0, 12))
    source = SoilGrids(tmp_path)
    with pytest.raises(NoDataError, match=r"sand, silt, clay, bulk_density have no pixel there"):
        source.open(AREA, ANY)
    assert source.files(AREA, ANY) == ()
