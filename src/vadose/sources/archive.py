"""The items of an archive folder: found once, asked many times."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import shapely

from vadose.files import Unreadable, parse_json, read_bytes
from vadose.grid import Area, Period
from vadose.refusal import NothingFound, Refusal
from vadose.sources.records import Record
from vadose.sources.stac import parse, product_of


@dataclass(frozen=True, eq=False)
class Index:
    """What an archive holds of one product, as it was when the index was made.

    Attributes:
        folder: the archive.
        product: of the records, see `Record`.
        records: sorted by time and id, with the JSON file of each.
        unread: why other items that lie there are not read.
    """

    folder: Path
    product: str
    records: tuple[tuple[Record, Path], ...]
    unread: tuple[Refusal, ...]
    _tree: shapely.STRtree = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tree", shapely.STRtree([_footprint(record.bbox) for record, _ in self.records]))

    @classmethod
    def of(cls, folder: Path, product: str) -> "Index":
        """Read every STAC item in a folder and the folders in it; other JSON files and hidden ones are passed over.

        Raises:
            Refusal: the folder is not there, a JSON file is corrupt, an item of the product cannot be read, or two
                items that differ have the same id.
        """
        folder = Path(os.path.abspath(folder))  # noqa: PTH100 (links stay as they are, unlike with resolve)
        if not folder.is_dir():
            raise Refusal(f"{product}: archive {folder}", "There is no such folder", "Give the folder of the archive")
        records: dict[str, tuple[Record, Path]] = {}
        unread = []
        for file, item in _items(folder):
            try:
                wanted = product_of(item) == product
            except Refusal as reason:
                unread.append(reason)
                continue
            if wanted:
                _add(records, parse(item), file)
        ordered = sorted(records.values(), key=lambda entry: (entry[0].time, entry[0].id))
        return cls(folder, product, tuple(ordered), tuple(unread))

    def find(self, area: Area, period: Period | None) -> tuple[Record, ...]:
        """The records whose bounding box touches an area and whose time lies in a period (None: at any time).

        The addresses of their assets are local paths.

        Raises:
            NothingFound: there is none; the message says what there is.
            Refusal: a file lies outside the archive, or only elsewhere on the net.
        """
        over = [self.records[i] for i in sorted(self._tree.query(area.geometry, predicate="intersects"))]
        found = [(record, file) for record, file in over if period is None or record.time in period]
        if not found:
            raise self.nothing(area, period, f"{len(over)} of them over the area")
        return tuple(_local(record, file, self.folder) for record, file in found)

    def nothing(self, area: Area, period: Period | None, but: str) -> NothingFound:
        """What to say when nothing was found.

        Args:
            area, period: what was asked.
            but: what is to be said of the items that the archive holds.
        """
        asked = f"{self.product}: items over '{area.name}'" + (f" in {period}" if period else "")
        if self.records:
            first, last = (np.datetime_as_string(self.records[i][0].time, "D") for i in (0, -1))
            return NothingFound(
                asked,
                f"{self.folder} holds {len(self.records)} items of {first}..{last}, {but}",
                "Choose an area and a period that the archive covers",
            )
        others = f"; {len(self.unread)} other items lie there, such as: {self.unread[0]}" if self.unread else ""
        return NothingFound(asked, f"{self.folder} holds none{others}", f"Put items of {self.product} into the archive")


def find(folder: Path, product: str, area: Area, period: Period | None) -> tuple[Record, ...]:
    """The records of a product in an archive folder that touch an area and a period: see `Index`."""
    return Index.of(folder, product).find(area, period)


def locate(href: str, beside: Path, folder: Path) -> Path:
    """The file of the archive that an address in an item means.

    A path is relative to the item's JSON file. Of an address elsewhere, the file of that name beside the JSON file is
    taken. Links that lie in the archive are followed: whoever keeps the archive made them.

    Args:
        href: address in the item.
        beside: the item's JSON file.
        folder: the archive, absolute.

    Raises:
        Refusal: the path leads out of the archive, or the file of a remote address is not there.
    """
    asked = f"{beside}: asset {href!r}"
    name, remote = _path_in(href)
    path = Path(os.path.normpath(beside.parent / name))
    if "\0" in name or not path.is_relative_to(folder) or path == beside.parent:
        raise Refusal(asked, f"It leads out of the archive {folder}", "Put the file into the archive, beside its item")
    if remote and not path.is_file():
        raise Refusal(asked, f"It is not on this machine: there is no {path}", "Download it there")
    return path


def _path_in(href: str) -> tuple[str, bool]:
    """The path that an address gives on this machine, or else the name of its file; and whether it lies elsewhere."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return "", True
    if parts.scheme not in ("", "file") or parts.netloc:
        return unquote(parts.path).rpartition("/")[2], True
    return unquote(parts.path) if parts.scheme else href, False


def _items(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for file in _json_files(folder):
        try:
            content = parse_json(read_bytes(file), str(file))
        except Unreadable as error:
            raise Refusal(
                f"{file}: reading JSON", f"It is corrupt: {error.found}", "Get it again, or remove it"
            ) from error
        if isinstance(content, dict) and content.get("type") == "Feature" and "stac_version" in content:
            yield file, content


def _json_files(folder: Path) -> Iterable[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if name.endswith(".json") and name[0] != ".")


def _add(records: dict[str, tuple[Record, Path]], record: Record, file: Path) -> None:
    held, where = records.setdefault(record.id, (record, file))
    if held != record:
        raise Refusal(
            f"{file}: item '{record.id}'", f"Another item of this id lies at {where}, and they differ", "Remove one"
        )


def _local(record: Record, file: Path, folder: Path) -> Record:
    assets = (replace(asset, href=str(locate(asset.href, file, folder))) for asset in record.assets)
    return replace(record, assets=tuple(assets))


def _footprint(bbox: tuple[float, float, float, float]) -> shapely.Geometry:
    west, south, east, north = bbox
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon([shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)])
