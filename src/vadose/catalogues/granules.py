"""Granules at an address: the datasets that are read, copied into a file of their own without the rest."""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from h5py import h5a, h5d, h5ds, h5f, h5g, h5l, h5p, h5r, h5s, h5t, h5z
from numpy.typing import NDArray

from vadose.catalogues.http import bare
from vadose.catalogues.remote import WIDE, RangeReader, RemoteFile, joined
from vadose.errors import VadoseError
from vadose.io.atomic import FULL, atomic_write
from vadose.io.untrusted import HDF5_MAGIC

MOST_METADATA = 16 << 20
"""Bytes that are read besides the values: headers, attributes, indices of chunks."""
LARGEST = 256 << 20
"""Bytes of one dataset, unpacked, and of all together, as they are stored."""
MOST_CHUNKS = 100_000
MOST_ATTRIBUTES = 256
LARGEST_ATTRIBUTE = 1 << 16
"""Bytes, as HDF5 stores them; larger ones lie outside the header of their dataset."""
_T = TypeVar("_T")
_NUMBERS = frozenset({h5t.INTEGER, h5t.FLOAT, h5t.ENUM})
_DIMENSIONS = "DIMENSION_LIST"
_FILTERS = {h5z.FILTER_DEFLATE: "deflate", h5z.FILTER_SHUFFLE: "shuffle", h5z.FILTER_FLETCHER32: "fletcher32"}
_FLETCHER = 4
"""Bytes of a checksum behind a chunk."""


@dataclass(frozen=True)
class _Attribute:
    """An attribute; no value stands for an empty one."""

    name: bytes
    type: h5t.TypeID
    space: h5s.SpaceID
    value: NDArray[Any] | None


@dataclass(frozen=True)
class _Piece:
    """Bytes of a dataset.

    Attributes:
        start, stop: place in the remote file, bytes.
        chunk: first element of a chunk; None for all of a dataset that has none.
        mask: filters that were not applied, one bit each.
    """

    start: int
    stop: int
    chunk: tuple[int, ...] | None = None
    mask: int = 0


@dataclass(frozen=True)
class _Dataset:
    """A dataset of a remote file.

    Attributes:
        path: in the file, without a slash in front.
        type, space, properties: as HDF5 keeps them; storage, filters and fill value are properties.
        attributes: except for references to other objects.
        scales: by axis, paths of the dimension scales that are copied too.
        pieces: where its values lie.
        compact: values in the header.
    """

    path: str
    type: h5t.TypeID
    space: h5s.SpaceID
    properties: h5p.PropDCID
    attributes: tuple[_Attribute, ...]
    scales: tuple[tuple[str, ...], ...]
    pieces: tuple[_Piece, ...]
    compact: NDArray[Any] | None = None


def copy_granule(file: RemoteFile, out: Path, datasets: Iterable[Sequence[str]]) -> int:
    """Copy some datasets of a remote HDF5 or NetCDF-4 file into a new one; return its size, bytes.

    Groups, names, types, shapes, chunks, filters, attributes and dimension scales stay. Chunks are copied as they are
    stored, after a look at their checksums. The same content gives the same bytes.

    Args:
        file: the granule.
        out: new file; it is there whole or not at all.
        datasets: of each dataset the paths that it may have: the first that is there is copied; see
            `GranuleNaming.datasets`.

    Raises:
        VadoseError: none of the datasets is there; the file is none of HDF5, truncated or damaged; what it holds is
            too large, or lies in other files; or as `RemoteFile.read`.
        OSError: `out` cannot be written.
    """
    asked = f"catalogues: {bare(file.url)}"
    reader = _Metadata(file, asked)
    with _reading(asked):
        if file.read([(0, min(len(HDF5_MAGIC), file.version.size))]) != [HDF5_MAGIC]:
            raise VadoseError(asked, "It is no HDF5 file", "Look at it in a browser, and report it to the catalogue")
        with reader.complete(partial(h5py.File, reader, "r")) as source:
            paths = _find(reader, source, datasets, asked)
            held = tuple(reader.complete(partial(_dataset, path, source, paths, asked)) for path in paths)
            attributes = {
                path: reader.complete(partial(_attributes_of, source, path, asked)) for path in _groups(paths)
            }
        contents = _contents(reader, held, asked)
    with atomic_write(out) as temporary:
        _write(temporary, held, attributes, contents)
    return out.stat().st_size


