"""Raster files read in windows: the header when opened, the pixels when they are asked for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from pathlib import Path

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.exceptions import ProjError
from rasterio.errors import RasterioError

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest
from vadose.sources.crs import horizontal_wkt, metres_of_height
from vadose.sources.left_out import Unfit
from vadose.sources.records import Asset
from vadose.sources.window import Window

MARGIN = 3
"""Pixels read beyond an area on every side, so that interpolation at its edge has its neighbours."""
EDGE_DEGREES = 0.05
"""Longest straight piece of an area's outline when it is carried into another projection."""

Floats = NDArray[np.float32]
Places = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """The grid of a raster file: rows and columns parallel to the axes of its projection.

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
        """Return the pixels under an area and a margin around them; None when the area does not touch the grid."""
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
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in units of the projection."""
        a, _, c, _, e, f = self.transform[:6]
        x, y = (c, c + a * self.width), (f, f + e * self.height)
        return min(x), min(y), max(x), max(y)

    def column(self, x: Places) -> Places:
        """Columns at x, counted from the left edge of the grid."""
        return np.asarray((x - self.transform.c) / self.transform.a)

    def row(self, y: Places) -> Places:
        """Rows at y, counted from the first edge of the grid."""
        return np.asarray((y - self.transform.f) / self.transform.e)

    def x(self, window: Window) -> Places:
        """Coordinates of the centres of a window's columns."""
        return np.asarray(self.transform.c + self.transform.a * (np.arange(window.left, window.right) + 0.5))

    def y(self, window: Window) -> Places:
        """Coordinates of the centres of a window's rows."""
        return np.asarray(self.transform.f + self.transform.e * (np.arange(window.top, window.bottom) + 0.5))


