"""Windows of the layers of a map at the resolution of a display, from blocks that are kept in memory."""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from vadose.maps.layers import AGE, NODATA
from vadose.serving.catalogue import MapItem
from vadose.serving.limits import RequestError, check_time

BLOCK = 512
"""Cells a side of a block, as in the files."""
_BYTES = 256_000_000
_BANDS = {"soil_moisture": ("soil_moisture", 1), "soil_moisture_std": ("soil_moisture", 2), "quality": ("quality", 1)}
_NODATA_16 = 65535
Array = NDArray[Any]


@dataclass(eq=False)
class BlockCache:
    """Blocks of layers, the latest used up to a number of bytes.

    Level 0 has the cells of the map; each level above has half as many rows and columns, as the overviews of the files.
    """

    most_bytes: int = _BYTES
    _held: "OrderedDict[tuple[Any, ...], Array]" = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def window(self, item: MapItem, layer: str, level: int, rows: slice, columns: slice) -> Array:
        """Return a window of a layer; rows and columns are of the level and within it."""
        values = np.empty((rows.stop - rows.start, columns.stop - columns.start), _dtype(layer))
        for top in range(rows.start // BLOCK * BLOCK, rows.stop, BLOCK):
            for left in range(columns.start // BLOCK * BLOCK, columns.stop, BLOCK):
                block = self.block(item, layer, level, top // BLOCK, left // BLOCK)
                low, high = max(top, rows.start), min(top + block.shape[0], rows.stop)
                west, east = max(left, columns.start), min(left + block.shape[1], columns.stop)
                values[low - rows.start : high - rows.start, west - columns.start : east - columns.start] = block[
                    low - top : high - top, west - left : east - left
                ]
        return values

    def block(self, item: MapItem, layer: str, level: int, row: int, column: int) -> Array:
        """Return one block."""
        check_time()
        key = (item, layer, level, row, column)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        for name, values in _read(item, layer, level, row, column, self).items():
            self._keep((item, name, level, row, column), values)
            if name == layer:
                wanted = values
        return wanted

    def _keep(self, key: tuple[Any, ...], values: Array) -> None:
        with self._lock:
            if key not in self._held:
                self._held[key] = values
                self._bytes += values.nbytes
            while self._bytes > self.most_bytes and len(self._held) > 1:
                self._bytes -= self._held.popitem(last=False)[1].nbytes


def level_shape(item: MapItem, level: int) -> tuple[int, int]:
    """Return rows and columns of a level."""
    step = 1 << level
    return -(-item.grid.rows // step), -(-item.grid.columns // step)


def levels_of(item: MapItem) -> int:
    """Return the number of levels: the last is within one block."""
    largest = max(item.grid.rows, item.grid.columns)
    return max(1, 1 + int(np.ceil(np.log2(max(largest, 1) / BLOCK))) if largest > BLOCK else 1)


def _dtype(layer: str) -> type[np.generic]:
    return np.uint32 if layer == "quality" else np.float32


def _read(item: MapItem, layer: str, level: int, row: int, column: int, cache: BlockCache) -> dict[str, Array]:
    """Read a block from the files; of a file, all bands."""
    if item.cube is not None:
        return {layer: _from_cube(item, layer, level, row, column, cache)}
    asset, _ = _BANDS.get(layer, ("age", 0))
    file = item.assets.get(asset)
    if file is None or (asset == "age" and layer.removeprefix(AGE) not in item.ages):
        rows, columns = level_shape(item, level)
        shape = min(BLOCK, rows - row * BLOCK), min(BLOCK, columns - column * BLOCK)
        return {layer: np.full(shape, np.nan, np.float32)}
    names = {"soil_moisture": ("soil_moisture", "soil_moisture_std"), "quality": ("quality",)}.get(
        asset, tuple(AGE + source for source in item.ages)
    )
    options = {"OVERVIEW_LEVEL": level - 1} if level else {}
    try:
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.open(file, driver="GTiff", **options) as raster,
        ):
            whole = raster.read(window=_window(raster.height, raster.width, row, column))
    except RasterioError as error:
        raise RequestError(
            503, f"serve: the map {item.id}", "A file of it cannot be read", "Run the map again"
        ) from error
    if whole.dtype == np.uint16:  # files of 16 bits
        whole = np.where(whole == _NODATA_16, np.uint32(NODATA), whole.astype(np.uint32))
    return {name: np.ascontiguousarray(band) for name, band in zip(names, whole, strict=True)}


def _window(height: int, width: int, row: int, column: int) -> Window:
    top, left = row * BLOCK, column * BLOCK
    return Window(left, top, min(BLOCK, width - left), min(BLOCK, height - top))


def _from_cube(item: MapItem, layer: str, level: int, row: int, column: int, cache: BlockCache) -> Array:
    """Read a block of a cube, which has no overviews: means of four cells of the level below, flags of the first."""
    if level == 0 and item.cube is not None:
        if layer not in item.cube:
            shape = level_shape(item, 0)
            return np.full((min(BLOCK, shape[0] - row * BLOCK), min(BLOCK, shape[1] - column * BLOCK)), np.nan)
        cells = np.s_[row * BLOCK : (row + 1) * BLOCK], np.s_[column * BLOCK : (column + 1) * BLOCK]
        values: Array = item.cube[layer].sel(time=item.time).isel(y=cells[0], x=cells[1]).values
        return values.astype(_dtype(layer))
    below = level_shape(item, level - 1)
    rows = slice(2 * row * BLOCK, min(2 * (row + 1) * BLOCK, below[0]))
    columns = slice(2 * column * BLOCK, min(2 * (column + 1) * BLOCK, below[1]))
    fine = cache.window(item, layer, level - 1, rows, columns)
    if layer == "quality":
        return fine[::2, ::2]
    padded = np.pad(fine, [(0, size % 2) for size in fine.shape], constant_values=np.nan)
    four = np.stack([padded[i::2, j::2] for i in (0, 1) for j in (0, 1)])
    known = np.isfinite(four)
    total, count = np.where(known, four, 0).sum(axis=0), known.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
