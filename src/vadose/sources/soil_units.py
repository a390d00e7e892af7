"""Units of soil maps, by their numbers: SoilGrids' own whole numbers, or copies in other units.

Sand, silt and clay sum to all of the fine earth, so their sum identifies g kg-1 (1000), per cent (100) or fractions
(1). Bulk density is within a decade, so its power of ten follows from its magnitude.
"""

from collections.abc import Mapping

import numpy as np

from vadose.sources.left_out import Unfit
from vadose.sources.raster import Floats, Places

ENOUGH = 50
"""Smallest number of pixels of a test."""
WHOLES = {1000.0: "g kg-1", 100.0: "per cent", 1.0: "fractions"}
NEAR, OFTEN = 0.1, 0.2
"""Largest deviation of a sum from the whole, and fraction of pixels that may exceed it: each map is predicted
separately.
"""
DECADE = (230.0, 2300.0)
"""Range of bulk density of mineral and organic soils, kg m-3."""
_TEXTURE_UNITS = {
    "%": 0.01,
    "percent": 0.01,
    "per cent": 0.01,
    "g/kg": 1e-3,
    "g kg-1": 1e-3,
    "kg/kg": 1.0,
    "kg kg-1": 1.0,
}


def texture_factor(maps: Mapping[str, Floats], units: Mapping[str, str], asked: str) -> float | None:
    """Return the factor of texture maps to kg kg-1; None with too few pixels.

    Args:
        maps: numbers of the available ones of sand, silt and clay, at the same places, by name.
        units: stated in the files, by name.
        asked: context of the error.

    Raises:
        Unfit: three maps do not sum to one whole, one or two are ambiguous, or stated units differ.
    """
    together = np.stack([values.astype(np.float64) for values in maps.values()])
    together = together[:, np.isfinite(together).all(axis=0)]
    total = together.sum(axis=0)
    together, total = together[:, total > 0], total[total > 0]
    if total.size < ENOUGH:
        return None
    factors = {
        _TEXTURE_UNITS[text] for text in (unit.strip().lower() for unit in units.values()) if text in _TEXTURE_UNITS
    }
    found = _whole_of(total) if len(maps) == 3 else _whole_of_some(together, total, factors)
    medians = ", ".join(f"{name} {np.median(part):.4g}" for name, part in zip(maps, together, strict=True))
    if found is None:
        raise Unfit(
            "texture of unknown units",
            asked,
            f"Their medians are {medians}, their sum {np.median(total):.4g}; whole soils sum to "
            + ", ".join(f"{whole:g} ({name})" for whole, name in WHOLES.items()),
            "Give sand, silt and clay of one set of maps in one unit, g kg-1 as SoilGrids has them",
        )
    if factors and factors != {1 / found}:
        raise Unfit(
            "texture of other units than stated",
            asked,
            f"The files state {', '.join(sorted(set(units.values())))}; their medians are {medians}, which is "
            f"{WHOLES[found]}",
            "Correct the units in the files",
        )
    return 1 / found


def density_factor(values: Floats, asked: str) -> float | None:
    """Return the factor of a bulk density map to kg m-3; None with too few pixels.

    Whole numbers are SoilGrids' cg cm-3 if that gives a density of soil; others follow from the magnitude.

    Raises:
        Unfit: no power of ten gives a density of soil.
    """
    held = values[np.isfinite(values) & (values > 0)].astype(np.float64)
    if held.size < ENOUGH:
        return None
    median = float(np.median(held))
    if _whole_numbers(held) and 100 <= 10 * median <= DECADE[1]:
        return 10.0
    factor = next((factor for factor in (1.0, 10.0, 100.0, 1000.0) if DECADE[0] <= factor * median < DECADE[1]), None)
    if factor is None:
        raise Unfit(
            "bulk density of unknown units",
            asked,
            f"Its median is {median:.4g}; soils have 230 to 2300 kg m-3, 23 to 230 cg cm-3 or 0.23 to 2.3 g cm-3",
            "Give it in cg cm-3 as SoilGrids has it",
        )
    return factor


def _whole_of(total: Places) -> float | None:
    for whole in WHOLES:
        off = np.abs(total / whole - 1) > NEAR
        if abs(np.median(total) / whole - 1) <= NEAR and off.mean() <= OFTEN:
            return whole
    return None


def _whole_of_some(together: Places, total: Places, factors: set[float]) -> float | None:
    """Return the whole of one or two maps: by the stated units, else by numbers that only g kg-1 or only fractions can
    have.
    """
    greatest = float(np.percentile(total, 99))
    if len(factors) == 1:
        return next(whole for whole in WHOLES if abs(whole * next(iter(factors)) - 1) < 1e-9)
    if greatest > 101:
        return 1000.0
    if _whole_numbers(together.ravel()):
        return 1000.0 if len(together) == 1 and greatest > 1 else None
    return 1.0 if greatest <= 1 else None


def _whole_numbers(values: Places) -> bool:
    return bool(np.mean(values == np.round(values)) > 0.99)
