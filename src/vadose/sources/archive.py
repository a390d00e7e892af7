"""Index of the STAC items of one product in an archive: the valid items, and those left out."""

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
from vadose.sources.left_out import LeftOut, Unfit, first_of
from vadose.sources.records import Asset, ReplacedPart, SceneItem
from vadose.sources.replaced import all_replaced_at, remains, replaced_ground
from vadose.sources.scan import ArchiveScan
from vadose.sources.stac import ITEM_PRODUCTS, NOT_ALLOWED, SOURCE_OF
from vadose.sources.twins import APART, are_twins, available_at, newer, published_at, unrolled

Entry = tuple[SceneItem, Path]
"""An item, and the JSON file that contains it."""
OLDER = "older processing"
_TESTED = 20
"""Number of items that `first_unfit` tests."""
KEPT = f"{OLDER}, read only as of before the newer"
"""Reasons for leaving out an older processing: always, or unless a request is as of a time before the newer one."""


@dataclass(frozen=True, eq=False)
class ItemIndex:
    """Items of one product in an archive, at the time of the scan.

    Attributes:
        folder: archive.
        product: product of the items, see `SceneItem`.
        records: items by time and id, each with its JSON file.
        unread: items and files that are not read because of their metadata, each with the reason.
        twins: other processings of the same observation, by item, where the publication of the newer ones is known.
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
    def of(cls, archive: Path | ArchiveScan, product: str) -> "ItemIndex":
        """Return the items of a product from the scan of an archive.

        Unreadable items are left out by name, and so are items of which the archive has a newer processing: always if
        the publication time of that is unknown.

        Raises:
            VadoseError: the folder is missing.
        """
        archive = ArchiveScan.of(archive)
        collected = _Collected(archive.folder, product)
        for file, found in archive.items():
            collected.add(file, found)
        for path, reason in archive.skipped:
            if path.is_dir() or holds_items(path):
                asked = f"{path}: reading it"
                collected.failed(path, Unfit("not a readable file or folder", asked, reason, "Remove or mend it"))
        records, twins = collected.without_twins()
        return cls(archive.folder, product, records, tuple(collected.unread), twins)

    @property
    def source(self) -> str:
        """Return the name of the source that reads the product."""
        return SOURCE_OF[self.product]

    @property
    def times(self) -> list[np.datetime64]:
        """Return the times of the items."""
        return [record.time for record, _ in self.records]

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Return `unread`, and the requested items and files found to be invalid."""
        return tuple(sorted({*self.unread, *self.unfit, *(part for parts in self._parts.values() for part in parts)}))

    def find(
        self, area: AreaOfInterest, period: Period | None, replaced: bool = False, sparse_m: float | None = None
    ) -> tuple[SceneItem, ...]:
        """Return the items whose bounding box touches an area, in a period (None: all times).

        Their assets are the existing files, with local paths. An item that its files contradict is left out; see
        `left_out` and `check_item`.

        Args:
            area, period: requested.
            replaced: whether older processings that were replaced later are included.
            sparse_m: largest pixel size of windows of overviews that are included, m, before those of full resolution;
                None for full resolution only.

        Raises:
            NoDataError: there are none; the message states what the archive has.
        """
        over = [self.records[i] for i in sorted(self._tree.query(area.geometry, predicate="intersects"))]
        found = [(record, file) for record, file in over if period is None or record.time in period]
        found = [entry for entry in found if entry[0].overview_m in (None, sparse_m)]
        checked = [self._fit(record, file) for record, file in found]
        fit = tuple(record for record in checked if isinstance(record, SceneItem))
        fit = fit if replaced else tuple(record for record in fit if record.replaced_at is None)
        fit = fit if sparse_m is None else _beside_overviews(fit)
        if not fit:
            unfit = [entry for entry in checked if isinstance(entry, LeftOut)]
            but = f"{len(over)} of them over the area"
            raise self.nothing(area, period, f"{but}; {first_of(unfit)}" if unfit else but)
        return fit

    @property
    def unfit(self) -> tuple[LeftOut, ...]:
        """Return the requested items found to be invalid."""
        return tuple(sorted(entry for entry in self._checked.values() if isinstance(entry, LeftOut)))

    def first_unfit(self) -> tuple[LeftOut, ...]:
        """Return why the first items are invalid; empty if one of them is valid. The result is not cached."""
        unfit: list[LeftOut] = []
        for record, file in self.records[:_TESTED]:
            checked, _ = self._check(record, file)
            if isinstance(checked, SceneItem):
                return ()
            unfit.append(checked)
        return tuple(unfit)

    def nothing(self, area: AreaOfInterest, period: Period | None, but: str) -> NoDataError:
        """Return the error of a request without items.

        Args:
            area, period: requested.
            but: remark on the items in the archive.
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
        """Return an item with local paths and the period in which it is the newest, or why it is left out; cached."""
        found = self._local_of(record, file)
        twins = [one for one, where in self.twins.get(record, ()) if isinstance(self._local_of(one, where), SceneItem)]
        if isinstance(found, LeftOut):
            return found
        renews = _processing(record) in self._renewing or any(newer(record, one) is record for one in twins)
        came, stated = self._came(record, renews)
        found = replace(found, available_at=came, by_catalogue=stated)
        grounds = [
            (replaced_ground(record, one), self._came(one, True)[0]) for one in twins if newer(one, record) is one
        ]
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

    def _came(self, record: SceneItem, renews: bool) -> tuple[np.datetime64 | None, bool]:
        """Return the publication time of a processing, and whether its catalogue states it; None if unknown."""
        latency = LATENCY_DAYS.get(self.source)
        return (None, False) if latency is None else available_at(record, latency, renews)

    def _local_of(self, record: SceneItem, file: Path) -> SceneItem | LeftOut:
        """Return an item with local paths, or why it is left out; cached."""
        if record not in self._checked:
            self._checked[record], self._parts[record] = self._check(record, file)
        return self._checked[record]

    def _check(self, record: SceneItem, file: Path) -> tuple[SceneItem | LeftOut, tuple[LeftOut, ...]]:
        """Return an item with local paths, or why it is left out; and its files that are left out."""
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
        """Return an item with its existing assets, and the missing ones.

        Raises:
            Unfit: all measured bands are missing.
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
class _Collected:
    """Items of a product during the collection from a scan."""

    folder: Path
    product: str
    records: dict[str, list[Entry]] = field(default_factory=dict)
    unread: list[LeftOut] = field(default_factory=list)

    def failed(self, file: Path, reason: VadoseError, source: str = "", name: str = "") -> None:
        """Leave out a file, or an item in it."""
        place = relative(file, self.folder)
        self.unread.append(LeftOut.of(source, name or place, place, reason))

    def add(self, file: Path, found: FoundItem) -> None:
        """Add an item of the product; if unreadable, leave it out."""
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
        same = [entry for entry in held if _cut(entry[0]) == _cut(record)]
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
        """Return the items by time and id, without those replaced at an unknown time, and the twins of each."""
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


