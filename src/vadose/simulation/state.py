"""State of a simulated region over time, at any of its places."""

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.simulation.config import Region
from vadose.simulation.fields import Floats, Locations, picked
from vadose.simulation.land import Land
from vadose.simulation.points import SimulationPoints
from vadose.simulation.vegetation import plant_water
from vadose.simulation.water import ice_share
from vadose.simulation.weather import STEPS, Weather

STEP = pd.Timedelta(hours=24 / STEPS)
MOISTURE_UNIT = 1e-5
"""Unit of stored water contents, m3 m-3."""


@dataclass(frozen=True, eq=False)
class SurfaceState:
    """Truth at one time, each of the shape of the places.

    Attributes:
        moisture: moisture of 0-5 cm, water and ice, m3 m-3.
        root: of 5-50 cm, m3 m-3.
        frozen: frozen fraction of the surface's water.
        snow_mm: water equivalent.
        leaf_area: m2 m-2.
        plant_water: kg m-2.
        roughness_m: root mean square height.
        temperature_c: temperature of the surface layer.
        air_c: temperature of the air.
    """

    moisture: Floats
    root: Floats
    frozen: Floats
    snow_mm: Floats
    leaf_area: Floats
    plant_water: Floats
    roughness_m: Floats
    temperature_c: Floats
    air_c: Floats

    @property
    def liquid(self) -> Floats:
        """Return liquid water of the surface, m3 m-3."""
        return np.asarray(self.moisture * (1 - self.frozen))


@dataclass(frozen=True, eq=False)
class StateHistory:
    """Stored states of all steps: water contents in whole `MOISTURE_UNIT`.

    Attributes:
        surface: (step, *places).
        root, leaf_area, roughness_m: at the end of each day, (day, *places).
        snow_mm, temperature_c: (step, unit).
    """

    surface: NDArray[np.uint16]
    root: NDArray[np.uint16]
    leaf_area: NDArray[np.float16]
    roughness_m: NDArray[np.float16]
    snow_mm: NDArray[np.float32]
    temperature_c: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Simulated:
    """Places of a region over time.

    Attributes:
        region: configuration.
        number: number of the region in the world.
        seed: seed of the world.
        epsg: EPSG code of the places.
        places: the places.
        land: their ground.
        weather: weather of the period alone, at the places' units.
        kept: their states.
    """

    region: Region
    number: int
    seed: int
    epsg: int
    places: SimulationPoints
    land: Land
    weather: Weather
    kept: StateHistory

    @property
    def where(self) -> Locations:
        """The places."""
        return self.places.where

    @cached_property
    def times(self) -> pd.DatetimeIndex:
        """Return the times of the steps: every six hours from the period's start to its end, UTC."""
        return pd.date_range(self.weather.days[0], periods=len(self.kept.surface), freq=STEP)

    @cached_property
    def name(self) -> str:
        """Return the name of the region."""
        return self.region.name

    @property
    def rain_mm(self) -> Floats:
        """Return daily rain, (day, *places)."""
        return self.places.to_places(self.weather.rain_mm)

    @property
    def temperature_c(self) -> Floats:
        """Return the daily mean air temperature, (day, *places)."""
        return self.places.to_places(self.weather.temperature_c)

    @property
    def evaporation_mm(self) -> Floats:
        """Return daily potential evaporation, (day, *places)."""
        return self.places.to_places(self.weather.evaporation_mm)

    def rng(self, product: str, *more: int) -> np.random.Generator:
        """Return random numbers of a product, independent of the order of products."""
        return np.random.default_rng([self.seed, self.number, *product.encode(), *more])

    def at(self, time: pd.Timestamp) -> SurfaceState:
        """Return the truth at a time of the period, linearly interpolated between steps."""
        whole = self._through(pd.DatetimeIndex([time]))
        return SurfaceState(*(getattr(whole, field.name)[0] for field in fields(SurfaceState)))

    def series(self, times: pd.DatetimeIndex, name: str) -> Floats:
        """Return a part of `SurfaceState` at many times, (time, *places)."""
        return np.asarray(getattr(self._through(times), name))

    def _through(self, times: pd.DatetimeIndex) -> SurfaceState:
        """Return the truth at many times, each array (time, *places)."""
        kept, step = self.kept, np.asarray((times - self.times[0]) / STEP, float)
        if step.min() < 0 or step.max() > len(self.times) - 1:
            raise ValueError(f"{times.min()} to {times.max()} is outside {self.times[0]} to {self.times[-1]}")
        day = np.minimum(step.astype(int) // STEPS, len(kept.root) - 1)
        temperature = self.places.to_places(_between(kept.temperature_c, step))
        leaf_area = kept.leaf_area[day].astype(np.float32)
        return SurfaceState(
            moisture=MOISTURE_UNIT * _between(kept.surface, step),
            root=(MOISTURE_UNIT * kept.root[day]).astype(np.float32),
            frozen=ice_share(temperature),
            snow_mm=self.places.to_places(_between(kept.snow_mm, step)),
            leaf_area=leaf_area,
            plant_water=plant_water(self.land.cover, leaf_area),
            roughness_m=kept.roughness_m[day].astype(np.float32),
            temperature_c=temperature,
            air_c=self.places.to_places(self._air(step)),
        )

    def _air(self, step: Floats) -> Floats:
        """Return the air temperature of the steps at these times, (time, unit)."""
        whole = np.minimum(step.astype(int), len(self.times) - 2)
        steps, member = np.unique(whole, return_inverse=True)
        return np.stack([self.weather.at_step(int(one)) for one in steps])[member]

    def pick(self, places: NDArray[np.integer]) -> "Simulated":
        """Return some of the scattered places, each a unit."""
        east, north = self.where.mesh
        unit = places // self.places.side**2
        kept = StateHistory(
            surface=self.kept.surface[:, places],
            root=self.kept.root[:, places],
            leaf_area=self.kept.leaf_area[:, places],
            roughness_m=self.kept.roughness_m[:, places],
            snow_mm=self.kept.snow_mm[:, unit],
            temperature_c=self.kept.temperature_c[:, unit],
        )
        return replace(
            self,
            places=SimulationPoints.points(east[places], north[places]),
            land=picked(self.land, places),
            weather=self.weather.pick(unit),
            kept=kept,
        )


def _between(states: NDArray[np.generic], step: Floats) -> Floats:
    before = np.minimum(step.astype(int), len(states) - 2)
    weight = (step - before).astype(np.float32).reshape(-1, *(1,) * (states.ndim - 1))
    first, second = (states[place].astype(np.float32) for place in (before, before + 1))
    return np.asarray(first + weight * (second - first))