class _Missing(Exception):
    """Bytes that were not read yet."""


class _Metadata(RangeReader):
    """Headers of a remote file, for HDF5; bounded.

    HDF5 does one thing at a time in a process: all other threads would wait while it reads. Bytes that it misses are
    therefore read outside of it, and the step is repeated.
    """

    def __init__(self, file: RemoteFile, asked: str) -> None:
        super().__init__(file, 1 << 14)
        self._asked = asked
        self._missing = (0, 0)

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        size = self.file.version.size
        self._missing = min(self.tell(), size), min(self.tell() + len(buffer), size)
        if self.held(*self._missing) is None:
            raise _Missing
        return super().readinto(buffer)

    def complete(self, step: Callable[[], _T]) -> _T:
        """Repeat a step of HDF5 until all bytes that it needs have been read; return its result."""
        while True:
            try:
                return step()
            except _Missing:
                self.require(*self._missing)
            if self.fetched > MOST_METADATA:
                problem = f"Its headers take more than {MOST_METADATA:,} bytes"
                raise VadoseError(self._asked, problem, "It is damaged, or no granule: report it to the catalogue")


@contextmanager
def _reading(asked: str) -> Iterator[None]:
    """Convert errors of HDF5 on a damaged file."""
    try:
        yield
    except VadoseError:
        raise
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno in FULL:  # of the cache
            raise
        remedy = "It is truncated or damaged: repeat the command later, or report it to the catalogue"
        raise VadoseError(asked, f"It cannot be read: {error}", remedy) from error


def _find(reader: _Metadata, source: h5py.File, datasets: Iterable[Sequence[str]], asked: str) -> dict[str, int]:
    """Return the paths of the datasets that are there, and where their headers lie; read the headers.

    They are looked up by name: to list a group would read an index that is scattered over the file.
    """
    found: dict[str, int] = {}
    for paths in datasets:
        for path in paths:
            place = reader.complete(partial(_place, source, path, asked))
            if place is not None:
                found[path] = place
                break
    if not found:
        raise VadoseError(asked, "It holds none of the datasets that are read", "Take another granule")
    reader.fetch(found.values())
    reader.ahead = True
    return found


def _place(source: h5py.File, path: str, asked: str) -> int | None:
    """Return where the header of a dataset lies; None where there is no such path.

    Raises:
        VadoseError: a link into another file, or to another object, stands on the way: none is followed.
    """
    held, names = source["/"], path.split("/")
    for depth, name in enumerate(names, 1):
        links = held.id.links
        if not links.exists(name.encode()):
            return None
        link = links.get_info(name.encode())
        if link.type != h5l.TYPE_HARD:
            raise VadoseError(asked, f"{'/'.join(names[:depth])} is a link, not data", _REPORT)
        if depth == len(names):
            return int(link.u)
        held = held[name]
        if not isinstance(held, h5py.Group):
            return None
    return None


def _dataset(path: str, source: h5py.File, paths: dict[str, int], asked: str) -> _Dataset:
    """Look at a dataset; its values are not read.

    Raises:
        VadoseError: it is larger than any of a granule, of another kind of values, lies in other files, or its chunks
            are packed by an unknown filter.
    """
    named = f"{asked} dataset {path}"
    found = source[path]
    if not isinstance(found, h5py.Dataset):
        raise VadoseError(named, "It is no dataset", _REPORT)
    one: h5d.DatasetID = found.id
    properties, space, kind = one.get_create_plist(), one.get_space(), one.get_type()
    layout = properties.get_layout()
    if layout == h5d.VIRTUAL or properties.get_external_count():
        raise VadoseError(named, "Its values are in other files", _REPORT)
    if kind.get_class() not in _NUMBERS and not (isinstance(kind, h5t.TypeStringID) and not kind.is_variable_str()):
        raise VadoseError(named, "Its values are neither numbers nor text of one length", _REPORT)
    size = (
        prod(space.shape or ()) * kind.get_size() if space.get_simple_extent_type() == h5s.SIMPLE else kind.get_size()
    )
    if size > LARGEST:
        raise VadoseError(named, f"It takes {size:,} bytes unpacked; {LARGEST:,} are read", _REPORT)
    pieces: tuple[_Piece, ...] = ()
    compact = None
    if layout == h5d.CHUNKED:
        pieces = _chunks(one, properties, kind.get_size(), named)
    elif layout == h5d.COMPACT:
        compact = np.empty(one.shape, kind.dtype)
        one.read(h5s.ALL, h5s.ALL, compact, kind)
    elif one.get_offset() is not None:
        pieces = (_Piece(one.get_offset(), one.get_offset() + size),)
    properties.set_obj_track_times(False)
    return _Dataset(path, kind.copy(), space, properties, _attributes(one, named), _scales(one, paths), pieces, compact)


