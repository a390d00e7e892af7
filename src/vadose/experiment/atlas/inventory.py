"""What of an archive a map is made from: items and granules by name, with the bytes of their files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vadose.fusion import Needs, Windows
from vadose.grid import Area, Period, nanosecond
from vadose.refusal import NothingFound
from vadose.sources import Source
from vadose.sources.archive import Index
from vadose.sources.dem import Dem
from vadose.sources.folders import walk
from vadose.sources.sentinel1 import Sentinel1
from vadose.sources.sentinel2 import Sentinel2
from vadose.sources.soilgrids import FOLDER
from vadose.sources.worldcover import WorldCover
from vadose.variables import source_of

_SMAP = re.compile(r"SMAP_L3_SM_P.*_(?P<date>\d{8})_.*\.h5")
_GRANULES = {
    "smap": _SMAP,
    "smap_surface": _SMAP,
    "gldas": re.compile(r"GLDAS_NOAH025_3H.*\.A(?P<date>\d{8})\..*\.nc4"),
}


@dataclass(frozen=True)
class Held:
    """A file of the archive, or all files of an item, that meets a map.

    Attributes:
        source: name of the source.
        name: of the item or of the file.
        size: bytes; 0 of what is not there.
    """

    source: str
    name: str
    size: int


def inventory(
    archive: Path,
    sources: Sequence[Source],
    area: Area,
    moments: Sequence[np.datetime64],
    needs: Needs,
    windows: Windows,
) -> tuple[Held, ...]:
    """What meets an area and the time that a map looks back on; only of sources that are needed.

    Args:
        archive: folder of the products.
        sources: of the archive.
        area: of the map.
        moments: of the map, in order.
        needs: of the networks.
        windows: how old an observation may be.

    Raises:
        Refusal: an item cannot be read.
    """
    span = Period(moments[0], moments[-1] + np.timedelta64(1, "ns"))
    past = {source_of(name) for name in needs.history.variables}
    found: list[Held] = []
    for source in sources:
        if needs.names.isdisjoint(variable.name for variable in source.variables):
            continue
        days = needs.history.steps * needs.history.step_days if source.name in past else 0.0
        period = span.widened(max(days, windows.of(source.name)))
        found += _of_source(archive, source, area, period)
    return tuple(found)


def index_of(source: Source) -> Index | None:
    """The index of a source of items; None of another one."""
    return source.index if isinstance(source, Sentinel1 | Sentinel2 | Dem | WorldCover) else None


def _of_source(archive: Path, source: Source, area: Area, period: Period) -> list[Held]:
    index = index_of(source)
    if index is not None:
        return _items(index, source.name, area, None if isinstance(source, Dem | WorldCover) else period)
    if source.name in _GRANULES:
        return _granules(archive, source.name, period)
    return [_held(source.name, path) for path in sorted((archive / FOLDER).glob("*.tif"))]


def _items(index: Index, source: str, area: Area, period: Period | None) -> list[Held]:
    try:
        records = index.find(area, period)
    except NothingFound:
        return []
    sizes = {record.id: sum(_size(Path(asset.href)) for asset in record.assets) for record in records}
    return [Held(source, name, size) for name, size in sorted(sizes.items())]


def _granules(archive: Path, source: str, period: Period) -> list[Held]:
    days = Period(period.start.astype("datetime64[D]"), period.end)
    return sorted(
        (_held(source, path) for path, date in _dated(archive, _GRANULES[source]) if date in days),
        key=lambda held: held.name,
    )


def _dated(archive: Path, pattern: re.Pattern[str]) -> Iterator[tuple[Path, np.datetime64]]:
    for path in walk(archive):
        match = pattern.fullmatch(path.name)
        date = _date(match["date"]) if match else None
        if date is not None:
            yield path, date


def _date(digits: str) -> np.datetime64 | None:
    """The day of a name; None where it tells none, which the source that reads the product refuses."""
    try:
        return nanosecond(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
    except ValueError:
        return None


def _held(source: str, path: Path) -> Held:
    return Held(source, path.name, _size(path))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
