"""Granules: files with a field of the Earth, or of a part of it, at a time; found by name, read lazily by windows."""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import dask.array as da
import h5py
import numpy as np
from numpy.typing import NDArray

from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period, later, nanosecond
from vadose.io.folders import relative
from vadose.io.untrusted import require_own_data
from vadose.registry import GranuleNaming, Stream
from vadose.sources.left_out import LeftOut, Unfit, first_of
from vadose.sources.published import by_catalogue
from vadose.sources.scan import ArchiveScan
from vadose.sources.window import GlobalGrid, Window

Layer = NDArray[np.float32]
Reader = Callable[[Window], Layer]

_REVISED = re.compile(r"_(?!001$)\d{3}$")
"""End of the version of a granule that replaced an earlier one of its day, whose publication its own does not tell."""
PER_CHUNK = 32
"""Number of layers that are read together, in one chunk."""


@dataclass(frozen=True)
class Granule:
    """A file of a product.

    Attributes:
        path: path of the file.
        modified: modification time, ns; with the path it identifies the content.
        stream, time, version: as in `GranuleName`.
        stated: date of the granule in its catalogue, UTC; None where unknown.
    """

    path: Path
    modified: int
    stream: Stream
    time: np.datetime64
    version: str
    stated: np.datetime64 | None = None

    @property
    def available_at(self) -> np.datetime64:
        """Return its publication, UTC: its catalogue's date, else by the latency of its stream."""
        return self._nominal if self._published is None else self._published

    @property
    def by_catalogue(self) -> bool:
        """Return whether its catalogue states its publication."""
        return self._published is not None

    @property
    def _nominal(self) -> np.datetime64:
        return nanosecond(later(self.time, self.stream.latency_days)[()])

    @property
    def _published(self) -> np.datetime64 | None:
        first = _REVISED.search(self.version) is None
        return by_catalogue(self.stated, self.time, self._nominal) if first else None


