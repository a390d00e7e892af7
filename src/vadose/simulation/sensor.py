"""Readings of an in-situ sensor: its point differs from its pixel, its calibration has errors, and at times it
fails.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import lfilter

from vadose.simulation.fields import Floats

SITE_OFFSET, SITE_GAIN = 0.025, 0.15
"""Standard deviations of the persistent difference of a station from its 40 m, m3 m-3, and of the logarithm of its
amplitude.

Points within 50 m have standard deviations of 0.02 to 0.05 m3 m-3, less on dry soil (Famiglietti et al., Water Resour.
Res. 44:W01423, 2008; Crow et al., Rev. Geophys. 50:RG2002, 2012). The division into a persistent and a varying part is
our choice.
"""
OFFSET, GAIN = 0.017, 0.14
"""The same of one sensor of a station, its calibration included: two sensors of an ARM station at 5 cm differ by 0.024
m3 m-3 in their means and by 0.20 in the logarithms of their standard deviations (root mean squares of 36 pairs, ISMN
2019-2021; divided by the root of 2). Manufacturers state 0.01 to 0.03 m3 m-3 for their own calibration.
"""
WANDER, WETTING = 0.017, 0.1
"""Varying difference between a point and its pixel, and wetting of the pixel after which it is renewed, m3 m-3: rain
infiltrates differently at each point and event, and in dry spells no point becomes wetter. Our choice, so that two
sensors of a station agree about as well as those of ARM, with a median R of 0.94.
"""
FINELY = 24
"""Number of steps of such a wetting."""
DRY = 0.2
"""Mean water content, m3 m-3, below which the differences of points decrease in proportion."""
NOISE, STEP, DRIFT, PER_DEGREE = 0.0006, 0.001, 0.008, 0.0003
"""Noise of a reading, from the second differences of USCRN and ARM, and the resolution of readings, m3 m-3; drift of
the calibration per year, and its response to soil temperature per degree: our choices.
"""
DAILY, DAILY_SPREAD = 0.0035, 0.5
"""Change of a reading per degree of the daily course of the simulated temperature, m3 m-3, and standard deviation of
its logarithm: that course has an amplitude of about a degree, some tenth of the air's, and readings 0.0024 (ARM) to
0.0049 m3 m-3 (USCRN) per day, in the median of the mean days of 2019-2021.
"""
SPIKES_A_YEAR, SPIKE = 6.0, 0.12
"""Number of spikes per year, and the standard deviation of a spike, m3 m-3."""
SHIFTS_A_YEAR, SHIFT = 0.2, 0.03
"""Persistent breaks per year, as when a sensor is disturbed, and their standard deviation, m3 m-3."""
HELD, LOW, HIGH = 0.6, 0.3, 0.3
"""Stretches per year with one value: the last one, nearly zero, or more than the soil can hold."""
STRETCH_HOURS = 60.0
"""Mean length of such a stretch."""
REPORTED_RANGE = (-0.05, 0.75)
"""Range of readings, m3 m-3."""
HOURS_A_YEAR = 8766


@dataclass(frozen=True, eq=False)
class SensorSoil:
    """Truth at a sensor, hour by hour.

    Attributes:
        moisture, frozen: m3 m-3 of water and ice, and the frozen fraction, (hour,).
        soil_c: temperature, (hour,).
        saturation: saturation of its soil, m3 m-3.
    """

    moisture: Floats
    frozen: Floats
    soil_c: Floats
    saturation: float


@dataclass(frozen=True)
class Site:
    """Deviation of a station's ground from its pixel: in standard deviations of the means, and by a factor of
    amplitude.
    """

    offset: float
    gain: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Site":
        """Return a random site."""
        return cls(SITE_OFFSET * rng.standard_normal(), float(np.exp(SITE_GAIN * rng.standard_normal())))


def read(ground: SensorSoil, site: Site, rng: np.random.Generator) -> Floats:
    """Return readings of a sensor, (hour,), m3 m-3: of liquid water alone, as dielectric sensors, with all errors.

    Args:
        ground: ground of the pixel.
        site: site of the station.
        rng: rng of the sensor.
    """
    hours = np.arange(len(ground.moisture))
    drift = DRIFT * rng.standard_normal() * hours / HOURS_A_YEAR
    warmth = PER_DEGREE * rng.standard_normal() * (ground.soil_c - ground.soil_c.mean())
    warmth = warmth + _daily(ground.soil_c, rng)
    reading = at_point(ground, site, rng) * (1 - ground.frozen) + drift + warmth
    reading = reading + NOISE * rng.standard_normal(len(reading))
    reading = _failed(_spiked(_shifted(reading, rng), rng), ground.saturation, rng)
    return np.asarray(np.round(np.clip(reading, *REPORTED_RANGE) / STEP) * STEP)


def at_point(ground: SensorSoil, site: Site, rng: np.random.Generator) -> Floats:
    """Return water and ice at the sensor's own point, with its calibration, (hour,)."""
    middle = float(ground.moisture.mean())
    shrunk = min(1.0, middle / DRY)
    gain = site.gain * float(np.exp(GAIN * rng.standard_normal()))
    offset = site.offset + OFFSET * rng.standard_normal() + WANDER * _wander(ground.moisture, rng)
    point = middle + gain * (ground.moisture - middle) + shrunk * offset
    return np.asarray(np.clip(point, 0.3 * ground.moisture.min(), ground.saturation))


