"""Layers of an item on one native grid, read by windows, and their form as a dataset."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import dask.array as da
import numpy as np
import rioxarray  # noqa: F401 (gives datasets their `rio`)
import xarray as xr
from numpy.typing import NDArray

from vadose.grid import AreaOfInterest, Period, nanosecond
from vadose.sources.raster import Floats, Grid
from vadose.sources.source import AVAILABLE_AT, REPLACED_AT, Source, SourceFile, times_or_never
from vadose.sources.window import Window
from vadose.variables import Variable

BLOCK = 2048
"""Largest side of a block that is read at once, pixels."""

Names = Sequence[str]
Read = Callable[[Window, Names], Sequence[Floats]]
"""Reads named layers of a window, each (y, x), NaN where missing."""
Shown = Callable[[Window], NDArray[np.bool_]]
"""Returns which pixels of a window count, (y, x)."""


@dataclass(frozen=True, eq=False)
class Layers:
    """Variables of one item at one time on one native grid; nothing is read before it is needed.

    Attributes:
        grid: native grid.
        window: part of it near the requested area.
        variables: of the layers.
        read: reads some of them in a window.
        time: time of the observation; None for a static product.
        source, item: names of both.
        attrs: further attributes of the item.
        available_at, replaced_at: as the coordinates of a dataset; None if unknown.
        shown: which pixels count; None for all of them.
        together: whether one variable cannot be read without the others.
    """

    grid: Grid
    window: Window
    variables: tuple[Variable, ...]
    read: Read
    time: np.datetime64 | None = None
    source: str = ""
    item: str = ""
    attrs: Mapping[Any, Any] = field(default_factory=dict)
    available_at: np.datetime64 | None = None
    replaced_at: np.datetime64 | None = None
    shown: Shown | None = None
    together: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the variables."""
        return tuple(variable.name for variable in self.variables)

    def values(self, window: Window, names: Names) -> dict[str, Floats]:
        """Return some variables in a window, (y, x) float32, NaN where missing or beyond their valid range."""
        ranges = {variable.name: variable.valid_range for variable in self.variables}
        shown = None if self.shown is None else self.shown(window)
        found = dict(zip(names, self.read(window, names), strict=True))
        for name, values in found.items():
            low, high = ranges[name]
            with np.errstate(invalid="ignore"):
                valid = (values >= low) & (values <= high)
            found[name] = masked(values, valid if shown is None else valid & shown)
        return found

    def ground(self, window: Window) -> NDArray[np.bool_]:
        """Return which pixels of a window count, (y, x), observed or not."""
        return np.ones(window.shape, bool) if self.shown is None else self.shown(window)

    def dataset(self) -> xr.Dataset:
        """Return the window as a lazy dataset in the standard form, see `source.validate_dataset`."""
        units = {variable.name: variable.attrs for variable in self.variables}
        static = self.time is None
        dims = ("y", "x") if static else ("time", "y", "x")
        arrays = {name: layer[0] if static else layer for name, layer in _lazy(self).items()}
        coords: dict[str, Any] = {} if static else {"time": [self.time]}
        coords |= {"y": self.grid.y(self.window), "x": self.grid.x(self.window)}
        coords["spatial_ref"] = xr.Variable((), 0, {"crs_wkt": self.grid.crs})
        published = {AVAILABLE_AT: self.available_at, REPLACED_AT: self.replaced_at}
        if not static and any(at is not None for at in published.values()):
            coords |= {name: ("time", times_or_never([at])) for name, at in published.items()}
        attrs = {**self.attrs, "source": self.source, "item": self.item}
        made = xr.Dataset({name: (dims, array, units[name]) for name, array in arrays.items()}, coords, attrs)
        upward = {"y": self.grid.transform.e > 0, "x": self.grid.transform.a < 0}
        return made.isel({name: slice(None, None, -1) for name, turned in upward.items() if turned})

    @classmethod
    def of_dataset(cls, dataset: xr.Dataset, variables: Sequence[Variable]) -> "Iterator[Layers]":
        """Yield the layers of a dataset in the standard form, at each of its times."""
        height, width = dataset.sizes["y"], dataset.sizes["x"]
        grid = Grid(dataset.rio.crs.to_wkt(), dataset.rio.transform(recalc=True), height, width)
        window = Window(0, height, 0, width)
        held = tuple(variable for variable in variables if variable.name in dataset)
        source, item = (str(dataset.attrs.get(name, "")) for name in ("source", "item"))
        count = dataset.sizes.get("time")
        for part in [dataset] if count is None else [dataset.isel(time=number) for number in range(count)]:
            time, since, until = (_time_of(part, name) for name in ("time", AVAILABLE_AT, REPLACED_AT))
            read = partial(_loaded, part)
            yield cls(grid, window, held, read, time, source, item, dataset.attrs, since, until)


