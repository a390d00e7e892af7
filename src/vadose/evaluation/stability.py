"""Stability: trends of the yearly scores of each sensor, per decade."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import theilslopes

from vadose.evaluation.bootstrap import ANY, Bootstrap
from vadose.evaluation.metric import bias, pearson_r, ubrmse
from vadose.evaluation.predictions import ESTIMATE, LABEL, SENSOR, by_sensor, check, is_complete
from vadose.evaluation.statistic import Floats, Moments
from vadose.evaluation.tally import MIN_SAMPLES

YEARLY = {"r": pearson_r, "ubrmse": ubrmse, "bias": bias}
MIN_YEARS = 3
"""Smallest number of years with a score for a trend: of two it is their difference."""


@dataclass(frozen=True, eq=False)
class Stability:
    """Trends per decade.

    Attributes:
        sensors: one row per sensor: `network, station, sensor, lat, lon`, `years` with scores, and `r_per_decade`,
            `ubrmse_per_decade`, `bias_per_decade`, NaN with fewer than `MIN_YEARS`.
        summary: one row per score: `sensors`, `places`, mean over sensors and its interval (`mean, low, high`), NaN
            with too few effective places.
    """

    sensors: pd.DataFrame
    summary: pd.DataFrame


def stability(
    predictions: pd.DataFrame, min_samples: int = MIN_SAMPLES, bootstrap: Bootstrap | None = None
) -> Stability:
    """Return the trends of R, ubRMSE and bias of each sensor over calendar years, per decade.

    A trend is the median slope between all pairs of years (Theil 1950, Sen 1968, doi 10.1080/01621459.1968.10480934),
    as in QA4SM, times ten; a year counts with `min_samples` samples.

    Args:
        predictions: a table as described by `check`.
        min_samples: smallest number of samples of a scored year of a sensor.
        bootstrap: settings of the intervals.
    """
    table = check(predictions)
    group, sensors = by_sensor(table)
    used = is_complete(table)
    years, year = np.unique(table["time"].dt.year.to_numpy()[used], return_inverse=True)
    count = len(years)
    cell = group[used] * count + year
    p, t = (table[name].to_numpy()[used] for name in (ESTIMATE, LABEL))
    moments = Moments.of(p, t, cell, len(sensors) * count)
    enough = (moments.n >= min_samples).reshape(-1, count)
    trends = {
        f"{name}_per_decade": _trends(np.where(enough, of(moments).reshape(-1, count), np.nan), years)
        for name, of in YEARLY.items()
    }
    found = sensors[[*SENSOR, "lat", "lon"]].assign(years=enough.sum(axis=1), **trends)
    return Stability(found, _summary(found, bootstrap or Bootstrap()))


def _trends(scores: Floats, years: NDArray[np.integer]) -> Floats:
    found = np.full(len(scores), np.nan)
    for sensor, values in enumerate(scores):
        there = np.isfinite(values)
        if there.sum() >= MIN_YEARS:
            found[sensor] = 10 * theilslopes(values[there], years[there])[0]
    return found


def _summary(sensors: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    lat, lon = (sensors[name].to_numpy() for name in ("lat", "lon"))
    rows: list[Mapping[str, object]] = []
    for score in YEARLY:
        values = sensors[f"{score}_per_decade"].to_numpy()
        mean, rests_on = bootstrap.mean(values, lat, lon, bounds=ANY), bootstrap.estimate(values, lat, lon)
        counts = {"score": score, "sensors": int(np.isfinite(values).sum()), "places": rests_on.places}
        rows.append(counts | {"mean": mean.value, "low": mean.low, "high": mean.high})
    return pd.DataFrame(rows)
