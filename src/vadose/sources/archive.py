"""The items of an archive folder: found once, asked many times."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import shapely

from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period, nanoseconds
from vadose.io.folders import relative
from vadose.registry import LATENCY_DAYS
from vadose.sources.checks import check_item
from vadose.sources.item_files import holds_items
from vadose.sources.kept_scan import FoundItem, footprint
from vadose.sources.left_out import LeftOut, Unfit
from vadose.sources.records import Asset, ReplacedPart, SceneItem
from vadose.sources.replaced import all_replaced_at, remains, replaced_ground
from vadose.sources.scan import Archive
from vadose.sources.stac import ITEM_PRODUCTS, NOT_ALLOWED, SOURCE_OF
from vadose.sources.twins import APART, are_twins, newer, published_at, unrolled

Entry = tuple[SceneItem, Path]
"""A record, and the file that it was read from."""
OLDER = "older processing"
KEPT = f"{OLDER}, read only as of before the newer"
"""Kinds of what is left out for a newer processing: for good, or but for those who ask what was known before it."""


@dataclass(frozen=True, eq=False)
class Index:
    """What an archive holds of one product, as it was when the index was made.

    Attributes:
        folder: the archive.
        product: of the records, see `SceneItem`.
        records: sorted by time and id, with the file that each was read from.
        unread: the items and files that are not read for what their words say, each with the reason.
        twins: of a record the other processings of what it shows, where it is known when the newer ones came.
    """

    folder: Path
    product: str
    records: tuple[Entry, ...]
    unread: tuple[LeftOut, ...]
    twins: Mapping[SceneItem, tuple[Entry, ...]] = field(default_factory=dict)
    _renewing: frozenset[tuple[str | None, ...]] = field(init=False, repr=False)
    _tree: shapely.STRtree = field(init=False, repr=False)
    _names: Counter[tuple[Path, str]] = field(init=False, repr=False)
    _checked: dict[SceneItem, SceneItem | LeftOut] = field(init=False, repr=False, default_factory=dict)
    _parts: dict[SceneItem, tuple[LeftOut, ...]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tree", shapely.STRtree([footprint(record.bbox) for record, _ in self.records]))
        object.__setattr__(self, "_names", _remote_names(self.records))
        renewing = {
            _processing(record)
            for record, twins in self.twins.items()
            if record.window and any(newer(record, one) is record for one, _ in twins)
        }
        object.__setattr__(self, "_renewing", frozenset(renewing))

    @classmethod
    def of(cls, archive: Path | Archive, product: str) -> "Index":
        """Take the items of a product from the scan of an archive.

        An item that cannot be read is left out by name, and so is one whose newer processing lies there too: for good
        where it is not known when that came.

        Raises:
            VadoseError: the folder is not there.
        """
        archive = Archive.of(archive)
        gathered = _Gathered(archive.folder, product)
        for file, found in archive.items():
            gathered.add(file, found)
        for path, reason in archive.skipped:
            if path.is_dir() or holds_items(path):
                asked = f"{path}: reading it"
                gathered.failed(path, Unfit("not a readable file or folder", asked, reason, "Remove or mend it"))
        records, twins = gathered.without_twins()
        return cls(archive.folder, product, records, tuple(gathered.unread), twins)

    @property
    def source(self) -> str:
        """Name of the source that reads the product."""
        return SOURCE_OF[self.product]

    @property
    def times(self) -> list[np.datetime64]:
        """Return the times of the records."""
        return [record.time for record, _ in self.records]

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """All that is not read in hindsight: what `unread` holds, and what was asked for and found unfit."""
        return tuple(sorted({*self.unread, *self.unfit, *(part for parts in self._parts.values() for part in parts)}))

    def find(self, area: AreaOfInterest, period: Period | None, replaced: bool = False) -> tuple[SceneItem, ...]:
        """Return the records whose bounding box touches an area and whose time lies in a period (None: at any time).

        Their assets are the files that are there, with local paths. An item whose files contradict it is left out; see
        `left_out` and `check_item`.

        Args:
            area, period: what is asked.
            replaced: whether processings that a newer one has replaced since are among them.

        Raises:
            NoDataError: there is none; the message says what there is.
        """
        over = [self.records[i] for i in sorted(self._tree.query(area.geometry, predicate="intersects"))]
        found = [(record, file) for record, file in over if period is None or record.time in period]
        checked = [self._fit(record, file) for record, file in found]
        fit = tuple(record for record in checked if isinstance(record, SceneItem))
        fit = fit if replaced else tuple(record for record in fit if record.replaced_at is None)
        if not fit:
            unfit = [entry for entry in checked if isinstance(entry, LeftOut)]
            but = f"{len(over)} of them over the area"
            raise self.nothing(area, period, f"{but}; {_told(unfit)}" if unfit else but)
        return fit

    @property
    def unfit(self) -> tuple[LeftOut, ...]:
        """The items that were asked for and found unfit."""
        return tuple(sorted(entry for entry in self._checked.values() if isinstance(entry, LeftOut)))

    def first_unfit(self, most: int = 20) -> tuple[LeftOut, ...]:
        """Why the first records cannot be read; empty where one of them can. Nothing is remembered of it."""
        unfit: list[LeftOut] = []
        for record, file in self.records[:most]:
            checked, _ = self._check(record, file)
            if isinstance(checked, SceneItem):
                return ()
            unfit.append(checked)
        return tuple(unfit)

    def nothing(self, area: AreaOfInterest, period: Period | None, but: str) -> NoDataError:
        """Return what to say when nothing was found.

        Args:
            area, period: what was asked.
            but: what is to be said of the items that the archive holds.
        """
        asked = f"{self.product}: items over '{area.name}'" + (f" in {period}" if period else "")
        if self.records:
            first, last = (np.datetime_as_string(self.records[i][0].time, "D") for i in (0, -1))
            return NoDataError(
                asked,
                f"{self.folder} holds {len(self.records)} items of {first}..{last}, {but}",
                "Choose an area and a period that the archive covers",
            )
        others = f"; {len(self.unread)} other items lie there, such as: {self.unread[0].reason}" if self.unread else ""
        return NoDataError(asked, f"{self.folder} holds none{others}", f"Put items of {self.product} into the archive")

    def _fit(self, record: SceneItem, file: Path) -> SceneItem | LeftOut:
        """Return a record with local paths and the time in which it counts, or why it is left out; found once."""
        found = self._local_of(record, file)
        twins = [one for one, where in self.twins.get(record, ()) if isinstance(self._local_of(one, where), SceneItem)]
        if isinstance(found, LeftOut):
            return found
        renews = _processing(record) in self._renewing or any(newer(record, one) is record for one in twins)
        found = replace(found, available_at=self._came(record)) if renews else found
        grounds = [(replaced_ground(record, one), self._came(one)) for one in twins if newer(one, record) is one]
        whole = min((at for ground, at in grounds if ground is None and at is not None), default=None)
        found = replace(
            found,
            replaced_parts=tuple(
                ReplacedPart(ground.bounds, at)
                for ground, at in grounds
                if ground is not None and ground.area and (at is None or whole is None or at < whole)
            ),
        )
        return replace(found, replaced_at=all_replaced_at(found) if whole is None else whole)

    def _came(self, record: SceneItem) -> np.datetime64 | None:
        """Return when a processing could be had."""
        latency = LATENCY_DAYS.get(self.source)
        return None if latency is None else published_at(record, latency)

    def _local_of(self, record: SceneItem, file: Path) -> SceneItem | LeftOut:
        """Return a record with local paths, or why it is left out; found once."""
        if record not in self._checked:
            self._checked[record], self._parts[record] = self._check(record, file)
        return self._checked[record]

    def _check(self, record: SceneItem, file: Path) -> tuple[SceneItem | LeftOut, tuple[LeftOut, ...]]:
        """Return a record with local paths, or why it is left out; and which of its parts are."""
        place = relative(file, self.folder)
        try:
            local, absent = self._local(record, file)
            lost = {f"{record.id}/{asset.band}": reason for asset, reason in absent}
            notes = check_item(local, tuple(asset.band for asset, _ in absent))
        except VadoseError as reason:
            return LeftOut.of(self.source, record.id, place, reason), ()
        lost |= {record.id: notes[0]} if notes else {}
        return local, tuple(LeftOut.of(self.source, name, place, why) for name, why in lost.items())

    def _local(self, record: SceneItem, file: Path) -> tuple[SceneItem, list[tuple[Asset, Unfit]]]:
        """Return a record with the assets that are there, and those that are not.

        Raises:
            Unfit: nothing that is measured is there.
        """
        there: list[Asset] = []
        absent: list[tuple[Asset, Unfit]] = []
        for asset in record.assets:
            try:
                own = self._names[file, _path_in(asset.href)[0]] < 2
                there.append(replace(asset, href=str(locate(asset.href, file, self.folder, record.id, own))))
            except Unfit as reason:
                absent.append((asset, reason))
        if not any(asset.band in ITEM_PRODUCTS[self.product].measured for asset in there):
            raise absent[0][1]
        return replace(record, assets=tuple(there)), absent


@dataclass(eq=False)
class _Gathered:
    """Items of a product as they are found."""

    folder: Path
    product: str
    records: dict[str, list[Entry]] = field(default_factory=dict)
    unread: list[LeftOut] = field(default_factory=list)

    def failed(self, file: Path, reason: VadoseError, source: str = "", name: str = "") -> None:
        """Leave out a file, or an item in it."""
        place = relative(file, self.folder)
        self.unread.append(LeftOut.of(source, name or place, place, reason))

    def add(self, file: Path, found: FoundItem) -> None:
        """Take an item of the product; leave it out where it cannot be read."""
        if found.product == self.product and found.item is not None:
            self._take(found.item, file)
        elif found.reason is not None and found.product in ("", self.product):
            self.failed(file, found.reason, found.source, found.name)
        elif found.product and SOURCE_OF[found.product] == SOURCE_OF[self.product]:
            reason = Unfit(
                f"{found.product} is not read beside {self.product}",
                f"stac: item {found.name!r}",
                f"It is of {found.product}; {self.product} is what is read",
                f"Take the item of {self.product}",
            )
            refused = found.reason is not None and found.reason.kind == NOT_ALLOWED
            self.failed(file, found.reason if refused and found.reason else reason, found.source, found.name)

    def _take(self, record: SceneItem, file: Path) -> None:
        held = self.records.setdefault(record.id, [])
        same = [entry for entry in held if entry[0].window == record.window]
        if any(one == record for one, _ in same):
            return
        for other, where in same:
            if not are_twins(record, other) or newer(record, other) is None:
                reason = Unfit(
                    "same id, another item",
                    f"{file}: item '{record.id}'",
                    f"Another item of this id lies at {where}, and they differ",
                    "Remove one, or give it an id of its own",
                )
                self.failed(file, reason, SOURCE_OF[self.product], record.id)
                return
        held.append((record, file))

    def without_twins(self) -> tuple[tuple[Entry, ...], dict[SceneItem, tuple[Entry, ...]]]:
        """All records by time and id but those replaced at an unknown time, and the twins of each."""
        ordered = sorted(chain.from_iterable(self.records.values()), key=lambda entry: (entry[0].time, entry[0].id))
        dated = self.product.startswith("sentinel-")
        twins: dict[SceneItem, list[Entry]] = {}
        for entry, other in _twin_pairs(ordered):
            if (dated or entry[0].id == other[0].id) and newer(entry[0], other[0]):
                twins.setdefault(entry[0], []).append(other)
                twins.setdefault(other[0], []).append(entry)
        gone: set[SceneItem] = set()
        for record, file in ordered:
            replacing = [one for one, _ in twins.get(record, ()) if newer(one, record) is one]
            if replacing and not remains(record, (replaced_ground(record, one) for one in replacing)):
                known = dated and all(published_at(one, 0.0) is not None for one in replacing)
                reason = _older(record, replacing[-1], KEPT if known else OLDER)
                self.failed(file, reason, SOURCE_OF[self.product], record.id)
                gone |= set() if known else {record}
        kept = {
            record: tuple(other for other in others if other[0] not in gone)
            for record, others in twins.items()
            if record not in gone
        }
        return tuple(entry for entry in ordered if entry[0] not in gone), kept


def _processing(record: SceneItem) -> tuple[str | None, ...]:
    """Return what the windows of one processing share."""
    return record.id, record.baseline, record.generated, record.catalogued


def _twin_pairs(ordered: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Yield each of some records sorted by time with those before it that are its twins, the latest first."""
    times = nanoseconds([record.time for record, _ in ordered])
    first = np.searchsorted(times, times - APART)
    edges = np.array([unrolled(record.bbox) for record, _ in ordered]).reshape(-1, 4).T
    for number, entry in enumerate(ordered):
        west, south, east, north = edges[:, first[number] : number]
        left, bottom, right, top = edges[:, number]
        near = (west < right) & (east > left) & (south < top) & (north > bottom)
        for place in np.flatnonzero(near)[::-1] + first[number]:
            if are_twins(ordered[place][0], entry[0]):
                yield entry, ordered[place]


