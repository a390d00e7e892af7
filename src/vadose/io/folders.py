"""Walk through the folders of an archive, the same for every source."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path


def walk(folder: Path, unread: Callable[[Path, str], None] | None = None) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders, sorted by name within each folder.

    Links are followed. A folder is entered once, by device and inode, so that circular links end and a folder linked
    twice counts once. Hidden names are skipped, and Zarr stores, which contain no products. A broken link counts as a
    file: its reader reports it.

    Args:
        folder: start of the walk.
        unread: called with each unlistable folder and each pipe, socket or device, and the reason.
    """
    skip = unread or (lambda *_: None)
    entered: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            status = place.stat()
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(place) as listed:
                entries = sorted((one for one in listed if not one.name.startswith(".")), key=lambda one: one.name)
        except OSError as error:
            skip(place, f"It cannot be listed ({error})")
            continue
        if _ZARR & {entry.name for entry in entries}:
            continue
        folders = []
        for entry in entries:
            path = Path(entry.path)
            if _holds(entry.is_dir):
                folders.append(path)
            elif _holds(entry.is_file) or (kind := _kind(path)) not in _ODD:
                yield path
            else:
                skip(path, f"It is a {_ODD[kind]}, not a regular file")
        waiting += reversed(folders)


_ZARR = {"zarr.json", ".zgroup", ".zarray"}
_ODD = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


def _holds(test: Callable[[], bool]) -> bool:
    """Return whether an entry is of a type; a link to itself is of none."""
    try:
        return test()
    except OSError:
        return False


def _kind(path: Path) -> int:
    """Return the file type of a path's target; of a broken link, that of the link itself."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return stat.S_IFLNK


def relative(path: Path, folder: Path) -> str:
    """Return a path as shown in lists: relative to a folder if inside it."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else os.fspath(path)
