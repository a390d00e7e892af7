"""Simulated NISAR SME2 granules: retrievals of L-band radar at 200 m, one granule per pass and region.

The combined field averages the candidates that are recommended, or all where none is. Their errors are our choice, so
that together they meet the mission's goal of 0.06 m3 m-3 under sparse plants and exceed it under dense ones: nobody has
published errors of the real product at sensors.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import cos, radians
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.grid import Tile, from_lonlat, to_lonlat
from vadose.simulation.config import WorldConfig
from vadose.simulation.ease import EPSG, NORTH, WEST
from vadose.simulation.fields import Floats
from vadose.simulation.land import URBAN, WATER
from vadose.simulation.nisar_granule import FILL, PassFile
from vadose.simulation.points import SimulationPoints
from vadose.simulation.simulator import RegionSimulator
from vadose.simulation.smap_flags import DENSE_KG, LEAST, MOST
from vadose.simulation.state import Simulated
from vadose.simulation.weather import autoregressive

STEP_M = 9_008.055210146 / 45
SIDE = 2
"""Points along a side of a pixel, of which its retrieval is the mean."""
LOCAL_HOURS = {"D": 6.0, "A": 18.0}
"""Mean solar time of the passes: a dawn-dusk orbit."""
FIRST_DAYS = {"D": 1, "A": 6}
ATTENUATION = 2 * 0.11 / cos(radians(40))
"""Attenuation of the signal of the soil by 1 kg m-2 of water in plants at 1.26 GHz, as at 1.4 GHz."""
NOISE = {"DSG": 0.040, "TSR": 0.045, "PMI": 0.055}
"""Standard deviation of the random error of each candidate over bare soil, m3 m-3."""
SLOW, SLOW_PASSES = 0.02, 4.0
"""Standard deviation, m3 m-3, and memory, passes, of an error that varies with roughness; common to the candidates."""
BIAS = {"DSG": 0.02, "TSR": 0.03, "PMI": 0.04}
"""Standard deviation of a pixel's persistent error, m3 m-3."""
MOST_ERROR = 0.12
NONE_SHARE = 0.25
"""Fraction of water, buildings, snow or frozen ground in a pixel from which there is no retrieval."""


def write_granules(regions: Iterable[RegionSimulator], archive: Path, config: WorldConfig) -> None:
    """Write a granule for each pass over each region; blocks of ground are simulated one by one."""
    folder = archive / "nisar"
    folder.mkdir(parents=True, exist_ok=True)
    for region in regions:
        frame = Frame.of(region.tile)
        files = [PassFile.begun(folder, region, frame.rows, frame.columns, *one) for one in _passes(region, config)]
        for block in region.blocks():
            pixels = frame.within(block)
            if pixels is not None:
                for made, fields in zip(files, _retrievals(region, block, pixels, files), strict=True):
                    made.write(pixels.rows - frame.rows[0], pixels.columns - frame.columns[0], fields)


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels by row and column of the global grid, (pixel,) each."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]

    def points(self, epsg: int) -> SimulationPoints:
        """Return the points of the pixels in a UTM zone, pixel by pixel."""
        inside = (np.arange(SIDE) + 0.5) / SIDE
        down, across = (axis.ravel() for axis in np.meshgrid(inside, inside, indexing="ij"))
        x = WEST + np.add.outer(self.columns, across).ravel() * STEP_M
        y = NORTH - np.add.outer(self.rows, down).ravel() * STEP_M
        east, north = from_lonlat(epsg).transform(*to_lonlat(EPSG).transform(x, y))
        return SimulationPoints.points(np.asarray(east), np.asarray(north))


@dataclass(frozen=True, eq=False)
class Frame:
    """Rows and columns around a region."""

    epsg: int
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]

    @classmethod
    def of(cls, tile: Tile) -> "Frame":
        """Return the frame of a region."""
        x, y = _corners(tile)
        rows, columns = np.floor((NORTH - y) / STEP_M).astype(int), np.floor((x - WEST) / STEP_M).astype(int)
        return cls(tile.epsg, np.arange(rows.min(), rows.max() + 1), np.arange(columns.min(), columns.max() + 1))

    def within(self, block: Tile) -> Pixels | None:
        """Return the pixels whose centre is in a block; None without any."""
        rows, columns = (axis.ravel() for axis in np.meshgrid(self.rows, self.columns, indexing="ij"))
        x, y = WEST + (columns + 0.5) * STEP_M, NORTH - (rows + 0.5) * STEP_M
        east, north = from_lonlat(self.epsg).transform(*to_lonlat(EPSG).transform(x, y))
        box = block.cells.boundingbox
        inside = (east >= box.left) & (east < box.right) & (north > box.bottom) & (north <= box.top)
        return Pixels(rows[inside], columns[inside]) if inside.any() else None


