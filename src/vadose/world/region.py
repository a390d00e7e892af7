"""A simulated region through time: its ground, its weather, the water in its soil."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.grid import Tile
from vadose.world.config import Region, WorldConfig
from vadose.world.land import FIELD_M, PER_CELL, Land, make_land
from vadose.world.water import simulate
from vadose.world.weather import SPIN_UP_DAYS, Weather, make_weather

Floats = NDArray[np.floating]
PIXELS_PER_FIELD = 4
"""Pixels of 10 m along a pixel of 40 m of the ground."""
FROZEN_LIQUID = 0.05
"""Most liquid water of frozen soil, as microwaves see it, m3 m-3."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """What is true in a region.

    Attributes:
        region: where.
        tile: its cells.
        land: its ground.
        weather: of the period alone, (day,).
        surface: soil moisture of 0-5 cm at noon, (day, y, x), m3 m-3, pixels of 40 m.
        number: of the region in the world.
        seed: of the world.
    """

    region: Region
    tile: Tile
    land: Land
    weather: Weather
    surface: NDArray[np.float32]
    number: int
    seed: int

    @cached_property
    def name(self) -> str:
        """Name of the region."""
        return self.region.name

    @property
    def eastings(self) -> Floats:
        """Of the pixels of 40 m from west to east, m."""
        left = self.tile.cells.boundingbox.left
        return np.asarray(left + FIELD_M * (np.arange(self.surface.shape[-1]) + 0.5))

    def rng(self, product: str, *more: int) -> np.random.Generator:
        """Random numbers of a product, the same in whatever order products are made."""
        return np.random.default_rng([self.seed, self.number, *product.encode(), *more])

    def day(self, time: pd.Timestamp) -> int:
        """Number of the day that holds a time."""
        return int((time.normalize() - self.weather.days[0]).days)

    def leaf_area(self, day: int) -> Floats:
        """Leaf area index of a day, (y, x): crops grow and are harvested, grass follows the season."""
        season = self.weather.season[day]
        warm = float(np.clip((self.weather.temperature_c[max(day - 20, 0) : day + 1].mean() + 2) / 12, 0, 1))
        crops = 4.5 * np.clip((season - 0.35) / 0.5, 0, 1) ** 1.5 * np.where(season > 0.97, 0.7, 1.0)
        by_cover = np.array([crops * warm, 0.6 + 2.2 * season * warm, 0.15 + 0.25 * season * warm])
        return np.asarray(by_cover[self.land.cover] * self.land.vigour)

    def plant_water(self, day: int) -> Floats:
        """Water held by the vegetation, kg m-2, (y, x); of the order of crops at a given leaf area."""
        return np.asarray(0.55 * self.leaf_area(day) ** 1.2)

    def liquid(self, day: int) -> Floats:
        """Liquid water of the surface, m3 m-3, (y, x); little where the soil is frozen."""
        return np.asarray(np.minimum(self.surface[day], FROZEN_LIQUID) if self.frozen(day) else self.surface[day])

    def frozen(self, day: int) -> bool:
        """Whether the surface is frozen."""
        return bool(self.weather.temperature_c[max(day - 2, 0) : day + 1].mean() < -1.0)

    def snowy(self, day: int) -> bool:
        """Whether snow lies on it: in lasting frost."""
        return self.frozen(day) and bool(self.weather.temperature_c[max(day - 10, 0) : day + 1].mean() < -4.0)


def simulate_region(config: WorldConfig, number: int) -> Simulated:
    """Simulate one region of a world."""
    region, tile = config.regions[number], config.ground(config.regions[number])
    rng = np.random.default_rng([config.seed, number])
    land = make_land(config.side_cells, region.climate, float(rng.uniform(50, 600)), rng)
    weather = make_weather(region.climate, region.lat, config.days, rng)
    days = list(simulate(land, weather, region.climate.irrigated))[SPIN_UP_DAYS:]
    surface = np.stack([day.surface for day in days]).astype(np.float32)
    return Simulated(region, tile, land, weather.after(SPIN_UP_DAYS), surface, number, config.seed)


def to_pixels(field: Floats) -> NDArray[np.float32]:
    """From pixels of 40 m to pixels of 10 m."""
    return np.repeat(np.repeat(field, PIXELS_PER_FIELD, axis=-2), PIXELS_PER_FIELD, axis=-1).astype(np.float32)


def to_cells(field: Floats) -> Floats:
    """From pixels of 40 m to means over cells of 320 m, (..., y, x)."""
    *lead, height, width = field.shape
    blocks = field.reshape(*lead, height // PER_CELL, PER_CELL, width // PER_CELL, PER_CELL)
    return np.asarray(blocks.mean(axis=(-3, -1), dtype=np.float64))
