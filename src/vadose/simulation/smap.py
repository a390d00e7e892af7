"""Simulated SMAP level 3 granules, 36 km and enhanced 9 km, one per day, with the groups of the morning and evening."""

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vadose.io.atomic import scratch
from vadose.simulation.config import WorldConfig
from vadose.simulation.ease import EASE, Ease
from vadose.simulation.smap_granule import write_granule
from vadose.simulation.smap_orbit import HALVES
from vadose.simulation.smap_retrieval import SmapScene, Table
from vadose.simulation.state import Simulated

NAMES = {36: "SMAP_L3_SM_P_{date}_R18290_001.h5", 9: "SMAP_L3_SM_P_E_{date}_R18290_001.h5"}
AT_ONCE = 92
"""Days that are simulated together."""
KEYS = ("day", "half")


def write_granules(seen: Iterable[Simulated], archive: Path, config: WorldConfig) -> None:
    """Write a granule per day and product, with the pixels around every region; one region is in memory at a time.

    Args:
        seen: the regions at scattered points around them.
        archive: folder of the world.
        config: configuration with the products.
    """
    folder = archive / "smap"
    folder.mkdir(parents=True, exist_ok=True)
    days = pd.date_range(config.days.start, config.days.end, freq="D", inclusive="left")
    with scratch(folder / "parts") as kept:
        for number, region in enumerate(seen):
            _write_part(region, number, kept, config)
        for km, (first, last) in product(config.radiometer_km, _spans(len(days))):
            table = _joined([_read(path) for path in sorted(kept.glob(f"{km}.{first}.*"))])
            for day in range(first, last):
                name = NAMES[km].format(date=f"{days[day]:%Y%m%d}")
                _write_day(folder / name, EASE[km], table, day)


def _write_part(region: Simulated, number: int, folder: Path, config: WorldConfig) -> None:
    """Write a region's part of the granules: one file per product and span of days."""
    for km in config.radiometer_km:
        look = SmapScene.of(region, EASE[km])
        for first, last in _spans(len(region.weather.days)):
            columns: dict[str, Any] = dict(look.retrievals(first, last))
            np.savez(folder / f"{km}.{first}.{number:05d}.npz", **columns)


def _read(path: Path) -> Table:
    with np.load(path) as kept:
        return dict(kept)


def _spans(days: int) -> list[tuple[int, int]]:
    return [(first, min(first + AT_ONCE, days)) for first in range(0, days, AT_ONCE)]


def _write_day(path: Path, grid: Ease, table: Table, day: int) -> None:
    halves = {}
    for number, half in enumerate(HALVES):
        rows = (table["day"] == day) & (table["half"] == number) if table else np.zeros(0, bool)
        if rows.any():
            halves[half] = {name: values[rows] for name, values in table.items() if name not in KEYS}
    write_granule(path, grid, halves)


def _joined(tables: Sequence[Table]) -> Table:
    filled = [table for table in tables if table]
    return {name: np.concatenate([table[name] for table in filled]) for name in filled[0]} if filled else {}
