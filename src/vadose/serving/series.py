"""Series of cells and means over polygons, and windows of cells, of served maps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import floor
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.grid import CELL_M, AreaOfInterest, Tile, bbox_of, from_lonlat, to_lonlat, utm_epsg
from vadose.maps.layers import AGE, NODATA, map_dataset
from vadose.maps.series import HIGH, LOW
from vadose.serving.catalogue import ServedMap
from vadose.serving.limits import LIMITS, RequestError, check_time, require_few
from vadose.serving.rasters import BlockCache
from vadose.serving.series_index import SeriesIndex, open_series_index

Z90 = 1.645
"""Standard deviations from the middle of a normal distribution to the ends of its central 90 %."""
Array = NDArray[Any]


@dataclass(eq=False)
class MapReader:
    """Reading of served maps: blocks in memory, and copies in the order of time where they exist."""

    cache: BlockCache = field(default_factory=BlockCache)
    _indices: dict[str, tuple[str, SeriesIndex | None]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def window(
        self, served: ServedMap, epsg: int, layer: str, times: Sequence[np.datetime64], rows: slice, columns: slice
    ) -> Array:
        """Return a window of a layer at some times, (time, y, x)."""
        index = self._index_of(served)
        if index is not None:
            check_time()
            numbers = np.searchsorted(np.array(served.times), np.array(times))
            return index.window(epsg, layer, numbers, rows, columns)
        nothing = np.uint32(NODATA) if layer == "quality" else np.float32(np.nan)
        shape = len(times), rows.stop - rows.start, columns.stop - columns.start
        values = np.full(shape, nothing)
        for number, moment in enumerate(times):
            item = served.items.get((moment, epsg))
            if item is not None:
                values[number] = self.cache.window(item, layer, 0, rows, columns)
        return values

    def _index_of(self, served: ServedMap) -> SeriesIndex | None:
        with self._lock:
            known = self._indices.get(served.id)
            if known is None or known[0] != served.version:
                known = served.version, open_series_index(served)
                self._indices[served.id] = known
            return known[1]


def point_series(
    reader: MapReader, served: ServedMap, lon: float, lat: float, times: Sequence[np.datetime64]
) -> pd.DataFrame:
    """Return the series of the cell that contains a point.

    Returns:
        One row per time: time, soil_moisture, soil_moisture_std, the ends of the 90 % interval, quality, ages.

    Raises:
        RequestError: the point is outside the map (404), or its coordinates are invalid (400).
    """
    epsg, row, column = cell_at(served, lon, lat)
    window = slice(row, row + 1), slice(column, column + 1)
    columns = {layer: reader.window(served, epsg, layer, times, *window)[:, 0, 0] for layer in served.layers}
    if (columns["quality"] == NODATA).all():
        raise _outside(served)
    return _with_interval(pd.DataFrame({"time": np.array(times)} | columns))


def cell_at(served: ServedMap, lon: float, lat: float) -> tuple[int, int, int]:
    """Return zone, row and column of the cell that contains a point.

    Raises:
        RequestError: the point is outside the map (404), or its coordinates are invalid (400).
    """
    try:
        epsg = utm_epsg(lon, lat)
    except VadoseError as error:
        raise RequestError(400, error.context, error.problem, error.hint) from error
    grid = served.grids.get(epsg)
    if grid is not None:
        x, y = from_lonlat(epsg).transform(lon, lat)
        row, column = floor(grid.north - y / CELL_M), floor(x / CELL_M - grid.west)
        if 0 <= row < grid.rows and 0 <= column < grid.columns:
            return epsg, row, column
    raise _outside(served)


def outline_of_cell(grid: Tile, row: int, column: int) -> list[tuple[float, float]]:
    """Return the corners of a cell in degrees, closed."""
    west, north = (grid.west + column) * CELL_M, (grid.north - row) * CELL_M
    x = [west, west, west + CELL_M, west + CELL_M, west]
    y = [north, north - CELL_M, north - CELL_M, north, north]
    lon, lat = to_lonlat(grid.epsg).transform(x, y)
    return [(round(a, 7), round(b, 7)) for a, b in zip(lon, lat, strict=True)]


def area_series(
    reader: MapReader, served: ServedMap, polygon: shapely.Geometry, times: Sequence[np.datetime64]
) -> pd.DataFrame:
    """Return the series of the mean over the cells that have their centres in a polygon.

    The standard deviation is the mean over the cells: exact if the errors of all cells are fully correlated, and an
    upper bound otherwise. The quality has every flag of any cell.

    Returns:
        As `point_series`, and cells: the number of cells with an estimate.

    Raises:
        RequestError: no cell centre is in the polygon (404), or it has too many cells (413).
    """
    parts = [(grid, *part) for grid in served.grids.values() if (part := _inside(grid, polygon)) is not None]
    count = sum(int(mask.sum()) for *_, mask in parts)
    window = sum(mask.size for *_, mask in parts)
    require_few(window * len(times), LIMITS.values, "cells times dates", "Draw a smaller area, or name fewer dates")
    if not count:
        raise _outside(served)
    cells = {
        layer: np.concatenate(
            [
                reader.window(served, grid.epsg, layer, times, rows, columns)[:, mask]
                for grid, rows, columns, mask in parts
            ],
            axis=1,
        )
        for layer in served.layers
    }
    quality = cells.pop("quality")
    if (quality == NODATA).all():
        raise _outside(served)
    known = np.isfinite(cells["soil_moisture"])
    table = pd.DataFrame({"time": np.array(times)} | {name: _mean(part, known) for name, part in cells.items()})
    flags = np.where(quality == NODATA, 0, quality).astype(np.uint32)
    table["quality"] = reduce(np.bitwise_or, flags.T, np.zeros(len(times), np.uint32))
    table["cells"] = known.sum(axis=1)
    return _with_interval(table)


def cube_of(
    reader: MapReader, served: ServedMap, area: AreaOfInterest, times: Sequence[np.datetime64]
) -> dict[int, xr.Dataset]:
    """Return the cells of a box at some times, by zone: the layers of `map_dataset`, (time, y, x).

    Raises:
        RequestError: no cell is in the box (404), or there are too many (413).
    """
    windows = {
        epsg: window for epsg, grid in served.grids.items() if (window := _window(grid, area.geometry)) is not None
    }
    total = sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in windows.values())
    require_few(total, LIMITS.cells, "cells", "Ask for a smaller box")
    require_few(total * len(times), LIMITS.values, "cells times dates", "Ask for a smaller box or fewer dates")
    if not windows:
        raise _outside(served)
    return {epsg: _cut(reader, served, epsg, window, times) for epsg, window in windows.items()}


def _cut(
    reader: MapReader, served: ServedMap, epsg: int, window: tuple[slice, slice], times: Sequence[np.datetime64]
) -> xr.Dataset:
    grid = served.grids[epsg]
    rows, columns = window
    west, north = grid.west + columns.start, grid.north - rows.start
    tile = Tile(epsg, west, north, columns.stop - columns.start, rows.stop - rows.start)
    layers = {layer: reader.window(served, epsg, layer, times, rows, columns) for layer in served.layers}
    maps = []
    for number, moment in enumerate(times):
        ages = {name.removeprefix(AGE): part[number] for name, part in layers.items() if name.startswith(AGE)}
        mean, std, quality = (layers[name][number] for name in ("soil_moisture", "soil_moisture_std", "quality"))
        maps.append(map_dataset(tile.cells, mean, std, quality, ages).assign_coords(time=moment).expand_dims("time"))
    return xr.concat(maps, "time", combine_attrs="override") if len(maps) > 1 else maps[0]


def _with_interval(table: pd.DataFrame) -> pd.DataFrame:
    mean, half = table["soil_moisture"], Z90 * table["soil_moisture_std"]
    place = table.columns.get_loc("soil_moisture_std")
    low, high = (mean - half).clip(lower=0.0), mean + half
    table.insert(int(place) + 1, LOW, low)  # type: ignore[arg-type]
    table.insert(int(place) + 2, HIGH, high)  # type: ignore[arg-type]
    return table


def _mean(values: Array, known: NDArray[np.bool_]) -> Array:
    """Return the mean over the cells with an estimate, of those that have a value."""
    held = known & np.isfinite(values)
    count = held.sum(axis=1)
    total = np.where(held, values, 0).sum(axis=1, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _inside(grid: Tile, polygon: shapely.Geometry) -> tuple[slice, slice, NDArray[np.bool_]] | None:
    """Return the window of a polygon in a grid, and which cells have their centres in it."""
    window = _window(grid, polygon)
    if window is None:
        return None
    rows, columns = window
    require_few((rows.stop - rows.start) * (columns.stop - columns.start), LIMITS.cells, "cells", "Draw a smaller area")
    x = (grid.west + np.arange(columns.start, columns.stop) + 0.5) * CELL_M
    y = (grid.north - np.arange(rows.start, rows.stop) - 0.5) * CELL_M
    lon, lat = to_lonlat(grid.epsg).transform(*np.meshgrid(x, y))
    shapely.prepare(polygon)
    mask = np.asarray(shapely.contains_xy(polygon, lon, lat))
    return (rows, columns, mask) if mask.any() else None


def _window(grid: Tile, shape: shapely.Geometry) -> tuple[slice, slice] | None:
    """Return the rows and columns whose cells may be in a shape in degrees; None without any."""
    bounds = [_bounds(grid, part) for part in shapely.get_parts(shape)]
    found = [one for one in bounds if one is not None]
    if not found:
        return None
    lows, highs = np.min([low for low, _ in found], axis=0), np.max([high for _, high in found], axis=0)
    return slice(int(lows[0]), int(highs[0])), slice(int(lows[1]), int(highs[1]))


def _bounds(grid: Tile, part: shapely.Geometry) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return first and beyond-last row and column of the cells that a part may contain."""
    west, south, east, north = _zone_box(grid, part)
    if not (west < east and south < north):
        return None
    edge = np.linspace(0, 1, 33)
    lon = np.concatenate([west + (east - west) * edge] * 2 + [np.full(33, west), np.full(33, east)])
    lat = np.concatenate([np.full(33, south), np.full(33, north)] + [south + (north - south) * edge] * 2)
    x, y = (np.asarray(one) / CELL_M for one in from_lonlat(grid.epsg).transform(lon, lat))
    low = max(floor(grid.north - y.max()) - 1, 0), max(floor(x.min() - grid.west) - 1, 0)
    high = min(floor(grid.north - y.min()) + 2, grid.rows), min(floor(x.max() - grid.west) + 2, grid.columns)
    return (low, high) if low[0] < high[0] and low[1] < high[1] else None


