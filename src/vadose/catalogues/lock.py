"""The lock of a fetched archive: where each of its files came from, and in which version."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from vadose.catalogues.lock_index import NAME as INDEX
from vadose.catalogues.lock_index import (
    EntryVersion,
    IndexedEntry,
    Key,
    LockIndex,
    read_index,
    unchanged_lines,
    write_index,
)
from vadose.errors import VadoseError
from vadose.io.atomic import atomic_write
from vadose.io.files import read_json, sha256, write_json
from vadose.sources.kept_scan import Stamp

NAME = "vadose.lock"
_ENTRIES = ".vadose-lock"
_FORMAT = 1
_NEWER = frozenset({"published", "available_at", "available_by", "overview_m", "scene_geometry"})
_ID = 2
"""Place of the identifier in a key."""
_START = ' "entries": ['
"""Line before those of the entries."""
_END_OF_HEAD = "\n}"
_VERSION = 12
"""Characters of a digest that tell versions of an item apart."""
_HINT = "Fetch again without --locked"


@dataclass(frozen=True)
class LockedFile:
    """A file of the archive and the remote file that it is a window of.

    Attributes:
        path: in the archive.
        sha256: of the file in the archive.
        address: of the remote file, without its query.
        size: of the remote file, bytes.
        etag: of the remote file; its time of modification where the server gives no ETag.
        window: top, bottom, left and right in the pixels of the remote file; None for a whole file.
        checksum: of the remote file, as the catalogue states it.
        parts: address, size and ETag of further remote files that it was made of.
    """

    path: str
    sha256: str
    address: str
    size: int
    etag: str
    window: tuple[int, int, int, int] | None = None
    checksum: str | None = None
    parts: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True)
class Entry:
    """An item or a granule of the archive.

    Attributes:
        source: that reads it.
        catalogue: name of the catalogue.
        collection, id: in the catalogue.
        updated: when the catalogue last changed it, as it says; empty where it does not.
        place: tells the windows of one item from each other; empty for a whole file.
        files: of it.
        original: the item as the catalogue gave it, addresses without their queries; empty for a granule.
        bands: that were fetched.
        asked: checksum of the places and bands that were asked for.
        published: earliest date in the catalogue, UTC; empty where it states none.
        available_at: when it could be had, UTC; empty of a source that does not change.
        available_by: "catalogue" where that is `published`, "latency" where it is by the latency of the source: see
            `sources.published`.
        overview_m: largest pixel size of the overviews that its windows count pixels of, m; None of full resolution.
        scene_geometry: whether its item states the ground of its whole scene, as sparse history needs it.
    """

    source: str
    catalogue: str
    collection: str
    id: str
    updated: str
    place: str
    files: tuple[LockedFile, ...]
    original: Mapping[str, Any] = field(default_factory=dict)
    bands: tuple[str, ...] = ()
    asked: str = ""
    published: str = ""
    available_at: str = ""
    available_by: str = ""
    overview_m: float | None = None
    scene_geometry: bool = False

    @property
    def key(self) -> Key:
        """By which entries are sorted and told apart."""
        return self.source, self.collection, self.id, self.place

    def describe(self) -> dict[str, Any]:
        """Return its contents for JSON; what is as by default and newer than old locks is left out."""
        return {name: value for name, value in asdict(self).items() if name not in _NEWER or value}

    @property
    def digest(self) -> str:
        """Checksum of its metadata in the catalogue: it changes with each processing or cataloguing."""
        return digest_of(self.original, self.updated)

    @property
    def version(self) -> EntryVersion:
        """What tells it from another version of it."""
        files = hashlib.sha256(repr(self.files).encode()).hexdigest()
        simulated = bool(self.original.get("properties", {}).get("vadose:simulated"))
        names = () if self.original else tuple(Path(one.path).name for one in self.files)
        return EntryVersion(self.digest, self.updated, files, simulated, names, self.published if names else "")

    def of_item(self, other: "Entry") -> bool:
        """Return whether another entry is of the same version of the same item."""
        return self.key[:-1] == other.key[:-1] and self.original == other.original


_FORM = repr([_FORMAT, *(one.name for kind in (Entry, LockedFile, EntryVersion) for one in fields(kind))])
"""What a stored index and the lines of a lock depend on."""


def digest_of(original: Mapping[str, Any], updated: str) -> str:
    """Checksum of an item as its catalogue gives it."""
    return hashlib.sha256(json.dumps([original, updated], sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Lock:
    """All entries of an archive.

    Attributes:
        folder: of the archive.
    """

    folder: Path
    _known: dict[str, IndexedEntry] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries whose files are complete, one at a time: an archive may hold a hundred thousand."""
        held = map(self._read, sorted((self.folder / _ENTRIES).glob("*/*.json")))
        return (entry for entry in held if entry is not None)

    def index(self) -> LockIndex:
        """Return the entries without their contents; files that were not changed since are not read again."""
        taken = time.time_ns()
        if not self._known:
            self._known.update(self._stored().settled)
        root = self.folder / _ENTRIES
        found = (self._indexed(path.relative_to(root).as_posix(), path) for path in root.glob("*/*.json"))
        return LockIndex(tuple(sorted((one for one in found if one), key=lambda one: one.key)), taken)

    def read(self, key: Key) -> Entry | None:
        """Return the entry of a key, if there is one."""
        return self._read(self._path(key))

    def versions(self) -> dict[str, str]:
        """Return the version of each item and file by name: the first characters of the digest of its entry.

        Windows of an item that come from several versions of it have all of these, in order.
        """
        found: dict[str, set[str]] = {}
        for one in self.index().entries:
            for name in {one.key[_ID], *one.version.names}:
                found.setdefault(name, set()).add(one.version.digest[:_VERSION])
        return {name: "+".join(sorted(digests)) for name, digests in found.items()}

    def entries_of(self, source: str, collection: str, name: str) -> tuple[Entry, ...]:
        """Return the entries of one item."""
        start = (self.folder / _ENTRIES / _folder_name((source, collection, name))).glob("*.json")
        held = (self._read(path) for path in sorted(start))
        return tuple(entry for entry in held if entry is not None)

    def keep(self, entry: Entry) -> None:
        """Record an entry, after all of its files."""
        path = self._path(entry.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, entry.describe())
        self._know(path.relative_to(self.folder / _ENTRIES).as_posix(), Stamp.of(path), entry)

    def drop(self, entry: Entry) -> None:
        """Forget an entry, before its files are changed."""
        self._path(entry.key).unlink(missing_ok=True)

    def write(self, states: Mapping[str, Any], asked: Mapping[str, Any]) -> LockIndex:
        """Write the lock: the same text for the same entries, whatever the order in which they came.

        Each entry is a line; of an item with several windows the first one alone states the item. Lines of entries that
        did not change are those of the lock of before.

        Args:
            states: of each source, and why some are missing.
            asked: what was fetched.

        Returns:
            The entries.
        """
        path, index, stored = self.folder / NAME, self.index(), self._stored()
        head = json.dumps(
            {"vadose_lock": _FORMAT, "asked": dict(asked), "sources": dict(states)}, indent=1, sort_keys=True
        )
        written: list[IndexedEntry] = []
        with (
            self._lines(stored) as before,
            atomic_write(path) as temporary,
            temporary.open("w", encoding="utf-8") as file,
        ):
            file.write(f"{head.removesuffix(_END_OF_HEAD)},\n{_START}")
            for entries, lines in unchanged_lines(index, stored, before):
                for entry, line in zip(entries, lines, strict=True) if lines else self._described(entries):
                    file.write((",\n" if written else "\n") + line.rstrip(",\n"))
                    written.append(entry)
            file.write("\n]}\n")
        made = LockIndex(tuple(written), index.taken, Stamp.of(path))
        write_index(self.folder / _ENTRIES / INDEX, _FORM, made)
        return made

    def holds(self, entry: Entry, verified: bool = False) -> bool:
        """Return whether the files of an entry are there as they were recorded.

        Args:
            entry: of the archive.
            verified: whether the content of each is read; else of those alone that changed after the entry was written.
        """
        try:
            written = self._path(entry.key).stat().st_mtime_ns
            return all(self._holds(one, None if verified else written) for one in entry.files)
        except OSError:
            return False

    def _holds(self, one: LockedFile, written: int | None) -> bool:
        path = self.folder / one.path
        unchanged = written is not None and path.is_file() and path.stat().st_mtime_ns <= written
        return unchanged or sha256(path) == one.sha256

    def _described(self, entries: Iterable[IndexedEntry]) -> Iterator[tuple[IndexedEntry, str]]:
        """Yield the lines of the entries of one item."""
        before: Entry | None = None
        for one in entries:
            entry = self.read(one.key)
            if entry is not None:
                same = before is not None and entry.of_item(before)
                yield one, json.dumps(entry.describe() | ({"original": None} if same else {}), sort_keys=True)
                before = entry

    @contextmanager
    def _lines(self, stored: LockIndex) -> Iterator[Iterator[str]]:
        """Hold the lines of the entries of the lock; none if it is another one than that of an index."""
        path = self.folder / NAME
        if stored.lock is None or Stamp.of(path) != stored.lock:
            yield iter(())
            return
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line == f"{_START}\n":
                    break
            yield file

    def _stored(self) -> LockIndex:
        return read_index(self.folder / _ENTRIES / INDEX, _FORM)

    def _indexed(self, name: str, path: Path) -> IndexedEntry | None:
        stamp, known = Stamp.of(path), self._known.get(name)
        if known is None or known.stamp != stamp:
            entry = self._read(path)
            known = None if entry is None else self._know(name, stamp, entry)
        return known

    def _know(self, name: str, stamp: Stamp | None, entry: Entry) -> IndexedEntry | None:
        if stamp is None:
            return None
        self._known[name] = IndexedEntry(name, stamp, entry.key, entry.version)
        return self._known[name]

    def _read(self, path: Path) -> Entry | None:
        try:
            return entry_of(read_json(path))
        except (VadoseError, TypeError, KeyError, ValueError):  # of another version, or damaged: fetched again
            return None

    def _path(self, key: tuple[str, ...]) -> Path:
        return self.folder / _ENTRIES / _folder_name(key[:3]) / f"{_folder_name(key)}.json"


