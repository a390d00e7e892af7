"""GLDAS-2.1 Noah granules: real ones, and ones written here in their structure."""

import pickle
from pathlib import Path

import dask.array as da
import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.grid import Area, Period
from vadose.refusal import NothingFound, Refusal
from vadose.sources.gldas import GRID, Gldas

NAME = "GLDAS_NOAH025_3H.A{}.{}.{}.nc4"
PLACES = [(-0.4, 41.4), (-70.6, -33.4), (139.7, 36.2), (-149.8, 61.3), (36.8, -1.3), (-179.9, 67.9), (176.3, -38.6)]
VARIABLE = "SoilMoi0_10cm_inst"
DAY = Period.parse("2016-01-01")


def around(lon, lat, half=0.02, name="ebro"):
    return Area.from_bbox(max(lon - half, -180), lat - half, min(lon + half, 180), lat + half, name)


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

    @settings(max_examples=40)
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


def test_of_two_releases_of_an_instant_the_later_one_counts(tmp_path: Path) -> None:
    write(tmp_path, version="020", offset=10.0)
    old = gldas(tmp_path).values
    write(tmp_path, version="021")
    new = gldas(tmp_path)
    np.testing.assert_allclose(old - new.values, 0.1, rtol=1e-4)
    (dataset,) = Gldas(tmp_path).open(around(-0.4, 41.4), DAY)
    assert (dataset.attrs["source"], dataset.attrs["item"]) == ("gldas", "GLDAS_NOAH025_3H 021")


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
    (dataset,) = Gldas(tmp_path).open(Area.from_bbox(-60, -50, 60, 60, "half the world"), DAY)
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
        with pytest.raises(NothingFound) as told:
            gldas(tmp_path, period=Period.parse(asked))
        assert told.value.asked == f"gldas: no granules for {Period.parse(asked)} in 'ebro'."
        assert told.value.found == f"Found 2016-01-01..2016-01-05{found}"
        assert "period inside it" in told.value.remedy


def test_an_archive_without_granules_or_no_archive(tmp_path: Path) -> None:
    with pytest.raises(NothingFound, match=r"Found none at all under .*Download some"):
        gldas(tmp_path)
    with pytest.raises(Refusal, match=r"no such folder.*Give the folder"):
        gldas(tmp_path / "absent")


def test_an_area_beyond_the_product(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(
        NothingFound, match=r"gldas: 'ebro'\. It spans -71\.02..-70\.98 N, where the product ends\. Cho"
    ):
        gldas(tmp_path, 0.0, -71.0)


def rename(file):
    file.move(VARIABLE, "SoilMoi10_40cm_inst")


def percent(file):
    file[VARIABLE].attrs["units"] = "percent"


def no_units(file):
    del file[VARIABLE].attrs["units"]


def subset(file):
    del file[VARIABLE]
    file[VARIABLE] = np.zeros((1, 10, 10), "f4")


def flip(file):
    file["lat"][:] = file["lat"][:][::-1]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (rename, "no variable SoilMoi0_10cm_inst"),
        (percent, "units are percent"),
        (no_units, "units are none"),
        (subset, r"shape is \(1, 10, 10\), its units are none; the product has \(1, 600, 1440\) and kg m-2"),
        (lambda file: file.pop("lat"), r"first latitude and longitude are \[-179\.875\]"),
        (flip, r"first latitude and longitude are \[89\.875, -179\.875\]"),
    ],
)
def test_a_granule_that_is_not_as_it_should_be_is_refused(tmp_path: Path, change, found: str) -> None:
    path = write(tmp_path)
    with h5py.File(path, "r+") as file:
        change(file)
    refuses(path, found)


def test_a_truncated_granule_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refuses(path, "It cannot be read")


def refuses(path: Path, found: str) -> None:
    before = sorted(path.parent.iterdir())
    lazy = gldas(path.parent)
    with pytest.raises(Refusal, match=found) as told:
        lazy.compute()
    assert str(path) in told.value.asked
    assert told.value.remedy
    assert sorted(path.parent.iterdir()) == before


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    link = tmp_path / NAME.format("20160101", "0300", "021")
    link.symlink_to(tmp_path / "gone.nc4")
    with pytest.raises(Refusal, match=r"0300\.021\.nc4\. It cannot be read: .*Restore or remove it"):
        gldas(tmp_path)