def _time_of(dataset: xr.Dataset, name: str) -> np.datetime64 | None:
    time = dataset.coords.get(name)
    return None if time is None or np.isnat(time.values) else nanosecond(time.values)


@runtime_checkable
class LayerSource(Source, Protocol):
    """Interface of a source that also gives its layers without datasets, which takes a small part of the time."""

    def layers(self, area: AreaOfInterest, period: Period) -> tuple[Layers, ...]:
        """Return what `open` returns, as layers."""
        ...


@runtime_checkable
class OverviewSource(LayerSource, Protocol):
    """Interface of a source that is also read at reduced resolution, for sparse history."""

    def overviews(self, area: AreaOfInterest, period: Period, pixel_m: float) -> tuple[Layers, ...]:
        """Return the layers of `OverviewItemSource.overviews`, with pixels of at most `pixel_m`."""
        ...

    def overview_files(self, area: AreaOfInterest, period: Period, pixel_m: float) -> tuple[SourceFile, ...]:
        """Return the items that `overviews` reads."""
        ...


def read_each(readers: Mapping[str, Callable[[Window], Floats]], window: Window, names: Names) -> list[Floats]:
    """Read layers that have nothing in common."""
    return [readers[name](window) for name in names]


def masked(values: Floats, there: NDArray[np.bool_]) -> Floats:
    """Return values with NaN elsewhere than `there`; unchanged if they are there everywhere."""
    return values if there.all() else np.where(there, values, np.float32(np.nan))


def _loaded(dataset: xr.Dataset, window: Window, names: Names) -> list[Floats]:
    part = dataset[list(names)].isel(y=slice(*window.rows), x=slice(*window.columns)).load(scheduler="synchronous")
    return [part[name].values.astype(np.float32, copy=False) for name in names]


def _lazy(layers: Layers) -> dict[str, da.Array]:
    """Return the variables of a window, each (1, y, x) float32; those read together are read once for each block."""
    window = layers.window
    rows, columns = _pieces(window.top, window.bottom), _pieces(window.left, window.right)
    chunks = ((1,), *(tuple(end - start for start, end in pieces) for pieces in (rows, columns)))
    blocks = {(i, j): Window(*row, *column) for i, row in enumerate(rows) for j, column in enumerate(columns)}
    found: dict[str, da.Array] = {}
    for names in [layers.names] if layers.together else [(name,) for name in layers.names]:
        stack = f"pixels-{uuid.uuid4().hex}"
        graph: dict[tuple[str | int, ...], Any] = {
            (stack, *at): (partial(layers.values, block, names),) for at, block in blocks.items()
        }
        for name in names:
            graph |= {(f"{name}-{stack}", 0, *at): (partial(_layer, name), (stack, *at)) for at in blocks}
        for name in names:
            found[name] = da.Array(graph, f"{name}-{stack}", chunks, dtype=np.float32)  # type: ignore[no-untyped-call]
    return found


def _layer(name: str, values: Mapping[str, Floats]) -> Floats:
    return values[name][np.newaxis]


def _pieces(start: int, end: int) -> list[tuple[int, int]]:
    return [(first, min(first + BLOCK, end)) for first in range(start, end, BLOCK)]