def _folder_name(key: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]


def read_lock(path: Path) -> tuple[Entry, ...]:
    """Read the entries of a lock file.

    Raises:
        VadoseError: it is none.
    """
    content = read_json(path, f"lock: {path}", _HINT)
    try:
        if content["vadose_lock"] != _FORMAT:
            raise ValueError(f"format {content['vadose_lock']}")
        entries: list[Entry] = []
        for one in content["entries"]:
            stated = one if one["original"] is not None else {**one, "original": entries[-1].original}
            entries.append(entry_of(stated))
        return tuple(entries)
    except (TypeError, LookupError, ValueError) as error:
        raise VadoseError(f"lock: {path}", f"It is no lock of an archive ({error})", _HINT) from error


def entry_of(content: Mapping[str, Any]) -> Entry:
    """Read an entry from decoded JSON.

    Raises:
        TypeError, KeyError, ValueError: it is none.
    """
    files = tuple(
        LockedFile(
            **{
                **one,
                "window": _window_of(one["window"]),
                "parts": tuple((str(name), int(size), str(etag)) for name, size, etag in one["parts"]),
            }
        )
        for one in content["files"]
    )
    for one in files:
        if not one.path or Path(one.path).is_absolute() or ".." in Path(one.path).parts:
            raise ValueError(f"a path that leaves the archive: {one.path}")
    return Entry(**{**content, "files": files, "bands": tuple(content["bands"])})


def _window_of(stated: Sequence[int] | None) -> tuple[int, int, int, int] | None:
    if stated is None:
        return None
    top, bottom, left, right = map(int, stated)
    if not (0 <= top < bottom and 0 <= left < right):
        raise ValueError(f"a window of no pixels: {list(stated)}")
    return top, bottom, left, right


def locked(folder: Path, path: Path, **remote: Any) -> LockedFile:
    """Describe a file of an archive.

    Args:
        folder: of the archive.
        path: of the file.
        remote: attributes of `LockedFile` besides path and checksum.
    """
    return LockedFile(path.relative_to(folder).as_posix(), sha256(path), **remote)


def differences(before: LockIndex, now: LockIndex) -> Iterator[str]:
    """Yield what differs between the entries of an archive before and now, a line each."""
    held, found = before.versions(), now.versions()
    for key in sorted({*held, *found}):
        name = " ".join(part for part in key if part)
        if key not in found:
            yield f"{name}: removed"
        elif key not in held:
            yield f"{name}: new"
        elif held[key].digest != found[key].digest:
            yield f"{name}: catalogued again ({held[key].updated or 'unknown'}, now {found[key].updated or 'unknown'})"
        elif held[key].files != found[key].files:
            yield f"{name}: its files changed"