@dataclass(frozen=True, eq=False)
class GranuleIndex:
    """Granules of a product in an archive, at the time of the scan.

    Attributes:
        folder: the archive.
        naming: recognition by file name.
        granules: of every stream and time those of its latest release, by time. Several of one stream and time are
            parts of one field, such as subsets of two regions.
        unread: files of the product that are not read because of their names.
    """

    folder: Path
    naming: GranuleNaming
    granules: tuple[Granule, ...]
    unread: tuple[LeftOut, ...]
    _unfit: dict[Granule, LeftOut] = field(init=False, repr=False, default_factory=dict)

    @classmethod
    def of(cls, archive: Path | ArchiveScan, naming: GranuleNaming) -> "GranuleIndex":
        """Return the granules of a source from the scan of an archive.

        Raises:
            VadoseError: the folder is missing.
        """
        archive = ArchiveScan.of(archive)
        found: list[Granule] = []
        unread: list[LeftOut] = []

        def left(path: Path, reason: VadoseError) -> None:
            unread.append(LeftOut.of(naming.source, path.name, relative(path, archive.folder), reason))

        for path, modified, granule in archive.granules(naming.source):
            if granule.name is not None:
                name = granule.name
                stated = archive.dates.get(path.name)
                found.append(Granule(path, modified, name.stream, name.time, name.version, stated))
            elif granule.reason is not None:
                left(path, granule.reason)
        for path, reason in archive.skipped:
            if naming.like.search(path.name):
                left(path, Unfit("no regular file", f"{naming.source}: {path}", reason, "Put the file itself there"))
        return cls(archive.folder, naming, _latest(found), tuple(unread))

    @property
    def source(self) -> str:
        """Return the name of their source."""
        return self.naming.source

    @property
    def times(self) -> list[np.datetime64]:
        """Return the times of the granules."""
        return [granule.time for granule in self.granules]

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Return all files that are not read: `unread`, and granules found to be invalid."""
        return tuple(sorted({*self.unread, *self._unfit.values()}))

    def first_unfit(self) -> tuple[LeftOut, ...]:
        """Return nothing: granules are tested when they are read."""
        return ()

    def leave_out(self, granule: Granule, reason: VadoseError) -> None:
        """Mark a granule as unreadable."""
        self._unfit[granule] = LeftOut.of(self.source, granule.path.name, relative(granule.path, self.folder), reason)

    def fit(self, granules: Iterable[Granule], check: Callable[[Granule], object]) -> list[Granule]:
        """Return the valid granules, as tested by `check`; the others are left out."""
        kept = []
        for granule in granules:
            if granule in self._unfit:
                continue
            try:
                check(granule)
                kept.append(granule)
            except VadoseError as reason:
                self.leave_out(granule, reason)
        return kept

    def replaced_at(self, granules: Sequence[Granule]) -> NDArray[np.datetime64]:
        """Return the publication time of the better stream for the time of each granule; NaT if there is none."""
        ranks = {stream: rank for rank, stream in enumerate(self.naming.streams)}
        published = {(granule.time, granule.stream): granule.available_at for granule in granules}
        never = np.datetime64("NaT", "ns")
        better = [[(one.time, stream) for stream in self.naming.streams[: ranks[one.stream]]] for one in granules]
        found = ([published[key] for key in keys if key in published] for keys in better)
        return np.array([min(times, default=never) for times in found], "datetime64[ns]")

    def nothing(self, area: AreaOfInterest, period: Period) -> NoDataError:
        """Return the error of a source without granules in a period, with the periods that it has."""
        asked = f"{self.source}: no granules for {period} in '{area.name}'"
        if not self.granules:
            others = f"; {first_of(self.unread)}" if self.unread else ""
            return NoDataError(
                asked,
                f"Found none at all under {self.folder}{others}",
                "Download some, or continue without this source",
            )
        span = Period(self.granules[0].time, self.granules[-1].time + np.timedelta64(1, "ns"))
        unfit = [reason for granule, reason in self._unfit.items() if granule.time in period]
        if unfit:
            return NoDataError(asked, f"Found {span}; {first_of(unfit)}", "Download them again, or give another period")
        if period.end <= span.start or period.start >= span.end:
            return NoDataError(asked, f"Found {span}", "Give a period inside it")
        return NoDataError(asked, f"Found {span} with a gap there", "Give another period inside it, or fill the gap")


@contextmanager
def reading(path: Path, source: str) -> Iterator[h5py.File]:
    """Open an HDF5 or NetCDF-4 file for reading.

    Raises:
        VadoseError: the file, or a part of it read within the context, is damaged; or its data are in other files.
    """
    asked = f"{source}: {path}"
    try:
        require_own_data(path, asked)
        with h5py.File(path, "r") as file:
            yield file
    except VadoseError:
        raise
    except (OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
        raise _unreadable(path, asked, error) from error


def cached_blocks(grid: GlobalGrid, window: Window, side: int, kept: Reader, read: Reader) -> Layer:
    """Read a window (..., y, x) block by block, so that windows with common blocks read them once.

    Args:
        grid: grid of the window.
        window: window to be read.
        side: of a block, in pixels.
        kept: returns a block, cached.
        read: reads a window of more than 2 x 2 blocks, which is not cached.
    """
    blocks = grid.blocks(window, side)
    if len(blocks) > 4:
        return read(window)
    parts = [(block, kept(block)) for block in blocks]
    whole = np.empty((*parts[0][1].shape[:-2], *window.shape), np.float32)
    for block, part in parts:
        shared = window.shared(block)
        whole[(..., *shared.within(window))] = part[(..., *shared.within(block))]
    return whole


def item_names(parts: Iterable[Sequence[Granule]]) -> NDArray[np.str_]:
    """Return the values of the coordinate `items`: the names of the granules of each time."""
    return np.array(["\n".join(granule.path.name for granule in part) for part in parts])


def stacked(read: Callable[[int], Layer], count: int, shape: tuple[int, int]) -> da.Array:
    """Return a lazy array (time, y, x) of `count` layers, `read(index)` giving each."""
    name = f"layers-{uuid.uuid4().hex}"
    starts = range(0, count, PER_CHUNK)
    parts = [range(start, min(start + PER_CHUNK, count)) for start in starts]
    graph = {(name, number, 0, 0): (partial(_layers, read, part),) for number, part in enumerate(parts)}
    chunks = (tuple(len(part) for part in parts), (shape[0],), (shape[1],))
    return da.Array(graph, name, chunks, dtype=np.float32)  # type: ignore[no-untyped-call]


def _layers(read: Callable[[int], Layer], part: range) -> Layer:
    return np.stack([read(index) for index in part])


def _latest(found: Sequence[Granule]) -> tuple[Granule, ...]:
    """Return the granules of the latest release, by stream and time."""
    newest: dict[tuple[Stream, np.datetime64], str] = {}
    for granule in found:
        key = granule.stream, granule.time
        newest[key] = max(granule.version, newest.get(key, ""))
    kept = [granule for granule in found if granule.version == newest[granule.stream, granule.time]]
    return tuple(sorted(kept, key=lambda one: (one.time, one.stream.name, len(one.path.name), str(one.path))))


def _unreadable(path: Path, asked: str, error: Exception) -> Unfit:
    try:
        with path.open("rb") as file:
            classic = file.read(3) == b"CDF"
    except OSError:
        classic = False
    if classic:
        remedy = "Ask for NetCDF-4, or convert it with 'nccopy -k nc4'"
        return Unfit("another format", asked, "It is a NetCDF file of the classic format", remedy)
    return Unfit("unreadable", asked, f"It cannot be read: {error}", "Download the file again")
