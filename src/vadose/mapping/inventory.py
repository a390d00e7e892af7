"""What of an archive a map is made from: items and granules by name, with the bytes of their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vadose.errors import NoDataError
from vadose.fusion import InputSpec, TemporalPolicy
from vadose.fusion.publication import Publication
from vadose.grid import AreaOfInterest, Period, earlier, nanoseconds
from vadose.sources import Source
from vadose.sources.archive import Index
from vadose.sources.dem import Dem
from vadose.sources.gldas import Gldas
from vadose.sources.sentinel1 import Sentinel1
from vadose.sources.sentinel2 import Sentinel2
from vadose.sources.smap import Smap
from vadose.sources.soilgrids import FOLDER
from vadose.sources.source import AVAILABLE_AT, REPLACED_AT, times_or_never
from vadose.sources.worldcover import WorldCover
from vadose.variables import source_of

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class ArchiveFile:
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
    area: AreaOfInterest,
    moments: Sequence[np.datetime64],
    needs: InputSpec,
    windows: TemporalPolicy,
    as_of: np.datetime64 | None = None,
) -> tuple[ArchiveFile, ...]:
    """What meets an area and the time that a map looks back on; only of sources that are needed.

    Args:
        archive: folder of the products.
        sources: of the archive.
        area: of the map.
        moments: of the map, in order.
        needs: of the networks.
        windows: how old an observation may be, and how late its product comes.
        as_of: nothing that was published later is read; None for hindsight.

    Raises:
        VadoseError: an item cannot be read.
    """
    past = {source_of(name) for name in needs.history.variables}
    found: list[ArchiveFile] = []
    for source in sources:
        if needs.names.isdisjoint(variable.name for variable in source.variables):
            continue
        days = needs.history.steps * needs.history.step_days if source.name in past else 0.0
        asked = _Asked(area, tuple(moments), max(days, windows.of(source.name)), windows, as_of)
        found += _of_source(archive, source, asked)
    return tuple(found)


def index_of(source: Source) -> Index | None:
    """The index of a source of items; None of another one."""
    return source.index if isinstance(source, Sentinel1 | Sentinel2 | Dem | WorldCover) else None


@dataclass(frozen=True)
class _Asked:
    """What is asked of a source: an area, and moments that look back some days on what counted by then."""

    area: AreaOfInterest
    moments: tuple[np.datetime64, ...]
    days: float
    windows: TemporalPolicy
    as_of: np.datetime64 | None

    @property
    def period(self) -> Period:
        """From the first moment's past to the last moment."""
        return Period(self.moments[0], self.moments[-1] + np.timedelta64(1, "ns")).extended_back(self.days)

    def met(self, source: str, seen: xr.Dataset, lasts: np.timedelta64) -> NDArray[np.bool_]:
        """Which of some times, with what is known of their publication, a moment reads.

        Args:
            source: name.
            seen: without variables.
            lasts: how long after its time a product may still hold observations.
        """
        times, publication = seen["time"].values, Publication.of(self.windows.dated(seen, source))
        met = np.zeros(times.shape, bool)
        for moment in self.moments:
            oldest = earlier(moment, self.days)
            counts = publication.counts(self.windows.known_at(moment, self.as_of))
            met |= (times <= moment) & (times + lasts >= oldest) & counts
        return met


def _of_source(archive: Path, source: Source, asked: _Asked) -> list[ArchiveFile]:
    if isinstance(source, Gldas | Smap):
        return _granules(source, asked)
    index = index_of(source)
    if index is None:
        return [_held(source.name, path) for path in sorted((archive / FOLDER).glob("*.tif"))]
    return _items(index, source, asked)


def _items(index: Index, source: Source, asked: _Asked) -> list[ArchiveFile]:
    static = isinstance(source, Dem | WorldCover)
    try:
        records = index.find(asked.area, None if static else asked.period, replaced=True)
    except NoDataError:
        return []
    if not static:
        coords = {
            "time": nanoseconds([record.time for record in records]),
            AVAILABLE_AT: ("time", times_or_never(record.available_at for record in records)),
            REPLACED_AT: ("time", times_or_never(record.replaced_at for record in records)),
        }
        records = tuple(compress(records, asked.met(source.name, xr.Dataset(coords=coords), _DAY * 0)))
    held = (ArchiveFile(source.name, one.id, sum(_size(Path(asset.href)) for asset in one.assets)) for one in records)
    return sorted(held, key=lambda one: one.name)


def _granules(source: Gldas | Smap, asked: _Asked) -> list[ArchiveFile]:
    """Granules that a moment reads; one of a day holds observations of all of it."""
    held = source.index.granules
    if not held:
        return []
    coords = {
        "time": np.array([granule.time for granule in held]),
        AVAILABLE_AT: ("time", np.array([granule.available_at for granule in held])),
        REPLACED_AT: ("time", source.index.replaced_at(held)),
    }
    met = asked.met(source.name, xr.Dataset(coords=coords), _DAY if isinstance(source, Smap) else _DAY * 0)
    return sorted((_held(source.name, one.path) for one in compress(held, met)), key=lambda one: one.name)


def _held(source: str, path: Path) -> ArchiveFile:
    return ArchiveFile(source, path.name, _size(path))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # a name too long, links in circles
        return 0
