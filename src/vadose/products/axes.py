"""Axes of a gridded variable by the CF conventions, and the cell nearest to a place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError

from vadose.errors import VadoseError

Floats = NDArray[np.float64]

_STANDARD = (
    dict.fromkeys(("longitude", "grid_longitude", "projection_x_coordinate", "projection_x_angular_coordinate"), "x")
    | dict.fromkeys(("latitude", "grid_latitude", "projection_y_coordinate", "projection_y_angular_coordinate"), "y")
    | {"time": "time"}
)
_NAMES = dict.fromkeys(("lon", "longitude", "x", "rlon"), "x") | dict.fromkeys(("lat", "latitude", "y", "rlat"), "y")
_NAMES |= {"time": "time"}
_DEGREES = {"degrees_north": "y", "degree_north": "y", "degrees_east": "x", "degree_east": "x"}
_GEOGRAPHIC = {"lon", "longitude", "lat", "latitude"}
_METRES = (
    dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0)
    | dict.fromkeys(("km", "kilometre", "kilometres", "kilometer", "kilometers"), 1000.0)
    | dict.fromkeys(("ft", "foot", "feet"), 0.3048)
    | dict.fromkeys(("us-ft", "us_survey_foot", "us survey foot", "us survey feet"), 1200 / 3937)
)
_RADIANS = dict.fromkeys(("rad", "radian", "radians"), 1.0) | {"microradian": 1e-6, "microradians": 1e-6}
_UNEVEN = 1.5
"""Largest ratio of two steps side by side without a gap: of rows of a cylindrical grid it is 1.45 at its pole."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Spatial axes of a variable.

    Attributes:
        x, y: names of its dimensions.
        columns, rows: coordinates of its cell centres, in units of the projection.
        crs: CRS of the coordinates.
    """

    x: str
    y: str
    columns: Floats
    rows: Floats
    crs: CRS

    def cells(self, lon: Floats, lat: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        """Return column, row and distance (km) of the nearest cell centre; -1, -1, NaN for a place outside the grid."""
        x, y = Transformer.from_crs(4326, self.crs, always_xy=True).transform(lon, lat)
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if self.crs.is_geographic:
            least = self.columns.min() - _step(self.columns, self.rows) / 2
            x = least + (x - least) % 360
        column, row = _nearest(self.columns, x, self.rows), _nearest(self.rows, y, self.columns)
        inside = (column >= 0) & (row >= 0)
        back = Transformer.from_crs(self.crs, 4326, always_xy=True)
        at_lon, at_lat = back.transform(self.columns[column], self.rows[row])
        away = Geod(ellps="WGS84").inv(lon, lat, at_lon, at_lat)[2]
        return (
            np.where(inside, column, -1),
            np.where(inside, row, -1),
            np.where(inside, np.asarray(away) / 1000, np.nan),
        )


def grid_of(variable: xr.DataArray, asked: str) -> Grid:
    """Return the grid of a variable.

    Raises:
        VadoseError: its two spatial axes or its projection are missing, or its axes are swapped.
    """
    roles = roles_of(variable)
    if not {"x", "y"} <= set(roles):
        raise _no_axes(variable, asked)
    x, y = (variable[roles[role]] for role in ("x", "y"))
    columns, rows = (np.asarray(axis.values, np.float64) for axis in (x, y))
    if not (np.isfinite(columns).all() and np.isfinite(rows).all()):
        raise VadoseError(
            f"{asked}: its axes", "They contain missing values", "Write a coordinate for every row and column"
        )
    crs = _crs(variable, x, y, asked)
    if crs.is_geographic:
        _check_degrees(columns, rows, roles, asked)
    return Grid(roles["x"], roles["y"], columns * _factor(x, crs), rows * _factor(y, crs), crs)


def roles_of(variable: xr.DataArray) -> dict[str, str]:
    """Return the dimensions of a variable by role: x, y, time."""
    found: dict[str, str] = {}
    for name in map(str, variable.dims):
        if name in variable.coords and variable[name].ndim == 1:
            role = _role(name, variable[name].attrs, variable[name].dtype)
            if role and role not in found:
                found[role] = name
    return found


def _role(name: str, attrs: Mapping[str, Any], dtype: np.dtype[Any]) -> str:
    stated = _STANDARD.get(str(attrs.get("standard_name", ""))) or _DEGREES.get(str(attrs.get("units", "")))
    axis = {"X": "x", "Y": "y", "T": "time"}.get(str(attrs.get("axis", "")))
    return stated or axis or ("time" if dtype.kind == "M" else _NAMES.get(name.lower(), ""))


def _crs(variable: xr.DataArray, x: xr.DataArray, y: xr.DataArray, asked: str) -> CRS:
    if all(_is_degrees(axis) for axis in (x, y)):
        return CRS.from_epsg(4326)
    mapping = str(variable.encoding.get("grid_mapping", variable.attrs.get("grid_mapping", "spatial_ref"))).split(":")[
        0
    ]
    if mapping in variable.coords:
        try:
            return CRS.from_cf(dict(variable.coords[mapping].attrs))
        except (CRSError, KeyError) as error:
            raise _no_crs(asked, f"its grid mapping '{mapping}' cannot be read ({error})") from error
    raise _no_crs(asked, "no grid mapping states their projection")


def _is_degrees(axis: xr.DataArray) -> bool:
    standard = str(axis.attrs.get("standard_name", ""))
    if standard in _STANDARD:
        return standard in _GEOGRAPHIC
    return axis.attrs.get("units") in _DEGREES or str(axis.name).lower() in _GEOGRAPHIC


def _factor(axis: xr.DataArray, crs: CRS) -> float:
    """Return the factor of an axis to the units of its projection; angles from a satellite become metres."""
    units = str(axis.attrs.get("units", "")).strip().lower()
    if crs.is_geographic:
        return float(np.degrees(_RADIANS[units])) if units in _RADIANS else 1.0
    if units in _RADIANS:
        return _RADIANS[units] * float(crs.to_cf().get("perspective_point_height", 1.0))
    unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    return _METRES.get(units, unit) / unit


def _check_degrees(columns: Floats, rows: Floats, roles: Mapping[str, str], asked: str) -> None:
    if np.abs(rows).max() > 90.5 or columns.min() < -360 or columns.max() > 540:
        raise VadoseError(
            f"{asked}: its axes '{roles['y']}' and '{roles['x']}'",
            f"Latitudes run from {rows.min():g} to {rows.max():g}, longitudes from {columns.min():g} to "
            f"{columns.max():g}: they are swapped, or not degrees",
            "Write latitude as latitude, or state the projection by a CF grid mapping",
        )


def _nearest(centres: Floats, places: Floats, other: Floats) -> NDArray[np.intp]:
    """Return the index of the nearest centre, -1 beyond its cell: outside the outermost, or in a gap between cells."""
    order = np.argsort(centres)
    ordered = centres[order]
    at = np.searchsorted((ordered[1:] + ordered[:-1]) / 2, places)
    widths, end = _widths(np.diff(ordered)), np.array([_step(centres, other)])
    after = places > ordered[at]
    half = np.where(after, np.append(widths, end)[at], np.append(end, widths)[at]) / 2 * (1 + 1e-6)
    return np.where(abs(places - ordered[at]) <= half, order[at], -1)


def _widths(steps: Floats) -> Floats:
    """Return the width of the cells on both sides of each step: the step, but in a gap the smaller step beside it."""
    known = np.concatenate([[np.inf], np.where(steps > 0, steps, np.inf), [np.inf]])
    neighbours = np.minimum(known[:-2], known[2:])
    return np.where(steps > _UNEVEN * neighbours, neighbours, steps)


def _step(centres: Floats, other: Floats) -> float:
    """Return the width of a cell; of an axis with one cell, that of the other axis."""
    axis = centres if len(centres) > 1 else other
    return float(np.median(np.abs(np.diff(axis)))) if len(axis) > 1 else 0.0


def _no_axes(variable: xr.DataArray, asked: str) -> VadoseError:
    flat = [str(name) for name in variable.coords if variable.coords[name].ndim == 2]
    places = f", and places of two dimensions ({', '.join(flat)})" if flat else ""
    return VadoseError(
        f"{asked}: its axes",
        f"Variable '{variable.name}' has the dimensions {', '.join(map(str, variable.dims))}{places}: "
        "no axis of x and y",
        "Give each of the two axes its coordinate, with a CF standard_name, and a grid mapping where it is projected",
    )


def _no_crs(asked: str, found: str) -> VadoseError:
    return VadoseError(
        f"{asked}: its grid",
        f"Its axes are not of longitude and latitude, and {found}",
        "Write a CF grid mapping (with crs_wkt) or a GeoTIFF with its CRS",
    )
