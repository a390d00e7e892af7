"""Soil water in two layers, day by day: what falls goes in, runs off, drains, moves to hollows, evaporates."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.world.land import Land
from vadose.world.weather import Weather

Floats = NDArray[np.floating]
SURFACE_MM, ROOT_MM = 50.0, 450.0
"""Depths of the layers."""
IRRIGATION_MM = 30.0


@dataclass(frozen=True, eq=False)
class Day:
    """The soil at the end of a day, and what passed it, each (y, x).

    Attributes:
        surface, root: water content of the layers, m3 m-3.
        gained_mm: rain and irrigation that went in.
        lost_mm: evaporation and drainage below the root zone.
    """

    surface: Floats
    root: Floats
    gained_mm: Floats
    lost_mm: Floats


def simulate(land: Land, weather: Weather, irrigated: bool) -> Iterator[Day]:
    """The soil of every day, water conserved in each layer.

    Evaporation falls off linearly below field capacity; drainage is that of a bucket with a slow leak; the layers
    exchange towards equal saturation; hollows leak less and so stay wetter.
    """
    soil = land.water
    leak = np.clip(0.35 * np.exp(-0.5 * land.wetness), 0.08, 0.9)
    surface, root = 0.7 * soil.field_capacity, 0.8 * soil.field_capacity
    for rain, demand in zip(weather.rain_mm, weather.evaporation_mm, strict=True):
        supply = np.full_like(surface, rain)
        if irrigated:
            supply = supply + np.where((land.cover == 0) & (root < 0.75 * soil.field_capacity), IRRIGATION_MM, 0.0)
        gained = np.minimum(supply, (soil.saturation - surface) * SURFACE_MM + (soil.saturation - root) * ROOT_MM)
        into_surface = np.minimum(gained, (soil.saturation - surface) * SURFACE_MM)
        surface = surface + into_surface / SURFACE_MM
        root = root + (gained - into_surface) / ROOT_MM
        dried = _evaporated(surface, soil.residual, soil.field_capacity, 0.55 * demand, SURFACE_MM)
        used = _evaporated(root, soil.wilting, soil.field_capacity, 0.45 * demand, ROOT_MM)
        surface, root = surface - dried / SURFACE_MM, root - used / ROOT_MM
        surface, root = _settled(surface, root, land, leak)
        drained = 0.3 * leak * np.maximum(root - soil.field_capacity, 0) * ROOT_MM
        root = root - drained / ROOT_MM
        yield Day(surface, root, gained, dried + used + drained)


def _evaporated(content: Floats, least: Floats, full: Floats, demand: float, depth_mm: float) -> Floats:
    stress = np.clip((content - least) / (full - least), 0, 1)
    return np.minimum(demand * stress, (content - least) * depth_mm)


def _settled(surface: Floats, root: Floats, land: Land, leak: Floats) -> tuple[Floats, Floats]:
    soil = land.water
    down = leak * np.maximum(surface - soil.field_capacity, 0) * SURFACE_MM
    pull = 0.6 * ((surface - soil.residual) / soil.saturation - (root - soil.residual) / soil.saturation)
    moved = down + np.where(pull < 0, pull * 3.0, pull * 1.0)
    room = (soil.saturation - root) * ROOT_MM
    lower = -np.minimum((soil.saturation - surface) * SURFACE_MM, (root - soil.wilting).clip(0) * ROOT_MM)
    moved = np.clip(moved, lower, np.minimum(room, (surface - soil.residual) * SURFACE_MM))
    return surface - moved / SURFACE_MM, root + moved / ROOT_MM
