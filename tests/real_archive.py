"""Archives for tests: STAC items as the Planetary Computer writes them, beside GeoTIFFs of given arrays."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.transform import array_bounds
from rasterio.warp import transform_bounds

BANDS_L2A = {"B02": 2, "B03": 3, "B04": 4, "B08": 8, "B11": 11, "B12": 12}
"""Place of each band among the twelve of the scenes."""
DATES = {"denmark": "2017-10-30", "chile": "2020-04-11", "tanzania": "2023-06-10"}
BASELINES = {"denmark": "02.06", "chile": "04.00", "tanzania": "02.14"}


@dataclass(frozen=True, eq=False)
class Layer:
    """A raster to write: values (y, x), a CRS as rasterio takes it (None for none), and the grid."""

    values: NDArray[Any]
    crs: str | None
    transform: Affine
    nodata: float | None = None


def build(scene_folder: Path, archive: Path, scl: bool = False, time: str | None = None) -> None:
    """Turn a real scene (Sentinel-1 in dB, Sentinel-2 L2A, DEM on one UTM grid of 10 m) into an archive.

    The values are the real ones: Sentinel-1 as linear power, Sentinel-2 as the numbers of the scene, all bands on the
    scene's 10 m grid. The day is that of the Sentinel-1 pass; its hour, and the day of Sentinel-2, are not known and
    set to midnight UTC of that day. The processing baseline is chosen so that the numbers mean reflectance: 04.00 for
    Chile, whose numbers are 1000 higher. There is no annotation, so no incidence angle.

    Args:
        scene_folder: `scenes/denmark`, `scenes/chile` or `scenes/tanzania` of the real data.
        archive: folder to write the items into.
        scl: simulate a cloud over the north-western quarter of the scene; otherwise all of it counts as clear.
        time: ISO, UTC, that Sentinel-1 and Sentinel-2 are transplanted to; their own if not given.
    """
    name = scene_folder.name
    time = time or f"{DATES[name]}T00:00:00Z"
    vv, vh = (_band(scene_folder / "s1_rtc.tif", number) for number in (1, 2))
    power = {
        key: _changed(layer, np.float32(10) ** (layer.values / 10), -32768) for key, layer in (("vv", vv), ("vh", vh))
    }
    write_item(archive, "sentinel-1-rtc", f"{name}_rtc", time, power)
    bands = {key: _band(scene_folder / "s2_l2a.tif", number) for key, number in BANDS_L2A.items()}
    optical = {key: _changed(layer, layer.values.astype(np.uint16), 0) for key, layer in bands.items()}
    optical["SCL"] = simulated_classes(optical["B02"], cloud=scl)
    write_item(archive, "sentinel-2-l2a", f"{name}_l2a", time, optical, {"s2:processing_baseline": BASELINES[name]})
    elevation = {"elevation": _band(scene_folder / "dem.tif", 1)}
    write_item(archive, "nasadem", f"{name}_dem", "2000-02-20T00:00:00Z", elevation)


def painted(shape: tuple[int, int], transform: Affine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The x and the y of every pixel's centre, each (y, x): images in which any shift, flip or turn shows."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    return transform.c + transform.a * columns, transform.f + transform.e * rows


def simulated_classes(like: Layer, cloud: bool = True) -> Layer:
    """A simulated scene classification of 20 m: unclassified (7), perhaps cloud (9) over the north-western quarter."""
    height, width = (size // 2 for size in like.values.shape)
    a, b, c, d, e, f = like.transform[:6]
    classes = np.full((height, width), 7, np.uint8)
    if cloud:
        classes[: height // 2, : width // 2] = 9
    return Layer(classes, like.crs, Affine(2 * a, b, c, d, 2 * e, f), 0)


def write_item(
    archive: Path,
    collection: str,
    name: str,
    time: str,
    layers: Mapping[str, Layer],
    properties: Mapping[str, Any] | None = None,
    assets: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """Write `archive/collection/name/`: a GeoTIFF for each layer, named by its key, and the item.

    Args:
        archive, collection, name: where; collection and name are also those of the item.
        time: ISO, UTC.
        layers: by key of the asset.
        properties: of the item, besides `datetime` and `proj:epsg`.
        assets: further assets, or further fields of those of the layers, by key.

    Returns:
        The item's JSON file.
    """
    folder = archive / collection / name
    held: dict[str, dict[str, Any]] = {}
    for key, layer in layers.items():
        write_raster(folder / f"{key}.tif", layer)
        held[key] = {"href": f"./{key}.tif", "type": "image/tiff; application=geotiff; profile=cloud-optimized"}
    for key, fields in (assets or {}).items():
        held.setdefault(key, {}).update(fields)
    first = next(iter(layers.values()))
    epsg = rasterio.CRS.from_user_input(first.crs).to_epsg() if first.crs else None
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "bbox": _bbox(first),
        "geometry": None,
        "links": [],
        "properties": {"datetime": time, "proj:epsg": epsg, **(properties or {})},
        "assets": held,
    }
    file = folder / f"{name}.json"
    file.write_text(json.dumps(item))
    return file


def write_raster(path: Path, layer: Layer) -> Path:
    """Write a layer as a tiled GeoTIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = layer.values.shape
    profile = {
        "driver": "GTiff",
        "count": 1,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "zlevel": 1,
    }
    with rasterio.open(
        path,
        "w",
        height=height,
        width=width,
        dtype=layer.values.dtype,
        crs=layer.crs,
        transform=layer.transform,
        nodata=layer.nodata,
        **profile,
    ) as file:
        file.write(layer.values, 1)
    return path


def _band(path: Path, number: int) -> Layer:
    with rasterio.open(path) as file:
        return Layer(file.read(number), file.crs.to_string(), file.transform, file.nodata)


def _changed(layer: Layer, values: NDArray[Any], nodata: float) -> Layer:
    numbers = values.astype(np.float32) if values.dtype == np.float64 else values
    return Layer(numbers, layer.crs, layer.transform, nodata)


def _bbox(layer: Layer) -> list[float]:
    height, width = layer.values.shape
    west, south, east, north = array_bounds(height, width, layer.transform)
    return list(transform_bounds(layer.crs or "EPSG:4326", "EPSG:4326", west, south, east, north))
