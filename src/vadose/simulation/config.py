"""Configuration of a simulated world: regions, period, revisit intervals."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pyproj import Geod

from vadose.errors import VadoseError
from vadose.grid import Period, Tile, tile_around
from vadose.io.files import read_yaml, validated
from vadose.io.paths import StrPath
from vadose.simulation import climates
from vadose.simulation.climates import Climate

LARGEST_SEED = 2**63 - 1
APART_KM = 150.0
"""Smallest distance of two regions: each has its own 3 x 3 SMAP pixels, 108 km wide."""


def _by_name(climate: object) -> object:
    """Return a climate given by its name in this package, or unchanged."""
    return getattr(climates, climate.upper(), climate) if isinstance(climate, str) else climate


class Region(BaseModel):
    """A square of simulated ground.

    Attributes:
        name: name; its network is SIM-<NAME>.
        lon, lat: centre, degrees.
        climate: weather and ground; in a file also by name, such as "humid".
        side_cells: side of the square, cells; sensors are placed where a chip of 9 cells fits.
        sensors: number of stations: several are a dense network, one is sparse.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Z]+$")
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-59, le=83)
    climate: Annotated[Climate, BeforeValidator(_by_name)]
    side_cells: int = Field(default=16, ge=10, le=4096, multiple_of=2)
    sensors: int = Field(default=6, ge=1, le=10_000)


REGIONS = (
    Region(name="HUMID", lon=9.35, lat=48.2, climate=climates.HUMID),
    Region(name="PLAIN", lon=-96.4, lat=40.6, climate=climates.PLAIN),
    Region(name="STEPPE", lon=-101.9, lat=33.7, climate=climates.STEPPE),
    Region(name="DESERT", lon=142.2, lat=-33.9, climate=climates.DESERT),
    Region(name="PADDOCK", lon=146.1, lat=-35.1, climate=climates.PADDOCK),
    Region(name="ORCHARD", lon=-5.1, lat=37.6, climate=climates.ORCHARD),
    Region(name="SAVANNA", lon=35.4, lat=-6.4, climate=climates.SAVANNA),
    Region(name="TAIGA", lon=26.6, lat=67.4, climate=climates.TAIGA),
)
"""Eight places in as many climates; their weather and ground are invented."""


