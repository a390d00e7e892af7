"""Writes shards as the release has them, byte by byte and by itself: it shares no code with the reader.

Protocol Buffers and TFRecord as their documents describe them; the checksum is computed here from its polynomial.
"""

import gzip
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import google_crc32c
import numpy as np

Values = str | bytes | float | int | np.ndarray | list[float] | list[int] | list[bytes]


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit, polynomial 0x1EDC6F41 reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> bytes:
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def checksum(data: bytes) -> bytes:
    """Masked; of records with images by a library, which the tests hold against `crc32c`."""
    return masked(crc32c(data) if len(data) < 4096 else google_crc32c.value(data))


def framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + checksum(length) + data + checksum(data)


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def varints(numbers: np.ndarray | list[int]) -> bytes:
    array = np.asarray(numbers, np.int64)
    if array.size and (array.min() < 0 or array.max() >= 2**14):
        return b"".join(varint(int(number)) for number in array)
    pairs = np.stack([array & 0x7F | np.where(array > 0x7F, 0x80, 0), array >> 7], axis=1).astype(np.uint8)
    return pairs[np.stack([np.full(array.size, True), array > 0x7F], axis=1)].tobytes()


def delimited(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def feature(value: Values) -> bytes:
    """A Feature: texts as bytes, floats as 32 bits, integers packed."""
    values = value if isinstance(value, list) else [value] if not isinstance(value, np.ndarray) else value.ravel()
    first = values[0] if len(values) else 0
    if isinstance(first, str | bytes):
        texts = [one.encode() if isinstance(one, str) else one for one in values]
        return delimited(1, b"".join(delimited(1, text) for text in texts))
    if isinstance(first, float | np.floating):
        return delimited(2, delimited(1, np.asarray(values, "<f4").tobytes()))
    return delimited(3, delimited(1, varints(values)))


def example(features: Mapping[str, Values | None]) -> bytes:
    """A serialised Example; features that are None have no list."""
    entries = (
        delimited(1, delimited(1, name.encode()) + delimited(2, b"" if value is None else feature(value)))
        for name, value in features.items()
    )
    return delimited(1, b"".join(entries))


def write_shard(path: Path, records: Iterable[bytes]) -> Path:
    content = b"".join(framed(record) for record in records)
    path.write_bytes(gzip.compress(content, 6, mtime=0) if path.suffix == ".gz" else content)
    return path
