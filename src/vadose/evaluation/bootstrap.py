"""Confidence intervals from a bootstrap that resamples places, since neighbours are not independent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.evaluation.significance import bootstrap_p
from vadose.evaluation.statistic import Floats
from vadose.refusal import Refusal


@dataclass(frozen=True)
class Interval:
    """A number over several sensors with its confidence interval; NaN bounds where places are too few for one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """Cluster bootstrap with percentile intervals (Davison and Hinkley 1997, section 3.8).

    Places are blocks of longitude and latitude. A draw takes as many blocks as there are, with replacement, and all
    sensors of each; the same seed and the same sensors give the same interval.

    Attributes:
        level: confidence, 0.9 for an interval between the 5 % and 95 % quantiles of the draws.
        draws: number of draws.
        seed: start of the random numbers.
        block_degrees: side of a block.
    """

    level: float = 0.9
    draws: int = 1000
    seed: int = 0
    block_degrees: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.level < 1 and self.draws >= 1 and self.block_degrees > 0):
            raise Refusal(
                f"bootstrap: level {self.level:g}, {self.draws} draws, blocks of {self.block_degrees:g} degrees",
                "The level must lie between 0 and 1, draws and blocks be positive",
                "Take level 0.9, 1000 draws, blocks of 1 degree",
            )

    def blocks(self, lat: Floats, lon: Floats) -> NDArray[np.intp]:
        """Number of the block that holds each place (degrees)."""
        corner = np.column_stack([np.floor(lat / self.block_degrees), np.floor((lon % 360) / self.block_degrees)])
        return np.unique(corner, axis=0, return_inverse=True)[1].reshape(-1)

    def mean(self, values: Floats, lat: Floats, lon: Floats, weights: Floats | None = None) -> Interval:
        """Mean over sensors, NaN left out, each sensor weighing the same unless `weights` says otherwise."""
        there = np.isfinite(values)
        weights = np.ones(len(values)) if weights is None else weights
        values, weights = values[there], weights[there]
        drawn = self.drawn(lat[there], lon[there])
        with np.errstate(invalid="ignore", divide="ignore"):
            draws = (drawn @ (values * weights)) / (drawn @ weights)
            value = (values @ weights) / np.sum(weights)
        return self._interval(float(value), draws)

    def chance(self, values: Floats, lat: Floats, lon: Floats) -> float:
        """Two-sided p-value of the hypothesis that the mean over sensors is zero (see `bootstrap_p`), NaN left out."""
        there = np.isfinite(values)
        drawn = self.drawn(lat[there], lon[there])
        return float(bootstrap_p(drawn @ values[there, np.newaxis])[0])

    def median(self, values: Floats, lat: Floats, lon: Floats) -> Interval:
        """Median over sensors, NaN left out."""
        there = np.isfinite(values)
        values = values[there]
        order = np.argsort(values)
        counts = np.cumsum(self.drawn(lat[there], lon[there])[:, order], axis=1)
        if not len(values):
            return Interval(np.nan, np.nan, np.nan)
        half = counts[:, -1:] / 2
        lower, upper = np.argmax(counts >= half, axis=1), np.argmax(counts > half, axis=1)
        ranked = values[order]
        return self._interval(float(np.median(values)), (ranked[lower] + ranked[upper]) / 2)

    def drawn(self, lat: Floats, lon: Floats) -> Floats:
        """How often each draw takes each sensor: (draws, sensors), of no draws where there is one block or none."""
        block = self.blocks(lat, lon)
        number = int(block.max(initial=-1)) + 1
        if number < 2:
            return np.zeros((0, len(block)))
        picks = np.random.default_rng(self.seed).integers(0, number, (self.draws, number))
        picks += number * np.arange(self.draws)[:, np.newaxis]
        times = np.bincount(picks.ravel(), minlength=self.draws * number).reshape(self.draws, number)
        return times[:, block].astype(np.float64)

    def _interval(self, value: float, draws: Floats) -> Interval:
        if not len(draws):
            return Interval(value, np.nan, np.nan)
        low, high = np.quantile(draws, [(1 - self.level) / 2, (1 + self.level) / 2])
        return Interval(value, float(low), float(high))
