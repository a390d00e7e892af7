"""Short-term anomalies: departures of a series from its seasonal cycle."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vadose.evaluation.statistic import Floats, group_mean

WINDOW_DAYS = 35.0
"""Full width of the window of anomalies, days."""
SMOOTHING_DAYS = 5.0
"""Days over which values are averaged before they enter the climatology."""
DAYS = 366
FEWEST_IN_WINDOW = 3
"""Smallest median number of samples in a window for anomalies: of one sample they are zero, of two half a step."""
FEWEST_LIKE_DAILY = 7
"""Smallest median number of samples in a window for anomalies comparable with those of daily series.

With three, as of ten-day rows, an anomaly is a second difference and loses most of the variation over weeks; seven is
one every five days."""


def anomalies(series: Sequence[Floats], time: NDArray[np.datetime64], group: NDArray[np.intp]) -> list[Floats]:
    """Return the departure of each value from the mean over 35 days centred on its time (Entekhabi et al. 2010).

    The window contains the values of the same group within half its width on either side, both ends included, whether
    days are missing or not, as in pytesmo's `calc_anomaly`. Complete series are required: a window extends over the
    edge of a chunk.

    Args:
        series: arrays of finite values, each sorted by group and time.
        time: datetime64[ns] of each value.
        group: number of each value's group, ascending.
    """
    return [values - mean for values, mean in zip(series, _moving(series, time, group, WINDOW_DAYS), strict=True)]


def climatological_anomalies(
    series: Sequence[Floats], time: NDArray[np.datetime64], group: NDArray[np.intp]
) -> list[Floats]:
    """Return the departure of each value from its group's climatology on this day of the year (Entekhabi et al. 2010).

    The climatology is the mean of the values, smoothed over 5 days, of each calendar day (29 February is one of the
    366) over all years, then the mean over 35 days of the year, continued from December to January, as in pytesmo's
    `calc_climatology` with days of the year counted by month and day. A group of one year has almost no anomalies.
    Complete series are required.

    Args:
        series: arrays of finite values, each sorted by group and time.
        time: datetime64[ns] of each value.
        group: number of each value's group, ascending.
    """
    if len(time) == 0:
        return list(series)
    day = _calendar_day(time)
    cell = group * DAYS + day
    count = int(group[-1]) + 1
    found = []
    for values, smooth in zip(series, _moving(series, time, group, SMOOTHING_DAYS), strict=True):
        by_day = group_mean(smooth, cell, count * DAYS).reshape(count, DAYS)
        found.append(values - _circular_mean(by_day, round(WINDOW_DAYS))[group, day])
    return found


def _moving(
    series: Sequence[Floats], time: NDArray[np.datetime64], group: NDArray[np.intp], window_days: float
) -> list[Floats]:
    """Return the mean of each series over a centred window."""
    if len(time) == 0:
        return list(series)
    first, last = _window(time, group, window_days)
    means = []
    for values in series:
        own = group_mean(values, group, int(group.max()) + 1)[group]
        total = np.concatenate([[0.0], np.cumsum(values - own)])
        means.append(np.asarray(own + (total[last] - total[first]) / (last - first)))
    return means


def window_samples(time: NDArray[np.datetime64], group: NDArray[np.intp], groups: int) -> Floats:
    """Return the median number of samples in the 35-day windows of each group, NaN where it has none.

    Args:
        time: datetime64[ns] of each value, sorted by group and time.
        group: number of each value's group, ascending.
        groups: number of groups.
    """
    if len(time) == 0:
        return np.full(groups, np.nan)
    first, last = _window(time, group, WINDOW_DAYS)
    held = pd.Series(last - first, dtype=np.float64).groupby(group).median()
    return np.asarray(held.reindex(range(groups)).to_numpy(np.float64))


def _window(
    time: NDArray[np.datetime64], group: NDArray[np.intp], window_days: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return bounds of the values within the window of each value."""
    # Groups follow one another on one axis, in seconds to avoid overflow, further apart than a window.
    half = round(window_days * 86_400 / 2)
    since = (time - time.min()).astype("timedelta64[s]").astype(np.int64)
    axis = group.astype(np.int64) * (int(since.max()) + 2 * half + 1) + since
    first = np.searchsorted(axis, axis - half, side="left")
    return first, np.searchsorted(axis, axis + half, side="right")


def _calendar_day(time: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Return the day of a leap year by month and day, from 0."""
    days, place = np.unique(time.astype("datetime64[D]"), return_inverse=True)
    dates = pd.DatetimeIndex(days)
    past = dates.day_of_year.to_numpy() - 1
    return np.asarray((past + (~dates.is_leap_year & (dates.month.to_numpy() > 2)))[place], dtype=np.intp)


def _circular_mean(by_day: Floats, window: int) -> Floats:
    """Return the mean of the finite values within a centred circular window of columns."""
    half = window // 2
    there = np.isfinite(by_day)
    wrapped = [np.pad(a, ((0, 0), (half, half)), mode="wrap") for a in (np.where(there, by_day, 0.0), there * 1.0)]
    total, number = (sliding_window_view(a, 2 * half + 1, axis=1).sum(axis=2) for a in wrapped)
    return np.asarray(total / np.maximum(number, 1))
