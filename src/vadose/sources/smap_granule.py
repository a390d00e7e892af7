"""A daily granule of SMAP L3: the two EASE-Grid 2.0 products, and the reading of a window."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import h5py
import numpy as np
from numpy.typing import NDArray

from vadose.grid import from_lonlat
from vadose.registry import Stream
from vadose.sources.granules import Granule, Layer, reading
from vadose.sources.left_out import Unfit
from vadose.sources.packing import Packing, text
from vadose.sources.placement import Placement, line
from vadose.sources.water import check_magnitude, factor
from vadose.sources.window import GlobalGrid, Window, ease2

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Product:
    """One of the two products.

    Attributes:
        stream: its processing stream.
        grid: its pixels.
    """

    stream: Stream
    grid: GlobalGrid


LATENCY_DAYS = 50 / 24
"""Latency of level 3: within 50 hours (SMAP Handbook, JPL 400-1567, 2014)."""
PRODUCTS = {
    "9km": Product(Stream("SPL3SMP_E", LATENCY_DAYS), ease2()),
    "36km": Product(Stream("SPL3SMP", LATENCY_DAYS), ease2(4)),
}
"""Products by pixel size."""

_GROUPS = (
    ("Soil_Moisture_Retrieval_Data_AM", "Soil_Moisture_Retrieval_Data"),
    ("Soil_Moisture_Retrieval_Data_PM",),
)
"""Groups of the morning, with the only group of the first releases, and of the evening."""
_Field = Literal["soil_moisture", "retrieval_qual_flag", "surface_flag", "tb_time_seconds"]
_Place = Literal["EASE_row_index", "EASE_column_index", "latitude", "longitude", "y", "x"]
"""Coordinates of a subset; not read from whole granules."""


def _names(group: str, field: str) -> tuple[str, str]:
    """Return the possible names of a variable; in most releases the evening's ones have the suffix `_pm`."""
    plain, evening = field, f"{field}_pm"
    return (evening, plain) if group.endswith("_PM") else (plain, evening)


READ = tuple(
    tuple(f"{group}/{name}" for group in groups for name in _names(group, field))
    for groups in _GROUPS
    for field in get_args(_Field)
)
"""Possible paths of each variable that is read, in a whole granule; the first that exists is used."""

_LEAST = np.float32(0.02)
"""Smallest retrieval. The files' valid_max of 0.5 is not applied: retrievals reach the porosity, which exceeds it."""
_NOT_RECOMMENDED, _FLAG_FILL = 1, 65534
_FROZEN = 32 | 64 | 128 | 256
"""Bits of surface_flag: snow or ice, permanent snow or ice, ground frozen by the radiometer, by the model's
temperature.
"""
SURFACE = "surface"
_OFF_GRID = 0.25
"""Largest deviation of a pixel from the grid, pixels: latitudes of two decimals are off by a sixteenth."""
_ELSEWHEN = 3 * 86400
"""Seconds from the start of its day from which all of a granule's times belong to another one: its name is wrong."""
_NO_TIME, _LIFETIME = -9999.0, 3e9
"""Fill values of tb_time_seconds; and largest valid time, seconds: a hundred years."""
_J2000 = np.datetime64("2000-01-01T12:00:00", "ns")

DAY = np.timedelta64(24, "h")
SPILL = np.timedelta64(2, "h")
"""Overlap of a granule with the days around it: its first and last half-orbits cross midnight."""
_STEP = 1800
"""Interval to whose multiples times are rounded up, seconds. Two half-orbits that meet are 98 minutes apart and never
share one; a half-orbit takes 49 minutes and rarely crosses one within a few hundred kilometres.
"""
_LOCAL_SOLAR_HOURS = (6.0, 18.0)


@dataclass(frozen=True)
class Group:
    """One overpass of a granule: its variables by name, in a group or with its name as a prefix.

    Attributes:
        name: name of the group.
        held: the group of the file with the variables.
        front: prefix of their names in it.
        asked: context of messages.
        placement: placement of their rows and columns.
    """

    name: str
    held: h5py.Group
    front: str
    asked: str
    placement: Placement

    def get(self, name: _Field | _Place) -> h5py.Dataset | None:
        """Return a variable, with or without the suffix."""
        found = (self.held.get(f"{self.front}{one}") for one in _names(self.name, name))
        return next((part for part in found if isinstance(part, h5py.Dataset)), None)

    def variable(self, name: _Field) -> h5py.Dataset:
        """Return a required variable.

        Raises:
            Unfit: it is missing.
        """
        found = self.get(name)
        if found is None:
            remedy = "Download the file again, with all its variables"
            raise Unfit(f"no variable {name}", self.asked, f"It has no variable {name}", remedy)
        return found

    def read(self, variable: h5py.Dataset, window: Window, empty: float) -> Numbers:
        """Return a window of a variable, packed, `empty` where the file has no data.

        Raises:
            Unfit: its shape differs from the file's coordinates.
        """
        rows, columns = self.placement.rows.count, self.placement.columns.count
        if variable.shape != (rows, columns):
            raise Unfit(
                "another shape",
                self.asked,
                f"The shape of {variable.name} is {variable.shape}; the product has {(rows, columns)} there",
                "Use the product's own files, or subsets of them",
            )
        return self.placement.read(window, lambda down, across: variable[down, across], empty)