def _older(record: SceneItem, later: SceneItem, kind: str) -> Unfit:
    marks = ((record.baseline, later.baseline), (record.generated, later.generated))
    told = next(((mine, theirs) for mine, theirs in marks if mine != theirs), (record.catalogued, later.catalogued))
    return Unfit(
        kind,
        f"stac: item '{record.id}'",
        f"'{later.id}' is a newer processing of the same observation ({told[1]} after {told[0]})",
        "Nothing need be done",
    )


def _told(unfit: list[LeftOut]) -> str:
    more = f" and {len(unfit) - 1} more" if len(unfit) > 1 else ""
    return f"left out: {unfit[0].name}{more}: {unfit[0].reason}"


def newest(records: Iterable[SceneItem]) -> tuple[tuple[SceneItem, ...], tuple[tuple[SceneItem, VadoseError], ...]]:
    """Choose among records of one product: of two processings of one observation the newer.

    Of two records of one pass of Sentinel-1 whose names differ in the last four characters alone, and of which neither
    is known to be newer, the first by name is kept.

    Returns:
        The chosen ones; and the others, each with the reason.
    """
    ordered = sorted(records, key=lambda record: (record.time, record.id))
    entries = [(record, Path()) for record in ordered]
    dropped: dict[SceneItem, VadoseError] = {}
    for (record, _), (other, _) in _twin_pairs(entries):
        later = newer(record, other)
        if later is not None:
            older = other if later is record else record
            dropped.setdefault(older, _older(older, later, OLDER))
        elif record.id[:-4] == other.id[:-4] and record.id != other.id:
            dropped.setdefault(max(record, other, key=lambda one: one.id), _tie(record, other))
    return tuple(one for one in ordered if one not in dropped), tuple(dropped.items())


