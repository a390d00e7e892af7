"""Variables in the groups of a file, and grids given elsewhere in the file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from vadose.errors import VadoseError
from vadose.io.untrusted import HDF5_MAGIC
from vadose.products.axes import roles_of
from vadose.sources.window import ease2
from vadose.variables import SOIL_MOISTURE

Floats = NDArray[np.float64]

_SMAP = re.compile(
    r"Soil_Moisture_Retrieval_Data(?:_[AP]M)?/soil_moisture(?:_pm)?|Geophysical_Data/sm_surface"
    r"|Analysis_Data/sm_surface_analysis"
)
"""Soil moisture in SMAP's products of level 3 (a morning and an evening) and 4."""
_EASE2 = "EPSG:6933"
_EASE2_SHAPES = {(grid.rows, grid.columns): grid for grid in map(ease2, (4, 1, 1 / 3, 1 / 9))}
"""EASE-Grid 2.0 of the whole Earth by rows and columns."""
_OFF_GRID = 0.1
"""Largest deviation of a file's coordinates from the grid, pixels."""
_AXES = {
    "y": ("latitude", "lat", "cell_lat", "y"),
    "x": ("longitude", "lon", "cell_lon", "x"),
}
_SUFFIX = re.compile(r"_(pm|\d+km)$")
_MOST_LISTED = 12


@dataclass(frozen=True, eq=False)
class Held:
    """A variable of a file.

    Attributes:
        path: its groups and its name, separated by slashes.
        group: its group, not decoded.
        above: parent groups, the nearest first.
    """

    path: str
    group: xr.Dataset
    above: tuple[xr.Dataset, ...] = field(default=())

    @property
    def name(self) -> str:
        """Return its name in its group."""
        return self.path.rpartition("/")[2]

    def sibling(self, name: str) -> xr.DataArray | None:
        """Return another variable of the same group and shape."""
        found = self.group.get(name)
        return found if found is not None and found.shape == self.group[self.name].shape else None


