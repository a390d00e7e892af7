"""Properties of a simulated region's cells that may explain the errors of its maps."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from vadose.fusion.regrid import block_mode
from vadose.grid import CELL_M, Tile, from_lonlat
from vadose.simulation import COVERS, Region, cover_of

COVER, FAR = "cover", "sensor_km"
"""Columns of a cell's land cover, and of its distance from the nearest sensor of its region, km."""


def ground_of(archive: Path, region: Region, tile: Tile, readings: pd.DataFrame) -> pd.DataFrame:
    """Return the main land cover of each cell, and its distance from the nearest sensor.

    Args:
        archive: archive of the simulated Earth.
        region: region of it.
        tile: tile of the region.
        readings: readings of the region's sensors, with lat and lon.

    Returns:
        One row per cell, row by row from the north-west: `COVER`, by name, and `FAR`, km.
    """
    places = readings[["lon", "lat"]].drop_duplicates()
    sensors = np.column_stack(from_lonlat(tile.epsg).transform(places["lon"].to_numpy(), places["lat"].to_numpy()))
    box = tile.cells.boundingbox
    x = box.left + CELL_M * (np.arange(tile.columns) + 0.5)
    y = box.top - CELL_M * (np.arange(tile.rows) + 0.5)
    cells = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    classes = cover_of(archive, region.name)
    cover = np.array(COVERS)[block_mode(classes.astype(np.float32), len(classes) // tile.rows).ravel().astype(int)]
    return pd.DataFrame({COVER: cover, FAR: KDTree(sensors).query(cells)[0] / 1000})
