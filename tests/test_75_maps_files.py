"""Maps as files: valid, in their place, with their flags, whole or not there."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.enums import MaskFlags
from rio_cogeo import cog_validate

from vadose import __version__
from vadose.errors import VadoseError
from vadose.grid import Tile, cell_centres
from vadose.maps import NODATA, map_dataset, read_map, write_map
from vadose.registry import Quality

TIME = np.datetime64("2021-06-10T23:59:59", "ns")
SOUTH = Tile(32718, 1500, 17000, 9, 7)
NORTH = Tile(32632, 1600, 19000, 1300, 1100)


def painted(tile: Tile) -> xr.Dataset:
    """Longitude as mean, latitude as spread, flags by column; a corner without estimate, an edge outside."""
    lon, lat = cell_centres(tile)
    quality = np.broadcast_to(np.where(np.arange(tile.columns) % 2, 65, 4), lon.shape).copy()
    quality[:, -1] = NODATA
    lon[:, -1] = lat[:, -1] = np.nan
    lon[0, 0] = lat[0, 0] = np.nan
    return map_dataset(tile.cells, lon, lat, quality)


def write(folder: Path, *zones: xr.Dataset, notice: str = "") -> tuple[Path, ...]:
    return write_map(folder, zones, time=TIME, made_from={"area": "here", "items": ["S1A", "S2B"]}, notice=notice)


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    (path,) = write(tmp_path_factory.mktemp("large"), painted(NORTH))
    return path


def flags_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}_quality.tif")


def test_names_tell_time_and_zone(tmp_path):
    paths = write(tmp_path, painted(SOUTH), painted(Tile(32632, 0, 9, 3, 3)))
    assert [path.name for path in paths] == [
        "soil_moisture_20210610T235959_32718.tif",
        "soil_moisture_20210610T235959_32632.tif",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        name for path in paths for name in (path.name, flags_of(path).name)
    )


def test_files_are_valid_cogs_with_overviews(large):
    for path in (large, flags_of(large)):
        valid, errors, warnings = cog_validate(path, strict=True)
        assert (valid, errors, warnings) == (True, [], [])
        with rasterio.open(path) as file:
            assert file.overviews(1)
            assert file.tags()["AREA_OR_POINT"] == "Area"


def test_bands_say_what_they_are(large):
    with rasterio.open(large) as file:
        assert file.descriptions == ("soil_moisture", "soil_moisture_std")
        assert file.units == ("m3 m-3", "m3 m-3")
        assert file.dtypes == ("float32", "float32")
        assert np.isnan(file.nodata)
        assert MaskFlags.nodata in file.mask_flag_enums[0]
        assert file.tags()["time"] == "2021-06-10T23:59:59Z"
        declared = json.loads(file.tags()["declaration"])
        assert "notice" not in file.tags()
    assert declared == {
        "kind": "map",
        "vadose_version": __version__,
        "made_from": {"area": "here", "items": ["S1A", "S2B"]},
    }
    with rasterio.open(flags_of(large)) as file:
        assert file.dtypes == ("uint32",)
        assert file.nodata == NODATA
        tags = file.tags(1)
    masks = [int(mask) for mask in tags["flag_masks"].split()]
    assert masks == [flag.value for flag in Quality]
    assert tags["flag_meanings"].split() == [flag.name.lower() for flag in Quality]


@pytest.mark.parametrize("tile", [SOUTH, NORTH], ids=["south", "north"])
def test_each_pixel_lies_where_it_was_painted(tmp_path, tile):
    (path,) = write(tmp_path, painted(tile))
    with rasterio.open(path) as file:
        assert file.crs.to_epsg() == tile.epsg
        assert file.transform.to_gdal() == (tile.west * 320, 320, 0, tile.north * 320, 0, -320)
        rows, columns = np.mgrid[0 : file.height, 0 : file.width]
        x, y = rasterio.transform.xy(file.transform, rows.ravel(), columns.ravel())
        lon, lat = Transformer.from_crs(file.crs, 4326, always_xy=True).transform(x, y)
        mean, spread = file.read().reshape(2, -1)
    there = np.isfinite(mean)
    assert there.sum() == tile.rows * (tile.columns - 1) - 1
    np.testing.assert_allclose(mean[there], lon[there], atol=1e-4)
    np.testing.assert_allclose(spread[there], lat[there], atol=1e-4)


def test_rioxarray_opens_the_same_values(tmp_path):
    zone = painted(SOUTH)
    (path,) = write(tmp_path, zone)
    with rioxarray.open_rasterio(path) as opened:
        np.testing.assert_array_equal(opened.sel(band=1), zone["soil_moisture"])
        np.testing.assert_array_equal(opened.sel(band=2), zone["soil_moisture_std"])
        np.testing.assert_allclose(opened["x"], zone["x"])
        np.testing.assert_allclose(opened["y"], zone["y"])
        lon, lat = cell_centres(SOUTH)
        x, y = Transformer.from_crs(4326, 32718, always_xy=True).transform(lon[2, 5], lat[2, 5])
        assert opened.sel(band=1, x=x, y=y, method="nearest").item() == np.float32(lon[2, 5])
    with rioxarray.open_rasterio(flags_of(path)) as opened:
        np.testing.assert_array_equal(opened.sel(band=1), zone["quality"])


def test_overviews_are_means_of_moisture_and_samples_of_flags(large):
    with rasterio.open(large) as file, rasterio.open(large, overview_level=0) as half:
        mean, coarse = file.read(1), half.read(1)
    blocks = mean.reshape(550, 2, 650, 2)[50:500, :, 50:600].mean(axis=(1, 3))
    np.testing.assert_allclose(coarse[50:500, 50:600], blocks, rtol=1e-6)
    with rasterio.open(flags_of(large), overview_level=0) as half:
        flags = half.read(1)
    assert set(np.unique(flags)) <= {4, 65, NODATA}


def test_flags_of_16_bits_stay_readable(tmp_path):
    zone = painted(SOUTH)
    (path,) = write(tmp_path, zone)
    with rasterio.open(flags_of(path)) as file:
        flags, profile, tags = file.read(1), file.profile, file.tags()
    profile.update(driver="GTiff", dtype="uint16", nodata=65535)
    with rasterio.open(flags_of(path), "w", **profile) as file:
        file.write(np.where(flags == NODATA, 65535, flags).astype(np.uint16), 1)
        file.set_band_description(1, "quality")
        file.update_tags(**tags)
    np.testing.assert_array_equal(read_map(path)["quality"], zone["quality"])


def test_what_was_written_is_read(tmp_path):
    zone = painted(SOUTH)
    (path,) = write(tmp_path, zone, notice="SIMULATED")
    opened = read_map(path)
    xr.testing.assert_identical(opened.drop_vars("time").drop_attrs(deep=False), zone)
    assert opened["time"].values == TIME.astype("datetime64[s]")
    assert opened.attrs["notice"] == "SIMULATED"
    assert json.loads(opened.attrs["declaration"])["made_from"]["area"] == "here"
    assert opened.rio.crs.to_epsg() == 32718


def test_a_map_without_any_estimate_is_still_a_map(tmp_path):
    lon, _ = cell_centres(SOUTH)
    zone = map_dataset(SOUTH.cells, lon * np.nan, lon * np.nan, np.full(lon.shape, 127))
    (path,) = write(tmp_path, zone)
    assert cog_validate(path, strict=True)[0]
    opened = read_map(path)
    assert opened["soil_moisture"].isnull().all()
    assert (opened["quality"] == 127).all()


def test_no_zone_or_one_zone_twice_is_refused(tmp_path):
    folder = tmp_path / "map"
    for zones in ((), (painted(SOUTH), painted(SOUTH))):
        with pytest.raises(VadoseError, match=f"a map of {len(zones)} zones.*one for each CRS"):
            write(folder, *zones)
    unnamed = map_dataset(GeoBox((2, 2), Affine.identity(), "+proj=sinu"), *np.zeros((2, 2, 2)), np.zeros((2, 2), int))
    with pytest.raises(VadoseError, match="no EPSG code"):
        write(folder, unnamed)
    assert not folder.exists()


def test_the_same_map_has_the_same_bytes(tmp_path):
    first, second = (write(tmp_path / name, painted(SOUTH))[0] for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_a_full_disk_leaves_nothing_new(tmp_path):
    (path,) = write(tmp_path, painted(SOUTH))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    noise = np.random.default_rng(1).integers(0, 128, (700, 900))
    zone = map_dataset(Tile(32718, 0, 17000, 900, 700).cells, np.ones((700, 900)), np.ones((700, 900)), noise)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(tmp_path, zone)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert read_map(path)["soil_moisture"].shape == (7, 9)


def test_reading_refuses_what_is_no_map(tmp_path):
    (path,) = write(tmp_path, painted(SOUTH))
    with pytest.raises(VadoseError, match="There is no such file"):
        read_map(tmp_path / "absent.tif")
    with pytest.raises(VadoseError, match="Its bands are called") as caught:
        read_map(flags_of(path))
    assert "absent" not in caught.value.problem
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VadoseError, match="cannot be read"):
        read_map(path)
    path.write_bytes(whole)
    flags_of(path).rename(tmp_path / "elsewhere.tif")
    with pytest.raises(VadoseError, match=r"_quality\.tif.*no such file"):
        read_map(path)


def test_flags_of_another_grid_are_refused(tmp_path):
    (path,) = write(tmp_path / "a", painted(SOUTH))
    (other,) = write(tmp_path / "b", painted(Tile(32718, 1501, 17000, 9, 7)))
    flags_of(path).write_bytes(flags_of(other).read_bytes())
    with pytest.raises(VadoseError, match="grid differs"):
        read_map(path)


SHUT = """
from vadose.io.gdal import shut_gdal

