"""GLDAS-2.1 Noah granules: real ones, and ones written here in their structure."""

import pickle
import re
from pathlib import Path

import dask.array as da
import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from vadose.errors import NoDataError, VadoseError
from vadose.fusion import FeatureBuilder, HistorySpec, InputSpec, TemporalPolicy, build_features
from vadose.grid import AreaOfInterest, Period, tile_around
from vadose.sources.gldas import EARLY, GRID, MAIN, Gldas

NAME = "GLDAS_NOAH025_3H.A{}.{}.{}.nc4"
PLACES = [(-0.4, 41.4), (-70.6, -33.4), (139.7, 36.2), (-149.8, 61.3), (36.8, -1.3), (-179.9, 67.9), (176.3, -38.6)]
VARIABLE = "SoilMoi0_10cm_inst"
DAY = Period.parse("2016-01-01")


def around(lon, lat, half=0.02, name="ebro"):
    return AreaOfInterest.from_bbox(max(lon - half, -180), lat - half, min(lon + half, 180), lat + half, name)


def gldas(archive, lon=-0.4, lat=41.4, period=DAY):
    (dataset,) = Gldas(archive).open(around(lon, lat), period)
    return dataset["gldas"]


def painted(rows_from_south, columns):
    """Kilograms per square metre that tell their place among 30 x 30 neighbours."""
    return (1 + rows_from_south % 30 + 0.03 * (columns % 30)).astype(np.float32)


