"""Web Mercator tiles of the cells of maps: each pixel has the value of the cell that contains its centre."""

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, radians
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadose.grid import CELL_M, NORTHERNMOST, SOUTHERNMOST, Tile, from_lonlat
from vadose.maps.layers import NODATA
from vadose.serving.catalogue import MapItem, ServedMap
from vadose.serving.limits import RequestError
from vadose.serving.rasters import BlockCache, level_shape, levels_of
from vadose.serving.styles import Style, season_of, styles_of

MOST_ZOOM = 18
NATIVE_ZOOM = 14
"""Zoom beyond which displays enlarge tiles: a cell has several pixels."""
_EQUATOR_M = 2 * pi * 6_378_137.0
_NODE_PIXELS = 16
Array = NDArray[Any]


@dataclass(frozen=True)
class TileView:
    """What a tile shows.

    Attributes:
        served: the map.
        style: display layer and colours.
        time: time of the map.
        minus: time that is subtracted, of a difference.
        hidden: bits of flags whose cells are transparent.
        flags: bits that are shown as categories.
    """

    served: ServedMap
    style: Style
    time: np.datetime64
    minus: np.datetime64 | None = None
    hidden: int = 0
    flags: int = NODATA


def view_of(
    served: ServedMap, layer: str, time: str | None, minus: str | None, hidden: int, flags: int, colours: str | None
) -> TileView:
    """Return what a request of tiles shows.

    Raises:
        RequestError: the layer, a time or the range of colours is invalid.
    """
    styles = styles_of(served)
    if layer not in styles:
        raise RequestError(
            404, f"serve: a layer of {served.id}", "There is none such", f"There are {', '.join(styles)}"
        )
    if (layer == "difference") != (minus is not None):
        raise RequestError(400, f"serve: the layer {layer}", "A difference takes `minus`", "Give the other time")
    other = None if minus is None else served.time_of(minus)
    return TileView(served, styles[layer].within(colours), served.time_of(time), other, hidden, flags or NODATA)


def tile_png(view: TileView, cache: BlockCache, z: int, x: int, y: int, size: int = 256) -> bytes:
    """Return a tile as PNG with a palette.

    Raises:
        RequestError: there is no such tile (404).
    """
    if not (0 <= z <= MOST_ZOOM and 0 <= x < 1 << z and 0 <= y < 1 << z):
        raise RequestError(
            404,
            f"serve: the tile {z}/{x}/{y}",
            "There is no such tile",
            f"Zooms are 0 to {MOST_ZOOM}, x and y below 2^z",
        )
    return png(tile_indices(view, cache, z, x, y, size), view.style.palette)


def tile_indices(view: TileView, cache: BlockCache, z: int, x: int, y: int, size: int) -> NDArray[np.uint8]:
    """Return the palette indices of a tile's pixels."""
    indices = np.full((size, size), 255, np.uint8)
    for epsg in view.served.grids:
        item = view.served.items.get((view.time, epsg))
        if item is None:
            continue
        place = _pixels(item.grid, z, x, y, size, levels_of(item))
        if place is None:
            continue
        values = _values(view, item, cache, place)
        hide = view.hidden
        if hide:
            quality = _sampled(cache, item, "quality", place)
            values = np.where(quality & np.uint32(hide), np.nan if view.style.kind != "categories" else NODATA, values)
        part = view.style.indices(values, view.flags)
        indices[place.rows, place.columns] = np.where(place.inside, part, indices[place.rows, place.columns])
    return indices


@dataclass(frozen=True, eq=False)
class _Pixels:
    """Pixels of a tile in one zone, with the cells that contain them.

    Attributes:
        rows, columns: of the tile.
        level: level of the map.
        row, column: cells at this level, relative to `window`.
        window: rows and columns of the level that are read.
        inside: whether a pixel is within the grid.
    """

    rows: slice
    columns: slice
    level: int
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    window: tuple[slice, slice]
    inside: NDArray[np.bool_]