@dataclass(frozen=True)
class Raster:
    """A raster file of one band.

    Attributes:
        path: of the file.
        grid: of its pixels.
        tag: the number that means missing, by the file itself; None where it names none.
        missing: other numbers that mean missing.
        scale, offset: from the file's numbers to physical values.
        units: of the values, as the item or else the file states them; empty where neither does.
        height_m: length of the unit of heights of the file's CRS, m; None where it has no heights.
        overviews: whether the file holds coarser copies of its pixels.
    """

    path: Path
    grid: Grid
    tag: float | None = None
    missing: tuple[float, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    units: str = ""
    height_m: float | None = None
    overviews: bool = False

    @classmethod
    def open(cls, asset: Asset, *missing: float) -> "Raster":
        """Read the header of a GeoTIFF or JPEG 2000 file.

        Args:
            asset: with a local path.
            missing: numbers that mean missing, besides those that the asset and the file name.

        Scale and offset are the asset's where it states them, else those of the file's own tags: never both.

        Raises:
            VadoseError: it cannot be read, has no CRS, is rotated, holds several bands, or its tags contradict the
                asset.
        """
        path = Path(asset.href)
        with _opened(path) as file:
            crs, transform, bands, tag = file.crs, file.transform, file.count, file.nodata
            height, width = file.shape
            scale, offset = _scaling(asset, float(file.scales[0]), float(file.offsets[0]))
            units, overviews = asset.units or file.units[0] or "", bool(file.overviews(1))
        asked = f"{path}: opening it"
        if crs is None or transform == Affine.identity():
            raise VadoseError(
                asked,
                "It has no coordinate reference system, or no place in it",
                "Write CRS and transform into the file",
            )
        if bands != 1 or transform.b or transform.d:
            raise VadoseError(
                asked, "It holds several bands, or is rotated", "Give one file a band, its rows west to east"
            )
        missing = missing if asset.nodata is None else (*missing, asset.nodata)
        wkt = crs.to_wkt()
        grid = Grid(horizontal_wkt(wkt), transform, height, width)
        return cls(path, grid, tag, missing, scale, offset, units, metres_of_height(wkt), overviews)

    def read(self, window: Window) -> Floats:
        """Return the physical values of a window, (y, x), NaN where missing.

        Raises:
            VadoseError: the file is gone or truncated.
        """
        with _opened(self.path) as file:
            return self._physical(file.read(1, window=((window.top, window.bottom), (window.left, window.right))))

    def thinned(self, shape: tuple[int, int]) -> Floats:
        """Return the physical values of the whole file at `shape` evenly spread places, from its overviews where it has
        them.

        Raises:
            VadoseError: as `read`.
        """
        with _opened(self.path) as file:
            return self._physical(file.read(1, out_shape=shape))

    def _physical(self, numbers: NDArray[np.generic]) -> Floats:
        absent = np.isin(numbers, [*self.missing] if self.tag is None else [*self.missing, self.tag])
        with np.errstate(invalid="ignore", over="ignore"):
            values = numbers.astype(np.float32) * np.float32(self.scale) + np.float32(self.offset)
        return np.where(absent, np.float32(np.nan), values)

    def layer(self, window: Window) -> Floats:
        """As `read`, with a leading axis of one layer: (1, y, x)."""
        return self.read(window)[np.newaxis]

    def nearest(self, grid: Grid, window: Window) -> Floats:
        """Return the values of the pixels that hold the pixel centres of a window of another grid, NaN beyond this one.

        Raises:
            VadoseError: the grids have different CRS, or as `read`.
        """
        if grid.crs != self.grid.crs:
            raise VadoseError(f"{self.path}: reading it", "Its CRS is not that of the other bands", "Mend the item")
        columns = np.floor(self.grid.column(grid.x(window))).astype(int)
        rows = np.floor(self.grid.row(grid.y(window))).astype(int)
        inside = np.ix_((rows >= 0) & (rows < self.grid.height), (columns >= 0) & (columns < self.grid.width))
        result = np.full(window.shape, np.nan, np.float32)
        if all(part.size for part in inside):
            rows, columns = rows[inside[0].ravel()], columns[inside[1].ravel()]
            own = Window(int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1)
            result[inside] = self.read(own)[np.ix_(rows - own.top, columns - own.left)]
        return result


def by_grid(rasters: Mapping[str, Raster]) -> dict[Grid, dict[str, Raster]]:
    """Rasters by name, those on the same grid together."""
    groups: dict[Grid, dict[str, Raster]] = {}
    for name, raster in rasters.items():
        groups.setdefault(raster.grid, {})[name] = raster
    return groups


@lru_cache(maxsize=256)
def extent_in(area: AreaOfInterest, crs: str) -> tuple[float, float, float, float] | None:
    """Return west, south, east and north of an area in a projection; None where it has no place there."""
    edge = shapely.get_coordinates(shapely.segmentize(area.geometry, EDGE_DEGREES))
    x, y = (np.asarray(axis) for axis in from_lonlat_to(crs).transform(*edge.T))
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return None
    return float(x[known].min()), float(y[known].min()), float(x[known].max()), float(y[known].max())


@lru_cache(maxsize=256)
def from_lonlat_to(crs: str) -> Transformer:
    """Return transformer from longitude and latitude to a projection given as WKT.

    Raises:
        VadoseError: no way leads there, as to a local grid.
    """
    try:
        return Transformer.from_crs(4326, crs, always_xy=True)
    except ProjError as error:
        raise VadoseError(
            f"raster: the CRS {crs}", f"No way leads to it ({error})", "Give the file a CRS on Earth"
        ) from error


def _scaling(asset: Asset, scale: float, offset: float) -> tuple[float, float]:
    """Scale and offset of a file: the asset's word where it has one, else the file's tags; applied once.

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


@contextmanager
def _opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    driver = "JP2OpenJPEG" if path.suffix.lower() == ".jp2" else "GTiff"
    try:
        with rasterio.open(path, driver=driver) as file:
            yield file
    except (RasterioError, OSError) as error:
        raise VadoseError(
            f"{path}: reading it", f"It is no whole {driver} file ({error})", "Get the file again"
        ) from error
