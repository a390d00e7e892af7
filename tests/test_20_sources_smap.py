"""SMAP L3 granules, written here in the structure of real ones, each pixel painted with its own row and column."""

import json
import pickle
import re
import shutil
from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period
from vadose.sources.smap import Smap, read_name, smap_surface
from vadose.sources.smap_granule import PRODUCTS

AM, PM = "Soil_Moisture_Retrieval_Data_AM", "Soil_Moisture_Retrieval_Data_PM"
VARIABLES = {
    "soil_moisture": ("f4", -9999.0, {"units": b"cm**3/cm**3", "valid_min": 0.02, "valid_max": 0.5}),
    "retrieval_qual_flag": ("u2", 65534, {}),
    "surface_flag": ("u2", 65534, {}),
    "tb_time_seconds": ("f8", -9999.0, {"units": b"seconds", "valid_min": -999999.9}),
    "EASE_row_index": ("u2", 65534, {"valid_min": 0}),
    "EASE_column_index": ("u2", 65534, {"valid_min": 0}),
}
SHAPES = {"9km": (1624, 3856), "36km": (406, 964)}
STEPS = {"9km": 9008.055210146, "36km": 36032.220840584}
NAMES = {"9km": "SMAP_L3_SM_P_E_{}_R19240_001.h5", "36km": "SMAP_L3_SM_P_{}_R19240_001.h5"}
PLACES = [(-0.5, 41.5), (-70.6, -33.4), (139.9, 35.6), (-149.9, 61.2), (178.0, -38.6), (36.8, -1.3), (-179.99, 66.2)]
DAY = "2016-01-01"
J2000 = np.datetime64("2000-01-01T12:00:00", "ns")


def painted(row, column):
    """Soil moisture that tells its row and column among 20 x 20 neighbours."""
    return np.float32(0.05) + np.float32(0.001) * ((row % 20) * 20 + column % 20).astype(np.float32)


