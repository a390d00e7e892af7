"""EASE-Grid 2.0, global: Brodzik et al., ISPRS Int. J. Geo-Inf. 1:32-45, 2012."""

from dataclasses import dataclass

import numpy as np

from vadose.grid import from_lonlat, to_lonlat
from vadose.simulation.footprint import REACH_M, Pixels
from vadose.simulation.state import Simulated

EPSG, WEST, NORTH = 6933, -17_367_530.4451615, 7_314_540.8306386
TRUE_LATITUDE = 30.0


@dataclass(frozen=True)
class Ease:
    """One of the grids.

    Attributes:
        km: nominal resolution.
        step_m: side of a pixel.
        rows, columns: its size.
    """

    km: int
    step_m: float
    rows: int
    columns: int

    def around(self, seen: Simulated) -> Pixels:
        """Return the pixels around a region; towards the poles they are narrow and tall."""
        x, y = from_lonlat(EPSG).transform(seen.region.lon, seen.region.lat)
        row, column = int((NORTH - y) // self.step_m), int((x - WEST) // self.step_m)
        narrow = np.cos(np.radians(seen.region.lat)) / np.cos(np.radians(TRUE_LATITUDE))
        tall, wide = (int(REACH_M / (self.step_m * side)) + 1 for side in (1 / narrow, narrow))
        rows, columns = np.mgrid[row - tall : row + tall + 1, column - wide : column + wide + 1].reshape(2, -1)
        inside = (rows >= 0) & (rows < self.rows)
        rows, columns = rows[inside], columns[inside] % self.columns
        lon, lat = to_lonlat(EPSG).transform(WEST + (columns + 0.5) * self.step_m, NORTH - (rows + 0.5) * self.step_m)
        return Pixels.near(seen, rows, columns, np.asarray(lon), np.asarray(lat))


EASE = {36: Ease(36, 36_032.220840584, 406, 964), 9: Ease(9, 9_008.055210146, 1624, 3856)}
"""By kilometres."""
