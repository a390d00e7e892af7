"""Weather and ground of regions of many climates, enough to drive a soil-water balance."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Climate(BaseModel):
    """Weather and ground of a region.

    Attributes:
        koeppen: class of Koeppen and Geiger that it is like.
        rain_mm_day: mean rain of a wet day.
        wet_after_dry, wet_after_wet: probability of a wet day after a dry and after a wet one (Richardson 1981).
        evaporation_mm_day: mean potential evaporation; it swings by 70 % over the year.
        temperature_c, swing_c: mean of the year, and half the difference of summer and winter.
        cloud: mean cloud cover.
        clay, sand: mean mass fractions.
        relief_m: standard deviation of the terrain.
        irrigated: whether crops are watered when the root zone is dry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    koeppen: str
    rain_mm_day: Positive
    wet_after_dry: Share
    wet_after_wet: Share
    evaporation_mm_day: Positive
    temperature_c: float
    swing_c: float
    cloud: Annotated[float, Field(gt=0, lt=1)]
    clay: Share
    sand: Share
    relief_m: Positive
    irrigated: bool = False


HUMID = Climate(
    koeppen="Cfb", rain_mm_day=7.0, wet_after_dry=0.32, wet_after_wet=0.62, evaporation_mm_day=2.2,
    temperature_c=9.5, swing_c=9.0, cloud=0.55, clay=0.24, sand=0.30, relief_m=25.0,
)  # fmt: skip
PLAIN = Climate(
    koeppen="Dfa", rain_mm_day=9.0, wet_after_dry=0.18, wet_after_wet=0.45, evaporation_mm_day=3.2,
    temperature_c=11.0, swing_c=14.0, cloud=0.40, clay=0.28, sand=0.18, relief_m=8.0,
)  # fmt: skip
STEPPE = Climate(
    koeppen="BSk", rain_mm_day=8.0, wet_after_dry=0.09, wet_after_wet=0.35, evaporation_mm_day=4.2,
    temperature_c=15.5, swing_c=11.0, cloud=0.30, clay=0.25, sand=0.45, relief_m=6.0,
)  # fmt: skip
DESERT = Climate(
    koeppen="BWh", rain_mm_day=6.0, wet_after_dry=0.07, wet_after_wet=0.30, evaporation_mm_day=4.6,
    temperature_c=17.5, swing_c=8.0, cloud=0.22, clay=0.14, sand=0.68, relief_m=10.0,
)  # fmt: skip
PADDOCK = Climate(
    koeppen="BSh", rain_mm_day=7.0, wet_after_dry=0.13, wet_after_wet=0.38, evaporation_mm_day=3.8,
    temperature_c=16.0, swing_c=8.0, cloud=0.30, clay=0.35, sand=0.30, relief_m=4.0,
)  # fmt: skip
ORCHARD = Climate(
    koeppen="Csa", rain_mm_day=8.5, wet_after_dry=0.12, wet_after_wet=0.42, evaporation_mm_day=3.9,
    temperature_c=18.0, swing_c=8.5, cloud=0.30, clay=0.32, sand=0.25, relief_m=15.0, irrigated=True,
)  # fmt: skip
SAVANNA = Climate(
    koeppen="Aw", rain_mm_day=11.0, wet_after_dry=0.16, wet_after_wet=0.55, evaporation_mm_day=4.4,
    temperature_c=22.5, swing_c=3.0, cloud=0.45, clay=0.30, sand=0.52, relief_m=20.0,
)  # fmt: skip
TAIGA = Climate(
    koeppen="Dfc", rain_mm_day=4.5, wet_after_dry=0.30, wet_after_wet=0.50, evaporation_mm_day=1.4,
    temperature_c=0.5, swing_c=13.0, cloud=0.60, clay=0.08, sand=0.62, relief_m=18.0,
)  # fmt: skip
