"""Stored index of the entries of a lock: entries that did not change are not read again."""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from itertools import chain, groupby, islice
from pathlib import Path

from vadose.io.atomic import atomic_write
from vadose.sources.kept_scan import Stamp

NAME = "index.jsonl"
"""File name in the folder of the entries."""
_SETTLED_NS = 2_000_000_000
"""Files that changed less than this before they were read are read again: clocks of file systems are coarse."""
Key = tuple[str, ...]
"""By which entries are sorted and told apart."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class EntryVersion:
    """What tells an entry from another version of it.

    Attributes:
        digest: of the entry.
        updated: as in `Entry`.
        files: checksum of what is recorded of its files.
        simulated: whether it is of a simulated Earth.
        names: of its files, if these are not of an item.
        published: date of these files in the catalogue; empty where it states none.
    """

    digest: str
    updated: str
    files: str
    simulated: bool
    names: tuple[str, ...] = ()
    published: str = ""


@dataclass(frozen=True)
class IndexedEntry:
    """An entry of an archive, without its contents.

    Attributes:
        name: path of its file in the folder of the entries.
        stamp: of that file.
        key: of the entry.
        version: of the entry.
    """

    name: str
    stamp: Stamp
    key: Key
    version: EntryVersion

    @property
    def item(self) -> Key:
        """By which the windows of one item are told from those of others."""
        return self.key[:-1]

    def line(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps([self.name, *astuple(self.stamp), self.key, *astuple(self.version)])

    @classmethod
    def of_line(cls, line: str) -> "IndexedEntry":
        """Read a line.

        Raises:
            ValueError, TypeError: it is none.
        """
        name, modified, size, key, digest, updated, files, simulated, names, published = json.loads(line)
        version = EntryVersion(digest, updated, files, simulated, tuple(names), published)
        return cls(name, Stamp(modified, size), tuple(key), version)


@dataclass(frozen=True)
class LockIndex:
    """Entries of an archive as they were at some time.

    Attributes:
        entries: sorted by key.
        taken: time, ns since 1970.
        lock: stamp of the lock that has one line for each entry, in order; None if there is none.
    """

    entries: tuple[IndexedEntry, ...] = ()
    taken: int = 0
    lock: Stamp | None = None

    @property
    def settled(self) -> dict[str, IndexedEntry]:
        """The entries by name whose stamps would differ if their files had changed since."""
        return {one.name: one for one in self.entries if one.stamp.modified < self.taken - _SETTLED_NS}

    def versions(self) -> dict[Key, EntryVersion]:
        """Return the version of each entry."""
        return {one.key: one.version for one in self.entries}

    def items(self) -> Iterator[tuple[Key, list[IndexedEntry]]]:
        """Yield the entries of each item."""
        return ((item, list(held)) for item, held in groupby(self.entries, lambda one: one.item))


def read_index(path: Path, form: str) -> LockIndex:
    """Read a stored index; an empty one if it is missing, damaged or of another form.

    Args:
        path: of the index.
        form: of the entries.
    """
    try:
        with path.open(encoding="utf-8") as file:
            head = json.loads(file.readline())
            entries = tuple(map(IndexedEntry.of_line, file))
        if (head["form"], head["entries"]) != (form, len(entries)):
            raise ValueError("it is truncated, or of other code")
        return LockIndex(entries, int(head["taken"]), Stamp(*head["lock"]))
    except FileNotFoundError:
        return LockIndex()
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        _LOG.info("The index %s is made anew: %s", path, error)
        return LockIndex()


def write_index(path: Path, form: str, index: LockIndex) -> None:
    """Store the index of a lock."""
    stamp = None if index.lock is None else astuple(index.lock)
    head = json.dumps({"form": form, "entries": len(index.entries), "taken": index.taken, "lock": stamp})
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in chain([head], (one.line() for one in index.entries)))


def unchanged_lines(
    index: LockIndex, stored: LockIndex, lines: Iterable[str]
) -> Iterator[tuple[list[IndexedEntry], list[str] | None]]:
    """Yield the entries of each item with their lines in the lock of before; None if one of these entries changed.

    Args:
        index: entries of now.
        stored: entries of the lock of before.
        lines: of that lock, one for each of its entries.
    """
    settled, read = stored.settled, iter(lines)
    before = ((item, held, list(islice(read, len(held)))) for item, held in stored.items())
    held = next(before, None)
    for item, entries in index.items():
        while held is not None and held[0] < item:
            held = next(before, None)
        same = held is not None and held[1] == entries and all(one.name in settled for one in entries)
        yield entries, held[2] if held is not None and same and len(held[2]) == len(entries) else None
