"""Simulated Sentinel-2 looks as Planetary Computer's level 2A items, with clouds, shadows and both baselines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.world.clouds import BARE, CLOUD, LIKELY_CLOUD, SHADOW, SNOW, VEGETATION, Sky, make_sky
from vadose.world.optics import BANDS, reflectance, snow
from vadose.world.raster import COG, footprint, projection, write_item, write_raster
from vadose.world.region import Simulated, to_pixels

OFFSET_SINCE, OFFSET = pd.Timestamp("2022-01-25"), 1000
"""Since processing baseline 04.00 the digital numbers carry an offset."""
SCALE = 10_000
COARSE = ("B11", "B12", "SCL")
"""Bands of 20 m."""
NOISE = 0.002
"""Standard deviation of the reflectance of a pixel."""
LOCAL_HOUR = 10.6
TITLES = {
    "B02": "Band 2 - Blue - 10m",
    "B03": "Band 3 - Green - 10m",
    "B04": "Band 4 - Red - 10m",
    "B08": "Band 8 - NIR - 10m",
    "B11": "Band 11 - SWIR (1.6) - 20m",
    "B12": "Band 12 - SWIR (2.2) - 20m",
    "SCL": "Scene classification map (SCL)",
}
SHARES = {
    "s2:vegetation_percentage": VEGETATION,
    "s2:not_vegetated_percentage": BARE,
    "s2:cloud_shadow_percentage": SHADOW,
    "s2:snow_ice_percentage": SNOW,
    "s2:medium_proba_clouds_percentage": LIKELY_CLOUD,
    "s2:high_proba_clouds_percentage": CLOUD,
}
"""Properties that tell the share of a class."""


def write_looks(world: Simulated, every_days: int, archive: Path) -> None:
    """Write every look at a region, a folder an item."""
    for day in range(3, len(world.weather.days), every_days):
        _write_look(world, day, archive / "sentinel-2-l2a")


def look(world: Simulated, day: int) -> tuple[Sky, dict[str, NDArray[np.floating]]]:
    """The sky of a day, and reflectance by band on pixels of 10 m as it is seen through it, with its noise."""
    rng = world.rng("sentinel2", day)
    sky = make_sky(world.surface.shape[-1], world.region.climate.cloud, rng)
    seen = {}
    for band in BANDS:
        values = to_pixels(sky.over(_ground(world, band, day)))
        seen[band] = values + NOISE * rng.standard_normal(values.shape, dtype=np.float32)
    return sky, seen


def _ground(world: Simulated, band: str, day: int) -> NDArray[np.floating]:
    if world.snowy(day):
        return np.full(world.surface.shape[1:], snow(band))
    return reflectance(band, world.surface[day], world.land.water.saturation, world.leaf_area(day))


def _write_look(world: Simulated, day: int, parent: Path) -> None:
    hour = (LOCAL_HOUR - world.region.lon / 15) % 24
    time = (world.weather.days[day] + pd.Timedelta(hours=hour)).floor("ms")
    offset = OFFSET if time >= OFFSET_SINCE else 0
    sky, seen = look(world, day)
    classes = sky.classes(_cover(world, day))
    layers = {band: _digital(values, offset) for band, values in seen.items()} | {
        "SCL": to_pixels(classes.astype(np.float32))
    }
    tile = f"{world.tile.epsg % 100:02d}SIM"
    name = f"S2A_MSIL2A_{time:%Y%m%dT%H%M%S}_R{world.number + 1:03d}_T{tile}_{time:%Y%m%dT%H%M%S}"
    assets = {band: _write_band(world, band, values, parent / name) for band, values in layers.items()}
    properties = {
        "datetime": f"{time.isoformat(timespec='microseconds')}Z",
        "platform": "Sentinel-2A",
        "constellation": "Sentinel 2",
        "instruments": ["msi"],
        "proj:epsg": world.tile.epsg,
        "s2:mgrs_tile": tile,
        "s2:product_type": "S2MSI2A",
        "s2:processing_baseline": "04.00" if offset else "03.01",
        "sat:orbit_state": "descending",
        "sat:relative_orbit": world.number + 1,
        "eo:cloud_cover": 100 * float(sky.cloud.mean()),
        **{key: 100 * float((classes == value).mean()) for key, value in SHARES.items()},
    }
    item = {"id": name, "collection": "sentinel-2-l2a", **footprint(world.tile.pixels), "properties": properties}
    write_item(parent / name, item, assets)


def _cover(world: Simulated, day: int) -> NDArray[np.integer]:
    ground = np.where(world.leaf_area(day) > 1.0, VEGETATION, BARE)
    return np.full_like(ground, SNOW) if world.snowy(day) else ground


def _digital(reflectance: NDArray[np.floating], offset: int) -> NDArray[np.floating]:
    return np.asarray(np.clip(np.round(reflectance * SCALE) + offset, 1, 65_535))


def _write_band(world: Simulated, band: str, values: NDArray[np.floating], folder: Path) -> Mapping[str, Any]:
    """Write a band of one look; of 20 m bands the mean of four pixels, of classes one of them, all four being equal."""
    grid, metres = world.tile.pixels, 10
    if band in COARSE:
        grid, metres = grid.zoom_out(2), 20
        height, width = grid.shape
        values = np.round(values.reshape(height, 2, width, 2).mean(axis=(1, 3)))
    href = f"R{metres}m/{band}_{metres}m.tif"
    write_raster(folder / href, values.astype(np.uint8 if band == "SCL" else np.uint16), grid, 0)
    placed = {key: value for key, value in projection(grid).items() if key != "proj:epsg"}
    return {"href": href, "type": COG, "roles": ["data"], "title": TITLES[band], "gsd": float(metres), **placed}