def _tie(one: SceneItem, other: SceneItem) -> Unfit:
    return Unfit(
        "twin of unknown order",
        f"stac: items '{one.id}' and '{other.id}'",
        "They show one observation, and neither is known to be the newer processing",
        "Nothing need be done: the first by name is read",
    )


def find(folder: Path, product: str, area: AreaOfInterest, period: Period | None) -> tuple[SceneItem, ...]:
    """Return the records of a product in an archive folder that touch an area and a period: see `Index`."""
    return Index.of(folder, product).find(area, period)


def locate(href: str, beside: Path, folder: Path, item: str = "", alone: bool = True) -> Path:
    """Return the file of the archive that an address in an item means.

    A path is relative to the item's JSON file. Of an address elsewhere, the file of that name in a folder beside the
    JSON file that has the name of the item is taken, or the one beside the JSON file. Links that lie in the archive are
    followed: whoever keeps the archive made them.

    Args:
        href: address in the item.
        beside: the item's JSON file.
        folder: the archive, absolute.
        item: identifier of the item.
        alone: whether no other item of the JSON file names a remote file of the same name.

    Raises:
        Unfit: the path leads out of the archive, or there is no such file.
    """
    asked = f"{beside}: asset {href!r}"
    name, remote = _path_in(href)
    path = Path(os.path.normpath(beside.parent / name))
    if "\0" in name or not path.is_relative_to(folder) or path == beside.parent:
        raise Unfit(
            "file outside the archive",
            asked,
            f"It leads out of the archive {folder}",
            "Put the file into the archive, beside its item",
        )
    if remote:
        own = Path(os.path.normpath(beside.parent / item / name))
        if item and own.is_file() and own.is_relative_to(folder):
            return own
        if not alone:
            raise Unfit(
                "file is not there",
                asked,
                f"Several items of {beside.name} name a file {name}, and there is no {own}",
                f"Put the files of each item into a folder with its name, {item}",
            )
    if not path.is_file():
        found = f"It is not on this machine: there is no {path}" if remote else f"There is no {path}"
        raise Unfit("file is not there", asked, found, "Download it there")
    return path


def _remote_names(records: Iterable[tuple[SceneItem, Path]]) -> Counter[tuple[Path, str]]:
    """How many items of one JSON file name a remote file of each name."""
    named = Counter[tuple[Path, str]]()
    for record, file in records:
        paths = {_path_in(asset.href) for asset in record.assets}
        named.update((file, name) for name, remote in paths if remote)
    return named


def _path_in(href: str) -> tuple[str, bool]:
    """Return the path that an address gives on this machine, or else the name of its file; and whether it lies
    elsewhere.
    """
    try:
        parts = urlsplit(href)
    except ValueError:
        return "", True
    if parts.scheme not in ("", "file") or parts.netloc:
        return unquote(parts.path).rpartition("/")[2], True
    return unquote(parts.path) if parts.scheme else href, False
