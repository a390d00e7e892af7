"""Simulator of a region: random terrain and weather, and the resulting water balance at any places."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vadose.grid import Tile
from vadose.simulation.config import Region, WorldConfig
from vadose.simulation.fields import Floats
from vadose.simulation.land import Land, Terrain
from vadose.simulation.points import SimulationPoints
from vadose.simulation.state import MOISTURE_UNIT, Simulated, StateHistory
from vadose.simulation.vegetation import TILLED_M, Calendar, northern_day
from vadose.simulation.water import (
    Air,
    State,
    WaterFluxes,
    ice_share,
    irrigation,
    moistness,
    snow_step,
    soil_step,
    soil_temperature_step,
)
from vadose.simulation.weather import SPIN_UP_DAYS, STEPS, Weather, WeatherField

BLOCK_CELLS = 16
"""Largest side of ground that is simulated at once."""
AFAR_M, AFAR_POINTS = 62_000.0, 400
"""Extent of a radiometer's field around a region's centre, in each direction, and number of its points."""
LEAF_DAYS = 12.0
"""Time constant at which leaves follow season and soil."""
WEARING_MM = 70.0
"""Rain that smooths a tilled surface by a factor e; our choice."""


@dataclass(frozen=True, eq=False)
class RegionSimulator:
    """A region before the simulation of any place.

    Attributes:
        region: configuration.
        number: number of the region in the world.
        seed: seed of the world.
        tile: its cells.
        terrain, skies: its ground and its weather.
    """

    region: Region
    number: int
    seed: int
    tile: Tile
    terrain: Terrain
    skies: WeatherField

    @classmethod
    def random(cls, config: WorldConfig, number: int) -> "RegionSimulator":
        """Return a region of a world, by its seed."""
        region = config.regions[number]
        ground, air = (np.random.default_rng([config.seed, number, part]) for part in (0, 1))
        skies = WeatherField.random(region.climate, region.lon, region.lat, config.days, air)
        terrain = Terrain.random(region.climate, ground)
        return cls(region, number, config.seed, config.ground(region), terrain, skies)

    def blocks(self) -> Iterator[Tile]:
        """Yield the region in blocks, row by row."""
        tile = self.tile
        for south in range(0, tile.rows, BLOCK_CELLS):
            for east in range(0, tile.columns, BLOCK_CELLS):
                rows, columns = min(BLOCK_CELLS, tile.rows - south), min(BLOCK_CELLS, tile.columns - east)
                yield Tile(tile.epsg, tile.west + east, tile.north - south, columns, rows)

    def footprint_sample(self) -> Simulated:
        """Return the region over the period at points around it, for a radiometer's footprint or a model's pixels."""
        box = self.tile.cells.boundingbox
        rng = np.random.default_rng([self.seed, self.number, *b"afar"])
        east, north = rng.uniform(-AFAR_M, AFAR_M, (2, AFAR_POINTS))
        return self.simulated(
            SimulationPoints.points((box.left + box.right) / 2 + east, (box.bottom + box.top) / 2 + north)
        )

    def simulated(self, places: SimulationPoints) -> Simulated:
        """Return the region over the period at some places, independent of other requested places."""
        land, units = self.terrain.at(places.where), places.units
        weather = self.skies.at(units, places.gathered(land.elevation), self.terrain.mean_elevation_m)
        return Simulated(
            region=self.region,
            number=self.number,
            seed=self.seed,
            epsg=self.tile.epsg,
            places=places,
            land=land,
            weather=weather.after(SPIN_UP_DAYS),
            kept=_kept(self.region, places, land, weather),
        )


def steps(
    region: Region, places: SimulationPoints, land: Land, weather: Weather
) -> Iterator[tuple[State, WaterFluxes]]:
    """Yield the state after every step from the start of the spin-up, and the water fluxes of the step."""
    calendar, warmth = Calendar.of(land, region.climate), np.float32(0.5)
    state = _first(places, land, weather, calendar)
    for day, date in enumerate(weather.days):
        northern = northern_day(date.day_of_year, region.lat)
        warmth = warmth + (np.clip((weather.temperature_c[day] + 2) / 12, 0, 1) - warmth) / 15
        rough = np.where(calendar.tilled_on(northern), TILLED_M, state.roughness_m) - calendar.smooth_m
        rough = calendar.smooth_m + rough * np.exp(-places.to_places(weather.rain_mm[day]) / WEARING_MM)
        aim = calendar.leaf_area(northern, places.to_places(warmth), moistness(land, state.root))
        leaf_area = state.leaf_area + (aim - state.leaf_area) / LEAF_DAYS
        watered = irrigation(land, state) if region.climate.irrigated else np.zeros(places.where.shape, np.float32)
        for part in range(STEPS):
            given = watered if part == day % STEPS else np.zeros_like(watered)
            state, passed = _step(places, land, weather, day * STEPS + part, state, given)
            state = State(state.surface, state.root, leaf_area, rough, state.snow_mm, state.temperature_c)
            yield state, passed


def _step(
    places: SimulationPoints, land: Land, weather: Weather, step: int, state: State, watered: Floats
) -> tuple[State, WaterFluxes]:
    day, part = divmod(step, STEPS)
    air = Air(
        weather.rain_mm[day] * weather.storm[day, part],
        weather.evaporation_mm[day] * weather.sun[part],
        weather.at_step(step),
    )
    snow, reaching = snow_step(state.snow_mm, air)
    temperature = soil_temperature_step(state.temperature_c, air.temperature_c, snow, places.gathered(state.surface))
    bare = np.exp(-0.5 * state.leaf_area)
    demand = places.to_places(np.where(snow > 1, np.float32(0.1), np.float32(1)) * air.evaporation_mm)
    surface, root, passed = soil_step(
        land,
        places,
        state.surface,
        state.root,
        places.to_places(reaching) + watered,
        places.to_places(ice_share(temperature)),
        (demand * bare, demand * (1 - bare)),
    )
    return State(surface, root, state.leaf_area, state.roughness_m, snow, temperature), passed


def _first(places: SimulationPoints, land: Land, weather: Weather, calendar: Calendar) -> State:
    soil, units = land.water, np.zeros(len(weather.rain_mm[0]), np.float32)
    return State(
        surface=0.7 * soil.field_capacity,
        root=0.8 * soil.field_capacity,
        leaf_area=np.full(places.where.shape, 0.5, np.float32),
        roughness_m=calendar.smooth_m,
        snow_mm=units,
        temperature_c=weather.temperature_c[:30].mean(axis=0),
    )


def _kept(region: Region, places: SimulationPoints, land: Land, weather: Weather) -> StateHistory:
    count, shape = (len(weather.days) - SPIN_UP_DAYS) * STEPS + 1, places.where.shape
    days, unit = (count - 1) // STEPS, weather.rain_mm.shape[1:]
    kept = StateHistory(
        surface=np.empty((count, *shape), np.uint16),
        root=np.empty((days, *shape), np.uint16),
        leaf_area=np.empty((days, *shape), np.float16),
        roughness_m=np.empty((days, *shape), np.float16),
        snow_mm=np.empty((count, *unit), np.float32),
        temperature_c=np.empty((count, *unit), np.float32),
    )
    for place, (state, _) in enumerate(steps(region, places, land, weather), start=1 - SPIN_UP_DAYS * STEPS):
        if place < 0:
            continue
        kept.surface[place] = np.round(state.surface / MOISTURE_UNIT)
        kept.snow_mm[place], kept.temperature_c[place] = state.snow_mm, state.temperature_c
        if place and place % STEPS == 0:
            day = place // STEPS - 1
            kept.root[day] = np.round(state.root / MOISTURE_UNIT)
            kept.leaf_area[day], kept.roughness_m[day] = state.leaf_area, state.roughness_m
    return kept