def _chunks(one: h5d.DatasetID, properties: h5p.PropDCID, value: int, asked: str) -> tuple[_Piece, ...]:
    """Return where the chunks of a dataset lie."""
    filters = [properties.get_filter(n)[0] for n in range(properties.get_nfilters())]
    if unknown := [code for code in filters if code not in _FILTERS]:
        raise VadoseError(asked, f"Its chunks are packed by the filter {unknown[0]}", _REPORT)
    shape = properties.get_chunk()
    if prod(shape) * value > LARGEST:
        raise VadoseError(asked, f"Its chunks of {shape} are larger than {LARGEST:,} bytes", _REPORT)
    pieces: list[_Piece] = []

    def add(chunk: Any) -> bool | None:
        pieces.append(_Piece(chunk.byte_offset, chunk.byte_offset + chunk.size, chunk.chunk_offset, chunk.filter_mask))
        return True if len(pieces) > MOST_CHUNKS else None

    one.chunk_iter(add)
    if len(pieces) > MOST_CHUNKS or len({piece.chunk for piece in pieces}) < len(pieces):
        raise VadoseError(asked, f"It has more than {MOST_CHUNKS:,} chunks, or one of them twice", _REPORT)
    return tuple(pieces)


def _scales(one: h5d.DatasetID, paths: dict[str, int]) -> tuple[tuple[str, ...], ...]:
    """Return by axis the paths of a dataset's dimension scales, as far as they are copied."""
    if not h5a.exists(one, _DIMENSIONS.encode()):
        return ()
    held = h5a.open(one, _DIMENSIONS.encode())
    lists = np.empty(held.shape, held.dtype)
    held.read(lists)
    addresses = {address: path for path, address in paths.items()}
    found = []
    for references in lists:
        scales = (h5r.dereference(reference, one) for reference in references)
        at = (addresses.get(h5g.get_objinfo(scale).objno[0]) for scale in scales if isinstance(scale, h5d.DatasetID))
        found.append(tuple(path for path in at if path is not None))
    return tuple(found)


def _attributes_of(source: h5py.File, path: str, asked: str) -> tuple[_Attribute, ...]:
    return _attributes(source[path].id, asked)


def _attributes(one: h5g.GroupID | h5d.DatasetID, asked: str) -> tuple[_Attribute, ...]:
    """Return the attributes of an object, except for references to other objects.

    Raises:
        VadoseError: they are more or larger than those of a granule.
    """
    if h5a.get_num_attrs(one) > MOST_ATTRIBUTES:
        raise VadoseError(asked, f"It has more than {MOST_ATTRIBUTES} attributes", _REPORT)
    found = []
    for index in range(h5a.get_num_attrs(one)):
        held = h5a.open(one, index=index)
        kind, space = held.get_type(), held.get_space()
        if kind.detect_class(h5t.REFERENCE):
            continue
        value = None
        if space.get_simple_extent_type() != h5s.NULL:
            if held.get_storage_size() > LARGEST_ATTRIBUTE:
                raise VadoseError(asked, f"Its attribute {held.name.decode()!r} is too large", _REPORT)
            value = np.empty(held.shape, kind.dtype)
            held.read(value, _as_stored(value, kind))
        found.append(_Attribute(held.name, kind.copy(), space, value))
    return tuple(sorted(found, key=lambda one: one.name))


def _as_stored(value: NDArray[Any], kind: h5t.TypeID) -> h5t.TypeID | None:
    """Return the type by which values are copied bit by bit; text of any length is converted.

    Text that fills its length would lose its last letter on the way between types that end it with a zero and others.
    """
    return None if value.dtype.hasobject else kind


