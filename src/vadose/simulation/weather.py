"""Daily weather of a region: drifting storms, frost, and potential evaporation."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtr, ndtri

from vadose.grid import Period
from vadose.simulation.climates import Climate
from vadose.simulation.fields import Field, Floats, Locations, random_field

SPIN_UP_DAYS = 120
"""Days of spin-up before the period."""
STEPS = 4
"""Steps per day; the soil is simulated every six hours."""
STORM_M = (600_000.0, 15_000.0)
"""Longest and shortest wavelengths of the rain."""
GAMMA_SHAPE = 0.75
"""Mixture of the rain of a wet day (Wilks, J. Hydrol. 210:178-191, 1998, fits such mixtures to stations)."""
LAPSE_C_M = -0.0065
"""Lapse rate of the standard atmosphere."""


@dataclass(frozen=True, eq=False)
class Weather:
    """Weather of days, spin-up included, at places: (day, n) each.

    Attributes:
        days: dates, UTC.
        rain_mm: rain of the day, liquid or not.
        temperature_c: mean of the day.
        range_c: difference between its maximum and minimum temperature.
        evaporation_mm: potential, of the day.
        storm: fraction of a day's rain in each of its steps, (day, step).
        sun: fraction of a day's evaporation in each of its steps, (step,).
        noon_step: fraction of the UTC day at which the sun is highest.
    """

    days: pd.DatetimeIndex
    rain_mm: Floats
    temperature_c: Floats
    range_c: Floats
    evaporation_mm: Floats
    storm: Floats
    sun: Floats
    noon_step: float

    def pick(self, places: NDArray[np.integer]) -> "Weather":
        """Return the weather at some of its places."""
        return replace(
            self,
            rain_mm=self.rain_mm[:, places],
            temperature_c=self.temperature_c[:, places],
            range_c=self.range_c[:, places],
            evaporation_mm=self.evaporation_mm[:, places],
        )

    def after(self, days: int) -> "Weather":
        """Return the weather without its first days."""
        cut = slice(days, None)
        return replace(
            self,
            days=self.days[cut],
            rain_mm=self.rain_mm[cut],
            temperature_c=self.temperature_c[cut],
            range_c=self.range_c[cut],
            evaporation_mm=self.evaporation_mm[cut],
            storm=self.storm[cut],
        )

    def at_step(self, step: int) -> Floats:
        """Return the air temperature at the middle of a step since the first day, (n,), degrees Celsius."""
        day, part = divmod(step, STEPS)
        hours = ((part + 0.5) / STEPS - self.noon_step) * 24
        diurnal = np.float32(0.5 * np.cos(2 * np.pi * (hours - 2.5) / 24))
        return np.asarray(self.temperature_c[day] + diurnal * self.range_c[day])


@dataclass(frozen=True, eq=False)
class WeatherField:
    """Random weather of a region; `at` evaluates it at places."""

    climate: Climate
    lon: float
    lat: float
    days: pd.DatetimeIndex
    waves: Field
    swell: NDArray[np.complexfloating]
    drift: Floats
    storm: Floats

    @classmethod
    def random(
        cls, climate: Climate, lon: float, lat: float, period: Period, rng: np.random.Generator
    ) -> "WeatherField":
        """Return random weather of a climate.

        Rain is a Gaussian field in space that persists from day to day; it rains where the field exceeds a threshold
        (Wilks 1998). Its persistence gives the climate's probability of a wet day after a wet one (Richardson, Water
        Resources Research 17:182-190, 1981).
        """
        days = pd.date_range(period.extended_back(SPIN_UP_DAYS).start, period.end, freq="D", inclusive="left")
        waves = random_field(rng, *STORM_M, 1.6)
        kept = persistence(climate.wet_share, climate.wet_after_wet)
        noise = rng.standard_normal((2, len(days), waves.east.size)) / np.sqrt(2)
        swell = autoregressive(noise[0], kept) + 1j * autoregressive(noise[1], kept)
        drift = 2.8 * autoregressive(rng.standard_normal((len(days), 1)), 0.75)[:, 0]
        storm = rng.dirichlet(np.full(STEPS, 0.35), len(days)).astype(np.float32)
        return cls(climate, lon, lat, days, waves, swell, drift, storm)

    def at(self, where: Locations, elevation_m: Floats, mean_elevation_m: float) -> Weather:
        """Return the weather at points, (n,); colder at higher elevations."""
        season = season_of(self.days, self.lat)[:, np.newaxis]
        rain = self._rain(where, season)
        wet = rain > 0
        anomaly = self.drift[:, np.newaxis] - np.where(wet, 1.5, 0.0) * (0.5 + 0.5 * season)
        lapse = LAPSE_C_M * (elevation_m - mean_elevation_m)
        temperature = self.climate.temperature_c + self.climate.annual_amplitude_c * season + anomaly + lapse
        diurnal_range = np.where(wet, 0.65, 1.1) * self.climate.range_c
        sunlight = extraterrestrial(self.days.day_of_year.to_numpy(), self.lat)[:, np.newaxis]
        noon = (0.5 - self.lon / 360) % 1
        return Weather(
            days=self.days,
            rain_mm=rain.astype(np.float32),
            temperature_c=temperature.astype(np.float32),
            range_c=diurnal_range.astype(np.float32),
            evaporation_mm=hargreaves(sunlight, temperature, diurnal_range).astype(np.float32),
            storm=self.storm,
            sun=_sun(noon),
            noon_step=noon,
        )

    def _rain(self, where: Locations, season: Floats) -> Floats:
        basis = np.exp(1j * (np.outer(where.eastings, self.waves.east) + np.outer(where.northings, self.waves.north)))
        field = np.asarray((self.swell @ (basis * np.abs(self.waves.amplitude)).T).real)
        share = np.clip(self.climate.wet_share * (1 + 0.95 * self.climate.rain_season * season), 0.005, 0.9)
        beyond = (ndtr(field) - (1 - share)) / share
        wet = beyond > 0
        rain = np.zeros(field.shape)
        scale = self.climate.rain_mm_day / GAMMA_SHAPE
        rain[wet] = scale * gammaincinv(GAMMA_SHAPE, np.clip(beyond[wet], 0, 0.9999))
        return rain


def season_of(days: pd.DatetimeIndex, lat: float) -> Floats:
    """Return -1 in midwinter, 1 in midsummer, (day,); the air lags the sun by about a month."""
    coldest = 20 if lat >= 0 else 202
    return np.asarray(-np.cos(2 * np.pi * (days.day_of_year.to_numpy() - coldest) / 365.25))


def persistence(wet: float, wet_after_wet: float) -> float:
    """Return the correlation of two normal numbers that exceed the threshold of probability `wet` together so often."""
    threshold, (nodes, weights) = ndtri(1 - wet), leggauss(64)
    z = threshold + 4 * (nodes + 1)
    density = 4 * weights * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

    def excess(rho: float) -> float:
        both = np.sum(density * ndtr((rho * z - threshold) / np.sqrt(1 - rho**2)))
        return float(both / wet - wet_after_wet)

    return float(brentq(excess, 0.0, 0.995)) if excess(0.0) < 0 else 0.0


def extraterrestrial(day_of_year: NDArray[np.integer], lat: float) -> Floats:
    """Return radiation at the top of the atmosphere as evaporation, mm per day.

    Allen et al., Crop evapotranspiration, FAO Irrigation and Drainage Paper 56, 1998, equations 21 to 25.
    """
    angle = 2 * np.pi * day_of_year / 365
    distance, declination, phi = 1 + 0.033 * np.cos(angle), 0.409 * np.sin(angle - 1.39), np.radians(lat)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1, 1))
    lit = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return np.asarray(0.408 * 24 * 60 / np.pi * 0.0820 * distance * lit)


def hargreaves(sunlight_mm: Floats, temperature_c: Floats, range_c: Floats) -> Floats:
    """Return reference evaporation, mm per day (Hargreaves & Samani 1985; FAO 56, equation 52)."""
    return np.asarray(0.0023 * np.maximum(temperature_c + 17.8, 0) * np.sqrt(range_c) * sunlight_mm)


def autoregressive(noise: Floats, kept: float) -> Floats:
    """Return a series along the first axis that keeps a fraction of each state and the variance of the noise."""
    series = noise.copy()
    for day in range(1, len(noise)):
        series[day] = kept * series[day - 1] + np.sqrt(1 - kept**2) * noise[day]
    return series


def _sun(noon: float) -> Floats:
    hours = (np.arange(24 * STEPS) + 0.5) / (24 * STEPS)
    light = np.clip(np.cos(2 * np.pi * (hours - noon)), 0, None).reshape(STEPS, -1).sum(axis=1)
    return np.asarray(light / light.sum(), np.float32)
