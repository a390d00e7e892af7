"""Copy of a map in the order of time, kept beside it: the series of a cell is read without opening every date."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from vadose.io.atomic import atomic_write
from vadose.io.files import Unreadable, read_json, write_json
from vadose.io.locks import alone_at
from vadose.maps.layers import NODATA
from vadose.serving.catalogue import ServedMap, time_text
from vadose.serving.rasters import BLOCK, BlockCache

NAME = ".vadose-series"
MOST_DIRECT = 24
"""Dates up to which series are read from the map itself."""
_TIMES, _CELLS = 128, 16
"""Chunk of the copy: dates, and cells a side."""
_MARK = "index.json"
_FORMAT = 1
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class SeriesIndex:
    """The copy of a map in the order of time."""

    arrays: dict[int, dict[str, Any]]

    def window(self, epsg: int, layer: str, times: NDArray[np.intp], rows: slice, columns: slice) -> NDArray[Any]:
        """Return a window of a layer at some dates, (time, y, x)."""
        first, last = int(times[0]), int(times[-1]) + 1
        held: NDArray[Any] = self.arrays[epsg][layer][first:last, rows, columns]
        return held[times - first]


def place_of(served: ServedMap) -> Path:
    """Return the folder of the copy: in the folder of the map, or in the cache if that is read-only."""
    if served.folder.is_dir() and served.folder.suffix != ".zarr" and os.access(served.folder, os.W_OK):
        return served.folder / NAME
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vadose"
    return cache / f"series-{hashlib.sha256(str(served.folder.absolute()).encode()).hexdigest()[:16]}"


def is_needed(served: ServedMap) -> bool:
    """Return whether a map has too many dates to be read date by date."""
    return len(served.times) > MOST_DIRECT


def open_series_index(served: ServedMap) -> SeriesIndex | None:
    """Return the copy of a map; None if there is none of these files."""
    place = place_of(served)
    if not is_needed(served) or _stated(place) != _content_of(served):
        return None
    groups = {epsg: zarr.open_group(place / f"{epsg}.zarr", mode="r") for epsg in served.grids}
    return SeriesIndex({epsg: {layer: group[layer] for layer in served.layers} for epsg, group in groups.items()})


def build_series_index(served: ServedMap, report: Report = lambda *_: None) -> None:
    """Make the copy of a map that has many dates, unless it is there.

    Args:
        served: the map.
        report: called with the number of finished blocks, their total, and the name of the map.
    """
    place = place_of(served)
    if not is_needed(served) or _stated(place) == _content_of(served):
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with alone_at(place) as held:
        if _stated(held) == _content_of(served):
            return
        with atomic_write(held) as making:
            making.mkdir()
            _write(served, making, report)


def _write(served: ServedMap, folder: Path, report: Report) -> None:
    work = list(_work(served))
    cache = BlockCache(most_bytes=_TIMES)  # each block is read once
    groups = {epsg: zarr.open_group(folder / f"{epsg}.zarr", mode="w", zarr_format=3) for epsg in served.grids}
    arrays = {
        (epsg, layer): _create(group, served, epsg, layer) for epsg, group in groups.items() for layer in served.layers
    }
    for number, (epsg, first, top, left) in enumerate(work):
        grid = served.grids[epsg]
        rows, columns = slice(top, min(top + BLOCK, grid.rows)), slice(left, min(left + BLOCK, grid.columns))
        moments = served.times[first : first + _TIMES]
        shape = len(moments), rows.stop - rows.start, columns.stop - columns.start
        blocks = {layer: np.full(shape, _fill(layer)) for layer in served.layers}
        for index, moment in enumerate(moments):
            item = served.items.get((moment, epsg))
            for layer in served.layers if item else ():
                blocks[layer][index] = cache.window(item, layer, 0, rows, columns)  # type: ignore[arg-type]
        for layer, values in blocks.items():
            arrays[epsg, layer][first : first + len(moments), rows, columns] = values
        report(number + 1, len(work), served.id)
    write_json(folder / _MARK, _content_of(served))


def _work(served: ServedMap) -> Iterator[tuple[int, int, int, int]]:
    for epsg, grid in served.grids.items():
        for first in range(0, len(served.times), _TIMES):
            for top in range(0, grid.rows, BLOCK):
                for left in range(0, grid.columns, BLOCK):
                    yield epsg, first, top, left


def _create(group: zarr.Group, served: ServedMap, epsg: int, layer: str) -> Any:
    grid = served.grids[epsg]
    fill = _fill(layer)
    return group.create_array(
        layer,
        shape=(len(served.times), grid.rows, grid.columns),
        dtype=fill.dtype,
        chunks=(_TIMES, _CELLS, _CELLS),
        shards=(_TIMES, BLOCK, BLOCK),
        fill_value=fill,
    )


def _fill(layer: str) -> np.generic:
    return np.uint32(NODATA) if layer == "quality" else np.float32(np.nan)


def _content_of(served: ServedMap) -> dict[str, Any]:
    """Return what the copy is of: the map's version, and the version and times of each date."""
    times = [time_text(moment) for moment in served.times]
    return {"format": _FORMAT, "of": served.version, "times": times, "layers": list(served.layers)}


def _stated(place: Path) -> dict[str, Any] | None:
    try:
        return read_json(place / _MARK) if (place / _MARK).is_file() else None
    except Unreadable:
        return None
