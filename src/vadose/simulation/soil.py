"""Pedotransfer functions: hydraulic properties of a soil from its texture.

Saxton & Rawls, Soil Water Characteristic Estimates by Texture and Organic Matter, SSSAJ 70:1569-1578, 2006,
doi:10.2136/sssaj2005.0117, table 1.
"""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]
PARTICLE_DENSITY = 2650.0
"""kg m-3."""
RESIDUAL_SHARE = 0.35
"""Water content of air-dry soil relative to the wilting point."""


@dataclass(frozen=True, eq=False)
class Hydraulics:
    """Volumetric water contents, m3 m-3, and conductivity, each an array of the shape of the texture.

    Attributes:
        residual: residual of air-dry soil.
        wilting: wilting point at -1500 kPa.
        field_capacity: field capacity at -33 kPa.
        saturation: of full pores.
        conductivity_mm_h: conductivity of saturated soil, mm h-1.
        steepness: exponent of the relative water content in the conductivity, their equation 17.
    """

    residual: Floats
    wilting: Floats
    field_capacity: Floats
    saturation: Floats
    conductivity_mm_h: Floats
    steepness: Floats

    @property
    def bulk_density(self) -> Floats:
        """Return the bulk density, kg m-3, from the porosity."""
        return (1 - self.saturation) * PARTICLE_DENSITY


def hydraulics(sand: ArrayLike, clay: ArrayLike, organic_percent: ArrayLike = 2.5) -> Hydraulics:
    """Return the water characteristics by texture.

    Args:
        sand, clay: mass fractions, 0..1.
        organic_percent: organic matter by mass, %.
    """
    sand, clay, om = (np.asarray(value) for value in (sand, clay, organic_percent))
    wilting = _wilting(sand, clay, om)
    field_capacity = _field_capacity(sand, clay, om)
    free = _free(sand, clay, om)
    saturation = field_capacity + free - 0.097 * sand + 0.043
    slope = log(1500 / 33) / (np.log(field_capacity) - np.log(wilting))
    conductivity = 1930 * np.maximum(saturation - field_capacity, 1e-3) ** (3 - 1 / slope)
    return Hydraulics(RESIDUAL_SHARE * wilting, wilting, field_capacity, saturation, conductivity, 3 + 2 * slope)


def _wilting(sand: Floats, clay: Floats, om: Floats) -> Floats:
    first = (
        -0.024 * sand + 0.487 * clay + 0.006 * om + 0.005 * sand * om - 0.013 * clay * om + 0.068 * sand * clay + 0.031
    )
    return np.asarray(first + 0.14 * first - 0.02)


def _field_capacity(sand: Floats, clay: Floats, om: Floats) -> Floats:
    first = (
        -0.251 * sand + 0.195 * clay + 0.011 * om + 0.006 * sand * om - 0.027 * clay * om + 0.452 * sand * clay + 0.299
    )
    return np.asarray(first + 1.283 * first**2 - 0.374 * first - 0.015)


def _free(sand: Floats, clay: Floats, om: Floats) -> Floats:
    first = (
        0.278 * sand + 0.034 * clay + 0.022 * om - 0.018 * sand * om - 0.027 * clay * om - 0.584 * sand * clay + 0.078
    )
    return np.asarray(first + 0.636 * first - 0.107)
