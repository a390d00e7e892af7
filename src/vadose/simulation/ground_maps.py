"""Simulated static maps: NASADEM and SoilGrids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.windows import Window
from scipy.ndimage import map_coordinates

from vadose.errors import VadoseError
from vadose.grid import Tile
from vadose.io.files import atomic_write
from vadose.simulation.fields import Field, Floats, Locations, random_field
from vadose.simulation.land import WATER
from vadose.simulation.raster import NOTICE, footprint, projection, write_block, write_item
from vadose.simulation.simulator import RegionSimulator

HOMOLOSINE = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"
SOIL_WEST, SOIL_NORTH, SOIL_WIDTH, SOIL_HEIGHT = -19_949_750.0, 8_361_000.0, 159_246, 58_034
"""Corner and size of SoilGrids 2.0, pixels of 250 m."""
SOIL_M, SOIL_NODATA = 250.0, -32768
SOIL_AFFINE = rasterio.Affine(SOIL_M, 0, SOIL_WEST, 0, -SOIL_M, SOIL_NORTH)
MAPPED_M = 1500.0
"""Shortest wavelength of the soil in a map of 250 m from sparse profiles."""
SOIL_ERROR = {"sand": 0.22, "clay": 0.25, "bdod": 0.07}
"""Relative error of the map, smooth over kilometres: our choice, less than the errors of Poggio et al., SOIL 7:217-240,
2021, at points, part of which is variation within a pixel of 250 m.
"""
HEIGHT_ERROR_M = 2.0
"""Noise of NASADEM, pixel by pixel."""
TERRAIN_M = 20.0
"""Spacing of the points at which the terrain is evaluated; its shortest waves are four times as long."""
ROWS = 256
"""Rows of a map that are made at once."""


def write_elevation(simulator: RegionSimulator, archive: Path) -> None:
    """Write the terrain as a NASADEM item: whole metres on 1 arc second, cut to the region."""
    region = simulator.region
    box = simulator.tile.pixels.pad(60).geographic_extent.boundingbox
    grid = GeoBox.from_bbox(box.bbox, "EPSG:4326", resolution=1 / 3600, tight=False)
    south, west = int(np.floor(region.lat)), int(np.floor(region.lon))
    name = f"NASADEM_HGT_{'ns'[south < 0]}{abs(south):02d}{'ew'[west < 0]}{abs(west):03d}"
    folder = archive / "nasadem" / name
    rng = np.random.default_rng([simulator.seed, simulator.number, *b"nasadem"])
    (folder / f"{name}.tif").unlink(missing_ok=True)
    for first in range(0, grid.shape.y, ROWS):
        part = grid[first : min(first + ROWS, grid.shape.y), :]
        height = _elevation(simulator, part) + rng.normal(0, HEIGHT_ERROR_M, part.shape)
        write_block(folder / f"{name}.tif", np.round(height).astype(np.int16), part, grid, None)
    media = "image/tiff; application=geotiff; profile=cloud-optimized"
    asset = {"href": f"{name}.tif", "type": media, "roles": ["data"], "title": "Elevation"}
    properties = {"datetime": "2000-02-20T00:00:00Z", **projection(grid), "vadose:simulated": True}
    item = {"id": name, "collection": "nasadem", **footprint(grid), "properties": properties}
    write_item(folder, item, {"elevation": asset})


def _elevation(simulator: RegionSimulator, grid: GeoBox) -> Floats:
    """Return the terrain at the pixels of a grid, interpolated between points 20 m apart."""
    where = centres(grid, simulator.tile)
    west, north = where.eastings.min() - TERRAIN_M, where.northings.max() + TERRAIN_M
    columns, rows = (where.eastings - west) / TERRAIN_M, (north - where.northings) / TERRAIN_M
    east = west + TERRAIN_M * np.arange(int(columns.max()) + 2)
    south = north - TERRAIN_M * np.arange(int(rows.max()) + 2)
    height = simulator.terrain.elevation(Locations(east, south, gridded=True))
    return np.asarray(map_coordinates(height, [rows, columns], order=1).reshape(grid.shape))


def write_soils(regions: Sequence[RegionSimulator], archive: Path) -> None:
    """Write the soils of all regions as SoilGrids maps: whole numbers in Goode's homolosine, empty elsewhere."""
    surveys = [
        (window, SoilMap.of(simulator).on(window)) for simulator in regions for window in _windows(simulator.tile)
    ]
    for name in ("sand", "silt", "clay", "bdod"):
        with atomic_write(archive / "soilgrids" / f"{name}_0-5cm_mean.tif") as temporary:
            _write_soil([(window, values[name]) for window, values in surveys], temporary)


