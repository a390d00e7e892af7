"""Simulated maps of what does not change: NASADEM and SoilGrids."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter, map_coordinates

from vadose.files import replacing
from vadose.world.raster import NOTICE, footprint, projection, write_item, write_raster
from vadose.world.region import Simulated

HOMOLOSINE = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"
SOIL_WEST, SOIL_NORTH, SOIL_WIDTH, SOIL_HEIGHT = -19_949_750.0, 8_361_000.0, 159_246, 58_034
"""Corner and size of SoilGrids 2.0, pixels of 250 m."""
SOIL_M, SOIL_NODATA = 250.0, -32768
SOIL_ERROR = {"sand": 0.10, "silt": 0.10, "clay": 0.16, "bdod": 0.05}
"""Relative error of the map, smooth over kilometres; of the order of Poggio et al. 2021, SOIL 7:217, table 4."""


def write_elevation(world: Simulated, archive: Path) -> None:
    """Write the terrain as a NASADEM item: whole metres on 1 arc second, cut to the region."""
    box = world.tile.pixels.pad(60).geographic_extent.boundingbox
    second = 1 / 3600
    grid = GeoBox.from_bbox(box.bbox, "EPSG:4326", resolution=second, tight=False)
    height = _sampled(world, world.land.elevation, grid) + world.rng("nasadem").normal(0, 1.0, tuple(grid.shape))
    south, west = int(np.floor(world.region.lat)), int(np.floor(world.region.lon))
    name = f"NASADEM_HGT_{'ns'[south < 0]}{abs(south):02d}{'ew'[west < 0]}{abs(west):03d}"
    folder = archive / "nasadem" / name
    write_raster(folder / f"{name}.tif", np.round(height).astype(np.int16), grid, None)
    media = "image/tiff; application=geotiff; profile=cloud-optimized"
    asset = {"href": f"{name}.tif", "type": media, "roles": ["data"], "title": "Elevation"}
    properties = {"datetime": "2000-02-20T00:00:00Z", **projection(grid), "vadose:simulated": True}
    item = {"id": name, "collection": "nasadem", **footprint(grid), "properties": properties}
    write_item(folder, item, {"elevation": asset})


def write_soils(worlds: Sequence[Simulated], archive: Path) -> None:
    """Write the soils of all regions as SoilGrids maps: whole numbers in Goode's homolosine, empty elsewhere."""
    for name in SOIL_ERROR:
        with replacing(archive / "soilgrids" / f"{name}_0-5cm_mean.tif") as temporary:
            _write_soil(worlds, name, temporary)


def _write_soil(worlds: Sequence[Simulated], name: str, path: Path) -> None:
    transform = rasterio.Affine(SOIL_M, 0, SOIL_WEST, 0, -SOIL_M, SOIL_NORTH)
    profile = {"driver": "GTiff", "height": SOIL_HEIGHT, "width": SOIL_WIDTH, "count": 1, "dtype": "int16"}
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "SPARSE_OK": True}
    with rasterio.open(
        path, "w", **profile, **tiles, crs=HOMOLOSINE, transform=transform, nodata=SOIL_NODATA
    ) as raster:
        raster.update_tags(NOTICE=NOTICE)
        for world in worlds:
            window = _soil_window(world)
            corner = transform @ rasterio.Affine.translation(window.col_off, window.row_off)
            grid = GeoBox((window.height, window.width), corner, HOMOLOSINE)
            raster.write(_soil(world, name, grid), 1, window=window)


def _soil_window(world: Simulated) -> Window:
    box = world.tile.pixels.pad(300).boundingbox
    x, y = np.meshgrid(np.linspace(box.left, box.right, 20), np.linspace(box.bottom, box.top, 20))
    east, north = Transformer.from_crs(world.tile.epsg, HOMOLOSINE, always_xy=True).transform(x, y)
    left, top = int((east.min() - SOIL_WEST) // SOIL_M), int((SOIL_NORTH - north.max()) // SOIL_M)
    right, bottom = int((east.max() - SOIL_WEST) // SOIL_M) + 1, int((SOIL_NORTH - north.min()) // SOIL_M) + 1
    return Window(left, top, right - left, bottom - top)


def _soil(world: Simulated, name: str, grid: GeoBox) -> NDArray[np.int16]:
    land = world.land
    units = {"sand": 1000 * land.sand, "clay": 1000 * land.clay, "silt": 1000 * (1 - land.sand - land.clay)}
    true = units.get(name, land.water.bulk_density / 10)
    smooth = gaussian_filter(true, 8)
    error = gaussian_filter(world.rng(f"soilgrids {name}").standard_normal(true.shape), 30, mode="wrap")
    drawn = smooth * (1 + SOIL_ERROR[name] * (error - error.mean()) / error.std())
    return np.round(_sampled(world, drawn, grid)).clip(1).astype(np.int16)


def _sampled(world: Simulated, field: NDArray[np.floating], grid: GeoBox) -> NDArray[np.floating]:
    """A field of the region, pixels of 40 m, at the pixel centres of another grid; continued beyond its edge."""
    x, y = np.meshgrid(*(grid.coords[dim].values for dim in reversed(grid.dimensions)))
    east, north = Transformer.from_crs(str(grid.crs), world.tile.epsg, always_xy=True).transform(x, y)
    box = world.tile.cells.boundingbox
    rows, columns = (box.top - north) / 40 - 0.5, (east - box.left) / 40 - 0.5
    return np.asarray(map_coordinates(field, [rows, columns], order=1, mode="nearest"))
