"""Static export: maps and the viewer as files, for any web server or bucket that answers ranges."""

import gzip
import shutil
from collections.abc import Iterator
from importlib.resources import as_file, files
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
from morecantile import tms
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from vadose import __version__
from vadose.grid import CELL_M
from vadose.io.atomic import atomic_write
from vadose.io.files import write_json
from vadose.io.locks import alone_at
from vadose.maps.layers import NODATA
from vadose.serving.catalogue import Catalogue, ServedMap, time_text
from vadose.serving.series import MapReader
from vadose.serving.series_index import Report
from vadose.serving.service import ServeSettings, map_config
from vadose.serving.styles import Style, styles_of
from vadose.serving.tiles import NATIVE_ZOOM, TileView, tile_png

BLOCK = 16
"""Cells a side of a file of series."""
_MOST_ZOOM = NATIVE_ZOOM - 2
"""Zoom of the finest exported tiles; the viewer enlarges them."""
_E7 = 1e7


def export(settings: ServeSettings, folder: Path, report: Report = lambda *_: None) -> int:
    """Write maps and the viewer into a folder.

    For each map: `maps/<id>/<layer>_<time>.pmtiles`, tiles of zooms 0 to 12; `maps/<id>/series/…bin.gz`, the series of
    16 x 16 cells, 32 bits (layer, row, column, time); and the map's own GeoTIFFs with their STAC items in
    `maps/<id>/files`. Sensors are not exported.

    Args:
        settings: maps.
        folder: folder of the export; it replaces an older one when it is complete.
        report: called with the number of finished steps, their total, and the map.

    Returns:
        The number of files.

    Raises:
        VadoseError: one of the maps is none, or the folder holds something else.
    """
    maps = Catalogue(settings.maps).maps
    reader = MapReader()
    with alone_at(folder) as held, atomic_write(held) as making:
        with as_file(files("vadose.serving") / "viewer") as built:
            shutil.copytree(built, making)
        total = sum(len(list(_views(served))) + len(list(_blocks(served))) for served in maps)
        done = 0
        for served in maps:
            place = making / "maps" / served.id
            (place / "series").mkdir(parents=True)
            for name, view in _views(served):
                _write_tiles(place / f"{name}.pmtiles", view, reader)
                report(done := done + 1, total, served.id)
            for epsg, row, column in _blocks(served):
                _write_series(place / "series" / f"{epsg}_{row}_{column}.bin.gz", served, reader, (epsg, row, column))
                report(done := done + 1, total, served.id)
            _copy_files(served, place / "files")
        facts = {"version": __version__, "basemap": settings.basemap, "static": True}
        facts |= {"sensors": False, "export_sensors": False, "maps": [static_config(served) for served in maps]}
        write_json(making / "viewer" / "config.json", facts)
        return sum(1 for path in making.rglob("*") if path.is_file())


def static_config(served: ServedMap) -> dict[str, Any]:
    """Return what the viewer must know of an exported map: also its grids, in metres, and the layers of its series."""
    held = map_config(served)
    grids = [
        {
            "epsg": one.epsg,
            "west": one.west * CELL_M,
            "north": one.north * CELL_M,
            "rows": one.rows,
            "columns": one.columns,
        }
        for one in served.grids.values()
    ]
    layers = [layer for layer in held["layers"] if layer["layer"] != "difference"]
    downloads: dict[str, list[str]] = {time_text(item.time): [] for item in served.by_id.values()}
    for item in served.by_id.values():
        downloads[time_text(item.time)] += [f"maps/{served.id}/files/{path.name}" for path in item.assets.values()]
    return held | {"layers": layers, "grids": grids, "block": BLOCK, "columns": list(served.layers), "files": downloads}


def stamp(moment: np.datetime64) -> str:
    """Return a time as part of a file name."""
    return time_text(moment).replace("-", "").replace(":", "")


def _views(served: ServedMap) -> Iterator[tuple[str, TileView]]:
    for style in _shown(served):
        for moment in served.times:
            yield f"{style.layer}_{stamp(moment)}", TileView(served, style, moment)


def _shown(served: ServedMap) -> list[Style]:
    return [style for name, style in styles_of(served).items() if name != "difference"]


def _blocks(served: ServedMap) -> Iterator[tuple[int, int, int]]:
    for epsg, grid in served.grids.items():
        for row in range(-(-grid.rows // BLOCK)):
            for column in range(-(-grid.columns // BLOCK)):
                yield epsg, row, column


def _write_tiles(path: Path, view: TileView, reader: MapReader) -> None:
    west, south, east, north = view.served.bbox
    boxes = (
        [(west, south, east, north)] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]
    )
    mercator = tms.get("WebMercatorQuad")
    found = {(one.z, one.x, one.y) for box in boxes for one in mercator.tiles(*box, zooms=list(range(_MOST_ZOOM + 1)))}
    with path.open("wb") as file:
        writer: Any = Writer(file)  # type: ignore[no-untyped-call]
        for z, x, y in sorted(found, key=lambda tile: zxy_to_tileid(*tile)):
            writer.write_tile(zxy_to_tileid(z, x, y), tile_png(view, reader.cache, z, x, y))
        writer.finalize(
            {
                "tile_type": TileType.PNG,
                "tile_compression": Compression.NONE,
                "min_zoom": 0,
                "max_zoom": _MOST_ZOOM,
                "min_lon_e7": floor(boxes[0][0] * _E7),
                "min_lat_e7": floor(south * _E7),
                "max_lon_e7": floor(boxes[0][2] * _E7),
                "max_lat_e7": floor(north * _E7),
                "center_zoom": 8,
                "center_lon_e7": floor((boxes[0][0] + boxes[0][2]) / 2 * _E7),
                "center_lat_e7": floor((south + north) / 2 * _E7),
            },
            {"name": f"{view.style.title}, {time_text(view.time)}", "description": view.served.notice},
        )


def _write_series(path: Path, served: ServedMap, reader: MapReader, block: tuple[int, int, int]) -> None:
    epsg, row, column = block
    grid = served.grids[epsg]
    rows = slice(row * BLOCK, min((row + 1) * BLOCK, grid.rows))
    columns = slice(column * BLOCK, min((column + 1) * BLOCK, grid.columns))
    layers = [reader.window(served, epsg, layer, served.times, rows, columns) for layer in served.layers]
    if (layers[served.layers.index("quality")] == NODATA).all():
        return
    whole = np.zeros((len(layers), BLOCK, BLOCK, len(served.times)), "<u4")
    for number, values in enumerate(layers):
        bits = values if values.dtype == np.uint32 else values.astype("<f4").view("<u4")
        whole[number, : rows.stop - rows.start, : columns.stop - columns.start] = np.moveaxis(bits, 0, -1)
    path.write_bytes(gzip.compress(whole.tobytes(), 6, mtime=0))


def _copy_files(served: ServedMap, folder: Path) -> None:
    folder.mkdir()
    for item in served.by_id.values():
        for path in item.assets.values():
            shutil.copyfile(path, folder / path.name)
        write_json(folder / f"{item.id}.json", dict(item.content) | {"links": []})
