"""Placement of simulated sensors: near one another, as in a dense network, or single."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.grid import Tile
from vadose.simulation.fields import Floats
from vadose.simulation.land import FIELD_M, PER_CELL, URBAN, WATER

MARGIN_CELLS = 4
"""Distance from the edge of a region in which a chip of 9 cells fits."""
NEST_SHARE, NEST_M = 0.5, 200.0
"""Fraction of a dense network's sensors that are near another one, and their distance: networks are nested in scale, as
that
of Caldwell et al., Vadose Zone J. 18:100034, 2019, in Texas."""
DRAWN, ROUNDS = 40, 25
"""Number of candidate places per sensor, and of attempts before the region counts as full."""


@dataclass(frozen=True)
class StationSite:
    """A station: its name, and its pixel of 40 m in the region, counted from the north-west corner."""

    station: str
    row: int
    column: int

    def place(self, tile: Tile) -> tuple[float, float]:
        """Return easting and northing of the centre of its pixel."""
        east, north = _middles(tile, np.array([self.row]), np.array([self.column]))
        return float(east[0]), float(north[0])


def place_stations(
    tile: Tile,
    name: str,
    count: int,
    cover_of: Callable[[Floats, Floats], NDArray[np.intp]],
    rng: np.random.Generator,
) -> tuple[StationSite, ...]:
    """Return stations of a region, on open soil: never in water or in a town, and no two in the same pixel.

    Args:
        tile: the region.
        name: name of the region, the start of their names.
        count: number of stations; a single one is near the centre.
        cover_of: land cover at eastings and northings.
        rng: random number generator.

    Raises:
        VadoseError: the region has no room for them.
    """
    found: list[tuple[int, int]] = []
    for _ in range(count):
        for attempt in range(ROUNDS):
            rows, columns = _candidates(tile, found, count, attempt, rng).T
            dry = ~np.isin(cover_of(*_middles(tile, rows, columns)), (WATER, URBAN))
            places = zip(rows[dry].tolist(), columns[dry].tolist(), strict=True)
            free = [place for place in places if place not in found]
            if free:
                found.append(free[0])
                break
    if len(found) < count:
        raise VadoseError(
            f"world: {count} stations in the region {name}",
            f"Found room for {len(found)} on open soil, {MARGIN_CELLS} cells from its edge",
            "Ask for fewer sensors, or for a larger region",
        )
    return tuple(StationSite(f"{name.title()}-{number:02d}", *place) for number, place in enumerate(found, start=1))


def _middles(tile: Tile, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> tuple[Floats, Floats]:
    box = tile.cells.boundingbox
    return box.left + FIELD_M * (columns + 0.5), box.top - FIELD_M * (rows + 0.5)


def _candidates(
    tile: Tile, found: list[tuple[int, int]], count: int, attempt: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return candidate pixels of the next station, (place, row and column), the best first."""
    first, last = MARGIN_CELLS * PER_CELL, (np.array([tile.rows, tile.columns]) - MARGIN_CELLS) * PER_CELL - 1
    places: Floats
    if count == 1:
        places = rng.normal((first + last + 1) / 2, PER_CELL * (1 + attempt), (DRAWN, 2))
    elif found and rng.random() < NEST_SHARE:
        near = np.array(found[int(rng.integers(len(found)))]) + 0.5
        places = rng.normal(near, NEST_M / FIELD_M * (1 + attempt), (DRAWN, 2))
    else:
        places = _farthest_first(rng.uniform(first, last + 1, (DRAWN, 2)), found)
    inside = ((places >= first) & (places < last + 1)).all(axis=1)
    return np.asarray(places[inside], np.intp)


def _farthest_first(places: Floats, found: list[tuple[int, int]]) -> Floats:
    if not found:
        return places
    distance = np.hypot(*(places[:, np.newaxis] - np.array(found)).transpose(2, 0, 1)).min(axis=1)
    return np.asarray(places[np.argsort(-distance)])
