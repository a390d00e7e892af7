"""Times that nanoseconds cannot hold are refused wherever they come from, never wrapped into another century."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import vadose
from vadose.errors import VadoseError
from vadose.fusion import TemporalPolicy
from vadose.grid import Period, earlier, later, nanosecond, nanoseconds
from vadose.mapping.timestamps import MOST, Passes, timestamp_of, timestamps_of
from vadose.sources.granules import Granule, Stream

BEYOND = ("0001-01-01", "1500-01-01", "1677-12-31", "2262-01-02", "2300-01-01", "9999-12-31", "99999999-01-01")
NONE = Passes(lambda: pytest.fail("no pass is asked for"), None)


@pytest.mark.parametrize("text", BEYOND)
@pytest.mark.parametrize("unit", ["D", "s", "us"])
def test_beyond_the_bounds_a_time_is_refused_in_every_unit(text: str, unit: str) -> None:
    if text.startswith("9999999") and unit == "us":
        pytest.skip("numpy itself does not hold it")
    time = np.datetime64(text, unit)
    for given_time in (time, np.array([np.datetime64("2020-01-01", unit), time])):
        with pytest.raises(VadoseError, match="1678-01-01 to 2262-01-01"):
            nanoseconds(given_time)


@given(st.datetimes(pd.Timestamp("1678-01-01").to_pydatetime(), pd.Timestamp("2261-12-31").to_pydatetime()))
def test_within_the_bounds_a_time_stays_what_it_is(time) -> None:
    for unit in ("s", "ms", "us"):
        given_time = np.datetime64(time, unit)
        assert nanosecond(given_time).dtype == "datetime64[ns]"
        assert nanosecond(given_time) == given_time


def test_a_time_that_is_none_stays_none() -> None:
    assert np.isnat(nanoseconds(np.array(["NaT", "2020-01-01"], "datetime64[D]"))).tolist() == [True, False]


@pytest.mark.parametrize("text", BEYOND)
def test_dates_of_commands_and_periods_beyond_are_refused(text: str) -> None:
    for ask in (
        lambda: timestamp_of(text),
        lambda: timestamps_of(text, None, NONE),
        lambda: timestamps_of(f"2020-01-01/{text}", "1000", NONE),
        lambda: Period.parse(text),
        lambda: Period.parse(f"2020-01-01/{text}"),
        lambda: Period(np.datetime64("2020-01-01"), np.datetime64(text)),
        lambda: Period.before(np.datetime64(text), 3),
    ):
        with pytest.raises(VadoseError):
            ask()


@pytest.mark.parametrize("days", [130_000.0, 1e6, 1e30])
def test_looking_back_too_far_is_refused(days: float) -> None:
    time = np.datetime64("2020-01-01", "ns")
    for ask in (
        lambda: earlier(time, days),
        lambda: Period.before(time, days),
        lambda: Period.parse("2020-01-01").extended_back(days),
        lambda: TemporalPolicy(latency_days={"smap": days}, causal=True).until("smap", time),
    ):
        with pytest.raises((VadoseError, ValueError)):
            ask()


@pytest.mark.parametrize("every", ["²", "0", "-1", "1.5", "99999999999999999999999", "1e3", " 2", "१", ""])
def test_an_interval_is_a_number_of_days(every: str) -> None:
    with pytest.raises(VadoseError, match="whole number of days"):
        timestamps_of("2021-06-01/2021-06-10", every, NONE)


def test_an_interval_longer_than_its_range_is_one_moment() -> None:
    assert timestamps_of("2021-06-01/2021-06-10", "99999", NONE) == (timestamp_of("2021-06-01"),)
    assert len(timestamps_of("2021-06-01/2021-06-10", "3", NONE)) == 4


def test_a_range_of_more_moments_than_a_map_holds_is_refused() -> None:
    with pytest.raises(VadoseError, match=f"{MOST:,}"):
        timestamps_of("1700-01-01/2200-01-01", None, NONE)
    assert len(timestamps_of("1700-01-01/2200-01-01", "100", NONE)) == 1827


def test_no_place_casts_times_of_others_without_the_check() -> None:
    """Casts that the bounds do not guard: `x.astype("datetime64[ns]")` and its kin, `np.datetime64(x, "ns")`."""
    root = Path(vadose.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            texts = {value.value for value in values if isinstance(value, ast.Constant)}
            cast = name in {"astype", "to_numpy", "asarray", "array", "as_unit", "view"} and "datetime64[ns]" in texts
            constant = bool(node.args) and isinstance(node.args[0], ast.Constant)
            if cast or (name == "datetime64" and "ns" in texts and not constant):
                found.append(f"{path.relative_to(root)}: {ast.unparse(node)}")
    checked = {
        "grid.py",
        "io/csv_tables.py",
        "batchu2022/calibration_pairs.py",
        "sources/gldas.py",
        "sources/granules.py",
        "fusion/sparse.py",  # whole nanoseconds of the start of an interval
        "sources/kept_scan.py",  # whole nanoseconds of times that were checked when the archive was scanned
    }
    assert [one for one in found if one.split(":")[0] not in checked] == []


def test_what_comes_after_the_last_nanosecond_comes_with_it() -> None:
    last = np.datetime64(np.iinfo(np.int64).max, "ns")
    times = nanoseconds(["2020-01-01", "2261-12-31", "NaT"])
    after = later(times, 3660.0)
    np.testing.assert_array_equal(after, np.array([times[0] + np.timedelta64(3660, "D"), last, np.datetime64("NaT")]))
    assert later(times[1], 1.0) == times[1] + np.timedelta64(1, "D")


@pytest.mark.parametrize("day", ["2020-01-01", "2261-12-31"])
@pytest.mark.parametrize("latency", [None, 36_600.0])
def test_no_product_is_published_before_it_is_observed(day: str, latency: float | None) -> None:
    time = nanosecond(day)
    granule = Granule(Path("a"), 0, Stream("main", 122.0), time, "021")
    assert granule.available_at > time
    dated = TemporalPolicy(latency_days={} if latency is None else {"smap": latency}).dated(
        xr.Dataset(coords={"time": [time]}), "smap"
    )
    assert dated["available_at"].values[0] > time
