"""Climatology: what the sensors around usually measure on that day of the year."""

from dataclasses import dataclass
from math import tau

import numpy as np
from numpy.typing import NDArray

from vadose.fusion import InputSpec
from vadose.grid import distances_km
from vadose.models.batch import Batch, Estimate
from vadose.models.feature_extractor import YEAR_DAYS

HARMONICS = 2
"""Waves of a year and of half a year beside the mean."""
NEAREST_KM = 25.0
"""Places within this distance count alike."""


@dataclass(frozen=True)
class Climatology:
    """Day-of-year climatology of the nearest training places, weighed by their distance (Shepard, ACM 1968).

    It knows the labels of the training sensors, the place and the day, and reads no predictor.

    Attributes:
        places: latitude and longitude of each training place, degrees.
        cycles: the yearly cycle of each place, m3 m-3: the coefficients of `waves`.
        neighbours: places that speak for a cell.
        spread: root mean square of the error over training places that it was not fitted on, m3 m-3.
    """

    places: tuple[tuple[float, float], ...]
    cycles: tuple[tuple[float, ...], ...]
    neighbours: int
    spread: float

    @property
    def needs(self) -> InputSpec:
        """No predictor at all."""
        return InputSpec()

    def estimate(self, batch: Batch) -> Estimate:
        """Return the mean cycle of the neighbours on the day; of all places where the cell's place is not known."""
        samples, _, *cells = batch.cells.shape
        place = np.moveaxis(np.broadcast_to(batch.place.numpy(), (samples, 2, *cells)), 1, -1).reshape(-1, 2)
        day = np.broadcast_to(batch.day_of_year.numpy()[:, np.newaxis], (samples, len(place) // samples)).ravel()
        cycle = self._weights(place) @ np.asarray(self.cycles)
        mean = (cycle * waves(day)).sum(axis=1).astype(np.float32).clip(0, 1).reshape(samples, *cells)
        return Estimate(mean, np.full_like(mean, self.spread))

    def _weights(self, place: NDArray[np.float32]) -> NDArray[np.float64]:
        """Weight of each training place for each cell, (cell, place), of sum 1."""
        apart = distances_km(place, self.places)
        farthest = np.sort(apart, axis=1)[:, [min(self.neighbours, len(self.places)) - 1]]
        weights = np.where(apart <= farthest, 1 / np.maximum(apart, NEAREST_KM), 0.0)
        weights = np.where(np.isfinite(apart), weights, 1.0)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def waves(day: NDArray[np.floating]) -> NDArray[np.float64]:
    """One, and the waves of the year at each day, (day, 1 + 2 HARMONICS); 0 where it is not known."""
    angles = tau * np.asarray(day, np.float64)[:, np.newaxis] * np.arange(1, HARMONICS + 1) / YEAR_DAYS
    parts = [np.ones((len(angles), 1)), np.sin(angles), np.cos(angles)]
    return np.asarray(np.nan_to_num(np.concatenate(parts, axis=1)))
