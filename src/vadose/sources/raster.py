"""Raster files read by windows: the header at opening, the pixels on request."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, floor, log2
from pathlib import Path
from threading import get_ident

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.errors import RasterioError

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest
from vadose.sources.crs import horizontal_wkt, metres_of_height
from vadose.sources.left_out import Unfit
from vadose.sources.records import Asset
from vadose.sources.window import Window

MARGIN = 3
"""Margin of pixels around an area, the neighbours for interpolation at its edge."""
DEGREE_M = 111_320
_ROUNDING = 1.01
"""Overviews of a size that is no multiple have pixels of slightly more or less than a multiple."""
EDGE_DEGREES = 0.05
"""Longest straight segment of an area's boundary before it is transformed to another projection."""

Floats = NDArray[np.float32]
Places = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Grid of a raster file: rows and columns parallel to the axes of its projection.

    Attributes:
        crs: as WKT.
        transform: from column and row to x and y.
        height, width: in pixels.
    """

    crs: str
    transform: Affine
    height: int
    width: int

    def window(self, area: AreaOfInterest) -> Window | None:
        """Return the pixels under an area and a margin around them; None if the area does not touch the grid."""
        extent = extent_in(area, self.crs)
        if extent is None:
            return None
        columns, rows = self.column(np.array(extent[0::2])), self.row(np.array(extent[1::2]))
        left, right = floor(columns.min()), ceil(columns.max())
        top, bottom = floor(rows.min()), ceil(rows.max())
        if right <= 0 or bottom <= 0 or left >= self.width or top >= self.height:
            return None
        return Window(
            max(top - MARGIN, 0),
            min(bottom + MARGIN, self.height),
            max(left - MARGIN, 0),
            min(right + MARGIN, self.width),
        )

    @property
    def metres(self) -> float:
        """Return the height of a pixel, m."""
        return abs(self.transform.e) * (DEGREE_M if is_geographic(self.crs) else 1.0)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Return west, south, east, north in units of the projection."""
        a, _, c, _, e, f = self.transform[:6]
        x, y = (c, c + a * self.width), (f, f + e * self.height)
        return min(x), min(y), max(x), max(y)

    def column(self, x: Places) -> Places:
        """Return columns at x, counted from the left edge of the grid."""
        return np.asarray((x - self.transform.c) / self.transform.a)

    def row(self, y: Places) -> Places:
        """Return rows at y, counted from the first edge of the grid."""
        return np.asarray((y - self.transform.f) / self.transform.e)

    def x(self, window: Window) -> Places:
        """Return coordinates of the centres of a window's columns."""
        return np.asarray(self.transform.c + self.transform.a * (np.arange(window.left, window.right) + 0.5))

    def y(self, window: Window) -> Places:
        """Return coordinates of the centres of a window's rows."""
        return np.asarray(self.transform.f + self.transform.e * (np.arange(window.top, window.bottom) + 0.5))


