"""Maps of many moments as cubes, and their catalogue: by the conventions, in their place, whole or not there."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import rioxarray  # noqa: F401
import xarray as xr
import zarr
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Tile, cell_centres
from vadose.maps import NODATA, Scene, cubes, map_dataset, write_catalogue, write_map
from vadose.maps.opening import open_maps
from vadose.registry import Quality

TILE = Tile(32718, 1500, 17000, 150, 140)
OTHER = Tile(32632, 1600, 19000, 20, 10)
MOMENTS = tuple(np.array(["2021-06-10T23:59:59", "2021-06-12T05:30:00", "2021-06-14T23:59:59"], "datetime64[ns]"))
MADE_FROM = {"experiment": "painted", "area": "here"}


def painted(tile: Tile, number: int = 0) -> xr.Dataset:
    """Longitude plus the number of the moment as mean, latitude as spread; an edge outside."""
    lon, lat = cell_centres(tile)
    quality = np.full(lon.shape, 65 + number)
    quality[:, -1] = NODATA
    mean, spread, age = (np.where(quality == NODATA, np.nan, values) for values in (lon + number, lat, lat * 0 + 1.5))
    return map_dataset(tile.cells, mean, spread, quality, {"sentinel1": age, "smap": age + number})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both forms of a cube of two zones."""
    folder = tmp_path_factory.mktemp("cubes")
    for form in ("zarr", "netcdf"):
        with cubes(folder, MOMENTS, form, MADE_FROM, "SIMULATED") as open_cubes:
            for number in (2, 0, 1):
                open_cubes.put(MOMENTS[number], [painted(tile, number) for tile in (TILE, OTHER)])
    return folder


def opened(folder: Path, form: str, epsg: int = 32718) -> xr.Dataset:
    path = folder / f"soil_moisture_{epsg}.{'zarr' if form == 'zarr' else 'nc'}"
    options = {"engine": "zarr", "consolidated": False} if form == "zarr" else {}
    return xr.open_dataset(path, decode_coords="all", **options)


@pytest.mark.parametrize("form", ["zarr", "netcdf"])
@pytest.mark.parametrize("tile", [TILE, OTHER], ids=["south", "north"])
def test_xarray_finds_every_cell_in_its_place_and_time(form, tile, folder):
    cube = opened(folder, form, tile.epsg)
    assert cube["soil_moisture"].dims == ("time", "y", "x")
    np.testing.assert_array_equal(cube["time"].values.astype("datetime64[ns]"), MOMENTS)
    assert cube.rio.crs.to_epsg() == tile.epsg
    assert cube.rio.transform(recalc=True) == tile.cells.transform, "coordinates are centres of cells"
    assert cube.rio.transform() == tile.cells.transform, "and the stated transform is of their corners"
    for number in range(3):
        zone = painted(tile, number)
        for name, layer in (("soil_moisture",) * 2, ("soil_moisture_std",) * 2, ("age_smap",) * 2):
            np.testing.assert_array_equal(cube[name].values[number], zone[layer].values)
        quality = np.nan_to_num(cube["quality"].values[number], nan=NODATA)
        np.testing.assert_array_equal(quality, zone["quality"].values)


def test_gdal_finds_the_same_place(folder):
    for driver, path in (("NETCDF", "soil_moisture_32718.nc"), ("ZARR", "soil_moisture_32718.zarr")):
        named = f'{driver}:"{folder / path}":{"/" if driver == "ZARR" else ""}soil_moisture'
        try:
            file = rasterio.open(named)
        except rasterio.RasterioIOError:
            continue  # this build of GDAL lacks the driver, or the version of the format
        with file:
            assert file.count == 3 and file.shape == (140, 150)
            assert file.transform.almost_equals(TILE.cells.transform)
            np.testing.assert_array_equal(file.read(2), painted(TILE, 1)["soil_moisture"].values)


