"""Inventory of a map: items and granules that it reads, with the sizes of their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from vadose.fusion import InputSpec, TemporalPolicy
from vadose.fusion.input_spec import HistorySpec
from vadose.fusion.sparse import candidates_of, needed, since_interval
from vadose.grid import AreaOfInterest, Period, earlier, nanoseconds
from vadose.registry import LATENCY_DAYS, source_of
from vadose.sources import Source
from vadose.sources.layers import OverviewSource
from vadose.sources.source import SourceFile


@dataclass(frozen=True)
class ArchiveFile:
    """An input file of a map, or all input files of an item.

    Attributes:
        source: name of the source.
        name: name of the item or of the file.
        size: bytes; 0 if missing.
        published: when it could be had, and whether its catalogue or the latency of its source says so; only of maps
            for which that matters.
    """

    source: str
    name: str
    size: int
    published: str = ""


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
        names = {variable.name for variable in source.variables}
        if needs.names.isdisjoint(names):
            continue
        met: list[SourceFile] = []
        sparse = isinstance(source, OverviewSource) and needs.has_sparse(source.variables)
        if not sparse or needs.present & names:
            days = needs.history.days if source.name in past and not sparse else 0.0
            asked = _Asked(area, tuple(moments), max(days, windows.of(source.name)), windows, as_of)
            files = source.files(area, asked.period)
            met += compress(files, asked.met(source.name, files)) if files else ()
        if isinstance(source, OverviewSource) and sparse:
            known = {one.name for one in met}
            looks = _looked_at(source, area, moments, needs.history, windows, as_of)
            met += [one for one in looks if one.name not in known]
        dated = as_of is not None or windows.causal
        publication = windows.publication(met, source.name).since if dated and source.name in LATENCY_DAYS else None
        when = [""] * len(met) if publication is None else list(map(_told, met, publication))
        held = (ArchiveFile(source.name, one.name, one.size, at) for one, at in zip(met, when, strict=True))
        found += sorted(held, key=lambda one: one.name)
    return tuple(found)


def _told(one: SourceFile, since: np.datetime64) -> str:
    """Return when a file could be had, and who says so."""
    stated = one.by_catalogue and since == one.available_at
    return f"published {np.datetime_as_string(since, 's')}Z by {'its catalogue' if stated else 'latency'}"


def _looked_at(
    source: OverviewSource,
    area: AreaOfInterest,
    moments: Sequence[np.datetime64],
    history: HistorySpec,
    windows: TemporalPolicy,
    as_of: np.datetime64 | None,
) -> list[SourceFile]:
    """Return the items of a sparse history."""
    span = Period(moments[0], moments[-1] + np.timedelta64(1, "ns"))
    files = source.overview_files(area, since_interval(span, history), history.sparse_m or 0.0)
    if not files:
        return []
    publication = windows.publication(files, source.name)
    candidates = candidates_of(files, publication)
    chosen = needed(candidates, area.geometry, span, history, lambda time: windows.known_at(time, as_of))
    return [files[number] for number in sorted(chosen)]


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
        publication = self.windows.publication(files, source)
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
