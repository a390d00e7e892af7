"""Features of a tile at one time."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from vadose.fusion.slope import SLOPE
from vadose.grid import Tile
from vadose.registry import VARIABLES


@dataclass(frozen=True, eq=False)
class FeatureCube:
    """All sources on one grid around a place and a time; NaN where nothing was observed.

    Attributes:
        tile: cells.
        time: time of the estimate, UTC.
        pixels: predictors at 10 m over the tile and its halo, (y, x), physical units, backscatter in linear power.
        cells: predictors as means over each cell of 320 m, halo excluded, (y, x), physical units; for each source also
            `<source>_valid_fraction` (observed fraction of the cell, 0..1) and `<source>_age` (observation age at
            `time`, days; NaN without an observation); if the elevation is known in pixels, also `dem_slope` (degrees,
            see `slope.mean_slope`).
        history: cell values before `time`, (step, y, x), the latest step first.
        items: identifiers of the inputs of pixels, cells and history, sorted, each once.
    """

    tile: Tile
    time: np.datetime64
    pixels: xr.Dataset
    cells: xr.Dataset
    history: xr.Dataset
    items: tuple[str, ...] = ()


def on_grid(values: Mapping[str, NDArray[np.floating]], grid: GeoBox, dims: tuple[str, ...]) -> xr.Dataset:
    """Return arrays on a grid, with the attributes of their variables."""
    arrays = {name: (dims, np.asarray(array, np.float32), attrs_of(name)) for name, array in values.items()}
    return xr.Dataset(arrays, coords=_coords(grid))


@lru_cache(maxsize=4)
def _coords(grid: GeoBox) -> dict[Hashable, xr.DataArray]:
    return dict(xr_coords(grid))


def attrs_of(name: str) -> dict[str, str]:
    """Return CF attributes of a variable of a feature cube."""
    if name in VARIABLES:
        return VARIABLES[name].attrs
    if name == SLOPE:
        return {"units": "degree", "long_name": "mean slope within the cell"}
    if name.endswith("_age"):
        return {"units": "day", "long_name": f"age of the observation by {name.removesuffix('_age')}"}
    return {"units": "1", "long_name": f"fraction of the cell observed by {name.removesuffix('_valid_fraction')}"}
