"""Windows of remote GeoTIFFs, copied block by block without decoding."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import lcm
from pathlib import Path
from typing import IO, cast

import rasterio
import tifffile
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from vadose.catalogues.http import bare
from vadose.catalogues.remote import GAP, WIDE, RangeReader, RemoteFile
from vadose.errors import VadoseError
from vadose.io.atomic import atomic_write
from vadose.io.deflate import DAMAGE, decompress
from vadose.sources.crs import horizontal_wkt
from vadose.sources.raster import Grid, overview_of
from vadose.sources.window import Window

WIDTH, HEIGHT, COMPRESSION, STRIP_OFFSETS, STRIP_COUNTS, ROWS_PER_STRIP = 256, 257, 259, 273, 279, 278
TILE_OFFSETS, TILE_COUNTS = 324, 325
SCALE, TIEPOINT, MATRIX = 33550, 33922, 34264
SUBFILE_TYPE, _REDUCED, _MASK = 254, 1, 4
_OF_ALL = frozenset({34735, 34736, 34737, 42112, 42113})
"""Tags of the first image that hold for its overviews too: GeoTIFF's keys, and GDAL's metadata and fill value."""
_POINTS_ELSEWHERE = frozenset({330, 34665, 34853, 40965})
"""Tags that hold places in the file: of other images and of metadata of cameras."""
_SHORT, _LONG, _DOUBLE = 3, 4, 12
_MOST_BLOCKS = 1 << 20
_DEFLATE = (8, 32946)


@dataclass(frozen=True)
class _Tag:
    """A tag of TIFF as it is in the file: its type, number of values, and their bytes."""

    kind: int
    count: int
    content: bytes


@dataclass(frozen=True, eq=False)
class RemoteRaster:
    """A GeoTIFF of one band at an address: its header is read, its blocks are not.

    Attributes:
        file: remote.
        order: "<" or ">", the order of bytes.
        tags: of the image of full resolution, without the places of blocks.
        height, width: pixels.
        block: rows and columns of a block; a strip has all columns.
        tiled: whether blocks are tiles, else strips.
        offsets, counts: first byte and number of bytes of each block, row by row; 0 bytes of an absent one.
        gap: unneeded bytes that are read between two blocks rather than asking twice.
    """

    file: RemoteFile
    order: str
    tags: Mapping[int, _Tag]
    height: int
    width: int
    block: tuple[int, int]
    tiled: bool
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    gap: int = GAP

    @classmethod
    def open(cls, file: RemoteFile, pixel_m: float | None = None) -> "RemoteRaster":
        """Read the header of a remote file.

        Args:
            file: remote.
            pixel_m: largest size of a pixel, m, of the overview that is opened, as `Raster.coarser` does; full
                resolution for None, and where no overview is fit.

        Raises:
            VadoseError: it is no TIFF of one band with an upright grid, or as `RemoteFile.read`.
        """
        reader = RangeReader(file)
        try:
            with tifffile.TiffFile(cast(IO[bytes], reader), name=bare(file.url)) as tiff:
                full = cls._of(file, tiff, tiff.pages.first)
                return full if pixel_m is None else replace(full._overview(tiff, pixel_m), gap=WIDE)
        except VadoseError:
            raise
        except (tifffile.TiffFileError, ValueError, TypeError, LookupError, AttributeError, struct.error) as error:
            if reader.failed is not None:
                raise reader.failed from error
            raise unfit(file, f"It is no readable GeoTIFF ({type(error).__name__})") from error

    @classmethod
    def _of(cls, file: RemoteFile, tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> "RemoteRaster":
        if page.samplesperpixel != 1:
            raise unfit(file, f"It has {page.samplesperpixel} bands, where one is read")
        tiled = bool(page.is_tiled)
        block = (
            (int(page.tilelength), int(page.tilewidth))
            if tiled
            else (min(int(page.rowsperstrip), int(page.imagelength)), int(page.imagewidth))
        )
        handle, tags = tiff.filehandle, dict[int, _Tag]()
        dropped = _POINTS_ELSEWHERE | {TILE_OFFSETS, TILE_COUNTS, STRIP_OFFSETS, STRIP_COUNTS}
        for tag in page.tags.values():
            if int(tag.code) not in dropped:
                handle.seek(tag.valueoffset)
                tags[int(tag.code)] = _Tag(int(tag.dtype), int(tag.count), handle.read(tag.valuebytecount))
        tags.setdefault(COMPRESSION, _Tag(_SHORT, 1, struct.pack(f"{tiff.byteorder}H", 1)))
        offsets, counts = tuple(map(int, page.dataoffsets)), tuple(map(int, page.databytecounts))
        raster = cls(
            file, tiff.byteorder, tags, int(page.imagelength), int(page.imagewidth), block, tiled, offsets, counts
        )
        rows, columns = raster._blocks
        if not 0 < rows * columns == len(offsets) == len(counts) <= _MOST_BLOCKS:
            raise unfit(file, f"It names {len(offsets):,} blocks of {rows} x {columns}")
        return raster

    def _overview(self, tiff: tifffile.TiffFile, pixel_m: float) -> "RemoteRaster":
        """Return an overview with the grid of the file; itself without a fit one."""
        pages = [page for page in tiff.pages[1:] if isinstance(page, tifffile.TiffPage)]
        pages = [page for page in pages if page.subfiletype & _REDUCED and not page.subfiletype & _MASK]
        factors = [round(self.width / page.imagewidth) for page in pages]
        number = overview_of(factors, self.grid.metres, pixel_m)
        if number is None:
            return self
        found = RemoteRaster._of(self.file, tiff, pages[number])
        across, down = self.width / found.width, self.height / found.height
        kept = {code: tag for code, tag in self.tags.items() if code in _OF_ALL}
        tags = {code: tag for code, tag in found.tags.items() if code != SUBFILE_TYPE} | kept
        return replace(found, tags=tags | self._widened(across, down))

    def _widened(self, across: float, down: float) -> dict[int, _Tag]:
        """Return the tags of the grid with pixels that are larger by a factor."""
        if MATRIX in self.tags:
            a, b, c, d, e, f, *rest = self._doubles(MATRIX)
            return {MATRIX: self._numbers(_DOUBLE, [a * across, b * down, c, d, e * across, f * down, *rest])}
        if TIEPOINT in self.tags and SCALE in self.tags:
            (width, height, *others), (column, row, *rest) = self._doubles(SCALE), self._doubles(TIEPOINT)
            return {
                SCALE: self._numbers(_DOUBLE, [width * across, height * down, *others]),
                TIEPOINT: self._numbers(_DOUBLE, [column / across, row / down, *rest]),
            }
        return {}

    @property
    def _blocks(self) -> tuple[int, int]:
        return -(-self.height // self.block[0]), -(-self.width // self.block[1])

    @cached_property
    def grid(self) -> Grid:
        """Its grid, as GDAL reads the header.

        Raises:
            VadoseError: it has none, or one that is rotated.
        """
        with opened(self._assembled(Window(0, self.height, 0, self.width), None), self.file) as header:
            return grid_of(header, self.file)

    def aligned(self, window: Window, multiple: int = 1) -> Window:
        """Extend a window to whole blocks, and to multiples of a number of rows and columns."""
        return window.in_blocks((lcm(self.block[0], multiple), lcm(self.block[1], multiple)), (self.height, self.width))

    def ranges(self, window: Window) -> list[tuple[int, int]]:
        """Return the bytes of the blocks that hold a window."""
        indices = self.indices(self.aligned(window))
        return [(self.offsets[index], self.offsets[index] + self.counts[index]) for index in indices]

    def copy(self, window: Window, out: Path) -> None:
        """Write the blocks of a window, extended to whole ones, to a GeoTIFF of its own.

        Raises:
            VadoseError: a block cannot be decoded, or as `RemoteFile.read`.
        """
        window = self.aligned(window)
        blocks = self.file.read(self.ranges(window), gap=self.gap)
        deflated = self.tags[COMPRESSION].content[:2] in {struct.pack(f"{self.order}H", code) for code in _DEFLATE}
        if deflated:
            self._require_whole(blocks)
        with atomic_write(out) as temporary:
            temporary.write_bytes(self._assembled(window, blocks))
            if not deflated:
                self._require_decodable(temporary)

    def _require_whole(self, blocks: Sequence[bytes]) -> None:
        """Check the checksums of deflated blocks (RFC 1950), which GDAL does not."""
        try:
            for block in filter(None, blocks):
                decompress(block)
        except DAMAGE as error:
            raise unfit(self.file, f"A block of it is damaged ({error})") from error

    def _require_decodable(self, path: Path) -> None:
        try:
            with rasterio.open(path, driver="GTiff") as copied:
                for _, block in copied.block_windows(1):
                    copied.read(1, window=block)
        except (RasterioError, OSError) as error:
            raise unfit(self.file, f"A block of it cannot be decoded ({type(error).__name__})") from error

    def indices(self, window: Window) -> list[int]:
        """Return the numbers of the blocks that hold a window."""
        return window.block_numbers(self.block, self.width)

    def _assembled(self, window: Window, blocks: Sequence[bytes] | None) -> bytes:
        """Return a TIFF of some blocks; without blocks, one in which all of them are absent."""
        count = len(self.indices(window))
        tags = dict(self.tags) | {
            WIDTH: self._numbers(_LONG, [window.right - window.left]),
            HEIGHT: self._numbers(_LONG, [window.bottom - window.top]),
        }
        tags |= self._moved(window)
        if not self.tiled:
            tags[ROWS_PER_STRIP] = self._numbers(_LONG, [self.block[0]])
        names = (TILE_OFFSETS, TILE_COUNTS) if self.tiled else (STRIP_OFFSETS, STRIP_COUNTS)
        held = [b""] * count if blocks is None else list(blocks)
        tags |= {name: self._numbers(_LONG, [0] * count) for name in names}
        directory = 8
        place = directory + 2 + 12 * len(tags) + 4
        for tag in tags.values():
            place += len(tag.content) + len(tag.content) % 2 if len(tag.content) > 4 else 0
        offsets = []
        for block in held:
            offsets.append(place if block else 0)
            place += len(block)
        if place >= 1 << 32:
            raise unfit(self.file, "The window is larger than 4 GiB")
        tags |= {
            names[0]: self._numbers(_LONG, offsets),
            names[1]: self._numbers(_LONG, [len(block) for block in held]),
        }
        return self._encoded(tags, directory) + b"".join(held)

    def _encoded(self, tags: Mapping[int, _Tag], directory: int) -> bytes:
        """Encode header, directory and values (TIFF 6.0, section 2)."""
        order = self.order
        entries, values = [], bytearray()
        start = directory + 2 + 12 * len(tags) + 4
        for code, tag in sorted(tags.items()):
            inline = tag.content.ljust(4, b"\0")
            if len(tag.content) > 4:
                inline = struct.pack(f"{order}I", start + len(values))
                values += tag.content + b"\0" * (len(tag.content) % 2)
            entries.append(struct.pack(f"{order}HHI", code, tag.kind, tag.count) + inline)
        magic = b"II" if order == "<" else b"MM"
        header = magic + struct.pack(f"{order}HI", 42, directory) + struct.pack(f"{order}H", len(tags))
        return header + b"".join(entries) + struct.pack(f"{order}I", 0) + bytes(values)

    def _moved(self, window: Window) -> dict[int, _Tag]:
        """Return the tags of the place of a window."""
        if MATRIX in self.tags:
            a, b, c, d, e, f, g, h, *rest = self._doubles(MATRIX)
            moved = (a, b, c, d + a * window.left + b * window.top, e, f, g, h + e * window.left + f * window.top)
            return {MATRIX: self._numbers(_DOUBLE, [*moved, *rest])}
        if TIEPOINT in self.tags and SCALE in self.tags:
            column, row, *rest = self._doubles(TIEPOINT)
            return {TIEPOINT: self._numbers(_DOUBLE, [column - window.left, row - window.top, *rest])}
        return {}

    def _doubles(self, code: int) -> tuple[float, ...]:
        tag = self.tags[code]
        if tag.kind != _DOUBLE or len(tag.content) != 8 * tag.count:
            raise unfit(self.file, "The tags of its grid are damaged")
        return struct.unpack(f"{self.order}{tag.count}d", tag.content)

    def _numbers(self, kind: int, values: Sequence[float]) -> _Tag:
        letter = {_SHORT: "H", _LONG: "I", _DOUBLE: "d"}[kind]
        return _Tag(kind, len(values), struct.pack(f"{self.order}{len(values)}{letter}", *values))


def with_grid(grid: Grid, window: Window) -> Grid:
    """Return the grid of a window of another one."""
    transform = grid.transform @ grid.transform.translation(window.left, window.top)
    return replace(grid, transform=transform, height=window.shape[0], width=window.shape[1])


def grid_of(dataset: rasterio.DatasetReader, file: RemoteFile) -> Grid:
    """Return the grid of a remote file that GDAL has opened.

    Raises:
        VadoseError: it has none, or one that is rotated.
    """
    if dataset.crs is None or dataset.transform.b or dataset.transform.d:
        raise unfit(file, "It has no upright grid in a CRS")
    return Grid(horizontal_wkt(dataset.crs.to_wkt()), dataset.transform, dataset.height, dataset.width)


@contextmanager
def opened(content: bytes, file: RemoteFile, driver: str = "GTiff") -> Iterator[rasterio.DatasetReader]:
    """Open bytes of a remote file by GDAL.

    Raises:
        VadoseError: GDAL cannot read them.
    """
    try:
        with MemoryFile(content) as memory, memory.open(driver=driver) as dataset:
            yield dataset
    except (RasterioError, OSError) as error:
        raise unfit(file, f"GDAL cannot read it ({type(error).__name__})") from error


def unfit(file: RemoteFile, problem: str) -> VadoseError:
    """Return the error of a remote file that cannot be used."""
    return VadoseError(f"catalogues: {bare(file.url)}", problem, "Report it to the catalogue, or take another one")
