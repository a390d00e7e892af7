"""Uncertainty of means over sensors in places of unequal size, as neighbouring sensors are not independent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from vadose.evaluation.statistic import Floats

FEWEST = 5.0
"""Smallest number of effective places for an interval: below it, no tested method has the stated coverage."""
LARGEST_BEND = 0.25
"""Largest correction for skewness, in 1 / t of a 90 % interval: its ends are 0.8 and 1.6 times as far as without. With
few places, or a single bad one, sample skewness is so large that the transformation would diverge.
"""
LEAST_BETWEEN = 0.1
"""Smallest fraction of the variance of place means that is attributed to places, whatever the sensors' noise."""


@dataclass(frozen=True)
class OverPlaces:
    """A weighted mean over sensors with its error.

    Attributes:
        value: the mean.
        error: its standard error; NaN with one place.
        freedom: degrees of freedom of the error.
        bend, shift: parameters of the transformation that removes the skewness of (value - truth) / error.
        places: number of places with sensors.
        effective: equivalent number of places of equal weight: 1 / sum of squared weights (Kish 1965, section 11.7).
    """

    value: float
    error: float
    freedom: float
    bend: float
    shift: float
    places: int
    effective: float

    def interval(self, level: float) -> tuple[float, float]:
        """Return the ends of the confidence interval, NaN with fewer than `FEWEST` effective places."""
        if not self._enough:
            return np.nan, np.nan
        t = float(stdtrit(self.freedom, (1 + level) / 2))
        return self.value - self._bent(t) * self.error, self.value - self._bent(-t) * self.error

    def p(self) -> float:
        """Return the two-sided p-value of the hypothesis that the truth is zero, consistent with the interval.

        NaN with fewer than `FEWEST` effective places.
        """
        if not self._enough:
            return np.nan
        if self.error == 0:
            return float(self.value == 0)
        return float(2 * stdtr(self.freedom, -abs(self._straight(self.value / self.error))))

    @property
    def _enough(self) -> bool:
        return self.effective >= FEWEST - 1e-9 and np.isfinite(self.error)

    def _straight(self, t: float) -> float:
        """Return the statistic without its skewness: ((1 + bend t)^3 - 1) / (3 bend) + shift."""
        return t + self.bend * t * t + self.bend**2 * t**3 / 3 + self.shift

    def _bent(self, x: float) -> float:
        """Return the statistic that `_straight` transforms to `x`."""
        if abs(self.bend) < 1e-9:
            return x - self.shift
        return float((np.cbrt(1 + 3 * self.bend * (x - self.shift)) - 1) / self.bend)


def over_places(values: Floats, weights: Floats, block: NDArray[np.intp], at_least: float = 0.0) -> OverPlaces:
    """Return the weighted mean over sensors, with its error from the differences between places.

    Means of places are regarded as draws from one population with variance b + w / n, where n is the number of sensors
    of the place, w the variance between sensors of a place (pooled over places with several) and b that between places
    (from the unweighted variance s of place means, at least `LEAST_BETWEEN` of it). The mean with place weights a has
    the variance sum a^2 (b + w / n), with the degrees of freedom of Satterthwaite (1946, doi 10.2307/3002019). The
    variance between places also applies to a place of many sensors, whose own departure from the mean is hardly
    informative: such a place pulls the mean towards itself. The cubic of Hall (1992, doi
    10.1111/j.2517-6161.1992.tb01876.x) removes the skewness of (mean - truth) / error, with the cumulants of unequal
    weights, up to `LARGEST_BEND`. With places of equal weight this is the t interval of place means with Hall's
    correction.

    For a comparison with the percentile bootstrap, the expanded one, bootstrap-t, wild cluster bootstrap and the
    cluster-robust CR2 with the degrees of freedom of Bell and McCaffrey, see `benchmarks/README.md`.

    Args:
        values: finite, one per sensor.
        weights: weights of the sensors, positive.
        block: number of each sensor's place, consecutive from 0.
        at_least: variance of the mean by another cause that the differences between places already contain, such as
            sampling in time: lower limit of the error.
    """
    count = int(block.max(initial=-1)) + 1
    if not count:
        return OverPlaces(np.nan, np.nan, np.nan, 0.0, 0.0, 0, 0.0)
    total = np.bincount(block, weights, count)
    mean = np.bincount(block, weights * values, count) / total
    share = total / total.sum()
    value, squares = float(share @ mean), float(share @ share)
    if count < 2:
        return OverPlaces(value, np.nan, np.nan, 0.0, 0.0, count, 1 / squares)
    sensors = total**2 / np.bincount(block, weights**2, count)
    within, free = _within(values, weights * (sensors / total)[block], mean, sensors, block)
    between = float(np.var(mean, ddof=1))
    rest = float(np.mean(1 / sensors))
    of_sensors, known = float(share**2 @ (1 / sensors)), between - within * rest > LEAST_BETWEEN * between
    parts = (
        (squares * between, (of_sensors - squares * rest) * within)
        if known
        else (squares * LEAST_BETWEEN * between, of_sensors * within)
    )
    variance = max(sum(parts), at_least)
    doubt = parts[0] ** 2 / (count - 1) + (parts[1] ** 2 / free if free > 0 else 0.0)
    freedom = variance**2 / doubt if doubt > 0 else float(count - 1)
    skewness = _skewness(mean) * sum(parts) / variance if variance > 0 else 0.0
    first = -skewness / (2 * count * np.sqrt(squares))
    third = skewness * float(np.sum(share**3)) / squares**1.5 + 6 * first
    bend, shift = -third / 6, third / 6 - first
    part = min(1.0, LARGEST_BEND / (float(stdtrit(freedom, 0.95)) * abs(bend))) if bend else 1.0
    return OverPlaces(value, float(np.sqrt(variance)), freedom, part * bend, part * shift, count, 1 / squares)


def each_place_once(block: NDArray[np.intp]) -> Floats:
    """Return weights of sensors that give all places equal weight: 1 over the number of sensors of the place."""
    return np.asarray(1 / np.maximum(np.bincount(block), 1)[block])


def _within(
    values: Floats, weights: Floats, mean: Floats, sensors: Floats, block: NDArray[np.intp]
) -> tuple[float, float]:
    """Return the variance between sensors of one place, pooled, and its degrees of freedom; 0 if no place has two."""
    free = float(np.sum(sensors - 1))
    if free < 1e-9:
        return 0.0, 0.0
    return float(np.sum(weights * (values - mean[block]) ** 2)) / free, free


def _skewness(means: Floats) -> float:
    apart = means - np.mean(means)
    square = float(np.mean(apart**2))
    return float(np.mean(apart**3)) / square**1.5 if square > 0 else 0.0
