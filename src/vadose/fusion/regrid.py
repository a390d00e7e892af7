"""Regridding point by point: the value of a target pixel depends on its own position alone.

Therefore two tilings agree: no approximate transform over a window, no resampling kernel that reaches its edge.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from vadose.sources.raster import DEGREE_M, Grid
from vadose.sources.window import Window

Floats = NDArray[np.floating]
Places = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Positions:
    """Positions of target pixel centres on a native grid.

    Attributes:
        rows, columns: fractional indices of the native pixel centres, (y, x); or (y, 1) and (1, x), if the axes of the
            two grids are parallel.
        shape: rows and columns of the native grid.
    """

    rows: Floats
    columns: Floats
    shape: tuple[int, int]

    @property
    def parallel(self) -> bool:
        """Return whether rows depend on y alone and columns on x alone."""
        return bool(self.rows.shape[1] == 1 and self.columns.shape[0] == 1)

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """Return which target pixels have their centre within a native pixel, (y, x)."""
        height, width = self.shape
        rows = (self.rows >= -0.5) & (self.rows < height - 0.5)
        return rows & ((self.columns >= -0.5) & (self.columns < width - 0.5))

    @cached_property
    def nearest(self) -> tuple[Indices, Indices]:
        """Return rows and columns of the native pixels that contain the target centres; the nearest ones outside."""
        return _clipped(np.floor(self.rows + 0.5), self.shape[0]), _clipped(np.floor(self.columns + 0.5), self.shape[1])

    def window(self) -> tuple[slice, slice] | None:
        """Return the rows and columns of the native grid that the targets touch, with one neighbour; None if none."""
        if not self.inside.any():
            return None
        return _span(self.rows, self.shape[0]), _span(self.columns, self.shape[1])

    def within(self, window: tuple[slice, slice]) -> "Positions":
        """Return the same positions on the native grid cut to `window`."""
        rows, columns = window
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        return Positions(self.rows - rows.start, self.columns - columns.start, shape)


def positions(native: xr.Dataset, target: GeoBox) -> Positions:
    """Return the pixel centres of `target` on the grid of `native` (evenly spaced x and y, CRS set)."""
    x, y = centres(target, native.rio.crs.to_wkt())
    shape = (native.sizes["y"], native.sizes["x"])
    return Positions(_fractional(y, native["y"].values), _fractional(x, native["x"].values), shape)


def positions_in(grid: Grid, window: Window, target: GeoBox) -> Positions:
    """Return the pixel centres of `target` on a window of a grid."""
    x, y = centres(target, grid.crs)
    rows, columns = grid.row(y) - (window.top + 0.5), grid.column(x) - (window.left + 0.5)
    return Positions(np.round(rows, 6, out=rows), np.round(columns, 6, out=columns), window.shape)


def nearest(values: Floats, at: Positions) -> Floats:
    """Return the native pixel that contains each target centre.

    Args:
        values: (..., row, column).
        at: positions on that grid.

    Returns:
        (..., y, x), NaN outside the native grid; it may be a part of `values` itself.
    """
    found = _picked(values, *at.nearest, at.parallel)
    return found if at.inside.all() else np.where(at.inside, found, np.nan)


def bilinear(values: Floats, at: Positions) -> Floats:
    """Interpolate bilinearly between the four native centres around each target centre.

    The result is valid where the native pixel that contains the centre is; the weight of a missing neighbour passes to
    the others, so that no value is extrapolated to pixels without an observation.

    Args:
        values: (..., row, column).
        at: positions on that grid.

    Returns:
        (..., y, x), NaN where not valid.
    """
    known = np.isfinite(values)
    if known.all():
        found = _interpolated(values, at)
        return found if at.inside.all() else np.where(at.inside, found, np.nan)
    weight = _interpolated(known.astype(np.float64), at)
    valid = (nearest(known, at) > 0) & (weight > 0) & at.inside
    return np.where(valid, _interpolated(np.where(known, values, 0.0), at) / np.where(valid, weight, 1.0), np.nan)


def _interpolated(values: Floats, at: Positions) -> Floats:
    """Return bilinear interpolation of complete values; beyond the outermost centres they continue."""
    top, left = np.floor(at.rows), np.floor(at.columns)
    down, right = at.rows - top, at.columns - left
    upper, lower = (_clipped(top + step, at.shape[0]) for step in (0, 1))
    west, east = (_clipped(left + step, at.shape[1]) for step in (0, 1))

    def along(rows: Indices) -> Floats:
        first, second = (_picked(values, rows, columns, at.parallel) for columns in (west, east))
        return np.asarray(first + right * (second - first))

    north, south = along(upper), along(lower)
    return np.asarray(north + down * (south - north))


def block_mean(values: Floats, factor: int) -> tuple[Floats, Floats]:
    """Return the mean of the valid values in blocks of `factor` x `factor`, and the valid fraction of each block.

    Args:
        values: (..., y * factor, x * factor), NaN where missing; backscatter in linear power.
        factor: side of a block.

    Returns:
        means and valid fractions, each (..., y, x); the mean is NaN where the fraction is 0.
    """
    valid = np.isfinite(values)
    if valid.all():
        total = _block_sum(values, factor)
        return total / factor**2, np.ones(total.shape)
    count, total = _block_sum(valid, factor), _block_sum(np.where(valid, values, 0), factor)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), count / factor**2


def _block_sum(values: NDArray[Any], factor: int) -> NDArray[np.float64]:
    *lead, height, width = values.shape
    rows = values.reshape(*lead, height // factor, factor, width).sum(axis=-2, dtype=np.float64)
    return np.asarray(rows.reshape(*lead, height // factor, width // factor, factor).sum(axis=-1))


def block_mode(values: Floats, factor: int) -> Floats:
    """Return the most frequent class in each block of `factor` x `factor`; of two equally frequent, the smaller.

    Args:
        values: (y * factor, x * factor) of classes, NaN where missing.
        factor: side of a block.

    Returns:
        (y, x), NaN where nothing is valid.
    """
    classes = np.unique(values[np.isfinite(values)])
    if not classes.size:
        return np.full(tuple(size // factor for size in values.shape), np.nan)
    counts = np.stack([(blocks(values, factor) == value).sum(axis=(-3, -1)) for value in classes])
    return np.where(counts.max(axis=0) > 0, classes[counts.argmax(axis=0)], np.nan)


def blocks(values: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return blocks of `factor` x `factor` pixels, (..., y, row, x, column), of pixels (..., y * factor, x *
    factor).
    """
    *lead, height, width = values.shape
    return values.reshape(*lead, height // factor, factor, width // factor, factor)


def _fractional(places: Floats, centres: Floats) -> Floats:
    step = centres[1] - centres[0] if centres.size > 1 else np.inf
    return np.asarray(np.round((places - centres[0]) / step, 6))


def _clipped(index: Floats, size: int) -> Indices:
    with np.errstate(invalid="ignore"):
        return np.clip(index.astype(np.intp), 0, size - 1)


def _picked(values: Floats, rows: Indices, columns: Indices, parallel: bool) -> Floats:
    """Return values at rows and columns, (..., y, x); a part of them without a copy, where those are consecutive."""
    if not parallel:
        flat = values.reshape(*values.shape[:-2], -1)
        return np.asarray(np.take(flat, rows * values.shape[-1] + columns, axis=-1))
    return _along(_along(values, rows[:, 0], -2), columns[0], -1)


def _along(values: Floats, index: Indices, axis: int) -> Floats:
    if index.size and index[-1] - index[0] == index.size - 1 and (np.diff(index) == 1).all():
        part = slice(index[0], index[-1] + 1)
        return values[..., part, :] if axis == -2 else values[..., part]
    return np.asarray(np.take(values, index, axis))


def _span(index: Floats, size: int) -> slice:
    finite = index[np.isfinite(index)]
    low, high = int(np.floor(finite.min())) - 1, int(np.ceil(finite.max())) + 2
    return slice(max(low, 0), max(min(high, size), 1))


@lru_cache(maxsize=4)
def centres(target: GeoBox, crs: str) -> tuple[Places, Places]:
    """Return the pixel centres of a grid in another projection, or its axes in its own; cached for the latest grids,
    since consecutive scenes are regridded to the same one.
    """
    x, y = target.coords["x"].values, target.coords["y"].values
    if _same_crs(str(target.crs), crs):
        return x[np.newaxis, :], y[:, np.newaxis]
    found = carried(x, y, _transformer(str(target.crs), crs))
    for axis in found:
        axis.flags.writeable = False
    return found[0], found[1]


def carried(x: Places, y: Places, transformer: Transformer) -> tuple[Places, Places]:
    """Transform the points of a grid, given by its axes, to another projection; each (y, x).

    A tile is small beside the Earth, over which projections are smooth: the polynomial through `_NODES` x `_NODES`
    points, at the extrema of Chebyshev's, differs by less than rounding. It is compared with the transformation between
    those points, where it errs most; if it differs by more than `_TOLERANCE_M`, as at the edge of an interrupted
    projection, all points are transformed.
    """
    if min(x.size, y.size) > 4 * _NODES:
        (nodes_x, across, check_x), (nodes_y, down, check_y) = _chebyshev(x), _chebyshev(y)
        known = transformer.transform(*np.meshgrid(nodes_x, nodes_y))
        truth = transformer.transform(*np.meshgrid(x[check_x], y[check_y]))
        metres = DEGREE_M if transformer.target_crs is not None and transformer.target_crs.is_geographic else 1.0
        errors = [
            np.abs(down[check_y] @ axis @ across[check_x].T - exact).max() * metres
            for axis, exact in zip(known, truth, strict=True)
        ]
        if all(error <= _TOLERANCE_M for error in errors):
            return down @ known[0] @ across.T, down @ known[1] @ across.T
    east, north = transformer.transform(*np.meshgrid(x, y))
    return np.asarray(east), np.asarray(north)


_NODES = 8
_TOLERANCE_M = 1e-5
"""A millionth of a pixel of 10 m."""


def _chebyshev(axis: Places) -> tuple[Places, Places, Indices]:
    """Return nodes along an axis, the weights of the nodes at each of its points, (point, node), and the points that
    are nearest to the middles between nodes.
    """
    middle, half = (axis[0] + axis[-1]) / 2, (axis[-1] - axis[0]) / 2
    angles = np.pi * np.arange(_NODES) / (_NODES - 1)
    at_nodes, at_points = (
        np.polynomial.chebyshev.chebvander(u, _NODES - 1) for u in (np.cos(angles), (axis - middle) / half)
    )
    weights = np.linalg.solve(at_nodes.T, at_points.T).T
    between = (np.cos(angles[:-1]) + np.cos(angles[1:])) / 2
    return middle + half * np.cos(angles), weights, np.round((between + 1) / 2 * (axis.size - 1)).astype(np.intp)


@lru_cache(maxsize=256)
def _same_crs(one: str, other: str) -> bool:
    return bool(CRS.from_user_input(one) == CRS.from_user_input(other))


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)
