"""What a user would write with odc-stac: the latest valid pixels before a date, and their means over 320 m cells.

python benchmarks/odc_stac_means.py ARCHIVE WEST SOUTH EAST NORTH DATE

WEST to NORTH are metres in the projection of the items. Needs odc-stac (pip install odc-stac), not vadose.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import odc.stac
import pystac
from odc.geo.geobox import GeoBox

CELL = 32
CLEAR = [2, 4, 5, 6, 7]


def items(archive: Path, collection: str, date: np.datetime64, days: float) -> list[pystac.Item]:
    found = [pystac.Item.from_file(path) for path in sorted((archive / collection).rglob("*.json"))]
    ages = [(date - np.datetime64(item.datetime.replace(tzinfo=None))) / np.timedelta64(1, "D") for item in found]
    return [item for item, age in zip(found, ages, strict=True) if 0 <= age <= days]


def latest(values: np.ndarray) -> np.ndarray:
    """Return the last valid pixel of (time, y, x)."""
    found = values[-1].copy()
    for earlier in values[-2::-1]:
        found = np.where(np.isnan(found), earlier, found)
    return found


def cells(pixels: np.ndarray) -> np.ndarray:
    rows, columns = (size // CELL for size in pixels.shape)
    return np.nanmean(pixels.reshape(rows, CELL, columns, CELL), axis=(1, 3))


def main(archive: Path, box: GeoBox, date: np.datetime64) -> dict[str, np.ndarray]:
    means = {}
    radar = odc.stac.load(items(archive, "sentinel-1-rtc", date, 12), bands=["vv", "vh"], geobox=box)
    for band in ("vv", "vh"):
        means[band] = cells(latest(radar[band].where(radar[band] > 0).values))
    bands = ["B02", "B03", "B04", "B08", "B11", "B12"]
    optics = odc.stac.load(items(archive, "sentinel-2-l2a", date, 30), bands=[*bands, "SCL"], geobox=box)
    clear = optics["SCL"].isin(CLEAR)
    for band in bands:
        seen = clear & (optics[band] > 0)
        means[band] = cells(latest(optics[band].where(seen).astype(np.float32).values * np.float32(1e-4)))
    ground = [pystac.Item.from_file(path) for path in sorted((archive / "nasadem").rglob("*.json"))]
    height = odc.stac.load(ground, bands=["elevation"], geobox=box, resampling="bilinear")["elevation"]
    means["elevation"] = cells(height.where(height != -32768).values[0])
    return means


if __name__ == "__main__":
    edges = [float(edge) for edge in sys.argv[2:6]]
    first = pystac.Item.from_file(next((Path(sys.argv[1]) / "sentinel-1-rtc").rglob("*.json")))
    grid = GeoBox.from_bbox(edges, first.properties.get("proj:code") or first.properties["proj:epsg"], resolution=10)
    begun = time.process_time()
    found = main(Path(sys.argv[1]), grid, np.datetime64(sys.argv[6]))
    print(json.dumps({"processor_s": time.process_time() - begun, "cells": found["vv"].size}))