def read(granule: Granule, grid: GlobalGrid, quality: str, window: Window) -> Layer:
    """Return the content of a day in a window.

    Args:
        granule: the file.
        grid: grid of its product.
        quality: quality of soil moisture, "recommended" or "retrieved"; or "surface", which reads the flags instead.
        window: the pixels to read.

    Returns:
        (overpass, field, y, x): the morning's overpass and the evening's; soil moisture, m3 m-3, or 1 where the ground
        is flagged as frozen or under snow and 0 elsewhere, NaN where missing, and the acquisition time there, minutes
        since the start of the day (UTC), rounded up to a half hour. Both depend on the pixel alone, not on the window.

    Raises:
        Unfit: the file is damaged, lacks a group or a variable, has another grid, day or unit, or its numbers
            contradict its units.
    """
    place = placement(granule, grid)
    with reading(granule.path, "smap") as file:
        groups = _groups(file, granule, place)
        return np.stack([_overpass(group, n, granule, grid, quality, window) for n, group in enumerate(groups)])


@lru_cache(maxsize=1 << 14)
def placement(granule: Granule, grid: GlobalGrid) -> Placement:
    """Return the position of the rows and columns of a granule, or of a subset of one, on the grid of its product.

    Raises:
        Unfit: the file is damaged, has no group with soil moisture, or has another grid.
    """
    whole = Placement.whole(grid)
    with reading(granule.path, "smap") as file:
        groups = [group for group in _groups(file, granule, whole) if group is not None]
        shapes = {part.shape for group in groups if (part := group.get("soil_moisture")) is not None}
        if shapes <= {(grid.rows, grid.columns)}:
            return whole
        asked = f"smap: {granule.path}"
        for group in groups:
            for places in (_by_index(group), _by_metres(group, file, grid), _by_degrees(group, grid)):
                if places is not None and all(np.isfinite(along).any() for along in places):
                    rows, columns = places
                    down = line(rows, grid.rows, asked, "rows", off_grid=_OFF_GRID)
                    return Placement(down, line(columns, grid.columns, asked, "columns", off_grid=_OFF_GRID))
        raise Unfit(
            "another grid",
            asked,
            f"Its shape is {', '.join(map(str, sorted(shapes)))}, the product has {(grid.rows, grid.columns)}; it "
            "has neither EASE_row_index and EASE_column_index nor latitude and longitude",
            "Keep those variables in a subset",
        )


def _groups(file: h5py.File, granule: Granule, place: Placement) -> list[Group | None]:
    """Return the overpass of the morning and that of the evening; None if missing.

    Raises:
        Unfit: both are missing.
    """
    found = []
    for names in _GROUPS:
        held = next(((name, *where) for name in names if (where := _where(file, name))), None)
        found.append(Group(*held, f"smap: {granule.path}, group {held[0]}", place) if held else None)
    if not any(found):
        raise Unfit(
            "no group with soil moisture",
            f"smap: {granule.path}",
            f"It has the groups {sorted(file)}, none with soil moisture",
            f"Use files with {_GROUPS[0][0]} and {_GROUPS[1][0]}",
        )
    return found


def _where(file: h5py.File, group: str) -> tuple[h5py.Group, str] | None:
    """Return the group of a file with the variables of an overpass, and the prefix of their names in it.

    OPeNDAP writes no groups, but their names before the variables'. Variables are opened on reading: opening all of
    them takes longer than reading the few required ones.
    """
    inside = file.get(group)
    if isinstance(inside, h5py.Group):
        return (inside, "") if any(isinstance(inside[name], h5py.Dataset) for name in inside) else None
    front = f"{group}_"
    named = (name for name in file if group.endswith(("_AM", "_PM")) and name.startswith(front))
    return (file, front) if any(isinstance(file[name], h5py.Dataset) for name in named) else None


Places = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Positions of the rows on a grid, and of the columns; NaN if unknown."""


def _by_index(group: Group) -> Places | None:
    """Return positions by the product's grid indices, which exist where it observed something."""
    parts = [group.get("EASE_row_index"), group.get("EASE_column_index")]
    if any(part is None or part.ndim != 2 for part in parts):
        return None
    rows, columns = (np.asarray(part[()], np.float64) for part in parts if part is not None)
    for numbers in (rows, columns):
        numbers[(numbers < 0) | (numbers >= _FLAG_FILL)] = np.nan
    return _middle(rows, 1), _middle(columns, 0)


def _by_metres(group: Group, file: h5py.File, grid: GlobalGrid) -> Places | None:
    """Return positions by coordinates of the projection along each axis."""
    names: tuple[_Place, _Place] = ("y", "x")
    parts = [file.get(name) if (part := group.get(name)) is None else part for name in names]
    if any(not isinstance(part, h5py.Dataset) or part.ndim != 1 for part in parts):
        return None
    y, x = (np.asarray(part[()], np.float64) for part in parts if part is not None)
    return (grid.north - y) / grid.step - 0.5, (x - grid.west) / grid.step - 0.5