def test_a_zarr_store_is_sharded_and_of_version_3(folder):
    group = zarr.open_group(folder / "soil_moisture_32718.zarr", mode="r")
    array = group["soil_moisture"]
    assert array.metadata.zarr_format == 3
    assert array.chunks == (1, 128, 128) and array.shards == (1, 1024, 1024)
    files = [path for path in (folder / "soil_moisture_32718.zarr" / "soil_moisture").rglob("*") if path.is_file()]
    assert len(files) == 1 + 3, "one file a moment, and the description"


def test_flags_and_units_are_described(folder):
    cube = opened(folder, "netcdf")
    assert cube["quality"].attrs["flag_masks"].tolist() == [flag.value for flag in Quality]
    assert cube["soil_moisture"].attrs["units"] == "m3 m-3"
    assert cube["soil_moisture"].attrs["ancillary_variables"] == "soil_moisture_std quality age_sentinel1 age_smap"
    assert set(cube["soil_moisture"].attrs["ancillary_variables"].split()) <= set(cube.data_vars)
    assert cube["age_smap"].attrs["units"] == "day"
    assert cube.attrs["comment"] == "SIMULATED"
    assert json.loads(cube.attrs["declaration"])["made_from"] == MADE_FROM


@pytest.mark.parametrize("form", ["zarr", "nc"])
def test_a_cube_is_opened_without_reading_its_values(form, folder, tmp_path):
    cube = open_maps(folder / f"soil_moisture_{TILE.epsg}.{form}")[TILE.epsg]
    assert not any(layer.variable._in_memory for layer in cube.data_vars.values())
    for number, moment in enumerate(MOMENTS):
        expected = painted(TILE, number)["quality"]
        found = cube["quality"].sel(time=moment)
        assert found.dtype == np.uint32
        np.testing.assert_array_equal(found.values, expected.values)
    assert cube["quality"].attrs.keys() >= {"flag_masks", "flag_meanings"} and "_FillValue" not in cube["quality"].attrs
    cube.to_netcdf(tmp_path / "again.nc")
    again = open_maps(tmp_path / "again.nc")[TILE.epsg]
    np.testing.assert_array_equal(again["quality"].values, cube["quality"].values)


def test_flags_of_16_bits_are_read_as_those_of_32(folder, tmp_path):
    cube = opened(folder, "netcdf", OTHER.epsg)
    older = cube.assign(quality=cube["quality"].fillna(65535).astype("uint16"))
    older["quality"].encoding = {"_FillValue": np.uint16(65535)}
    older.to_netcdf(tmp_path / "older.nc")
    found = open_maps(tmp_path / "older.nc")[OTHER.epsg]["quality"]
    expected = open_maps(folder / f"soil_moisture_{OTHER.epsg}.nc")[OTHER.epsg]["quality"]
    assert found.dtype == np.uint32 and (found == NODATA).any()
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.attrs["flag_meanings"] == expected.attrs["flag_meanings"]


def test_the_checker_of_the_conventions_finds_no_fault(folder, tmp_path):
    runner = pytest.importorskip("compliance_checker.runner", reason="no CF checker (compliance-checker) is installed")
    suite = runner.CheckSuite()
    suite.load_all_available_checkers()
    report = tmp_path / "report.json"
    passed, errors = runner.ComplianceChecker.run_checker(
        str(folder / "soil_moisture_32718.nc"),
        ["cf:1.11"],
        0,
        "strict",
        output_filename=str(report),
        output_format="json",
    )
    told = json.loads(report.read_text())["cf:1.11"]
    checks = [check for part in ("high", "medium", "low") for check in told[f"{part}_priorities"]]
    scored = {check["name"]: check["value"] for check in checks}
    assert not errors and passed
    assert len(scored) > 20
    assert {name for name, (points, of) in scored.items() if points < of} <= {"§4.4 Time Coordinate"}
    remarks = [line for check in checks if check["name"] == "§4.4 Time Coordinate" for line in check["msgs"]]
    assert all("does not cross 1582" in line for line in remarks), "a remark, no fault"