def _cut(record: SceneItem) -> tuple[object, ...]:
    """Return what tells the windows of a scene apart."""
    return record.window, record.overview_m


def _processing(record: SceneItem) -> tuple[str | None, ...]:
    """Return the key that the windows of one processing share."""
    return record.id, record.baseline, record.generated, record.catalogued


def _beside_overviews(records: Sequence[SceneItem]) -> tuple[SceneItem, ...]:
    """Return windows of overviews, then items of full resolution without the ground that such windows show.

    An item whose newer processing is there as windows of overviews is not among them.
    """
    coarse = [record for record in records if record.overview_m is not None]
    alike = [replace(record, overview_m=None) for record in coarse]
    kept = list(coarse)
    for record in records:
        twins = [one for one in alike if are_twins(record, one)] if record.overview_m is None else []
        grounds = [replaced_ground(record, one) for one in twins]
        renewed = any(newer(record, one) is one for one in twins)
        if record.overview_m is None and not renewed and all(ground is not None for ground in grounds):
            shown = (ReplacedPart(ground.bounds, None) for ground in grounds if ground is not None and ground.area)
            kept.append(replace(record, replaced_parts=(*record.replaced_parts, *shown)))
    return tuple(kept)


def _twin_pairs(ordered: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Yield each item, of items sorted by time, with its earlier twins, the latest first."""
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
    older, newer = next(
        ((mine, theirs) for mine, theirs in marks if mine != theirs), (record.catalogued, later.catalogued)
    )
    return Unfit(
        kind,
        f"stac: item '{record.id}'",
        f"'{later.id}' is a newer processing of the same observation ({newer} after {older})",
        "Nothing need be done",
    )


def newest(records: Iterable[SceneItem]) -> tuple[tuple[SceneItem, ...], tuple[tuple[SceneItem, VadoseError], ...]]:
    """Keep the newer of two processings of one observation, among items of one product.

    Of two items of one Sentinel-1 pass whose names differ in the last four characters alone, and of which neither is
    known to be newer, the first by name is kept.

    Returns:
        The kept items; and the others, each with the reason.
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


def lifetimes(
    records: Iterable[SceneItem], latency_days: float
) -> dict[SceneItem, tuple[np.datetime64 | None, np.datetime64 | None]]:
    """Return when some whole scenes could be had, as `SceneItem.available_at`, and when newer ones took their places.

    Args:
        records: of one product.
        latency_days: from an observation until its first product can be had.
    """
    ordered = sorted(records, key=lambda record: (record.time, record.id))
    since = {record: available_at(record, latency_days, renews=False)[0] for record in ordered}
    until: dict[SceneItem, np.datetime64] = {}
    for (one, _), (other, _) in _twin_pairs([(record, Path()) for record in ordered]):
        later = newer(one, other)
        if later is not None:
            older = other if later is one else one
            came, _ = available_at(later, latency_days, renews=True)
            since[later] = came
            if came is not None:
                until[older] = min(came, until.get(older, came))
    return {record: (since[record], until.get(record)) for record in ordered}


def _tie(one: SceneItem, other: SceneItem) -> Unfit:
    return Unfit(
        "twin of unknown order",
        f"stac: items '{one.id}' and '{other.id}'",
        "They show one observation, and neither is known to be the newer processing",
        "Nothing need be done: the first by name is read",
    )


def locate(href: str, item_file: Path, folder: Path, item: str = "", unique: bool = True) -> Path:
    """Return the file in the archive to which an asset refers.

    A path is relative to the item's JSON file. For a remote address, the file of that name is looked for in a folder
    with the item's name beside the JSON file, then beside the JSON file itself. Links within the archive are followed:
    its owner made them.

    Args:
        href: address in the item.
        item_file: the item's JSON file.
        folder: archive, absolute.
        item: identifier of the item.
        unique: whether no other item of the JSON file names a remote file of the same name.

    Raises:
        Unfit: the path leads out of the archive, or there is no such file.
    """
    asked = f"{item_file}: asset {href!r}"
    name, remote = _path_in(href)
    path = Path(os.path.normpath(item_file.parent / name))
    if "\0" in name or not path.is_relative_to(folder) or path == item_file.parent:
        raise Unfit(
            "file outside the archive",
            asked,
            f"It leads out of the archive {folder}",
            "Put the file into the archive, beside its item",
        )
    if remote:
        own = Path(os.path.normpath(item_file.parent / item / name))
        if item and own.is_file() and own.is_relative_to(folder):
            return own
        if not unique:
            raise Unfit(
                "file is not there",
                asked,
                f"Several items of {item_file.name} name a file {name}, and there is no {own}",
                f"Put the files of each item into a folder with its name, {item}",
            )
    if not path.is_file():
        found = f"It is not on this machine: there is no {path}" if remote else f"There is no {path}"
        raise Unfit("file is not there", asked, found, "Download it there")
    return path


def _remote_names(records: Iterable[tuple[SceneItem, Path]]) -> Counter[tuple[Path, str]]:
    """Count the items of one JSON file that name a remote file, by its name."""
    named = Counter[tuple[Path, str]]()
    for record, file in records:
        paths = {_path_in(asset.href) for asset in record.assets}
        named.update((file, name) for name, remote in paths if remote)
    return named


def _path_in(href: str) -> tuple[str, bool]:
    """Return the local path of an address, or of a remote address the name of its file; and whether it is remote."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return "", True
    if parts.scheme not in ("", "file") or parts.netloc:
        return unquote(parts.path).rpartition("/")[2], True
    return unquote(parts.path) if parts.scheme else href, False