def write(folder, clock="0300", version="021", offset=0.0, date="20160101"):
    """A granule in the real structure; only the neighbourhood of the first place holds data."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME.format(date, clock, version)
    with netCDF4.Dataset(path, "w") as file:
        for name, size, first in (("lat", 600, -59.875), ("lon", 1440, -179.875)):
            file.createDimension(name, size)
            file.createVariable(name, "f4", (name,))[:] = first + 0.25 * np.arange(size)
        file.createDimension("time", None)
        file.createVariable("time", "f8", ("time",))[:] = [0.0]
        chunks = (1, 60, 60)
        variable = file.createVariable(VARIABLE, "f4", ("time", "lat", "lon"), fill_value=-9999.0, chunksizes=chunks)
        variable.setncatts({"units": "kg m-2", "missing_value": np.float32(-9999.0)})
        rows, columns = np.arange(390, 420), np.arange(700, 730)
        variable[0, 390:420, 700:730] = painted(*np.meshgrid(rows, columns, indexing="ij")) + offset
    return path


def test_the_granules_of_these_tests_are_built_as_real_ones(real: Path, tmp_path: Path) -> None:
    ours = h5py.File(write(tmp_path))
    theirs = h5py.File(next((real / "gldas").glob("*.0300.*")))
    with ours, theirs:
        for name in (VARIABLE, "lat", "lon"):
            assert ours[name].shape == theirs[name].shape
            assert ours[name].dtype == theirs[name].dtype
        for name in ("lat", "lon"):
            np.testing.assert_array_equal(ours[name], theirs[name])
        assert ours[VARIABLE].attrs["_FillValue"] == theirs[VARIABLE].attrs["_FillValue"]
        assert ours[VARIABLE].attrs["units"] in (theirs[VARIABLE].attrs["units"], "kg m-2")
        assert theirs[VARIABLE].attrs["units"] == b"kg m-2"


@pytest.mark.parametrize(("lon", "lat"), PLACES)
def test_real_values_are_those_that_xarray_reads(real: Path, lon: float, lat: float) -> None:
    found = gldas(real / "gldas", lon, lat)
    files = sorted((real / "gldas").glob("*.nc4"))
    with xr.open_mfdataset(files, engine="netcdf4", combine="nested", concat_dim="time") as plain:
        expected = plain[VARIABLE].sel(lon=lon, lat=lat, method="nearest").values / 100
    here = found.sel(x=lon, y=lat, method="nearest")
    np.testing.assert_allclose(here.values, expected, rtol=1e-6)
    assert np.isfinite(here.values).all()
    assert float(here.x) - lon == pytest.approx(0, abs=0.125)
    instants = ["2016-01-01T03:00", "2016-01-01T06:00", "2016-01-01T12:00"]
    np.testing.assert_array_equal(found.time, np.array(instants, "datetime64[ns]"))


def test_real_windows_anywhere_are_those_that_xarray_reads(real: Path) -> None:
    source = Gldas(real / "gldas")
    morning = Period(np.datetime64("2016-01-01T03"), np.datetime64("2016-01-01T04"))
    with xr.open_dataset(next((real / "gldas").glob("*.0300.*"))) as file:
        plain = file[VARIABLE][0].load()

    @given(lon=st.floats(-179.9, 179.8), lat=st.floats(-59.9, 83.8))
    def check(lon: float, lat: float) -> None:
        (dataset,) = source.open(around(lon, lat), morning)
        expected = plain.sel(lon=dataset["x"], lat=dataset["y"]) / 100
        np.testing.assert_allclose(dataset["gldas"][0].values, expected.values, rtol=1e-6)

    check()


def test_coasts_and_seas_are_missing(real: Path) -> None:
    found = gldas(real / "gldas", -9.3, 38.7)[0]
    assert 0 < int(found.notnull().sum()) < found.size
    assert float(found.max()) < 1
    assert gldas(real / "gldas", -30.0, 40.0).isnull().all()


def test_every_pixel_of_the_window_is_in_its_place(tmp_path: Path) -> None:
    write(tmp_path)
    found = gldas(tmp_path)
    rows = np.round((found.y.values + 59.875) / 0.25).astype(int)
    columns = np.round((found.x.values + 179.875) / 0.25).astype(int)
    np.testing.assert_allclose(found.y, -59.875 + 0.25 * rows)
    expected = painted(*np.meshgrid(rows, columns, indexing="ij")) / np.float32(100)
    np.testing.assert_allclose(found.values[0], expected, rtol=1e-6)
    assert found.shape == (1, 5, 5)
    assert (np.diff(found.y) < 0).all()
    assert (np.diff(found.x) > 0).all()
    assert found.dtype == np.float32
    assert found.attrs["units"] == "m3 m-3"
    assert found.rio.crs.to_epsg() == 4326


@given(lon=st.floats(-180, 179.9999), lat=st.floats(-60, 90, exclude_min=True, exclude_max=True))
def test_places_fall_into_the_pixel_whose_centre_is_nearest(lon: float, lat: float) -> None:
    row, column = GRID.pixel_of(lon, lat)
    assert abs(-179.875 + 0.25 * column - lon) <= 0.125 + 1e-9
    assert abs(89.875 - 0.25 * row - lat) <= 0.125 + 1e-9


def test_instants_are_in_order_and_belong_to_the_period_by_their_names(tmp_path: Path) -> None:
    for clock in ("0600", "0000", "2100", "0300"):
        write(tmp_path, clock)
    write(tmp_path, "0000", date="20160102")
    hours = (gldas(tmp_path).time.values - np.datetime64("2016-01-01")) / np.timedelta64(1, "h")
    np.testing.assert_array_equal(hours, [0, 3, 6, 21])


def test_another_version_is_another_product_and_left_out_by_name(tmp_path: Path) -> None:
    write(tmp_path, version="020", offset=10.0)
    with pytest.raises(NoDataError, match=r"It is version 020; GLDAS-2\.1 is 021"):
        gldas(tmp_path)
    new = gldas(write(tmp_path).parent)
    (dataset,) = Gldas(tmp_path).open(around(-0.4, 41.4), DAY)
    assert (dataset.attrs["source"], dataset.attrs["item"]) == ("gldas", "GLDAS_NOAH025_3H 021")
    assert float(new.max()) < 0.4
    assert [entry.kind for entry in Gldas(tmp_path).index.left_out] == ["another version of GLDAS"]


def test_values_are_lazy_and_a_neighbour_opens_no_file_again(tmp_path: Path) -> None:
    path = write(tmp_path)
    source = Gldas(tmp_path)
    (first,) = source.open(around(-0.4, 41.4), DAY)
    (second,) = source.open(around(-0.1, 41.2), DAY)
    assert isinstance(first["gldas"].data, da.Array)
    expected = first["gldas"].values
    path.unlink()
    np.testing.assert_array_equal(first["gldas"].values, expected)
    overlap = second["gldas"].sel(x=first["x"][-2:], y=first["y"][-2:])
    np.testing.assert_array_equal(overlap.values, expected[:, -2:, -2:])


def test_a_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    write(tmp_path)
    before = gldas(tmp_path).values
    write(tmp_path, offset=5.0)
    np.testing.assert_allclose(gldas(tmp_path).values - before, 0.05, rtol=1e-4)


def test_a_large_area_is_read_whole(tmp_path: Path) -> None:
    write(tmp_path)
    (dataset,) = Gldas(tmp_path).open(AreaOfInterest.from_bbox(-60, -50, 60, 60, "half the world"), DAY)
    assert int(dataset["gldas"].notnull().sum()) == 30 * 30
    assert dataset["gldas"].sel(x=-0.4, y=41.4, method="nearest").values == gldas(tmp_path).sel(
        x=-0.4, y=41.4, method="nearest"
    )


def test_the_source_travels_to_other_processes(tmp_path: Path) -> None:
    write(tmp_path)
    (dataset,) = pickle.loads(pickle.dumps(Gldas(tmp_path))).open(around(-0.4, 41.4), DAY)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset))["gldas"], gldas(tmp_path))


def test_a_period_without_granules_says_which_there_are(tmp_path: Path) -> None:
    write(tmp_path, date="20160101")
    write(tmp_path, date="20160105")
    for asked, found in (("2014-02-01/2014-03-01", "."), ("2016-01-03", " with a gap there.")):
        with pytest.raises(NoDataError) as told:
            gldas(tmp_path, period=Period.parse(asked))
        assert told.value.context == f"gldas: no granules for {Period.parse(asked)} in 'ebro'."
        assert told.value.problem == f"Found 2016-01-01..2016-01-05{found}"
        assert "period inside it" in told.value.hint


def test_an_archive_without_granules_or_no_archive(tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match=r"Found none at all under .*Download some"):
        gldas(tmp_path)
    with pytest.raises(VadoseError, match=r"no such folder.*Give the folder"):
        gldas(tmp_path / "absent")


def test_an_area_beyond_the_product(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(NoDataError, match=r"gldas: 'ebro'\. It spans -71\.02..-70\.98 N, where the product ends\. Cho"):
        gldas(tmp_path, 0.0, -71.0)


def rename(file):
    file.move(VARIABLE, "SoilMoi10_40cm_inst")


def kelvin(file):
    file[VARIABLE].attrs["units"] = "K"


def no_units(file):
    del file[VARIABLE].attrs["units"]


def other_shape(file):
    del file[VARIABLE]
    file[VARIABLE] = np.zeros((1, 10, 10), "f4")
    file[VARIABLE].attrs["units"] = "kg m-2"


def two_times(file):
    held = file[VARIABLE][:]
    del file[VARIABLE]
    file[VARIABLE] = np.concatenate([held, held])
    file[VARIABLE].attrs["units"] = "kg m-2"


def coarser(file):
    file["lat"][:] = -59.5 + 0.5 * np.arange(600)


def between(file):
    file["lon"][:] = file["lon"][:] + 0.125


def strided(file):
    file["lon"][1:] = file["lon"][1:] + 0.25


def another_hour(file):
    file["time"].attrs["units"] = "minutes since 2016-01-01 06:00:00"


def fractions(file):
    values = file[VARIABLE][:]
    file[VARIABLE][:] = np.where(values > 0, values / 100, values)


def mass_as_fraction(file):
    file[VARIABLE].attrs["units"] = "m3 m-3"


def deeper(file):
    values = file[VARIABLE][:]
    file[VARIABLE][:] = np.where(values > 0, values + 60, values)


def narrow(file):
    file[VARIABLE].attrs["valid_min"], file[VARIABLE].attrs["valid_max"] = np.float32(0), np.float32(0.5)


UNFIT = [
    (rename, f"no variable {VARIABLE}", "it has SoilMoi10_40cm_inst"),
    (kelvin, "other units", "units are K"),
    (no_units, "other units", "units are none"),
    (other_shape, "another shape", r"shape is \(1, 10, 10\), with 600 latitudes and 1440 longitudes"),
    (two_times, "another shape", r"shape is \(2, 600, 1440\)"),
    (lambda file: file.pop("lat"), "no coordinates", "Of latitudes along one axis it has none"),
    (coarser, "another grid", "Its rows are 2 pixels"),
    (between, "another grid", "Its columns are 1 pixels of the product apart and up to 0.50 off"),
    (strided, "another grid", "Its columns are"),
    (another_hour, "another time than its name", r"says 2016-01-01T03:00, its time is 2016-01-01T06:00"),
]
CONTRADICTORY = [
    (fractions, "numbers against units", r"units are kg m-2, its numbers go from 0\.\S+ to 0\.\S+ .*0\.00\d+ m3 m-3"),
    (mass_as_fraction, "numbers against units", r"units are m3 m-3, its numbers go from [1-9]"),
    (deeper, "numbers against units", r"units are kg m-2, its numbers go from 6\d\S* to .*soils have 0\.01 to 0\.6"),
    (narrow, "numbers against valid range", r"valid range is 0 to 0\.5, its numbers are"),
]


@pytest.mark.parametrize(("change", "kind", "reason"), UNFIT)
def test_a_granule_that_is_not_as_it_should_be_is_left_out_by_name(tmp_path: Path, change, kind, reason) -> None:
    path = write(tmp_path)
    write(tmp_path, "0600")
    with h5py.File(path, "r+") as file:
        change(file)
    source = Gldas(tmp_path)
    (dataset,) = source.open(around(-0.4, 41.4), DAY)
    assert [str(time)[11:16] for time in dataset.time.values] == ["06:00"], "the others are read"
    (entry,) = source.index.left_out
    assert (entry.source, entry.name, entry.file, entry.kind) == ("gldas", path.name, path.name, kind)
    assert re.search(reason, entry.reason)
    assert str(path) in entry.reason
    (tmp_path / NAME.format("20160101", "0600", "021")).unlink()
    with pytest.raises(NoDataError, match=reason) as told:
        gldas(tmp_path)
    assert path.name in told.value.problem


@pytest.mark.parametrize(("change", "kind", "reason"), CONTRADICTORY)
def test_numbers_that_contradict_their_file_are_missing_and_the_file_is_named(tmp_path, change, kind, reason) -> None:
    path = write(tmp_path)
    write(tmp_path, "0600")
    with h5py.File(path, "r+") as file:
        change(file)
    source = Gldas(tmp_path)
    (dataset,) = source.open(around(-0.4, 41.4), DAY)
    values = dataset["gldas"].values
    assert np.isnan(values[0]).all() and np.isfinite(values[1]).all()
    (entry,) = source.index.left_out
    assert (entry.name, entry.kind) == (path.name, kind)
    assert re.search(reason, entry.reason)
    (again,) = source.open(around(-0.4, 41.4), DAY)
    assert again.sizes["time"] == 1, "it is not asked again"


def test_a_truncated_granule_is_left_out_by_name(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    write(tmp_path, "0600")
    source = Gldas(tmp_path)
    (dataset,) = source.open(around(-0.4, 41.4), DAY)
    assert dataset.sizes["time"] == 1
    assert [(entry.name, entry.kind) for entry in source.index.left_out] == [(path.name, "unreadable")]


def test_a_file_of_the_classic_format_is_told_apart_from_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / NAME.format("20160101", "0300", "021")
    netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC").close()
    with pytest.raises(NoDataError, match=r"NetCDF file of the classic format.*nccopy -k nc4"):
        gldas(tmp_path)


ROWS, COLUMNS = np.arange(380, 425), np.arange(690, 735)
"""From the south; a part of the Earth around the first place."""


def write_subset(folder, name, rows=ROWS, columns=COLUMNS, *, north_first=False, dims=("time", "lat", "lon"), **how):
    """A part of a granule as a subset service or a user cuts it.

    Args:
        folder, name: where it is written.
        rows, columns: of the whole granule, rows from the south.
        north_first: whether its rows begin in the north.
        dims: names and order of its dimensions.
        how: `packed` as 16-bit integers; `degrees` east from 0 to 360; `units`, and what numbers in kg m-2 are
            multiplied with, `times`; `fill` of what is missing; `names` of its coordinates.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    lat, lon = -59.875 + 0.25 * rows, -179.875 + 0.25 * columns
    values = painted(*np.meshgrid(rows, columns, indexing="ij")) * how.get("times", 1.0)
    values[:, 0] = np.nan
    if north_first:
        lat, values = lat[::-1], values[::-1]
    if how.get("degrees"):
        lon = lon % 360
    names = how.get("names", ("lat", "lon"))
    arrays = {"time": np.zeros(1), names[0]: lat, names[1]: lon}
    sizes = dict(zip(dims, (1, lat.size, lon.size) if len(dims) == 3 else (lat.size, lon.size), strict=True))
    if dims[-1] in ("lat", "latitude"):
        values, sizes = values.T, {dims[-2]: lon.size, dims[-1]: lat.size} | ({dims[0]: 1} if len(dims) == 3 else {})
    down, across = (next(dim for dim in dims if dim[:2] in starts) for starts in (("la", "no"), ("lo", "ea")))
    along = {names[0]: down, names[1]: across}
    with netCDF4.Dataset(path, "w") as file:
        for dim in dims:
            file.createDimension(dim, sizes[dim])
        for axis in names:
            file.createVariable(axis, "f4", (along[axis],))[:] = arrays[axis]
        packed, fill = how.get("packed"), how.get("fill", -9999.0)
        variable = file.createVariable(VARIABLE, "i2" if packed else "f4", dims, fill_value=-32768 if packed else fill)
        variable.setncatts({"units": how.get("units", "kg m-2")})
        if packed:
            bounds = np.array([-30000, 30000], "i2")
            variable.setncatts({"scale_factor": 0.002, "add_offset": 20.0, "valid_range": bounds})
        variable[:] = np.ma.masked_invalid(values.reshape(variable.shape))
    return path


