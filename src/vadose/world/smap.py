"""Simulated SMAP level 3 granules, 36 km and enhanced 9 km, one a day, with the groups of the morning and evening."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vadose.world.config import WorldConfig
from vadose.world.ease import EASE, Ease
from vadose.world.smap_granule import write_granule
from vadose.world.smap_orbit import HALVES
from vadose.world.smap_retrieval import Look, Table
from vadose.world.state import Simulated

NAMES = {36: "SMAP_L3_SM_P_{date}_R18290_001.h5", 9: "SMAP_L3_SM_P_E_{date}_R18290_001.h5"}
AT_ONCE = 92
"""Days that are simulated together."""
KEYS = ("day", "half")


def write_granules(seen: Sequence[Simulated], archive: Path, config: WorldConfig) -> None:
    """Write a granule a day and product, with the pixels around every region.

    Args:
        seen: the regions at scattered points around them.
        archive: folder of the world.
        config: which products.
    """
    days = seen[0].weather.days
    for km in config.radiometer_km:
        looks = [Look.of(region, EASE[km]) for region in seen]
        for first in range(0, len(days), AT_ONCE):
            last = min(first + AT_ONCE, len(days))
            table = _joined([look.retrievals(first, last) for look in looks])
            for day in range(first, last):
                name = NAMES[km].format(date=f"{days[day]:%Y%m%d}")
                _write_day(archive / "smap" / name, EASE[km], table, day)


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
