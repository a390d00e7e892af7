"""Real data: stations of the United States and of Australia, scenes, items of one Sentinel-2 tile."""

from pathlib import Path

import numpy as np
import pandas as pd
import rasterio

from vadose.errors import VadoseError
from vadose.io.csv_tables import read_csv, utc_times
from vadose.studies.realism.observations import KEY, REFLECTANCES, VALUES, Floats, Observations, cloud_cover

POINTS = "points/conus_10day.csv.gz"
RETRIEVALS = "points/australia_oznet_smap_era5_3day.csv.gz"
ITEMS = "stac_items/earth-search/sentinel-2-c1-l2a"
SCENES = ("chile", "denmark", "tanzania")
_ADDED = {"chile": 1000}
"""Offset of the numbers in Sentinel-2 bands of a processing baseline from 04.00 on."""
_PER_UNIT = 10000.0
_LAYER_MM = 50.0
_BAND_OF_12 = {"B02": 2, "B03": 3, "B04": 4, "B08": 8, "B11": 11, "B12": 12}
"""Index of a band in a file of the twelve of level 2A, from 1."""


def observe_real(folder: Path) -> Observations:
    """Return the real data in the form of the simulated ones.

    Args:
        folder: folder with both tables of points, `scenes/` and `stac_items/`.

    Raises:
        VadoseError: one of them is missing.
    """
    needed = [folder / POINTS, folder / RETRIEVALS, folder / ITEMS, *(folder / "scenes" / name for name in SCENES)]
    absent = [str(path.relative_to(folder)) for path in needed if not path.exists()]
    if absent:
        raise VadoseError(f"realism: real data in {folder}", f"It lacks {', '.join(absent)}", "Give the folder of all")
    return Observations(
        _composites(folder / POINTS),
        _retrievals(folder / RETRIEVALS),
        _pixels(folder / "scenes"),
        cloud_cover(folder / ITEMS),
    )


def _composites(path: Path) -> pd.DataFrame:
    table = read_csv(path, {"network", "station", "period_start"})
    table["period_start"] = utc_times(table["period_start"], f"realism: {path}")
    bands = {name: table[f"B{int(name[1:])}"] / _PER_UNIT for name in REFLECTANCES}
    table = table.assign(
        soil_moisture=table["soil_moisture_m3m3"],
        smap=table["smap_usda_ssm_mm"] / _LAYER_MM,
        vv_db=table["VV_dB"],
        vh_db=table["VH_dB"],
        **bands,
    )
    return table[[*KEY, *VALUES]]


def _retrievals(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, parse_dates=["window_start_utc"])
    names = {"window_start_utc": "period_start", "sm_m3m3": "soil_moisture", "smap_l3_36km_m3m3": "smap"}
    return table.rename(columns=names)[[*KEY, "soil_moisture", "smap"]]


def _pixels(folder: Path) -> dict[str, Floats]:
    scenes = [_scene(folder / name, _ADDED.get(name, 0)) for name in SCENES]
    return {name: np.concatenate([scene[name] for scene in scenes]) for name in scenes[0]}


def _scene(folder: Path, added: int) -> dict[str, Floats]:
    with rasterio.open(folder / "s1_rtc.tif", driver="GTiff") as file:
        vv_db, vh_db = file.read().reshape(2, -1)
    with rasterio.open(folder / "s2_l2a.tif", driver="GTiff") as file:
        bands = {name: (file.read(band).ravel() - added) / _PER_UNIT for name, band in _BAND_OF_12.items()}
    pixels = {"vv_db": vv_db, "vh_db": vh_db, **bands}
    return {name: values[np.isfinite(values)] for name, values in pixels.items()}
