"""Everything a model may see of a tile at a moment."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from vadose.grid import Tile


@dataclass(frozen=True, eq=False)
class FeatureCube:
    """All sources on one grid around a place and a time; NaN where nothing was observed.

    Attributes:
        tile: the ground.
        time: the moment of the estimate, UTC.
        pixels: predictors at 10 m over the tile and its halo, (y, x), physical units, backscatter in linear power.
        cells: predictors as means over each cell of 320 m, halo excluded, (y, x), physical units; for each source
            also `<source>_valid_fraction` (0..1: the part of the cell that was observed) and `<source>_age`
            (days from the observation to `time`; NaN where nothing was observed); where the elevation is known in
            pixels also `dem_slope` (degrees, see `slope.mean_slope`).
        history: cell values before `time`, (step, y, x), the latest step first.
        items: identifiers of what pixels, cells and history were read from, sorted, each once.
    """

    tile: Tile
    time: np.datetime64
    pixels: xr.Dataset
    cells: xr.Dataset
    history: xr.Dataset
    items: tuple[str, ...] = ()