SUBSET = NAME.format("20160101", "0300", "021") + ".SUB.nc4"
SHAPES = {
    "fewer rows and columns": {},
    "north first": {"north_first": True},
    "without time": {"dims": ("lat", "lon")},
    "without time, north first": {"dims": ("lat", "lon"), "north_first": True},
    "longitude before latitude": {"dims": ("time", "lon", "lat")},
    "renamed": {"dims": ("time", "latitude", "longitude"), "names": ("latitude", "longitude")},
    "dimensions without variables": {"dims": ("time", "north_south", "east_west")},
    "packed": {"packed": True},
    "degrees east of Greenwich": {"degrees": True},
    "per cent": {"units": "percent"},
    "a fraction": {"units": "m3/m3", "times": 0.01},
    "units of another spelling": {"units": "kg/m^2"},
    "missing is 9999": {"fill": 9999.0},
    "missing is 1e20": {"fill": 1e20},
}


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_subset_is_read_as_the_whole_granule(tmp_path: Path, shape: str) -> None:
    write_subset(tmp_path / "part", SUBSET, **SHAPES[shape])
    write(tmp_path / "whole")
    np.testing.assert_allclose(gldas(tmp_path / "part"), gldas(tmp_path / "whole"), atol=2e-5)
    west = gldas(tmp_path / "part", lon=-179.875 + 0.25 * 690)
    assert np.isnan(west.values[..., :3]).all(), "what is missing, and what lies beyond the subset"
    assert np.isfinite(west.values[..., 3:]).all()