def paths_in_groups(path: Path) -> list[str]:
    """Return the paths of variables of two and more dimensions in the groups of an HDF5 or NetCDF 4 file."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        if file.read(len(HDF5_MAGIC)) != HDF5_MAGIC:
            return []
    found: list[str] = []

    def note(name: str, thing: h5py.HLObject) -> None:
        if "/" in name and isinstance(thing, h5py.Dataset) and thing.ndim > 1:
            found.append(name)

    with h5py.File(path, "r") as file:
        file.visititems(note)
    return found


def chosen_paths(path: Path, name: str, root: xr.Dataset, asked: str) -> list[str]:
    """Return the paths of the selected variables: the named one, or else the only gridded one, the only one with the
    standard name of soil moisture, or SMAP's.

    Args:
        path: path of the file.
        name: name of the variable, with or without its groups; empty for none.
        root: of the file, decoded.
        asked: name of the file in messages.

    Raises:
        VadoseError: no variable has the name, or several may be meant.
    """
    grids = [str(key) for key, held in root.data_vars.items() if {"x", "y"} <= set(roles_of(held)) or held.ndim > 1]
    name = name.strip("/")
    stated = [key for key in grids if root[key].attrs.get("standard_name") == SOIL_MOISTURE.standard_name]
    if not name and len(stated) == 1:
        return stated
    if name in root.data_vars:
        return [name]
    if not name and len(grids) == 1:
        return grids
    deep = paths_in_groups(path)
    if name:
        found = [one for one in deep if name in (one, one.rpartition("/")[2])]
        if len(found) != 1:
            several = f"It is in several groups: {_listed(found)}" if found else f"It has {_listed(grids + deep)}"
            raise VadoseError(f"{asked}: variable '{name}'", several, "Give --variable one of them, with its group")
        return found
    known = [one for one in deep if _SMAP.fullmatch(one)]
    if known and not grids:
        return known
    if len(deep) == 1 and not grids:
        return deep
    raise VadoseError(
        f"{asked}: its soil moisture variable",
        f"It has {len(grids + deep)} gridded variables: {_listed(grids + deep)}",
        "Name one by --variable",
    )


def with_axes(variable: xr.DataArray, held: Held, asked: str, ease_m: float = 0.0) -> xr.DataArray:
    """Return a variable of two axes without coordinates, completed from elsewhere in its file.

    The coordinates are SMAP's EASE-Grid 2.0 by its size, axes in a parent group, or two-dimensional places whose rows
    and columns have one latitude and one longitude each.

    Args:
        variable: variable of the file.
        held: its group and its parents.
        asked: name of the variable in messages.
        ease_m: step of EASE-Grid 2.0 if the file is a window of it, m; 0 for another grid.

    Raises:
        VadoseError: places in the file contradict EASE-Grid 2.0.
    """
    if len(variable.dims) < 2 or {"x", "y"} <= set(roles_of(variable)):
        return variable
    y, x = map(str, variable.dims[-2:])
    shape = variable.sizes[y], variable.sizes[x]
    places = {role: _places(held, role, shape) for role in ("y", "x")}
    flat = {role: next((one for one in found if one.ndim == 2), None) for role, found in places.items()}
    lines = {role: next((one for one in found if one.ndim == 1), None) for role, found in places.items()}
    if shape in _EASE2_SHAPES:
        return _on_ease2(variable, y, x, flat, asked)
    lat, lon = _line(flat["y"], 1), _line(flat["x"], 0)
    if ease_m and lat is not None and lon is not None:
        return _in_ease2(variable, y, x, (lat, lon), ease_m, asked)
    if lines["y"] is not None and lines["x"] is not None:
        return variable.assign_coords(
            {y: (y, lines["y"].values, lines["y"].attrs), x: (x, lines["x"].values, lines["x"].attrs)}
        )
    if lat is None or lon is None:
        return variable
    return variable.assign_coords(
        {y: (y, lat, {"standard_name": "latitude"}), x: (x, lon, {"standard_name": "longitude"})}
    )


def _on_ease2(variable: xr.DataArray, y: str, x: str, flat: dict[str, xr.DataArray | None], asked: str) -> xr.DataArray:
    rows, columns = variable.sizes[y], variable.sizes[x]
    grid = _EASE2_SHAPES[rows, columns]
    at_x: Floats = grid.west + (np.arange(columns, dtype=np.float64) + 0.5) * grid.step
    at_y: Floats = grid.north - (np.arange(rows, dtype=np.float64) + 0.5) * grid.step
    crs = CRS.from_user_input(_EASE2)
    for role, axis, coordinate in (("y", 1, _line(flat["y"], 1)), ("x", 0, _line(flat["x"], 0))):
        if coordinate is not None:
            _require_near(coordinate, at_y if role == "y" else at_x, axis, grid.step, asked)
    return _mapped(variable, (y, at_y), (x, at_x), crs)


def _mapped(variable: xr.DataArray, rows: tuple[str, Floats], columns: tuple[str, Floats], crs: CRS) -> xr.DataArray:
    (y, at_y), (x, at_x) = rows, columns
    mapped = variable.assign_coords(
        {
            y: (y, at_y, {"standard_name": "projection_y_coordinate"}),
            x: (x, at_x, {"standard_name": "projection_x_coordinate"}),
            "ease_grid_2": ((), 0, crs.to_cf()),
        }
    )
    return mapped.assign_attrs(grid_mapping="ease_grid_2")


def _in_ease2(
    variable: xr.DataArray, y: str, x: str, places: tuple[Floats, Floats], step: float, asked: str
) -> xr.DataArray:
    """Return a variable on a window of EASE-Grid 2.0, each row and column by the known latitudes and longitudes.

    Raises:
        VadoseError: they are not those of consecutive pixels of the grid.
    """
    way = Transformer.from_crs(4326, _EASE2, always_xy=True)
    lat, lon = (np.where(np.isfinite(one), one, 0.0) for one in places)
    metres = way.transform(np.zeros_like(lat), lat)[1], way.transform(lon, np.zeros_like(lon))[0]
    origins = (ease2().north, -1.0), (ease2().west, 1.0)
    axes = []
    for known, along, (origin, sign) in zip(places, metres, origins, strict=True):
        there = np.isfinite(known)
        number = (np.asarray(along)[there] - origin) * sign / step - 0.5
        order = np.arange(known.size)[there]
        first = np.round(np.median(number - order))
        if np.abs(number - order - first).max() > 2 * _OFF_GRID:
            raise VadoseError(
                f"{asked}: its grid",
                f"Its rows and columns are not consecutive pixels of EASE-Grid 2.0 of {step:.0f} m",
                "Give the axes as coordinates, with a CF grid mapping",
            )
        axes.append(origin + sign * (first + np.arange(known.size) + 0.5) * step)
    return _mapped(variable, (y, axes[0]), (x, axes[1]), CRS.from_user_input(_EASE2))


def _require_near(degrees: Floats, metres: Floats, axis: int, step: float, asked: str) -> None:
    there = np.isfinite(degrees)
    way = Transformer.from_crs(4326, _EASE2, always_xy=True)
    other = np.zeros(there.sum())
    found = way.transform(other, degrees[there])[1] if axis == 1 else way.transform(degrees[there], other)[0]
    off = np.abs(np.asarray(found) - metres[there]).max(initial=0.0)
    if off > _OFF_GRID * step:
        raise VadoseError(
            f"{asked}: its grid",
            f"It has the size of EASE-Grid 2.0 with pixels of {step:.0f} m, but its places are up to {off:.0f} m off",
            "Give the axes as coordinates, with a CF grid mapping",
        )


def _places(held: Held, role: str, shape: tuple[int, int]) -> list[xr.DataArray]:
    """Return coordinates of rows or columns in a file: axes, or two-dimensional places; the nearest group first."""
    length = shape[0] if role == "y" else shape[1]
    found = []
    for group in (held.group, *held.above):
        for name in group.variables:
            if _SUFFIX.sub("", str(name).lower()) in _AXES[role]:
                one = xr.decode_cf(group[[name]], decode_times=False)[name]
                if one.shape in ((length,), shape):
                    found.append(one.where(abs(one) < 1e9))
    return found


def _line(flat: xr.DataArray | None, axis: int) -> Floats | None:
    """Return one number per row or column, NaN where missing; None if they differ within it, or are not monotonic."""
    if flat is None:
        return None
    values = np.where(np.abs(flat.values) <= 360, flat.values.astype(np.float64), np.nan)
    there = np.isfinite(values).any(axis=axis)
    if there.sum() < 2:
        return None
    lines = np.full(there.shape, np.nan)
    known = values[there] if axis == 1 else values[:, there]
    lines[there] = np.nanmedian(known, axis=axis)
    deviation = np.nanmax(known, axis=axis) - np.nanmin(known, axis=axis)
    steps = np.diff(lines[there])
    if deviation.max() > _OFF_GRID * np.abs(steps).min() or not ((steps > 0).all() or (steps < 0).all()):
        return None
    return lines


def _listed(names: list[str]) -> str:
    first = sorted(names, key=lambda name: "moist" not in name.lower())
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return (", ".join(first[:_MOST_LISTED]) or "none") + more


def groups_above(path: str) -> Iterator[str]:
    """Yield the parent groups of a variable's own group, the nearest first; the root is empty."""
    parts = path.split("/")[:-2]
    if "/" in path:
        yield from ("/".join(parts[:count]) for count in range(len(parts), -1, -1))
