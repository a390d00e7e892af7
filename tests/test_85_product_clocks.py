"""Times in names of files and in their own metadata: every usual form, and what is doubtful refused."""

import json
from pathlib import Path

import cftime
import numpy as np
import pytest
import xarray as xr

from vadose.errors import VadoseError
from vadose.products.clocks import Doubtful, in_name, in_text
from vadose.products.times import time_of_file, times_of_axis

NAMES = {
    "sm_20210610T2205": "2021-06-10T22:05",
    "sm_20210610T220530": "2021-06-10T22:05:30",
    "sm_20210610_220530": "2021-06-10T22:05:30",
    "sm_20210610-220530": "2021-06-10T22:05:30",
    "sm_20210610220530": "2021-06-10T22:05:30",
    "sm_202106102205": "2021-06-10T22:05",
    "sm_2021061022": "2021-06-10T22:00",
    "sm_20210610T22": "2021-06-10T22:00",
    "sm_20210610T220530.125Z": "2021-06-10T22:05:30",
    "20210610T220530123": "2021-06-10T22:05:30",
    "sm_2021-06-10T22:05:30Z": "2021-06-10T22:05:30",
    "sm_2021-06-10T22-05-30": "2021-06-10T22:05:30",
    "sm_2021-06-10_22_05": "2021-06-10T22:05",
    "sm_2021.06.10.2205": "2021-06-10T22:05",
    "sm_20210610_0530UTC": "2021-06-10T05:30",
    "sm_20210610": "2021-06-10",
    "sm_2021_06_10_v1": "2021-06-10",
    "sm_20210610_1000m": "2021-06-10",
    "sm_20210610_038276": "2021-06-10",
    "sm_2021135": "2021-05-15",
    "tile_32610_20210610": "2021-06-10",
    "MOD09GA.A2021135.h09v05.006.2021137033559": "2021-05-15",
    "MOD09.A2021135.1200.006.2021137000000": "2021-05-15T12:00",
    "HLS.S30.T13TEF.2021135T173859.v2.0": "2021-05-15T17:38:59",
    "GLDAS_NOAH025_3H.A20160101.0300.021": "2016-01-01T03:00",
    "SMAP_L3_SM_P_20210701_R18290_001": "2021-07-01",
    "SMAP_L4_SM_gph_20210101T013000_Vv7032_001": "2021-01-01T01:30",
    "ESACCI-SOILMOISTURE-L3S-SSMV-COMBINED-20210601000000-fv07.1": "2021-06-01",
    "c_gls_SSM1km_202106011200_CEURO_S1CSAR_V1.1.1": "2021-06-01T12:00",
    "S1A_IW_GRDH_1SDV_20210610T053015_20210610T053041_038276_048456_ABCD": "2021-06-10T05:30:28",
    "S1A__IW___A_20150203T043109_VV_grd_mli": "2015-02-03T04:31:09",
    "NISAR_L3_PR_SME2_001_030_A_019_4020_SHNA_A_20081012T060910_20081012T060926_P01101": "2008-10-12T06:09:18",
    "S2A_MSIL2A_20210610T101031_N0300_R022_T32TPS_20210610T132101": "2021-06-10T10:10:31",
    "LC08_L2SP_012031_20210610_20210615_02_T1": "2021-06-10",
    "OPERA_L2_RTC-S1_T069-147170-IW3_20210610T053015Z_20210611T103015Z_S1A_30_v1.0": "2021-06-10T05:30:15",
}
DOUBTFUL = {
    "sm_202106": "a month",
    "sm_2021-06": "a month",
    "sm_2021": "a year",
    "sm_20210601_20210630": "several times",
    "sm_2021-06-10_2021-06-12": "several times",
    "SMAP_L2_SM_SP_1AIWDV_20190101T024102_20190101T005912_117E38N": "several times",
    "sm_20210610T2560": "not a clock time",
    "C3S-SOILMOISTURE-L3S-SSMV-COMBINED-MONTHLY-20210601000000-TCDR-v202012.0.0": "MONTHLY",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_tells_its_time_in_every_usual_form(name: str) -> None:
    clock = in_name(name)
    assert clock is not None
    assert abs(clock.moment - np.datetime64(NAMES[name], "ns")) < np.timedelta64(1, "s")


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_doubtful_name_is_refused_with_what_it_tells(name: str) -> None:
    with pytest.raises(Doubtful, match=DOUBTFUL[name]):
        in_name(name)


@pytest.mark.parametrize("name", ["sm", "sm_20210230", "sm_10062021", "sm_210610", "sm_20219999", "h09v05", "run_12"])
def test_a_name_without_a_day_tells_none(name: str) -> None:
    assert in_name(name) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2021:06:10 22:05:30", "2021-06-10T22:05:30"),
        ("2021-06-10T22:05:30.125+02:00", "2021-06-10T20:05:30"),
        ("20210610T220530Z", "2021-06-10T22:05:30"),
        ("10/06/2021", None),
        ("2021-06", None),
        ("June 10 2021", None),
    ],
)
def test_an_attribute_tells_its_time_alone(text: str, moment: str | None) -> None:
    clock = in_text(text)
    assert (clock and clock.moment) == (moment and np.datetime64(moment, "ns"))


