"""Decoding of the stored numbers of a gridded variable: values, or missing with a reason (CF 8.1, NUG appendix A)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadose.errors import VadoseError

Floats = NDArray[np.float64]
Numbers = NDArray[Any]
Places = NDArray[np.bool_]
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf(?:inity)?", re.IGNORECASE)
_NUMBER_TEXT = re.compile(rf"[\s\[(]*(?:(?:{_NUMBER.pattern})[bsliufdBSLIUFD]*[\s,;:/\])]*)+", re.IGNORECASE)
_ROUNDING = 1e-6
"""Relative tolerance of a bound, as bounds are often of single precision."""


_OTHER_PACKING = dict.fromkeys(("scale", "scalefactor", "scalingfactor", "slope", "gain"), 1.0) | dict.fromkeys(
    ("offset", "addoffset", "intercept"), 0.0
)
"""Letters of other names of a scale and an offset, with the number that changes nothing."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """Decoded values of a variable.

    Attributes:
        values: physical, NaN where missing.
        left_out: numbers of stored values, other than missing ones, that were left out, by reason.
        remarks: invalid attributes.
    """

    values: Floats
    left_out: Mapping[str, int]
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Range:
    """Valid range stated in a file.

    Attributes:
        text: text of the attribute, for messages.
        low, high: infinite if not stated.
        of_stored: whether it refers to stored numbers; None if unknown.
    """

    text: str
    low: float
    high: float
    of_stored: bool | None


def decode(stored: Numbers, attrs: Mapping[str, Any], asked: str) -> Decoded:
    """Unpack stored numbers, and mask missing values, values beyond the valid range, and flags.

    A valid range refers to stored numbers, or to unpacked ones if it has their type (NUG). Numbers in `flag_values` or
    `flag_masks` of the variable itself are not values.

    Args:
        stored: numbers in the file.
        attrs: attributes of the variable, not decoded.
        asked: name of the variable in messages.

    Raises:
        VadoseError: no value is in the valid range.
    """
    stored = _of_sign(np.asarray(stored), attrs)
    scale, offset = _packing(attrs, asked)
    ignored = _refuse_other_packing(stored, attrs, asked)
    with np.errstate(invalid="ignore", over="ignore"):
        values = stored.astype(np.float64) * scale + offset
    there = np.isfinite(values) & ~_missing(stored, values, attrs)
    flagged = there & _flagged(stored, attrs)
    there &= ~flagged
    stated, remarks = _stated_range(stored, attrs)
    beyond = there & _beyond(stored, values, there, stated, abs(scale), asked)
    counts = {"flags that the variable names": flagged, f"values beyond its {stated.text}": beyond}
    left_out = {reason: int(places.sum()) for reason, places in counts.items() if places.any()}
    return Decoded(np.where(there & ~beyond, values, np.nan), left_out, (*remarks, *ignored))


def _of_sign(stored: Numbers, attrs: Mapping[str, Any]) -> Numbers:
    """Return integers as signed or unsigned by the attribute `_Unsigned`: NetCDF 3 has no unsigned ones."""
    unsigned = str(attrs.get("_Unsigned", "")).lower()
    kind = {"true": "u", "false": "i"}.get(unsigned)
    if kind is None or stored.dtype.kind not in "iu" or stored.dtype.kind == kind:
        return stored
    return stored.view(f"{kind}{stored.dtype.itemsize}")


def _missing(stored: Numbers, values: Floats, attrs: Mapping[str, Any]) -> Places:
    """Return which numbers are missing: each of `_FillValue` and `missing_value`, which may have several values."""
    found = np.zeros(stored.shape, bool)
    for name in ("_FillValue", "missing_value"):
        for number in np.atleast_1d(_numbers(attrs.get(name))[0]):
            same = _as_stored(number, stored.dtype)
            if same is None:
                found |= np.isclose(values, number, rtol=_ROUNDING, atol=0)
            else:
                found |= stored == same
    return found


def _as_stored(number: float, dtype: np.dtype[Any]) -> Any:
    """Return a number in the type of the stored ones; None if that cannot represent it, so that it is an unpacked one.

    A negative number for an unsigned type, or a large one for a signed type, has the same bits.
    """
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return dtype.type(number)
    if dtype.kind not in "iu" or number != np.floor(number):
        return None
    info, span = np.iinfo(dtype), 2 ** (8 * dtype.itemsize)
    for same in (int(number), int(number) + span, int(number) - span):
        if info.min <= same <= info.max:
            return dtype.type(same)
    return None


def _flagged(stored: Numbers, attrs: Mapping[str, Any]) -> Places:
    """Return which numbers are flags by the variable's own `flag_values` and `flag_masks`."""
    if stored.dtype.kind not in "iu":
        return np.isin(stored, _numbers(attrs.get("flag_values"))[0].astype(stored.dtype))
    flags, masks = (
        np.array(
            [same for number in _numbers(attrs.get(name))[0] if (same := _as_stored(number, stored.dtype)) is not None]
        )
        for name in ("flag_values", "flag_masks")
    )
    if not masks.size:
        return np.isin(stored, flags)
    if flags.size == masks.size:
        named = [(stored & mask) == flag for flag, mask in zip(flags, masks, strict=True)]
        return np.asarray(np.logical_or.reduce(named), bool)
    return np.asarray((stored & np.bitwise_or.reduce(masks)) != 0, bool)