def _by_degrees(group: Group, grid: GlobalGrid) -> Places | None:
    """Return positions by the latitude and longitude of each pixel."""
    parts = [group.get("latitude"), group.get("longitude")]
    if any(part is None or part.ndim != 2 for part in parts):
        return None
    lat, lon = (np.asarray(part[()], np.float64) for part in parts if part is not None)
    lat[np.abs(lat) > 90], lon[np.abs(lon) > 180] = np.nan, np.nan
    south, west = _middle(lat, 1), _middle(lon, 0)
    x, _ = from_lonlat(grid.epsg).transform(west, np.zeros_like(west))
    _, y = from_lonlat(grid.epsg).transform(np.zeros_like(south), south)
    return (grid.north - np.asarray(y)) / grid.step - 0.5, (np.asarray(x) - grid.west) / grid.step - 0.5


def _middle(numbers: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the median along an axis, NaN without values."""
    known = np.isfinite(numbers).any(axis=axis)
    found = np.full(known.shape, np.nan)
    found[known] = np.nanmedian(numbers[known] if axis == 1 else numbers[:, known], axis=axis)
    return found


def _overpass(
    group: Group | None, number: int, granule: Granule, grid: GlobalGrid, quality: str, window: Window
) -> Layer:
    """Return soil moisture or flags, and minutes, of one group, (field, y, x); NaN without a group."""
    found = np.full((2, *window.shape), np.nan, np.float32)
    if group is None:
        return found
    values, valid = _frozen(group, window) if quality == SURFACE else _moisture(group, quality, window)
    if valid.any():
        seconds = _seconds(group, number, granule, grid, window, valid)
        found[0, valid] = values[valid]
        found[1, valid] = np.ceil(seconds[valid] / _STEP) * (_STEP / 60)
    return found


def _moisture(group: Group, quality: str, window: Window) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return soil moisture, and where it is valid."""
    moisture = group.variable("soil_moisture")
    units = text(moisture.attrs.get("units", "none"))
    times = factor(units, group.asked, layer=False)
    numbers = Packing.of(moisture, bounds=False).physical(group.read(moisture, window, np.nan))
    check_magnitude(numbers[numbers > 0], times, units, group.asked)
    values = (numbers * times).astype(np.float32)
    valid = values >= _LEAST
    if valid.any() and quality != "retrieved":
        flag = _flags(group, group.variable("retrieval_qual_flag"), window)
        valid &= (flag & _NOT_RECOMMENDED == 0) & (flag != _FLAG_FILL)
    return values, valid


def _frozen(group: Group, window: Window) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return whether the ground is flagged as frozen or under snow, and where an overpass observed it."""
    surface = group.get("surface_flag")
    if surface is None:
        return np.full(window.shape, np.nan), np.zeros(window.shape, bool)
    flag = _flags(group, surface, window)
    return np.asarray((flag & _FROZEN) != 0), np.asarray(flag != _FLAG_FILL)


def _flags(group: Group, variable: h5py.Dataset, window: Window) -> NDArray[np.int64]:
    """Return bits; the fill value where missing, as in a subset that was converted to decimals, with NaN."""
    flags = np.asarray(group.read(variable, window, _FLAG_FILL), np.float64)
    there = np.isfinite(flags) & (flags >= 0)
    return np.where(there, flags, _FLAG_FILL).astype(np.int64)


def _seconds(
    group: Group, number: int, granule: Granule, grid: GlobalGrid, window: Window, valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the acquisition time, seconds since the start of the day: as stated, or by the local sun.

    A time that does not belong to the granule's day counts as missing.

    Raises:
        Unfit: all stated times belong to a distant day.
    """
    lon = (np.arange(window.left, window.right) + 0.5) / grid.columns * 360 - 180
    by_sun = np.broadcast_to((_LOCAL_SOLAR_HOURS[number] - lon / 15) % 24 * 3600, window.shape)
    acquired = group.get("tb_time_seconds")
    if acquired is None:
        return by_sun
    second = np.timedelta64(1, "s")
    numbers = np.asarray(group.read(acquired, window, _NO_TIME), np.float64)
    seconds = numbers - (granule.time - _J2000) / second
    known = (seconds > -SPILL / second) & (seconds < (DAY + SPILL) / second - _STEP)
    elsewhen = seconds[valid & (numbers > 0) & (np.abs(seconds) < _LIFETIME)]
    if elsewhen.size and (np.abs(elsewhen) > _ELSEWHEN).all():
        seen = granule.time + np.timedelta64(int(np.median(elsewhen)), "s")
        raise Unfit(
            "another day than its name",
            group.asked,
            f"Its name says {np.datetime_as_string(granule.time, 'D')}, its pixels were observed on "
            f"{np.datetime_as_string(seen, 'D')}",
            "Restore the name given by its data centre",
        )
    return np.where(known, seconds, by_sun)
