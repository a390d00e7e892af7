"""Meaning of the quality flags of ISMN.

Sources: Dorigo et al. 2013, Global automated quality control of in situ soil moisture data from the International Soil
Moisture Network, Vadose Zone Journal 12(3), doi 10.2136/vzj2012.0097; ISMN's page of quality flags.
"""

from collections.abc import Iterable
from typing import Final

MEANINGS: Final = {
    "C01": "below the plausible range: soil moisture under 0 m3 m-3",
    "C02": "above the plausible range: soil moisture over 0.60 m3 m-3",
    "C03": "above the saturation of the soil (from HWSD texture and organic carbon)",
    "D01": "soil temperature below 0 degrees Celsius, measured at the station",
    "D02": "air temperature below 0 degrees Celsius, measured at the station",
    "D03": "soil temperature below 0 degrees Celsius, by GLDAS",
    "D04": "rise of soil moisture without rain, measured at the station",
    "D05": "rise of soil moisture without rain, by GLDAS",
    "D06": "spike",
    "D07": "break downwards",
    "D08": "break upwards",
    "D09": "constant low values after a break downwards",
    "D10": "plateau at saturation",
    "G": "good: no check found fault",
    "M": "missing: there is no value",
    "U": "unknown: not checked",
}
"""C: outside the geophysical range; D: dubious; several are joined by commas."""

FROZEN: Final = frozenset({"D01", "D02", "D03"})
"""Flags of frozen soil."""


def codes(flag: str) -> frozenset[str]:
    """Return the single codes of a flag, such as "D03,D05"."""
    return frozenset(code.strip() for code in flag.split(","))


def explained(flag: str) -> str:
    """Return the meaning of a flag, or of several joined by commas."""
    return "; ".join(MEANINGS.get(code, f"{code or 'none'}: unknown to ISMN") for code in sorted(codes(flag)))


def accepted(flag: str, wanted: Iterable[str]) -> bool:
    """Return whether a reading's flags are accepted.

    Args:
        flag: flag of the reading, such as "D03,D05".
        wanted: single codes, among which all of the reading's must be, or combinations that it must equal.
    """
    held = codes(flag)
    asked = [codes(one) for one in wanted]
    single = frozenset().union(*(one for one in asked if len(one) == 1))
    return held <= single or held in asked