@pytest.mark.parametrize("number", [np.nan, -9999.0, 9999.0, 1e20, -1e20, -1.0])
def test_numbers_that_mean_missing_are_missing_whatever_the_file_says(tmp_path: Path, number: float) -> None:
    path = write(tmp_path)
    with h5py.File(path, "r+") as file:
        del file[VARIABLE].attrs["missing_value"]
        file[VARIABLE][0, 405, 718] = number
    found = gldas(tmp_path)
    assert int(found.isnull().sum()) == 1
    assert np.isnan(found.sel(x=-0.375, y=41.375).values[0])


def test_subsets_of_two_regions_complete_each_other_and_the_whole_granule(tmp_path: Path) -> None:
    write_subset(tmp_path / "west", SUBSET, columns=np.arange(690, 716))
    write_subset(tmp_path / "east", SUBSET, columns=np.arange(715, 740))
    write(tmp_path / "whole")
    both = gldas(tmp_path / "west"), gldas(tmp_path / "east")
    for folder in ("west", "east"):
        (tmp_path / "both" / folder).mkdir(parents=True)
        (tmp_path / folder / SUBSET).rename(tmp_path / "both" / folder / SUBSET)
    assert all(part.isnull().any() for part in both)
    np.testing.assert_allclose(gldas(tmp_path / "both"), gldas(tmp_path / "whole"), rtol=1e-6)


