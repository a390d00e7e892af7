"""Packed Protocol Buffers numbers as arrays: integers of variable length, images of them, floats."""

import numpy as np
from numpy.typing import NDArray

from vadose.batchu2022.protobuf import Unreadable

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

_LONGEST_VARINT = 10


def integers(packed: Bytes) -> NDArray[np.int64]:
    """Decode packed varints, each of 1 to 10 bytes, 7 bits per byte, the lowest first.

    Raises:
        Unreadable: the last is truncated, or one has more than 64 bits.
    """
    ends = np.flatnonzero(packed < 0x80)
    if packed.size and (not ends.size or ends[-1] != packed.size - 1):
        raise Unreadable("a list of integers ends within a number")
    starts = np.concatenate([[0], ends[:-1] + 1])[: ends.size]
    lengths = ends - starts + 1
    longest = int(lengths.max(initial=0))
    tenth = packed[ends[lengths == _LONGEST_VARINT]]
    if longest > _LONGEST_VARINT or (tenth > 1).any():
        raise Unreadable("an integer has more than 64 bits")
    values = np.zeros(ends.size, np.uint64)
    for place in range(longest):
        longer = lengths > place
        digits = packed[starts[longer] + place].astype(np.uint64) & np.uint64(0x7F)
        values[longer] |= digits << np.uint64(7 * place)
    return values.view(np.int64)


def floats(packed: Bytes) -> NDArray[np.float32]:
    """Decode packed little-endian 32-bit floats.

    Raises:
        Unreadable: the last is truncated.
    """
    if packed.size % 4:
        raise Unreadable("a list of floats ends within a number")
    return np.frombuffer(packed.tobytes(), "<f4").astype(np.float32)


def image(packed: Bytes, side: int, kept: int) -> NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int64]:
    """Return the central part of a square image of packed varints; rows above and below it are only counted.

    Args:
        packed: all of the image, row by row.
        side: pixels along a side of the image.
        kept: pixels along a side of the central part, even.

    Returns:
        (y, x): uint8 if every number of the kept rows is within 0..255 in its shortest form, else uint16 if none has
        more than two bytes, else int64.

    Raises:
        Unreadable: there are not side x side numbers, or one in the kept rows has more than 64 bits.
    """
    more = packed > 0x7F
    edge = (side - kept) // 2
    first = bytes_of(more, edge * side)
    last = first + bytes_of(more[first:], kept * side)
    if last + bytes_of(more[last:], edge * side) != packed.size or more[-1:].any():
        count = packed.size - int(np.count_nonzero(more))
        raise Unreadable(f"an image has {count} whole numbers, not {side} x {side}")
    rows = _rows(packed[first:last], more[first:last], kept * side)
    return rows.reshape(kept, side)[:, edge : edge + kept].copy()


def bytes_of(more: Flags, count: int) -> int:
    """Return the number of bytes of the first `count` numbers, from the bytes that do not end one.

    With fewer numbers it exceeds the number of bytes.
    """
    at, missing = 0, count
    while missing:
        step = missing  # each number has at least one byte
        missing = int(np.count_nonzero(more[at : at + step]))
        at += step
    return at


def _rows(packed: Bytes, more: Flags, count: int) -> NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int64]:
    low = _low_bytes(packed, more, count)
    if low is not None:
        return low
    if not np.count_nonzero(more[1:] & more[:-1]):
        return _short(packed, more, count)
    return integers(packed)


def _low_bytes(packed: Bytes, more: Flags, count: int) -> Bytes | None:
    """Decode numbers of 0 to 255: one byte each, or above 127 the own low byte and then a byte 1; None for others.

    The second bytes are removed. Removing bytes of one value from a text is faster than removing elements from an
    array, so that, if some value is free, second bytes of 1 become that value; if too few are removed, some second byte
    was not 1.
    """
    if packed.size == count:
        return packed
    if packed.size == 2 * count and more[::2].all():
        return packed[::2] if (packed[1::2] == 1).all() else None
    text = bytearray(packed)
    free = next((value for value in range(255, -1, -1) if text.find(value) < 0), None)
    if free is None:
        second = more[:-1]
        if (packed[1:][second] != 1).any():
            return None
        return packed[np.flatnonzero(np.concatenate([[True], ~second]))]
    one_to_free = np.uint8((free - 1) % 256)
    np.frombuffer(text, np.uint8)[1:] += more[:-1].view(np.uint8) * one_to_free
    low = text.translate(None, bytes([free]))
    return np.frombuffer(low, np.uint8) if len(low) == count else None


def _short(packed: Bytes, more: Flags, count: int) -> NDArray[np.uint16]:
    """Decode numbers of one or two bytes."""
    if packed.size == 2 * count:
        pairs = packed.reshape(-1, 2).astype(np.uint16)
        return pairs[:, 0] & np.uint16(0x7F) | pairs[:, 1] << np.uint16(7)
    values = packed.astype(np.uint16)
    values[1:] = np.where(more[:-1], values[:-1] & np.uint16(0x7F) | values[1:] << np.uint16(7), values[1:])
    return values[np.flatnonzero(~more)]
