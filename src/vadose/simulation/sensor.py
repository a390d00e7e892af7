"""What a sensor in the ground reads: its point is not its pixel, it is calibrated wrongly, and at times it fails."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import lfilter

from vadose.simulation.fields import Floats

SITE_OFFSET, SITE_GAIN = 0.025, 0.15
"""Standard deviations of the lasting difference of a station from its 40 m, m3 m-3, and of the logarithm of its swing.

Points within 50 m spread by 0.02 to 0.05 m3 m-3, less where it is dry (Famiglietti et al., Water Resour. Res.
44:W01423, 2008; Crow et al., Rev. Geophys. 50:RG2002, 2012). How they divide into a lasting part and a part that comes
and goes is our choice.
"""
OFFSET, GAIN = 0.017, 0.14
"""The same of one sensor of a station, its calibration included: two sensors of an ARM station at 5 cm differ by 0.024
m3 m-3 in their means and by 0.20 in the logarithms of their spreads (root mean squares of 36 pairs, ISMN 2019-2021;
divided by the root of 2). Makers state 0.01 to 0.03 m3 m-3 for their own calibration."""
WANDER, WETTING = 0.017, 0.1
"""What comes and goes between a point and its pixel, and after which wetting of the pixel it is another, m3 m-3: rain
enters each point in another way each time, and in dry spells nothing makes a point wetter. Our choice, so that two
sensors of a station agree about as those of ARM do, whose median R is 0.94."""
FINELY = 24
"""Steps of such a wetting in which it is followed."""
DRY = 0.2
"""Mean water content, m3 m-3, below which the differences of points shrink in proportion."""
NOISE, STEP, DRIFT, PER_DEGREE = 0.0006, 0.001, 0.008, 0.0003
"""Of a reading, as USCRN's and ARM's second differences have it, and the step to which it is told, m3 m-3; how far the
calibration drifts in a year, and how it answers to the soil's temperature, a degree: our choices."""
DAILY, DAILY_SPREAD = 0.0035, 0.5
"""What a degree of the daily course of the simulated temperature changes of a reading, m3 m-3, and the spread of its
logarithm: that course spans about a degree, some tenth of the air's, and readings 0.0024 (ARM) to 0.0049 m3 m-3 (USCRN)
a day, in the median of the mean days of 2019-2021."""
SPIKES_A_YEAR, SPIKE = 6.0, 0.12
"""Readings that spike, and the standard deviation of a spike, m3 m-3."""
SHIFTS_A_YEAR, SHIFT = 0.2, 0.03
"""Lasting breaks, as when a sensor is disturbed, and their standard deviation, m3 m-3."""
HELD, LOW, HIGH = 0.6, 0.3, 0.3
"""Stretches a year in which a sensor tells one value: its last, nearly nothing, or more than the soil can hold."""
STRETCH_HOURS = 60.0
"""Mean length of such a stretch."""
TOLD = (-0.05, 0.75)
"""What a sensor can tell, m3 m-3."""
HOURS_A_YEAR = 8766


@dataclass(frozen=True, eq=False)
class SensorSoil:
    """What is true where a sensor lies, hour by hour.

    Attributes:
        moisture, frozen: m3 m-3 of water and ice, and the share that is ice, (hour,).
        soil_c: temperature, (hour,).
        saturation: of its soil, m3 m-3.
    """

    moisture: Floats
    frozen: Floats
    soil_c: Floats
    saturation: float


@dataclass(frozen=True)
class Site:
    """How a station's ground differs from its pixel: in standard deviations of the means, and by a factor of swing."""

    offset: float
    gain: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Site":
        """Return a site by chance."""
        return cls(SITE_OFFSET * rng.standard_normal(), float(np.exp(SITE_GAIN * rng.standard_normal())))


def read(ground: SensorSoil, site: Site, rng: np.random.Generator) -> Floats:
    """Return what a sensor tells, (hour,), m3 m-3: the liquid water alone, as dielectric sensors do, with all that is
    wrong.

    Args:
        ground: of the pixel.
        site: of the station.
        rng: of the sensor.
    """
    hours = np.arange(len(ground.moisture))
    drift = DRIFT * rng.standard_normal() * hours / HOURS_A_YEAR
    warmth = PER_DEGREE * rng.standard_normal() * (ground.soil_c - ground.soil_c.mean())
    warmth = warmth + _daily(ground.soil_c, rng)
    reading = at_point(ground, site, rng) * (1 - ground.frozen) + drift + warmth
    reading = reading + NOISE * rng.standard_normal(len(reading))
    reading = _failed(_spiked(_shifted(reading, rng), rng), ground.saturation, rng)
    return np.asarray(np.round(np.clip(reading, *TOLD) / STEP) * STEP)


def at_point(ground: SensorSoil, site: Site, rng: np.random.Generator) -> Floats:
    """Water and ice at the sensor's own point, as its calibration has it, (hour,)."""
    middle = float(ground.moisture.mean())
    shrunk = min(1.0, middle / DRY)
    gain = site.gain * float(np.exp(GAIN * rng.standard_normal()))
    offset = site.offset + OFFSET * rng.standard_normal() + WANDER * _wander(ground.moisture, rng)
    point = middle + gain * (ground.moisture - middle) + shrunk * offset
    return np.asarray(np.clip(point, 0.3 * ground.moisture.min(), ground.saturation))


def _daily(soil_c: Floats, rng: np.random.Generator) -> Floats:
    """Return what the daily course of temperature, and what goes with it, adds to readings."""
    gain = DAILY * float(np.exp(DAILY_SPREAD * rng.standard_normal()))
    return np.asarray(gain * (soil_c - uniform_filter1d(soil_c, 24)))


def stretches(hours: int, a_year: float, length: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Hours in stretches that begin so often, of so many hours in the mean."""
    inside = np.zeros(hours, bool)
    for begin in np.flatnonzero(rng.random(hours) < a_year / HOURS_A_YEAR):
        inside[begin : begin + int(rng.exponential(length)) + 1] = True
    return inside


def _wander(moisture: Floats, rng: np.random.Generator) -> Floats:
    """Return a series of unit variance that forgets as it rains: the wetting of the pixel is its clock."""
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
