"""Yearly course of the land cover: leaf area and tillage."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from vadose.simulation.climates import Climate
from vadose.simulation.fields import Floats
from vadose.simulation.land import BARE, CROPS, FOREST, GRASS, URBAN, WATER, Land

SUMMER_CROP, WINTER_CROP, DECIDUOUS = (140.0, 265.0), (60.0, 190.0), (115.0, 290.0)
"""Days of green-up and of ripeness or leaf fall, counted as in the northern hemisphere."""
SUMMER_TILLED, WINTER_TILLED = (110.0, 285.0), (270.0, 205.0)
"""Days of seedbed and of stubble."""
MOST_LEAVES = 7.0
CANOPY_KG, WOOD_KG = 0.55, 4.0
"""Water of a crop canopy of unit leaf area, and of the wood of a forest, kg m-2."""
SMOOTH_M = {CROPS: 0.0065, GRASS: 0.006, FOREST: 0.010, BARE: 0.0055, URBAN: 0.010, WATER: 0.001}
TILLED_M = 0.015
"""Root mean square height of a seedbed or ploughed field.

Observed are 5 to 40 mm (Verhoest et al., Sensors 8:4213-4248, 2008).
"""


@dataclass(frozen=True, eq=False)
class Calendar:
    """Phenology, each of the shape of the land; days as in the northern hemisphere.

    Attributes:
        cover: index of the land covers.
        leafy: whether the plants have leaves only from `first` to `last`, as crops and deciduous woods.
        first, last: days of green-up and of ripeness.
        tilled: days of the two tillages, whole numbers; crops only.
        vigour: about 1.
        smooth_m: root mean square height after smoothing by rain.
    """

    cover: NDArray[np.intp]
    leafy: NDArray[np.bool_]
    first: Floats
    last: Floats
    tilled: tuple[Floats, Floats]
    vigour: Floats
    smooth_m: Floats

    @classmethod
    def of(cls, land: Land, climate: Climate) -> "Calendar":
        """Return the phenology of a land: two crops, each field with its own sowing date, some woods evergreen."""
        patch, woods = land.patch, land.cover == FOREST
        winter, sown = patch.normal("rotation") > 0.3, 8 * patch.normal("sowing")
        evergreen = patch.normal("evergreen") < ndtri(climate.evergreen)
        days = [
            np.where(woods, fall, np.where(winter, of_winter, of_summer)) + sown
            for fall, of_winter, of_summer in zip(DECIDUOUS, WINTER_CROP, SUMMER_CROP, strict=True)
        ]
        worked = [
            np.floor((np.where(winter, of_winter, of_summer) + 8 * patch.normal("tillage")) % 365)
            for of_winter, of_summer in zip(WINTER_TILLED, SUMMER_TILLED, strict=True)
        ]
        heights = np.array([SMOOTH_M[kind] for kind in range(len(SMOOTH_M))])[land.cover]
        return cls(
            cover=land.cover,
            leafy=(land.cover == CROPS) | (woods & ~evergreen),
            first=days[0].astype(np.float32),
            last=days[1].astype(np.float32),
            tilled=(worked[0], worked[1]),
            vigour=land.vigour.astype(np.float32),
            smooth_m=(heights * np.exp(0.2 * patch.normal("roughness"))).astype(np.float32),
        )

    def leaf_area(self, day: float, warmth: Floats, moistness: Floats) -> Floats:
        """Return the leaf area index towards which vegetation grows.

        Args:
            day: of the year, as in the northern hemisphere.
            warmth: 0 in frost, 1 in a growing season.
            moistness: moistness of the root zone, 0 at wilting point and 1 unstressed.
        """
        grown = np.where(self.leafy, _grown(np.float32(day), self.first, self.last), 1)
        crops = (0.1 + 4.9 * grown * warmth) * (0.35 + 0.65 * moistness)
        grass = 0.4 + (0.4 + 2.6 * warmth) * moistness
        bare = 0.12 + 0.25 * moistness * warmth
        kinds = (self.cover == kind for kind in (CROPS, GRASS, FOREST, BARE, URBAN))
        aims = [crops, grass, 0.8 + 3.2 * grown, bare, 0.3 + 0.4 * warmth]
        return np.minimum(np.select(list(kinds), aims, 0.0) * self.vigour, MOST_LEAVES)

    def tilled_on(self, day: float) -> NDArray[np.bool_]:
        """Return fields that are tilled on a day of the year, as in the northern hemisphere."""
        today = np.floor(day % 365)
        return np.asarray((self.cover == CROPS) & ((self.tilled[0] == today) | (self.tilled[1] == today)))


def northern_day(day_of_year: int, lat: float) -> float:
    """Return the day of the year at which the northern hemisphere has the same season."""
    return float(day_of_year if lat >= 0 else (day_of_year + 182.6) % 365.25)


def plant_water(cover: NDArray[np.intp], leaf_area: Floats) -> Floats:
    """Return the water held by vegetation, kg m-2; woods hold more than their leaves."""
    wood = np.where(cover == FOREST, WOOD_KG, 0.0)
    return np.asarray(CANOPY_KG * leaf_area**1.2 + wood)


def _grown(day: np.float32, first: Floats, last: Floats) -> Floats:
    """Return a double logistic curve (Zhang et al., Remote Sensing of Environment 84:471-475, 2003)."""
    return np.asarray(1 / (1 + np.exp((first - day) / 12)) - 1 / (1 + np.exp((last - day) / 9)))
