"""Chips on vadose's grid, cut from published images.

A published image is centred on its sensor: north up, pixels of 10 m in the UTM zone of the place, the sensor in the
pixel (SIDE / 2, SIDE / 2) of (y, x). A chip is the 320 m cell that contains the sensor, with a halo; therefore the
image is shifted by whole pixels until the sensor's pixel has its position in the cell.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.batchu2022.batches import PublishedBatch
from vadose.batchu2022.calibration import FEATURE_OF, PIXELS
from vadose.batchu2022.decode import Pixels
from vadose.batchu2022.features import IMAGES, SCALARS
from vadose.grid import PIXEL_M, PIXELS_PER_CELL, from_lonlat, tile_around

MOST_HALO = 4
"""Halo that every published image covers, wherever the sensor is in its cell."""
NO_HEIGHT = -32768
"""Marks a missing elevation; 0 is a valid one."""
AGES: Mapping[str, str] = {
    f"{source}_age": f"{feature}_time_millis_diff"
    for source, feature in {
        "sentinel1": "sentinel_1",
        "sentinel2": "sentinel_2",
        "dem": "nasa_dem",
        "soilgrids": "soil_grids_sand",
        "smap": "smap",
        "gldas": "gldas",
    }.items()
}
"""Undocumented features of the source ages."""
DAY_MS = 86_400_000


@dataclass(frozen=True, eq=False)
class RawChips:
    """Published numbers of some samples, unchanged, on vadose's grid.

    Attributes:
        index: one row per sample, as `PublishedBatch.index`.
        images: (sample, y, x) by predictor: chips of `PIXELS`, and the sensor's cell of the soil's images.
        scalars: (sample,) by name: smap and gldas in published units, and the ages of the sources in days; NaN where
            missing.
    """

    index: pd.DataFrame
    images: Mapping[str, Pixels]
    scalars: Mapping[str, NDArray[np.float32]]

    def of(self, rows: NDArray[np.intp]) -> "RawChips":
        """Return some of the samples."""
        return RawChips(
            self.index.iloc[rows].reset_index(drop=True),
            {name: image[rows] for name, image in self.images.items()},
            {name: values[rows] for name, values in self.scalars.items()},
        )


def kept_for(halo: int) -> int:
    """Return the side in pixels of the central part of a published image that contains any chip with this halo."""
    return 2 * PIXELS_PER_CELL * (halo + 1)


def pixel_in_cell(lon: float, lat: float) -> tuple[int, int]:
    """Return the pixel of a place in its 320 m cell, (y, x) from the upper left corner.

    Raises:
        VadoseError: the place is in no cell.
    """
    tile = tile_around(lon, lat, halo=0)
    x, y = from_lonlat(tile.epsg).transform(lon, lat)
    corner = tile.pixels.affine
    return min(int((corner.f - y) // PIXEL_M), PIXELS_PER_CELL - 1), int((x - corner.c) // PIXEL_M)


def chips_of(images: Pixels, at: NDArray[np.intp], halo: int) -> Pixels:
    """Cut the chips of images, each shifted by whole pixels.

    Args:
        images: (sample, y, x), central parts of published images, at least of the size from `kept_for`.
        at: (sample, 2), from `pixel_in_cell`.
        halo: cells around the sensor's cell.
    """
    side = (1 + 2 * halo) * PIXELS_PER_CELL
    starts = images.shape[-1] // 2 - halo * PIXELS_PER_CELL - at
    cut = [image[y : y + side, x : x + side] for image, (y, x) in zip(images, starts, strict=True)]
    return np.stack(cut) if cut else np.empty((0, side, side), images.dtype)


def crop_to_grid(batch: PublishedBatch, rows: NDArray[np.intp], halo: int) -> RawChips:
    """Return some examples of a batch on vadose's grid.

    Ages are `<source>_time_millis_diff` without its sign, which the release does not document.

    Args:
        batch: batch of `IMAGES` and `SCALARS`, its images of the size from `kept_for`.
        rows: rows of the examples; each has a place.
        halo: cells around the sensor's cell.

    Raises:
        VadoseError: a place is in no cell.
    """
    index = batch.index.iloc[rows].reset_index(drop=True)
    places = [pixel_in_cell(lon, lat) for lon, lat in zip(index["lon"], index["lat"], strict=True)]
    at = np.array(places, np.intp).reshape(-1, 2)
    predictors = {name: feature for name, feature in FEATURE_OF.items() if feature in IMAGES}
    images = {
        name: chips_of(_missing_marked(batch, name, feature)[rows], at, halo if name in PIXELS else 0)
        for name, feature in predictors.items()
    }
    scalars = {name: batch.scalars[feature][rows] for name, feature in FEATURE_OF.items() if feature in SCALARS}
    ages = {name: abs(batch.scalars[feature][rows]) / np.float32(DAY_MS) for name, feature in AGES.items()}
    return RawChips(index, images, scalars | ages)


def _missing_marked(batch: PublishedBatch, name: str, feature: str) -> Pixels:
    """Return which images are missing: 0 everywhere, except for elevations, of which 0 is a valid one."""
    pixels = batch.pixels[feature]
    if name != "elevation":
        return pixels
    return np.where(batch.present[feature][:, None, None], pixels, np.int16(NO_HEIGHT))
