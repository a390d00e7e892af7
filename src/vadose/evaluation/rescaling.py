"""Rescaling of the estimates of each sensor to its readings, before scoring: named, and never silent.

The parameters come from the scored samples themselves: bias, RMSE and KGE then measure the fit, not the product.
"""

from itertools import pairwise
from typing import Literal, get_args

import numpy as np
import pandas as pd

from vadose.errors import VadoseError
from vadose.evaluation.predictions import ESTIMATE, LABEL, STD, by_sensor, check, is_complete
from vadose.evaluation.statistic import Floats

Scaling = Literal["mean-std", "linear", "min-max", "cdf"]
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)
WORDS: dict[Scaling, str] = {
    "mean-std": "to the mean and standard deviation of the readings",
    "linear": "by the least-squares line to the readings, its slope without sign",
    "min-max": "to the smallest and largest reading",
    "cdf": "to the distribution of the readings (CDF matching; with fewer than 40 samples by that line)",
}
BINS, FEWEST_IN_BIN = 100, 20
"""Bins of the distributions, and the smallest number of samples in each: with fewer samples there are fewer bins; a
single one is a line."""


def rescale(predictions: pd.DataFrame, scaling: Scaling, asked: str = "predictions") -> pd.DataFrame:
    """Return a checked table whose estimates are rescaled to the readings, sensor by sensor.

    Standard deviations are multiplied by the ratio of the standard deviations of the rescaled and the given estimates.
    A sensor with a constant estimate, or without samples, has no estimates then.

    Args:
        predictions: a table as described by `check`.
        scaling: way of scaling.
        asked: name of the table in messages.

    Raises:
        VadoseError: the table is invalid for `check`, or the way is unknown.
    """
    if scaling not in SCALINGS:
        raise VadoseError(
            f"{asked}: rescaling '{scaling}'", f"The ways are {', '.join(SCALINGS)}", "Choose one of them"
        )
    table = check(predictions, asked)
    group, sensors = by_sensor(table)
    used = is_complete(table)
    estimate, label, std = (table[name].to_numpy() for name in (ESTIMATE, LABEL, STD))
    scaled, spread = np.full(len(table), np.nan), np.full(len(table), np.nan)
    ends = np.searchsorted(group, np.arange(len(sensors) + 1))
    for own in (slice(first, last) for first, last in pairwise(ends)):
        p, t = estimate[own][used[own]], label[own][used[own]]
        if len(p) < 2 or np.ptp(p) == 0:
            continue
        scaled[own] = _WAYS[scaling](estimate[own], p, t)
        spread[own] = std[own] * np.nanstd(scaled[own][used[own]]) / np.std(p)
    return table.assign(**{ESTIMATE: scaled, STD: spread})


def _mean_std(values: Floats, p: Floats, t: Floats) -> Floats:
    return np.asarray((values - p.mean()) / p.std() * t.std() + t.mean())


def _min_max(values: Floats, p: Floats, t: Floats) -> Floats:
    return np.asarray((values - p.min()) / np.ptp(p) * np.ptp(t) + t.min())


def _linear(values: Floats, p: Floats, t: Floats) -> Floats:
    slope = np.mean((p - p.mean()) * (t - t.mean())) / p.var()
    return np.asarray(t.mean() + abs(slope) * (values - p.mean()))


def _cdf(values: Floats, p: Floats, t: Floats) -> Floats:
    """Map quantiles to quantiles, linearly between them.

    Quantiles at (i - 0.5) / n, equal ones spread evenly; the outermost of the readings follow a line through their
    neighbour, fitted to the values beyond it (Moesinger et al. 2020, doi 10.5194/essd-12-177-2020). The line of a
    single bin has no sign either, unlike in pytesmo: a matched distribution keeps the order of the estimates.
    """
    bins = min(BINS, len(p) // FEWEST_IN_BIN)
    if bins <= 1:
        return _linear(values, p, t)
    levels = np.arange(bins + 1) / bins
    p, t = np.sort(p), np.sort(t)
    source, target = _quantiles(p, levels), _quantiles(t, levels)
    for inner, outer, above in ((1, 0, False), (-2, -1, True)):
        beyond = [
            own[(own >= at[inner]) if above else (own <= at[inner])] - at[inner]
            for own, at in ((p, source), (t, target))
        ]
        low, high = beyond
        if len(low) != len(high):
            low = _quantiles(low, np.arange(len(high)) / max(len(high) - 1, 1))
        slope = (low @ high) / (low @ low) if (low @ low) > 0 else 0.0
        target[outer] = target[inner] + slope * (source[outer] - source[inner])
    if (np.diff(source) <= 0).any():
        return np.full(len(values), np.nan)
    return np.where(np.isfinite(values), np.interp(values, source, target), np.nan)


def _quantiles(ordered: Floats, levels: Floats) -> Floats:
    """Return quantiles of ordered values; equal ones are spread between the first of each and the last level."""
    found = np.interp(levels, (np.arange(ordered.size) + 0.5) / ordered.size, ordered)
    distinct, first = np.unique(found, return_index=True)
    if 1 < first.size < len(levels):
        at = levels[first]
        at[-1] = levels[-1]
        found = np.interp(levels, at, distinct)
    return found


_WAYS = {"mean-std": _mean_std, "linear": _linear, "min-max": _min_max, "cdf": _cdf}
