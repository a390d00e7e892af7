"""From where Sentinel-1 and Sentinel-2 look at a region, when, and how their orbits are numbered."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from vadose.grid import Tile


@dataclass(frozen=True)
class Satellite:
    """One of a pair on the same ground tracks, half a cycle after one another.

    Both number their orbits from launch; an orbit begins where the satellite crosses the equator northward.

    Attributes:
        name: in products, "S1A".
        cycle_days, cycle_orbits: after which the ground track repeats.
        launch: time at which orbit 0 would have begun on the present track.
        first: absolute number of an orbit whose relative number is 1.
    """

    name: str
    cycle_days: int
    cycle_orbits: int
    launch: pd.Timestamp
    first: int

    def absolute(self, time: pd.Timestamp) -> int:
        """Return number since launch of the orbit at a moment, UTC."""
        return int((time - self.launch) / pd.Timedelta(days=self.cycle_days) * self.cycle_orbits // 1)

    def relative(self, time: pd.Timestamp) -> int:
        """Return number within the cycle of the orbit at a moment, from 1."""
        return (self.absolute(time) - self.first) % self.cycle_orbits + 1


SENTINEL_1 = (
    Satellite("S1A", 12, 175, pd.Timestamp("2014-04-03T17:52:25"), 73),
    Satellite("S1B", 12, 175, pd.Timestamp("2016-04-25T21:34:35"), 27),
)
SENTINEL_2 = (
    Satellite("S2A", 10, 143, pd.Timestamp("2015-06-23T01:47:30"), -2),
    Satellite("S2B", 10, 143, pd.Timestamp("2017-03-07T01:07:13"), 27),
)
"""The relative orbit is mod(absolute - first, orbits of a cycle) + 1, as ESA's mission guides state it for Sentinel-1
(mod(orbit - 73, 175) + 1 and mod(orbit - 27, 175) + 1) and as the orbit numbers of real items obey it; the origins are
those of the orbits and times that real items state, to about a minute, the second satellite half a cycle behind."""


def flown_by(pair: tuple[Satellite, Satellite], days: int) -> Satellite:
    """Return the satellite of a look that comes some days after one of the first of the pair."""
    first, second = pair
    return second if days % first.cycle_days == first.cycle_days // 2 else first


@dataclass(frozen=True)
class Orbit:
    """One of the two orbits from which every region is seen; its number depends on the region's longitude.

    Attributes:
        state: ascending or descending.
        key: of the random numbers that belong to it.
        local_hour: mean solar time of the pass.
        angle_deg: incidence in the middle of a region.
        gradient: degrees of incidence a km to the east; the radar looks to its right.
        first_day: of its first pass.
    """

    state: str
    key: int
    local_hour: float
    angle_deg: float
    gradient: float
    first_day: int

    def incidence(self, tile: Tile, easting: ArrayLike) -> NDArray[np.floating]:
        """Incidence angle at eastings of a region, degrees."""
        box = tile.cells.boundingbox
        middle = (box.left + box.right) / 2
        return np.asarray(self.angle_deg + self.gradient * (np.asarray(easting) - middle) / 1000)


ORBITS = (Orbit("ascending", 44, 17.6, 33.8, 0.055, 2), Orbit("descending", 139, 5.5, 41.2, -0.050, 7))