def test_a_subset_that_lies_elsewhere_is_missing_here(tmp_path: Path) -> None:
    write_subset(tmp_path, SUBSET, columns=np.arange(100, 130))
    found = gldas(tmp_path)
    assert found.sizes["time"] == 1 and found.isnull().all()


def test_a_subset_across_the_antimeridian(tmp_path: Path) -> None:
    write_subset(tmp_path, SUBSET, columns=np.arange(1430, 1450))
    east, west = gldas(tmp_path, 179.9), gldas(tmp_path, -179.9)
    for found in (east, west):
        assert np.isfinite(found).all()
    rows = np.round((west.y.values + 59.875) / 0.25).astype(int)
    np.testing.assert_allclose(west[0, :, 0], painted(rows, 1440) / 100, rtol=1e-6)


ADDRESS = "HTTP_services.cgi?FILENAME=%2Fdata%2FGLDAS%2FGLDAS_NOAH025_3H.2.1%2F2016%2F001%2F{}&FORMAT=bmM0Lw"
WHOLE = "GLDAS_NOAH025_3H.A20160101.0300.021.nc4"
MAIN_NAMES = [
    WHOLE,
    f"{WHOLE}.SUB.nc4",
    f"{WHOLE}.nc4",
    f"{WHOLE}?SoilMoi0_10cm_inst[0:0][390:420][700:730],lat[390:420],lon[700:730]",
    f"{WHOLE}.dap.nc4",
    "GLDAS_NOAH025_3H.A20160101.0300.021.nc",
    "GLDAS_NOAH025_3H.A20160101.0300.021_subsetted.nc4",
    f"{WHOLE} (1)",
    "gldas_noah025_3h.a20160101.0300.021.NC4",
    ADDRESS.format(WHOLE),
    "20260101_GLDAS_NOAH025_3H.A20160101.0300.021.h5",
]


