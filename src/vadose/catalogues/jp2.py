"""Windows of remote JPEG 2000 files: the tiles that hold them are read, and stored without loss as GeoTIFF."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import lcm
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import rasterio
from numpy.typing import NDArray

from vadose.catalogues.cog import grid_of, opened, unfit, with_grid
from vadose.catalogues.remote import GAP, RangeReader, RemoteFile
from vadose.errors import VadoseError
from vadose.io.atomic import atomic_write
from vadose.sources.raster import Grid
from vadose.sources.window import Window

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
SOC, SIZ, TLM, PLM, PPM, SOT, SOD, EOC = 0xFF4F, 0xFF51, 0xFF55, 0xFF57, 0xFF60, 0xFF90, 0xFF93, 0xFFD9
"""Markers of a codestream (ISO/IEC 15444-1, annex A)."""
_SIZE = struct.Struct(">H8IH3B")
"""Segment SIZ of one component: capabilities; columns and rows of extent, offset, tiles and offset of tiles;
components; depth and subsampling."""
_PART = struct.Struct(">HHHIBB")
"""Header of a tile-part: SOT, its length, tile, bytes, number of the part, number of parts (0 if not stated)."""
_LARGEST_HEADER = 1 << 20
_MOST_PARTS = 1 << 16
_MOST_PIXELS = 1 << 28
_OUT = {"driver": "GTiff", "count": 1, "tiled": True, "blockxsize": 512, "blockysize": 512}
_LOSSLESS = {"compress": "deflate", "predictor": 2, "zlevel": 6}


@dataclass(eq=False)
class RemoteJp2:
    """A JPEG 2000 file of one band at an address: its header is read, its tiles are not.

    The header may have a table of tile-parts (TLM); Sentinel-2 has it from processing baseline 05.11 on. Without one,
    the 12 bytes at the start of each tile-part are read, one after another, up to those that are needed.

    Attributes:
        file: remote.
        boxes: that precede the codestream, with its georeference.
        segments: of the main header: marker and content, without those that index the whole file.
        height, width: pixels.
        block: rows and columns of a tile.
        stop: end of the codestream, bytes.
        walked: end of the tile-parts that are known, bytes.
        parts: first byte and end of the tile-parts that are known, by tile.
        complete: tiles all of whose parts are known.
    """

    gap: ClassVar[int] = GAP
    file: RemoteFile
    boxes: bytes
    segments: tuple[tuple[int, bytes], ...]
    height: int
    width: int
    block: tuple[int, int]
    stop: int
    walked: int
    parts: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    complete: set[int] = field(default_factory=set)

    @classmethod
    def open(cls, file: RemoteFile) -> "RemoteJp2":
        """Read the header of a remote file.

        Raises:
            VadoseError: it is truncated, or no JPEG 2000 file of one band that can be cut into windows; or as
                `RemoteFile.read`.
        """
        reader = RangeReader(file)
        try:
            boxes, start, stop = _boxes(reader)
            if stop > file.version.size:
                raise unfit(file, f"It is truncated: {file.version.size:,} bytes of {stop:,}")
            segments, walked = _main_header(reader, start)
            if PPM in dict(segments):
                raise unfit(file, "Its packet headers are in its main header, and it cannot be cut into windows")
            height, width, block = _layout(dict(segments)[SIZ])
            kept = tuple((marker, content) for marker, content in segments if marker not in (TLM, PLM))
            raster = cls(file, boxes, kept, height, width, block, stop, walked)
            raster._use_table([content for marker, content in segments if marker == TLM])
        except VadoseError:
            raise
        except (struct.error, ValueError, LookupError, EOFError) as error:
            raise unfit(file, f"It is no readable JPEG 2000 file of one band ({error})") from error
        return raster

    @cached_property
    def grid(self) -> Grid:
        """Its grid, as GDAL reads the header.

        Raises:
            VadoseError: it has none, or one that is rotated.
        """
        with opened(self._assembled(Window(0, self.height, 0, self.width), None), self.file, "JP2OpenJPEG") as header:
            return grid_of(header, self.file)

    def aligned(self, window: Window, multiple: int = 1) -> Window:
        """Extend a window to whole tiles, and to multiples of a number of rows and columns."""
        return window.in_blocks((lcm(self.block[0], multiple), lcm(self.block[1], multiple)), (self.height, self.width))

    def ranges(self, window: Window) -> list[tuple[int, int]]:
        """Return the bytes of the tiles that hold a window.

        Raises:
            VadoseError: the file is damaged, or as `RemoteFile.read`.
        """
        tiles = self._tiles(window)
        self._find(tiles)
        return [part for tile in tiles for part in self.parts[tile]]

    def copy(self, window: Window, out: Path) -> None:
        """Write the pixels of a window, extended to whole tiles, to a GeoTIFF.

        Raises:
            VadoseError: a tile cannot be decoded, or as `ranges`.
        """
        window = self.aligned(window)
        if window.shape[0] * window.shape[1] > _MOST_PIXELS:
            raise unfit(self.file, f"Its tiles of {self.block[0]:,} x {self.block[1]:,} pixels are too large")
        values = self._decoded(window, self.file.read(self.ranges(window)))
        grid = with_grid(self.grid, window)
        place = {"crs": grid.crs, "transform": grid.transform, "height": grid.height, "width": grid.width}
        with (
            atomic_write(out) as temporary,
            rasterio.open(temporary, "w", **_OUT, **_LOSSLESS, **place, dtype=values.dtype.name) as target,
        ):
            target.write(values, 1)

    def _decoded(self, window: Window, blocks: Sequence[bytes]) -> NDArray[np.unsignedinteger[Any]]:
        with opened(self._assembled(window, blocks), self.file, "JP2OpenJPEG") as dataset:
            values: NDArray[np.unsignedinteger[Any]] = dataset.read(1)
        if values.shape != window.shape or values.dtype.kind != "u":
            raise unfit(self.file, f"Its tiles hold {values.shape} {values.dtype} where its header says {window.shape}")
        return values

    def _tiles(self, window: Window) -> list[int]:
        """Return the numbers of the tiles that hold a window."""
        return window.block_numbers(self.block, self.width)

    def _find(self, tiles: Sequence[int]) -> None:
        """Find the tile-parts of some tiles."""
        for _ in range(_MOST_PARTS):
            if self.complete.issuperset(tiles):
                return
            if self.walked + _PART.size > self.stop:
                break
            self._step()
        else:
            raise unfit(self.file, f"It has more than {_MOST_PARTS:,} tile-parts")
        missing = min(set(tiles) - self.parts.keys(), default=None)
        if missing is not None:
            raise unfit(self.file, f"It ends before tile {missing}: it is truncated")
        self.complete.update(tiles)

    def _step(self) -> None:
        """Read the header of the next tile-part."""
        start = self.walked
        (head,) = self.file.read([(start, start + _PART.size)])
        marker, length, tile, size, _, count = _PART.unpack(head)
        stop = start + size if size else self.stop
        if marker != SOT or length != _PART.size - 2 or not start + _PART.size < stop <= self.stop:
            raise unfit(self.file, f"No tile-part begins at byte {start:,}: it is damaged")
        held = self.parts.setdefault(tile, [])
        held.append((start, stop))
        if len(held) == count:
            self.complete.add(tile)
        self.walked = stop

    def _use_table(self, tables: Sequence[bytes]) -> None:
        """Take the places of all tile-parts from segments TLM, in their order."""
        for _, content in sorted((table[0], table[1:]) for table in tables):
            for tile, size in _entries(content, len(self.parts)):
                self.parts.setdefault(tile, []).append((self.walked, self.walked + size))
                self.walked += size
        if self.walked > self.stop:
            raise unfit(self.file, f"It is truncated: {self.stop:,} bytes of {self.walked:,}")
        self.complete.update(self.parts)

    def _assembled(self, window: Window, blocks: Sequence[bytes] | None) -> bytes:
        """Return a file of some tiles; without blocks, one whose tiles are absent.

        Tiles keep their places: the origin of image and tiles moves, so that wavelets and code blocks are the same.
        """
        segments = b"".join(
            struct.pack(">HH", marker, len(content) + 2) + (_moved(content, window) if marker == SIZ else content)
            for marker, content in self.segments
        )
        tiles = [_PART.pack(SOT, _PART.size - 2, 0, _PART.size + 2, 0, 1) + struct.pack(">H", SOD)]
        if blocks is not None:
            tiles = list(self._renumbered(window, blocks))
        at = self.boxes.index(b"ihdr") + 4
        boxes = self.boxes[:at] + struct.pack(">2I", *window.shape) + self.boxes[at + 8 :]
        return b"".join(
            (boxes, struct.pack(">I4sH", 0, b"jp2c", SOC), segments, *tiles, struct.pack(">H", EOC)),
        )

    def _renumbered(self, window: Window, blocks: Sequence[bytes]) -> Iterator[bytes]:
        """Yield tile-parts numbered as tiles of a window."""
        held = iter(blocks)
        for number, tile in enumerate(self._tiles(window)):
            for _ in self.parts[tile]:
                block = next(held)
                marker, length, own, size, part, count = _PART.unpack(block[: _PART.size])
                if marker != SOT or own != tile or size not in (0, len(block)):
                    raise unfit(self.file, f"Its table names another place of tile {tile}: it is damaged")
                yield _PART.pack(marker, length, number, len(block), part, count) + block[_PART.size :]


def _boxes(reader: RangeReader) -> tuple[bytes, int, int]:
    """Return the boxes before the codestream, and its first byte and end.

    Raises:
        ValueError: there is none.
    """
    place = 0
    while place < _LARGEST_HEADER:
        size, kind = struct.unpack(">I4s", _read(reader, place, 8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", _read(reader, place + 8, 8))
            header = 16
        if kind == b"jp2c":
            boxes = _read(reader, 0, place)
            if b"ihdr" not in boxes:
                break
            return boxes, place + header, place + size if size else reader.file.version.size
        if size < header:
            break
        place += size
    raise ValueError("without a codestream")


def _main_header(reader: RangeReader, place: int) -> tuple[list[tuple[int, bytes]], int]:
    """Return the segments of the main header, and the place of the first tile-part."""
    if struct.unpack(">H", _read(reader, place, 2)) != (SOC,):
        raise ValueError("without a codestream")
    segments = list[tuple[int, bytes]]()
    place, last = place + 2, place + _LARGEST_HEADER
    while place < last:
        marker, length = struct.unpack(">HH", _read(reader, place, 4))
        if marker == SOT:
            return segments, place
        segments.append((marker, _read(reader, place + 4, length - 2)))
        place += 2 + length
    raise ValueError("without a tile")


def _layout(content: bytes) -> tuple[int, int, tuple[int, int]]:
    """Return rows, columns, and rows and columns of a tile, from SIZ.

    Raises:
        ValueError: it has several components, a shifted origin, or more than 16 bits.
    """
    _, width, height, left, top, columns, rows, *origin, components, depth, across, down = _SIZE.unpack(content)
    if (left, top, *origin) != (0, 0, 0, 0) or (components, across, down) != (1, 1, 1) or depth > 15:
        raise ValueError("of another layout")
    if not (height and width and rows and columns) or -(-height // rows) * -(-width // columns) > _MOST_PARTS:
        raise ValueError("of another layout")
    return height, width, (rows, columns)


def _moved(content: bytes, window: Window) -> bytes:
    """Return the segment SIZ of a window."""
    capabilities, _, _, _, _, columns, rows, _, _, *rest = _SIZE.unpack(content)
    origin = window.left, window.top
    return _SIZE.pack(capabilities, window.right, window.bottom, *origin, columns, rows, *origin, *rest)


def _entries(table: bytes, first: int) -> Iterator[tuple[int, int]]:
    """Yield tile and bytes of each tile-part of a segment TLM; tiles that are not stated are numbered from `first`."""
    kinds = {0: "", 1: "B", 2: "H"}[table[0] >> 4 & 3], "I" if table[0] & 0x40 else "H"
    entry = struct.Struct(">" + "".join(kinds))
    for number, values in enumerate(entry.iter_unpack(table[1:]), first):
        yield (values[0] if kinds[0] else number), values[-1]


def _read(reader: RangeReader, place: int, count: int) -> bytes:
    reader.seek(place)
    content = reader.read(count) if count >= 0 else b""
    if content is None or len(content) != count:
        raise EOFError("it ends in its header")
    return content
