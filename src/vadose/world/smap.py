"""Simulated SMAP level 3 granules, 36 km, one a day, with the groups of the morning and of the evening."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.files import replacing
from vadose.grid import from_lonlat
from vadose.world.raster import NOTICE
from vadose.world.region import Simulated

EASE_EPSG, EASE_M, EASE_WEST, EASE_NORTH = 6933, 36_032.22, -17_367_530.4451615, 7_314_540.8306386
"""EASE-Grid 2.0, global, 36 km: Brodzik et al., ISPRS Int. J. Geo-Inf. 1:32-45, 2012."""
SHAPE = (406, 964)
FILL, FILL_FLAG = -9999.0, 65534
NOISE, BIAS = 0.045, 0.03
"""Standard deviations of the error of a pass and of a region's lasting bias, m3 m-3."""
J2000 = pd.Timestamp("2000-01-01T12:00:00")
REVISIT_DAYS = 3
HALVES = {"AM": ("", 6.0), "PM": ("_pm", 18.0)}
"""Suffix of the variables and local hour of the pass."""


def write_granules(worlds: Sequence[Simulated], archive: Path) -> None:
    """Write a granule a day that holds the pixels around every region."""
    for day, date in enumerate(worlds[0].weather.days):
        path = archive / "smap" / f"SMAP_L3_SM_P_{date:%Y%m%d}_R18290_001.h5"
        with replacing(path) as temporary, h5py.File(temporary, "w") as granule:
            granule.attrs["NOTICE"] = NOTICE
            for half in HALVES:
                _write_half(granule, half, [w for w in worlds if _passes(w, day, half)], day, date)


def pixel_of(world: Simulated) -> tuple[int, int]:
    """Row and column of the pixel that holds the middle of a region."""
    x, y = from_lonlat(EASE_EPSG).transform(world.region.lon, world.region.lat)
    return int((EASE_NORTH - y) // EASE_M), int((x - EASE_WEST) // EASE_M)


def _passes(world: Simulated, day: int, half: str) -> bool:
    return (day + world.number) % REVISIT_DAYS == (0 if half == "AM" else 1)


def _write_half(granule: h5py.File, half: str, worlds: list[Simulated], day: int, date: pd.Timestamp) -> None:
    suffix, hour = HALVES[half]
    group = granule.create_group(f"Soil_Moisture_Retrieval_Data_{half}")
    moisture = _dataset(group, f"soil_moisture{suffix}", np.float32, FILL, units="cm**3/cm**3")
    flag = _dataset(group, f"retrieval_qual_flag{suffix}", np.uint16, FILL_FLAG)
    seconds = _dataset(group, f"tb_time_seconds{suffix}", np.float64, FILL, units="seconds")
    for world in worlds:
        row, column = pixel_of(world)
        around = np.s_[row - 1 : row + 2, column - 1 : column + 2]
        time = date + pd.Timedelta(hours=(hour - world.region.lon / 15) % 24)
        moisture[around] = _retrieved(world, day, half)
        flag[around] = np.full((3, 3), 8 + 1 if world.frozen(day) else 0, np.uint16)
        seconds[around] = np.full((3, 3), (time - J2000).total_seconds())


def _retrieved(world: Simulated, day: int, half: str) -> NDArray[np.float32]:
    lasting = world.rng("smap")
    bias, slope = lasting.normal(0, BIAS), lasting.uniform(0.85, 1.15)
    pixels = lasting.normal(0, 0.015, (3, 3))
    mean = float(world.liquid(day).mean())
    drawn = 0.2 + slope * (mean - 0.2) + bias + pixels + world.rng("smap", day, ord(half[0])).normal(0, NOISE)
    return np.asarray(np.clip(drawn, 0.02, 0.5), np.float32)


def _dataset(group: h5py.Group, name: str, dtype: type, fill: float, units: str = "") -> h5py.Dataset:
    dataset = group.create_dataset(name, SHAPE, dtype, chunks=(58, 61), compression="gzip", fillvalue=fill)
    dataset.attrs["_FillValue"] = np.asarray(fill, dtype)
    if units:
        dataset.attrs["units"] = np.bytes_(units)
    if "soil_moisture" in name:
        dataset.attrs["valid_min"], dataset.attrs["valid_max"] = np.float32(0.02), np.float32(0.5)
    return dataset