@pytest.mark.parametrize("name", MAIN_NAMES)
def test_names_of_granules_and_of_their_subsets_are_known(tmp_path: Path, name: str) -> None:
    write(tmp_path).rename(tmp_path / name)
    source = Gldas(tmp_path)
    (granule,) = source.index.granules
    assert (granule.time, granule.version, granule.stream) == (np.datetime64("2016-01-01T03:00"), "021", MAIN)
    assert source.index.left_out == ()
    early = tmp_path / name.replace("3H.A", "3H_EP.A").replace("3h.a", "3h_ep.a")
    (tmp_path / name).rename(early)
    assert [one.stream for one in Gldas(tmp_path).index.granules] == [EARLY]
    (dataset,) = Gldas(tmp_path).open(around(-0.4, 41.4), DAY)
    assert dataset.attrs["item"] == "GLDAS_NOAH025_3H_EP 021"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("GLDAS_NOAH025_M.A201601.021.nc4", "another product of GLDAS"),
        ("GLDAS_NOAH025_M_EP.A201601.021.nc4", "another product of GLDAS"),
        ("GLDAS_NOAH10_3H.A20160101.0300.021.nc4", "another product of GLDAS"),
        ("GLDAS_VIC10_3H.A20160101.0300.021.nc4", "another product of GLDAS"),
        ("GLDAS_CLSM025_D.A20140101.020.nc4", "another product of GLDAS"),
        ("GLDAS_CLSM025_DA1_D.A20160101.022.nc4.SUB.nc4", "another product of GLDAS"),
        ("GLDAS_NOAH025_D.A20160101.021.nc4", "another product of GLDAS"),
        ("GLDAS_NOAH025_3H.A20140101.0300.020.nc4", "another version of GLDAS"),
        ("GLDAS_NOAH025_3H.A20161399.0300.021.nc4", "no date in its name"),
        ("GLDAS_NOAH025_3H.A20160101.2560.021.nc4", "no date in its name"),
        ("GLDAS_NOAH025_3H.A20160101.0300.021.nc4.part", "unfinished download"),
        ("GLDAS_NOAH025_3H.A20160101.0300.021.tif", "another format"),
        ("GLDAS_NOAH025_3H.A20160101.0300.021.nc4.gz", "another format"),
        ("GLDAS_NOAH025_3H_20160101.nc4", "not named as a granule"),
        ("gldas/soil_moisture_2016.nc", "not named as a granule"),
    ],
)
def test_files_that_look_like_granules_are_left_out_by_name(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    (entry,) = Gldas(tmp_path).index.left_out
    assert (entry.source, entry.name, entry.file, entry.kind) == ("gldas", path.name, name, kind)
    with pytest.raises(NoDataError, match=re.escape(path.name)):
        gldas(tmp_path)


@pytest.mark.parametrize(
    "name", [f"{WHOLE}.xml", f"{WHOLE}.md5", f"{WHOLE}.png", "gldas/README.pdf", "gldas/download.sh", "SMAP_L3_SM_P.h5"]
)
def test_files_beside_granules_are_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / "gldas").mkdir()
    (tmp_path / name).touch()
    assert Gldas(tmp_path).index.left_out == ()


