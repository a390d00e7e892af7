"""Simulated Sentinel-2 looks as Planetary Computer's level 2A items, with clouds, shadows and both baselines."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from vadose.world.land import fractal
from vadose.world.optics import BANDS, reflectance
from vadose.world.raster import footprint, projection, write_item, write_raster
from vadose.world.region import Simulated, to_pixels

OFFSET_SINCE = pd.Timestamp("2022-01-25")
"""Since processing baseline 04.00 the digital numbers carry an offset of 1000."""
COARSE_BANDS = ("B11", "B12")
SHADOW, VEGETATION, BARE, CLOUD, SNOW = 3, 4, 5, 9, 11


def write_looks(world: Simulated, every_days: int, archive: Path) -> None:
    """Write every look at a region, a folder an item."""
    for day in range(3, len(world.weather.days), every_days):
        hour = (10.6 - world.region.lon / 15) % 24
        _write_look(world, day, world.weather.days[day] + pd.Timedelta(hours=hour), archive / "sentinel-2-l2a")


def _write_look(world: Simulated, day: int, time: pd.Timestamp, parent: Path) -> None:
    rng = world.rng("sentinel2", day)
    offset = 1000 if time >= OFFSET_SINCE else 0
    baseline = "04.00" if offset else "03.01"
    stamp, tile = time.strftime("%Y%m%dT%H%M%S"), f"{world.tile.epsg % 100:02d}SIM"
    name = f"S2A_MSIL2A_{stamp}_R0{world.number:02d}_T{tile}_{stamp}"
    folder = parent / name
    fine = world.tile.with_halo(0).pixels
    coarse = fine.zoom_to((fine.shape.y // 2, fine.shape.x // 2))
    classes = _scene(world, day, rng)
    assets = {"SCL": _asset("SCL", 20, coarse)}
    write_raster(folder / "SCL_20m.tif", classes[::2, ::2].copy(), coarse, 0)
    for band in BANDS:
        values = to_pixels(_seen(world, band, day)) + rng.normal(0, 0.004, classes.shape)
        values = np.where(classes == CLOUD, 0.55, np.where(classes == SHADOW, 0.4 * values, values))
        values = np.where(classes == SNOW, 0.75 if band < "B1" else 0.1, values)
        numbers = np.clip(np.round(values * 10_000) + offset, 1, 65_535).astype(np.uint16)
        grid, metres = (coarse, 20) if band in COARSE_BANDS else (fine, 10)
        stored = numbers[::2, ::2].copy() if band in COARSE_BANDS else numbers
        write_raster(folder / f"{band}_{metres}m.tif", stored, grid, 0)
        assets[band] = _asset(band, metres, grid)
    item = {"id": name, "collection": "sentinel-2-l2a", **footprint(fine)}
    properties = {
        "datetime": f"{time.isoformat(timespec='microseconds')}Z",
        "platform": "Sentinel-2A",
        "constellation": "Sentinel 2",
        "instruments": ["msi"],
        "proj:epsg": world.tile.epsg,
        "s2:mgrs_tile": tile,
        "s2:product_type": "S2MSI2A",
        "s2:processing_baseline": baseline,
        "eo:cloud_cover": float(100 * (classes == CLOUD).mean()),
        "sat:orbit_state": "descending",
        "sat:relative_orbit": world.number + 1,
        "vadose:simulated": True,
    }
    write_item(folder, item | {"properties": properties}, assets)


def _seen(world: Simulated, band: str, day: int) -> NDArray[np.floating]:
    return reflectance(band, world.surface[day], world.land.water.saturation, world.leaf_area(day))


def _scene(world: Simulated, day: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    side = world.land.elevation.shape[0]
    cover = float(np.clip(rng.beta(0.6, 0.6 * (1 / world.region.climate.cloud - 1)), 0, 1))
    field = fractal(side, 1.7, rng)
    clouds = field > np.quantile(field, 1 - cover) if 0 < cover < 1 else np.full(field.shape, cover >= 1)
    shadows = np.roll(clouds, (3, 5), (0, 1)) & ~clouds
    ground = np.where(world.leaf_area(day) > 1.0, VEGETATION, BARE)
    snow = world.frozen(day) and world.weather.temperature_c[max(day - 10, 0) : day + 1].mean() < -4
    ground = np.full_like(ground, SNOW) if snow else ground
    classes = np.where(clouds, CLOUD, np.where(shadows, SHADOW, ground))
    return to_pixels(classes).astype(np.uint8)


def _asset(band: str, metres: int, grid: GeoBox) -> dict[str, object]:
    placed = {key: value for key, value in projection(grid).items() if key != "proj:epsg"}
    media = "image/tiff; application=geotiff; profile=cloud-optimized"
    return {"href": f"{band}_{metres}m.tif", "type": media, "roles": ["data"], "gsd": float(metres), **placed}
