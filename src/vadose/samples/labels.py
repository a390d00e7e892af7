"""From the readings of a sensor to labels: which depth, which flags, which values, which time."""

from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from vadose.samples.report import Dropped
from vadose.variables import SOIL_MOISTURE

DEPTH_TOLERANCE_M = 0.001
"""Two inches, 0.0508 m, at which whole networks of the United States measure, count as 5 cm."""


class LabelRule(BaseModel):
    """Which readings are labels.

    Attributes:
        deepest_m: the sensor must lie within 0 and this depth, metres.
        flags: ISMN quality flags that are accepted; of several joined by commas each must be.
        plausible: closed interval of soil moisture, m3 m-3.
        window_minutes: how far a reading may lie from the time of a sample.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    deepest_m: float = Field(default=0.05, gt=0)
    flags: tuple[str, ...] = ("G",)
    plausible: tuple[float, float] = SOIL_MOISTURE.valid_range
    window_minutes: float = Field(default=30.0, ge=0)


def at_top(depth_from_m: float, depth_to_m: float, deepest_m: float = 0.05) -> bool:
    """Whether a sensor measures the top soil: 0 <= from <= to <= deepest, the last with a tolerance of 1 mm.

    So 0-0.05, 0.02-0.05, 0.05-0.05 and 0.0508-0.0508 m do, 0.05-0.15 and 0-0.1 m do not.
    """
    return 0 <= depth_from_m <= depth_to_m <= deepest_m + DEPTH_TOLERANCE_M


def clean(readings: pd.DataFrame, rule: LabelRule) -> tuple[pd.DataFrame, Dropped]:
    """The readings of one sensor that may be labels, in order of time, each time once.

    Of two good readings at one time with the same value one is kept; with different values neither is.

    Args:
        readings: indexed by time (UTC), in any order, with soil_moisture (m3 m-3) and flag.
        rule: which are accepted.

    Returns:
        time (datetime64[ns], ascending), soil_moisture and flag; and what was left out for which reason.
    """
    table = pd.DataFrame(
        {
            "time": _utc(readings.index),
            "soil_moisture": readings["soil_moisture"].to_numpy(np.float64),
            "flag": readings["flag"].astype("string").fillna("").str.strip().astype(str).to_numpy(),
        }
    )
    faults = _faults(table, rule)
    good = table[faults == ""].sort_values("time", kind="stable")
    different = good.groupby("time")["soil_moisture"].transform("nunique") > 1
    repeated = good["time"].duplicated() & ~different
    counts = Counter(faults[faults != ""].tolist())
    counts["conflicting readings at one time"] = int(different.sum())
    counts["repeated reading"] = int(repeated.sum())
    return good[~different & ~repeated].reset_index(drop=True), Dropped.of(counts)


def nearest(labels: pd.DataFrame, times: NDArray[np.datetime64], window_minutes: float) -> tuple[pd.DataFrame, Dropped]:
    """The reading nearest to each requested time; of two as near, the earlier one.

    Args:
        labels: as `clean` gives them.
        times: requested, UTC.
        window_minutes: how far a reading may lie, before or after, the bound included.

    Returns:
        time (the requested one), soil_moisture, flag and lag_minutes (time of the reading minus requested time), one
        row for each time that has a reading; and the count of those that have none.
    """
    asked = np.asarray(times, "datetime64[ns]")
    known = labels["time"].to_numpy("datetime64[ns]")
    if known.size:
        after = np.searchsorted(known, asked).clip(max=known.size - 1)
        before = (after - 1).clip(min=0)
        place = np.where(abs(asked - known[before]) <= abs(known[after] - asked), before, after)
        lag = (known[place] - asked) / np.timedelta64(1, "m")
    else:
        place, lag = np.zeros(asked.size, np.intp), np.full(asked.size, np.inf)
    near = abs(lag) <= window_minutes
    found = labels[["soil_moisture", "flag"]].iloc[place[near]].reset_index(drop=True)
    found = found.assign(time=asked[near], lag_minutes=lag[near])
    return found, Dropped.of({f"no reading within {window_minutes:g} minutes": int((~near).sum())})


def _faults(table: pd.DataFrame, rule: LabelRule) -> pd.Series:
    low, high = rule.plausible
    value, flag = table["soil_moisture"], table["flag"]
    accepted = flag.map(lambda text: {part.strip() for part in text.split(",")} <= set(rule.flags))
    faults = pd.Series("", index=table.index, dtype=object)
    faults[(value < low) | (value > high)] = f"outside {low:g}..{high:g} m3 m-3"
    faults[~accepted.astype(bool)] = "flag " + flag[~accepted.astype(bool)].where(lambda text: text != "", "absent")
    faults[value.isna()] = "no value"
    faults[table["time"].isna()] = "no time"
    return faults


def _utc(times: pd.Index) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(times)
    return (index.tz_convert("UTC").tz_localize(None) if index.tz is not None else index).as_unit("ns")