def _zone_box(grid: Tile, part: shapely.Geometry) -> tuple[float, float, float, float]:
    """Return the box of a part of a shape, cut to the zone of a grid."""
    west, south, east, north = part.bounds
    first = (grid.epsg % 100 - 1) * 6 - 180.0
    hemisphere = (0.0, 84.0) if grid.epsg < 32700 else (-80.0, 0.0)
    return max(west, first), max(south, hemisphere[0]), min(east, first + 6), min(north, hemisphere[1])


def polygon_of(area: AreaOfInterest) -> Iterator[list[list[list[float]]]]:
    """Yield the rings of the polygons of an area, in degrees."""
    for part in shapely.get_parts(area.geometry):
        yield [[[x, y] for x, y in ring.coords] for ring in (part.exterior, *part.interiors)]


def middle_of(polygon: shapely.Geometry) -> tuple[float, float]:
    """Return the middle of the box of a shape in degrees."""
    west, south, east, north = bbox_of(polygon)
    east += 360 if east < west else 0
    return ((west + east) / 2 + 180) % 360 - 180, (south + north) / 2


def _outside(served: ServedMap) -> RequestError:
    box = ", ".join(f"{degrees:.4f}" for degrees in served.bbox)
    return RequestError(404, "serve: a place", f"No cell of the map {served.id} is there", f"The map spans {box}")
