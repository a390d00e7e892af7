"""Weather and ground of regions of many climates, the forcing of a soil-water balance."""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=10_000)]
Celsius = Annotated[float, Field(ge=-90, le=90)]


class Covers(BaseModel):
    """Fractions of land cover; their sum is 1.

    Attributes:
        crops, grass, forest, bare, urban, water: fraction of the class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    crops: Share
    grass: Share
    forest: Share
    bare: Share
    urban: Share
    water: Share

    @model_validator(mode="after")
    def _whole(self) -> "Covers":
        total = sum(self.shares)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of land cover add to {total:g}, not to 1")
        return self

    @property
    def shares(self) -> tuple[float, ...]:
        """Return fractions in the order of the classes."""
        return (self.crops, self.grass, self.forest, self.bare, self.urban, self.water)


class Climate(BaseModel):
    """Weather and ground of a region.

    Attributes:
        koeppen: similar class of Koeppen and Geiger.
        rain_mm_day: mean rain of a wet day, mm.
        wet_after_dry, wet_after_wet: probability of a wet day after a dry and after a wet one (Richardson 1981).
        rain_season: season of the rain: 1 in summer only, -1 in winter only, 0 all year.
        temperature_c: annual mean temperature, degrees Celsius.
        annual_amplitude_c: half the difference between summer and winter temperature, degrees Celsius.
        range_c: mean difference between a day's maximum and minimum temperature, degrees Celsius.
        cloud: mean cloud fraction.
        clay, sand: mean mass fraction in fine earth.
        relief_m: standard deviation of the terrain height over 12 km, m.
        covers: fractions of land cover.
        evergreen: evergreen fraction of the forest.
        irrigated: whether crops are irrigated when the root zone is dry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    koeppen: str
    rain_mm_day: Positive
    wet_after_dry: Share
    wet_after_wet: Share
    rain_season: Annotated[float, Field(ge=-1, le=1)]
    temperature_c: Celsius
    annual_amplitude_c: Celsius
    range_c: Positive
    cloud: Annotated[float, Field(gt=0, lt=1)]
    clay: Share
    sand: Share
    relief_m: Positive
    covers: Covers
    evergreen: Share = 0.3
    irrigated: bool = False

    @property
    def wet_share(self) -> float:
        """Return the fraction of days with rain."""
        return self.wet_after_dry / (1 + self.wet_after_dry - self.wet_after_wet)

    def varied(self, rng: np.random.Generator) -> "Climate":
        """Return another place of the same climate."""
        clay = float(np.clip(self.clay * rng.lognormal(0, 0.25), 0.04, 0.5))
        return self.model_copy(
            update={
                "rain_mm_day": self.rain_mm_day * float(rng.lognormal(0, 0.12)),
                "wet_after_dry": float(np.clip(self.wet_after_dry * rng.lognormal(0, 0.15), 0.02, 0.6)),
                "temperature_c": self.temperature_c + float(rng.normal(0, 1.2)),
                "cloud": float(np.clip(self.cloud + rng.normal(0, 0.05), 0.1, 0.8)),
                "clay": clay,
                "sand": float(np.clip(self.sand * rng.lognormal(0, 0.3), 0.05, 0.95 - clay)),
                "relief_m": self.relief_m * float(rng.lognormal(0, 0.4)),
            }
        )


HUMID = Climate(
    koeppen="Cfb", rain_mm_day=5.2, wet_after_dry=0.30, wet_after_wet=0.60, rain_season=0.1,
    temperature_c=9.5, annual_amplitude_c=9.0, range_c=8.5, cloud=0.58, clay=0.24, sand=0.30, relief_m=40.0,
    covers=Covers(crops=0.44, grass=0.26, forest=0.22, bare=0.01, urban=0.06, water=0.01), evergreen=0.5,
)  # fmt: skip
PLAIN = Climate(
    koeppen="Dfa", rain_mm_day=8.5, wet_after_dry=0.20, wet_after_wet=0.42, rain_season=0.45,
    temperature_c=11.0, annual_amplitude_c=14.0, range_c=11.5, cloud=0.42, clay=0.28, sand=0.18, relief_m=12.0,
    covers=Covers(crops=0.66, grass=0.22, forest=0.06, bare=0.01, urban=0.04, water=0.01), evergreen=0.1,
)  # fmt: skip
STEPPE = Climate(
    koeppen="BSk", rain_mm_day=7.5, wet_after_dry=0.11, wet_after_wet=0.36, rain_season=0.45,
    temperature_c=15.5, annual_amplitude_c=11.0, range_c=14.5, cloud=0.32, clay=0.22, sand=0.50, relief_m=10.0,
    covers=Covers(crops=0.40, grass=0.45, forest=0.02, bare=0.10, urban=0.025, water=0.005),
)  # fmt: skip
DESERT = Climate(
    koeppen="BWh", rain_mm_day=6.0, wet_after_dry=0.06, wet_after_wet=0.30, rain_season=0.1,
    temperature_c=19.0, annual_amplitude_c=8.0, range_c=15.0, cloud=0.22, clay=0.12, sand=0.72, relief_m=20.0,
    covers=Covers(crops=0.0, grass=0.34, forest=0.01, bare=0.645, urban=0.005, water=0.0), evergreen=1.0,
)  # fmt: skip
PADDOCK = Climate(
    koeppen="BSh", rain_mm_day=6.0, wet_after_dry=0.15, wet_after_wet=0.38, rain_season=-0.15,
    temperature_c=16.5, annual_amplitude_c=8.0, range_c=13.5, cloud=0.32, clay=0.35, sand=0.30, relief_m=6.0,
    covers=Covers(crops=0.48, grass=0.43, forest=0.04, bare=0.03, urban=0.01, water=0.01), evergreen=1.0,
)  # fmt: skip
ORCHARD = Climate(
    koeppen="Csa", rain_mm_day=7.0, wet_after_dry=0.14, wet_after_wet=0.42, rain_season=-0.8,
    temperature_c=17.5, annual_amplitude_c=8.5, range_c=13.0, cloud=0.30, clay=0.32, sand=0.25, relief_m=30.0,
    covers=Covers(crops=0.62, grass=0.20, forest=0.08, bare=0.05, urban=0.04, water=0.01), evergreen=0.9,
    irrigated=True,
)  # fmt: skip
SAVANNA = Climate(
    koeppen="Aw", rain_mm_day=9.5, wet_after_dry=0.17, wet_after_wet=0.52, rain_season=0.9,
    temperature_c=22.5, annual_amplitude_c=3.0, range_c=12.0, cloud=0.45, clay=0.28, sand=0.54, relief_m=30.0,
    covers=Covers(crops=0.25, grass=0.48, forest=0.18, bare=0.06, urban=0.02, water=0.01), evergreen=0.2,
)  # fmt: skip
TAIGA = Climate(
    koeppen="Dfc", rain_mm_day=4.0, wet_after_dry=0.30, wet_after_wet=0.52, rain_season=0.25,
    temperature_c=0.5, annual_amplitude_c=13.5, range_c=9.0, cloud=0.62, clay=0.10, sand=0.60, relief_m=30.0,
    covers=Covers(crops=0.04, grass=0.25, forest=0.62, bare=0.03, urban=0.01, water=0.05), evergreen=0.85,
)  # fmt: skip
