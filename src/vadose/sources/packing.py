"""Packing and fill values of an HDF5 variable."""

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from vadose.sources.left_out import Unfit

FILLED = 9000.0
"""Magnitude from which a number is a fill value, whatever the file states: -9999, +9999, 1e20 and similar ones."""
_MANY = 16
"""Number of values of which valid bounds must include at least one."""


@dataclass(frozen=True)
class Packing:
    """Packing attributes of a variable (CF conventions, section 8.1).

    Attributes:
        scale, offset: a value is `number * scale + offset`.
        missing: fill values, packed.
        valid: smallest and largest valid number, packed.
    """

    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[float, ...] = ()
    valid: tuple[float, float] = (-np.inf, np.inf)

    @classmethod
    def of(cls, variable: h5py.Dataset, bounds: bool = True) -> "Packing":
        """Read the attributes of a variable.

        Args:
            variable: variable of an open file.
            bounds: whether the valid range is applied.
        """
        attrs = variable.attrs
        missing = {number for name in ("_FillValue", "missing_value") for number in _numbers(attrs.get(name))}
        low, high = -np.inf, np.inf
        if bounds:
            both = _numbers(attrs.get("valid_range"))
            ends = _first(attrs.get("valid_min"), low), _first(attrs.get("valid_max"), high)
            low, high = both if len(both) == 2 else ends
        scale, offset = _first(attrs.get("scale_factor"), 1.0), _first(attrs.get("add_offset"), 0.0)
        return cls(scale, offset, tuple(sorted(missing)), (low, high))

    def physical(self, numbers: NDArray[Any], asked: str = "") -> NDArray[np.float64]:
        """Unpack values, NaN where missing.

        Args:
            numbers: packed.
            asked: for messages.

        Raises:
            Unfit: the valid range excludes all of many numbers that are not missing.
        """
        plain = np.asarray(numbers, np.float64)
        low, high = self.valid
        with np.errstate(invalid="ignore"):
            values = plain * self.scale + self.offset
            there = np.abs(values) < FILLED
            for number in self.missing:
                there &= ~np.isclose(plain, number, rtol=1e-6, atol=0)
            valid = there & (plain >= low) & (plain <= high)
        if there.sum() >= _MANY and not valid.any():
            raise Unfit(
                "numbers against valid range",
                asked,
                f"The valid range is {low:g} to {high:g}, its numbers are {plain[there].min():.4g} to "
                f"{plain[there].max():.4g}",
                "Correct its attributes, or download it again",
            )
        return np.where(valid, values, np.nan)


def text(value: Any) -> str:
    """Return an attribute as text."""
    value = np.asarray(value).reshape(-1)[0]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _numbers(value: Any) -> tuple[float, ...]:
    """Return an attribute as numbers, which some files write as text; other text is ignored."""
    if value is None or isinstance(value, h5py.Empty):
        return ()
    found = []
    for part in np.asarray(value).reshape(-1):
        try:
            found.append(float(part))
        except (TypeError, ValueError):
            continue
    return tuple(number for number in found if np.isfinite(number))


def _first(value: Any, otherwise: float) -> float:
    return next(iter(_numbers(value)), otherwise)
