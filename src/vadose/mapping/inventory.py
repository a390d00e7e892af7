"""Inventory of a map: items and granules that it reads, with the sizes of their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vadose.fusion import InputSpec, TemporalPolicy
from vadose.fusion.publication import Publication
from vadose.grid import AreaOfInterest, Period, earlier, nanoseconds
from vadose.registry import source_of
from vadose.sources import Source
from vadose.sources.source import AVAILABLE_AT, REPLACED_AT, SourceFile, times_or_never


@dataclass(frozen=True)
class ArchiveFile:
    """An input file of a map, or all input files of an item.

    Attributes:
        source: name of the source.
        name: name of the item or of the file.
        size: bytes; 0 if missing.
    """

    source: str
    name: str
    size: int


def inventory(
    sources: Sequence[Source],
    area: AreaOfInterest,
    moments: Sequence[np.datetime64],
    needs: InputSpec,
    windows: TemporalPolicy,
    as_of: np.datetime64 | None = None,
) -> tuple[ArchiveFile, ...]:
    """Return the needed items and granules within the area and the period of a map.

    Args:
        sources: sources of an archive.
        area: area of the map.
        moments: times of the map, in order.
        needs: needs of the networks.
        windows: temporal policy: maximum age and latency.
        as_of: products published later are not read; None for hindsight.

    Raises:
        VadoseError: an item is unreadable.
    """
    past = {source_of(name) for name in needs.history.variables}
    found: list[ArchiveFile] = []
    for source in sources:
        if needs.names.isdisjoint(variable.name for variable in source.variables):
            continue
        days = needs.history.steps * needs.history.step_days if source.name in past else 0.0
        asked = _Asked(area, tuple(moments), max(days, windows.of(source.name)), windows, as_of)
        files = source.files(area, asked.period)
        met = compress(files, asked.met(source.name, files)) if files else ()
        found += sorted((ArchiveFile(source.name, one.name, one.size) for one in met), key=lambda one: one.name)
    return tuple(found)


@dataclass(frozen=True)
class _Asked:
    """Request to a source: an area, and times that each require observations of some days before."""

    area: AreaOfInterest
    moments: tuple[np.datetime64, ...]
    days: float
    windows: TemporalPolicy
    as_of: np.datetime64 | None

    @property
    def period(self) -> Period:
        """Return the period from the history of the first time to the last time."""
        return Period(self.moments[0], self.moments[-1] + np.timedelta64(1, "ns")).extended_back(self.days)

    def met(self, source: str, files: Sequence[SourceFile]) -> NDArray[np.bool_]:
        """Return which files are read at a time; those of a static source always.

        Args:
            source: name.
            files: files of the source.
        """
        times = nanoseconds([self.moments[0] if one.time is None else one.time for one in files])
        coordinates = {
            "time": times,
            AVAILABLE_AT: ("time", times_or_never(one.available_at for one in files)),
            REPLACED_AT: ("time", times_or_never(one.replaced_at for one in files)),
        }
        publication = Publication.of(self.windows.dated(xr.Dataset(coords=coordinates), source))
        first, last = (
            nanoseconds([time if at is None else at for time, at in zip(times, ends, strict=True)])
            for ends in ([one.first for one in files], [one.last for one in files])
        )
        met = np.array([one.time is None for one in files], bool)
        for moment in self.moments:
            oldest = earlier(moment, self.days)
            counts = publication.counts(self.windows.known_at(moment, self.as_of))
            met |= (first <= moment) & (last >= oldest) & counts
        return met
