"""Simulated Sentinel-1 passes as Planetary Computer's radiometrically terrain corrected items."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.world.annotation import write_annotation
from vadose.world.orbit import ORBITS, Orbit
from vadose.world.radar import LOOKS, bare_soil, gamma_naught, speckle, vegetated
from vadose.world.raster import COG, footprint, projection, rounded, write_item, write_raster
from vadose.world.region import Simulated, to_pixels

NODATA = -32768.0
MANTISSA_BITS = 6
"""Kept of each power: 0.03 dB, a fortieth of the speckle."""
SECONDS = 25
"""That a product lasts."""
TITLES = {
    "vv": "VV: vertical transmit, vertical receive",
    "vh": "VH: vertical transmit, horizontal receive",
}


def write_passes(world: Simulated, every_days: int, archive: Path) -> None:
    """Write every pass over a region, a folder an item."""
    for orbit in ORBITS:
        for day in range(orbit.first_day, len(world.weather.days), every_days):
            _write_pass(world, orbit, day, archive / "sentinel-1-rtc")


def backscatter(world: Simulated, day: int, angle_deg: NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
    """Gamma naught of VV and VH of a day without speckle, linear power, on pixels of 40 m."""
    soil = bare_soil(world.liquid(day), angle_deg, world.land.roughness_m)
    return tuple(gamma_naught(sigma, angle_deg) for sigma in vegetated(soil, world.plant_water(day), angle_deg))


def _write_pass(world: Simulated, orbit: Orbit, day: int, parent: Path) -> None:
    hour = (orbit.local_hour - world.region.lon / 15) % 24
    start = (world.weather.days[day] + pd.Timedelta(hours=hour)).floor("s")
    stamps = (f"{time:%Y%m%dT%H%M%S}" for time in (start, start + pd.Timedelta(seconds=SECONDS)))
    name = f"S1A_IW_GRDH_1SDV_{'_'.join(stamps)}_{orbit.absolute(start):06d}_{world.number:06X}_rtc"
    folder, grid = parent / name, world.tile.pixels
    angle = orbit.incidence(world.tile, world.eastings)[np.newaxis, :]
    rng = world.rng("sentinel1", orbit.relative, day)
    assets: dict[str, Any] = {}
    for band, power in zip(TITLES, backscatter(world, day, angle), strict=True):
        values = to_pixels(power) * speckle(tuple(grid.shape), rng)
        assets[band] = _band(band)
        write_raster(folder / assets[band]["href"], rounded(values, MANTISSA_BITS), grid, NODATA)
    assets["schema-product-vv"] = {
        "href": "annotation/iw-vv.xml",
        "type": "application/xml",
        "roles": ["metadata"],
        "title": "Product Schema",
    }
    write_annotation(folder / assets["schema-product-vv"]["href"], world.tile, orbit, start, orbit.absolute(start))
    properties = _properties(orbit, start) | {"s1:shape": [grid.shape.x, grid.shape.y]} | projection(grid)
    write_item(
        folder, {"id": name, "collection": "sentinel-1-rtc", **footprint(grid), "properties": properties}, assets
    )


def _band(band: str) -> dict[str, Any]:
    raster = {"nodata": NODATA, "data_type": "float32", "spatial_resolution": 10.0}
    href = f"measurement/iw-{band}.rtc.tiff"
    return {"href": href, "type": COG, "roles": ["data"], "title": TITLES[band], "raster:bands": [raster]}


def _properties(orbit: Orbit, start: pd.Timestamp) -> dict[str, Any]:
    middle, end = (start + pd.Timedelta(seconds=seconds) for seconds in (SECONDS / 2, SECONDS))
    return {
        "datetime": f"{middle.isoformat(timespec='microseconds')}Z",
        "start_datetime": f"{start.isoformat(sep=' ', timespec='microseconds')}+00:00",
        "end_datetime": f"{end.isoformat(sep=' ', timespec='microseconds')}+00:00",
        "platform": "SENTINEL-1A",
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
        "sar:resolution_range": 20,
        "sar:resolution_azimuth": 22,
        "sar:pixel_spacing_range": 10,
        "sar:pixel_spacing_azimuth": 10,
        "sar:observation_direction": "right",
        "sat:orbit_state": orbit.state,
        "sat:relative_orbit": orbit.relative,
        "sat:absolute_orbit": orbit.absolute(start),
        "sat:platform_international_designator": "2014-016A",
    }
