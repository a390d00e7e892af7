"""SMAP retrievals of a region: moisture of its footprints, through vegetation known by its climatology.

The errors follow the published validation of SPL3SMP. At core validation sites, where sensors cover a footprint, its
unbiased error meets the mission's requirement of 0.04 m3 m-3 (Entekhabi et al., Proc. IEEE 98:704-716, 2010; Colliander
et al., Remote Sens. Environ. 191:215-231, 2017). At single sensors of sparse networks it is 0.051 to 0.059, with R of
0.60 to 0.63 (Chan et al., Remote Sens. Environ. 204:931-941, 2017, table 8, the 36 km product): the difference is local
to a sensor and comes from the simulated ground. Its range is that of the ground: at 17 sensors of OzNet the 36 km
product rises by 0.8 to 0.9 of the sensor's change, with a standard deviation of 0.071 instead of 0.057, no larger than
by its error. None of this applies to NASA-USDA Enhanced SMAP, a water balance that assimilates these retrievals.
"""

from dataclasses import dataclass
from functools import cached_property
from math import cos, radians

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from vadose.simulation.ease import Ease
from vadose.simulation.fields import Floats
from vadose.simulation.footprint import Pixels, antenna_weights, unit_noise
from vadose.simulation.land import URBAN, WATER
from vadose.simulation.smap_flags import LEAST, FootprintGround, quality, surface
from vadose.simulation.smap_orbit import CYCLE_DAYS, FIRST_CYCLE, HALVES, SWATH_M, Overpass, overpasses
from vadose.simulation.state import Simulated
from vadose.simulation.weather import autoregressive

