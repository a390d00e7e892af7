"""Units of soil moisture in files, and their verification by the numbers."""

import re

import numpy as np
from numpy.typing import NDArray

from vadose.sources.left_out import Unfit

LAYER_KG_M2 = 100.0
"""Mass of water in a layer of 0.1 m at 1 m3 m-3."""
_MASS = re.compile(r"(kg(/|\.| )?m-?2|kg/m2|mm)")
_VOLUME = re.compile(r"(m3(/|\.| )?m-?3|cm3(/|\.| )?cm-?3)")
_PERCENT = re.compile(r"(%|percent|percent \(?(vol|volume)\)?|vol ?%|% ?vol)")

DRIEST = 0.01
"""Smallest plausible soil moisture, m3 m-3: residual water is .02 in Noah and in SMAP's retrievals."""
WETTEST_MODELLED, WETTEST = 0.6, 1.0
"""Largest plausible soil moisture, m3 m-3: pores of Noah are at most .476 (2.0 to 47.6 kg m-2 over the whole Earth); of
retrievals, which may be of peat or flooded soil, more than pure water."""


def factor(units: str, asked: str, layer: bool) -> float:
    """Return the factor of numbers to m3 m-3.

    Args:
        units: units of the file, in any usual spelling.
        asked: context of messages.
        layer: whether they may be a mass of water in the top 10 cm.

    Raises:
        Unfit: they are not units of soil moisture.
    """
    plain = re.sub(r"\*\*|\^", "", units.lower()).replace("per cent", "percent").strip()
    plain = re.sub(r"\bmet(er|re)s?\b|\bmet(er|re)s?(?=-?\d)", "m", re.sub(r"\s*/\s*", "/", plain))
    if _VOLUME.fullmatch(plain):
        return 1.0
    if _PERCENT.fullmatch(plain):
        return 0.01
    if layer and _MASS.fullmatch(plain):
        return 1 / LAYER_KG_M2
    wanted = "kg m-2, m3 m-3 or per cent" if layer else "m3 m-3, cm3 cm-3 or per cent"
    raise Unfit("other units", asked, f"Its units are {units}; {wanted} are read", "Convert it, or download it again")


def check_magnitude(
    numbers: NDArray[np.floating], times: float, units: str, asked: str, wettest: float = WETTEST
) -> None:
    """Verify numbers against their units.

    Args:
        numbers: valid numbers of the file.
        times: factor to m3 m-3 by their units.
        units: units of the file.
        asked: context of messages.
        wettest: limit of their median, m3 m-3.

    Raises:
        Unfit: by their units all are drier than any soil, or half of them wetter than any.
    """
    if not numbers.size:
        return
    low, middle, high = (float(figure) for figure in np.quantile(numbers, [0.0, 0.5, 1.0]))
    if high * times >= DRIEST and middle * times <= wettest:
        return
    raise Unfit(
        "numbers against units",
        asked,
        f"Its units are {units}, its numbers go from {low:.4g} to {high:.4g} (median {middle:.4g}), which would be "
        f"{low * times:.4g} to {high * times:.4g} m3 m-3 in the top 10 cm; soils have {DRIEST:g} to {wettest:g}",
        "Correct its units, or download it again",
    )