@dataclass(frozen=True)
class Raster:
    """A raster file of one band.

    Attributes:
        path: path of the file.
        grid: grid of its pixels.
        tag: fill value stated in the file; None if not stated.
        missing: other fill values.
        scale, offset: from the file's numbers to physical values.
        units: units of the values, stated in the item or else in the file; empty if not stated.
        height_m: unit of heights of the file's CRS, m; None without heights.
        overviews: full pixels in a row of a pixel of each overview of the file.
        level: overview that is read; None for full resolution.
        factor: pixels in a row and in a column that one value stands for; their mean, or the one in the middle if not
            `mean`.
        mean: see `factor`.
    """

    path: Path
    grid: Grid
    tag: float | None = None
    missing: tuple[float, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    units: str = ""
    height_m: float | None = None
    overviews: tuple[int, ...] = ()
    level: int | None = None
    factor: int = 1
    mean: bool = True

    @classmethod
    def open(cls, asset: Asset, *missing: float) -> "Raster":
        """Read the header of a GeoTIFF or JPEG 2000 file.

        Args:
            asset: asset with a local path.
            missing: fill values besides those of the asset and the file.

        Scale and offset are the asset's if stated, else those of the file's own tags: never both.

        Raises:
            VadoseError: it is unreadable, has no CRS, is rotated, has several bands, or its tags contradict the asset.
        """
        path = Path(asset.href)
        header = _header(path, _stamp(path))
        transform = header.transform
        scale, offset = _scaling(asset, header.scale, header.offset)
        asked = f"{path}: opening it"
        if header.crs is None or transform == Affine.identity():
            raise VadoseError(
                asked,
                "It has no coordinate reference system, or no place in it",
                "Write CRS and transform into the file",
            )
        if header.bands != 1 or transform.b or transform.d:
            raise VadoseError(
                asked, "It has several bands, or is rotated", "Give one file per band, its rows west to east"
            )
        missing = missing if asset.nodata is None else (*missing, asset.nodata)
        grid = Grid(horizontal_wkt(header.crs), transform, *header.shape)
        units, height_m = asset.units or header.units, metres_of_height(header.crs)
        return cls(path, grid, header.tag, missing, scale, offset, units, height_m, header.overviews)

    def coarser(self, pixel_m: float, mean: bool = True) -> "Raster":
        """Return the file at pixels of at most `pixel_m`: those of its coarsest overview that are small enough.

        Where the overview, or full resolution without one, has pixels of half of it or less, blocks of 2, 4, 8 … pixels
        a side count as one. The resolutions of JPEG 2000 files, which are filtered, do not count as overviews.

        Args:
            pixel_m: size of a pixel, m.
            mean: whether such a block has the mean of its valid pixels; otherwise, as classes do, the value of the
                pixel behind its middle.
        """
        level = overview_of(() if _driver(self.path) != "GTiff" else self.overviews, self.grid.metres, pixel_m)
        best, held = self, 1
        if level is not None:
            held = self.overviews[level]
            with _opened(self.path, level) as file:
                best = replace(self, grid=Grid(self.grid.crs, file.transform, *file.shape), level=level)
        factor = _doublings(self.grid.metres * held, pixel_m)
        if factor == 1:
            return best
        grid, shape = best.grid, (ceil(best.grid.height / factor), ceil(best.grid.width / factor))
        coarse = Grid(grid.crs, grid.transform @ Affine.scale(factor), *shape)
        return replace(best, grid=coarse, factor=factor, mean=mean)

    def read(self, window: Window) -> Floats:
        """Return the physical values of a window, (y, x), NaN where missing.

        Raises:
            VadoseError: the file is missing or truncated.
        """
        rows, columns = ((self.factor * start, self.factor * stop) for start, stop in (window.rows, window.columns))
        with _opened(self.path, self.level) as file:
            values = self._physical(file.read(1, window=(rows, columns)))
        return values if self.factor == 1 else _thinned(values, window.shape, self.factor, self.mean)

    def thinned(self, shape: tuple[int, int]) -> Floats:
        """Return the physical values of the whole file at `shape` evenly distributed places, from its overviews if it
        has any.

        Raises:
            VadoseError: as `read`.
        """
        with _opened(self.path) as file:
            return self._physical(file.read(1, out_shape=shape))

    def _physical(self, numbers: NDArray[np.generic]) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):
            values = numbers.astype(np.float32)
            if (self.scale, self.offset) != (1.0, 0.0):
                values *= np.float32(self.scale)
                values += np.float32(self.offset)
        for fill in {*self.missing, *(() if self.tag is None else (self.tag,))}:
            values[numbers == _as_stored(fill, numbers.dtype)] = np.nan
        return values

    def nearest(self, grid: Grid, window: Window) -> Floats:
        """Return the values of the pixels that contain the pixel centres of a window of another grid, NaN outside this
        one.

        Raises:
            VadoseError: the grids have different CRS, or as `read`.
        """
        if grid.crs != self.grid.crs:
            raise VadoseError(
                f"{self.path}: reading it", "Its CRS differs from that of the other bands", "Correct the item"
            )
        columns = np.floor(self.grid.column(grid.x(window))).astype(int)
        rows = np.floor(self.grid.row(grid.y(window))).astype(int)
        inside = np.ix_((rows >= 0) & (rows < self.grid.height), (columns >= 0) & (columns < self.grid.width))
        result = np.full(window.shape, np.nan, np.float32)
        if all(part.size for part in inside):
            rows, columns = rows[inside[0].ravel()], columns[inside[1].ravel()]
            own = Window(int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1)
            found = np.take(self.read(own)[rows - own.top], columns - own.left, axis=1)
            if found.shape == window.shape:
                return found
            result[inside] = found
        return result


def overview_of(factors: Sequence[int], metres: float, pixel_m: float) -> int | None:
    """Return the number of the coarsest overview with pixels of at most `pixel_m`; None if full resolution is coarser.

    Args:
        factors: full pixels in a row of a pixel of each overview.
        metres: size of a full pixel.
        pixel_m: largest size, m.
    """
    fit = [number for number, factor in enumerate(factors) if factor > 1 and metres * factor <= pixel_m * _ROUNDING]
    return max(fit, key=lambda number: factors[number]) if fit else None


def _doublings(metres: float, pixel_m: float) -> int:
    """Return the largest power of 2 by which pixels can be multiplied."""
    return int(2 ** max(floor(log2(pixel_m * _ROUNDING / metres)), 0))


@lru_cache(maxsize=256)
def is_geographic(crs: str) -> bool:
    """Return whether a CRS, given as WKT, has degrees."""
    return bool(CRS.from_wkt(crs).is_geographic)


