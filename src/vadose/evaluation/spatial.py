"""Whether an estimate knows the wetter from the drier places: scores across sensors, date by date."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.evaluation.bootstrap import Bootstrap, Interval
from vadose.evaluation.metric import METRICS, pearson_r
from vadose.evaluation.predictions import LABEL, by_sensor, check, scorable
from vadose.evaluation.statistic import Floats, Moments, group_mean
from vadose.refusal import Refusal

MIN_SENSORS = 10


@dataclass(frozen=True, eq=False)
class Spatial:
    """Scores across sensors.

    Attributes:
        dates: one row for each date: `date` (UTC), `sensors`, and each metric of `METRICS` over them; NaN where there
            are too few.
        r: unweighted mean over dates of the correlation across sensors, with its interval over places.
    """

    dates: pd.DataFrame
    r: Interval


def spatial(predictions: pd.DataFrame, min_sensors: int = MIN_SENSORS, bootstrap: Bootstrap | None = None) -> Spatial:
    """Scores across sensors on each date, and the mean of R over dates.

    R of a date is Pearson's over the sensors that have estimate and label on it, as in the evaluation of satellite
    soil moisture against dense networks (Gruber et al. 2020, doi 10.1016/j.rse.2020.111806, section 4); several
    samples of a sensor on one date are averaged first. Places are drawn for the interval, as whole series: the dates
    of one place are not independent.

    Args:
        predictions: a table as `check` describes.
        min_sensors: dates with fewer sensors have no scores.
        bootstrap: how the interval is drawn.

    Raises:
        Refusal: a table that `check` refuses, or fewer than 3 sensors asked for.
    """
    if min_sensors < 3:
        raise Refusal(
            f"spatial scores: at least {min_sensors} sensors a date", "R of two is 1 or -1", "Ask for 3 or more"
        )
    table = check(predictions)
    sensor, places = by_sensor(table)
    used = scorable(table)
    days, day = np.unique(table["time"].to_numpy()[used].astype("datetime64[D]"), return_inverse=True)
    cell = sensor[used] * len(days) + day
    cells, number = np.unique(cell, return_inverse=True)
    p, t = (group_mean(table[name].to_numpy()[used], number, len(cells)) for name in ("mean", LABEL))
    held, date = np.divmod(cells, max(len(days), 1))
    bootstrap = bootstrap or Bootstrap()
    moments = Moments.of(p, t, date, len(days))
    enough = moments.n >= min_sensors
    dates = pd.DataFrame({"date": days.astype("datetime64[ns]"), "sensors": moments.n.astype(np.int64)})
    dates = dates.assign(**{m.name: np.where(enough, m.of(moments), np.nan) for m in METRICS})
    draws = _draws(p, t, date, held, enough, places, bootstrap)
    return Spatial(dates, _interval(dates["r"].to_numpy(), draws, bootstrap.level))


def _draws(
    p: Floats,
    t: Floats,
    date: NDArray[np.intp],
    sensor: NDArray[np.intp],
    enough: NDArray[np.bool_],
    places: pd.DataFrame,
    bootstrap: Bootstrap,
) -> Floats:
    """Mean over dates of R in each draw of places."""
    lat, lon = (places[name].to_numpy() for name in ("lat", "lon"))
    weights = bootstrap.drawn(lat, lon)
    total, number = np.zeros(len(weights)), np.zeros(len(weights))
    order = np.argsort(date, kind="stable")
    bounds = np.searchsorted(date[order], np.arange(len(enough) + 1))
    for at in np.flatnonzero(enough):
        rows = order[bounds[at] : bounds[at + 1]]
        r = pearson_r(_weighted(p[rows], t[rows], weights[:, sensor[rows]]))
        total += np.nan_to_num(r)
        number += np.isfinite(r)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / number)


def _weighted(p: Floats, t: Floats, weights: Floats) -> Moments:
    p_mean, t_mean = float(np.mean(p)), float(np.mean(t))
    p, t = p - p_mean, t - t_mean
    sums = weights @ np.column_stack([p, t, p * p, t * t, p * t, (p - t) ** 2])
    return Moments.about(p_mean, t_mean, weights.sum(axis=1), sums)


def _interval(r: Floats, draws: Floats, level: float) -> Interval:
    value = float(np.nanmean(r)) if np.isfinite(r).any() else np.nan
    if not np.isfinite(draws).any():
        return Interval(value, np.nan, np.nan)
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))