def told(name: str, folder: Path, **attrs: object) -> tuple[np.datetime64, tuple[str, ...]]:
    found = time_of_file(xr.Dataset(attrs=attrs), xr.DataArray(np.zeros((2, 2))), folder / name, "trial")
    return found.times[0], found.remarks


def test_metadata_go_before_the_name_and_are_held_against_it(tmp_path: Path) -> None:
    at_night = np.datetime64("2021-06-10T22:05:30", "ns")
    assert told("sm_20210610.tif", tmp_path, time_coverage_start="2021-06-10T22:05:30Z")[0] == at_night
    assert told("sm_20210610T220530.tif", tmp_path, time="2021-06-10")[0] == at_night
    with pytest.raises(
        VadoseError, match=r"time_coverage_start it is of 2021-07-10T22:05:30, by its name .* 2021-06-10"
    ):
        told("sm_20210610.tif", tmp_path, time_coverage_start="2021-07-10T22:05:30Z")
    with pytest.raises(VadoseError, match="is not a time of ISO 8601"):
        told("sm_20210610.tif", tmp_path, time="10/06/2021")
    moment, remarks = told("sm_202106.tif", tmp_path, time="2021-06-10T22:05:30")
    assert moment == at_night and "a month" in remarks[0]
    ended = {"time_coverage_start": "2021-06-01", "time_coverage_end": "2021-06-30"}
    assert told("sm.tif", tmp_path, **ended)[0].astype("datetime64[m]") == np.datetime64("2021-06-15T23:59")


def test_the_tag_of_a_file_s_making_does_not_pass_for_its_acquisition(tmp_path: Path) -> None:
    moment, remarks = told("sm_20210610T220530.tif", tmp_path, TIFFTAG_DATETIME="2022:01:05 10:00:00")
    assert moment == np.datetime64("2021-06-10T22:05:30", "ns") and "creation time" in remarks[0]
    assert told("sm_20210610.tif", tmp_path, TIFFTAG_DATETIME="2021:06:10 22:05:30")[0] == np.datetime64(
        "2021-06-10T22:05:30", "ns"
    )
    with pytest.raises(VadoseError, match="before that"):
        told("sm_20210610T220530.tif", tmp_path, TIFFTAG_DATETIME="2020:01:05 10:00:00")


def test_an_item_beside_a_file_tells_its_time(tmp_path: Path) -> None:
    item = {"type": "Feature", "properties": {"datetime": "2021-06-10T22:05:30Z"}}
    (tmp_path / "sm.json").write_text(json.dumps(item))
    assert told("sm.tif", tmp_path)[0] == np.datetime64("2021-06-10T22:05:30", "ns")
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(VadoseError, match=r"other\.tif"):
        told("other.tif", tmp_path)


def test_a_day_without_a_clock_is_said_to_count_from_its_start(tmp_path: Path) -> None:
    assert "start at 00:00 UTC" in told("sm_20210610.tif", tmp_path)[1][0]
    for name, words in (("sm_202106.tif", "a month"), ("sm.tif", "has one"), ("sm_20210230.tif", "has one")):
        with pytest.raises(VadoseError, match=words):
            told(name, tmp_path)