def by_grid(rasters: Mapping[str, Raster]) -> dict[Grid, dict[str, Raster]]:
    """Group rasters by name with the same grid."""
    groups: dict[Grid, dict[str, Raster]] = {}
    for name, raster in rasters.items():
        groups.setdefault(raster.grid, {})[name] = raster
    return groups


@lru_cache(maxsize=256)
def extent_in(area: AreaOfInterest, crs: str) -> tuple[float, float, float, float] | None:
    """Return west, south, east and north of an area in a projection; None if it has no place there."""
    edge = shapely.get_coordinates(shapely.segmentize(area.geometry, EDGE_DEGREES))
    x, y = (np.asarray(axis) for axis in from_lonlat_to(crs).transform(*edge.T))
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return None
    return float(x[known].min()), float(y[known].min()), float(x[known].max()), float(y[known].max())


@lru_cache(maxsize=256)
def from_lonlat_to(crs: str) -> Transformer:
    """Return the transformer from longitude and latitude to a projection given as WKT.

    Raises:
        VadoseError: it cannot be transformed, such as a local grid.
    """
    try:
        return Transformer.from_crs(4326, crs, always_xy=True)
    except ProjError as error:
        raise VadoseError(
            f"raster: the CRS {crs}", f"It cannot be transformed to ({error})", "Give the file a CRS on Earth"
        ) from error


def _scaling(asset: Asset, scale: float, offset: float) -> tuple[float, float]:
    """Return scale and offset of a file: the asset's if stated, else the file's tags; applied once.

    An offset beside the same scale is not compared: of reflectance, tags are as often wrong as items; numbers decide.
    """
    if (scale, offset) == (1.0, 0.0):
        return asset.scale, asset.offset
    if not asset.states_scale:
        return scale, offset
    if abs(scale - asset.scale) > 1e-6 * abs(asset.scale):
        raise Unfit(
            "scale differs",
            f"{asset.href}: its tags",
            f"They say scale {scale:g} and offset {offset:g}; its item says {asset.scale:g} and {asset.offset:g}",
            "Correct the one that is wrong",
        )
    return asset.scale, asset.offset


def _thinned(values: Floats, shape: tuple[int, int], factor: int, mean: bool) -> Floats:
    """Return one value for each block of pixels; blocks at the edge of a file are incomplete."""
    if not mean:
        middle = np.full(shape, np.nan, np.float32)
        found = values[factor // 2 :: factor, factor // 2 :: factor]
        middle[: found.shape[0], : found.shape[1]] = found
        return middle
    whole = np.full((shape[0] * factor, shape[1] * factor), np.nan, np.float32)
    whole[: values.shape[0], : values.shape[1]] = values
    blocks = whole.reshape(shape[0], factor, shape[1], factor)
    seen = np.isfinite(blocks)
    count = seen.sum(axis=(1, 3))
    total = np.where(seen, blocks, 0.0).sum(axis=(1, 3), dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _as_stored(fill: float, kind: np.dtype[np.generic]) -> float:
    """Return a fill value that is compared with stored numbers without converting them."""
    return int(fill) if kind.kind in "iu" and float(fill).is_integer() else fill


def _driver(path: Path) -> str:
    return "JP2OpenJPEG" if path.suffix.lower() == ".jp2" else "GTiff"


Stamp = tuple[int, int]
"""Size and time of a file, by which a changed one is told."""


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return 0, 0  # reported by GDAL
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class _Header:
    """What the header of a file states; the CRS as WKT."""

    crs: str | None
    transform: Affine
    shape: tuple[int, int]
    bands: int
    tag: float | None
    scale: float
    offset: float
    units: str
    overviews: tuple[int, ...]


@lru_cache(maxsize=16_384)
def _header(path: Path, _of: Stamp) -> _Header:
    with _opened(path) as file:
        numbers = float(file.scales[0]), float(file.offsets[0])
        units, overviews = file.units[0] or "", tuple(file.overviews(1))
        crs = None if file.crs is None else file.crs.to_wkt()
        return _Header(crs, file.transform, file.shape, file.count, file.nodata, *numbers, units, overviews)


@contextmanager
def _opened(path: Path, level: int | None = None) -> Iterator[rasterio.DatasetReader]:
    """Give an open file, which remains open for the next reads of this thread."""
    try:
        yield _kept_open(path, level, _stamp(path), os.getpid(), get_ident())
    except (RasterioError, OSError) as error:
        raise VadoseError(
            f"{path}: reading it", f"It is not a complete {_driver(path)} file ({error})", "Get the file again"
        ) from error


@lru_cache(maxsize=64)
def _kept_open(path: Path, level: int | None, _of: Stamp, _process: int, _thread: int) -> rasterio.DatasetReader:
    return rasterio.open(path, driver=_driver(path), **({} if level is None else {"overview_level": level}))
