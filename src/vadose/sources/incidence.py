"""Incidence angle of a Sentinel-1 pass, from the tie points in the annotation of its product."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.sources.raster import Floats, from_lonlat_to

_FIELDS = ("longitude", "latitude", "incidenceAngle")
_TAG = b"geolocationGridPointList"
_TERMS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
"""Powers of x and y in a quadratic surface."""
_REACH = 1.05
"""Largest extrapolation of the surface beyond the tie points, which are within -1..1."""


def tie_points(path: Path) -> NDArray[np.float64]:
    """Return tie points of an annotation file of a Sentinel-1 product (Sentinel-1 Product Specification,
    geolocationGrid).

    Returns:
        (point, 3): longitude, latitude and incidence angle, degrees.

    Raises:
        VadoseError: the file is missing, or contains no complete grid.
    """
    asked = f"{path}: incidence angles of the annotation"
    try:
        points = ElementTree.fromstring(_list_of_points(path.read_bytes()))  # noqa: S314 (the part has no DTD)
        rows = [[float(point.findtext(field, "")) for field in _FIELDS] for point in points]
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise VadoseError(
            asked,
            f"It contains no complete geolocationGridPointList ({error})",
            "Get the annotation/s1….xml of the product",
        ) from error
    table = np.array(rows)
    if len(table) < 2 * len(_TERMS) or not np.isfinite(table).all() or not np.ptp(table[:, :2], axis=0).all():
        raise VadoseError(
            asked, f"It has {len(table)} tie points, not all distinct", f"A surface needs {2 * len(_TERMS)} of them"
        )
    return table


@dataclass(frozen=True, eq=False)
class IncidenceModel:
    """A quadratic surface of the angle over a projection, fitted to tie points by least squares.

    Attributes:
        centre, half: centre and half width of the tie points, x and y in units of the projection.
        coefficients: coefficients of the terms of x and y within -1..1, degrees.
        residual: largest distance of a tie point from the surface, degrees.
    """

    centre: NDArray[np.float64]
    half: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    residual: float

    @classmethod
    def fit(cls, points: NDArray[np.float64], crs: str) -> "IncidenceModel":
        """Fit tie points (longitude, latitude, angle) in a projection given as WKT."""
        x, y = from_lonlat_to(crs).transform(points[:, 0], points[:, 1])
        place = np.stack([x, y])
        low, high = place.min(axis=1), place.max(axis=1)
        centre, half = (low + high) / 2, (high - low) / 2
        u, v = (place - centre[:, None]) / half[:, None]
        terms = np.stack([u**i * v**j for i, j in _TERMS], axis=1)
        coefficients, *_ = np.linalg.lstsq(terms, points[:, 2], rcond=None)
        residual = np.abs(terms @ coefficients - points[:, 2]).max()
        return cls(centre, half, coefficients, float(residual))

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Floats:
        """Return the angle at columns x and rows y, (y, x), degrees; NaN beyond the tie points."""
        u = ((x - self.centre[0]) / self.half[0])[None, :]
        v = ((y - self.centre[1]) / self.half[1])[:, None]
        angle = sum(c * u**i * v**j for c, (i, j) in zip(self.coefficients, _TERMS, strict=True))
        inside = (np.abs(u) <= _REACH) & (np.abs(v) <= _REACH)
        return np.where(inside, angle, np.nan).astype(np.float32)


def _list_of_points(annotation: bytes) -> bytes:
    """Return the required element of the annotation; parsing all of it takes several times as long."""
    start, end = annotation.find(b"<" + _TAG), annotation.find(b"</" + _TAG + b">")
    return annotation[start : end + len(_TAG) + 3] if 0 <= start < end else b""
