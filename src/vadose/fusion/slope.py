"""Mean slope of cells."""

import numpy as np

from vadose.fusion.regrid import Floats, blocks
from vadose.grid import PIXEL_M, PIXELS_PER_CELL

SLOPE = "dem_slope"


def mean_slope(elevation: Floats, cells: tuple[int, ...]) -> Floats:
    """Return the mean slope of each cell, degrees, (y, x).

    Differences are taken between neighbouring pixels of one cell, so that the slope of a cell does not depend on its
    surroundings.

    Args:
        elevation: metres, on pixels of 10 m, (y, x), with a halo of whole cells or without.
        cells: rows and columns without the halo.

    Returns:
        NaN where no four neighbouring pixels are known.
    """
    side = PIXELS_PER_CELL
    edge = (elevation.shape[0] - cells[0] * side) // 2
    inner = elevation[edge : elevation.shape[0] - edge, edge : elevation.shape[1] - edge]
    pixels = blocks(inner, side).swapaxes(1, 2).astype(np.float64)
    east = np.diff(pixels, axis=3)[:, :, :-1] / PIXEL_M
    south = np.diff(pixels, axis=2)[:, :, :, :-1] / PIXEL_M
    angle = np.degrees(np.arctan(np.hypot(east, south)))
    known = np.isfinite(angle)
    count = known.sum(axis=(2, 3))
    total = np.where(known, angle, 0.0).sum(axis=(2, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