@dataclass(frozen=True, eq=False)
class SoilMap:
    """Soil survey of a region: its soil without detail, with errors."""

    simulator: RegionSimulator
    errors: dict[str, Field]

    @classmethod
    def of(cls, simulator: RegionSimulator) -> "SoilMap":
        """Return a random survey of a region."""
        rng = np.random.default_rng([simulator.seed, simulator.number, *b"soilgrids"])
        smooth = replace(
            simulator,
            terrain=replace(
                simulator.terrain,
                texture=simulator.terrain.texture.longer_than(MAPPED_M),
                sandiness=simulator.terrain.sandiness.longer_than(MAPPED_M),
                organic=simulator.terrain.organic.longer_than(MAPPED_M),
            ),
        )
        return cls(smooth, {name: random_field(rng, 60_000, MAPPED_M, 1.4) for name in SOIL_ERROR})

    def on(self, window: Window) -> dict[str, NDArray[np.int16]]:
        """Return the maps in SoilGrids' units, g kg-1 and cg cm-3, on a window of its grid."""
        corner = SOIL_AFFINE @ rasterio.Affine.translation(window.col_off, window.row_off)
        where = centres(GeoBox((window.height, window.width), corner, HOMOLOSINE), self.simulator.tile)
        land = self.simulator.terrain.at(where)
        clay = np.clip(land.clay * self._wrong(where, "clay"), 0.02, 0.65)
        sand = np.clip(land.sand * self._wrong(where, "sand"), 0.03, 0.97 - clay)
        density = land.water.bulk_density / 10 * self._wrong(where, "bdod")
        maps = {"sand": 1000 * sand, "silt": 1000 * (1 - sand - clay), "clay": 1000 * clay, "bdod": density}
        shown = land.cover != WATER
        shape = (window.height, window.width)
        return {name: _whole(np.where(shown, values, np.nan)).reshape(shape) for name, values in maps.items()}

    def _wrong(self, where: Locations, name: str) -> Floats:
        return np.asarray(np.exp(SOIL_ERROR[name] * self.errors[name].at(where)))


def _write_soil(parts: Sequence[tuple[Window, NDArray[np.int16]]], path: Path) -> None:
    profile = {"driver": "GTiff", "height": SOIL_HEIGHT, "width": SOIL_WIDTH, "count": 1, "dtype": "int16"}
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "SPARSE_OK": True}
    placed = {"crs": HOMOLOSINE, "transform": SOIL_AFFINE, "nodata": SOIL_NODATA}
    with rasterio.open(path, "w", **profile, **tiles, **placed) as raster:
        raster.update_tags(NOTICE=NOTICE)
        for window, values in parts:
            raster.write(values, 1, window=window)


def require_mapped(name: str, tile: Tile) -> None:
    """Verify that SoilGrids, the product of smallest extent, covers a region.

    Raises:
        VadoseError: it does not; to north and south UTM, SMAP and GLDAS extend further.
    """
    left, top, right, bottom = _extent(tile)
    if min(left, top) < 0 or right > SOIL_WIDTH or bottom > SOIL_HEIGHT:
        raise VadoseError(
            f"world: the region {name}, {tile}",
            "It is beyond the map of SoilGrids, which ends at 56 S and 82.7 N and, near the equator, at 180 degrees",
            "Move it, or make it smaller",
        )


def _windows(tile: Tile) -> Iterator[Window]:
    left, top, right, bottom = _extent(tile)
    for first in range(top, bottom, ROWS // 4):
        yield Window(left, first, right - left, min(ROWS // 4, bottom - first))


def _extent(tile: Tile) -> tuple[int, int, int, int]:
    """Return first and last columns and rows of the soil maps under a tile: left, top, right, bottom."""
    box = tile.pixels.pad(300).boundingbox
    x, y = np.meshgrid(np.linspace(box.left, box.right, 20), np.linspace(box.bottom, box.top, 20))
    east, north = Transformer.from_crs(tile.epsg, HOMOLOSINE, always_xy=True).transform(x, y)
    left, top = int((east.min() - SOIL_WEST) // SOIL_M), int((SOIL_NORTH - north.max()) // SOIL_M)
    right, bottom = int((east.max() - SOIL_WEST) // SOIL_M) + 1, int((SOIL_NORTH - north.min()) // SOIL_M) + 1
    return left, top, right, bottom


def _whole(values: Floats) -> NDArray[np.int16]:
    return np.where(np.isnan(values), SOIL_NODATA, np.round(np.nan_to_num(values, nan=1)).clip(1)).astype(np.int16)


def centres(grid: GeoBox, tile: Tile) -> Locations:
    """Return pixel centres of a grid in the zone of a tile, row by row."""
    x, y = np.meshgrid(*(grid.coords[dim].values for dim in reversed(grid.dimensions)))
    east, north = Transformer.from_crs(str(grid.crs), tile.epsg, always_xy=True).transform(x.ravel(), y.ravel())
    return Locations.points(east, north)
