"""Weather of a region, day by day."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.grid import Period
from vadose.world.climates import Climate

Floats = NDArray[np.floating]
SPIN_UP_DAYS = 120
"""Days simulated before the period, so that the soil has forgotten how it began."""


@dataclass(frozen=True, eq=False)
class Weather:
    """Daily weather, (day,), spin-up included.

    Attributes:
        days: dates.
        rain_mm, evaporation_mm: of the day; evaporation is potential.
        temperature_c: mean of the day.
        season: 0 in midwinter, 1 in midsummer.
    """

    days: pd.DatetimeIndex
    rain_mm: Floats
    evaporation_mm: Floats
    temperature_c: Floats
    season: Floats

    def after(self, days: int) -> "Weather":
        """The same weather without its first `days`."""
        cut = slice(days, None)
        return Weather(
            days=self.days[cut],
            rain_mm=self.rain_mm[cut],
            evaporation_mm=self.evaporation_mm[cut],
            temperature_c=self.temperature_c[cut],
            season=self.season[cut],
        )


def make_weather(climate: Climate, lat: float, period: Period, rng: np.random.Generator) -> Weather:
    """Weather by chance: wet and dry spells as a chain of days, rain of a wet day exponential (Richardson 1981)."""
    days = pd.date_range(period.widened(SPIN_UP_DAYS).start, period.end, freq="D", inclusive="left")
    season = 0.5 - 0.5 * np.cos(2 * np.pi * (days.dayofyear.to_numpy() - (15 if lat >= 0 else 197)) / 365.25)
    wet = np.zeros(len(days), bool)
    chance = rng.random(len(days))
    for day in range(1, len(days)):
        wet[day] = chance[day] < (climate.wet_after_wet if wet[day - 1] else climate.wet_after_dry)
    rain = np.where(wet, rng.exponential(climate.rain_mm_day, len(days)), 0.0)
    drift = np.zeros(len(days))
    for day in range(1, len(days)):
        drift[day] = 0.8 * drift[day - 1] + rng.normal(0, 1.8)
    temperature = climate.temperature_c + climate.swing_c * (2 * season - 1) + drift
    evaporation = climate.evaporation_mm_day * (0.3 + 1.4 * season) * np.where(wet, 0.5, 1.0)
    evaporation = np.where(temperature > 0, evaporation, 0.1 * evaporation)
    return Weather(days, rain, evaporation, temperature, season)