def pixel(lon, lat, grid):
    """Row and column by pyproj and the definition of EASE-Grid 2.0."""
    x, y = Transformer.from_crs(4326, 6933, always_xy=True).transform(lon, lat)
    return int((7314540.8306386 - y) // STEPS[grid]), int((x + 17367530.4451615) // STEPS[grid])


def write_group(file, name, suffix, grid, around, seconds):
    """One overpass, with data in the 24 x 24 pixels around a pixel."""
    group = file.create_group(name)
    rows, columns = (np.clip(np.arange(i - 12, i + 12), 0, n - 1) for i, n in zip(around, SHAPES[grid], strict=True))
    rows, columns = np.unique(rows), np.unique(columns)
    row, column = np.meshgrid(rows, columns, indexing="ij")
    content = {
        "soil_moisture": painted(row, column),
        "retrieval_qual_flag": np.zeros(row.shape),
        "surface_flag": np.zeros(row.shape),
        "tb_time_seconds": seconds + (row - around[0]),
        "EASE_row_index": row,
        "EASE_column_index": column,
    }
    for variable, (dtype, fill, attrs) in VARIABLES.items():
        chunks = tuple(n // 4 for n in SHAPES[grid])
        dataset = group.create_dataset(variable + suffix, SHAPES[grid], dtype, chunks=chunks, fillvalue=fill)
        dataset.attrs["_FillValue"] = np.dtype(dtype).type(fill)
        for key, value in attrs.items():
            dataset.attrs[key] = np.bytes_(value) if isinstance(value, bytes) else np.dtype(dtype).type(value)
        dataset[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = content[variable]
    return group


def seconds_of(time):
    return float((np.datetime64(time, "ns") - J2000) / np.timedelta64(1, "s"))


def write(folder, grid="36km", place=PLACES[0], day=DAY, hours=(6, 18), suffix="_pm", name=None):
    """A day's granule with an overpass in the morning and one in the evening, ten minutes after the hour."""
    path = folder / (name or NAMES[grid].format(day.replace("-", "")))
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for group, ending, hour in ((AM, "", hours[0]), (PM, suffix, hours[1])):
            write_group(file, group, ending, grid, pixel(*place, grid), seconds_of(f"{day}T{hour:02}:10:00"))
        polar = file.create_group("Soil_Moisture_Retrieval_Data_Polar_AM")
        polar.create_dataset("soil_moisture", (2000, 2000), "f4", chunks=(500, 500), fillvalue=0.3)
    return path


def around(place, half=0.03, name="ebro"):
    lon, lat = place
    return AreaOfInterest.from_bbox(max(lon - half, -180), lat - half, min(lon + half, 180), lat + half, name)


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def moisture(source, place=PLACES[0], period=DAY):
    (dataset,) = source.open(around(place), Period.parse(period))
    return dataset["smap"]


def test_the_granules_of_these_tests_are_built_as_real_ones(real: Path, tmp_path: Path) -> None:
    structures = json.loads((real / "smap" / "smap_l3_structure_from_opendap_dmr.json").read_text())
    kinds = {"f4": "Float32", "f8": "Float64", "u2": "UInt16"}
    for structure, grid in zip(structures.values(), ("36km", "9km"), strict=True):
        found = {variable["attrs"]["fullnamepath"]: variable for variable in structure["vars"]}
        with h5py.File(write(tmp_path, grid), "r") as file:
            for group, suffix in ((AM, ""), (PM, "_pm")):
                for name, (dtype, fill, attrs) in VARIABLES.items():
                    actual = found[f"/{group}/{name}{suffix}"]
                    sizes = tuple(structure["dims"][dim.strip("/")] for dim in actual["dims"])
                    assert file[group][name + suffix].shape == sizes
                    assert kinds[dtype] == actual["dtype"]
                    assert float(actual["attrs"]["_FillValue"]) == fill
                    for key, value in attrs.items():
                        told = actual["attrs"][key]
                        assert (
                            told == value.decode() if isinstance(value, bytes) else float(told) == pytest.approx(value)
                        )
        assert read_name(structure["granule"]).stream == PRODUCTS[grid].stream


@pytest.mark.parametrize("grid", ["9km", "36km"])
@pytest.mark.parametrize("place", PLACES)
def test_the_pixel_under_a_place_is_the_right_one(tmp_path: Path, grid: str, place: tuple[float, float]) -> None:
    write(tmp_path, grid, place)
    found = moisture(Smap(tmp_path), place)
    row, column = pixel(*place, grid)
    x, y = Transformer.from_crs(4326, found.rio.crs, always_xy=True).transform(*place)
    here = found.sel(x=x, y=y, method="nearest")
    assert abs(float(here.x) - x) <= STEPS[grid] / 2
    assert abs(float(here.y) - y) <= STEPS[grid] / 2
    np.testing.assert_array_equal(here.values, painted(np.array([row, row]), column))


def test_every_pixel_of_the_window_is_in_its_place(tmp_path: Path) -> None:
    write(tmp_path, "9km")
    found = moisture(Smap(tmp_path))
    rows = (7314540.8306386 - found.y.values) / STEPS["9km"] - 0.5
    columns = (found.x.values + 17367530.4451615) / STEPS["9km"] - 0.5
    row, column = np.meshgrid(np.round(rows).astype(int), np.round(columns).astype(int), indexing="ij")
    np.testing.assert_allclose(rows, row[:, 0], atol=1e-6)
    np.testing.assert_array_equal(found.values[0], painted(row, column))
    assert found.dims == ("time", "y", "x")
    assert found.dtype == np.float32
    assert found.rio.crs.to_epsg() == 6933
    assert found.rio.transform().almost_equals(found.rio.transform(recalc=True), 1e-6)
    assert 5 <= min(found.shape[1:]) <= max(found.shape[1:]) <= 7


@given(lon=st.floats(-180, 179.9999), lat=st.floats(-85, 85), grid=st.sampled_from(["9km", "36km"]))
def test_places_fall_into_the_pixel_whose_centre_is_nearest(lon: float, lat: float, grid: str) -> None:
    ease = PRODUCTS[grid].grid
    row, column = ease.pixel_of(lon, lat)
    assert 0 <= row < SHAPES[grid][0]
    assert 0 <= column < SHAPES[grid][1]
    x, y = Transformer.from_crs(4326, 6933, always_xy=True).transform(lon, lat)
    assert abs(-17367530.4451615 + (column + 0.5) * ease.step - x) <= ease.step / 2 + 1e-6
    assert abs(7314540.8306386 - (row + 0.5) * ease.step - y) <= ease.step / 2 + 1e-6


@given(west=st.floats(-180, 178), south=st.floats(-79, 82), size=st.floats(1e-3, 2), margin=st.integers(0, 3))
def test_a_window_holds_the_corners_of_its_area_and_its_blocks_hold_it(west, south, size, margin) -> None:
    ease = PRODUCTS["9km"].grid
    area = AreaOfInterest.from_bbox(west, south, west + size, min(south + size, 84))
    window = ease.window(area, margin, "smap")
    for lon, lat in ((west, south), (west + size, min(south + size, 84))):
        row, column = ease.pixel_of(lon, lat)
        assert window.top <= row < window.bottom
        assert window.left <= column < window.right
    held = np.zeros(window.shape, int)
    for block in ease.blocks(window, 32):
        assert block.top % 32 == block.left % 32 == 0
        held[window.shared(block).within(window)] += 1
    assert (held == 1).all()


def test_overpasses_are_ordered_and_have_their_times_rounded_up(tmp_path: Path) -> None:
    write(tmp_path, day="2016-01-02", hours=(17, 5))
    write(tmp_path, day="2016-01-01", hours=(17, 5))
    times = moisture(Smap(tmp_path), period="2016-01-01/2016-01-02").time.values
    expected = ["2016-01-01T05:30", "2016-01-01T17:30", "2016-01-02T05:30", "2016-01-02T17:30"]
    np.testing.assert_array_equal(times, np.array(expected, "datetime64[ns]"))


def test_an_overpass_belongs_to_the_period_by_its_own_time(tmp_path: Path) -> None:
    write(tmp_path, hours=(6, 18))
    source = Smap(tmp_path)
    area = around(PLACES[0])
    late = Period(np.datetime64("2016-01-01T12:00"), np.datetime64("2016-01-02"))
    (dataset,) = source.open(area, late)
    assert dataset.time.values.tolist() == [np.datetime64("2016-01-01T18:30", "ns").astype(int)]


@pytest.fixture(scope="module")
def meeting(tmp_path_factory) -> Path:
    """Two half-orbits that meet in a slanted line, either of which crosses a half hour; and the evening."""
    folder = tmp_path_factory.mktemp("meeting")
    path, (row, column) = write(folder, "9km"), pixel(*PLACES[0], "9km")

    def paint(file):
        pixels = np.s_[row - 12 : row + 12, column - 12 : column + 12]
        rows, columns = np.meshgrid(np.arange(-12, 12), np.arange(-12, 12), indexing="ij")
        late = columns > rows / 2
        seconds = np.where(late, seconds_of(f"{DAY}T07:30:01.3"), seconds_of(f"{DAY}T05:59:58.6"))
        file[AM]["tb_time_seconds"][pixels] = seconds + 1.3 * rows
        moisture = file[AM]["soil_moisture"][pixels]
        file[AM]["soil_moisture"][pixels] = np.where((rows + columns) % 7 == 0, -9999.0, moisture)

    edit(path, paint)
    return folder


def moments(folder, box, period=DAY):
    """Soil moisture over a box with the pixels of each time, of all times of the period."""
    (dataset,) = Smap(folder).open(AreaOfInterest.from_bbox(*box), Period.parse(period))
    times = np.arange(f"{DAY}T00:30", "2016-01-02T00:30", np.timedelta64(30, "m"), "datetime64[m]")
    return dataset["smap"].load().reindex(time=times.astype("datetime64[ns]"))


@given(west=st.floats(-1.4, 0.2), south=st.floats(40.9, 41.9), width=st.floats(1e-3, 0.8), height=st.floats(1e-3, 0.5))
def test_what_a_pixel_holds_and_when_depends_on_no_window(meeting: Path, west, south, width, height) -> None:
    big = moments(meeting, (-2.0, 40.5, 1.0, 42.5))
    assert np.isfinite(big).any(("y", "x")).sum() == 5
    small = moments(meeting, (west, south, west + width, south + height))
    np.testing.assert_array_equal(small, big.sel(x=small.x, y=small.y))
    assert small.size < big.size


def test_no_value_is_given_before_it_was_observed_nor_lost(meeting: Path) -> None:
    found = moments(meeting, (-2.0, 40.5, 1.0, 42.5)).stack(at=("time", "y", "x")).dropna("at")
    rows = np.round((7314540.8306386 - found.y.values) / STEPS["9km"] - 0.5).astype(int)
    columns = np.round((found.x.values + 17367530.4451615) / STEPS["9km"] - 0.5).astype(int)
    with h5py.File(next(meeting.iterdir())) as file:
        told = [file[AM]["tb_time_seconds"][:], file[PM]["tb_time_seconds_pm"][:]]
        held = [file[AM]["soil_moisture"][:] > 0, file[PM]["soil_moisture_pm"][:] > 0]
    assert found.size == held[0].sum() + held[1].sum()
    evening = (found.time.values > np.datetime64(f"{DAY}T12")).astype(int)
    delay = (found.time.values - J2000) / np.timedelta64(1, "s") - np.stack(told)[evening, rows, columns]
    assert 0 <= delay.min() <= delay.max() < 1800


def test_a_half_orbit_that_crosses_midnight_is_found_from_either_day(tmp_path: Path) -> None:
    path = write(tmp_path)
    edit(
        path,
        lambda file: file[PM]["tb_time_seconds_pm"].write_direct(
            np.full(SHAPES["36km"], seconds_of("2016-01-02T00:10"))
        ),
    )
    expected = moisture(Smap(tmp_path), period="2016-01-01/2016-01-02").sel(time=["2016-01-02T00:30"])
    xr.testing.assert_identical(moisture(Smap(tmp_path), period="2016-01-02").compute(), expected.compute())
    assert moisture(Smap(tmp_path), period="2016-01-01").sizes["time"] == 1


def test_two_granules_and_both_their_groups_may_share_a_time(tmp_path: Path) -> None:
    row, column = pixel(*PLACES[0], "36km")
    shared = np.full(SHAPES["36km"], seconds_of("2016-01-02T00:10"))
    for day, name, suffix, left in ((DAY, PM, "_pm", 1), ("2016-01-02", AM, "", 0), ("2016-01-02", PM, "_pm", -1)):
        path = tmp_path / NAMES["36km"].format(day.replace("-", ""))
        path = path if path.exists() else write(tmp_path, day=day)

        def paint(file, name=name, suffix=suffix, left=left):
            file[name]["tb_time_seconds" + suffix].write_direct(shared)
            file[name]["soil_moisture" + suffix][row, column - 2 : column + 3] = -9999
            file[name]["soil_moisture" + suffix][row, column + left] = 0.3 + left / 10

        edit(path, paint)
    found = moisture(Smap(tmp_path), period="2016-01-02").sel(time="2016-01-02T00:30").values[2]
    np.testing.assert_allclose(found, [np.nan, 0.2, 0.3, 0.4, np.nan], rtol=1e-6)


@pytest.mark.parametrize("seconds", [-9999.0, np.nan, seconds_of("2015-12-31T21:00"), seconds_of("2016-01-02T02:00")])
@pytest.mark.parametrize(
    ("lon", "morning", "evening"),
    [(1.0, "06:00", "18:00"), (88.0, "00:30", "12:30"), (-148.0, "16:00", "04:00"), (179.9, "18:30", "06:30")],
)
def test_without_times_it_is_six_o_clock_by_the_local_sun(tmp_path: Path, lon, morning, evening, seconds) -> None:
    path = write(tmp_path, place=(lon, 41.5))
    edit(path, lambda file: file[AM]["tb_time_seconds"].write_direct(np.full(SHAPES["36km"], seconds)))
    edit(path, lambda file: file[PM].pop("tb_time_seconds_pm"))
    times = moisture(Smap(tmp_path), (lon, 41.5)).time.values
    assert [str(time)[11:16] for time in times] == sorted([morning, evening])


def test_evening_variables_may_lack_their_suffix(tmp_path: Path) -> None:
    write(tmp_path / "with", suffix="_pm")
    write(tmp_path / "without", suffix="")
    np.testing.assert_array_equal(moisture(Smap(tmp_path / "with")), moisture(Smap(tmp_path / "without")))


def test_the_single_group_of_the_first_releases_is_the_morning(tmp_path: Path) -> None:
    path = write(tmp_path)
    edit(path, lambda file: (file.move(AM, "Soil_Moisture_Retrieval_Data"), file.pop(PM)))
    found = moisture(Smap(tmp_path))
    assert found.sizes["time"] == 1
    assert found.time.dt.hour.item() == 6


def test_only_recommended_retrievals_are_kept_unless_all_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path)
    row, column = pixel(*PLACES[0], "36km")

    def flag(file):
        flags = file[AM]["retrieval_qual_flag"]
        flags[row, column - 1 : column + 2] = [0b1001, 0b1000, 65534]

    edit(path, flag)
    recommended = moisture(Smap(tmp_path)).values[0, 2]
    retrieved = moisture(Smap(tmp_path, quality="retrieved")).values[0, 2]
    np.testing.assert_array_equal(np.isfinite(recommended), [True, False, True, False, True])
    assert np.isfinite(retrieved).all()
    np.testing.assert_array_equal(recommended[2], retrieved[2])


def test_fill_and_unphysical_values_are_missing_and_wet_ones_are_not(tmp_path: Path) -> None:
    path = write(tmp_path)
    row, column = pixel(*PLACES[0], "36km")

    def paint(file):
        file[AM]["soil_moisture"][row, column - 2 : column + 3] = [-9999, 0.019, 0.02, 0.56, 1.2]

    edit(path, paint)
    found = moisture(Smap(tmp_path)).values[0, 2]
    np.testing.assert_array_equal(found, np.array([np.nan, np.nan, 0.02, 0.56, np.nan], np.float32))


@pytest.mark.parametrize(("grid", "expected"), [("auto", "9km"), ("9km", "9km"), ("36km", "36km")])
def test_the_fine_grid_is_taken_where_it_exists(tmp_path: Path, grid, expected) -> None:
    write(tmp_path, "36km")
    write(tmp_path, "9km")
    (dataset,) = Smap(tmp_path, grid=grid).open(around(PLACES[0]), Period.parse(DAY))
    assert dataset.attrs["item"] == {"9km": "SPL3SMP_E R19240_001", "36km": "SPL3SMP R19240_001"}[expected]
    assert dataset.attrs["source"] == "smap"
    assert dataset.rio.resolution()[0] == pytest.approx(STEPS[expected])


def test_a_day_is_of_the_same_product_whatever_the_period(tmp_path: Path) -> None:
    days = {"2016-01-01": "36km", "2016-01-02": "9km", "2016-01-15": "36km", "2016-01-30": "9km"}
    for day, finest in days.items():
        for grid in {"36km", finest}:
            write(tmp_path, grid, day=day)
    whole = Smap(tmp_path).open(around(PLACES[0]), Period.parse("2016-01-01/2016-01-30"))
    assert [dataset.attrs["item"] for dataset in whole] == ["SPL3SMP_E R19240_001", "SPL3SMP R19240_001"]
    assert [dataset.sizes["time"] for dataset in whole] == [4, 4]
    for day, grid in days.items():
        alone = moisture(Smap(tmp_path), period=day)
        assert abs(alone.rio.resolution()[0]) == pytest.approx(STEPS[grid])
        same = whole[0 if grid == "9km" else 1]["smap"].sel(time=day)
        xr.testing.assert_identical(alone.compute(), same.compute())


def test_of_two_releases_of_a_day_the_later_one_counts(tmp_path: Path) -> None:
    new = write(tmp_path / "new")
    old = write(tmp_path / "old", name="SMAP_L3_SM_P_20160101_R18290_002.h5")
    edit(old, lambda file: file[AM]["soil_moisture"].write_direct(np.full(SHAPES["36km"], 0.3, "f4")))
    (dataset,) = Smap(tmp_path).open(around(PLACES[0]), Period.parse(DAY))
    assert dataset.attrs["item"] == "SPL3SMP R19240_001"
    shutil.rmtree(new.parent)
    assert (moisture(Smap(tmp_path)).values[0] == np.float32(0.3)).all()


def test_values_are_lazy_and_a_neighbour_opens_no_file_again(tmp_path: Path) -> None:
    path = write(tmp_path, "9km", place=(10.0, 0.0))
    source = Smap(tmp_path)
    first = moisture(source, (10.00, 0.0))
    assert isinstance(first.data, da.Array)
    path.unlink()
    second = moisture(source, (10.05, 0.05))
    row, column = pixel(10.05, 0.05, "9km")
    x, y = Transformer.from_crs(4326, 6933, always_xy=True).transform(10.05, 0.05)
    assert second.sel(x=x, y=y, method="nearest").values[0] == painted(np.array(row), column)


def test_a_large_area_is_read_whole(tmp_path: Path) -> None:
    write(tmp_path, "36km")
    (dataset,) = Smap(tmp_path).open(AreaOfInterest.from_bbox(-60, -40, 60, 60, "half the world"), Period.parse(DAY))
    row, column = pixel(*PLACES[0], "36km")
    x, y = Transformer.from_crs(4326, 6933, always_xy=True).transform(*PLACES[0])
    assert dataset["smap"].sel(x=x, y=y, method="nearest").values[0] == painted(np.array(row), column)
    assert int(dataset["smap"][0].notnull().sum()) == 24 * 24


def beyond(place):
    """A place on the other side of the antimeridian."""
    return -place[0], place[1]


@pytest.mark.parametrize("place", [(179.9, -17.0), (-179.9, -17.0)])
@pytest.mark.parametrize("told", [True, False])
def test_an_area_across_the_antimeridian_is_one_strip_with_its_own_times(tmp_path: Path, place, told) -> None:
    path, (row, _) = write(tmp_path, "36km", place), pixel(*place, "36km")

    def paint(file):
        """Data all around the Earth, each pixel at six by its local sun, ten minutes early."""
        lon = (np.arange(964) + 0.5) / 964 * 360 - 180
        for name, suffix, hour in ((AM, "", 6), (PM, "_pm", 18)):
            rows = np.s_[row - 3 : row + 4]
            file[name]["soil_moisture" + suffix][rows] = 0.2
            file[name]["retrieval_qual_flag" + suffix][rows] = 0
            seconds = seconds_of(DAY) + ((hour - lon / 15) % 24) * 3600 - 600
            file[name]["tb_time_seconds" + suffix][rows] = np.tile(seconds, (7, 1))
            if not told:
                del file[name]["tb_time_seconds" + suffix]

    edit(path, paint)
    (dataset,) = Smap(tmp_path).open(AreaOfInterest.from_bbox(179.5, -17.2, -179.5, -16.8, "fiji"), Period.parse(DAY))
    assert dataset.sizes["x"] == 964
    seen = np.isfinite(dataset["smap"]).any(("time", "y")).values
    assert seen[:4].all() and seen[-4:].all() and not seen[4:-4].any()
    hours = {"06:00", "18:00"} if told else {"06:00", "18:00", "06:30", "18:30"}
    assert {str(time)[11:16] for time in dataset.time.values} == hours
    for one in (place, beyond(place)):
        alone = moisture(Smap(tmp_path), one).compute()
        cut = dataset["smap"].sel(x=alone.x, y=alone.y).dropna("time", how="all")
        close = seen[np.searchsorted(dataset.x.values, alone.x.values)]
        xr.testing.assert_equal(alone.where(xr.DataArray(close, dims="x")).dropna("time", how="all"), cut.compute())


def test_the_source_travels_to_other_processes(tmp_path: Path) -> None:
    write(tmp_path)
    source = Smap(tmp_path)
    expected = moisture(source)
    np.testing.assert_array_equal(moisture(pickle.loads(pickle.dumps(source))), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(expected)), expected)


def test_a_period_without_granules_says_which_there_are(tmp_path: Path) -> None:
    write(tmp_path, day="2015-03-31")
    write(tmp_path, day="2024-06-30")
    for asked, found in (("2014-02-01/2014-03-01", "."), ("2018-01-01", " with a gap there.")):
        with pytest.raises(NoDataError) as told:
            moisture(Smap(tmp_path), period=asked)
        assert told.value.context == f"smap: no granules for {Period.parse(asked)} in 'ebro'."
        assert told.value.problem == f"Found 2015-03-31..2024-06-30{found}"
        assert "period inside it" in told.value.hint


def test_an_archive_without_granules_or_no_archive(tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match=r"Found none at all under .*Download some"):
        moisture(Smap(tmp_path))
    with pytest.raises(VadoseError, match=r"no such folder.*Give the folder") as told:
        moisture(Smap(tmp_path / "absent"))
    assert not isinstance(told.value, NoDataError)


def test_a_place_that_no_overpass_saw(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(NoDataError, match=r"Found none in 1 granules \(quality: recommended\)"):
        moisture(Smap(tmp_path), (100.0, 50.0))


def drop_flags(file):
    del file[AM]["retrieval_qual_flag"]


def drop_moisture(file):
    del file[PM]["soil_moisture_pm"]


def drop_groups(file):
    del file[AM], file[PM]


def other_units(file):
    file[AM]["soil_moisture"].attrs["units"] = np.bytes_(b"K")


def no_units(file):
    del file[AM]["soil_moisture"].attrs["units"]


def other_shape(file):
    for group, suffix in ((AM, ""), (PM, "_pm")):
        del file[group]["soil_moisture" + suffix], file[group]["EASE_row_index" + suffix]
        file[group]["soil_moisture" + suffix] = np.zeros((100, 100), "f4")


def ragged(file):
    del file[AM]["retrieval_qual_flag"]
    file[AM]["retrieval_qual_flag"] = np.zeros((100, 100), "u2")


def rewritten(change):
    """What changes the valid numbers of both overpasses."""

    def edited(file):
        for group, suffix in ((AM, ""), (PM, "_pm")):
            moisture_of = file[group]["soil_moisture" + suffix]
            values = moisture_of[:]
            moisture_of[:] = np.where(values > 0, change(values), values)

    return edited


def percent_of_fractions(file):
    for group, suffix in ((AM, ""), (PM, "_pm")):
        file[group]["soil_moisture" + suffix].attrs["units"] = np.bytes_(b"percent")


def another_day(file):
    for group, suffix in ((AM, ""), (PM, "_pm")):
        seconds = file[group]["tb_time_seconds" + suffix]
        values = seconds[:]
        seconds[:] = np.where(values > 0, values + 10 * 86400, values)


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        (drop_flags, "no variable retrieval_qual_flag", "no variable retrieval_qual_flag"),
        (drop_moisture, "no variable soil_moisture", "no variable soil_moisture"),
        (drop_groups, "no group with soil moisture", r"groups \['Soil_Moisture_Retrieval_Data_Polar_AM'\], none with"),
        (other_units, "other units", "units are K"),
        (no_units, "other units", "units are none"),
        (other_shape, "another grid", r"shape is \(100, 100\), the product has \(406, 964\)"),
        (ragged, "another shape", r"retrieval_qual_flag is \(100, 100\); the product has \(406, 964\)"),
        (
            rewritten(lambda v: v * 100),
            "numbers against units",
            r"units are cm\*\*3/cm\*\*3, .* go from [1-9]",
        ),
        (rewritten(lambda v: v / 100), "numbers against units", r"numbers go from 0\.001"),
        (percent_of_fractions, "numbers against units", r"units are percent, its numbers go from 0\.\d* to 0\.\d+"),
        (another_day, "another day than its name", "says 2016-01-01, its pixels were observed on 2016-01-11"),
    ],
)
def test_a_granule_that_is_not_as_it_should_be_is_left_out_by_name(tmp_path, change, kind, reason) -> None:
    path = write(tmp_path)
    write(tmp_path, day="2016-01-02")
    edit(path, change)
    source = Smap(tmp_path)
    found = moisture(source, period="2016-01-01/2016-01-02")
    assert {str(time)[:10] for time in found.time.values} == {"2016-01-02"}, "the others are read"
    (entry,) = source.index.left_out
    assert (entry.source, entry.name, entry.kind) == ("smap", path.name, kind)
    assert re.search(reason, entry.reason)
    assert str(path) in entry.reason
    with pytest.raises(NoDataError, match=reason):
        moisture(Smap(tmp_path))