def test_a_cube_that_fails_leaves_nothing(tmp_path):
    for form in ("zarr", "netcdf"):
        with pytest.raises(KeyError), cubes(tmp_path, MOMENTS, form, MADE_FROM) as open_cubes:
            open_cubes.put(MOMENTS[0], [painted(OTHER)])
            raise KeyError
    assert not list(tmp_path.iterdir())
    with pytest.raises(VadoseError, match="The formats are zarr, netcdf"), cubes(tmp_path, MOMENTS, "hdf4", MADE_FROM):
        pass


def test_the_same_cube_has_the_same_bytes(tmp_path):
    written = []
    for name in ("a", "b"):
        for form in ("zarr", "netcdf"):
            with cubes(tmp_path / name, MOMENTS, form, MADE_FROM) as open_cubes:
                for number, moment in enumerate(MOMENTS):
                    open_cubes.put(moment, [painted(OTHER, number)])
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        written.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
    assert written[0] == written[1]


@pytest.fixture(scope="module")
def catalogue(folder: Path) -> pystac.Collection:
    scenes = []
    for number, moment in enumerate(MOMENTS):
        zones = [painted(tile, number) for tile in (TILE, OTHER)]
        paths = write_map(folder, zones, time=moment, made_from=MADE_FROM)
        scenes += [Scene(path, moment, zone) for path, zone in zip(paths, zones, strict=True)]
    area = AreaOfInterest.from_tile(TILE, "Araucania")
    wholes = [folder / "soil_moisture_32718.zarr", folder / "soil_moisture_32718.nc"]
    path = write_catalogue(folder, area, MOMENTS, scenes, wholes, made_from=MADE_FROM, notice="SIMULATED")
    return pystac.Collection.from_file(str(path))


def test_the_catalogue_is_valid_stac(catalogue):
    validator = JsonSchemaSTACValidator()  # its schemas of the core lie within pystac
    for thing, kind in (
        (catalogue, pystac.STACObjectType.COLLECTION),
        *((item, pystac.STACObjectType.ITEM) for item in catalogue.get_items()),
    ):
        assert validator.validate_core(thing.to_dict(transform_hrefs=False), kind, pystac.get_stac_version())


def test_items_lead_to_files_that_are_what_they_say(catalogue):
    items = list(catalogue.get_items())
    assert len(items) == 6
    for item in items:
        assert item.get_collection().id == catalogue.id == "soil-moisture-araucania"
        assert set(item.assets) == {"soil_moisture", "quality", "age"}
        for asset in item.assets.values():
            path = Path(asset.get_absolute_href())
            assert asset.extra_fields["file:size"] == path.stat().st_size
            assert asset.extra_fields["file:checksum"] == "1220" + hashlib.sha256(path.read_bytes()).hexdigest()
            with rasterio.open(path) as file:
                assert item.properties["proj:code"] == f"EPSG:{file.crs.to_epsg()}"
                assert tuple(item.properties["proj:shape"]) == file.shape
                assert tuple(item.properties["proj:transform"]) == tuple(file.transform)[:6]
                assert tuple(item.properties["proj:bbox"]) == tuple(file.bounds)
                assert [band["name"] for band in asset.extra_fields["bands"]] == list(file.descriptions)
                assert [band["data_type"] for band in asset.extra_fields["bands"]] == list(file.dtypes)
        west, south, east, north = item.bbox
        tile = TILE if item.id.endswith("32718") else OTHER
        lon, lat = cell_centres(tile)
        assert west < lon.min() < lon.max() < east and south < lat.min() < lat.max() < north
    assert {str(item.datetime.replace(tzinfo=None)) for item in items} == {
        str(m)[:19].replace("T", " ") for m in MOMENTS
    }
    for asset in catalogue.assets.values():
        assert Path(asset.get_absolute_href()).exists()


def test_the_catalogue_names_no_folder_of_this_machine(catalogue, folder):
    for path in folder.glob("*.json"):
        assert str(folder) not in path.read_text()
