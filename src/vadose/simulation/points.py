"""Places that are simulated together: a block of cells, some single cells, or scattered points."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vadose.grid import CELL_M, Tile
from vadose.simulation.fields import Floats, Locations
from vadose.simulation.land import FIELD_M, PER_CELL


@dataclass(frozen=True, eq=False)
class SimulationPoints:
    """Places, and their units, cells or points.

    Attributes:
        where: the places.
        side: side of a unit, in places: 8 of a cell, 1 of a point.
    """

    where: Locations
    side: int

    @classmethod
    def block(cls, tile: Tile) -> "SimulationPoints":
        """Return the pixels of 40 m of a tile."""
        return cls(Locations.grid(tile.cells.zoom_out(1 / PER_CELL)), PER_CELL)

    @classmethod
    def cells(cls, eastings: Floats, northings: Floats) -> "SimulationPoints":
        """Return the pixels of 40 m of cells with these centres, (n,): 64 each, rows from the north."""
        inside = FIELD_M * (np.arange(PER_CELL) + 0.5) - CELL_M / 2
        east, north = np.meshgrid(inside, -inside)
        return cls(
            Locations.points(np.add.outer(eastings, east).ravel(), np.add.outer(northings, north).ravel()), PER_CELL
        )

    @classmethod
    def points(cls, eastings: Floats, northings: Floats) -> "SimulationPoints":
        """Return scattered points, each a unit."""
        return cls(Locations.points(eastings, northings), 1)

    @cached_property
    def units(self) -> Locations:
        """Return the centres of the units, (unit,)."""
        east, north = (self.gathered(axis) for axis in self.where.mesh)
        return Locations.points(east, north)

    def gathered(self, values: Floats) -> Floats:
        """Return means over units, (unit,), of values at the places."""
        if self.where.gridded:
            height, width = values.shape
            parts = values.reshape(height // self.side, self.side, width // self.side, self.side)
            return np.asarray(parts.mean(axis=(1, 3)).ravel())
        return np.asarray(values.reshape(-1, self.side**2).mean(axis=1))

    def to_places(self, values: Floats) -> Floats:
        """Return values of units, (..., unit), at their places."""
        if not self.where.gridded:
            return np.repeat(values, self.side**2, axis=-1)
        height, width = self.where.shape
        grid = values.reshape(*values.shape[:-1], height // self.side, width // self.side)
        return np.repeat(np.repeat(grid, self.side, axis=-2), self.side, axis=-1)
