"""A day of SMAP L3: the two EASE-Grid 2.0 products, and what a granule holds of a window of them."""

import re
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from vadose.refusal import Refusal
from vadose.sources.granules import Granule, Layer, check, reading
from vadose.sources.window import GlobalGrid, Window

Numbers = NDArray[Any]
Places = NDArray[np.bool_]


@dataclass(frozen=True)
class Product:
    """One of the two products: its short name, its grid and how its granules are named."""

    name: str
    grid: GlobalGrid
    pattern: re.Pattern[str]


_STEP_9KM = 9008.055210146
_CORNER = (-17367530.4451615, 7314540.8306386)

PRODUCTS = {
    "9km": Product(
        "SPL3SMP_E",
        GlobalGrid(6933, *_CORNER, _STEP_9KM, 1624, 3856),
        re.compile(r"SMAP_L3_SM_P_E_(?P<date>\d{8})_(?P<version>R\d+_\d+)\.h5"),
    ),
    "36km": Product(
        "SPL3SMP",
        GlobalGrid(6933, *_CORNER, 4 * _STEP_9KM, 406, 964),
        re.compile(r"SMAP_L3_SM_P_(?P<date>\d{8})_(?P<version>R\d+_\d+)\.h5"),
    ),
}
"""By size of pixel; EASE-Grid 2.0, global (Brodzik et al. 2012, doi 10.3390/ijgi1010032)."""

_GROUPS = (
    ("Soil_Moisture_Retrieval_Data_AM", "Soil_Moisture_Retrieval_Data"),
    ("Soil_Moisture_Retrieval_Data_PM",),
)
"""Of the morning, with the only group of the first releases; of the evening."""

_UNITS = ("cm**3/cm**3", "m**3/m**3", "m3 m-3")
_LEAST = np.float32(0.02)
"""Smallest retrieval. The files' valid_max of 0.5 is not applied: retrievals reach the porosity, which exceeds it."""
_NOT_RECOMMENDED, _FLAG_FILL = 1, 65534
_FROZEN = 32 | 64 | 128 | 256
"""Bits of surface_flag: snow or ice, that which lasts, ground frozen by the radiometer, by the model's temperature."""
SURFACE = "surface"
_J2000 = np.datetime64("2000-01-01T12:00:00", "ns")

DAY = np.timedelta64(24, "h")
SPILL = np.timedelta64(2, "h")
"""How far beyond its day a granule may hold observations: its first and last half-orbits cross midnight."""
_STEP = 1800
"""Seconds to whose multiples times are rounded up. Two half-orbits that meet are 98 minutes apart, hence never share
one; a half-orbit takes 49 minutes, hence seldom crosses one within a few hundred kilometres."""
_LOCAL_SOLAR_HOURS = (6.0, 18.0)


def read(granule: Granule, grid: GlobalGrid, quality: str, window: Window) -> Layer:
    """What a day holds of a window.

    Args:
        granule: the file.
        grid: of its product.
        quality: of soil moisture, "recommended" or "retrieved"; or "surface", which reads the flags instead.
        window: the pixels to read.

    Returns:
        (overpass, field, y, x): the morning's overpass and the evening's; soil moisture, m3 m-3, or 1 where the ground
        is flagged as frozen or under snow and 0 elsewhere, NaN where there is nothing, and the time of acquisition
        there, minutes since the start of the day (UTC), rounded up to a half hour. Both depend on the
        pixel alone, not on the window.

    Raises:
        Refusal: the file is damaged, lacks a group or a variable, or is of another grid or unit.
    """
    with reading(granule.path, "smap") as file:
        groups = [next((name for name in names if name in file), None) for names in _GROUPS]
        if not any(groups):
            raise Refusal(
                f"smap: {granule.path}",
                f"It holds the groups {sorted(file)}, none with soil moisture",
                f"Use files with {_GROUPS[0][0]} and {_GROUPS[1][0]}",
            )
        told = [None if name is None else file[name] for name in groups]
        return np.stack([_overpass(told[number], number, granule, grid, quality, window) for number in (0, 1)])


def _overpass(
    group: h5py.Group | None, number: int, granule: Granule, grid: GlobalGrid, quality: str, window: Window
) -> Layer:
    """Soil moisture or flags, and minutes, of one group, (field, y, x); NaN where there is no group."""
    found = np.full((2, *window.shape), np.nan, np.float32)
    if group is None:
        return found
    values, valid = _frozen(group, window) if quality == SURFACE else _moisture(group, grid, quality, window)
    if valid.any():
        seconds = _seconds(group, number, granule, grid, window)
        found[0, valid] = values[valid]
        found[1, valid] = np.ceil(seconds[valid] / _STEP) * (_STEP / 60)
    return found


def _moisture(group: h5py.Group, grid: GlobalGrid, quality: str, window: Window) -> tuple[Numbers, Places]:
    """Soil moisture, and where it counts."""
    moisture = _variable(group, "soil_moisture")
    check(moisture, (grid.rows, grid.columns), _UNITS, "smap")
    values = moisture[window.slices]
    valid = values >= _LEAST
    if valid.any() and quality != "retrieved":
        flag = _variable(group, "retrieval_qual_flag")[window.slices]
        valid &= (flag & _NOT_RECOMMENDED == 0) & (flag != _FLAG_FILL)
    return values, valid


def _frozen(group: h5py.Group, window: Window) -> tuple[Numbers, Places]:
    """Whether the ground is flagged as frozen or under snow, and where an overpass told."""
    if _named(group, "surface_flag") not in group:
        return np.full(window.shape, np.nan), np.zeros(window.shape, bool)
    flag = _variable(group, "surface_flag")[window.slices]
    return np.asarray((flag & _FROZEN) != 0), np.asarray(flag != _FLAG_FILL)


def _seconds(group: h5py.Group, number: int, granule: Granule, grid: GlobalGrid, window: Window) -> NDArray[np.float64]:
    """Time of acquisition, seconds since the start of the day: as told, or by the local sun where it is not.

    A time that does not belong to the granule's day counts as not told.
    """
    lon = (np.arange(window.left, window.right) + 0.5) / grid.columns * 360 - 180
    by_sun = np.broadcast_to((_LOCAL_SOLAR_HOURS[number] - lon / 15) % 24 * 3600, window.shape)
    if _named(group, "tb_time_seconds") not in group:
        return by_sun
    second = np.timedelta64(1, "s")
    seconds = _variable(group, "tb_time_seconds")[window.slices] - (granule.time - _J2000) / second
    told = (seconds > -SPILL / second) & (seconds < (DAY + SPILL) / second - _STEP)
    return np.where(told, seconds, by_sun)


def _variable(group: h5py.Group, name: str) -> h5py.Dataset:
    if _named(group, name) not in group:
        raise Refusal(
            f"smap: {group.file.filename}, group {group.name}",
            f"It has no variable {name}",
            "Download the file again, with all its variables",
        )
    return group[_named(group, name)]


def _named(group: h5py.Group, name: str) -> str:
    """The name as the group has it: most releases give the evening's variables the suffix `_pm`."""
    return name if name in group else f"{name}_pm"
