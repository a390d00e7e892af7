"""Scores of all samples as one series, as in some publications."""

import numpy as np
import pandas as pd

from vadose.evaluation.bootstrap import ANY, Bootstrap, Interval
from vadose.evaluation.metric import METRICS, RANGES
from vadose.evaluation.predictions import LABEL, by_sensor, is_complete
from vadose.evaluation.statistic import Moments


def pooled(predictions: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, Interval]:
    """Return each metric of all samples together, with an interval over places.

    A pooled R counts the differences between places as skill: it is not a mean over sensors. For the interval, each
    sensor is represented by its pseudo-value, from the score of all other sensors (Davison and Hinkley 1997, section
    2.7), weighted by its samples; the interval is that of the mean of these over sensors.

    Args:
        predictions: a checked table; rows without estimate or label are left out.
        bootstrap: settings of the intervals.
    """
    table = predictions[is_complete(predictions)]
    number, sensors = by_sensor(table)
    lat, lon = sensors["lat"].to_numpy(), sensors["lon"].to_numpy()
    p, t = table["soil_moisture"].to_numpy(), table[LABEL].to_numpy()
    whole = Moments.of(p, t, np.zeros(len(p), np.intp), 1)
    own = Moments.of(p, t, number, len(sensors))
    rest = _without_each(own, whole)
    found = {}
    for metric in METRICS:
        value = metric.of(whole)
        parts = value + (rest.n / np.maximum(own.n, 1)) * (value - metric.of(rest))
        mean = bootstrap.mean(parts, lat, lon, own.n, RANGES.get(metric.name, ANY))
        found[metric.name] = Interval(float(value[0]), mean.low, mean.high) if len(value) else mean
    return found


def _without_each(own: Moments, whole: Moments) -> Moments:
    """Return moments of all samples except those of one sensor, for each sensor, from sums about the overall mean."""
    dp, dt = own.p - whole.p, own.t - whole.t
    products = ((own.pp, dp, dp), (own.tt, dt, dt), (own.pt, dp, dt), (own.dd, dp - dt, dp - dt))
    sums = [own.n * dp, own.n * dt, *(inner + own.n * a * b for inner, a, b in products)]
    left = [np.sum(column) - column for column in sums]
    return Moments.about(float(whole.p[0]), float(whole.t[0]), whole.n - own.n, np.column_stack(left))
