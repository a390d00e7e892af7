"""Joining of the windows of one scene, so that no pixel counts twice and there is no seam."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import reduce
from operator import le

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vadose.sources.source import AVAILABLE_AT, REPLACED_AT

_PHASE = 100
"""Fractions of a pixel by which two grids are distinguished."""


def join_windows(datasets: Iterable[xr.Dataset]) -> tuple[xr.Dataset, ...]:
    """Join the datasets of one item, processing and time on one pixel grid; the others remain unchanged.

    Args:
        datasets: valid ones, see `validate_dataset`.
    """
    groups: dict[Hashable, list[xr.Dataset]] = {}
    for number, dataset in enumerate(datasets):
        groups.setdefault(_identity(dataset) or number, []).append(dataset)
    return tuple(_joined(group) for group in groups.values())


def _identity(dataset: xr.Dataset) -> Hashable:
    """Return the key that the windows of one scene share; None if a dataset is too small to determine its grid."""
    axes = [dataset[name].values for name in ("x", "y")]
    if min(axis.size for axis in axes) < 2:
        return None
    steps = [axis[1] - axis[0] for axis in axes]
    phases = [round(axis[0] / step * _PHASE) % _PHASE for axis, step in zip(axes, steps, strict=True)]
    lattice = (*(f"{step:.6g}" for step in steps), *phases)
    times = tuple(
        dataset.coords[name].values.tobytes() for name in ("time", AVAILABLE_AT, REPLACED_AT) if name in dataset.coords
    )
    words = tuple(str(dataset.attrs.get(name, "")) for name in ("item", "processed"))
    return words, times, tuple(map(str, dataset.data_vars)), str(dataset.rio.crs), lattice


def _joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    places = {name: _places([part[name].values for part in parts]) for name in ("y", "x")}
    needed = _needed(places)
    parts = [parts[number] for number in needed]
    if len(parts) == 1:
        return parts[0]
    places = {name: [indices[number] for number in needed] for name, indices in places.items()}
    spans = {name: np.arange(min(map(min, indices)), max(map(max, indices)) + 1) for name, indices in places.items()}
    placed = [
        part.assign_coords({name: indices[number] for name, indices in places.items()}).reindex(spans)
        for number, part in enumerate(parts)
    ]
    whole = reduce(lambda one, other: one.fillna(other), placed)
    first = {name: parts[0][name].values for name in spans}
    return whole.assign_coords(
        {name: axis[0] + (axis[1] - axis[0]) * spans[name] for name, axis in first.items()}
    ).assign_attrs(parts[0].attrs)


def _needed(places: Mapping[str, Sequence[NDArray[np.int64]]]) -> list[int]:
    """Return the numbers of the windows that do not lie within another one: these hold the same pixels."""
    boxes = [
        tuple(bound for axis in axes for bound in (int(axis.min()), -int(axis.max())))
        for axes in zip(*places.values(), strict=True)
    ]
    found: list[int] = []
    for number in sorted(range(len(boxes)), key=lambda one: (-_area(boxes[one]), one)):
        if not any(all(map(le, boxes[kept], boxes[number])) for kept in found):
            found.append(number)
    return sorted(found)


def _area(box: Sequence[int]) -> int:
    top, bottom, left, right = box
    return (1 - bottom - top) * (1 - right - left)


def _places(axes: Sequence[NDArray[np.float64]]) -> list[NDArray[np.int64]]:
    """Return the indices of some axes on the grid of the first one."""
    start, step = axes[0][0], axes[0][1] - axes[0][0]
    return [np.round((axis - start) / step).astype(np.int64) for axis in axes]
