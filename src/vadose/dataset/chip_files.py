"""Reading of single chips from the files of a sharded Zarr array, many times faster than through zarr.

A file is a shard of the Zarr v3 specification (codec `sharding_indexed`): chunks of one chip each, compressed by Blosc
and followed by their CRC-32C; at its end the offset and the length of each chunk, and their CRC-32C.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from vadose.dataset.packing import Packing, Stored

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]
CHECKSUM_BYTES = 4
PLACE = np.dtype("<u8")
NOT_WRITTEN = np.iinfo(PLACE).max
"""Offset of a chunk of missing values alone."""


@dataclass(frozen=True, eq=False)
class ChipFiles:
    """The chips of one variable.

    Attributes:
        folder: folder of the array.
        side: pixels along a side of a stored chip.
        block: samples in one file.
        packing: packing of the values.
    """

    folder: Path
    side: int
    block: int
    packing: Packing

    def read(self, rows: Rows, kept: slice, into: Floats) -> None:
        """Read chips.

        Args:
            rows: samples.
            kept: wanted pixels along both axes.
            into: (sample, y, x), to be filled: physical units, NaN where missing.

        Raises:
            OSError, ValueError, RuntimeError: a file is unreadable or damaged.
        """
        order = np.argsort(rows // self.block, kind="stable")
        firsts = np.flatnonzero(np.diff(rows[order] // self.block, prepend=-1))
        for places in np.split(order, firsts[1:]) if len(rows) else []:
            number = int(rows[places[0]]) // self.block
            for place, stored in zip(places, self._stored(number, rows[places] % self.block), strict=True):
                self._unpack(stored[kept, kept], into[place])

    def _unpack(self, stored: Stored, values: Floats) -> None:
        if self.packing.decibel:  # a power is slower than a table look-up; `clip` avoids a copy
            np.take(self._values, stored.view(self._unsigned), out=values, mode="clip")
        else:
            self.packing.unpack_into(values, stored)

    @cached_property
    def _values(self) -> Floats:
        """Return the value of each storable number, negative ones at the end."""
        every = np.arange(2 ** (8 * self._unsigned.itemsize), dtype=self._unsigned)
        return self.packing.unpack(every.view(self.packing.kind))

    @property
    def _unsigned(self) -> np.dtype[Any]:
        return np.dtype(f"<u{np.dtype(self.packing.kind).itemsize}")

    def _stored(self, number: int, chips: Rows) -> Iterable[Stored]:
        """Return the stored chips of one file, (y, x)."""
        path = self.folder / "c" / str(number) / "0" / "0"
        with path.open("rb", buffering=0) as file:
            index = self._index(file)
            for chip in chips:
                offset, length = (int(place) for place in index[chip])
                yield self._missing if offset == NOT_WRITTEN else self._chip(file, offset, length)

    def _index(self, file: BinaryIO) -> NDArray[np.uint64]:
        """Return offset and length of each chunk, (chip, 2)."""
        size = 2 * PLACE.itemsize * self.block + CHECKSUM_BYTES
        file.seek(-size, 2)
        return np.frombuffer(_checked(file.read(size), size), PLACE).reshape(self.block, 2)

    def _chip(self, file: BinaryIO, offset: int, length: int) -> Stored:
        file.seek(offset)
        packed = blosc.decompress(_checked(file.read(length), length))
        return np.frombuffer(packed, self._kind).reshape(self.side, self.side)

    @property
    def _missing(self) -> Stored:
        return np.full((self.side, self.side), self.packing.missing, self._kind)

    @property
    def _kind(self) -> np.dtype[Any]:
        return np.dtype(self.packing.kind).newbyteorder("<")


def _checked(data: bytes, length: int) -> memoryview:
    """Return the content before a correct checksum.

    Raises:
        ValueError: the data are truncated or changed.
    """
    content, checksum = memoryview(data)[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if len(data) != length or google_crc32c.value(bytes(content)) != int.from_bytes(checksum, "little"):
        raise ValueError("a chip is truncated or does not match its checksum")
    return content
