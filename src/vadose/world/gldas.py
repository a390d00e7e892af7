"""Simulated GLDAS-2.1 Noah granules: another model, another rain, a coarser soil; one a day, at 12 UTC."""

from collections.abc import Sequence
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.files import replacing
from vadose.world.raster import NOTICE
from vadose.world.region import Simulated

STEP, SOUTH, WEST = 0.25, -59.875, -179.875
SHAPE = (600, 1440)
FILL = -9999.0
DEPTH_MM = 100.0
RAIN_ERROR = 0.6
"""Standard deviation of the logarithm of the error of a day's rain."""


def write_granules(worlds: Sequence[Simulated], archive: Path) -> None:
    """Write a granule a day that holds the pixels around every region."""
    modelled = [modelled_moisture(world) for world in worlds]
    for day, date in enumerate(worlds[0].weather.days):
        path = archive / "gldas" / f"GLDAS_NOAH025_3H.A{date:%Y%m%d}.1200.021.nc4"
        with replacing(path) as temporary:
            values = [(world, float(series[day])) for world, series in zip(worlds, modelled, strict=True)]
            _write(temporary, date + pd.Timedelta(hours=12), values)


def modelled_moisture(world: Simulated) -> NDArray[np.floating]:
    """Soil moisture of 0-10 cm by a bucket of its own, (day,), m3 m-3."""
    rng, weather, soil = world.rng("gldas"), world.weather, world.land.water
    residual, capacity, full = (float(field.mean()) for field in (soil.wilting, soil.field_capacity, soil.saturation))
    gain, offset = rng.uniform(0.55, 0.9), rng.normal(0.03, 0.03)
    content, series = 0.7 * capacity, []
    for rain, demand in zip(weather.rain_mm, weather.evaporation_mm, strict=True):
        heard = rain * rng.lognormal(-(RAIN_ERROR**2) / 2, RAIN_ERROR) if rng.random() > 0.12 else 0.0
        content = min(content + 0.85 * heard / DEPTH_MM, full)
        content -= 0.7 * demand / DEPTH_MM * min(max((content - residual) / (capacity - residual), 0), 1)
        content -= 0.25 * max(content - capacity, 0)
        series.append(content)
    middle = np.mean(series)
    return np.asarray(np.clip(middle + gain * (np.array(series) - middle) + offset, 0.02, 0.47))


def _write(path: Path, time: pd.Timestamp, values: list[tuple[Simulated, float]]) -> None:
    with netCDF4.Dataset(path, "w") as granule:
        granule.title, granule.source, granule.notice = "GLDAS2.1 LIS land surface model output", "simulated", NOTICE
        for name, size in (("time", 1), ("lat", SHAPE[0]), ("lon", SHAPE[1])):
            granule.createDimension(name, size)
        _axis(granule, "lat", SOUTH + STEP * np.arange(SHAPE[0]), "degrees_north", "latitude")
        _axis(granule, "lon", WEST + STEP * np.arange(SHAPE[1]), "degrees_east", "longitude")
        moment = granule.createVariable("time", "f8", ("time",))
        moment.units, moment[:] = f"minutes since {time:%Y-%m-%d %H:%M:%S}", [0.0]
        moisture = granule.createVariable(
            "SoilMoi0_10cm_inst", "f4", ("time", "lat", "lon"), zlib=True, chunksizes=(1, 60, 96), fill_value=FILL
        )
        moisture.units, moisture.standard_name = "kg m-2", "soil_moisture_content"
        moisture.missing_value = np.float32(FILL)
        for world, value in values:
            row, column = round((world.region.lat - SOUTH) / STEP), round((world.region.lon - WEST) / STEP)
            moisture[0, row - 1 : row + 2, column - 1 : column + 2] = np.full((3, 3), value * DEPTH_MM, np.float32)


def _axis(granule: netCDF4.Dataset, name: str, values: NDArray[np.floating], units: str, standard_name: str) -> None:
    axis = granule.createVariable(name, "f4", (name,))
    axis.units, axis.standard_name, axis[:] = units, standard_name, values
