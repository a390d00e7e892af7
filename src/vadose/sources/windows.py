"""Joining of the windows of one scene, so that no pixel counts twice and there is no seam."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vadose.sources.layers import Layers, Names
from vadose.sources.raster import Floats
from vadose.sources.window import Window

_PHASE = 100
"""Fractions of a pixel by which two grids are distinguished."""


def join_windows(parts: Iterable[Layers]) -> tuple[Layers, ...]:
    """Join the layers of one item, processing and time on one pixel grid; the others remain unchanged."""
    groups: dict[Hashable, list[Layers]] = {}
    for part in parts:
        groups.setdefault(_identity(part), []).append(part)
    return tuple(_joined(group) for group in groups.values())


def _identity(part: Layers) -> Hashable:
    """Return the key that the windows of one scene share."""
    a, _, c, _, e, f = part.grid.transform[:6]
    phases = [round(start / step * _PHASE) % _PHASE for start, step in ((c, a), (f, e))]
    lattice = (f"{a:.6g}", f"{e:.6g}", *phases)
    times = tuple(str(time) for time in (part.time, part.available_at, part.replaced_at))
    return part.item, part.attrs.get("processed"), times, part.names, part.grid.crs, lattice


def _joined(parts: Sequence[Layers]) -> Layers:
    first = parts[0]
    placed = _needed([Placed(part, *_offset(part, first)) for part in parts])
    if len(placed) == 1:
        return placed[0].layers
    whole = JoinedWindows(tuple(placed))
    return replace(
        first,
        window=Window.around([one.window for one in placed]),
        read=whole.read,
        shown=whole.shown,
        attrs=placed[0].layers.attrs,
    )


def _offset(part: Layers, first: Layers) -> tuple[int, int]:
    """Return the row and the column of the first pixel of a grid in another grid of the same lattice."""
    (a, _, c, _, e, f), mine = first.grid.transform[:6], part.grid.transform
    return round((mine.f - f) / e), round((mine.c - c) / a)


@dataclass(frozen=True, eq=False)
class Placed:
    """Layers whose first pixel is at a row and a column of a larger grid."""

    layers: Layers
    row: int
    column: int

    @property
    def window(self) -> Window:
        """Return their window in the larger grid."""
        return self.layers.window.moved(self.row, self.column)


@dataclass(frozen=True, eq=False)
class JoinedWindows:
    """Windows of one scene in the grid of the first of them; each pixel is of the first that shows it."""

    parts: tuple[Placed, ...]

    def read(self, window: Window, names: Names) -> list[Floats]:
        """Return some variables in a window, each (y, x), NaN where missing."""
        found = {name: np.full(window.shape, np.nan, np.float32) for name in names}

        def fill(part: Placed, own: Window, place: tuple[slice, slice]) -> None:
            for name, values in part.layers.values(own, names).items():
                inside = found[name][place]
                np.copyto(inside, values, where=np.isnan(inside))

        self._each(window, fill)
        return list(found.values())

    def shown(self, window: Window) -> NDArray[np.bool_]:
        """Return which pixels of a window any part shows."""
        found = np.zeros(window.shape, bool)

        def fill(part: Placed, own: Window, place: tuple[slice, slice]) -> None:
            found[place] |= part.layers.ground(own)

        self._each(window, fill)
        return found

    def _each(self, window: Window, fill: Callable[[Placed, Window, tuple[slice, slice]], None]) -> None:
        """Call with each part, its share of a window in its own grid, and the place of that in the window."""
        for part in self.parts:
            shared = part.window.shared(window)
            if min(shared.shape) > 0:
                fill(part, shared.moved(-part.row, -part.column), shared.within(window))


def _needed(parts: Sequence[Placed]) -> list[Placed]:
    """Return the windows that do not lie within another one: these hold the same pixels."""
    found: list[Placed] = []
    for part in sorted(parts, key=lambda one: -one.window.size):
        if not any(part.window.shared(kept.window) == part.window for kept in found):
            found.append(part)
    return [part for part in parts if part in found]
