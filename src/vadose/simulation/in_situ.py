"""Sensors of a simulated region, and their readings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import lfilter

from vadose.grid import to_lonlat
from vadose.simulation.fields import Floats
from vadose.simulation.ismn_files import Series, Soil, Station, write_station
from vadose.simulation.land import CROPS
from vadose.simulation.quality_control import Surroundings, flags
from vadose.simulation.sensor import SensorSoil, Site, read
from vadose.simulation.state import Simulated
from vadose.simulation.stations import StationSite
from vadose.simulation.water import ice_share
from vadose.simulation.weather import STEPS

Depth = tuple[float, float]
Marks = NDArray[np.bool_]

INSTRUMENT, SECOND = "Simulated-Probe", "Simulated-Probe-B"
POINT, LAYER, DEEP = (0.05, 0.05), (0.0, 0.05), (0.2, 0.2)
"""Upper and lower ends of the measured layers, m: the upper sensor of a station has one of the first two."""
TWICE, METEOROLOGY = 0.25, 0.5
"""Fractions of stations with two sensors at the same depth, and with air temperature and a rain gauge."""
SURFACE_M, ROOT_M = 0.025, 0.275
"""Centres of the simulated layers, between which water content is interpolated."""
DELAY_DAYS_M = 6 / (0.3 - SURFACE_M)
"""Time constant of the water of a deeper point relative to the surface layer, days per metre: about 6 days at 30 cm in
the
exponential filter of Wagner et al. 1999, as found by Albergel et al., Hydrol. Earth Syst. Sci. 12:1323-1337, 2008."""
DIFFUSIVITY = 5e-7
"""Heat diffusivity of moist soil, m2 s-1."""
GAPS_A_YEAR, SILENT_A_YEAR = 20.0, 6.0
"""Fractions of hours without data of a station, and of a sensor, in stretches."""
GAP_HOURS, GAP_TAIL = 1.5, 2.0
"""Median length of such a stretch and standard deviation of its logarithm: at SCAN and SOILSCAPE most have one hour,
and some of weeks."""
MAPPED = 0.06
"""Relative standard deviation of the saturation on the soil map of the quality control."""
MODEL_C, MODEL_RAIN, MODEL_DRY = 1.5, 0.6, 0.05
"""Global model of the quality control: standard deviation of its temperature bias, of the logarithm of a day's rain,
and fraction of days with missing rain.
"""
COVERS = {
    "crops": (10, "Cropland, rainfed"),
    "grass": (130, "Grassland"),
    "forest": (90, "Tree cover, mixed leaf type (broadleaved and needleleaved)"),
    "bare": (200, "Bare areas"),
}
IRRIGATED = (20, "Cropland, irrigated or post-flooding")
"""ESA CCI land cover classes of the covers of stations."""


@dataclass(frozen=True, eq=False)
class _Record:
    """Truth at a station, (hour,) each, and the deviation of its ground from its pixel."""

    hours: pd.DatetimeIndex
    moisture: Floats
    root: Floats
    soil_c: Floats
    saturation: float
    around: Surroundings
    site: Site


def write_sensors(seen: Simulated, stations: Sequence[StationSite], archive: Path) -> None:
    """Write the stations of a region as part of an ISMN archive.

    Each has a sensor at 5 cm or from 0 to 5 cm, or two of them, one at 20 cm, and one of soil temperature.

    Args:
        seen: the region at the stations' places, (station,).
        stations: the stations.
        archive: folder of the world.
    """
    hours = pd.date_range(seen.times[0], seen.times[-1], freq="h", inclusive="left")
    series = {name: seen.series(hours, name).astype(float) for name in ("moisture", "root", "temperature_c")}
    air_c, rain_mm = _air(seen)
    model_c, model_mm = _model(rain_mm, seen.rng("control"))
    for number, probe in enumerate(stations):
        rng = seen.rng("readings", probe.row, probe.column)
        soil_c, meteorology = series["temperature_c"][:, number], rng.random() < METEOROLOGY
        saturation = float(seen.land.water.saturation[number])
        around = Surroundings(
            saturation=saturation * float(np.exp(MAPPED * rng.standard_normal())),
            soil_c=soil_c,
            air_c=air_c[:, number] if meteorology else None,
            rain_mm=rain_mm[:, number] if meteorology else None,
            model_c=_delayed(soil_c, 24) + model_c,
            model_mm=model_mm,
            shallow=True,
        )
        moisture, root = (series[name][:, number] for name in ("moisture", "root"))
        record = _Record(hours, moisture, root, soil_c, saturation, around, Site.random(rng))
        write_station(_station(seen, number, probe, around.saturation), list(_sensors(record, rng)), archive / "ismn")


def _sensors(record: _Record, rng: np.random.Generator) -> Iterator[Series]:
    """Yield the sensors of a station; data missing in its logger are missing in all of them."""
    upper = POINT if rng.random() < 0.5 else LAYER
    sent = ~_gaps(len(record.hours), GAPS_A_YEAR, rng)
    sent[[0, -1]] = True
    for instrument in (INSTRUMENT, SECOND) if rng.random() < TWICE else (INSTRUMENT,):
        yield _moisture(record, upper, instrument, sent, rng)
    yield _moisture(record, DEEP, INSTRUMENT, sent, rng)
    warmth = np.round(record.soil_c + 0.2 * rng.standard_normal(len(record.hours)), 1)
    good = np.full(int(sent.sum()), "G")
    yield Series("ts", POINT, INSTRUMENT, record.hours[sent], warmth[sent], good)


def _moisture(record: _Record, depth: Depth, instrument: str, sent: Marks, rng: np.random.Generator) -> Series:
    ground = _ground(record, depth)
    values = read(ground, record.site, rng)
    values[~sent | _gaps(len(values), SILENT_A_YEAR, rng)] = np.nan
    around = replace(record.around, soil_c=ground.soil_c, shallow=depth != DEEP)
    return Series("sm", depth, instrument, record.hours[sent], values[sent], flags(values, around)[sent])


def _ground(record: _Record, depth: Depth) -> SensorSoil:
    """Return the truth at a depth: a point below the surface layer follows it slowly, closer to the root zone."""
    below = sum(depth) / 2 - SURFACE_M
    share = below / (ROOT_M - SURFACE_M)
    mixed = record.moisture + share * (record.root - record.moisture)
    soil_c = _delayed(record.soil_c, below**2 / DIFFUSIVITY / 3600)
    return SensorSoil(_delayed(mixed, 24 * DELAY_DAYS_M * below), ice_share(soil_c), soil_c, record.saturation)


def _delayed(values: Floats, hours: float) -> Floats:
    """Return the exponential filter of Wagner et al., Remote Sens. Environ. 70:191-207, 1999, started at the first
    value.
    """
    kept = np.exp(-1 / hours) if hours > 0 else 0.0
    return np.asarray(values[0] + lfilter([1 - kept], [1, -kept], values - values[0]))


def _gaps(hours: int, a_year: float, rng: np.random.Generator) -> Marks:
    inside = np.zeros(hours, bool)
    for begin in np.flatnonzero(rng.random(hours) < a_year / 8766):
        inside[begin : begin + 1 + int(GAP_HOURS * np.exp(GAP_TAIL * rng.standard_normal()))] = True
    return inside


def _air(seen: Simulated) -> tuple[Floats, Floats]:
    """Return air temperature and rain, mm, of every hour, (hour, station)."""
    weather, hours = seen.weather, 24 // STEPS
    count = len(weather.days) * STEPS
    warmth = np.stack([weather.at_step(step) for step in range(count)])
    rain = (weather.rain_mm[:, np.newaxis] * weather.storm[:, :, np.newaxis]).reshape(count, -1) / hours
    return np.repeat(warmth, hours, axis=0), np.repeat(rain, hours, axis=0)


def _model(rain_mm: Floats, rng: np.random.Generator) -> tuple[float, Floats]:
    """Return the bias of the soil temperature, and rain of every hour, of a global model with one pixel for the
    region.
    """
    days = len(rain_mm) // 24
    factor = np.exp(MODEL_RAIN * rng.standard_normal(days)) * (rng.random(days) > MODEL_DRY)
    return MODEL_C * float(rng.standard_normal()), rain_mm.mean(axis=1) * np.repeat(factor, 24)


def _station(seen: Simulated, number: int, probe: StationSite, saturation: float) -> Station:
    east, north = (float(axis[number]) for axis in seen.where.mesh)
    lon, lat = to_lonlat(seen.epsg).transform(east, north)
    land, cover = seen.land, int(seen.land.cover[number])
    wet = cover == CROPS and seen.region.climate.irrigated
    carbon = float(land.organic_percent[number]) / 1.724
    return Station(
        network=f"SIM-{seen.name}",
        name=probe.station,
        lon=lon,
        lat=lat,
        elevation=float(land.elevation[number]),
        soil=Soil(saturation, float(land.clay[number]), float(land.sand[number]), carbon),
        land_cover=IRRIGATED if wet else tuple(COVERS.values())[cover],
        climate=seen.region.climate.koeppen,
    )