def test_per_cent_is_read_as_what_it_says(tmp_path: Path) -> None:
    expected = moisture(Smap(write(tmp_path / "plain").parent))
    path = write(tmp_path / "percent")
    edit(path, rewritten(lambda values: values * 100))
    edit(path, percent_of_fractions)
    np.testing.assert_allclose(moisture(Smap(path.parent)), expected, rtol=1e-5)


def test_the_grid_of_36_km_is_taken_where_the_granule_of_9_km_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, "36km")
    fine = write(tmp_path, "9km")
    fine.write_bytes(fine.read_bytes()[:5000])
    source = Smap(tmp_path)
    (dataset,) = source.open(around(PLACES[0]), Period.parse(DAY))
    assert dataset.attrs["item"] == "SPL3SMP R19240_001"
    assert [(entry.name, entry.kind) for entry in source.index.left_out] == [(fine.name, "unreadable")]


def cut_out(path, name, keep, rows, columns):
    """A subset of a granule: some rows and columns of some variables, in groups or with their names in front."""
    target = path.with_name(name)
    with h5py.File(path) as whole, h5py.File(target, "w") as part:
        for group in (AM, PM):
            for variable, held in whole[group].items():
                if variable.removesuffix("_pm") in keep:
                    where = f"{group}_{variable}" if "dap" in name else f"{group}/{variable}"
                    part[where] = held[rows, columns]
                    for key, value in held.attrs.items():
                        part[where].attrs[key] = value
    path.unlink()
    return target