def streams(archive, period=DAY):
    return {dataset.attrs["item"]: dataset for dataset in Gldas(archive).open(around(-0.4, 41.4), period)}


def write_early(folder, clock="0300", **how):
    path = write(folder / "early", clock, **how)
    return path.rename(path.with_name(path.name.replace("3H.A", "3H_EP.A")))


def test_each_stream_carries_when_it_was_published_and_when_it_gave_way(tmp_path: Path) -> None:
    write(tmp_path, "0300")
    write_early(tmp_path, "0300", offset=5.0)
    write_early(tmp_path, "0600", offset=5.0)
    found = streams(tmp_path)
    main, early = found["GLDAS_NOAH025_3H 021"], found["GLDAS_NOAH025_3H_EP 021"]
    latency = (main["available_at"] - main["time"]).values / np.timedelta64(1, "D")
    assert latency == 122
    np.testing.assert_array_equal((early["available_at"] - early["time"]).values / np.timedelta64(1, "D"), [45, 45])
    assert np.isnat(main["replaced_at"].values).all()
    np.testing.assert_array_equal(
        early["replaced_at"].values, np.array([main["available_at"].values[0], "NaT"], "datetime64[ns]")
    )


def test_an_early_product_is_not_replaced_by_a_main_one_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path).write_bytes(b"no granule")
    write_early(tmp_path)
    found = streams(tmp_path)
    assert set(found) == {"GLDAS_NOAH025_3H_EP 021"}
    assert np.isnat(found["GLDAS_NOAH025_3H_EP 021"]["replaced_at"].values).all()


