"""Files that each hold the whole Earth at a time: found by name, read by windows, stacked lazily."""

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
from numpy.typing import NDArray

from vadose.grid import Area, Period, nanosecond
from vadose.refusal import NothingFound, Refusal
from vadose.sources.folders import walk
from vadose.sources.window import GlobalGrid, Window
from vadose.untrusted import require_own_data

Layer = NDArray[np.float32]
Reader = Callable[[Window], Layer]

PER_CHUNK = 32
"""Layers that are read together, in one chunk."""


@dataclass(frozen=True)
class Granule:
    """A file of a product.

    Attributes:
        path: where it lies.
        modified: when it was last written, ns; with the path it tells one content from another.
        time: the instant, or the start of the day, that its name gives, UTC.
        version: release in its name; of two files for one time the later release counts.
    """

    path: Path
    modified: int
    time: np.datetime64
    version: str


def find(archive: Path, pattern: re.Pattern[str], source: str) -> tuple[Granule, ...]:
    """The granules in a folder and the folders in it, in order of time, one for each time.

    Args:
        archive: the folder.
        pattern: of file names, with groups `date` (YYYYMMDD), `version` and, where there is one, `clock` (HHMM).
        source: name of the source, for messages.

    Raises:
        Refusal: `archive` is no folder, or a name holds no date.
    """
    if not archive.is_dir():
        raise Refusal(f"{source}: the archive {archive}", "There is no such folder", "Give the folder of the archive")
    newest: dict[np.datetime64, Granule] = {}
    for path in walk(archive):
        match = pattern.fullmatch(path.name)
        if match:
            granule = _granule(path.parent, match, source)
            rival = newest.get(granule.time, granule)
            newest[granule.time] = max(granule, rival, key=lambda one: (one.version, str(one.path)))
    return tuple(newest[time] for time in sorted(newest))


def nothing_for(source: str, area: Area, period: Period, held: Sequence[Granule], archive: Path) -> NothingFound:
    """The answer of a source that has no granule in a period: what it has instead."""
    asked = f"{source}: no granules for {period} in '{area.name}'"
    if not held:
        return NothingFound(asked, f"Found none at all under {archive}", "Download some, or go on without this source")
    times = sorted(granule.time for granule in held)
    span = Period(times[0], times[-1] + np.timedelta64(1, "ns"))
    if period.end <= span.start or period.start >= span.end:
        return NothingFound(asked, f"Found {span}", "Pass a period inside it")
    return NothingFound(asked, f"Found {span} with a gap there", "Pass another period inside it, or fill the gap")


@contextmanager
def reading(path: Path, source: str) -> Iterator[h5py.File]:
    """Open an HDF5 or NetCDF-4 file for reading.

    Raises:
        Refusal: the file, or a part of it that is read meanwhile, is damaged; or its data lie in other files.
    """
    asked = f"{source}: {path}"
    try:
        require_own_data(path, asked)
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, UnicodeDecodeError) as error:
        raise Refusal(asked, f"It cannot be read: {error}", "Download the file again") from error


def check(dataset: h5py.Dataset, shape: tuple[int, ...], units: tuple[str, ...], source: str) -> None:
    """Refuse a variable of another grid, or in other units, than its product's."""
    found = _text(dataset.attrs.get("units", "none"))
    if dataset.shape == shape and found in units:
        return
    raise Refusal(
        f"{source}: {dataset.file.filename}, variable {dataset.name}",
        f"Its shape is {dataset.shape}, its units are {found}; the product has {shape} and {units[0]}",
        "Use the product's own global files, no subsets",
    )


def by_blocks(grid: GlobalGrid, window: Window, side: int, kept: Reader, read: Reader) -> Layer:
    """Read a window (..., y, x) block by block, so that windows that share a block read it once.

    Args:
        grid: that the window is of.
        window: what is asked for.
        side: of a block, in pixels.
        kept: reads a block, or gives it again.
        read: reads a window of more than 2 x 2 blocks, which is not worth keeping.
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


def stacked(read: Callable[[int], Layer], count: int, shape: tuple[int, int]) -> da.Array:
    """A lazy array (time, y, x) of `count` layers, `read(index)` giving each."""
    name = f"layers-{uuid.uuid4().hex}"
    starts = range(0, count, PER_CHUNK)
    parts = [range(start, min(start + PER_CHUNK, count)) for start in starts]
    graph = {(name, number, 0, 0): (partial(_layers, read, part),) for number, part in enumerate(parts)}
    chunks = (tuple(len(part) for part in parts), (shape[0],), (shape[1],))
    return da.Array(graph, name, chunks, dtype=np.float32)  # type: ignore[no-untyped-call]


def _layers(read: Callable[[int], Layer], part: range) -> Layer:
    return np.stack([read(index) for index in part])


def _granule(folder: Path, match: re.Match[str], source: str) -> Granule:
    path, date, clock = folder / match[0], match["date"], match.groupdict().get("clock") or "0000"
    try:
        time = nanosecond(f"{date[:4]}-{date[4:6]}-{date[6:]}T{clock[:2]}:{clock[2:]}")
        return Granule(path, path.stat().st_mtime_ns, time, match["version"])
    except ValueError as error:
        raise Refusal(f"{source}: {path}", f"Its name holds no date: {date} {clock}", "Rename or remove it") from error
    except OSError as error:
        raise Refusal(f"{source}: {path}", f"It cannot be read: {error}", "Restore or remove it") from error


def _text(value: Any) -> str:
    value = np.asarray(value).reshape(-1)[0]
    return value.decode() if isinstance(value, bytes) else str(value)
