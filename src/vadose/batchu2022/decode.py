"""Decoding of feature bytes, or the reason why they contradict the release."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadose.batchu2022.features import CENTRE, MISSING, SIDE, Feature, Form
from vadose.batchu2022.protobuf import Kind, Raw, Unreadable
from vadose.batchu2022.varint import Bytes, floats, image, integers

Pixels = NDArray[np.integer[Any]]
"""An image of 8 or 16 bits, depending on its feature."""
Value = float | str | Pixels


def decoded(feature: Feature, raw: Raw, data: Bytes, kept: int = CENTRE) -> Value | None:
    """Return the value of a feature; None if missing.

    Args:
        feature: its description.
        raw: its position.
        data: the record.
        kept: pixels along a side of the central part of an image, even.

    Returns:
        An image as (y, x) of the feature's dtype; otherwise a number or a text.

    Raises:
        Unreadable: its type, its count or its content contradicts the release.
    """
    try:
        return _value(feature, raw, data, kept)
    except Unreadable as error:
        raise Unreadable(f"{feature.name}: {error}") from error


def _value(feature: Feature, raw: Raw, data: Bytes, kept: int) -> Value | None:
    if feature.form is Form.UNDOCUMENTED:
        return _as_found(feature, raw, data, kept)
    if feature.form is Form.IMAGE:
        return _image(feature, raw, data, kept)
    if feature.form is Form.INTEGER:
        return _scaled(raw, data)
    return _number(raw, data) if feature.form is Form.NUMBER else _text(raw, data)


def _as_found(feature: Feature, raw: Raw, data: Bytes, kept: int) -> Value:
    if raw.kind is Kind.BYTES:
        return _text(raw, data)
    if raw.kind is Kind.FLOAT:
        return _number(raw, data)
    length = sum(end - start for start, end in raw.spans)
    return _image(feature, raw, data, kept) if length >= SIDE * SIDE else float(_integer(raw, data))


def _image(feature: Feature, raw: Raw, data: Bytes, kept: int) -> Pixels:
    pixels = image(_joined(raw, Kind.INT64, data), SIDE, kept)
    held = np.iinfo(feature.dtype)
    if pixels.dtype != np.uint8:
        low, high = int(pixels.min()), int(pixels.max())
        if low < held.min or high > held.max:
            raise Unreadable(f"its numbers range from {low} to {high}, beyond {held.min}..{held.max}")
    return pixels.astype(feature.dtype, copy=False)


def _scaled(raw: Raw, data: Bytes) -> float | None:
    value = _integer(raw, data)
    if not 0 <= value <= 255:
        raise Unreadable(f"{value} is not within 0..255")
    return None if value == MISSING else float(value)


def _integer(raw: Raw, data: Bytes) -> int:
    packed = _joined(raw, Kind.INT64, data)
    _check_single(int(np.count_nonzero(packed < 0x80)))
    return int(integers(packed)[0])


def _number(raw: Raw, data: Bytes) -> float:
    packed = _joined(raw, Kind.FLOAT, data)
    _check_single(packed.size // 4)
    value = float(floats(packed)[0])
    if not np.isfinite(value):
        raise Unreadable(f"{value} is not a number")
    return value


def _text(raw: Raw, data: Bytes) -> str:
    if raw.kind is not Kind.BYTES:
        raise Unreadable(f"a list of {raw.kind.name.lower()}, not of bytes")
    _check_single(len(raw.spans))
    try:
        return raw.parts(data)[0].tobytes().decode()
    except UnicodeDecodeError as error:
        raise Unreadable("its text is not UTF-8") from error


def _joined(raw: Raw, kind: Kind, data: Bytes) -> Bytes:
    if raw.kind is not kind:
        raise Unreadable(f"a list of {raw.kind.name.lower()}, not of {kind.name.lower()}")
    parts = raw.parts(data)
    if kind is Kind.INT64 and any(part.size and part[-1] > 0x7F for part in parts):
        raise Unreadable("a list of integers ends within a number")
    if kind is Kind.FLOAT and any(part.size % 4 for part in parts):
        raise Unreadable("a list of floats ends within a number")
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.uint8), *parts])


def _check_single(count: int) -> None:
    if count != 1:
        raise Unreadable(f"it has {count} values, not one")
