"""Simulated Sentinel-2 scenes as Planetary Computer's level 2A items, with clouds, shadows and both baselines."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vadose.grid import Tile
from vadose.simulation.clouds import (
    BARE,
    CIRRUS,
    CLOUD,
    LIKELY_CLOUD,
    SHADOW,
    SNOW,
    VEGETATION,
    WATER,
    make_cloud_field,
)
from vadose.simulation.config import WorldConfig
from vadose.simulation.fields import Floats
from vadose.simulation.optics import BANDS, reflectance
from vadose.simulation.orbit import SENTINEL_2, Satellite, flown_by
from vadose.simulation.raster import COG, footprint, projection, to_pixels, write_block, write_item
from vadose.simulation.simulator import RegionSimulator
from vadose.simulation.state import Simulated
from vadose.simulation.sun import Sun

OFFSET_SINCE, OFFSET = pd.Timestamp("2022-01-25"), 1000
"""Since processing baseline 04.00 the digital numbers have an offset."""
SCALE = 10_000
NOISE = 0.002
"""Standard deviation of the reflectance of a pixel."""
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Letters of tile names: all except I and O."""
LOCAL_HOUR = 10.6
LOWEST_DEG = 5.0
"""Elevation of the sun below which no images are taken: ESA takes them up to a zenith angle of 85 degrees (Copernicus
Sentinel-2 observation in low illumination conditions, 2019)."""
FINE = ("B02", "B03", "B04", "B08")
"""Bands of 10 m; the others have 20 m."""
TITLES = {
    "B02": "Band 2 - Blue - 10m",
    "B03": "Band 3 - Green - 10m",
    "B04": "Band 4 - Red - 10m",
    "B05": "Band 5 - Vegetation red edge 1 - 20m",
    "B06": "Band 6 - Vegetation red edge 2 - 20m",
    "B07": "Band 7 - Vegetation red edge 3 - 20m",
    "B08": "Band 8 - NIR - 10m",
    "B11": "Band 11 - SWIR (1.6) - 20m",
    "B12": "Band 12 - SWIR (2.2) - 20m",
    "SCL": "Scene classification map (SCL)",
}
SHARES = {
    "s2:vegetation_percentage": VEGETATION,
    "s2:not_vegetated_percentage": BARE,
    "s2:water_percentage": WATER,
    "s2:cloud_shadow_percentage": SHADOW,
    "s2:snow_ice_percentage": SNOW,
    "s2:thin_cirrus_percentage": CIRRUS,
    "s2:medium_proba_clouds_percentage": LIKELY_CLOUD,
    "s2:high_proba_clouds_percentage": CLOUD,
}
"""Properties with the percentage of a class."""