shut_gdal()
import sys
from pathlib import Path

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from vadose.maps.layers import map_dataset
from vadose.maps.write import write_map

grid = GeoBox((4, 5), Affine(320, 0, 512000, 0, -320, 6144000), "EPSG:32632")
mean = np.linspace(0.1, 0.4, 20, dtype=np.float32).reshape(4, 5)
mean[0] = np.nan
zone = map_dataset(grid, mean, mean, np.zeros((4, 5), np.uint32), {})
write_map(Path(sys.argv[1]), [zone], time=np.datetime64("2021-06-10"), made_from={})
"""


def test_a_map_is_written_with_its_statistics_where_gdal_is_shut_in(tmp_path):
    """As the commands shut it in: without the driver of virtual files, through which GDAL finds statistics itself."""
    subprocess.run([sys.executable, "-c", SHUT, tmp_path], check=True)
    mean = np.linspace(0.1, 0.4, 20, dtype=np.float32)[5:]
    (path,) = (path for path in tmp_path.glob("*.tif") if "quality" not in path.name)
    with rasterio.open(path, driver="GTiff") as file:
        told = {name: float(file.tags(1)[f"STATISTICS_{name}"]) for name in ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV")}
    found = {"MINIMUM": mean.min(), "MAXIMUM": mean.max(), "MEAN": mean.mean(), "STDDEV": mean.std()}
    assert told == pytest.approx(found, rel=1e-5)
