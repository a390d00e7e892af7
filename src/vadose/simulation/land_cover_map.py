"""Simulated map of the land cover: ESA WorldCover."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from vadose.grid import Tile
from vadose.simulation.ground_maps import centres
from vadose.simulation.land import COVERS, FIELD_M
from vadose.simulation.raster import COG, footprint, projection, write_block, write_item
from vadose.simulation.simulator import RegionSimulator
from vadose.simulation.truth import cover_of

CLASSES = {"crops": 40, "grass": 30, "forest": 10, "bare": 60, "urban": 50, "water": 80}
"""Class numbers of ESA WorldCover, Product User Manual v2.0, 2022."""
PER_DEGREE = 12_000
TILE_DEGREES = 3
NODATA = 0
Classes = NDArray[np.uint8]
ROWS = 256
"""Rows of the map that are made at once."""


def write_land_cover(simulator: RegionSimulator, archive: Path) -> None:
    """Write the cover of a region as a WorldCover item: 1 / 12000 of a degree, without error, cut to the region.

    Args:
        simulator: the region; its truth is written.
        archive: archive of the world.
    """
    box = simulator.tile.pixels.pad(60).geographic_extent.boundingbox
    grid = GeoBox.from_bbox(box.bbox, "EPSG:4326", resolution=1 / PER_DEGREE, tight=False)
    name = f"ESA_WorldCover_10m_2021_v200_{_tile_of(simulator.region.lon, simulator.region.lat)}"
    folder = archive / "esa-worldcover" / f"{name}_{simulator.region.name}"
    truth = np.array([CLASSES[cover] for cover in COVERS], np.uint8)[cover_of(archive, simulator.region.name)]
    (folder / f"{name}_Map.tif").unlink(missing_ok=True)
    for first in range(0, grid.shape.y, ROWS):
        part = grid[first : min(first + ROWS, grid.shape.y), :]
        write_block(folder / f"{name}_Map.tif", _shown(truth, simulator.tile, part), part, grid, NODATA)
    asset = {"href": f"{name}_Map.tif", "type": COG, "roles": ["data"], "raster:bands": [{"nodata": NODATA}]}
    year = {"datetime": None, "start_datetime": "2021-01-01T00:00:00Z", "end_datetime": "2021-12-31T23:59:59Z"}
    item = {"id": f"{name}_{simulator.region.name}", "collection": "esa-worldcover", **footprint(grid)}
    write_item(folder, item | {"properties": {**year, **projection(grid)}}, {"map": asset})


def _shown(truth: Classes, tile: Tile, grid: GeoBox) -> Classes:
    """Return the classes of ground pixels at the pixels of a grid of degrees, empty beyond the region."""
    box, where = tile.cells.boundingbox, centres(grid, tile)
    columns = np.floor((where.eastings - box.left) / FIELD_M).astype(int)
    rows = np.floor((box.top - where.northings) / FIELD_M).astype(int)
    there = (rows >= 0) & (rows < truth.shape[0]) & (columns >= 0) & (columns < truth.shape[1])
    shown = truth[rows.clip(0, truth.shape[0] - 1), columns.clip(0, truth.shape[1] - 1)]
    return np.where(there, shown, np.uint8(NODATA)).reshape(grid.shape)


def _tile_of(lon: float, lat: float) -> str:
    """Return the product's name of the tile of a place, by its south-west corner."""
    west, south = (int(np.floor(value / TILE_DEGREES)) * TILE_DEGREES for value in (lon, lat))
    return f"{'NS'[south < 0]}{abs(south):02d}{'EW'[west < 0]}{abs(west):03d}"
