"""GeoTIFFs and STAC items, in the form of the real catalogues."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from vadose.grid import PIXEL_M, to_lonlat
from vadose.io.files import atomic_write
from vadose.simulation.land import FIELD_M

NOTICE = "SIMULATED by vadose: not an observation of the Earth"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
"""Media type of rasters in the catalogues."""
EXTENSIONS = {
    "sar": ("sar", "v1.0.0"),
    "sat": ("sat", "v1.0.0"),
    "proj": ("projection", "v1.1.0"),
    "raster": ("raster", "v1.1.0"),
    "eo": ("eo", "v1.0.0"),
}
"""STAC extensions by the prefix of their fields."""


def write_raster(path: Path, values: NDArray[Any], grid: GeoBox, nodata: float | None) -> None:
    """Write one band as a tiled, compressed GeoTIFF, marked as simulated.

    Args:
        path: path of the file.
        values: (y, x).
        grid: grid of the values.
        nodata: value of missing pixels.
    """
    with (
        atomic_write(path) as temporary,
        rasterio.open(temporary, "w", **_profile(grid, str(values.dtype), nodata)) as raster,
    ):
        raster.write(values, 1)
        raster.update_tags(NOTICE=NOTICE)


def write_block(path: Path, values: NDArray[Any], part: GeoBox, grid: GeoBox, nodata: float | None) -> None:
    """Write a part of a band; the first part creates the file.

    Args:
        path: path of the file.
        values: values of the part, (y, x).
        part: its position, aligned to the grid.
        grid: grid of the complete band.
        nodata: value of missing pixels.
    """
    if part.shape == grid.shape:
        write_raster(path, values, grid, nodata)
        return
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(path, "w", **_profile(grid, str(values.dtype), nodata)) as raster:
            raster.update_tags(NOTICE=NOTICE)
    column, row = ~grid.affine * (part.affine.c, part.affine.f)
    window = Window(round(column), round(row), part.shape.x, part.shape.y)
    with rasterio.open(path, "r+", driver="GTiff") as raster:
        raster.write(values, 1, window=window)


def _profile(grid: GeoBox, dtype: str, nodata: float | None) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "height": grid.shape.y,
        "width": grid.shape.x,
        "count": 1,
        "dtype": dtype,
        "crs": str(grid.crs),
        "transform": grid.affine,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 3 if dtype.startswith("float") else 2,
        "SPARSE_OK": True,
    }


def rounded(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Return the values with `bits` of mantissa, which compress better."""
    mask = np.uint32(0xFFFFFFFF << (23 - bits) & 0xFFFFFFFF)
    half = np.uint32(1 << (22 - bits))
    return ((values.view(np.uint32) + half) & mask).view(np.float32)


def write_item(folder: Path, item: Mapping[str, Any], assets: Mapping[str, Any]) -> None:
    """Write a STAC item beside its assets, marked as simulated.

    Args:
        folder: folder of the assets.
        item: `id`, `collection`, `bbox`, `geometry`, `properties`.
        assets: assets by name, with addresses relative to the item.
    """
    properties = {**item["properties"], "vadose:simulated": True}
    whole: dict[str, Any] = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": _extensions(assets, properties),
    }
    whole |= {**item, "properties": properties, "links": [], "assets": assets}
    with atomic_write(folder / f"{item['id']}.json") as temporary:
        temporary.write_text(json.dumps(whole, indent=1))


def footprint(grid: GeoBox) -> dict[str, Any]:
    """Return `bbox` and `geometry` of a grid of some kilometres, degrees; the ring is counterclockwise (RFC 7946)."""
    box = grid.boundingbox
    eastings = [box.left, box.left, box.right, box.right, box.left]
    northings = [box.top, box.bottom, box.bottom, box.top, box.top]
    lon, lat = to_lonlat(_epsg(grid)).transform(eastings, northings)
    ring = [[float(x), float(y)] for x, y in zip(lon, lat, strict=True)]
    return {
        "bbox": [min(lon), min(lat), max(lon), max(lat)],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def projection(grid: GeoBox) -> dict[str, Any]:
    """Return the `proj:` fields of a grid."""
    box = grid.boundingbox
    return {
        "proj:bbox": [float(edge) for edge in box.bbox],
        "proj:epsg": _epsg(grid),
        "proj:shape": list(grid.shape),
        "proj:transform": [float(value) for value in grid.affine],
    }


def _epsg(grid: GeoBox) -> int:
    return int(str(grid.crs).removeprefix("EPSG:"))


def _extensions(assets: Mapping[str, Any], properties: Mapping[str, Any]) -> list[str]:
    keys = {key for fields in (properties, *assets.values()) for key in fields}
    prefixes = {key.split(":")[0] for key in keys}
    return [
        f"https://stac-extensions.github.io/{name}/{version}/schema.json"
        for prefix, (name, version) in EXTENSIONS.items()
        if prefix in prefixes
    ]


def to_pixels(field: NDArray[np.floating]) -> NDArray[np.float32]:
    """Resample pixels of 40 m to pixels of 10 m."""
    times = FIELD_M // PIXEL_M
    return np.repeat(np.repeat(field, times, axis=-2), times, axis=-1).astype(np.float32)
