"""Scan of an archive: items and granules of its files, found once and shared by all sources."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vadose.errors import VadoseError
from vadose.io.folders import relative, walk
from vadose.io.paths import StrPath
from vadose.registry import GranuleNaming, source_specs
from vadose.sources import kept_scan
from vadose.sources.granule_names import name_of
from vadose.sources.item_files import holds_items, items_of
from vadose.sources.kept_scan import File, FoundGranule, FoundItem, Stamp
from vadose.sources.left_out import Unfit
from vadose.sources.published import read_dates
from vadose.sources.stac import SOURCE_OF, parse, product_of, require_allowed, source_of_item

_SETTLED_NS = 2 * 10**9
"""Nanoseconds after a change within which a file may change again without another modification time."""


@dataclass(frozen=True, eq=False)
class ArchiveScan:
    """A folder of products, scanned at the first request; sources that are opened in one `ArchiveScan` share the scan.

    Attributes:
        folder: absolute.
    """

    folder: Path

    @classmethod
    def of(cls, archive: "StrPath | ArchiveScan") -> "ArchiveScan":
        """Return an archive, or the one in a folder.

        Raises:
            VadoseError: the folder is missing.
        """
        if isinstance(archive, ArchiveScan):
            return archive
        folder = Path(os.path.abspath(archive))  # noqa: PTH100 (keeps links, unlike resolve)
        if not folder.is_dir():
            raise VadoseError(f"archive: {archive}", "There is no such folder", "Give the folder of the archive")
        return cls(folder)

    def items(self) -> Iterator[tuple[Path, FoundItem]]:
        """Return items, and unreadable files that should contain some, in the order of the walk."""
        for place, file in self._scanned[0].items():
            yield from ((self.folder / place, item) for item in file.items)

    def granules(self, source: str) -> Iterator[tuple[Path, int, FoundGranule]]:
        """Return granules of a source with their modification times (ns), and similar files that are not read."""
        for place, file in self._scanned[0].items():
            for granule in file.granules:
                if granule.source == source:
                    yield self.folder / place, file.stamp.modified if file.stamp else 0, granule

    @property
    def skipped(self) -> tuple[tuple[Path, str], ...]:
        """Return unlistable folders, pipes, sockets and devices, with the reason."""
        return self._scanned[1]

    @cached_property
    def dates(self) -> Mapping[str, np.datetime64]:
        """Return the catalogue's dates of its granules, by file name."""
        return read_dates(self.folder)

    @cached_property
    def _scanned(self) -> tuple[Mapping[str, File], tuple[tuple[Path, str], ...]]:
        """Return the files of sources, by their path in the archive; unchanged ones are not read again."""
        settled = time.time_ns() - _SETTLED_NS
        held = kept_scan.read(self.folder)
        namings = tuple(spec.granules for spec in source_specs() if spec.granules)
        skipped: list[tuple[Path, str]] = []
        files: dict[str, File] = {}
        for path in walk(self.folder, lambda path, reason: skipped.append((path, reason))):
            place = relative(path, self.folder)
            file = held.get(place)
            if file is None or file.stamp != Stamp.of(path):
                file = _look(path, self.folder, namings, settled)
            if file is not None:
                files[place] = file
        kept_scan.write(self.folder, held, files)
        return files, tuple(skipped)


def _look(path: Path, folder: Path, namings: tuple[GranuleNaming, ...], settled: int) -> File | None:
    """Return the role of a file for the sources; None without one."""
    granules = tuple(found for naming in namings if (found := _granule(path, folder, naming)))
    if not granules and not holds_items(path):
        return None
    stamp = Stamp.of(path)
    items, readable = _items(path) if holds_items(path) else ((), True)
    named = all(granule.name for granule in granules)
    return File(stamp, items, granules, keep=stamp is not None and stamp.modified < settled and readable and named)


def _granule(path: Path, folder: Path, naming: GranuleNaming) -> FoundGranule | None:
    try:
        name = name_of(path, folder, naming)
        if name is not None:
            path.stat()
        return FoundGranule(naming.source, name) if name is not None else None
    except Unfit as reason:
        return FoundGranule(naming.source, None, reason)
    except OSError as error:
        asked = f"{naming.source}: {path}"
        unread = Unfit("unreadable", asked, f"It cannot be read: {error}", "Restore or remove it")
        return FoundGranule(naming.source, None, unread)


def _items(path: Path) -> tuple[tuple[FoundItem, ...], bool]:
    """Return the items of a file, and whether it was readable."""
    try:
        return tuple(map(_found, items_of(path))), True
    except VadoseError as reason:
        return (FoundItem("", "", reason=Unfit("corrupt file", reason.context, reason.problem, reason.hint)),), False


def _found(item: Mapping[str, Any]) -> FoundItem:
    name, product = str(item.get("id")), ""
    try:
        product = product_of(item)
        require_allowed(item, product)
        return FoundItem(SOURCE_OF[product], name, product, parse(item))
    except Unfit as reason:
        return FoundItem(source_of_item(item), name, product, reason=reason)
