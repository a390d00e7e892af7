"""Compared observations: values at sensors, pixels of scenes, and cloud cover, the same for any world."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.io.files import read_json
from vadose.variables import BANDS

Floats = NDArray[np.floating]

PERIOD_DAYS = 10
RETRIEVAL_DAYS, RETRIEVAL_STEP = 3, 7
"""Length of the means of SMAP L3 and sensors, and their interval, days."""
SENSOR = ["network", "station"]
KEY = [*SENSOR, "period_start"]
REFLECTANCES: tuple[str, ...] = tuple(band.name for band in BANDS)
VISIBLE: tuple[str, ...] = REFLECTANCES[:3]
VALUES = ("soil_moisture", "smap", "vv_db", "vh_db", *REFLECTANCES)


@dataclass(frozen=True, eq=False)
class Observations:
    """Observations of a world, simulated or real.

    Attributes:
        composites: one row per sensor and ten-day period, also without values: `network`, `station`, `period_start`
            (UTC), `soil_moisture` and `smap` (m3 m-3; of the real world another product, NASA-USDA Enhanced SMAP),
            `vv_db` and `vh_db`, and the reflectance of each band ("1"); each the mean over the period, NaN where
            missing.
        retrievals: SMAP L3 at sensors, three days of each week: `network`, `station`, `period_start`,
            `soil_moisture` and `smap`.
        pixels: values of single pixels of scenes: `vv_db`, `vh_db` and the reflectance of each band.
        cloud_cover: of each Sentinel-2 item, 0 to 1, from its catalogue.
    """

    composites: pd.DataFrame
    retrievals: pd.DataFrame
    pixels: Mapping[str, Floats]
    cloud_cover: Floats


def cloud_cover(folder: Path) -> Floats:
    """Return the cloud cover in the STAC items of a folder, 0 to 1; items without it, such as those of radar, are left
    out.

    Args:
        folder: folder with one JSON file per item, at any depth.
    """
    items = (read_json(path) for path in sorted(folder.rglob("*.json")))
    stated = (item.get("properties", {}).get("eo:cloud_cover") for item in items)
    return np.array([cover / 100 for cover in stated if cover is not None], np.float64)