def axis(dates: object, **attrs: str) -> tuple[np.ndarray, tuple[str, ...]]:
    variable = xr.DataArray(np.zeros(len(dates)), {"time": dates}, ("time",), attrs=attrs)
    found = times_of_axis(xr.Dataset({"sm": variable}), variable, "time", Path("sm.nc"), "trial")
    return found.times, found.remarks


@pytest.mark.parametrize("calendar", ["julian", "noleap", "360_day", "proleptic_gregorian", "all_leap"])
def test_dates_of_other_calendars_count_by_year_month_and_day(calendar: str) -> None:
    dates = [cftime.datetime(2021, 2, day, 12, calendar=calendar) for day in (1, 28)]
    times, remarks = axis(dates)
    assert list(times) == [np.datetime64("2021-02-01T12", "ns"), np.datetime64("2021-02-28T12", "ns")]
    assert calendar in remarks[0] and "year, month and day" in remarks[0]


def test_days_that_no_other_calendar_has_are_left_out_and_said() -> None:
    dates = [cftime.datetime(2021, 2, day, calendar="360_day") for day in (28, 29, 30)]
    times, remarks = axis(dates)
    assert np.isnat(times).tolist() == [False, True, True] and "2 missing in other calendars left out" in remarks[0]


@pytest.mark.parametrize("year", [1, 1500, 2400])
def test_years_beyond_nanoseconds_are_refused(year: int) -> None:
    with pytest.raises(VadoseError, match=f"{year:04}-01-01.*stored in nanoseconds"):
        axis([cftime.datetime(year, 1, 1, calendar="noleap")])
    with pytest.raises(VadoseError, match=f"{year:04}-01-01.*stored in nanoseconds"):
        axis(np.array([f"{year:04}-01-01"], "datetime64[s]"))


def test_layers_stamped_at_the_first_of_months_are_said() -> None:
    assert "first of months" in axis(np.array(["2021-01", "2021-02"], "datetime64[M]").astype("datetime64[s]"))[1][0]
    assert not axis(np.array(["2021-01-01", "2021-01-02"], "datetime64[s]"))[1]


def test_another_day_in_the_name_of_one_layer_is_said() -> None:
    dates = xr.DataArray(np.zeros(1), {"time": np.array(["2021-06-10"], "datetime64[s]")}, ("time",))
    found = times_of_axis(xr.Dataset({"sm": dates}), dates, "time", Path("sm_20210710.nc"), "trial")
    assert "2021-07-10" in found.remarks[0]


def with_bounds(days: float, **attrs: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The times of layers stamped at their start, and the remarks."""
    starts = np.array(["2021-06-01", "2021-07-01"], "datetime64[ns]")
    ends = starts + np.timedelta64(round(days * 86400), "s")
    times = xr.DataArray(starts, dims="time", attrs={"bounds": "time_bnds"})
    moisture = xr.DataArray(np.zeros(2), {"time": times}, "time", attrs=attrs)
    dataset = xr.Dataset({"sm": moisture, "time_bnds": (("time", "nv"), np.stack([starts, ends], axis=1))})
    found = times_of_axis(dataset, moisture, "time", Path("sm.nc"), "trial")
    return found.times, found.remarks


def test_bounds_longer_than_a_day_are_those_of_a_mean_unless_the_variable_says_otherwise() -> None:
    assert with_bounds(30)[0].astype(str).tolist()[0].startswith("2021-06-16T00:00")
    assert with_bounds(1)[0].astype(str).tolist()[0].startswith("2021-06-01T00:00")
    assert with_bounds(1, cell_methods="time: mean")[0].astype(str).tolist()[0].startswith("2021-06-01T12:00")
    assert with_bounds(30, cell_methods="time: point")[0].astype(str).tolist()[0].startswith("2021-06-01T00:00")
    assert with_bounds(1)[1] == ()


@pytest.mark.parametrize("place", ["attrs", "encoding"])
def test_a_climatology_is_refused(place: str) -> None:
    times = xr.DataArray(np.array(["2000-06-01"], "datetime64[ns]"), dims="time")
    getattr(times, place)["climatology"] = "climatology_bounds"
    moisture = xr.DataArray(np.zeros(1), {"time": times}, "time")
    with pytest.raises(VadoseError, match="of a climatology"):
        times_of_axis(xr.Dataset({"sm": moisture}), moisture, "time", Path("sm.nc"), "trial")
