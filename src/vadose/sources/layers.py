"""Lazy datasets from windows of raster files."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import getitem
from typing import Any

import dask.array as da
import numpy as np
import rioxarray  # noqa: F401 (gives datasets their `rio`)
import xarray as xr

from vadose.sources.raster import Floats, Grid
from vadose.sources.window import Window

BLOCK = 2048
"""Largest side of a block that is read at once, pixels."""

Read = Callable[[Window], Floats]
"""Reads the pixels of a window as (layer, y, x), NaN where missing."""


def lazy(read: Read, names: Sequence[str], window: Window) -> dict[str, da.Array]:
    """Return the layers of a window, by name, each (1, y, x) float32, read lazily by `read`.

    They are read in blocks; layers that are computed together are read once.
    """
    rows, columns = _pieces(window.top, window.bottom), _pieces(window.left, window.right)
    stack = f"pixels-{uuid.uuid4().hex}"
    blocks = {(i, j): Window(*row, *column) for i, row in enumerate(rows) for j, column in enumerate(columns)}
    graph: dict[tuple[str | int, ...], Any] = {(stack, *at): (partial(read, block),) for at, block in blocks.items()}
    for layer, name in enumerate(names):
        graph |= {(f"{name}-{stack}", 0, *at): (getitem, (stack, *at), slice(layer, layer + 1)) for at in blocks}
    chunks = ((1,), *(tuple(end - start for start, end in pieces) for pieces in (rows, columns)))
    return {
        name: da.Array(graph, f"{name}-{stack}", chunks, dtype=np.float32)  # type: ignore[no-untyped-call]
        for name in names
    }


def dataset(
    layers: Mapping[str, da.Array],
    units: Mapping[str, str],
    grid: Grid,
    window: Window,
    time: np.datetime64 | None = None,
) -> xr.Dataset:
    """Return layers of a window as a dataset with coordinates and CRS.

    Args:
        layers: layers by name of the variable, (1, y, x).
        units: units by name of the variable.
        grid: grid of the layers.
        window: window of the grid.
        time: time of the observation; None for a static product, whose variables have dimensions (y, x).
    """
    static = time is None
    dims = ("y", "x") if static else ("time", "y", "x")
    named = {name: (dims, layer[0] if static else layer, {"units": units[name]}) for name, layer in layers.items()}
    reference = xr.Variable((), 0, {"crs_wkt": grid.crs})
    coords = {"y": grid.y(window), "x": grid.x(window), "spatial_ref": reference}
    return xr.Dataset(named, coords=coords if static else {"time": [time], **coords})


def _pieces(start: int, end: int) -> list[tuple[int, int]]:
    return [(first, min(first + BLOCK, end)) for first in range(start, end, BLOCK)]
