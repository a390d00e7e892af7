"""Confidence intervals of means over sensors from the differences between places, and how blocks of time are drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.evaluation.places import OverPlaces, each_place_once, over_places
from vadose.evaluation.statistic import Floats

ANY = (-np.inf, np.inf)
MOST_OF_A_MEDIAN = 1 / 3
"""Share of the sensors that one place may hold for the median over sensors to have an interval."""


@dataclass(frozen=True)
class Interval:
    """A number over several sensors with its confidence interval; NaN bounds where places are too few for one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: over places by `over_places`, over time by draws of blocks of samples (`in_time`).

    Places are blocks of longitude and latitude; with fewer than `FEWEST` effective ones there is no interval.

    Attributes:
        level: confidence, such as 0.9.
        draws: number of draws of blocks of time.
        seed: start of the random numbers of blocks of time.
        block_degrees: side of a place.
    """

    level: float = 0.9
    draws: int = 1000
    seed: int = 0
    block_degrees: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.level < 1 and self.draws >= 1 and self.block_degrees > 0):
            raise VadoseError(
                f"bootstrap: level {self.level:g}, {self.draws} draws, blocks of {self.block_degrees:g} degrees",
                "The level must lie between 0 and 1, draws and blocks be positive",
                "Take level 0.9, 1000 draws, blocks of 1 degree",
            )

    def blocks(self, lat: Floats, lon: Floats) -> NDArray[np.intp]:
        """Return number of the block that holds each place (degrees)."""
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
        """Mean over sensors, NaN left out, each sensor weighing the same unless `weights` says otherwise.

        Args:
            values: one a sensor.
            lat, lon: of the sensors, degrees.
            weights: of the sensors; those of weight 0 are left out.
            bounds: that the mean cannot leave.
            at_least: as in `over_places`.
        """
        return self._interval(self.estimate(values, lat, lon, weights, at_least), bounds)

    def mean_over_places(self, values: Floats, lat: Floats, lon: Floats, bounds: tuple[float, float] = ANY) -> Interval:
        """Mean over the sensors of each place, then over places, NaN left out: what a new place may expect."""
        return self._interval(self.estimate_over_places(values, lat, lon), bounds)

    def p_value(self, values: Floats, lat: Floats, lon: Floats) -> float:
        """Two-sided p-value of the hypothesis that the mean over sensors is zero, NaN left out."""
        return self.estimate(values, lat, lon).p()

    def median(self, values: Floats, lat: Floats, lon: Floats) -> Interval:
        """Median over sensors, NaN left out.

        The interval of Woodruff (1952, doi 10.1080/01621459.1952.10483443): quantiles of the values at the ends of the
        interval of the share of sensors below the median. There is none where one place holds more than
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
        """Mean over sensors with its error, see `over_places`; NaN is left out."""
        weights = np.ones(len(values)) if weights is None else weights
        there = np.isfinite(values) & (weights > 0)
        return over_places(values[there], weights[there], self.blocks(lat[there], lon[there]), at_least)

    def estimate_over_places(self, values: Floats, lat: Floats, lon: Floats) -> OverPlaces:
        """Mean over places with its error, see `mean_over_places`."""
        there = np.isfinite(values)
        block = self.blocks(lat[there], lon[there])
        return over_places(values[there], each_place_once(block), block)

    def _interval(self, found: OverPlaces, bounds: tuple[float, float]) -> Interval:
        low, high = np.clip(found.interval(self.level), *bounds)
        return Interval(found.value, float(low), float(high))
