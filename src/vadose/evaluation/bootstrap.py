"""Confidence intervals of means over sensors from the differences between places, and settings of the block
bootstrap.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.evaluation.places import OverPlaces, each_place_once, over_places
from vadose.evaluation.statistic import Floats

ANY = (-np.inf, np.inf)
MOST_OF_A_MEDIAN = 1 / 3
"""Largest fraction of the sensors in one place for an interval of the median over sensors."""


@dataclass(frozen=True)
class Interval:
    """A statistic over several sensors with its confidence interval; NaN bounds with too few places."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """Settings of intervals: over places by `over_places`, over time by draws of blocks of samples.

    Places are blocks of longitude and latitude; with fewer than `FEWEST` effective ones there is no interval.

    Attributes:
        level: confidence, such as 0.9.
        draws: number of draws of blocks of time.
        seed: seed of the random numbers of blocks of time.
        block_degrees: side of a block that forms a place, degrees.
    """

    level: float = 0.9
    draws: int = 1000
    seed: int = 0
    block_degrees: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.level < 1 and self.draws >= 1 and self.block_degrees > 0):
            raise VadoseError(
                f"bootstrap: level {self.level:g}, {self.draws} draws, blocks of {self.block_degrees:g} degrees",
                "The level must be between 0 and 1, draws and blocks positive",
                "Take level 0.9, 1000 draws, blocks of 1 degree",
            )

    def blocks(self, lat: Floats, lon: Floats) -> NDArray[np.intp]:
        """Return the number of the block of each place (degrees)."""
        corner = np.column_stack([np.floor(lat / self.block_degrees), np.floor((lon % 360) / self.block_degrees)])
        return np.unique(corner, axis=0, return_inverse=True)[1].reshape(-1)

    def mean(
        self,
        values: Floats,
        lat: Floats,
        lon: Floats,
        weights: Floats | None = None,
        bounds: tuple[float, float] = ANY,
        at_least: float = 0.0,
    ) -> Interval:
        """Return the mean over sensors without NaN, with equal weights by default.

        Args:
            values: one per sensor.
            lat, lon: latitude and longitude of the sensors, degrees.
            weights: weights of the sensors; those of weight 0 are left out.
            bounds: bounds of the score.
            at_least: as in `over_places`.
        """
        return self._interval(self.estimate(values, lat, lon, weights, at_least), bounds)

    def mean_over_places(self, values: Floats, lat: Floats, lon: Floats, bounds: tuple[float, float] = ANY) -> Interval:
        """Return the mean over the sensors of each place, then over places, without NaN: the expected score at a new
        place.
        """
        return self._interval(self.estimate_over_places(values, lat, lon), bounds)

    def median(self, values: Floats, lat: Floats, lon: Floats) -> Interval:
        """Return the median over sensors, without NaN.

        The interval of Woodruff (1952, doi 10.1080/01621459.1952.10483443): quantiles of the values at the ends of the
        interval of the fraction of sensors below the median. There is none if one place has more than
        `MOST_OF_A_MEDIAN` of the sensors: the median is then that place's own, whatever the others are.
        """
        there = np.isfinite(values)
        values = values[there]
        if not len(values):
            return Interval(np.nan, np.nan, np.nan)
        middle = float(np.median(values))
        below = (values < middle) + (values == middle) / 2
        block = self.blocks(lat[there], lon[there])
        low, high = over_places(below, np.ones(len(below)), block).interval(self.level)
        if not np.isfinite(low) or np.max(np.bincount(block)) > MOST_OF_A_MEDIAN * len(values):
            return Interval(middle, np.nan, np.nan)
        ends = np.quantile(values, np.clip([0.5 + low - np.mean(below), 0.5 + high - np.mean(below)], 0, 1))
        return Interval(middle, float(ends[0]), float(ends[1]))

    def estimate(
        self, values: Floats, lat: Floats, lon: Floats, weights: Floats | None = None, at_least: float = 0.0
    ) -> OverPlaces:
        """Return the mean over sensors with its error, see `over_places`, without NaN."""
        weights = np.ones(len(values)) if weights is None else weights
        there = np.isfinite(values) & (weights > 0)
        return over_places(values[there], weights[there], self.blocks(lat[there], lon[there]), at_least)

    def estimate_over_places(self, values: Floats, lat: Floats, lon: Floats) -> OverPlaces:
        """Return the mean over places with its error, see `mean_over_places`."""
        there = np.isfinite(values)
        block = self.blocks(lat[there], lon[there])
        return over_places(values[there], each_place_once(block), block)

    def _interval(self, found: OverPlaces, bounds: tuple[float, float]) -> Interval:
        low, high = np.clip(found.interval(self.level), *bounds)
        return Interval(found.value, float(low), float(high))
