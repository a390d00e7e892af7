"""Packing of chips as whole numbers, by CF's convention where there is one."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vadose.registry import PREDICTORS

Floats = NDArray[np.float32]
Stored = NDArray[np.integer[Any]]
Kind = Literal["int16", "uint8"]
MISSING: Mapping[Kind, int] = MappingProxyType({"int16": -32768, "uint8": 0})
"""Stored number of a missing value."""


@dataclass(frozen=True)
class Packing:
    """Values as whole numbers: value = stored * scale + offset; `MISSING` is the fill value.

    Attributes:
        scale, offset: in the variable's units, or in decibel.
        decibel: whether 10 log10 of the value is packed; values of 0 or less are missing.
        kind: kind of the whole numbers.
    """

    scale: float
    offset: float = 0.0
    decibel: bool = False
    kind: Kind = "int16"

    @classmethod
    def of(cls, scale: float, offset: float, decibel: bool, kind: str) -> "Packing":
        """Return a packing from its metadata.

        Raises:
            TypeError, ValueError: the packing is invalid.
        """
        known: Kind = "uint8" if kind == "uint8" else "int16"
        packing = cls(float(scale), float(offset), bool(decibel), known)
        if not (np.isfinite([packing.scale, packing.offset]).all() and packing.scale and known == kind):
            raise ValueError(f"{packing} is none")
        return packing

    @property
    def missing(self) -> int:
        """Return the fill value."""
        return MISSING[self.kind]

    @property
    def attrs(self) -> dict[str, Any]:
        """Return the attributes of the array."""
        packed = {"scale_factor": self.scale, "add_offset": self.offset, "missing_value": self.missing}
        return packed | ({"vadose_packed_as": "10 log10 of the value"} if self.decibel else {})

    def pack(self, values: Floats) -> Stored:
        """Pack values; values beyond the range are clipped."""
        highest = np.iinfo(self.kind).max
        with np.errstate(divide="ignore", invalid="ignore"):
            level = 10 * np.log10(values) if self.decibel else values
            stored = np.round((level - self.offset) / self.scale).clip(self.missing + 1, highest)
        known = np.isfinite(level) if self.decibel else ~np.isnan(level)
        return np.where(known, stored, self.missing).astype(self.kind)

    def unpack(self, stored: Stored) -> Floats:
        """Unpack values, exact to half the scale."""
        values = np.empty(stored.shape, np.float32)
        self.unpack_into(values, stored)
        return values

    def unpack_into(self, values: Floats, stored: Stored) -> None:
        """Unpack stored numbers into an array of the same shape, without another array of its size."""
        np.copyto(values, stored, casting="unsafe")
        values *= np.float32(self.scale)
        if self.offset:
            values += np.float32(self.offset)
        if self.decibel:
            values /= 10
            with np.errstate(over="ignore"):  # numbers that no chip contains
                np.power(np.float32(10), values, out=values)
        missing = stored == self.missing
        if missing.any():
            values[missing] = np.nan


UNCHANGED: Mapping[str, Packing] = MappingProxyType({})
"""Packings of a store without its own."""


def packing_of(name: str) -> Packing:
    """Return the packing of the chips of a predictor, finer than the resolution of any sensor.

    Power to 0.01 dB, reflectance to 1e-4 as in Sentinel-2 products, angles to 0.01 degree, heights to 0.25 m, mass
    fractions and soil moisture to 1e-4, density to 0.1 kg m-3.
    """
    variable = PREDICTORS[name]
    if variable.decibel:
        return Packing(0.01, decibel=True)
    low, high = variable.valid_range
    steps = (1e-4, 0.01, 0.1, 0.25)
    offset = {"elevation": 4000.0, "bulk_density": 1200.0}.get(name, 0.0)
    reach = max(abs(low - offset), abs(high - offset))
    return Packing(next(step for step in steps if reach / step < np.iinfo(np.int16).max), offset)
