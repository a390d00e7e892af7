"""Output paths of commands: checked before the work, locked during it, and never overwritten by another command."""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadose.errors import VadoseError
from vadose.io.atomic import recover
from vadose.io.locks import alone_at, alone_in, exclusive_lock

RESULTS = {
    "world.json": "simulate make",
    "declaration.json": "samples",
    "insitu.json": "samples convert-ismn",
    "experiment.json": "train",
    "ablation.json": "ablate",
    "scorecard.json": "evaluate",
    "plan.json": "map",
    "collection.json": "map",
    "daily.json": "map --daily",
    "vadose.lock": "fetch",
    "inputs.json": "export",
}
"""File that identifies the folder of a result, and the command that writes it."""
_MARK = re.compile(rb"vadose-request ([a-z0-9 -]+) ([0-9a-f]{16})")
_READ = 1 << 18
"""Bytes at either end of a file in which its mark is searched."""


@dataclass(frozen=True)
class Request:
    """A command with its arguments; its results carry its mark, and only the same request may replace them.

    Attributes:
        command: its words.
        digest: checksum of its arguments.
    """

    command: str
    digest: str

    @classmethod
    def of(cls, command: str, out: Path, **asked: Any) -> "Request":
        """Return the request of a command; paths are relative to its output, so that all of it may be moved.

        Args:
            command: its words.
            out: output path.
            asked: its other arguments.
        """
        start = out.parent.resolve()

        def as_text(value: Any) -> str:
            return os.path.relpath(value.resolve(), start) if isinstance(value, Path) else repr(value)

        text = json.dumps(asked, sort_keys=True, default=as_text)
        return cls(command, hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16])

    @property
    def mark(self) -> str:
        """Return the metadata of the request in a result."""
        return f"vadose-request {self.command} {self.digest}"

    def require_own(self, path: Path) -> None:
        """Verify that a file is missing, or was made by this request.

        Raises:
            VadoseError: another request or another program made it; it is kept.
        """
        if not path.exists():
            return
        made_by = _made_by(path)
        if made_by == (self.command, self.digest):
            return
        if made_by is None:
            found = f"{path} was not made by this command"
        elif made_by[0] == self.command:
            found = f"{path} was made by 'vadose {self.command}' with other arguments"
        else:
            found = f"{path} was made by 'vadose {made_by[0]}'"
        raise self._refused(path, found, "Remove it, or name another --out")

    @contextmanager
    def file(self, path: Path, others: Collection[Path] = ()) -> Iterator[Path]:
        """Lock a file that is to be written.

        Args:
            path: path of the file.
            others: files that are written with it; leftovers of killed processes beside them are removed.

        Yields:
            The path, its folder without links.

        Raises:
            VadoseError: the path is not writable, locked by another process, or occupied by something else.
        """
        self.require_place(path, folder=False)
        with alone_at(path) as held:
            for one in (held, *others):
                self.require_own(one)
            for one in others:
                recover(one)
            yield held

    @contextmanager
    def store(self, path: Path, marked: str) -> Iterator[Path]:
        """Lock a folder that is to be written, or replaced, as a whole.

        Args:
            path: path of the folder.
            marked: the file in it that carries the mark.

        Yields:
            The path without links.

        Raises:
            VadoseError: as `file`.
        """
        self.require_place(path, folder=True)
        with alone_at(path) as held:
            self.require_own(held / marked)
            yield held

    @contextmanager
    def files(self, folder: Path, names: Collection[str], marked: str) -> Iterator[Path]:
        """Lock a folder in which some files are to be written together.

        Args:
            folder: folder of the files.
            names: names of all files.
            marked: the one that carries the mark.

        Yields:
            The folder without links.

        Raises:
            VadoseError: as `file`, or the folder contains the result of another command.
        """
        self.require_place(folder, folder=True)
        self.require_no_other(folder, [marked])
        with alone_in(folder, names) as held:
            there = [held / name for name in names if os.path.lexists(held / name)]
            if there:
                self.require_own(held / marked)
            if there and not (held / marked).exists():
                raise self._refused(folder, f"{there[0]} was not made by this command", "Name another --out")
            yield held

    @contextmanager
    def folder(self, folder: Path, own: Collection[str], read_only: Collection[str] = ()) -> Iterator[Path]:
        """Lock a folder that is filled step by step and may be resumed.

        Args:
            folder: folder to be filled.
            own: files of `RESULTS` that this command makes; without the first of them, none belongs to it.
            read_only: names that may be links, see `exclusive_lock`.

        Yields:
            The folder without links.

        Raises:
            VadoseError: as `files`.
        """
        self.require_place(folder, folder=True)
        self.require_no_other(folder, own)
        with exclusive_lock(folder, read_only) as held:
            yield held

    def require_no_other(self, folder: Path, own: Collection[str]) -> None:
        """Verify that a folder contains no result of another command.

        Raises:
            VadoseError: it does.
        """
        first = next(iter(own), "")
        mine = own if (folder / first).exists() else [first]
        for name, command in RESULTS.items():
            if name not in mine and os.path.lexists(folder / name):
                found = f"It contains {name}, a result of 'vadose {command}'"
                raise self._refused(folder, found, "Name another --out")

    def require_place(self, path: Path, folder: bool) -> None:
        """Verify that a file or a folder is writable, as far as this can be known in advance.

        Raises:
            VadoseError: the other kind exists there, a parent is a file, a name is too long, or nothing can be written
                there.
        """
        nearest = next(one for one in (path, *path.absolute().parents) if os.path.lexists(one))
        where = nearest if nearest.is_dir() else nearest.parent
        if longest := _too_long(path, where):
            raise self._refused(path, f"The name is too long, {longest}", "Give a shorter one")
        if path.exists() and not (path.is_dir() if folder else path.is_file()):
            there = "a folder" if path.is_dir() else "a file or a device"
            raise self._refused(path, f"It is {there}", f"Name a {'folder' if folder else 'file'} for --out")
        if nearest != path and not nearest.is_dir():
            raise self._refused(path, f"{nearest} is a file", "Choose a path whose parents are folders")
        if not os.access(where, os.W_OK | os.X_OK):
            raise self._refused(path, f"Nothing can be written into {where}", "Choose a writable path")

    def _refused(self, path: Path, found: str, remedy: str) -> VadoseError:
        return VadoseError(f"{self.command.split()[0]}: writing {path}", found, remedy)


def _made_by(path: Path) -> tuple[str, str] | None:
    with path.open("rb") as file:
        content = file.read(_READ)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _READ, 0))
        found = _MARK.search(content) or _MARK.search(file.read(_READ))
    return (found[1].decode(), found[2].decode()) if found else None


def _too_long(path: Path, where: Path) -> str:
    """Return the length of a name that the file system does not accept; "" if all are short enough."""
    most_name, most_path = os.pathconf(where, "PC_NAME_MAX"), os.pathconf(where, "PC_PATH_MAX")
    for part in path.parts:
        if len(os.fsencode(part)) > most_name:
            return f"{len(os.fsencode(part))} bytes where {most_name} are possible"
    whole = len(os.fsencode(path.absolute()))
    return f"{whole} bytes where {most_path} are possible" if whole >= most_path else ""