def _corners(tile: Tile) -> tuple[Floats, Floats]:
    box = tile.cells.boundingbox
    east = np.array([box.left, box.right, box.left, box.right])
    north = np.array([box.bottom, box.bottom, box.top, box.top])
    x, y = from_lonlat(EPSG).transform(*to_lonlat(tile.epsg).transform(east, north))
    x = np.asarray(x)
    return np.where(x - x[0] < -1e7, x - 2 * WEST, np.where(x - x[0] > 1e7, x + 2 * WEST, x)), np.asarray(y)


def _passes(region: RegionSimulator, config: WorldConfig) -> Iterator[tuple[str, int, pd.Timestamp]]:
    """Yield direction, cycle and start of every pass of the period."""
    days = pd.date_range(config.days.start, config.days.end, freq="D", inclusive="left")
    for direction, hour in LOCAL_HOURS.items():
        clock = pd.Timedelta(hours=(hour - region.region.lon / 15) % 24).floor("s")
        for cycle, day in enumerate(days[FIRST_DAYS[direction] :: config.nisar_days], start=1):
            yield direction, cycle, day + clock


def _retrievals(
    region: RegionSimulator, block: Tile, pixels: Pixels, files: list[PassFile]
) -> Iterator[Mapping[str, Mapping[str, NDArray[np.generic]]]]:
    """Yield the fields of each group of every pass at some pixels."""
    world = region.simulated(pixels.points(block.epsg))
    times = pd.DatetimeIndex([one.start for one in files])
    plants, liquid, noons = (_pixel_mean(world.series(*one)) for one in _wanted(world, times))
    assumed, usual = plants.mean(axis=0), noons.mean(axis=0)
    none = _shares(world, times) > NONE_SHARE
    hidden = np.exp(-ATTENUATION * (plants - assumed))
    rng = world.rng("nisar", block.west % 2**32, block.north % 2**32)
    slow = SLOW * autoregressive(world.rng("nisar slow").standard_normal((len(files), 1)), np.exp(-1 / SLOW_PASSES))
    poor = plants > DENSE_KG
    candidates = {}
    for name, noise in NOISE.items():
        error = np.minimum(noise * np.exp(ATTENUATION * plants), MOST_ERROR)
        wrong = BIAS[name] * rng.standard_normal(len(usual)) + slow + error * rng.standard_normal(plants.shape)
        retrieved = LEAST + (liquid - LEAST) * hidden + wrong
        bad = poor | (retrieved < 0) | (retrieved > MOST)
        candidates[name] = np.clip(retrieved, LEAST, MOST), np.hypot(error, SLOW), bad
    yield from (_fields(candidates, none, number) for number in range(len(files)))


def _wanted(world: Simulated, times: pd.DatetimeIndex) -> tuple[tuple[pd.DatetimeIndex, str], ...]:
    noons = world.weather.days + pd.Timedelta(hours=12)
    return (times, "plant_water"), (times, "liquid"), (noons, "liquid")


def _pixel_mean(values: Floats) -> Floats:
    return np.asarray(values.reshape(*values.shape[:-1], -1, SIDE**2).mean(axis=-1), np.float64)


def _shares(world: Simulated, times: pd.DatetimeIndex) -> Floats:
    """Return the largest fraction of a pixel without a retrieval, (pass, pixel)."""
    cover = world.land.cover
    still = _pixel_mean(((cover == WATER) | (cover == URBAN)).astype(float))
    frozen = _pixel_mean(world.series(times, "frozen"))
    snow = _pixel_mean((world.series(times, "snow_mm") > 1).astype(float))
    return np.maximum(np.maximum(frozen, snow), still)


def _fields(
    candidates: Mapping[str, tuple[Floats, Floats, NDArray[np.bool_]]], none: NDArray[np.bool_], number: int
) -> dict[str, dict[str, NDArray[np.generic]]]:
    held = {name: tuple(part[number] for part in parts) for name, parts in candidates.items()}
    moisture, error, bad = (np.stack([parts[axis] for parts in held.values()]) for axis in range(3))
    used = np.where(bad.all(axis=0), True, ~bad)
    combined = (moisture * used).sum(axis=0) / used.sum(axis=0)
    spread = np.sqrt((error**2 * used).sum(axis=0)) / used.sum(axis=0)
    parts = {"": (combined, spread, bad.all(axis=0))} | {
        f"algorithmCandidates/{name}": one for name, one in held.items()
    }
    return {
        group: {
            "soilMoisture": np.where(none[number], FILL, values),
            "soilMoistureUncertainty": np.where(none[number], FILL, deviation),
            "retrievalQualityFlag": (none[number] | flagged).astype(np.int16),
        }
        for group, (values, deviation, flagged) in parts.items()
    }