def with_degrees(path, grid):
    """Latitude and longitude of each pixel, as the product has them."""
    n_rows, n_columns = SHAPES[grid]
    x = -17367530.4451615 + (np.arange(n_columns) + 0.5) * STEPS[grid]
    y = 7314540.8306386 - (np.arange(n_rows) + 0.5) * STEPS[grid]
    back = Transformer.from_crs(6933, 4326, always_xy=True)
    lon, _ = back.transform(x, np.zeros_like(x))
    _, lat = back.transform(np.zeros_like(y), y)
    with h5py.File(path, "r+") as file:
        for group, suffix in ((AM, ""), (PM, "_pm")):
            file[group]["latitude" + suffix] = np.broadcast_to(np.float32(lat)[:, None], SHAPES[grid])
            file[group]["longitude" + suffix] = np.broadcast_to(np.float32(lon), SHAPES[grid])


READ = ("soil_moisture", "retrieval_qual_flag", "tb_time_seconds")


@pytest.mark.parametrize("grid", ["9km", "36km"])
@pytest.mark.parametrize("where", [("EASE_row_index", "EASE_column_index"), ("latitude", "longitude")])
@pytest.mark.parametrize("ending", ["_HEGOUT.h5", "_subsetted.h5", ".h5.dap.nc4"])
def test_a_subset_is_read_as_the_whole_granule(tmp_path: Path, grid, where, ending) -> None:
    path = write(tmp_path, grid)
    with_degrees(path, grid)
    whole = moisture(Smap(tmp_path)).compute()
    row, column = pixel(*PLACES[0], grid)
    name = path.name.replace(".h5", ending)
    cut_out(path, name, {*READ, *where}, np.s_[row - 9 : row + 8], np.s_[column - 7 : column + 6])
    found = moisture(Smap(tmp_path))
    assert set(found["items"].values) == {name}
    xr.testing.assert_identical(found.compute().drop_vars("items"), whole.drop_vars("items"))
    beyond_it = moisture(Smap(tmp_path), (PLACES[0][0] + 5 * 360 / SHAPES[grid][1], PLACES[0][1]))
    assert beyond_it.isnull().any() and beyond_it.notnull().any()