NEEDS = InputSpec(cells=("gldas",), history=HistorySpec(("gldas",), 3, 1.0))
TILE = tile_around(-0.4, 41.4, 0)
NOON = np.datetime64("2016-01-01T12:00", "ns")


THE_EARLY, THE_MAIN = (f"GLDAS_NOAH025_3H{kind}.A20160101.0300.021.nc4" for kind in ("_EP", ""))


@pytest.mark.parametrize(("days", "item"), [(44, None), (46, THE_EARLY), (121, THE_EARLY), (123, THE_MAIN)])
@pytest.mark.parametrize("twins", [True, False])
def test_as_of_reads_the_stream_that_was_there(tmp_path: Path, days: int, item: str | None, twins: bool) -> None:
    """The main stream alone is not there for four months; beside the early product it takes its place then."""
    write(tmp_path)
    if twins:
        write_early(tmp_path, offset=5.0)
    elif item == THE_EARLY:
        item = None
    as_of = NOON + np.timedelta64(days, "D")
    if item is None:
        with pytest.raises(NoDataError):
            build_features([Gldas(tmp_path)], TILE, NOON, NEEDS, as_of=as_of)
        return
    inputs = build_features([Gldas(tmp_path)], TILE, NOON, NEEDS, as_of=as_of)
    assert inputs.items == (item,)
    value = float(inputs.cells["gldas"].mean())
    plain = float(build_features([Gldas(tmp_path)], TILE, NOON, NEEDS).cells["gldas"].mean())
    assert value == pytest.approx(plain + 0.05 * (item == THE_EARLY), abs=1e-6)
    assert float(inputs.history["gldas"][0].mean()) == pytest.approx(value, abs=1e-6), "each instant counts once"


def test_hindsight_reads_the_main_stream_and_early_products_where_it_ends(tmp_path: Path) -> None:
    write(tmp_path, "0300")
    write_early(tmp_path, "0300", offset=5.0)
    write_early(tmp_path, "0600", offset=5.0)
    inputs = build_features([Gldas(tmp_path)], TILE, NOON, NEEDS)
    assert inputs.items == (THE_MAIN, THE_EARLY.replace("0300", "0600"))
    assert float(inputs.cells["gldas_age"].max()) == 0.25
    at_five = build_features([Gldas(tmp_path)], TILE, np.datetime64("2016-01-01T05:00", "ns"), NEEDS)
    main = float(at_five.cells["gldas"].mean())
    assert float(inputs.cells["gldas"].mean()) == pytest.approx(main + 0.05, abs=1e-6)
    assert float(inputs.history["gldas"][0].mean()) == pytest.approx(main + 0.025, abs=1e-6)


def test_causal_samples_see_a_stream_when_it_was_there(tmp_path: Path) -> None:
    write(tmp_path)
    write_early(tmp_path, offset=5.0)
    windows = TemporalPolicy({"gldas": 200.0}, causal=True)
    days = Period(NOON, NOON + np.timedelta64(130, "D"))
    needs = InputSpec(cells=("gldas",))
    assembler = FeatureBuilder.open([Gldas(tmp_path)], TILE, days, needs, windows)
    seen = {after: assembler.at(NOON + np.timedelta64(after, "D")).items for after in (40, 50, 120, 123)}
    early, main = (THE_EARLY,), (THE_MAIN,)
    assert seen == {40: (), 50: early, 120: early, 123: main}
    stated = TemporalPolicy({"gldas": 200.0}, causal=True, latency_days={"gldas": 10.0})
    assembler = FeatureBuilder.open([Gldas(tmp_path)], TILE, days, needs, stated)
    assert assembler.at(NOON + np.timedelta64(11, "D")).items == main, "what a user states goes for all streams"
