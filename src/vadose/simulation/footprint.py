"""Footprint of a coarse pixel: the mean of scattered points around it, weighted by an antenna pattern."""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from vadose.grid import from_lonlat
from vadose.simulation.fields import Floats
from vadose.simulation.state import Simulated

REACH_M = 60_000.0
"""Distance from the centre of a region within which its products have pixels; regions do not overlap within it."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels of a global grid around a region.

    Attributes:
        rows, columns: in the grid, (pixel,).
        lon, lat: longitude and latitude of their centres, degrees.
        east, north: of their centres from the centre of the region, m.
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
        """Return the candidates within `REACH_M` of the centre of a region, and the nearest in any case."""
        project = from_lonlat(seen.epsg)
        middle = project.transform(seen.region.lon, seen.region.lat)
        east, north = (
            np.asarray(axis) - origin for axis, origin in zip(project.transform(lon, lat), middle, strict=True)
        )
        distance = np.hypot(east, north)
        kept = distance <= max(REACH_M, distance.min())
        return cls(*(values[kept] for values in (rows, columns, lon, lat, east, north)))


def antenna_weights(seen: Simulated, pixels: Pixels, width_m: float) -> Floats:
    """Return the weights of the points of a region in each pixel, (pixel, point), with sum 1.

    Args:
        seen: the points.
        pixels: footprint centres.
        width_m: full width at half maximum of the Gaussian antenna gain.
    """
    middle = from_lonlat(seen.epsg).transform(seen.region.lon, seen.region.lat)
    points = zip((pixels.east, pixels.north), (seen.where.eastings, seen.where.northings), middle, strict=True)
    east, north = (np.subtract.outer(pixel, place - origin) for pixel, place, origin in points)
    exponent = -4 * log(2) * (east**2 + north**2) / width_m**2
    gain = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return np.asarray(gain / gain.sum(axis=1, keepdims=True))


def unit_noise(weights: Floats, white: Floats) -> Floats:
    """Return noise of unit variance at pixels, (..., pixel), from white noise at the points, by the pixels' weights."""
    return np.asarray(white @ (weights / np.linalg.norm(weights, axis=1, keepdims=True)).T)
