"""GeoTIFFs and STAC items, written as the catalogues write them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from vadose.files import replacing

NOTICE = "SIMULATED by vadose: not an observation of the Earth"


def write_raster(path: Path, values: NDArray[Any], grid: GeoBox, nodata: float | None) -> None:
    """Write one band as a tiled, compressed GeoTIFF that says it is simulated.

    Args:
        path: of the file.
        values: (y, x).
        grid: of the values.
        nodata: value of missing pixels.
    """
    profile = {
        "driver": "GTiff",
        "height": grid.shape.y,
        "width": grid.shape.x,
        "count": 1,
        "dtype": str(values.dtype),
        "crs": str(grid.crs),
        "transform": grid.affine,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 3 if np.issubdtype(values.dtype, np.floating) else 2,
    }
    with replacing(path) as temporary, rasterio.open(temporary, "w", **profile) as raster:
        raster.write(values, 1)
        raster.update_tags(NOTICE=NOTICE)


def rounded(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """The same numbers with `bits` of mantissa, which compress better."""
    keep = np.uint32(0xFFFFFFFF << (23 - bits) & 0xFFFFFFFF)
    half = np.uint32(1 << (22 - bits))
    return ((values.view(np.uint32) + half) & keep).view(np.float32)


def write_item(folder: Path, item: Mapping[str, Any], assets: Mapping[str, Any]) -> None:
    """Write a STAC item beside its assets."""
    whole = {"type": "Feature", "stac_version": "1.0.0", "links": [], **item, "assets": assets}
    with replacing(folder / f"{item['id']}.json") as temporary:
        temporary.write_text(json.dumps(whole, indent=1))


def footprint(grid: GeoBox) -> dict[str, Any]:
    """`bbox` and `geometry` of a grid, degrees."""
    box = grid.geographic_extent.boundingbox
    west, south, east, north = (float(edge) for edge in box.bbox)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"bbox": [west, south, east, north], "geometry": {"type": "Polygon", "coordinates": [ring]}}


def projection(grid: GeoBox) -> dict[str, Any]:
    """`proj:` fields of a grid."""
    box = grid.boundingbox
    return {
        "proj:bbox": [float(edge) for edge in box.bbox],
        "proj:epsg": grid.crs.to_epsg() if grid.crs else None,
        "proj:shape": list(grid.shape),
        "proj:transform": [float(value) for value in grid.affine],
    }