FOOTPRINT_M = 40_000.0
"""Width of the antenna pattern at half its gain; the enhanced product interpolates the same footprints.

Chaubell et al., SMAP Algorithm Theoretical Basis Document, enhanced L1B radiometer product, JPL, 2016.
"""
ATTENUATION = 2 * 0.11 / cos(radians(40))
"""Attenuation of a soil signal by 1 kg m-2 of water in plants at 1.4 GHz and 40 degrees (Jackson & Schmugge, Remote
Sensing
of Environment 36:203-212, 1991)."""
NOISE, MOST_NOISE = 0.021, 0.075
"""Standard deviation of a retrieval's random error over bare soil, and its maximum, m3 m-3."""
SLOW, SLOW_DAYS = 0.024, 40.0
"""Standard deviation, m3 m-3, and memory of a varying error, as of roughness and albedo; our choice, so that both
errors and that of the vegetation together agree with the core validation sites.
"""
BIAS, PIXEL_BIAS = 0.025, 0.012
"""Standard deviations of a region's and a pixel's persistent error, m3 m-3: ancillary texture, roughness and albedo."""
SLOPE, PLANTS = 0.15, 0.15
"""Standard deviations of the logarithms of the persistent errors of the dynamic range, which is that of the ground
itself, and of the vegetation's water; our choice.
"""
CLIMATOLOGY_DAYS = 61
"""Period over which the ancillary vegetation is averaged: it has the season, not the year's growth."""
J2000 = pd.Timestamp("2000-01-01T12:00:00")
ZERO_C = 273.15
FULL_SNOW_MM = 13.0
"""Water equivalent of a snow cover without gaps; our choice."""
Table = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class SmapScene:
    """A region observed by one of the products.

    Attributes:
        seen: the points.
        pixels: of the product.
    """

    seen: Simulated
    pixels: Pixels

    @classmethod
    def of(cls, seen: Simulated, grid: Ease) -> "SmapScene":
        """Return a region on a grid."""
        return cls(seen, grid.around(seen))

    @cached_property
    def gain(self) -> Floats:
        """Return weights of the points, (pixel, point)."""
        return antenna_weights(self.seen, self.pixels, FOOTPRINT_M)

    @cached_property
    def soil_gain(self) -> Floats:
        """Return the weights without open water, for which the product is corrected."""
        dry = self.gain * (self.seen.land.cover != WATER) + 1e-12
        return np.asarray(dry / dry.sum(axis=1, keepdims=True))

    @cached_property
    def passes(self) -> list[Overpass]:
        """Return the overpasses of each cycle over any pixel."""
        region = self.seen.region
        margin = float(np.hypot(self.pixels.east, self.pixels.north).max())
        return overpasses(region.lon, region.lat, margin)

    @property
    def noons(self) -> pd.DatetimeIndex:
        """Return the number of days."""
        return self.seen.weather.days + pd.Timedelta(hours=12)

    @cached_property
    def plants(self) -> Floats:
        """Return the true water of the vegetation, (day, pixel), kg m-2."""
        return self._mean(self.noons, "plant_water")

    @cached_property
    def assumed_plants(self) -> Floats:
        """Return the assumed water of the vegetation, (day, pixel), kg m-2."""
        season = uniform_filter1d(self.plants, CLIMATOLOGY_DAYS, axis=0, mode="nearest")
        return np.asarray(season * np.exp(PLANTS * self.seen.rng("smap plants").standard_normal()))

    @cached_property
    def usual(self) -> Floats:
        """Return the mean of the liquid water over the period, (pixel,), m3 m-3."""
        return np.asarray(self._mean(self.noons, "liquid").mean(axis=0))

    @cached_property
    def slow(self) -> Floats:
        """Return the varying error, (day, 1), m3 m-3, the same in all pixels of the region."""
        news = self.seen.rng("smap slow").standard_normal((len(self.noons), 1))
        return SLOW * autoregressive(news, np.exp(-1 / SLOW_DAYS))

    def retrievals(self, first: int, last: int) -> Table:
        """Return all retrievals of the days from `first` up to `last`, exclusive: one row per overpass and pixel.

        Besides the product's variables it has the columns `day` and `half`. Of two overpasses of a pixel in one half of
        a day the one nearest to 6 h or 18 h local time is given.
        """
        found = [(day, turn) for turn in self.passes for day in self._days_of(turn, first, last)]
        aside = np.array([turn.aside(self.pixels.east, self.pixels.north) for _, turn in found])
        aside = aside.reshape(len(found), len(self.pixels.rows))
        inside = np.abs(aside) <= SWATH_M
        columns = self._columns(found) if found else {}
        table = {name: np.broadcast_to(values, inside.shape)[inside] for name, values in columns.items()}
        return _latest(table) if found else {}

    def _days_of(self, turn: Overpass, first: int, last: int) -> range:
        from_start = (turn.day - _day_of_cycle(self.seen.weather.days[first])) % CYCLE_DAYS
        return range(first + from_start, last, CYCLE_DAYS)

    def _columns(self, found: list[tuple[int, Overpass]]) -> Table:
        """Return the variables at each overpass, broadcastable to (overpass, pixel)."""
        pixels, days = self.pixels, np.array([day for day, _ in found])
        starts = self.seen.weather.days[days]
        times = starts + pd.to_timedelta([turn.seconds for _, turn in found], unit="s")
        seconds = np.array([turn.seconds_at(pixels.east, pixels.north) for _, turn in found])
        temperature = self.seen.series(times, "temperature_c")
        ground = self._ground(times, days)
        moisture, error = self._moisture(times, found, days)
        flag = quality(ground, moisture)
        retrieved = flag & 0b110 == 0
        full = self.soil_gain @ self.seen.land.water.saturation
        return {
            "day": days[:, np.newaxis],
            "half": np.array([list(HALVES).index(turn.half) for _, turn in found])[:, np.newaxis],
            "soil_moisture": np.where(retrieved, np.clip(moisture, LEAST, full), -9999.0),
            "soil_moisture_error": np.where(retrieved, error, -9999.0),
            "retrieval_qual_flag": flag,
            "surface_flag": surface(ground),
            "tb_time_seconds": np.asarray((starts - J2000).total_seconds())[:, np.newaxis] + seconds,
            "latitude": pixels.lat,
            "longitude": pixels.lon,
            "EASE_row_index": pixels.rows,
            "EASE_column_index": pixels.columns,
            "vegetation_water_content": np.clip(ground.plants, 0, 20),
            "surface_temperature": ZERO_C + temperature @ self.gain.T,
            "static_water_body_fraction": ground.water,
            "freeze_thaw_fraction": ground.frozen,
        }

    def _moisture(
        self, times: pd.DatetimeIndex, found: list[tuple[int, Overpass]], days: NDArray[np.intp]
    ) -> tuple[Floats, Floats]:
        """Return the retrieval from the brightness temperatures, and the standard deviation of its noise, m3 m-3."""
        rng, assumed = self.seen.rng("smap"), self.assumed_plants[days]
        slope, bias = np.exp(SLOPE * rng.standard_normal()), BIAS * rng.standard_normal()
        local = PIXEL_BIAS * unit_noise(self.gain, rng.standard_normal(self.seen.where.shape))
        white = np.stack([self._white(day, turn) for day, turn in found])
        error = np.minimum(NOISE * np.exp(ATTENUATION * assumed), MOST_NOISE)
        hidden = np.exp(-ATTENUATION * (self.plants[days] - assumed))
        sensed = self.usual + slope * (self._mean(times, "liquid") - self.usual)
        wrong = bias + local + self.slow[days] + error * unit_noise(self.gain, white)
        return LEAST + (sensed - LEAST) * hidden + wrong, np.hypot(error, SLOW)

    def _white(self, day: int, turn: Overpass) -> Floats:
        """Return noise of an overpass at the points, the same for both products."""
        ordinal = self.seen.weather.days[day].toordinal()
        return self.seen.rng("smap noise", ordinal, int(turn.seconds)).standard_normal(self.seen.where.shape)

    def _ground(self, times: pd.DatetimeIndex, days: NDArray[np.intp]) -> FootprintGround:
        land, gain = self.seen.land, self.gain
        height = gain @ land.elevation
        return FootprintGround(
            water=gain @ (land.cover == WATER),
            urban=gain @ (land.cover == URBAN),
            relief_m=np.sqrt(np.maximum(gain @ land.elevation**2 - height**2, 0)),
            frozen=self.seen.series(times, "frozen") @ gain.T,
            snow=np.clip(self.seen.series(times, "snow_mm") / FULL_SNOW_MM, 0, 1) @ gain.T,
            plants=self.assumed_plants[days],
        )

    def _mean(self, times: pd.DatetimeIndex, name: str) -> Floats:
        """Return means of a state over footprints, (time, pixel)."""
        return np.asarray(self.seen.series(times, name) @ self.soil_gain.T)


def _latest(table: Table) -> Table:
    """Keep, of rows for one pixel in one half of a day, the last."""
    key = np.stack([table[name] for name in ("day", "half", "EASE_row_index", "EASE_column_index")])
    _, backwards = np.unique(key[:, ::-1], axis=1, return_index=True)
    kept = key.shape[1] - 1 - backwards
    return {name: values[kept] for name, values in table.items()}


def _day_of_cycle(date: pd.Timestamp) -> int:
    return int((date - FIRST_CYCLE).days % CYCLE_DAYS)
