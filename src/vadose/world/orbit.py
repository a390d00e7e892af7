"""From where Sentinel-1 looks at a region, and when."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from vadose.grid import Tile

CYCLE_DAYS, CYCLE_ORBITS = 12, 175
FIRST_CYCLE, FIRST_ORBIT = pd.Timestamp("2014-04-12"), 73
"""Of Sentinel-1A: relative orbit 1 of its cycle 0 was absolute orbit 73."""


@dataclass(frozen=True)
class Orbit:
    """One of the two relative orbits from which every region is seen.

    Attributes:
        state: ascending or descending.
        relative: number of the orbit.
        local_hour: mean solar time of the pass.
        angle_deg: incidence in the middle of a region.
        gradient: degrees of incidence a km to the east; the radar looks to its right.
        first_day: of its first pass.
    """

    state: str
    relative: int
    local_hour: float
    angle_deg: float
    gradient: float
    first_day: int

    def incidence(self, tile: Tile, easting: ArrayLike) -> NDArray[np.floating]:
        """Incidence angle at eastings of a region, degrees."""
        box = tile.cells.boundingbox
        middle = (box.left + box.right) / 2
        return np.asarray(self.angle_deg + self.gradient * (np.asarray(easting) - middle) / 1000)

    def absolute(self, time: pd.Timestamp) -> int:
        """Number of the orbit since launch: it counts 175 every 12 days."""
        cycle = (time.normalize() - FIRST_CYCLE).days // CYCLE_DAYS
        return FIRST_ORBIT + self.relative - 1 + CYCLE_ORBITS * cycle


ORBITS = (Orbit("ascending", 44, 17.6, 33.8, 0.055, 2), Orbit("descending", 139, 5.5, 41.2, -0.050, 7))
