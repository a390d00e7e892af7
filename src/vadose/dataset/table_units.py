"""Conversion of table units to those of the vocabulary."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.variables import Variable

_FACTORS: Mapping[str, Mapping[str, float]] = {
    "1": {"1": 1.0, "%": 1e-2, "DN": 1e-4},
    "kg kg-1": {"kg kg-1": 1.0, "1": 1.0, "%": 1e-2, "g kg-1": 1e-3},
    "kg m-3": {"kg m-3": 1.0, "g cm-3": 1e3, "cg cm-3": 10.0},
    "m3 m-3": {"m3 m-3": 1.0, "1": 1.0, "%": 1e-2},
    "degree": {"degree": 1.0, "radian": 180 / np.pi},
    "m": {"m": 1.0},
}
_WATER_COLUMN = ("mm", "kg m-2")


def accepted(variable: Variable) -> tuple[str, ...]:
    """Return the units from which a variable can be converted; DN are reflectances times 10000."""
    if variable.decibel:
        return ("1", "dB")
    return (*_FACTORS[variable.units], *(_WATER_COLUMN if variable.units == "m3 m-3" else ()))


def check(variable: Variable, units: str, depth_mm: float | None) -> None:
    """Verify that a conversion exists.

    Raises:
        VadoseError: it does not, or lacks the depth of the water column.
    """
    if units not in accepted(variable):
        raise VadoseError(
            f"units: {variable.name} in '{units}'",
            f"Its units are {variable.units}; it can be converted from {', '.join(accepted(variable))}",
            "State one of these, with scale and offset for anything else",
        )
    if (units in _WATER_COLUMN) != (depth_mm is not None):
        raise VadoseError(
            f"units: {variable.name} in '{units}' with depth_mm {depth_mm}",
            "A depth of soil is for a water column (mm, kg m-2) alone",
            "State depth_mm for mm or kg m-2, and for them alone",
        )


def convert(
    values: NDArray[np.float64], variable: Variable, units: str, depth_mm: float | None = None
) -> NDArray[np.float64]:
    """Return values in the variable's own units.

    Decibel become linear power, 10 ** (dB / 10); a water column in mm over a soil depth in mm becomes m3 m-3.

    Raises:
        VadoseError: as `check`.
    """
    check(variable, units, depth_mm)
    if units == "dB":
        return np.asarray(10.0 ** (values / 10.0))
    if depth_mm is not None:
        return values / depth_mm
    return values * _FACTORS[variable.units][units]
