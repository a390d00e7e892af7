"""Interface of sources, and the standard form of their datasets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr
from dask.base import is_dask_collection
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Period, nanoseconds
from vadose.sources.left_out import LeftOut
from vadose.variables import Variable

AVAILABLE_AT, REPLACED_AT = "available_at", "replaced_at"
"""Coordinates along the times of a dataset: publication of the product of each, and of a better one of the same
observation. NaT, as without them: the latency of the source, and no better product.
"""


def times_or_never(times: Iterable[np.datetime64 | None]) -> NDArray[np.datetime64]:
    """Return times along those of a dataset, NaT for None."""
    never = np.datetime64("NaT", "ns")
    return nanoseconds([never if time is None else time for time in times])


ITEMS = "items"
"""Coordinate along the times of a dataset from several files: the file names of each time, one per line; a dataset
without it comes from its attribute `item`.
"""


@dataclass(frozen=True)
class SourceFile:
    """A file of an archive, or all files of an item, that a source reads.

    Attributes:
        name: name of the item or of the file.
        size: bytes; 0 if missing.
        time: time of the observation; None for a static source.
        first, last: span of its observations; the time itself if None.
        available_at, replaced_at: as the coordinates of a dataset; None if unknown.
        by_catalogue: whether the catalogue states `available_at`.
        cloud_cover: share of clouds in a scene, %.
        footprint: ground of a scene, degrees, as WKB; empty if unknown.
    """

    name: str
    size: int
    time: np.datetime64 | None = None
    first: np.datetime64 | None = None
    last: np.datetime64 | None = None
    available_at: np.datetime64 | None = None
    replaced_at: np.datetime64 | None = None
    by_catalogue: bool = False
    cloud_cover: float = 100.0
    footprint: bytes = b""


class Holdings(Protocol):
    """Interface of what an archive holds of a source."""

    @property
    def times(self) -> Sequence[np.datetime64]:
        """Return the time of each readable item, granule or map; NaT for static ones."""
        ...

    @property
    def unread(self) -> tuple[LeftOut, ...]:
        """Return the files that are not read because of their names or metadata."""
        ...

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Return `unread`, and the requested files found to be invalid."""
        ...

    def first_unfit(self) -> tuple[LeftOut, ...]:
        """Return why the first items are invalid; empty if one of them is valid, or if none can be tested alone."""
        ...


class Source(Protocol):
    """Interface of a source: one product, read on its own grid."""

    @property
    def name(self) -> str:
        """Return the name in stores, flags and messages."""
        ...

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Return the observed variables."""
        ...

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        """Return all observations over an area in a period: one dataset for each native grid of each item.

        Each dataset is lazy and valid: see `validate_dataset`. A static source ignores the period.

        Raises:
            NoDataError: there are no data in that area and period; the message names the available ones.
            VadoseError: an existing file is unreadable.
        """
        ...

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:
        """Return the files that `open` reads for an area and a period; few of them are opened."""
        ...


def holdings(source: Source) -> Holdings | None:
    """Return what an archive holds of a source, its attribute `index`; None for a source that does not state it."""
    index: Holdings | None = getattr(source, "index", None)
    return index


def size_of(path: Path) -> int:
    """Return the size of a file, bytes; 0 if missing."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # a name too long, or circular links
        return 0


def validate_dataset(dataset: xr.Dataset, variables: tuple[Variable, ...], source: str, item: str) -> xr.Dataset:
    """Convert an opened product to the standard form for fusion, or refuse it.

    The form: only variables among `variables`, float32, with their units and NaN where nothing was observed; dimensions
    (time, y, x), or (y, x) for a static product; x ascending, y descending, evenly spaced pixel centres in the
    dataset's CRS (`.rio.crs`); time ascending, datetime64[ns], UTC; attributes `source` and `item`. A product with
    another latency than its source (`registry.LATENCY_DAYS`) has the coordinates `available_at`, `replaced_at`.

    Args:
        dataset: dataset with a `units` attribute on every variable, and a CRS.
        variables: possible variables; there may be fewer, if the grid has only some bands.
        source: name of the source.
        item: provenance of the dataset.

    Raises:
        VadoseError: a variable is unknown, its units are wrong, there is no CRS, or coordinates are uneven or repeated.
    """
    asked = f"{source}: {item}"
    known = {variable.name: variable for variable in variables}
    if not dataset.data_vars or set(dataset.data_vars) - set(known):
        raise VadoseError(
            asked, f"Its variables are {sorted(map(str, dataset.data_vars))}", f"Name variables among {sorted(known)}"
        )
    if dataset.rio.crs is None:
        raise VadoseError(asked, "It has no coordinate reference system", "Write the CRS into the file")
    dataset = _ordered(dataset, asked)
    for name, array in dataset.data_vars.items():
        _check_units(str(name), array, known[str(name)], asked)
    arrays = {name: _as_float(array, known[str(name)]) for name, array in dataset.data_vars.items()}
    return dataset.assign(arrays).assign_attrs(source=source, item=item)


def _ordered(dataset: xr.Dataset, asked: str) -> xr.Dataset:
    dims = ("time", "y", "x") if "time" in dataset.dims else ("y", "x")
    if tuple(dataset.dims) != dims or any(array.dims != dims for array in dataset.data_vars.values()):
        dataset = dataset.transpose(*dims)
    for name, sign in (("x", 1), ("y", -1)):
        values = dataset[name].values
        if values.size > 1 and np.sign(values[1] - values[0]) != sign:
            dataset, values = dataset.isel({name: slice(None, None, -1)}), values[::-1]
        steps = np.diff(values) * sign
        if steps.size and (steps.min() <= 0 or np.ptp(steps) > 1e-3 * steps.mean()):
            raise VadoseError(
                asked, f"Its {name} coordinate is not evenly spaced", "Give a regular grid in the file's CRS"
            )
    if "time" in dataset.dims:
        if not dataset.indexes["time"].is_monotonic_increasing:
            dataset = dataset.sortby("time")
        if dataset.indexes["time"].has_duplicates:
            raise VadoseError(asked, "It contains a time twice", "Remove one of the two")
    return dataset


def _check_units(name: str, array: xr.DataArray, variable: Variable, asked: str) -> None:
    units = array.attrs.get("units", "none")
    if units != variable.units:
        raise VadoseError(f"{asked}, variable {name}", f"Its units are {units}", f"Convert it to {variable.units}")


def _as_float(array: xr.DataArray, variable: Variable) -> xr.DataArray:
    values = array.data
    if is_dask_collection(values):
        empty, name = np.empty((0,) * values.ndim, np.float32), f"valid-{values.name}"
        checked = values.map_blocks(_valid, *variable.valid_range, dtype=np.float32, meta=empty, name=name)
    else:
        checked = _valid(values, *variable.valid_range)
    return array.copy(data=checked).assign_attrs(variable.attrs)


def _valid(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.float32]:
    numbers = values.astype(np.float32, copy=False)
    with np.errstate(invalid="ignore"):
        return np.where((numbers >= low) & (numbers <= high), numbers, np.float32(np.nan))