@dataclass(frozen=True)
class OpticalScene:
    """One scene of a region.

    Attributes:
        tile: the region.
        number: number of the region in the world.
        satellite: by which.
        time: UTC.
        sun: over the centre of the region.
        cover: mean cloud cover of the climate.
        seed: seed of the sky.
        counted: pixels of each scene class in the written blocks.
    """

    tile: Tile
    number: int
    satellite: Satellite
    time: pd.Timestamp
    sun: Sun
    cover: float
    seed: tuple[int, ...]
    counted: Counter[int] = field(default_factory=Counter, compare=False)

    @property
    def mgrs(self) -> str:
        """Return the name of the granule's tile: of the zone, but unused in it; every region has its own."""
        letters = (LETTERS[self.number // size % len(LETTERS)] for size in (len(LETTERS), 1))
        return f"{self.tile.epsg % 100:02d}S{''.join(letters)}"

    @property
    def name(self) -> str:
        """Return the processing baseline of the item."""
        stamp, orbit = f"{self.time:%Y%m%dT%H%M%S}", self.satellite.relative(self.time)
        return f"{self.satellite.name}_MSIL2A_{stamp}_R{orbit:03d}_T{self.mgrs}_{stamp}"

    @property
    def offset(self) -> int:
        """Return the offset of the digital numbers."""
        return OFFSET if self.time >= OFFSET_SINCE else 0

    def folder(self, archive: Path) -> Path:
        """Return the folder of the item."""
        return archive / "sentinel-2-l2a" / self.name

    def write_block(self, world: Simulated, block: Tile, archive: Path) -> None:
        """Write the image of a block."""
        noise = world.rng("sentinel2", self.time.toordinal(), block.west, block.north)
        now = world.at(self.time)
        sky = make_cloud_field(world.where, self.cover, self.sun, np.random.default_rng(self.seed))
        classes = sky.classes(now, world.land)
        for band in BANDS:
            seen = to_pixels(sky.over(reflectance(band, now, world.land)))
            seen = seen + NOISE * noise.standard_normal(seen.shape, dtype=np.float32)
            self._write(band, np.clip(np.round(seen * SCALE) + self.offset, 1, 65_535), block, archive)
        self._write("SCL", to_pixels(classes.astype(np.float32)), block, archive)
        self.counted.update(classes.ravel().tolist())

    def describe(self, archive: Path) -> None:
        """Write the item."""
        total = self.counted.total()
        clouded = sum(self.counted[kind] for kind in (LIKELY_CLOUD, CLOUD, CIRRUS))
        properties = {
            "datetime": f"{self.time.isoformat(timespec='microseconds')}Z",
            "platform": f"Sentinel-{self.satellite.name[1:]}",
            "constellation": "Sentinel 2",
            "instruments": ["msi"],
            "proj:epsg": self.tile.epsg,
            "s2:mgrs_tile": self.mgrs,
            "s2:product_type": "S2MSI2A",
            "s2:processing_baseline": "04.00" if self.offset else "03.01",
            "sat:orbit_state": "descending",
            "sat:relative_orbit": self.satellite.relative(self.time),
            "eo:cloud_cover": 100 * clouded / total,
            "s2:mean_solar_zenith": self.sun.zenith_deg,
            "s2:mean_solar_azimuth": self.sun.azimuth_deg,
            **{key: 100 * self.counted[value] / total for key, value in SHARES.items()},
        }
        item = {"id": self.name, "collection": "sentinel-2-l2a", **footprint(self.tile.pixels)}
        assets = {band: self._asset(band) for band in TITLES}
        write_item(self.folder(archive), item | {"properties": properties}, assets)

    def _write(self, band: str, values: Floats, block: Tile, archive: Path) -> None:
        """Write a band of a block; of 20 m bands the mean of four pixels, of classes one of four equal ones."""
        part, grid = block.pixels, self.tile.pixels
        if band not in FINE:
            part, grid = part.zoom_out(2), grid.zoom_out(2)
            height, width = part.shape
            values = np.round(values.reshape(height, 2, width, 2).mean(axis=(1, 3)))
        kind = np.uint8 if band == "SCL" else np.uint16
        write_block(self.folder(archive) / _href(band), values.astype(kind), part, grid, 0)

    def _asset(self, band: str) -> Mapping[str, Any]:
        grid = self.tile.pixels if band in FINE else self.tile.pixels.zoom_out(2)
        placed = {key: value for key, value in projection(grid).items() if key != "proj:epsg"}
        known = {"href": _href(band), "type": COG, "roles": ["data"], "title": TITLES[band]}
        return known | {"gsd": float(_metres(band)), **placed}


def optical_scenes(simulator: RegionSimulator, config: WorldConfig) -> Iterator[OpticalScene]:
    """Return every scene of a region in the period; none with a low sun."""
    region = simulator.region
    days = pd.date_range(config.days.start, config.days.end, freq="D", inclusive="left")
    hour = pd.Timedelta(hours=(LOCAL_HOUR - region.lon / 15) % 24)
    for number, day in enumerate(days[3 :: config.sentinel2_revisit_days]):
        seed = (simulator.seed, simulator.number, *b"sky", day.toordinal())
        time = (day + hour).floor("ms")
        sun = Sun.over(region.lon, region.lat, time)
        if sun.elevation_deg >= LOWEST_DEG:
            satellite = flown_by(SENTINEL_2, number * config.sentinel2_revisit_days)
            yield OpticalScene(simulator.tile, simulator.number, satellite, time, sun, region.climate.cloud, seed)


def _metres(band: str) -> int:
    return 10 if band in FINE else 20


def _href(band: str) -> str:
    return f"R{_metres(band)}m/{band}_{_metres(band)}m.tif"
