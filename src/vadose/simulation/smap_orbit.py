"""Overpass times of SMAP: a circular sun-synchronous orbit that repeats exactly after 117 orbits in 8 days.

Entekhabi et al., Proc. IEEE 98:704-716, 2010, doi 10.1109/JPROC.2010.2043918: 685 km, 98 degrees, equator crossed at
6 h going south and at 18 h going north, swath of 1000 km.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyproj import Geod

from vadose.simulation.fields import Floats

CYCLE_DAYS, ORBITS = 8, 117
TURN_S = CYCLE_DAYS * 86_400 / ORBITS
INCLINATION = np.radians(98.12)
SWATH_M = 500_000.0
"""Half width of the swath."""
ABEAM_M = 100_000.0
"""Largest along-track distance of a place from the nearest point of the track, whose points are 55 km apart."""
SPEED_M_S = 2 * np.pi * 6_371_000 / TURN_S
"""Speed of the subsatellite point."""
FIRST_CYCLE = pd.Timestamp("2015-03-31")
"""Start day of a cycle; our choice."""
HALVES = {"AM": (6.0, -1), "PM": (18.0, 1)}
"""Hour of local time at which the equator is crossed, and direction, 1 northward."""


@dataclass(frozen=True)
class Overpass:
    """One overpass of a place in each cycle.

    Attributes:
        half: AM or PM.
        day: day of the cycle, 0 to 7.
        seconds: seconds of that day, UTC, at which the satellite is abeam of the place.
        aside_m: aside m of the place, to the right of the track.
        heading: heading of the track there, radians clockwise from north.
        late_h: deviation of the local solar time at the place from that of the half.
    """

    half: str
    day: int
    seconds: float
    aside_m: float
    heading: float
    late_h: float

    def aside(self, east: Floats, north: Floats) -> Floats:
        """Return the distance right of the track of places at a given distance from the place, m."""
        return np.asarray(self.aside_m + east * np.cos(self.heading) - north * np.sin(self.heading))

    def seconds_at(self, east: Floats, north: Floats) -> Floats:
        """Return the time at which the satellite is abeam of them, seconds of the day."""
        return np.asarray(self.seconds + (east * np.sin(self.heading) + north * np.cos(self.heading)) / SPEED_M_S)


def overpasses(lon: float, lat: float, margin_m: float = 0.0) -> list[Overpass]:
    """Return the overpasses of a place in a cycle, those nearest to their local time last.

    Args:
        lon, lat: longitude and latitude of the place, degrees.
        margin_m: widening of the swath.
    """
    turns = (_abeam(lon, lat, half, turn) for half in HALVES for turn in range(ORBITS))
    found = [overpass for overpass in turns if overpass and abs(overpass.aside_m) <= SWATH_M + margin_m]
    return sorted(found, key=lambda overpass: -abs(overpass.late_h))


def _abeam(lon: float, lat: float, half: str, turn: int) -> Overpass | None:
    """Return the overpass in one orbit; None if that half of the orbit ends before the satellite is abeam of it."""
    hour, direction = HALVES[half]
    crossing_s = turn * TURN_S + (TURN_S / 2 if half == "PM" else 0.0)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 361)
    track_lat = np.degrees(np.arcsin(direction * np.sin(INCLINATION) * np.sin(angle)))
    since_s = angle / (2 * np.pi) * TURN_S
    ahead = np.degrees(np.arctan2(np.cos(INCLINATION) * np.sin(angle), np.cos(angle)))
    track_lon = 15 * hour - (crossing_s + since_s) / 240 + ahead
    nearest = int(np.argmax(_cosine(track_lon, track_lat, lon, lat)[1:-1])) + 1
    geod = Geod(ellps="sphere")
    heading = np.radians(
        geod.inv(track_lon[nearest - 1], track_lat[nearest - 1], track_lon[nearest + 1], track_lat[nearest + 1])[0]
    )
    bearing, _, distance = geod.inv(track_lon[nearest], track_lat[nearest], lon, lat)
    relative = np.radians(bearing) - heading
    ahead_m, aside_m = distance * np.cos(relative), distance * np.sin(relative)
    if abs(ahead_m) > ABEAM_M:
        return None
    seconds = crossing_s + since_s[nearest] + ahead_m / SPEED_M_S
    day, second = divmod(seconds % (CYCLE_DAYS * 86_400), 86_400)
    late_h = (second / 3600 + lon / 15 - hour + 12) % 24 - 12
    return Overpass(half, int(day), float(second), float(aside_m), float(heading), float(late_h))


def _cosine(track_lon: Floats, track_lat: Floats, lon: float, lat: float) -> Floats:
    """Return the cosine of the angle at the Earth's centre between the track and a place."""
    phi, other = np.radians(track_lat), np.radians(lat)
    along = np.cos(phi) * np.cos(other) * np.cos(np.radians(track_lon - lon))
    return np.asarray(np.sin(phi) * np.sin(other) + along)