@lru_cache(maxsize=128)
def _pixels(grid: Tile, z: int, x: int, y: int, size: int, levels: int) -> _Pixels | None:
    """Return the pixels of a tile in the zone of a grid; None if there are none in the grid."""
    lon, lat = _pixel_centres(z, x, y, size)
    zone = np.minimum(np.floor((lon + 180) / 6).astype(int) + 1, 60)
    columns = _range(zone == grid.epsg % 100)
    within = (lat >= SOUTHERNMOST) & (lat <= NORTHERNMOST)
    rows = _range(((lat >= 0) == (grid.epsg < 32700)) & within)
    if columns is None or rows is None:
        return None
    easting, northing = _projected(grid.epsg, lon[columns], lat[rows])
    metres = _EQUATOR_M / (1 << z) / size * cos(radians(float(lat[rows].mean())))
    level = int(np.clip(np.floor(np.log2(max(metres / CELL_M, 1.0))), 0, levels - 1))
    step = 1 << level
    row = np.floor((grid.north - northing / CELL_M) / step)
    column = np.floor((easting / CELL_M - grid.west) / step)
    shape = -(-grid.rows // step), -(-grid.columns // step)
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    if not inside.any():
        return None
    row, column = (np.where(inside, part, part[inside].min()).astype(np.intp) for part in (row, column))
    window = tuple(slice(int(part.min()), int(part.max()) + 1) for part in (row, column))
    return _Pixels(
        rows, columns, level, row - window[0].start, column - window[1].start, (window[0], window[1]), inside
    )


def _pixel_centres(z: int, x: int, y: int, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    across = (np.arange(size) + 0.5) / size
    lon = (x + across) / (1 << z) * 360 - 180
    lat = np.degrees(np.arctan(np.sinh(pi * (1 - 2 * (y + across) / (1 << z)))))
    return lon, lat


def _range(chosen: NDArray[np.bool_]) -> slice | None:
    at = np.flatnonzero(chosen)
    return slice(int(at[0]), int(at[-1]) + 1) if at.size else None


def _projected(epsg: int, lon: Array, lat: Array) -> tuple[Array, Array]:
    """Return easting and northing of all pixels: exact at nodes, bilinear between them (within 0.1 m at zoom 10)."""
    nodes_x, weights_x = _nodes(lon.size)
    nodes_y, weights_y = _nodes(lat.size)
    easting, northing = from_lonlat(epsg).transform(*np.meshgrid(lon[nodes_x], lat[nodes_y]))
    return (weights_y @ np.asarray(part) @ weights_x.T for part in (easting, northing))  # type: ignore[return-value]


@lru_cache(maxsize=1024)
def _nodes(size: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    nodes = np.unique(np.linspace(0, size - 1, size // _NODE_PIXELS + 2).astype(np.intp))
    weights = np.stack([np.interp(np.arange(size), nodes, row) for row in np.eye(nodes.size)], axis=1)
    return nodes, weights


def _sampled(cache: BlockCache, item: MapItem, layer: str, place: _Pixels) -> Array:
    rows, columns = level_shape(item, place.level)
    window = (
        slice(place.window[0].start, min(place.window[0].stop, rows)),
        slice(place.window[1].start, min(place.window[1].stop, columns)),
    )
    return cache.window(item, layer, place.level, *window)[place.row, place.column]


def _values(view: TileView, item: MapItem, cache: BlockCache, place: _Pixels) -> Array:
    epsg = item.grid.epsg
    if view.style.layer == "difference" and view.minus is not None:
        other = view.served.items.get((view.minus, epsg))
        mine = _sampled(cache, item, "soil_moisture", place)
        return mine - _sampled(cache, other, "soil_moisture", place) if other else np.full_like(mine, np.nan)
    if view.style.layer == "anomaly":
        return _anomaly(view, item, cache, place)
    return _sampled(cache, item, view.style.layer, place)


def _anomaly(view: TileView, item: MapItem, cache: BlockCache, place: _Pixels) -> Array:
    """Return the deviation from the mean of the season, where it has two years or more."""
    mine = _sampled(cache, item, "soil_moisture", place)
    total, count, years = np.zeros(mine.shape), np.zeros(mine.shape, int), dict[str, NDArray[np.bool_]]()
    for moment in season_of(view.served, view.time):
        held = view.served.items.get((moment, item.grid.epsg))
        if held is None:
            continue
        values = _sampled(cache, held, "soil_moisture", place)
        known = np.isfinite(values)
        total += np.where(known, values, 0)
        count += known
        year = str(moment)[:4]
        years[year] = years.get(year, np.zeros(mine.shape, bool)) | known
    enough = np.sum(list(years.values()), axis=0) > 1
    return np.where(enough, mine - total / np.maximum(count, 1), np.nan).astype(np.float32)


def png(indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """Return an image with a palette as PNG (ISO/IEC 15948)."""
    height, width = indices.shape
    used = int(indices.max()) + 1
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with its filter, none
    lines[:, 1:] = indices
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette[:used, :3].tobytes()),
        (b"tRNS", palette[:used, 3].tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 4)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
