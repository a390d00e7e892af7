"""Position of the sun."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Sun:
    """Sun angles at a place.

    Attributes:
        azimuth_deg: clockwise from north, 0..360.
        elevation_deg: above the horizon, without refraction.
    """

    azimuth_deg: float
    elevation_deg: float

    @classmethod
    def over(cls, lon: float, lat: float, time: pd.Timestamp) -> "Sun":
        """Return the sun over a place, within about half a degree (Spencer, Search 2(5):172, 1971).

        Args:
            lon, lat: degrees.
            time: UTC.
        """
        hours = (time - time.normalize()) / pd.Timedelta(hours=1)
        declination, ahead_minutes = _course(2 * np.pi * (time.day_of_year - 1 + (hours - 12) / 24) / 365)
        west = np.radians(15 * (hours + ahead_minutes / 60 - 12) + lon)
        phi = np.radians(lat)
        up = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(west)
        east = -np.cos(declination) * np.sin(west)
        north = np.cos(phi) * np.sin(declination) - np.sin(phi) * np.cos(declination) * np.cos(west)
        return cls(float(np.degrees(np.arctan2(east, north)) % 360), float(np.degrees(np.arcsin(np.clip(up, -1, 1)))))

    @property
    def zenith_deg(self) -> float:
        """Return the zenith angle."""
        return 90 - self.elevation_deg

    def towards(self, height_m: float) -> tuple[float, float]:
        """Return the offset from a shadow to its cause, to the east and to the north, m.

        Args:
            height_m: height of the cause above flat ground; the sun is up, m.
        """
        distance, azimuth = height_m / np.tan(np.radians(self.elevation_deg)), np.radians(self.azimuth_deg)
        return float(distance * np.sin(azimuth)), float(distance * np.cos(azimuth))


def _course(angle: float) -> tuple[float, float]:
    """Return declination, radians, and equation of time, minutes, at an angle of the year."""
    one, two, three = (np.array([np.cos(times * angle), np.sin(times * angle)]) for times in (1, 2, 3))
    declination = 0.006918 + one @ (-0.399912, 0.070257) + two @ (-0.006758, 0.000907) + three @ (-0.002697, 0.00148)
    ahead = 0.000075 + one @ (0.001868, -0.032077) + two @ (-0.014615, -0.040849)
    return float(declination), float(229.18 * ahead)
