"""Simulated Sentinel-1 passes as Planetary Computer's radiometrically terrain corrected items."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.files import replacing
from vadose.grid import to_lonlat
from vadose.world.radar import FROZEN_MOISTURE, bare_soil, speckle, vegetated
from vadose.world.raster import NOTICE, footprint, projection, rounded, write_item, write_raster
from vadose.world.region import Simulated, to_pixels

NODATA = -32768.0


@dataclass(frozen=True)
class Orbit:
    """One of the two orbits that see a region.

    Attributes:
        state: ascending or descending.
        relative: number of the orbit.
        local_hour: of the pass.
        angle_deg: incidence in the middle of a region.
        gradient: degrees of incidence a km to the east.
        first_day: of its first pass.
    """

    state: str
    relative: int
    local_hour: float
    angle_deg: float
    gradient: float
    first_day: int


ORBITS = (Orbit("ascending", 44, 17.6, 33.8, 0.055, 2), Orbit("descending", 139, 5.5, 41.2, -0.050, 7))


def write_passes(world: Simulated, every_days: int, archive: Path) -> None:
    """Write every pass over a region, a folder an item."""
    for orbit in ORBITS:
        for day in range(orbit.first_day, len(world.weather.days), every_days):
            hour = (orbit.local_hour - world.region.lon / 15) % 24
            time = world.weather.days[day] + pd.Timedelta(hours=hour, seconds=world.number)
            _write_pass(world, orbit, day, time, archive / "sentinel-1-rtc")


def backscatter(world: Simulated, day: int, angle: NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
    """VV and VH of a day without speckle, linear power, on pixels of 40 m."""
    moisture = np.full_like(world.surface[day], FROZEN_MOISTURE) if world.frozen(day) else world.surface[day]
    water = 0.55 * world.leaf_area(day) ** 1.2
    return vegetated(bare_soil(moisture, angle, world.land.roughness_m), water, angle)


def angle_of(world: Simulated, orbit: Orbit, x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Incidence at eastings, degrees."""
    middle = world.tile.cells.boundingbox
    return np.asarray(orbit.angle_deg + orbit.gradient * (x - (middle.left + middle.right) / 2) / 1000)


def _write_pass(world: Simulated, orbit: Orbit, day: int, time: pd.Timestamp, parent: Path) -> None:
    stamp, end = time.strftime("%Y%m%dT%H%M%S"), (time + pd.Timedelta(seconds=25)).strftime("%Y%m%dT%H%M%S")
    absolute = 38000 + day
    name = f"S1A_IW_GRDH_1SDV_{stamp}_{end}_{absolute:06d}_{world.number:06X}_rtc"
    folder, grid = parent / name, world.tile.with_halo(0).pixels
    angle = angle_of(world, orbit, grid.coords["x"].values[2::4])[np.newaxis, :]
    rng = world.rng("sentinel1", orbit.relative, day)
    bands = {}
    for band, power in zip(("vv", "vh"), backscatter(world, day, angle), strict=True):
        values = to_pixels(power) * speckle(tuple(grid.shape), rng)
        write_raster(folder / f"iw-{band}.rtc.tiff", rounded(values.astype(np.float32), 10), grid, NODATA)
        bands[band] = _band(f"iw-{band}.rtc.tiff", band)
    _write_annotation(folder / "annotation-iw-vv.xml", world, orbit, time)
    schema = {"href": "annotation-iw-vv.xml", "type": "application/xml", "roles": ["metadata"]}
    item = {
        "id": name,
        "collection": "sentinel-1-rtc",
        **footprint(grid),
        "properties": {
            "datetime": f"{time.isoformat(timespec='microseconds')}Z",
            "platform": "SENTINEL-1A",
            "constellation": "Sentinel-1",
            **projection(grid),
            "sar:polarizations": ["VV", "VH"],
            "sar:instrument_mode": "IW",
            "sar:product_type": "GRD",
            "sat:orbit_state": orbit.state,
            "sat:absolute_orbit": absolute,
            "sat:relative_orbit": orbit.relative,
            "vadose:simulated": True,
        },
    }
    write_item(folder, item, bands | {"schema-product-vv": schema})


def _band(href: str, name: str) -> dict[str, object]:
    raster = {"nodata": NODATA, "data_type": "float32", "spatial_resolution": 10.0}
    media = "image/tiff; application=geotiff; profile=cloud-optimized"
    return {"href": href, "type": media, "roles": ["data"], "title": name.upper(), "raster:bands": [raster]}


def _write_annotation(path: Path, world: Simulated, orbit: Orbit, time: pd.Timestamp) -> None:
    box = world.tile.pixels.boundingbox
    eastings = np.linspace(box.left - 500, box.right + 500, 7)
    northings = np.linspace(box.top + 500, box.bottom - 500, 4)
    points = []
    for line, y in enumerate(northings):
        for pixel, x in enumerate(eastings):
            lon, lat = to_lonlat(world.tile.epsg).transform(x, y)
            angle = float(angle_of(world, orbit, np.asarray(x)))
            points.append(
                f"<geolocationGridPoint><azimuthTime>{time.isoformat()}</azimuthTime><line>{line}</line>"
                f"<pixel>{pixel}</pixel><latitude>{lat:.9e}</latitude><longitude>{lon:.9e}</longitude>"
                f"<height>0.0e+00</height><incidenceAngle>{angle:.9e}</incidenceAngle></geolocationGridPoint>"
            )
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {NOTICE} -->\n<product><adsHeader><missionId>S1A</missionId>'
        "<productType>GRD</productType><polarisation>VV</polarisation><mode>IW</mode></adsHeader><geolocationGrid>"
        f'<geolocationGridPointList count="{len(points)}">{"".join(points)}</geolocationGridPointList>'
        "</geolocationGrid></product>\n"
    )
    with replacing(path) as temporary:
        temporary.write_text(text)
