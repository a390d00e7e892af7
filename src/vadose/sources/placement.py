"""Position of the rows and columns of a file on a product's grid: a file may contain a part of it, from either end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadose.sources.left_out import Unfit
from vadose.sources.window import GlobalGrid, Window

Numbers = NDArray[Any]

OFF_GRID = 0.05
"""Largest deviation of a coordinate from a pixel centre, pixels: single precision is off by a thousandth, longitudes of
two decimals by a fiftieth, another grid by up to a half.
"""


@dataclass(frozen=True)
class Line:
    """Rows or columns of a file, as indices of a grid.

    Attributes:
        first: index of the file's first one.
        step: 1, or -1 in reverse order.
        count: number in the file.
        size: number in the grid.
    """

    first: int
    step: int
    count: int
    size: int

    @property
    def numbers(self) -> NDArray[np.intp]:
        """Return the index of each; after the last one they continue with the first, as longitudes do."""
        return (self.first + self.step * np.arange(self.count)) % self.size


@dataclass(frozen=True)
class Placement:
    """Rows and columns of a file on a grid."""

    rows: Line
    columns: Line

    @classmethod
    def whole(cls, grid: GlobalGrid) -> "Placement":
        """Return the placement of a file with the complete grid, row 0 in the north."""
        return cls(Line(0, 1, grid.rows, grid.rows), Line(0, 1, grid.columns, grid.columns))

    def read(self, window: Window, part: Callable[[slice, slice], Numbers], empty: float) -> Numbers:
        """Return a window of the grid, (y, x), `empty` where the file has no data.

        Args:
            window: window of the grid.
            part: reads rows and columns of the file.
            empty: empty of the file's own type.
        """
        rows, columns = self.rows.numbers, self.columns.numbers
        down = np.flatnonzero((rows >= window.top) & (rows < window.bottom))
        across = np.flatnonzero((columns >= window.left) & (columns < window.right))
        if not down.size or not across.size:
            return np.full(window.shape, empty)
        held = part(slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1))[:, across - across[0]]
        found = np.full(window.shape, empty, held.dtype)
        found[np.ix_(rows[down] - window.top, columns[across] - window.left)] = held
        return found


def line(places: Numbers, size: int, asked: str, what: str, wraps: bool = False, off_grid: float = OFF_GRID) -> Line:
    """Return rows or columns by their positions.

    Args:
        places: position of each on the grid, 0 at the centre of its first pixel, 1 at that of the next one; NaN if
            unknown.
        size: size of the grid.
        asked: context of messages.
        what: "rows" or "columns", for messages.
        wraps: whether the first pixel follows the last one.
        off_grid: largest deviation from the pixel centres.

    Raises:
        Unfit: they are not on the pixels of the grid, leave some out, or are unknown.
    """
    known = np.flatnonzero(np.isfinite(places))
    if not known.size:
        raise Unfit("another grid", asked, f"The position of its {what} is missing", _REMEDY)
    numbers = np.round(places[known]).astype(int)
    steps = np.diff(numbers)
    if wraps:
        steps = (steps + size // 2) % size - size // 2
    step = int(np.sign(steps[0])) if steps.size else 1
    off = float(np.abs(places[known] - np.round(places[known])).max())
    if off > off_grid or step == 0 or (steps != step * np.diff(known)).any():
        each = np.median(np.abs(np.diff(places[known]) / np.diff(known))) if steps.size else np.nan
        raise Unfit(
            "another grid",
            asked,
            f"Its {what} are {each:.3g} pixels of the product apart and up to {off:.2f} off them; those of the "
            "product are 1 apart and on them",
            _REMEDY,
        )
    first = int(numbers[0]) - step * int(known[0])
    last = first + step * (places.size - 1)
    if (not wraps and not (0 <= first < size and 0 <= last < size)) or places.size > size:
        raise Unfit("another grid", asked, f"Its {what} go from {first} to {last} of {size}", _REMEDY)
    return Line(first % size, step, places.size, size)


_REMEDY = "Use the product's own files, or subsets of them on the same grid"
