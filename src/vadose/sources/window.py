"""Regular grids of the whole Earth, and windows of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from vadose.errors import NoDataError
from vadose.grid import AreaOfInterest, from_lonlat


@dataclass(frozen=True, order=True)
class Window:
    """Rows and columns of a grid, the last ones excluded; row 0 is the northernmost."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def rows(self) -> tuple[int, int]:
        """Return the first row and the one after the last."""
        return self.top, self.bottom

    @property
    def columns(self) -> tuple[int, int]:
        """Return the first column and the one after the last."""
        return self.left, self.right

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def size(self) -> int:
        """Return the number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    def moved(self, rows: int, columns: int) -> "Window":
        """Return the window some rows and columns further."""
        return Window(self.top + rows, self.bottom + rows, self.left + columns, self.right + columns)

    @property
    def name(self) -> str:
        """Return a name that tells it from the other windows of a grid."""
        return f"r{self.top}c{self.left}h{self.shape[0]}w{self.shape[1]}"

    @classmethod
    def around(cls, parts: Sequence["Window"]) -> "Window":
        """Return the smallest window that contains all of some windows."""
        return cls(
            min(part.top for part in parts),
            max(part.bottom for part in parts),
            min(part.left for part in parts),
            max(part.right for part in parts),
        )

    def in_blocks(self, block: tuple[int, int], shape: tuple[int, int]) -> "Window":
        """Extend it to whole blocks.

        Args:
            block: rows and columns of a block; blocks are counted from pixel 0.
            shape: rows and columns of the grid, at whose edges blocks end.
        """
        (rows, columns), (height, width) = block, shape
        return Window(
            self.top // rows * rows,
            min(-(-self.bottom // rows) * rows, height),
            self.left // columns * columns,
            min(-(-self.right // columns) * columns, width),
        )

    def block_numbers(self, block: tuple[int, int], width: int) -> list[int]:
        """Return the numbers of the blocks that hold it, row by row, in a grid of `width` columns."""
        (rows, columns), across = block, -(-width // block[1])
        return [
            row * across + column
            for row in range(self.top // rows, -(-self.bottom // rows))
            for column in range(self.left // columns, -(-self.right // columns))
        ]

    def shared(self, other: "Window") -> "Window":
        """Return the common rows and columns of two windows."""
        rows = max(self.top, other.top), min(self.bottom, other.bottom)
        return Window(*rows, max(self.left, other.left), min(self.right, other.right))

    def within(self, outer: "Window") -> tuple[slice, slice]:
        """Return rows and columns of this window in an array of `outer`, which contains it."""
        rows = slice(self.top - outer.top, self.bottom - outer.top)
        return rows, slice(self.left - outer.left, self.right - outer.left)


@dataclass(frozen=True)
class GlobalGrid:
    """Square pixels in a cylindrical projection, x of longitude alone and y of latitude alone, row 0 in the north.

    Attributes:
        epsg: code of the projection.
        west, north: outer corner of the first pixel, in units of the projection.
        step: side of a pixel, in the same units.
        rows, columns: size of the grid.
    """

    epsg: int
    west: float
    north: float
    step: float
    rows: int
    columns: int

    def pixel_of(self, lon: float, lat: float) -> tuple[int, int]:
        """Return row and column of the pixel that contains a place; beyond the grid they are outside its size."""
        x, y = from_lonlat(self.epsg).transform(lon, lat)
        column = floor((x - self.west) / self.step)
        return floor((self.north - y) / self.step), min(column, self.columns - 1)

    def window(self, area: AreaOfInterest, margin: int, source: str) -> Window:
        """Return the pixels that contain the bounds of an area, and `margin` more on every side within the grid.

        An area on both sides of the antimeridian has a window over the whole width.

        Raises:
            NoDataError: the area is beyond the grid; the message names `source`.
        """
        west, south, east, north = area.geometry.bounds
        top, left = self.pixel_of(west, north)
        bottom, right = self.pixel_of(east, south)
        if top >= self.rows or bottom < 0:
            raise NoDataError(
                f"{source}: '{area.name}'",
                f"It spans {south:g}..{north:g} N, where the product ends",
                f"Choose another area, or continue without {source}",
            )
        return Window(
            max(top - margin, 0),
            min(bottom + 1 + margin, self.rows),
            max(left - margin, 0),
            min(right + 1 + margin, self.columns),
        )

    def blocks(self, window: Window, side: int) -> list[Window]:
        """Return the blocks of `side` x `side` pixels, counted from pixel 0, that together contain a window."""
        return [
            Window(top, min(top + side, self.rows), left, min(left + side, self.columns))
            for top in range(window.top // side * side, window.bottom, side)
            for left in range(window.left // side * side, window.right, side)
        ]

    def centres(self, window: Window) -> dict[str, NDArray[np.floating]]:
        """Return coordinates y (descending) and x (ascending) of the pixel centres of a window."""
        return {
            "y": self.north - (np.arange(window.top, window.bottom) + 0.5) * self.step,
            "x": self.west + (np.arange(window.left, window.right) + 0.5) * self.step,
        }


EASE2_9KM_M = 9008.055210146
"""Side of a pixel of EASE-Grid 2.0 of 9 km, m (Brodzik et al. 2012, doi 10.3390/ijgi1010032)."""


def ease2(step_9km: float = 1.0) -> GlobalGrid:
    """Return EASE-Grid 2.0 of the whole Earth.

    Args:
        step_9km: side of a pixel, in pixels of 9 km.
    """
    rows, columns = round(1624 / step_9km), round(3856 / step_9km)
    return GlobalGrid(6933, -17367530.4451615, 7314540.8306386, EASE2_9KM_M * step_9km, rows, columns)
