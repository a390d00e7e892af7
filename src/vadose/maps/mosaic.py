"""Assembly of tile estimates on one grid of cells per UTM zone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Tile, enclosing_tile
from vadose.maps.layers import AGE, NODATA, map_arrays, map_dataset


class Mosaic:
    """Mosaic of tiles that arrive in any order.

    Args:
        area: area to be mapped; cells outside it remain empty.
        tiles: all tiles of the map, from `area.tiles`.

    Raises:
        VadoseError: there are no tiles, as no cell has its centre in the area.
    """

    def __init__(self, area: AreaOfInterest, tiles: Iterable[Tile]) -> None:
        self._area = area
        self._waiting = {tile.with_halo(0) for tile in tiles}
        if not self._waiting:
            raise VadoseError(
                f"maps: a map of '{area.name}'",
                "No cell of 320 m has its centre in it",
                "Give a larger area, or extend it to the centre of a cell",
            )
        zones = {tile.epsg for tile in self._waiting}
        of_zone = {epsg: [t for t in self._waiting if t.epsg == epsg] for epsg in sorted(zones)}
        self._zones = {epsg: Zone(enclosing_tile(own)) for epsg, own in of_zone.items()}

    @property
    def waiting(self) -> frozenset[Tile]:
        """Return the tiles that are still missing, without halo."""
        return frozenset(self._waiting)

    def put(
        self,
        tile: Tile,
        mean: ArrayLike,
        std: ArrayLike,
        quality: ArrayLike,
        ages: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        """Put the estimates of one tile in its place.

        Args:
            tile: one of the map's tiles; its halo is ignored.
            mean, std, quality, ages: (y, x) of the tile's cells, halo excluded, as in `map_dataset`.

        Raises:
            VadoseError: the tile is unknown or was put before, or the arrays are invalid for `map_dataset`.
        """
        tile = tile.with_halo(0)
        if tile not in self._waiting:
            raise VadoseError(
                f"maps: the tile {tile}",
                "It is not a tile of this map, or it was put before",
                "Put each tile of the map once",
            )
        layers = map_arrays(tile.cells, mean, std, quality, ages or {})
        self._zones[tile.epsg].put(tile, layers, self._area.contains_cells(tile))
        self._waiting.remove(tile)

    def zones(self) -> tuple[xr.Dataset, ...]:
        """Return the complete map: for each UTM zone, the layers on the smallest grid that contains its cells.

        Raises:
            VadoseError: tiles are missing.
        """
        if self._waiting:
            some = "; ".join(str(tile) for tile in sorted(self._waiting, key=str)[:3])
            raise VadoseError(
                f"maps: the map of '{self._area.name}'",
                f"{len(self._waiting)} tiles are missing, such as {some}",
                "Put them before the map is used",
            )
        return tuple(zone.cropped() for zone in self._zones.values())


@dataclass(frozen=True, eq=False)
class Zone:
    """Estimates of the tiles of one UTM zone on one grid.

    Attributes:
        ground: grid of all cells.
        arrays: layers by name, empty where nothing was put.
    """

    ground: Tile
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    def window(self, tile: Tile) -> tuple[slice, slice]:
        """Return rows and columns of the cells of a tile."""
        top, left = self.ground.north - tile.north, tile.west - self.ground.west
        return np.s_[top : top + tile.rows, left : left + tile.columns]

    def put(self, tile: Tile, layers: Mapping[str, NDArray[Any]], held: NDArray[np.bool_]) -> None:
        """Put the layers of a tile in their place, in the selected cells."""
        window = self.window(tile)
        for name, layer in layers.items():
            if name not in self.arrays:
                self.arrays[name] = self._blank(layer.dtype)
            whole = self.arrays[name]
            whole[window] = np.where(held, layer, whole[window])

    def cropped(self) -> xr.Dataset:
        """Return the layers on the smallest grid that contains the cells that were put."""
        held = self.arrays["quality"] != NODATA
        (top, bottom), (left, right) = (_ends(held.any(axis=axis)) for axis in (1, 0))
        ground = self.ground
        return self.of(Tile(ground.epsg, ground.west + left, ground.north - top, right - left, bottom - top))

    def of(self, part: Tile) -> xr.Dataset:
        """Return the layers of a part of the grid."""
        window = self.window(part)
        cut = {name: array[window] for name, array in self.arrays.items()}
        ages = {name.removeprefix(AGE): array for name, array in cut.items() if name.startswith(AGE)}
        return map_dataset(part.cells, cut["soil_moisture"], cut["soil_moisture_std"], cut["quality"], ages)

    def _blank(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        nothing = NODATA if np.issubdtype(dtype, np.integer) else np.nan
        return np.full((self.ground.rows, self.ground.columns), nothing, dtype)


def _ends(held: NDArray[np.bool_]) -> tuple[int, int]:
    where = np.flatnonzero(held)
    return int(where[0]), int(where[-1]) + 1