def _daily(soil_c: Floats, rng: np.random.Generator) -> Floats:
    """Return the influence of the daily course of temperature on readings."""
    gain = DAILY * float(np.exp(DAILY_SPREAD * rng.standard_normal()))
    return np.asarray(gain * (soil_c - uniform_filter1d(soil_c, 24)))


def stretches(hours: int, a_year: float, length: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which hours are in stretches of a given frequency and mean length."""
    inside = np.zeros(hours, bool)
    for begin in np.flatnonzero(rng.random(hours) < a_year / HOURS_A_YEAR):
        inside[begin : begin + int(rng.exponential(length)) + 1] = True
    return inside


def _wander(moisture: Floats, rng: np.random.Generator) -> Floats:
    """Return a series of unit variance whose memory is measured in wetting of the pixel instead of time."""
    clock = np.cumsum(np.maximum(np.diff(moisture, prepend=moisture[0]), 0)) * FINELY / WETTING
    kept, steps = np.exp(-1 / FINELY), int(clock[-1]) + 2
    walk, _ = lfilter([np.sqrt(1 - kept**2)], [1, -kept], rng.standard_normal(steps), zi=[kept * rng.standard_normal()])
    return np.asarray(np.interp(clock, np.arange(steps), walk))


def _shifted(reading: Floats, rng: np.random.Generator) -> Floats:
    breaks = rng.random(len(reading)) < SHIFTS_A_YEAR / HOURS_A_YEAR
    return np.asarray(reading + np.cumsum(np.where(breaks, SHIFT * rng.standard_normal(len(reading)), 0)))


def _spiked(reading: Floats, rng: np.random.Generator) -> Floats:
    spikes = rng.random(len(reading)) < SPIKES_A_YEAR / HOURS_A_YEAR
    return np.asarray(reading + np.where(spikes, SPIKE * rng.standard_normal(len(reading)), 0))


def _failed(reading: Floats, saturation: float, rng: np.random.Generator) -> Floats:
    held = stretches(len(reading), HELD, STRETCH_HOURS, rng)
    reading = reading[np.maximum.accumulate(np.where(held, 0, np.arange(len(reading))))]
    low = stretches(len(reading), LOW, STRETCH_HOURS, rng)
    reading = np.where(low, 0.02 * rng.random(), reading)
    high = stretches(len(reading), HIGH, STRETCH_HOURS, rng)
    return np.where(high, saturation * rng.uniform(0.95, 1.15), reading)
