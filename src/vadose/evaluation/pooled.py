"""Scores of all samples as one series, as some works give them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.evaluation.bootstrap import Bootstrap, Interval
from vadose.evaluation.metric import METRICS
from vadose.evaluation.predictions import LABEL, by_sensor, scorable
from vadose.evaluation.statistic import Floats, Moments


def pooled(predictions: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, Interval]:
    """Each metric of all samples together, with an interval from the bootstrap that resamples places.

    A pooled R counts the differences between places as skill: it is no mean over sensors.

    Args:
        predictions: a checked table; rows without estimate or label are left out.
        bootstrap: how the intervals are drawn.
    """
    table = predictions[scorable(predictions)]
    number, sensors = by_sensor(table)
    block = bootstrap.blocks(sensors["lat"].to_numpy(), sensors["lon"].to_numpy())
    p, t = table["mean"].to_numpy(), table[LABEL].to_numpy()
    whole = Moments.of(p, t, np.zeros(len(p), np.intp), 1)
    places = Moments.of(p, t, block[number], int(block.max(initial=-1)) + 1)
    draws = _drawn(places, whole, bootstrap)
    return {metric.name: _interval(metric.of(whole), metric.of(draws), bootstrap.level) for metric in METRICS}


def _drawn(places: Moments, whole: Moments, bootstrap: Bootstrap) -> Moments:
    """Moments of each draw of places, from sums about the mean of all."""
    count = len(places.n)
    if count < 2:
        return Moments(*(np.zeros(0) for _ in range(7)))
    picks = np.random.default_rng(bootstrap.seed).integers(0, count, (bootstrap.draws, count))
    times = np.stack([np.bincount(row, minlength=count) for row in picks]).astype(np.float64)
    n = times @ places.n
    dp, dt = places.p - whole.p, places.t - whole.t
    p, t = (times @ (places.n * apart) / n for apart in (dp, dt))

    def about(own: Floats, first: Floats, second: Floats, mean: NDArray[np.float64]) -> Floats:
        return np.asarray(times @ (own + places.n * first * second) - n * mean)

    return Moments(
        n,
        p + whole.p,
        t + whole.t,
        about(places.pp, dp, dp, p * p),
        about(places.tt, dt, dt, t * t),
        about(places.pt, dp, dt, p * t),
        about(places.dd, dp - dt, dp - dt, (p - t) ** 2),
    )


def _interval(value: Floats, draws: Floats, level: float) -> Interval:
    if not len(draws) or not np.isfinite(draws).any():
        return Interval(float(value[0]), np.nan, np.nan)
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value[0]), float(low), float(high))
