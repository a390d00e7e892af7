"""Labels: depth rule, flags, plausible range, repeated and unordered readings, the reading nearest to a time."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.dataset.labels import LabelRule, at_top, clean, nearest
from vadose.dataset.rejections import RejectionCounts

START = pd.Timestamp("2020-01-01")


def readings(*rows: tuple[float, float, str]) -> pd.DataFrame:
    minutes, values, flags = zip(*rows, strict=True)
    times = START + pd.to_timedelta(minutes, unit="min")
    return pd.DataFrame({"soil_moisture": values, "flag": flags}, index=pd.DatetimeIndex(times))


@pytest.mark.parametrize(
    ("depth_from", "depth_to", "expected"),
    [
        (0.0, 0.05, True),
        (0.05, 0.05, True),
        (0.02, 0.05, True),
        (0.0508, 0.0508, True),
        (0.03, 0.03, True),
        (0.05, 0.15, False),
        (0.0, 0.1, False),
        (0.04, 0.06, False),
        (0.1, 0.1, False),
        (0.05, 0.0, False),
        (-0.05, 0.05, False),
        (float("nan"), 0.05, False),
    ],
)
def test_depth_rule_is_an_interval_within_the_top(depth_from: float, depth_to: float, expected: bool) -> None:
    assert at_top(depth_from, depth_to) is expected


def test_depth_rule_follows_the_depth_asked_for() -> None:
    assert at_top(0.05, 0.1, deepest_m=0.1)
    assert not at_top(0.05, 0.05, deepest_m=0.03)


def test_only_good_plausible_readings_remain_and_each_loss_has_its_reason() -> None:
    table = readings(
        (0, 0.2, "G"),
        (60, 0.2, "D01"),
        (120, 0.2, "D01,D03"),
        (180, np.nan, "G"),
        (240, 1.2, "G"),
        (300, -0.1, "G"),
        (360, 0.0, "G"),
        (420, 0.3, ""),
        (480, 0.3, " G "),
    )
    labels, dropped = clean(table, LabelRule())
    assert labels["soil_moisture_in_situ"].tolist() == [0.2, 0.0, 0.3]
    assert dict(dropped.counts) == {
        "flag D01": 1,
        "flag D01,D03": 1,
        "flag absent": 1,
        "no value": 1,
        "outside 0..1 m3 m-3": 2,
    }


def test_of_joined_flags_each_must_be_accepted() -> None:
    table = readings((0, 0.2, "D01,D03"), (60, 0.2, "D01"), (120, 0.2, "G"))
    labels, dropped = clean(table, LabelRule(flags=("G", "D01")))
    assert labels["flag"].tolist() == ["D01", "G"]
    assert dropped == RejectionCounts((("flag D01,D03", 1),))


def test_repeated_readings_are_kept_once_and_conflicting_ones_not_at_all() -> None:
    table = readings((0, 0.2, "G"), (0, 0.2, "G"), (60, 0.2, "G"), (60, 0.3, "G"), (120, 0.4, "G"), (120, 0.9, "D02"))
    labels, dropped = clean(table, LabelRule())
    assert labels["soil_moisture_in_situ"].tolist() == [0.2, 0.4]
    assert dict(dropped.counts) == {
        "conflicting readings at one time": 2,
        "flag D02": 1,
        "repeated reading": 1,
    }


def test_times_are_ordered_and_brought_to_utc() -> None:
    table = readings((120, 0.3, "G"), (0, 0.1, "G"), (60, 0.2, "G"))
    table.index = table.index.tz_localize("UTC").tz_convert("Europe/Vienna")
    labels, dropped = clean(table, LabelRule())
    assert labels["soil_moisture_in_situ"].tolist() == [0.1, 0.2, 0.3]
    assert labels["time"].tolist() == [START, START + pd.Timedelta("1h"), START + pd.Timedelta("2h")]
    assert dropped.total == 0


def test_a_reading_without_time_is_left_out() -> None:
    table = readings((0, 0.1, "G"), (60, 0.2, "G"))
    table.index = pd.DatetimeIndex([START, pd.NaT])
    labels, dropped = clean(table, LabelRule())
    assert len(labels) == 1
    assert dropped == RejectionCounts((("no time", 1),))


ROWS = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from([0.1, 0.2, 1.5, float("nan")]),
        st.sampled_from(["G", "C01", "D02,G", ""]),
    ),
    min_size=1,
    max_size=40,
)


@given(ROWS)
def test_every_reading_is_kept_or_counted(rows: list[tuple[float, float, str]]) -> None:
    table = readings(*rows)
    labels, dropped = clean(table, LabelRule())
    assert len(labels) + dropped.total == len(table)
    assert labels["time"].is_monotonic_increasing
    assert labels["time"].is_unique
    assert set(labels["flag"]) <= {"G"}
    assert labels["soil_moisture_in_situ"].between(0, 1).all()


@given(
    st.lists(st.integers(0, 600), unique=True, max_size=20),
    st.lists(st.integers(-100, 700), max_size=20),
    st.integers(0, 90),
)
def test_nearest_agrees_with_looking_at_every_reading(known: list[int], asked: list[int], window: int) -> None:
    known = sorted(known)
    labels = pd.DataFrame(
        {
            "time": START + pd.to_timedelta(known, unit="min"),
            "soil_moisture_in_situ": np.array(known) / 1000.0,
            "flag": "G",
        }
    )
    times = (START + pd.to_timedelta(asked, unit="min")).to_numpy("datetime64[ns]")
    found, dropped = nearest(labels, times, window)
    expected = []
    for minute in asked:
        lags = sorted((abs(k - minute), k - minute) for k in known)
        if lags and lags[0][0] <= window:
            expected.append((minute, lags[0][1]))
    minutes = (found["time"] - START) / pd.Timedelta("1min")
    assert list(zip(minutes, found["lag_minutes"], strict=True)) == expected
    assert found["soil_moisture_in_situ"].tolist() == pytest.approx([(minute + lag) / 1000 for minute, lag in expected])
    assert len(found) + dropped.total == len(asked)


def test_counts_add_by_reason() -> None:
    both = RejectionCounts.of({"a": 1, "b": 2, "c": 0}) + RejectionCounts.of({"b": 3, "d": 1})
    assert both.counts == (("a", 1), ("b", 5), ("d", 1))
    assert both.total == 7
    assert str(both) == "1 x a, 5 x b, 1 x d"
    assert str(RejectionCounts()) == "nothing"


@pytest.mark.real
@pytest.mark.parametrize("station", ["Baker-5-W", "Austin-33-NW"])
def test_means_of_clean_real_readings_are_the_labels_of_the_real_table(real: Path, station: str) -> None:
    hourly = _stm(real / "ismn_uscrn.zip", f"_{station}_sm_0.050000_0.050000_")
    labels, dropped = clean(hourly, LabelRule())
    assert len(labels) + dropped.total == len(hourly)
    assert set(labels["flag"]) == {"G"}
    table = pd.read_csv(real / "points" / "conus_10day.csv.gz", parse_dates=["period_start"])
    table = table[(table["station"] == station) & (table["good_hours"] > 0)].set_index("period_start")
    period = (labels["time"] - table.index[0]) // pd.Timedelta("10D") * pd.Timedelta("10D") + table.index[0]
    own = labels.groupby(period)["soil_moisture_in_situ"].agg(["mean", "size"]).reindex(table.index)
    assert own["mean"].corr(table["soil_moisture_m3m3"]) > 0.999
    assert (own["mean"] - table["soil_moisture_m3m3"]).abs().median() < 0.002
    assert (own["size"] - table["good_hours"]).abs().median() <= 1


def _stm(archive: Path, part: str) -> pd.DataFrame:
    """A plain reading of one file of the header + values layout: date time value flag origin-flag."""
    with zipfile.ZipFile(archive) as files:
        name = next(name for name in files.namelist() if part in name and name.endswith(".stm"))
        text = files.read(name).decode().split("\n", 1)[1]
    columns = ["date", "time", "soil_moisture", "flag", "origin"]
    table = pd.read_csv(io.StringIO(text), sep=r"\s+", names=columns, keep_default_na=False)
    times = pd.to_datetime(table["date"] + " " + table["time"], format="%Y/%m/%d %H:%M")
    return table.set_index(pd.DatetimeIndex(times))[["soil_moisture", "flag"]].astype({"soil_moisture": float})
