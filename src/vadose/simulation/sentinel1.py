"""Simulated Sentinel-1 passes as Planetary Computer's radiometrically terrain corrected items."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vadose.grid import Tile
from vadose.simulation.annotation import write_annotation
from vadose.simulation.config import WorldConfig
from vadose.simulation.fields import Floats
from vadose.simulation.orbit import ORBITS, SENTINEL_1, Orbit, Satellite, flown_by
from vadose.simulation.radar import backscatter, gamma_naught, received, scene_noise
from vadose.simulation.raster import COG, footprint, projection, rounded, to_pixels, write_block, write_item
from vadose.simulation.simulator import RegionSimulator
from vadose.simulation.speckle import LOOKS, RESOLUTION_M, speckle
from vadose.simulation.state import Simulated

NODATA = -32768.0
MANTISSA_BITS = 6
"""Stored precision of power: 0.03 dB, a fortieth of the speckle."""
SECONDS = 25
"""Duration of a product."""
DESIGNATORS = {"S1A": "2014-016A", "S1B": "2016-025A"}
TITLES = {
    "vv": "VV: vertical transmit, vertical receive",
    "vh": "VH: vertical transmit, horizontal receive",
}


@dataclass(frozen=True)
class RadarScene:
    """One pass over a region.

    Attributes:
        tile: the region.
        number: number of the region in the world.
        orbit: orbit of the pass.
        satellite: satellite of the pass.
        start: UTC.
    """

    tile: Tile
    number: int
    orbit: Orbit
    satellite: Satellite
    start: pd.Timestamp

    @property
    def name(self) -> str:
        """Return the name of the item."""
        stamps = (f"{time:%Y%m%dT%H%M%S}" for time in (self.start, self.start + pd.Timedelta(seconds=SECONDS)))
        orbit = self.satellite.absolute(self.start)
        return f"{self.satellite.name}_IW_GRDH_1SDV_{'_'.join(stamps)}_{orbit:06d}_{self.number:06X}_rtc"

    def folder(self, archive: Path) -> Path:
        """Return the folder of the item."""
        return archive / "sentinel-1-rtc" / self.name

    def write_block(self, world: Simulated, block: Tile, archive: Path) -> None:
        """Write the image of a block."""
        rng = world.rng("sentinel1", self.orbit.key, self.start.toordinal())
        key = rng.integers(2**64, size=2, dtype=np.uint64)
        powers = seen(world, self.tile, self.orbit, self.start)
        for band, power, noise in zip(TITLES, powers, speckle(block, key), strict=True):
            values = rounded(to_pixels(power) * noise, MANTISSA_BITS)
            write_block(self.folder(archive) / _band(band)["href"], values, block.pixels, self.tile.pixels, NODATA)

    def describe(self, archive: Path) -> None:
        """Write the annotation and the item."""
        folder, grid, orbit = self.folder(archive), self.tile.pixels, self.satellite.absolute(self.start)
        assets: dict[str, Any] = {band: _band(band) for band in TITLES}
        assets["schema-product-vv"] = {
            "href": "annotation/iw-vv.xml",
            "type": "application/xml",
            "roles": ["metadata"],
            "title": "Product Schema",
        }
        write_annotation(
            folder / assets["schema-product-vv"]["href"],
            self.tile,
            self.orbit,
            self.start,
            (self.satellite.name, orbit),
        )
        shape = {"s1:shape": [grid.shape.x, grid.shape.y]}
        properties = _properties(self) | shape | projection(grid)
        item = {"id": self.name, "collection": "sentinel-1-rtc", **footprint(grid), "properties": properties}
        write_item(folder, item, assets)


def radar_scenes(simulator: RegionSimulator, config: WorldConfig) -> Iterator[RadarScene]:
    """Return every pass over a region in the period."""
    days = pd.date_range(config.days.start, config.days.end, freq="D", inclusive="left")
    for orbit in ORBITS:
        hour = pd.Timedelta(hours=(orbit.local_hour - simulator.region.lon / 15) % 24)
        for number, day in enumerate(days[orbit.first_day :: config.radar_days]):
            satellite = flown_by(SENTINEL_1, number * config.radar_days)
            yield RadarScene(simulator.tile, simulator.number, orbit, satellite, (day + hour).floor("s"))


def seen(world: Simulated, tile: Tile, orbit: Orbit, time: pd.Timestamp) -> tuple[Floats, Floats]:
    """Return gamma naught of VV and VH with thermal noise and without speckle, linear power, at the places."""
    now, angle = world.at(time), orbit.incidence(tile, world.where.mesh[0])
    changed = scene_noise(world.land, orbit.key, time.toordinal())
    vv, vh = (power * by for power, by in zip(backscatter(now, world.land, angle), changed, strict=True))
    return gamma_naught(received(vv), angle), gamma_naught(received(vh), angle)


def _band(band: str) -> dict[str, Any]:
    raster = {"nodata": NODATA, "data_type": "float32", "spatial_resolution": 10.0}
    href = f"measurement/iw-{band}.rtc.tiff"
    return {"href": href, "type": COG, "roles": ["data"], "title": TITLES[band], "raster:bands": [raster]}


def _properties(one: RadarScene) -> dict[str, Any]:
    start, satellite = one.start, one.satellite
    middle, end = (start + pd.Timedelta(seconds=seconds) for seconds in (SECONDS / 2, SECONDS))
    return {
        "datetime": f"{middle.isoformat(timespec='microseconds')}Z",
        "start_datetime": f"{start.isoformat(sep=' ', timespec='microseconds')}+00:00",
        "end_datetime": f"{end.isoformat(sep=' ', timespec='microseconds')}+00:00",
        "platform": f"SENTINEL-{satellite.name[1:]}",
        "constellation": "Sentinel-1",
        "s1:resolution": "high",
        "s1:processing_level": "1",
        "sar:product_type": "GRD",
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:center_frequency": 5.405,
        "sar:polarizations": ["VV", "VH"],
        "sar:looks_range": 5,
        "sar:looks_azimuth": 1,
        "sar:looks_equivalent_number": LOOKS,
        "sar:resolution_range": RESOLUTION_M[1],
        "sar:resolution_azimuth": RESOLUTION_M[0],
        "sar:pixel_spacing_range": 10,
        "sar:pixel_spacing_azimuth": 10,
        "sar:observation_direction": "right",
        "sat:orbit_state": one.orbit.state,
        "sat:relative_orbit": satellite.relative(start),
        "sat:absolute_orbit": satellite.absolute(start),
        "sat:platform_international_designator": DESIGNATORS[satellite.name],
    }
