"""What every source is, and the form in which every source gives its data."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr
from dask.base import is_dask_collection
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Period, nanoseconds
from vadose.variables import Variable

AVAILABLE_AT, REPLACED_AT = "available_at", "replaced_at"
"""Coordinates along the times of a dataset: when the product of each was published, and when a better one of the same
observation was. NaT: it has the latency of its source, and no better one was; as without them."""


def times_or_never(times: Iterable[np.datetime64 | None]) -> NDArray[np.datetime64]:
    """Return times along those of a dataset, NaT for None."""
    never = np.datetime64("NaT", "ns")
    return nanoseconds([never if time is None else time for time in times])


ITEMS = "items"
"""Coordinate along the times of a dataset that is made of several files: the names of those of each time, a line each;
a dataset without it is made of its attribute `item`."""


@dataclass(frozen=True)
class SourceFile:
    """A file of an archive, or all files of an item, that a source reads.

    Attributes:
        name: of the item or of the file.
        size: bytes; 0 of what is not there.
        time: of the observation; None for a source that does not change.
        first, last: span of its observations; the time itself if None.
        available_at, replaced_at: as the coordinates of a dataset; None where they are not known.
    """

    name: str
    size: int
    time: np.datetime64 | None = None
    first: np.datetime64 | None = None
    last: np.datetime64 | None = None
    available_at: np.datetime64 | None = None
    replaced_at: np.datetime64 | None = None


class Source(Protocol):
    """Where data come from: one product, read on its own grid."""

    @property
    def name(self) -> str:
        """What stores, flags and messages call it."""
        ...

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What it observes."""
        ...

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        """Everything observed over an area in a period: one dataset for each native grid of each item.

        Each dataset is lazy and conforms: see `validate_dataset`. A static source disregards the period.

        Raises:
            NoDataError: nothing lies in that area and period; the message says what does.
            VadoseError: a file is there and cannot be read.
        """
        ...

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:
        """Return what `open` reads for an area and a period; as much of it is opened as the choice takes."""
        ...


def size_of(path: Path) -> int:
    """Size of a file, bytes; 0 where there is none."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # a name too long, links in circles
        return 0


def validate_dataset(dataset: xr.Dataset, variables: tuple[Variable, ...], source: str, item: str) -> xr.Dataset:
    """Bring an opened product to the one form that fusion reads, or refuse it.

    The form: variables of `variables` alone, float32, with their units and NaN where nothing was observed; dimensions
    (time, y, x), or (y, x) for a static product; x ascending, y descending, evenly spaced pixel centres in the
    dataset's CRS (`.rio.crs`); time ascending, datetime64[ns], UTC; attributes `source` and `item`. A product whose
    latency is not that of its source (`registry.LATENCY_DAYS`) carries the coordinates `available_at`, `replaced_at`.

    Args:
        dataset: with a `units` attribute on every variable, and a CRS.
        variables: those the dataset may hold; it may hold fewer, when its grid carries only some bands.
        source: name of the source.
        item: what the dataset was read from, for provenance.

    Raises:
        VadoseError: unknown variable, wrong units, no CRS, uneven or repeated coordinates.
    """
    asked = f"{source}: {item}"
    known = {variable.name: variable for variable in variables}
    if not dataset.data_vars or set(dataset.data_vars) - set(known):
        raise VadoseError(
            asked, f"It holds {sorted(map(str, dataset.data_vars))}", f"Name variables among {sorted(known)}"
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
            raise VadoseError(asked, "It holds the same time twice", "Remove one of the two")
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
