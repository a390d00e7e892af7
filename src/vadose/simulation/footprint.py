"""What a coarse pixel sees: the mean of scattered points around it, weighted by an antenna's gain."""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from vadose.grid import from_lonlat
from vadose.simulation.fields import Floats
from vadose.simulation.state import Simulated

REACH_M = 60_000.0
"""Distance from the middle of a region within which its products have pixels; other regions keep away from there."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels of a global grid around a region.

    Attributes:
        rows, columns: in the grid, (pixel,).
        lon, lat: of their centres, degrees.
        east, north: of their centres from the middle of the region, m.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    lon: Floats
    lat: Floats
    east: Floats
    north: Floats

    @classmethod
    def near(
        cls, seen: Simulated, rows: NDArray[np.intp], columns: NDArray[np.intp], lon: Floats, lat: Floats
    ) -> "Pixels":
        """Of candidates, those within `REACH_M` of the middle of a region, and the nearest in any case."""
        project = from_lonlat(seen.epsg)
        middle = project.transform(seen.region.lon, seen.region.lat)
        east, north = (
            np.asarray(axis) - origin for axis, origin in zip(project.transform(lon, lat), middle, strict=True)
        )
        distance = np.hypot(east, north)
        kept = distance <= max(REACH_M, distance.min())
        return cls(*(values[kept] for values in (rows, columns, lon, lat, east, north)))


def antenna_weights(seen: Simulated, pixels: Pixels, width_m: float) -> Floats:
    """Weights by which each pixel sees the points of a region, (pixel, point); they add to 1.

    Args:
        seen: the points.
        pixels: each the middle of a footprint.
        width_m: distance of the two sides at which the Gaussian gain is half of that in the middle.
    """
    middle = from_lonlat(seen.epsg).transform(seen.region.lon, seen.region.lat)
    points = zip((pixels.east, pixels.north), (seen.where.eastings, seen.where.northings), middle, strict=True)
    east, north = (np.subtract.outer(pixel, place - origin) for pixel, place, origin in points)
    exponent = -4 * log(2) * (east**2 + north**2) / width_m**2
    gain = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return np.asarray(gain / gain.sum(axis=1, keepdims=True))


def unit_noise(weights: Floats, white: Floats) -> Floats:
    """Noise of unit variance at pixels, (..., pixel): of white noise at the points, seen with the pixels' weights."""
    return np.asarray(white @ (weights / np.linalg.norm(weights, axis=1, keepdims=True)).T)
