"""Files of an ISMN archive, packed or unpacked, each opened once and none outside the archive."""

import hashlib
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from vadose.errors import VadoseError
from vadose.insitu.frm import FOLDER, TABLE
from vadose.insitu.headers import decoded, malformed, without_mark
from vadose.io.folders import walk

DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Errors of reading a damaged file."""

LARGEST_BYTES = 4 * 2**30
"""Largest size of a data file: one reading per minute for forty years in the CEOP layout is 3 GB."""

_LONGEST_LINE_BYTES = 2**16
"""Largest length of a first line."""

_LARGEST_RATIO, _FREE_OF_IT_BYTES = 200, 10 * 2**20
_ENCRYPTED = 1
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class ArchiveReader:
    """Data files of an ISMN archive and the tables of its stations, by their paths in it.

    Picklable; another process opens the archive again.

    Attributes:
        archive: a zip file, or a folder with files at any depth.
    """

    archive: Path

    def __getstate__(self) -> dict[str, Any]:
        return {"archive": self.archive}

    @property
    def data(self) -> tuple[str, ...]:
        """Return data files (.stm), sorted.

        Raises:
            VadoseError: the archive is neither a folder nor a zip file, or a path in it leads out of it.
        """
        return self._named(".stm")

    @property
    def tables(self) -> tuple[str, ...]:
        """Return tables of static variables (.csv), sorted."""
        return self._named("_static_variables.csv")

    @property
    def frm_tables(self) -> tuple[str, ...]:
        """Return tables that may have FRM classes, the ismn package's metadata first."""
        kept = [path for path in self._named(".csv") if PurePosixPath(path).parent.name == FOLDER]
        return (*kept, *self._named(TABLE))

    @cached_property
    def digest(self) -> str:
        """Return a checksum of the list of files: path, size, and in a zip file the checksum of each, elsewhere its
        age.
        """
        checksum = hashlib.sha256()
        for path in self._paths:
            packed, file = self._zip, self.archive / path
            entry = packed.getinfo(path) if packed else None
            checksum.update(
                repr((path, entry.file_size, entry.CRC) if entry else (path, *_size_and_age(file))).encode()
            )
        return checksum.hexdigest()

    def read(self, path: str) -> bytes:
        """Return all bytes of a file.

        Raises:
            VadoseError: it is unreadable.
        """
        try:
            return self._zip.read(path) if self._zip else (self.archive / path).read_bytes()
        except DAMAGE as error:
            raise malformed(path, f"It cannot be read: {error}") from error

    def first_line(self, path: str) -> str:
        """Return the first non-blank line of a file, with any line ending and in any 8-bit encoding.

        Raises:
            VadoseError: the file is not text or is unreadable.
        """
        try:
            with self._zip.open(path) if self._zip else (self.archive / path).open("rb") as stream:
                start = stream.read(_LONGEST_LINE_BYTES)
        except DAMAGE as error:
            raise malformed(path, f"It cannot be read as text: {error}") from error
        return decoded(without_mark(path, start).lstrip().splitlines()[0] if start.strip() else b"")

    def _named(self, ending: str) -> tuple[str, ...]:
        return tuple(path for path in self._paths if path.endswith(ending))

    @cached_property
    def _paths(self) -> tuple[str, ...]:
        if self._zip:
            return _sorted(self._zip.namelist())
        return _sorted(path.relative_to(self.archive).as_posix() for path in walk(self.archive))

    @cached_property
    def _zip(self) -> zipfile.ZipFile | None:
        if self.archive.is_dir():
            return None
        try:
            packed = zipfile.ZipFile(self.archive)
        except (OSError, zipfile.BadZipFile) as error:
            there = self.archive.exists()
            found = "It is neither a folder nor a complete zip file" if there else "There is no such file or folder"
            raise VadoseError(
                f"ismn: the archive {self.archive}", found, "Give what was downloaded from ISMN"
            ) from error
        _check(self.archive, packed.infolist())
        return packed


def _size_and_age(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def _sorted(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(path for path in paths if not PurePosixPath(path).name.startswith(".")))


def _check(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive that was not packed by ISMN: nothing of it is read.

    Raises:
        VadoseError: a path leads out of it or is repeated, or a file is a link or has an enormous stated size.
    """
    seen: set[str] = set()
    for member in members:
        fault = "Its path is repeated" if member.filename in seen else _fault(member)
        if fault:
            raise VadoseError(
                f"ismn: {member.filename[:200]!r} in {archive}",
                fault,
                "Nothing of the archive was read; download it again from ISMN, or unpack it with its password",
            )
        seen.add(member.filename)


def _fault(member: zipfile.ZipInfo) -> str:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(member.filename) or "\0" in member.orig_filename:
        return "Its path leads out of the archive"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "It is a link, not a file"
    if member.flag_bits & _ENCRYPTED:
        return "It is encrypted"
    enormous = member.file_size > max(_LARGEST_RATIO * member.compress_size, _FREE_OF_IT_BYTES)
    if enormous or member.file_size > LARGEST_BYTES:
        return f"Its stated size is {member.file_size} bytes, packed into {member.compress_size}"
    return ""
