"""Values of a product at sensors, in order of time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.grid import nearest_in_time
from vadose.products.times import Times

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sampled:
    """A product at sensors: valid values alone, so that its size is that of the observations.

    Attributes:
        times: times of the values of each sensor, ascending, one sensor after the other, UTC.
        values: in the units of the file.
        bounds: first value of each sensor, and the number of values.
        away_km: from each sensor to the centre of its cell, NaN outside the grid.
        units: units of the file.
        notes: remarks on the files, and on values that were left out.
    """

    times: Times
    values: Floats
    bounds: NDArray[np.intp]
    away_km: Floats
    units: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        sensor: NDArray[np.intp],
        times: Times,
        values: Floats,
        away_km: Floats,
        units: str,
        notes: tuple[str, ...] = (),
    ) -> "Sampled":
        """Sort values by sensor and time.

        Args:
            sensor: number of the sensor of each value.
            times, values: of each value; NaN is left out.
            away_km, units, notes: as the attributes.
        """
        order = np.lexsort((times, sensor))
        order = order[np.isfinite(values[order])]
        bounds = np.searchsorted(sensor[order], np.arange(len(away_km) + 1))
        return cls(times[order], values[order], bounds, away_km, units, notes)

    def series(self, sensor: int) -> tuple[Times, Floats]:
        """Return times and values of a sensor."""
        own = slice(self.bounds[sensor], self.bounds[sensor + 1])
        return self.times[own], self.values[own]


def nearest_valid(sampled_: Sampled, sensor: int, asked: Times, window_hours: float) -> Floats:
    """Return the value nearest in time to each requested time, NaN if none is within the window."""
    times, values = sampled_.series(sensor)
    if not len(times):
        return np.full(len(asked), np.nan)
    place = nearest_in_time(times, asked)
    away = abs(asked - times[place]) / np.timedelta64(1, "h")
    return np.where(away <= window_hours, values[place], np.nan)
