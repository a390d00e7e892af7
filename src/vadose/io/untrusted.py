"""Safe opening of untrusted files: no references to other files, addresses or code."""

import os
from collections.abc import Iterator
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import h5py

from vadose.errors import VadoseError
from vadose.io.files import Unreadable, read_json

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def netcdf_engine(path: Path, asked: str) -> str:
    """Return the xarray engine of a NetCDF or HDF5 file that contains its own data.

    Raises:
        VadoseError: it is neither, or its data are in other files.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except OSError as error:
        raise VadoseError(asked, f"It cannot be read ({error})", "Give NetCDF or HDF5") from error
    if magic == HDF5_MAGIC:
        require_own_data(path, asked)
    elif magic[:3] != b"CDF" or magic[3] not in (1, 2, 5):
        raise VadoseError(asked, "It is neither NetCDF nor HDF5", "Give a file of the format in its name")
    else:
        require_whole_classic(path, asked)
    return "netcdf4"


def require_whole_classic(path: Path, asked: str) -> None:
    """Verify that a NetCDF file of the classic formats is not truncated: the library reads zeros beyond its end.

    Raises:
        VadoseError: it ends before its variables, or its header is damaged.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            end = _ClassicHeader(file).end()
    except (EOFError, LookupError, ValueError, OverflowError) as error:
        raise VadoseError(asked, f"Its header is damaged ({error})", "Get the file again") from error
    if size < end:
        raise VadoseError(asked, f"It is truncated: {size:,} of {end:,} bytes are there", "Get the file again")


class _ClassicHeader:
    """Header of a classic NetCDF file (format specification of Unidata: CDF-1, CDF-2 and CDF-5)."""

    _SIZES: ClassVar[dict[int, int]] = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
    _MOST = 1 << 24

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._version = file.read(4)[3]

    def end(self) -> int:
        """Return the smallest size of a complete file, bytes."""
        counted = 8 if self._version == 5 else 4
        records = self._number(counted)
        records = 0 if records == 2 ** (8 * counted) - 1 else records  # being written: their number is unknown
        lengths = [self._dimension() for _ in self._list()]
        self._attributes()
        fixed, last, parts = 0, 0, list[int]()
        for _ in self._list():
            self._text()
            dims = [lengths[self._count()] for _ in range(self._few())]
            self._attributes()
            bytes_each = self._SIZES[self._number(4)]
            self._count()
            begin = self._number(4 if self._version == 1 else 8)
            varies = bool(dims) and dims[0] == 0
            content = prod(dims[1:] if varies else dims) * bytes_each
            if varies:
                last = max(last, begin + content)
                parts.append(content)
            else:
                fixed = max(fixed, begin + content)
        one_record = parts[0] if len(parts) == 1 else sum(-(-part // 4) * 4 for part in parts)
        return max(fixed, last + (records - 1) * one_record) if records else fixed

    def _dimension(self) -> int:
        self._text()
        return self._count()

    def _attributes(self) -> None:
        for _ in self._list():
            self._text()
            each = self._SIZES[self._number(4)]
            self._skip(each * self._few())

    def _list(self) -> range:
        self._number(4)
        return range(self._few())

    def _text(self) -> None:
        self._skip(self._few())

    def _few(self) -> int:
        count = self._count()
        if count > self._MOST:
            raise ValueError(f"a list of {count} entries")
        return count

    def _count(self) -> int:
        return self._number(8 if self._version == 5 else 4)

    def _skip(self, size: int) -> None:
        self._file.seek(-(-size // 4) * 4, os.SEEK_CUR)

    def _number(self, size: int) -> int:
        held = self._file.read(size)
        if len(held) < size:
            raise EOFError("it ends within the header")
        return int.from_bytes(held, "big")


def require_own_data(path: Path, asked: str) -> None:
    """Verify that an HDF5 file contains all of its data.

    Raises:
        VadoseError: it is damaged, or a link, a virtual dataset or an external storage in it names other files.
    """
    status = path.stat()
    fault = _fault(path, status.st_mtime_ns, status.st_size)
    if fault:
        raise VadoseError(asked, fault, "Write all of its data into the file itself")


@lru_cache(maxsize=4096)
def _fault(path: Path, modified: int, size: int) -> str:
    """Return why a file is not read; cached, as granules are opened for each window."""
    del modified, size
    with h5py.File(path, "r") as file:
        return next(_faults(file), "")


def _faults(file: h5py.File) -> Iterator[str]:
    seen = set[Any]()
    waiting = [file["/"]]
    while waiting:
        group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            kind = group.get(name, getlink=True)
            if isinstance(kind, h5py.ExternalLink):
                yield f"{where} is a link into another file, {kind.filename!r}"
            elif isinstance(kind, h5py.HardLink):
                held = group[name]
                if isinstance(held, h5py.Group):
                    waiting.append(held)
                elif isinstance(held, h5py.Dataset):
                    yield from _faults_of(held, where)


def _faults_of(dataset: h5py.Dataset, where: str) -> Iterator[str]:
    if dataset.is_virtual:
        yield f"{where} is a virtual dataset of other files"
    if dataset.external:
        yield f"{where} has its values in another file, {dataset.external[0][0]!r}"


def require_own_codecs(store: Path, asked: str) -> None:
    """Verify that reading a Zarr store runs no code, as the codec `pickle` does.

    Raises:
        VadoseError: its metadata are unreadable, or name such a codec.
    """
    names = {".zarray", ".zmetadata", "zarr.json"}
    for folder, _, files in os.walk(store):
        for name in sorted(names.intersection(files)):
            try:
                content = read_json(Path(folder, name), nan=True)
            except Unreadable as error:
                raise VadoseError(asked, error.problem, "Write the store again") from error
            if "pickle" in set(_codecs(content)):
                raise VadoseError(asked, f"{Path(folder, name)} names the codec pickle", "Write it with another codec")


def _codecs(content: Any) -> Iterator[str]:
    """Yield every possible codec name in Zarr's metadata."""
    waiting = [content]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict):
            yield from (str(held[key]).rpartition(".")[2] for key in ("id", "name") if key in held)
            waiting += held.values()
        elif isinstance(held, list):
            waiting += held
