"""Regridding point by point: the value of a target pixel depends on its own position alone.

Therefore two tilings agree: no approximate transform over a window, no resampling kernel that reaches its edge.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

Floats = NDArray[np.floating]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Positions:
    """Positions of target pixel centres on a native grid.

    Attributes:
        rows, columns: fractional indices of the native pixel centres; broadcastable to the target's (y, x).
        shape: rows and columns of the native grid.
    """

    rows: Floats
    columns: Floats
    shape: tuple[int, int]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Return which target pixels have their centre within a native pixel, (y, x)."""
        height, width = self.shape
        rows = (self.rows >= -0.5) & (self.rows < height - 0.5)
        return rows & ((self.columns >= -0.5) & (self.columns < width - 0.5))

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


def nearest(values: Floats, at: Positions) -> Floats:
    """Return the native pixel that contains each target centre.

    Args:
        values: (..., row, column).
        at: positions on that grid.

    Returns:
        (..., y, x), NaN outside the native grid.
    """
    rows, columns = _clipped(_rounded(at.rows), at.shape[0]), _clipped(_rounded(at.columns), at.shape[1])
    return np.where(at.inside, values[..., rows, columns], np.nan)


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
    top, left = np.floor(at.rows).astype(int), np.floor(at.columns).astype(int)
    down, right = at.rows - top, at.columns - left
    total = np.zeros(())
    weight = np.zeros(())
    for row, row_weight in ((top, 1 - down), (top + 1, down)):
        for column, column_weight in ((left, 1 - right), (left + 1, right)):
            corner = values[..., _clipped(row, at.shape[0]), _clipped(column, at.shape[1])]
            share = np.where(np.isfinite(corner), row_weight * column_weight, 0.0)
            total = total + share * np.nan_to_num(corner)
            weight = weight + share
    valid = np.isfinite(nearest(values, at)) & (weight > 0)
    return np.where(valid, total / np.where(valid, weight, 1.0), np.nan)


def block_mean(values: Floats, factor: int) -> tuple[Floats, Floats]:
    """Return the mean of the valid values in blocks of `factor` x `factor`, and the valid fraction of each block.

    Args:
        values: (..., y * factor, x * factor), NaN where missing; backscatter in linear power.
        factor: side of a block.

    Returns:
        means and valid fractions, each (..., y, x); the mean is NaN where the fraction is 0.
    """
    pixels = blocks(values, factor)
    valid = np.isfinite(pixels)
    count = valid.sum(axis=(-3, -1))
    total = np.where(valid, pixels, 0.0).sum(axis=(-3, -1), dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), count / factor**2


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


def _rounded(index: Floats) -> Indices:
    return np.asarray(np.floor(index + 0.5), np.intp)


def _clipped(index: Indices, size: int) -> Indices:
    return np.clip(index, 0, size - 1)


def _span(index: Floats, size: int) -> slice:
    finite = index[np.isfinite(index)]
    low, high = int(np.floor(finite.min())) - 1, int(np.ceil(finite.max())) + 2
    return slice(max(low, 0), max(min(high, size), 1))


@lru_cache(maxsize=4)
def centres(target: GeoBox, crs: str) -> tuple[Floats, Floats]:
    """Return the pixel centres of a grid in another projection, or its axes in its own; cached for the latest grids,
    since consecutive scenes are regridded to the same one.
    """
    x, y = target.coords["x"].values, target.coords["y"].values
    if _same_crs(str(target.crs), crs):
        return x[np.newaxis, :], y[:, np.newaxis]
    found = _transformer(str(target.crs), crs).transform(*np.meshgrid(x, y))
    for axis in found:
        axis.flags.writeable = False
    return found[0], found[1]


@lru_cache(maxsize=256)
def _same_crs(one: str, other: str) -> bool:
    return bool(CRS.from_user_input(one) == CRS.from_user_input(other))


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)
