"""Features of a `tf.train.Example` in Protocol Buffers' wire format; only the wanted ones are parsed.

The messages are TensorFlow's `example.proto` and `feature.proto`: Example contains Features, a map from names to
Feature, which contains one list of bytes, of 32-bit floats or of 64-bit integers. As in protobuf, the last value of a
repeated name is used, partial lists of one kind are joined, and unknown fields are ignored.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Span = tuple[int, int]

MOST_FIELDS = 2**16
"""Largest number of fields of one record; the release's records have about five hundred."""

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5


class Kind(Enum):
    """Type of the list of a feature, by its field number in Feature."""

    BYTES = 1
    FLOAT = 2
    INT64 = 3


_UNPACKED = {Kind.BYTES: _DELIMITED, Kind.FLOAT: _FIXED32, Kind.INT64: _VARINT}


class Unreadable(ValueError):
    """Invalid content; the message contains the reason."""


@dataclass(frozen=True)
class Raw:
    """Position of a feature in a record.

    Attributes:
        kind: type of its list.
        spans: start and end of its values in the record, in order: packed numbers, one unpacked number, or one text.
    """

    kind: Kind
    spans: tuple[Span, ...]

    def parts(self, data: Bytes) -> list[Bytes]:
        """Yield its bytes, span by span."""
        return [data[start:end] for start, end in self.spans]


def parse(data: Bytes, wanted: Collection[bytes]) -> dict[bytes, Raw]:
    """Return the positions of the wanted features of an Example, without missing or empty ones.

    Args:
        data: the serialised Example.
        wanted: names of features, UTF-8.

    Raises:
        Unreadable: it is not an Example, or has more than `MOST_FIELDS` fields.
    """
    walk = _Walk(data.data)
    found: dict[bytes, Raw] = {}
    for features in walk.messages((0, len(data)), 1):
        for entry in walk.messages(features, 1):
            name, values = walk.entry(entry)
            if name in wanted:
                raw = walk.feature(values)
                found.pop(name, None)
                if raw is not None:
                    found[name] = raw
    return found


class _Walk:
    """Parser of a message, of bounded length."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._left = data, MOST_FIELDS

    def messages(self, span: Span, number: int) -> list[Span]:
        """Return the embedded messages of this number."""
        return [found for one, wire, found in self._fields(span) if one == number and self._delimited(wire)]

    def entry(self, span: Span) -> tuple[bytes, list[Span]]:
        """Return name and value of an entry of the map."""
        name, values = b"", []
        for number, wire, found in self._fields(span):
            if number == 1 and self._delimited(wire):
                name = bytes(self._data[slice(*found)])
            elif number == 2 and self._delimited(wire):
                values.append(found)
        return name, values

    def feature(self, values: list[Span]) -> Raw | None:
        """Return the list of a Feature; of lists of different kinds the last."""
        kind: Kind | None = None
        spans: list[Span] = []
        for value in values:
            for number, wire, found in self._fields(value):
                if number in {1, 2, 3} and self._delimited(wire):
                    spans = spans if kind is Kind(number) else []
                    kind = Kind(number)
                    spans += self._list(found, kind)
        return None if kind is None else Raw(kind, tuple(spans))

    def _list(self, span: Span, kind: Kind) -> Iterator[Span]:
        for number, wire, found in self._fields(span):
            if number == 1:
                if wire not in {_DELIMITED, _UNPACKED[kind]}:
                    raise Unreadable(f"a list of {kind.name.lower()} has values of wire type {wire}")
                yield found

    def _fields(self, span: Span) -> Iterator[tuple[int, int, Span]]:
        """Yield number, wire type and content of each field."""
        at, end = span
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise Unreadable(f"it has more than {MOST_FIELDS} fields")
            tag, start = self._varint(at, end)
            if not 0 < tag >> 3 < 2**29:
                raise Unreadable(f"a field has the number {tag >> 3}")
            start, at = self._content(tag & 7, start, end)
            if at > end:
                raise Unreadable("a field is longer than its message")
            yield tag >> 3, tag & 7, (start, at)

    def _content(self, wire: int, start: int, end: int) -> Span:
        if wire == _DELIMITED:
            length, start = self._varint(start, end)
            return start, start + length
        if wire == _VARINT:
            return start, self._varint(start, end)[1]
        if wire in {_FIXED32, _FIXED64}:
            return start, start + (4 if wire == _FIXED32 else 8)
        raise Unreadable(f"a field has the wire type {wire}")

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        if at < end and self._data[at] < 0x80:
            return self._data[at], at + 1
        value = 0
        for place in range(10):
            if at + place >= end:
                raise Unreadable("it ends within a number")
            byte = self._data[at + place]
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                if value >= 2**64:
                    break
                return value, at + place + 1
        raise Unreadable("a number has more than 64 bits")

    @staticmethod
    def _delimited(wire: int) -> bool:
        if wire != _DELIMITED:
            raise Unreadable(f"a message has the wire type {wire}")
        return True
