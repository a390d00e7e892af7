"""Records of a TFRecord file: length, checksum of the length, data, checksum of the data, repeatedly.

Layout and masked checksum follow TensorFlow's `tfrecord` documentation: a length of 64 bits and its checksum of 32
bits, the data and their checksum, all little endian. The checksum is CRC-32C (RFC 3720), rotated right by 15 bits, plus
a constant.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from vadose.batchu2022.inflate import Inflater, fastest

Bytes = NDArray[np.uint8]

LONGEST = 64 * 2**20
"""Largest size of a record, bytes; the release's have about 24 million."""

_HEADER = struct.Struct("<QI")
_FOOTER_SIZE = 4
_MASK_DELTA = 0xA282EAD8
_STEP = 2**18
_ROOM = 3 * 2**23  # fits a record of the release


@dataclass(frozen=True)
class TFRecord:
    """A record with correct checksums.

    Attributes:
        number: number in its shard, from 0.
        offset: offset of its first byte in the inflated shard.
        data: its content, valid only until the next record is read.
    """

    number: int
    offset: int
    data: Bytes


@dataclass(frozen=True)
class Fault:
    """An unreadable record.

    Attributes:
        shard: name of the file.
        record: its number in the shard, from 0.
        offset: offset of its first byte in the inflated shard.
        reason: for the failure.
        ends: whether nothing after it can be read, as its end is unknown.
    """

    shard: str
    record: int
    offset: int
    reason: str
    ends: bool = False


class _Broken(Exception):
    """An unreadable record; `ends` as in `Fault`."""

    def __init__(self, reason: str, ends: bool) -> None:
        super().__init__(reason)
        self.ends = ends


def records(path: Path, longest: int = LONGEST, inflater: Inflater | None = None) -> Iterator[TFRecord | Fault]:
    """Yield every record of a shard in order, with a fault in place of each unreadable one.

    Memory is bounded by `longest`, whatever the stated length of a record. After a record with a wrong checksum, or one
    that is too long, reading continues; a wrong length or a premature end is the last of the shard.

    Args:
        path: path of the shard, inflated if its name ends in .gz.
        longest: largest size of a record, bytes.
        inflater: the decompressor, by default the fastest one.
    """
    tool = inflater or fastest()
    number, offset = 0, 0
    try:
        if not path.stat().st_size:
            yield Fault(path.name, number, offset, "the file is empty", ends=True)
            return
        with tool.open(path) as stream:
            shard = _Shard(stream, longest)
            while True:
                try:
                    data = shard.next()
                except _Broken as broken:
                    yield Fault(path.name, number, offset, str(broken), broken.ends)
                    if broken.ends:
                        return
                else:
                    if data is None:
                        return
                    yield TFRecord(number, offset, data)
                number, offset = number + 1, shard.offset
    except tool.damage as error:
        yield Fault(path.name, number, offset, f"the file cannot be read: {_reason(error)}", ends=True)


def masked_crc32c(crc: int) -> int:
    """Return a CRC-32C as TFRecord stores it."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


class _Shard:
    """Reader of a stream that holds one record at a time."""

    def __init__(self, stream: BinaryIO, longest: int) -> None:
        self._stream, self._longest = stream, longest
        self._room: Bytes = np.empty(min(longest, _ROOM), np.uint8)
        self.offset = 0

    def next(self) -> Bytes | None:
        """Return the content of the next record; None after the last one.

        Raises:
            _Broken: it is unreadable.
        """
        head = self._read(_HEADER.size)[0]
        if not head.size:
            return None
        self._whole(head, _HEADER.size)
        length, checksum = _HEADER.unpack(head.tobytes())
        if masked_crc32c(google_crc32c.value(head[:8])) != checksum:
            raise _Broken("the checksum of its length is wrong", ends=True)
        if length > self._longest:
            self._skip(length + _FOOTER_SIZE)
            raise _Broken(f"its {length} bytes exceed the limit of {self._longest}", ends=False)
        data, crc = self._read(length)
        self._whole(data, length)
        if masked_crc32c(crc) != self._footer():
            raise _Broken("its checksum is wrong", ends=False)
        return data

    def _footer(self) -> int:
        foot = self._stream.read(_FOOTER_SIZE)
        self.offset += len(foot)
        if len(foot) < _FOOTER_SIZE:
            raise _Broken("the shard ends within its checksum", ends=True)
        return int.from_bytes(foot, "little")

    def _read(self, count: int) -> tuple[Bytes, int]:
        """Return up to `count` bytes, fewer only at the end of the stream, and their CRC-32C, computed in the cache."""
        if count > self._room.size:
            self._room = np.empty(count, np.uint8)
        filled, crc = 0, 0
        while filled < count:
            part = self._room[filled : min(filled + _STEP, count)]
            got = self._stream.readinto(part)  # type: ignore[attr-defined]
            if not got:
                break
            crc = google_crc32c.extend(crc, part[:got])
            filled += got
        self.offset += filled
        return self._room[:filled], crc

    def _skip(self, count: int) -> None:
        while count > 0:
            passed = self._read(min(count, self._room.size))[0].size
            if not passed:
                raise _Broken("the shard ends within it", ends=True)
            count -= passed

    @staticmethod
    def _whole(found: Bytes, count: int) -> None:
        if found.size < count:
            raise _Broken(f"the shard ends within it, after {found.size} of {count} bytes", ends=True)


def _reason(error: Exception) -> str:
    return f"{error}" or type(error).__name__
