"""Leakage check: the parts of a split share neither places nor times."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.dataset.layout import IDENTITY
from vadose.dataset.spatial_groups import pairs_within
from vadose.errors import VadoseError
from vadose.grid import distances_km, nanoseconds, nearest_in_time

Rows = NDArray[np.intp]
Times = NDArray[np.datetime64]
DAY = np.timedelta64(1, "D")


def check_leakage(
    index: pd.DataFrame, parts: Sequence[Rows], buffer_km: float | None = 0.0, gap_days: float | None = None
) -> None:
    """Verify that no two parts share a place, or are near each other in space or in time.

    Args:
        index: index of the whole sample store.
        parts: rows of each part, such as `Split.folds` or the train, validation and test rows of a fold.
        buffer_km: smallest distance between sensors of two parts; 0 excludes shared places only, None nothing.
        gap_days: smallest distance between times of two parts; 0 excludes shared times only, None nothing.

    Raises:
        VadoseError: two parts are too near; the message names two sensors, or two times.
    """
    if buffer_km is not None:
        _check_places(index, parts, buffer_km)
    if gap_days is not None:
        _check_times(index, parts, gap_days)


def days_apart(times: Times, others: Times) -> NDArray[np.float64]:
    """Return days from each of some times to the nearest of others; infinite without others."""
    if not len(others):
        return np.full(len(times), np.inf)
    known = np.unique(others)
    return np.asarray(abs(times - known[nearest_in_time(known, times)]) / DAY)


def _check_places(index: pd.DataFrame, parts: Sequence[Rows], buffer_km: float) -> None:
    columns = [*IDENTITY, "lat", "lon"]
    tables = [index.iloc[rows][columns].drop_duplicates().assign(part=part) for part, rows in enumerate(parts)]
    sensors = pd.concat(tables, ignore_index=True)
    part = sensors["part"].to_numpy()
    pairs = pairs_within(sensors["lat"].to_numpy(np.float64), sensors["lon"].to_numpy(np.float64), buffer_km)
    torn = pairs[part[pairs[:, 0]] != part[pairs[:, 1]]]
    if len(torn):
        one, other = (sensors.iloc[number] for number in torn[0])
        (places,) = sensors[["lat", "lon"]].to_numpy(np.float64)[torn[:1]]
        apart = distances_km(places[:1], places[1:]).item()
        raise VadoseError(
            f"split: parts whose sensors are more than {buffer_km:g} km apart",
            f"{_name(one)} in part {one.part} and {_name(other)} in part {other.part} are {apart:.3f} km apart, "
            f"{len(torn)} pairs are too near",
            f"Group with buffer_km of {buffer_km:g} or more, by place, block or network",
        )


def _check_times(index: pd.DataFrame, parts: Sequence[Rows], gap_days: float) -> None:
    times = nanoseconds(index["time"].to_numpy())
    for (number, one), (other_number, other) in combinations(enumerate(parts), 2):
        apart = days_apart(times[one], times[other])
        near = apart <= gap_days
        if near.any():
            raise VadoseError(
                f"split: parts whose times are more than {gap_days:g} days apart",
                f"{near.sum()} times of part {number} are nearer to part {other_number}, such as "
                f"{np.datetime_as_string(times[one][np.argmin(apart)], 'm')}: {apart.min():.3f} days",
                "Split by year, with that gap",
            )


def _name(sensor: pd.Series) -> str:
    return f"{sensor.network} {sensor.station} {sensor.sensor}"