def test_a_subset_of_9_km_elsewhere_does_not_hide_36_km_here(tmp_path: Path) -> None:
    write(tmp_path, "36km")
    path = write(tmp_path, "9km", place=PLACES[1])
    row, column = pixel(*PLACES[1], "9km")
    keep = {*READ, "EASE_row_index", "EASE_column_index"}
    near = np.s_[row - 5 : row + 5], np.s_[column - 5 : column + 5]
    cut_out(path, path.name.replace(".h5", "_HEGOUT.h5"), keep, *near)
    (dataset,) = Smap(tmp_path).open(around(PLACES[0]), Period.parse(DAY))
    assert dataset.attrs["item"] == "SPL3SMP R19240_001"
    (dataset,) = Smap(tmp_path).open(around(PLACES[1]), Period.parse(DAY))
    assert dataset.attrs["item"] == "SPL3SMP_E R19240_001"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SMAP_L3_SM_P_20211399_R18240_001.h5", "no date in its name"),
        ("SMAP_L3_SM_P_E_20210230_R18240_001_HEGOUT.h5", "no date in its name"),
        ("SMAP_L3_FT_P_20160101_R19240_001.h5", "another product of SMAP"),
        ("SMAP_L3_SM_AP_20150501_R13080_001.h5", "another product of SMAP"),
        ("SMAP_L2_SM_P_05000_D_20160101T000000_R19240_001.h5", "another product of SMAP"),
        ("SMAP_L4_SM_gph_20160101T013000_Vv7032_001.h5", "another product of SMAP"),
        ("SMAP_L4_SM_aup_20160101T030000_Vv7032_001.h5", "another product of SMAP"),
        ("SMAP_L1C_TB_05000_D_20160101T000000_R19240_001.h5", "another product of SMAP"),
        ("SMAP_L3_SM_P_20160101_T19240_001.h5", "another product of SMAP"),
        ("SMAP_L3_SM_P_20160101_R19240_001.h5.part", "unfinished download"),
        ("SMAP_L3_SM_P_20160101_R19240_001_HEGOUT.tif", "another format"),
        ("smap/soil_moisture.nc", "not named as a granule"),
    ],
)
def test_files_that_look_like_granules_are_left_out_by_name(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    for source in (Smap(tmp_path), smap_surface(tmp_path)):
        (entry,) = source.index.left_out
        assert (entry.source, entry.name, entry.file, entry.kind) == ("smap", path.name, name, kind)
        with pytest.raises(NoDataError, match=re.escape(path.name)):
            source.open(around(PLACES[0]), Period.parse(DAY))


@pytest.mark.parametrize("name", ["SMAP_L3_SM_P_20160101_R19240_001.h5.xml", "SMAP_L3_SM_P_20160101_R19240_001.qa"])
def test_files_beside_granules_are_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert Smap(tmp_path).index.left_out == ()


def test_an_older_release_gives_way_without_a_word(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, name="SMAP_L3_SM_P_20160101_R18240_001.h5")
    source = Smap(tmp_path)
    (dataset,) = source.open(around(PLACES[0]), Period.parse(DAY))
    assert dataset.attrs["item"] == "SPL3SMP R19240_001"
    assert source.index.left_out == ()


@pytest.mark.parametrize("grid", ["9km", "36km"])
@pytest.mark.parametrize(
    ("bits", "frozen"), [(0, 0), (32, 1), (64, 1), (128, 1), (256 | 512, 1), (1 | 8 | 512 | 1024, 0)]
)
def test_frozen_ground_is_told_by_the_flags_whatever_the_quality(tmp_path, grid, bits, frozen):
    def flag(file):
        for group, suffix in ((AM, ""), (PM, "_pm")):
            told = file[group][f"surface_flag{suffix}"]
            there = told[:] != 65534
            told[:] = np.where(there, bits, 65534)
            quality = file[group][f"retrieval_qual_flag{suffix}"]
            quality[:] = np.where(there, 7, 65534)
            moisture_of = file[group][f"soil_moisture{suffix}"]
            moisture_of[:] = -9999.0

    edit(write(tmp_path, grid), flag)
    source = smap_surface(tmp_path)
    (dataset,) = source.open(around(PLACES[0]), Period.parse(DAY))
    values = dataset["frozen"].values
    assert (source.name, dataset["frozen"].attrs["units"]) == ("smap_surface", "1")
    assert set(values[np.isfinite(values)]) == {frozen}
    assert len(dataset["time"]) >= 2
    with pytest.raises(NoDataError):
        Smap(tmp_path).open(around(PLACES[0]), Period.parse(DAY))


def test_a_granule_without_surface_flags_tells_nothing_of_frost(tmp_path):
    path = write(tmp_path)
    edit(path, lambda file: [file[AM].pop("surface_flag"), file[PM].pop("surface_flag_pm")])
    with pytest.raises(NoDataError):
        smap_surface(tmp_path).open(around(PLACES[0]), Period.parse(DAY))
    assert np.isfinite(moisture(Smap(tmp_path))).any()
