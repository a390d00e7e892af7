"""Orbits of Sentinel-1 and Sentinel-2 over a region: viewing geometry, times and orbit numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from vadose.grid import Tile


@dataclass(frozen=True)
class Satellite:
    """A satellite of a pair on the same ground tracks, half a cycle apart.

    Both number their orbits from launch; an orbit begins where the satellite crosses the equator northward.

    Attributes:
        name: name in products, "S1A".
        cycle_days, cycle_orbits: length of the repeat cycle.
        launch: time at which orbit 0 would have begun on the present track.
        first: absolute number of an orbit with relative number 1.
    """

    name: str
    cycle_days: int
    cycle_orbits: int
    launch: pd.Timestamp
    first: int

    def absolute(self, time: pd.Timestamp) -> int:
        """Return the absolute orbit number at a time, UTC."""
        return int((time - self.launch) / pd.Timedelta(days=self.cycle_days) * self.cycle_orbits // 1)

    def relative(self, time: pd.Timestamp) -> int:
        """Return the relative orbit number at a time, from 1."""
        return (self.absolute(time) - self.first) % self.cycle_orbits + 1


SENTINEL_1 = (
    Satellite("S1A", 12, 175, pd.Timestamp("2014-04-03T17:52:25"), 73),
    Satellite("S1B", 12, 175, pd.Timestamp("2016-04-25T21:34:35"), 27),
)
SENTINEL_2 = (
    Satellite("S2A", 10, 143, pd.Timestamp("2015-06-23T01:47:30"), -2),
    Satellite("S2B", 10, 143, pd.Timestamp("2017-03-07T01:07:13"), 27),
)
"""The relative orbit is mod(absolute - first, orbits of a cycle) + 1, as in ESA's mission guides of Sentinel-1
(mod(orbit - 73, 175) + 1 and mod(orbit - 27, 175) + 1) and in real items; the origins come from the orbits and times of
real items, to about a minute, with the second satellite half a cycle later.
"""


def flown_by(pair: tuple[Satellite, Satellite], days: int) -> Satellite:
    """Return the satellite of a scene some days after one of the first of the pair."""
    first, second = pair
    return second if days % first.cycle_days == first.cycle_days // 2 else first


@dataclass(frozen=True)
class Orbit:
    """One of the two orbits over every region; its number depends on the region's longitude.

    Attributes:
        state: ascending or descending.
        key: key of its random numbers.
        local_hour: mean solar time of the pass.
        angle_deg: incidence at the centre of a region.
        gradient: increase of incidence to the east, degrees per km; the radar looks to its right.
        first_day: first day of its first pass.
    """

    state: str
    key: int
    local_hour: float
    angle_deg: float
    gradient: float
    first_day: int

    def incidence(self, tile: Tile, easting: ArrayLike) -> NDArray[np.floating]:
        """Return the incidence angle at eastings of a region, degrees."""
        box = tile.cells.boundingbox
        middle = (box.left + box.right) / 2
        return np.asarray(self.angle_deg + self.gradient * (np.asarray(easting) - middle) / 1000)


ORBITS = (Orbit("ascending", 44, 17.6, 33.8, 0.055, 2), Orbit("descending", 139, 5.5, 41.2, -0.050, 7))
