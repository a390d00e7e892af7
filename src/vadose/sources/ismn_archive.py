"""The data files of an ISMN archive, packed or unpacked."""

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from vadose.refusal import Refusal
from vadose.sources.stm import malformed

DAMAGE = (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged file raises."""


@dataclass(frozen=True)
class Files:
    """Data files by their paths in the archive, and how to open one.

    Attributes:
        paths: of every data file, sorted, with slashes.
        open: gives the bytes of one.
    """

    paths: tuple[str, ...]
    open: Callable[[str], IO[bytes]]

    def first_line(self, path: str) -> str:
        """The first line of a file, whatever ends it.

        Raises:
            Refusal: the file is no text or cannot be read.
        """
        try:
            with self.open(path) as stream, io.TextIOWrapper(stream, encoding="utf-8") as text:
                return text.readline()
        except DAMAGE as error:
            raise malformed(path, f"It cannot be read as text: {error}") from error


@contextmanager
def opened(archive: Path) -> Iterator[Files]:
    """The data files (.stm) of a zip archive, or of a folder and the folders in it.

    Raises:
        Refusal: `archive` is neither, or a path in it leads out of it.
    """
    if archive.is_dir():
        files = (Path(folder, name) for folder, _, names in os.walk(archive, followlinks=True) for name in names)
        paths = (path.relative_to(archive).as_posix() for path in files)
        yield Files(_data_files(paths), lambda path: (archive / path).open("rb"))
        return
    try:
        packed = zipfile.ZipFile(archive)
    except (OSError, zipfile.BadZipFile) as error:
        found = "It is neither a folder nor a whole zip file" if archive.exists() else "There is no such file or folder"
        raise Refusal(f"ismn: the archive {archive}", found, "Give what was downloaded from ISMN") from error
    with packed:
        yield Files(_data_files(packed.namelist()), packed.open)


def _data_files(paths: Iterable[str]) -> tuple[str, ...]:
    named = [PurePosixPath(path) for path in paths]
    data = [path for path in named if path.suffix == ".stm" and not path.name.startswith(".")]
    for path in data:
        if path.is_absolute() or ".." in path.parts:
            raise malformed(str(path), "Its path leads out of the archive")
    return tuple(sorted(map(str, data)))
