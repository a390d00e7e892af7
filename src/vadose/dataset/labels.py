"""Selection of labels from the readings of a sensor: by depth, flags, values and time."""

from collections import Counter
from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from vadose.dataset.layout import LABEL
from vadose.dataset.rejections import RejectionCounts
from vadose.grid import nanoseconds, nearest_in_time
from vadose.insitu.flags import MEANINGS, accepted, codes
from vadose.variables import SOIL_MOISTURE

DEPTH_TOLERANCE_M = 0.001
"""Tolerance of the depth, m: 0.0508 m, two inches, is the depth of complete networks of the United States."""

FREEZING_C = 0.0
"""Temperature at which readings are frozen: permittivity, and with it the apparent moisture, drops as soil water
freezes.
"""


Moisture = Annotated[float, Field(ge=-1, le=2)]


class LabelRule(BaseModel):
    """Selection of the readings that become labels.

    Attributes:
        deepest_m: maximum depth of the sensor, m.
        flags: accepted ISMN quality flags: single codes such as "G", which each code of a reading must equal, or
            combinations such as "C03,D06", in any order; see `vadose.insitu.flags`.
        drop_frozen: whether readings of frozen soil are dropped: 0 degrees Celsius or less at the thermometer beside
            the sensor. (ISMN's flags D01 to D03 are dropped as any flag that is not accepted.)
        plausible: closed interval of plausible soil moisture, m3 m-3.
        window_minutes: maximum distance between a reading and the time of a sample, minutes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    deepest_m: float = Field(default=0.05, gt=0, le=100)
    flags: tuple[str, ...] = ("G",)
    drop_frozen: bool = True
    plausible: tuple[Moisture, Moisture] = SOIL_MOISTURE.valid_range
    window_minutes: float = Field(default=30.0, ge=0, le=527_040)

    @field_validator("flags")
    @classmethod
    def _known(cls, flags: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set().union(*map(codes, flags)) - set(MEANINGS))
        if unknown:
            raise ValueError(f"{', '.join(map(repr, unknown))}: not a flag of ISMN; those are {', '.join(MEANINGS)}")
        return flags


def at_top(depth_from_m: float, depth_to_m: float, deepest_m: float = 0.05) -> bool:
    """Return whether a sensor measures the top soil: 0 <= from <= to <= deepest, the last with a tolerance of 1 mm.

    For example 0-0.05, 0.02-0.05, 0.05-0.05 and 0.0508-0.0508 m, but not 0.05-0.15 or 0-0.1 m.
    """
    return 0 <= depth_from_m <= depth_to_m <= deepest_m + DEPTH_TOLERANCE_M


def clean(readings: pd.DataFrame, rule: LabelRule) -> tuple[pd.DataFrame, RejectionCounts]:
    """Return the readings of one sensor that may be labels, in order of time, each time once.

    Of two good readings at one time with the same value one is kept; with different values neither is.

    Args:
        readings: indexed by time (UTC), in any order, with soil_moisture (m3 m-3), flag and, if known,
            soil_temperature (degrees Celsius).
        rule: selection.

    Returns:
        time (datetime64[ns], ascending), soil_moisture_in_situ and flag; and the rejected readings by reason.
    """
    table = pd.DataFrame(
        {
            "time": _utc(readings.index),
            LABEL: readings["soil_moisture"].to_numpy(np.float64),
            "flag": _flags(readings["flag"]),
        }
    )
    frozen = (readings.get("soil_temperature", pd.Series(np.nan, readings.index)) <= FREEZING_C).to_numpy()
    faults = _faults(table, frozen & rule.drop_frozen, rule)
    good = table[faults == ""].sort_values("time", kind="stable")
    different = good.groupby("time")[LABEL].transform("nunique") > 1
    repeated = good["time"].duplicated() & ~different
    counts = Counter(faults[faults != ""].tolist())
    counts["conflicting readings at one time"] = int(different.sum())
    counts["repeated reading"] = int(repeated.sum())
    return good[~different & ~repeated].reset_index(drop=True), RejectionCounts.of(counts)


def nearest(
    labels: pd.DataFrame, times: NDArray[np.datetime64], window_minutes: float
) -> tuple[pd.DataFrame, RejectionCounts]:
    """Return the reading nearest to each requested time; of two equally near, the earlier one.

    Args:
        labels: from `clean`.
        times: requested, UTC.
        window_minutes: largest distance of a reading, before or after, included.

    Returns:
        time (the requested one), soil_moisture_in_situ, flag and lag_minutes (time of the reading minus requested
        time), one row for each time with a reading; and the number of times without one.
    """
    asked = nanoseconds(times)
    known = nanoseconds(labels["time"].to_numpy())
    if known.size:
        place = nearest_in_time(known, asked)
        lag = (known[place] - asked) / np.timedelta64(1, "m")
    else:
        place, lag = np.zeros(asked.size, np.intp), np.full(asked.size, np.inf)
    near = abs(lag) <= window_minutes
    found = labels[[LABEL, "flag"]].iloc[place[near]].reset_index(drop=True)
    found = found.assign(time=asked[near], lag_minutes=lag[near])
    return found, RejectionCounts.of({f"no reading within {window_minutes:g} minutes": int((~near).sum())})


def _flags(flags: pd.Series) -> pd.Series:
    """Return flags without blanks around them, "" where missing."""
    held = flags.astype("category").cat
    names = pd.Index([str(name).strip() for name in held.categories] + [""], dtype=object)
    return pd.Series(names[held.codes.to_numpy()], dtype=object)


def _faults(table: pd.DataFrame, frozen: NDArray[np.bool_], rule: LabelRule) -> pd.Series:
    low, high = rule.plausible
    value, flag = table[LABEL], table["flag"]
    wanted = {name: accepted(name, rule.flags) for name in flag.unique()}
    refused = ~flag.map(wanted).astype(bool)
    faults = pd.Series("", index=table.index, dtype=object)
    faults[(value < low) | (value > high)] = f"outside {low:g}..{high:g} m3 m-3"
    faults[frozen] = f"frozen: soil temperature of {FREEZING_C:g} degrees Celsius or less"
    faults[refused] = "flag " + flag[refused].where(lambda text: text != "", "absent")
    faults[value.isna()] = "no value"
    faults[table["time"].isna()] = "no time"
    return faults


def _utc(times: pd.Index) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(times)
    return (index.tz_convert("UTC").tz_localize(None) if index.tz is not None else index).as_unit("ns")