def _stated_range(stored: Numbers, attrs: Mapping[str, Any]) -> tuple[_Range, tuple[str, ...]]:
    """Return the valid range, and remarks on invalid attributes."""
    remarks: list[str] = []
    found: dict[str, float] = {"valid_min": -np.inf, "valid_max": np.inf}
    dtypes, texts = [], []
    for name, ends in (
        ("valid_range", ("valid_min", "valid_max")),
        ("valid_min", ("valid_min",)),
        ("valid_max", ("valid_max",)),
    ):
        if name not in attrs:
            continue
        numbers, dtype = _numbers(attrs[name])
        if numbers.size != len(ends) or np.isnan(numbers).any() or (numbers.size == 2 and numbers[0] > numbers[1]):
            remarks.append(f"its {name} {str(attrs[name])[:60]!r} is invalid and not applied")
            continue
        found |= dict(zip(ends, map(float, numbers), strict=True))
        dtypes.append(dtype)
        texts.append(f"{name} {', '.join(f'{number:g}' for number in numbers)}")
    of_stored = {_is_of_stored(dtype, stored.dtype, attrs) for dtype in dtypes}
    stored_range = of_stored.pop() if len(of_stored) == 1 else None
    return _Range(" and ".join(texts), found["valid_min"], found["valid_max"], stored_range), tuple(remarks)


def _is_of_stored(dtype: np.dtype[Any] | None, stored: np.dtype[Any], attrs: Mapping[str, Any]) -> bool | None:
    """Return whether a bound of a type refers to stored numbers; None if its type leaves it open."""
    if "scale_factor" not in attrs and "add_offset" not in attrs:
        return True
    if dtype is None:
        return None
    if stored.kind in "iu":
        return dtype.kind in "iu"
    unpacked = np.asarray(attrs.get("scale_factor", attrs.get("add_offset"))).dtype
    return not (dtype == unpacked != stored)


def _beyond(stored: Numbers, values: Floats, there: Places, stated: _Range, step: float, asked: str) -> Places:
    """Return which values are beyond the valid range of stored or unpacked numbers, by its type, else by its effect."""
    if np.isinf(stated.low) and np.isinf(stated.high):
        return np.zeros(stored.shape, bool)
    ways = {
        True: _outside(stored.astype(np.float64), stated, 0.0),
        False: _outside(values, stated, step / 2 if stored.dtype.kind in "iu" else 0.0),
    }
    left = {way: int((there & ~outside).sum()) for way, outside in ways.items()}
    of_stored = stated.of_stored if stated.of_stored is not None else left[True] > left[False]
    if there.any() and not left[of_stored]:
        raise VadoseError(
            f"{asked}: its {stated.text}",
            f"Of {int(there.sum())} values at the sensors it leaves {left[True]} as a range of stored numbers, "
            f"{left[False]} as one of unpacked numbers; by its type it refers to the "
            f"{'stored' if of_stored else 'unpacked'} ones",
            "Correct the attribute, in the type of the numbers that it refers to",
        )
    return ways[of_stored]


def _outside(numbers: Floats, stated: _Range, half_step: float) -> Places:
    low, high = (
        bound + side * (abs(bound) * _ROUNDING + half_step) if np.isfinite(bound) else bound
        for bound, side in ((stated.low, -1), (stated.high, 1))
    )
    with np.errstate(invalid="ignore"):
        return np.asarray((numbers < low) | (numbers > high))


def _numbers(value: Any) -> tuple[Floats, np.dtype[Any] | None]:
    """Return an attribute as numbers, with their type; text of numbers alone has none."""
    if value is None:
        return np.empty(0), None
    parts = np.atleast_1d(np.asarray(value)).ravel()
    if parts.dtype.kind in "iuf":
        return parts.astype(np.float64), parts.dtype
    return np.array([number for part in parts for number in _numbers_in(part)]), None


def _numbers_in(part: Any) -> Iterator[float]:
    text = part.decode(errors="replace") if isinstance(part, bytes) else str(part)
    if _NUMBER_TEXT.fullmatch(text):
        yield from map(float, _NUMBER.findall(text))


def _packing(attrs: Mapping[str, Any], asked: str) -> tuple[float, float]:
    """Return scale and offset.

    Raises:
        VadoseError: one of them is no number, or the scale is zero.
    """
    found = []
    for name, neutral in (("scale_factor", 1.0), ("add_offset", 0.0)):
        numbers = _numbers(attrs.get(name, neutral))[0]
        if numbers.size != 1 or not np.isfinite(numbers[0]) or (neutral and not numbers[0]):
            raise VadoseError(
                f"{asked}: its {name} {str(attrs[name])[:60]!r}",
                "It is not one number by which stored numbers could be unpacked",
                "Correct the attribute",
            )
        found.append(float(numbers[0]))
    return found[0], found[1]


def _refuse_other_packing(stored: Numbers, attrs: Mapping[str, Any], asked: str) -> tuple[str, ...]:
    """Refuse integers with a scale or an offset under another name than CF's; return a remark on decimals with one.

    Raises:
        VadoseError: they have one.
    """
    if "scale_factor" in attrs or "add_offset" in attrs:
        return ()
    names = {name: re.sub(r"[^a-z]", "", str(name).lower()) for name in attrs}
    other = [
        f"{name} {numbers[0]:g}"
        for name, plain in names.items()
        if plain in _OTHER_PACKING and (numbers := _numbers(attrs[name])[0]).size == 1
        if numbers[0] != _OTHER_PACKING[plain]
    ]
    if other and stored.dtype.kind in "iu":
        raise VadoseError(
            f"{asked}: its stored numbers",
            f"They are integers with the attributes {', '.join(other)}, whose rule is not that of CF",
            "Write scale_factor and add_offset (value = number * scale_factor + add_offset), or decimals",
        )
    return tuple(f"its attribute {one} is not of CF and not applied" for one in other)
