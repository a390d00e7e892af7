"""Conditions under which SMAP has no retrieval, or one that is not recommended.

Chan & Dunbar, SMAP Level 3 Passive Soil Moisture Product Specification Document, JPL: the fractions of a pixel at
which each condition is flagged and at which no retrieval is attempted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.simulation.fields import Floats

LEAST = 0.02
"""Smallest retrieval, m3 m-3."""
FAILED = 0.1
"""Largest excess of a retrieval over the physical range before it is rejected, m3 m-3; our choice."""
MOST = 0.6
FLAGGED_SHARE, NONE_SHARE = 0.05, 0.5
"""Fractions of water, frozen ground and snow."""
URBAN_SHARE = 0.25
DENSE_KG = 5.0
"""Water in plants, kg m-2."""
RELIEF_M = 150.0
"""Standard deviation of height in a footprint; the product's own criterion is a slope of 3 degrees."""
NOT_RECOMMENDED, NOT_ATTEMPTED, NOT_SUCCESSFUL = 1, 2, 4
WATER_BIT, URBAN_BIT, SNOW_BIT, FROZEN_BIT, MOUNTAIN_BIT, DENSE_BIT = 1, 8, 32, 256, 512, 1024

Flags = NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class FootprintGround:
    """Conditions, broadcastable to (overpass, pixel).

    Attributes:
        water, urban: fractions of a pixel.
        relief_m: standard deviation of height.
        frozen, snow: fractions of a pixel.
        plants: assumed water in plants, kg m-2.
    """

    water: Floats
    urban: Floats
    relief_m: Floats
    frozen: Floats
    snow: Floats
    plants: Floats


def surface(ground: FootprintGround) -> Flags:
    """Return the bits of surface_flag."""
    bits = (
        (ground.water > FLAGGED_SHARE, WATER_BIT),
        (ground.urban > URBAN_SHARE, URBAN_BIT),
        (ground.snow > FLAGGED_SHARE, SNOW_BIT),
        (ground.frozen > FLAGGED_SHARE, FROZEN_BIT),
        (ground.relief_m > RELIEF_M, MOUNTAIN_BIT),
        (ground.plants > DENSE_KG, DENSE_BIT),
    )
    flag = np.zeros(np.broadcast_shapes(*(where.shape for where, _ in bits)), np.uint16)
    for where, bit in bits:
        flag = flag | np.where(where, np.uint16(bit), np.uint16(0))
    return flag


def quality(ground: FootprintGround, moisture: Floats) -> Flags:
    """Return the bits of retrieval_qual_flag.

    Args:
        ground: conditions.
        moisture: retrieval before it is clipped to the physical range, m3 m-3.
    """
    worst = np.maximum(np.maximum(ground.water, ground.frozen), ground.snow)
    none = worst > NONE_SHARE
    failed = none | (moisture < LEAST - FAILED) | (moisture > MOST + FAILED)
    poor = failed | (surface(ground) != 0)
    bits = ((poor, NOT_RECOMMENDED), (none, NOT_ATTEMPTED), (failed, NOT_SUCCESSFUL))
    return np.asarray(sum(np.where(where, bit, 0) for where, bit in bits), np.uint16)