def _groups(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths of all groups on the way to datasets, the root first."""
    parts = (path.split("/")[:-1] for path in paths)
    return tuple(dict.fromkeys(["/", *("/".join(names[:n]) for names in parts for n in range(1, len(names) + 1))]))


def _contents(reader: RangeReader, held: Sequence[_Dataset], asked: str) -> list[list[bytes]]:
    """Return the bytes of each piece of each dataset: those that lie near each other by one request."""
    total = sum(piece.stop - piece.start for one in held for piece in one.pieces)
    if total > LARGEST:
        raise VadoseError(asked, f"The datasets that are read take {total:,} bytes; {LARGEST:,} are read", _REPORT)
    spans = sorted({(piece.start, piece.stop) for one in held for piece in one.pieces})
    content = {span: stored for span in spans if (stored := reader.held(*span)) is not None}
    near = joined((span for span in spans if span not in content), WIDE)
    runs = [(run[0][0], max(stop for _, stop in run)) for run in near]
    read = dict(zip(runs, reader.file.read(runs), strict=True))
    starts = [start for start, _ in runs]

    def part(start: int, stop: int) -> bytes:
        if (start, stop) in content:
            return content[start, stop]
        run = runs[int(np.searchsorted(starts, start, "right")) - 1]
        return read[run][start - run[0] : stop - run[0]]

    found = [[part(piece.start, piece.stop) for piece in one.pieces] for one in held]
    for one, parts in zip(held, found, strict=True):
        for piece, stored in zip(one.pieces, parts, strict=True):
            _check(one, piece, stored, f"{asked} dataset {one.path}")
    return found


def _check(one: _Dataset, piece: _Piece, stored: bytes, asked: str) -> None:
    """Refuse a chunk that does not unpack to its size, or whose checksum differs."""
    if piece.chunk is None:
        return
    count = one.properties.get_nfilters()
    filters = [one.properties.get_filter(n)[0] for n in range(count) if not piece.mask >> n & 1]
    size = prod(one.properties.get_chunk()) * one.type.get_size()
    content = stored
    for code in reversed(filters):
        if code == h5z.FILTER_FLETCHER32:
            content = content[:-_FLETCHER]
        elif code == h5z.FILTER_DEFLATE:
            unpacking = zlib.decompressobj()
            try:
                content = unpacking.decompress(content, size + _FLETCHER + 1)
            except zlib.error:
                content = b""
            if not unpacking.eof:
                content = b""
    if len(content) != size:
        raise VadoseError(asked, f"The chunk at {piece.chunk} is damaged", "Repeat the command later")


def _write(
    path: Path,
    held: Sequence[_Dataset],
    attributes: dict[str, tuple[_Attribute, ...]],
    contents: Sequence[Sequence[bytes]],
) -> None:
    """Write a file of its own, on the disk when this returns."""
    with h5py.File(path, "w") as target:
        for group, own in attributes.items():
            _tell(target.require_group(group).id, own)
        for one, parts in zip(held, contents, strict=True):
            new = h5d.create(target.id, one.path.encode(), one.type, one.space, one.properties)
            _fill(new, one, parts)
            _tell(new, one.attributes)
        for one in held:
            for axis, scales in enumerate(one.scales):
                for scale in scales:
                    h5ds.attach_scale(target[one.path].id, target[scale].id, axis)
        target.flush()
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _fill(new: h5d.DatasetID, one: _Dataset, parts: Sequence[bytes]) -> None:
    for piece, stored in zip(one.pieces, parts, strict=True):
        if piece.chunk is None:
            values = np.frombuffer(stored, one.type.dtype).reshape(new.shape)
            new.write(h5s.ALL, h5s.ALL, values, one.type)
        else:
            new.write_direct_chunk(piece.chunk, stored, piece.mask)
    if one.compact is not None:
        new.write(h5s.ALL, h5s.ALL, one.compact, one.type)


def _tell(one: h5g.GroupID | h5d.DatasetID | h5f.FileID, attributes: Iterable[_Attribute]) -> None:
    for attribute in attributes:
        new = h5a.create(one, attribute.name, attribute.type, attribute.space)
        if attribute.value is not None:
            new.write(attribute.value, _as_stored(attribute.value, attribute.type))


_REPORT = "It is damaged, or no granule of the product: report it to the catalogue"
