"""Climatology: the usual soil moisture of nearby sensors on a day of the year."""

from dataclasses import dataclass
from math import tau

import numpy as np
from numpy.typing import NDArray

from vadose.fusion import InputSpec
from vadose.grid import distances_km
from vadose.models.batch import Batch, Estimate
from vadose.models.feature_extractor import YEAR_DAYS

HARMONICS = 2
"""Number of harmonics: waves of a year and of half a year."""
NEAREST_KM = 25.0
"""Distance below which places have the same weight."""


@dataclass(frozen=True)
class Climatology:
    """Day-of-year climatology of the nearest training places, weighted by distance (Shepard, ACM 1968).

    It uses the labels of the training sensors, the place and the day, and no predictor.

    Attributes:
        places: latitude and longitude of each training place, degrees.
        cycles: yearly cycle of each place, m3 m-3: the coefficients of `waves`.
        neighbours: number of places per estimate.
        spread: root mean square error at training places that it was not fitted on, m3 m-3.
    """

    places: tuple[tuple[float, float], ...]
    cycles: tuple[tuple[float, ...], ...]
    neighbours: int
    spread: float

    @property
    def needs(self) -> InputSpec:
        """Return no predictor."""
        return InputSpec()

    def estimate(self, batch: Batch) -> Estimate:
        """Return the mean cycle of the neighbours on the day; of all places where the cell's place is unknown."""
        samples, _, *cells = batch.cells.shape
        place = np.moveaxis(np.broadcast_to(batch.place.numpy(), (samples, 2, *cells)), 1, -1).reshape(-1, 2)
        day = np.broadcast_to(batch.day_of_year.numpy()[:, np.newaxis], (samples, len(place) // samples)).ravel()
        cycle = self._weights(place) @ np.asarray(self.cycles)
        mean = (cycle * waves(day)).sum(axis=1).astype(np.float32).clip(0, 1).reshape(samples, *cells)
        return Estimate(mean, np.full_like(mean, self.spread))

    def _weights(self, place: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the weight of each training place for each cell, (cell, place), with sum 1."""
        apart = distances_km(place, self.places)
        farthest = np.sort(apart, axis=1)[:, [min(self.neighbours, len(self.places)) - 1]]
        weights = np.where(apart <= farthest, 1 / np.maximum(apart, NEAREST_KM), 0.0)
        weights = np.where(np.isfinite(apart), weights, 1.0)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def waves(day: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return 1 and the waves of the year at each day, (day, 1 + 2 HARMONICS); 0 where the day is unknown."""
    angles = tau * np.asarray(day, np.float64)[:, np.newaxis] * np.arange(1, HARMONICS + 1) / YEAR_DAYS
    parts = [np.ones((len(angles), 1)), np.sin(angles), np.cos(angles)]
    return np.asarray(np.nan_to_num(np.concatenate(parts, axis=1)))