class WorldConfig(BaseModel):
    """A simulated Earth; the same configuration gives the same bytes.

    Attributes:
        regions: squares of ground.
        period: period of all products and readings, such as "2021-07-01/2022-06-30".
        radar_days: revisit time of each of the two Sentinel-1 orbits, days.
        sentinel2_revisit_days: revisit time of Sentinel-2, days.
        model_hours: step between two GLDAS granules, hours; 3 in reality.
        radiometer_km: grids of the SMAP granules, km: 36, and 9 for the enhanced product.
        nisar_days: repeat cycle of NISAR, days, in which it passes twice; by default there are no granules of it.
        seed: random seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    regions: tuple[Region, ...] = Field(default=REGIONS, min_length=1)
    period: str = "2021-07-01/2022-06-30"
    radar_days: int = Field(default=12, ge=1, le=366)
    sentinel2_revisit_days: int = Field(default=10, ge=1, le=366)
    model_hours: Literal[3, 6, 12, 24] = 3
    radiometer_km: tuple[Literal[36, 9], ...] = (36, 9)
    nisar_days: int | None = Field(default=None, ge=1, le=366, exclude_if=lambda days: days is None)
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)

    @field_validator("regions")
    @classmethod
    def _apart(cls, regions: tuple[Region, ...]) -> tuple[Region, ...]:
        for one, other in combinations(regions, 2):
            distance_km = Geod(ellps="WGS84").inv(one.lon, one.lat, other.lon, other.lat)[2] / 1000
            if one.name == other.name or distance_km < APART_KM:
                raise ValueError(f"{one.name} and {other.name} are equal or closer than {APART_KM:g} km")
        return regions

    @field_validator("period")
    @classmethod
    def _period(cls, period: str) -> str:
        Period.parse(period)
        return period

    @classmethod
    def preset(cls, name: str) -> "WorldConfig":
        """Return the world of a preset.

        Raises:
            VadoseError: the preset is unknown.
        """
        if name not in PRESETS:
            raise VadoseError(
                f"world: the preset '{name}'", f"The presets are {', '.join(PRESETS)}", "Choose one of them"
            )
        return PRESETS[name]

    @classmethod
    def read(cls, path: StrPath) -> "WorldConfig":
        """Return a world from a YAML file; with the key `preset`, the others override those of the preset.

        Raises:
            VadoseError: it is unreadable, or keys are unknown, missing or of the wrong type; each is named.
        """
        asked = f"world: the configuration {path}"
        return cls.of(read_yaml(Path(path), asked, "Give one as in configs/worlds"), asked)

    @classmethod
    def of(cls, keys: Mapping[str, object], asked: str = "world: a mapping of keys") -> "WorldConfig":
        """Read a world from keys, as `read` does from a file.

        Raises:
            VadoseError: keys are unknown, missing or of the wrong type; each is named.
        """
        content = dict(keys)
        start = cls.preset(str(content.pop("preset", "small")))
        return validated(cls, dict(start) | content, asked, "Correct these keys; configs/worlds has an example")

    @property
    def days(self) -> Period:
        """Return the simulated period."""
        return Period.parse(self.period)

    def ground(self, region: Region) -> Tile:
        """Return the cells of a region around its centre."""
        middle = tile_around(region.lon, region.lat, halo=0)
        side = region.side_cells
        return Tile(middle.epsg, middle.west - side // 2, middle.north + side // 2, side, side)


def scattered(each: int, sensors: int, side_cells: int, first: int = 0) -> tuple[Region, ...]:
    """Return single stations and dense networks: `each` regions per climate along its parallel, the first of them
    dense.

    Args:
        each: number of regions per climate.
        sensors, side_cells: stations and side of the dense ones.
        first: number of places to pass over: worlds with others have no place, ground or weather in common.
    """
    found = []
    for base in REGIONS:
        rng = np.random.default_rng(list(base.name.encode()))
        apart = 2.3 / np.cos(np.radians(base.lat)) * (-1 if base.name in ("DESERT", "SAVANNA") else 1)
        for place in range(first + each):
            dense = place == first
            region = Region(
                name=base.name + (_letters(place) if place else ""),
                lon=round((base.lon + place * apart + 180) % 360 - 180, 3),
                lat=round(base.lat + (float(rng.uniform(-1.5, 1.5)) if place else 0.0), 3),
                climate=base.climate.varied(rng) if place else base.climate,
                side_cells=side_cells if dense else 10,
                sensors=sensors if dense else 1 + place % 2,
            )
            if place >= first:
                found.append(region)
    return tuple(found)


def _letters(number: int) -> str:
    return "X" + "".join(chr(ord("A") + int(digit)) for digit in str(number))


def sized(regions: Sequence[Region], side_cells: int, sensors: int) -> tuple[Region, ...]:
    """Return regions of another size, with another number of stations."""
    return tuple(region.model_copy(update={"side_cells": side_cells, "sensors": sensors}) for region in regions)


PRESETS: dict[str, WorldConfig] = {
    "tiny": WorldConfig(
        regions=sized(REGIONS[1:6:2], 10, 3),
        period="2021-12-01/2022-03-15",
        sentinel2_revisit_days=15,
        model_hours=24,
        radiometer_km=(36,),
    ),
    "small": WorldConfig(regions=scattered(2, 6, 14), model_hours=12, radiometer_km=(36,)),
    "medium": WorldConfig(regions=scattered(12, 8, 12), model_hours=12, radiometer_km=(36,)),
    "large": WorldConfig(regions=scattered(12, 12, 32), period="2019-01-01/2022-12-31", sentinel2_revisit_days=5),
}
"""Worlds by size; `medium` and `large` mix dense networks with single stations."""
