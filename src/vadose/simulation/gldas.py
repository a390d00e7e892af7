"""Simulated GLDAS-2.1 Noah granules: another model, another rain, a coarser soil, on 0.25 degrees."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.simulation.config import WorldConfig
from vadose.simulation.fields import Floats
from vadose.simulation.footprint import Pixels, antenna_weights, unit_noise
from vadose.simulation.gldas_granule import FILL, SHAPE, SOUTH, STEP, VARIABLES, WEST, write_granule
from vadose.simulation.gldas_model import ROOT_MM, STEPS, TOP_MM, Forcing, Soil, State, run
from vadose.simulation.land import WATER
from vadose.simulation.perturbed_rain import perturbed_rain
from vadose.simulation.state import Simulated

STEP_S, ZERO_C = 86_400 / STEPS, 273.15
SMOOTH_M, SOIL_M = 60_000.0, 30_000.0
"""Widths over which weather and soil are averaged: the forcing is coarser than the pixels."""
TEXTURE_ERROR = 0.3
"""Standard deviation of the logarithm of clay and sand on its soil map."""
DEMAND_ERROR, WARMTH_ERROR_C = 0.15, 1.0
"""Standard deviations of the persistent errors of the logarithm of its evaporative demand, and of its temperature."""
MOST_WATER = 0.5
"""Fraction of open water from which a pixel is outside the land model."""


@dataclass(frozen=True, eq=False)
class Modelled:
    """Model output at the pixels around a region.

    Attributes:
        pixels: pixels on the product's grid, row 0 in the south.
        times: times of the states, UTC.
        state: (time, pixel), NaN over open water.
        forcing: forcing of the three hours that follow, (time, pixel).
    """

    pixels: Pixels
    times: pd.DatetimeIndex
    state: State
    forcing: Forcing


@dataclass(frozen=True, eq=False)
class _Table:
    """Return the granules of a region: values in a file, (time, variable, pixel), in the order of `VARIABLES`."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    times: pd.DatetimeIndex
    values: NDArray[np.float32]


def write_granules(seen: Iterable[Simulated], archive: Path, config: WorldConfig) -> None:
    """Write a granule every `model_hours`, with the pixels around every region; one region is in memory at a time.

    Args:
        seen: the regions at scattered points around them.
        archive: folder of the world.
        config: configuration with the interval.
    """
    folder = archive / "gldas"
    folder.mkdir(parents=True, exist_ok=True)
    tables = [_table(modelled_moisture(region), config.model_hours, folder) for region in seen]
    rows, columns = (np.concatenate([getattr(one, axis) for one in tables]) for axis in ("rows", "columns"))
    for index, time in enumerate(tables[0].times):
        joined = np.concatenate([one.values[index] for one in tables], axis=1)
        path = folder / f"GLDAS_NOAH025_3H.A{time:%Y%m%d.%H%M}.021.nc4"
        write_granule(path, time, rows, columns, dict(zip(VARIABLES, joined, strict=True)))


def _table(modelled: Modelled, hours: int, folder: Path) -> _Table:
    """Return a region's part of the granules, stored in an anonymous file of a folder."""
    kept = np.flatnonzero(modelled.times.hour % hours == 0)
    with TemporaryFile(dir=folder) as file:
        for index in kept:
            file.write(_layers(modelled, int(index)).tobytes())
        file.flush()
        shape = (len(kept), len(VARIABLES), len(modelled.pixels.rows))
        values = np.memmap(file, np.float32, "r", shape=shape)
    return _Table(modelled.pixels.rows, modelled.pixels.columns, modelled.times[kept], values)


def _layers(modelled: Modelled, index: int) -> NDArray[np.float32]:
    """Return the product's variables at a time, (variable, pixel); the rain is that of the step before."""
    state, forcing = modelled.state, modelled.forcing
    layers = {
        "SoilMoi0_10cm_inst": state.top[index] * TOP_MM,
        "RootMoist_inst": state.top[index] * TOP_MM + state.root[index] * ROOT_MM,
        "SWE_inst": state.snow_mm[index],
        "Rainf_f_tavg": forcing.rain_mm[max(index - 1, 0)] / STEP_S,
        "Tair_f_inst": forcing.temperature_c[index] + ZERO_C,
    }
    land = np.isfinite(state.top[index])
    return np.array([np.where(land, layers[name], FILL) for name in VARIABLES], np.float32)


def modelled_moisture(seen: Simulated) -> Modelled:
    """Return the model's run over the complete period, at the times of the product: 00, 03, ... 21 h UTC.

    Args:
        seen: a region at scattered points around it.
    """
    rng, pixels = seen.rng("gldas"), around(seen)
    smooth, ground = antenna_weights(seen, pixels, SMOOTH_M), antenna_weights(seen, pixels, SOIL_M)
    sand, clay = (
        ground @ share * np.exp(TEXTURE_ERROR * _persistent_error(rng, ground))
        for share in (seen.land.sand, seen.land.clay)
    )
    soil = Soil.of(np.clip(sand, 0.05, 0.92), np.clip(clay, 0.03, 0.5))
    rain = perturbed_rain(seen.rain_mm @ smooth.T, rng)
    demand = seen.evaporation_mm @ smooth.T * np.exp(DEMAND_ERROR * rng.standard_normal())
    warmth = seen.temperature_c @ smooth.T + WARMTH_ERROR_C * rng.standard_normal()
    parts = STEPS // seen.weather.storm.shape[1]
    storm = np.repeat(seen.weather.storm, parts, axis=1)[..., np.newaxis] / parts
    sun = np.repeat(seen.weather.sun, parts)[np.newaxis, :, np.newaxis] / parts
    forcing = Forcing(_by_step(rain, storm), _by_step(demand, sun), _by_step(warmth, np.ones((1, STEPS, 1))))
    states = run(soil, forcing)
    wet = ground @ (seen.land.cover == WATER) > MOST_WATER
    known = State(*(np.where(wet, np.nan, part) for part in (states.top, states.root, states.snow_mm)))
    times = seen.weather.days[0] + pd.Timedelta(hours=24 / STEPS) * np.arange(len(rain) * STEPS)
    return Modelled(pixels, pd.DatetimeIndex(times), known, forcing)


def around(seen: Simulated) -> Pixels:
    """Return the product's pixels around a region."""
    side = 1 / np.cos(np.radians(min(abs(seen.region.lat), 85.0)))
    tall, wide = 3, int(3 * side) + 1
    row, column = round((seen.region.lat - SOUTH) / STEP), round((seen.region.lon - WEST) / STEP)
    rows, columns = np.mgrid[row - tall : row + tall + 1, column - wide : column + wide + 1].reshape(2, -1)
    inside = (rows >= 0) & (rows < SHAPE[0])
    rows, columns = rows[inside], columns[inside] % SHAPE[1]
    return Pixels.near(seen, rows, columns, WEST + STEP * columns, SOUTH + STEP * rows)


def _persistent_error(rng: np.random.Generator, weights: Floats) -> Floats:
    """Return a persistent error of pixels, mostly common to the region."""
    return np.asarray(0.8 * rng.standard_normal() + 0.6 * unit_noise(weights, rng.standard_normal(weights.shape[1:])))


def _by_step(daily: Floats, share: Floats) -> Floats:
    """Return daily values (day, pixel) as (step, pixel), by the share of each step."""
    return np.asarray((daily[:, np.newaxis] * share).reshape(-1, daily.shape[1]))
