"""Layout and reading of a GLDAS granule, or of a subset of one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import h5py
import numpy as np
from numpy.typing import NDArray

from vadose.grid import nanosecond
from vadose.sources.granules import Granule, Layer, reading
from vadose.sources.left_out import Unfit
from vadose.sources.packing import Packing, text
from vadose.sources.placement import Numbers, Placement, line
from vadose.sources.water import WETTEST_MODELLED, check_magnitude, factor
from vadose.sources.window import GlobalGrid, Window

GRID = GlobalGrid(4326, -180.0, 90.0, 0.25, 600, 1440)
"""Grid of the product: all land north of 60 S."""
VARIABLE = "SoilMoi0_10cm_inst"

_LATITUDES = ("lat", "latitude", "y", "nav_lat")
_LONGITUDES = ("lon", "longitude", "long", "x", "nav_lon")
_TIME = "time"
READ = ((VARIABLE,), _LATITUDES, _LONGITUDES, (_TIME,))
"""Possible names of each variable that is read; the first that exists is used."""
_SINCE = re.compile(r"\s*(?P<unit>second|minute|hour|day)s? since (?P<date>\d{4}-\d{2}-\d{2})[T ]?(?P<clock>[\d:.]*)")
_SLACK = np.timedelta64(90, "m")
"""Largest difference between a file's own time and that in its name: half the interval of granules."""


@dataclass(frozen=True)
class Layout:
    """Layout of soil moisture in a file.

    Attributes:
        placement: placement of its rows and columns on the grid.
        rows, columns: indices of the variable's axes of latitude and longitude; the others have length one.
        packing: packing of its numbers.
        units: as stated.
        factor: conversion to m3 m-3.
    """

    placement: Placement
    rows: int
    columns: int
    packing: Packing
    units: str
    factor: float


@lru_cache(maxsize=1 << 16)
def layout(granule: Granule) -> Layout:
    """Return the layout of soil moisture in a file; its header is read once.

    Raises:
        Unfit: it is damaged, lacks the variable, or has another grid, time or unit.
    """
    asked = f"gldas: {granule.path}"
    with reading(granule.path, "gldas") as file:
        moisture = _variable(file, asked)
        latitude = _coordinate(file, _LATITUDES, "degrees_north", asked)
        longitude = _coordinate(file, _LONGITUDES, "degrees_east", asked)
        axes = _axes(moisture, latitude, longitude, asked)
        _check_time(file, granule, asked)
        placement = Placement(
            line((GRID.north - _values(latitude)) / GRID.step - 0.5, GRID.rows, asked, "rows"),
            line((_values(longitude) - GRID.west) / GRID.step - 0.5, GRID.columns, asked, "columns", wraps=True),
        )
        units = text(moisture.attrs.get("units", "none"))
        return Layout(placement, *axes, Packing.of(moisture), units, factor(units, asked, layer=True))


def read(granule: Granule, window: Window) -> Layer:
    """Return soil moisture of a window (y, x), m3 m-3, row 0 in the north, NaN where missing.

    Raises:
        Unfit: the file is damaged, or its numbers contradict its units.
    """
    found, asked = layout(granule), f"gldas: {granule.path}"
    with reading(granule.path, "gldas") as file:
        moisture = file[VARIABLE]

        def part(rows: slice, columns: slice) -> Numbers:
            along = {found.rows: rows, found.columns: columns}
            index = tuple(along.get(axis, 0) for axis in range(moisture.ndim))
            values = found.packing.physical(moisture[index], asked)
            return values if found.rows < found.columns else values.T

        numbers = found.placement.read(window, part, np.nan)
    numbers[numbers < 0] = np.nan
    check_magnitude(numbers[np.isfinite(numbers)], found.factor, found.units, asked, WETTEST_MODELLED)
    return (numbers * found.factor).astype(np.float32)


def _variable(file: h5py.File, asked: str) -> h5py.Dataset:
    if isinstance(file.get(VARIABLE), h5py.Dataset):
        return file[VARIABLE]
    held = [name for name, part in file.items() if isinstance(part, h5py.Dataset) and part.ndim > 1]
    raise Unfit(
        f"no variable {VARIABLE}",
        asked,
        f"It has no variable {VARIABLE}; it has {', '.join(held) or 'none with two dimensions'}",
        "Download it with that variable",
    )


def _coordinate(file: h5py.File, names: Sequence[str], units: str, asked: str) -> h5py.Dataset:
    """Return the variable of latitudes or longitudes: by its name, else by its units."""
    parts = {name: part for name, part in file.items() if isinstance(part, h5py.Dataset)}
    by_name = [part for wanted in names for name, part in parts.items() if name.lower() == wanted]
    by_units = [part for part in parts.values() if text(part.attrs.get("units", "")).replace(" ", "_") == units]
    found = next(iter([*by_name, *by_units]), None)
    if found is None or found.ndim != 1:
        shape = "none" if found is None else f"{found.name} of shape {found.shape}"
        raise Unfit("no coordinates", asked, f"Of {names[1]}s along one axis it has {shape}", "Download it with them")
    return found


def _axes(moisture: h5py.Dataset, latitude: h5py.Dataset, longitude: h5py.Dataset, asked: str) -> tuple[int, int]:
    """Return the axes of latitude and longitude: by their names, else by their lengths, else the last two."""
    own = [_scales(moisture, axis) for axis in range(moisture.ndim)]
    named = [[n for n, names in enumerate(own) if names & _scales(part, 0)] for part in (latitude, longitude)]
    sized = [[n for n, size in enumerate(moisture.shape) if size == part.size] for part in (latitude, longitude)]
    by_place = [moisture.ndim - 2, moisture.ndim - 1]
    found = next((pair for pair in (named, sized) if all(len(axes) == 1 for axes in pair)), None)
    rows, columns = [axes[0] for axes in found] if found else by_place
    shape = moisture.shape
    whole = moisture.ndim >= 2 and rows != columns and (shape[rows], shape[columns]) == (latitude.size, longitude.size)
    if whole and all(size == 1 for axis, size in enumerate(shape) if axis not in (rows, columns)):
        return rows, columns
    raise Unfit(
        "another shape",
        asked,
        f"Its shape is {shape}, with {latitude.size} latitudes and {longitude.size} longitudes; one field is read, "
        "(time 1, lat, lon) or (lat, lon)",
        "Give a file for each instant, as the data centre does",
    )


def _scales(variable: h5py.Dataset, axis: int) -> set[str]:
    """Return the names of a variable's dimension, and of the variable if it is one."""
    scales = {str(scale.name) for scale in variable.dims[axis].values()}
    return scales | ({str(variable.name)} if variable.ndim == 1 else set())


def _check_time(file: h5py.File, granule: Granule, asked: str) -> None:
    """Verify a file's own time, if stated, against that in its name."""
    time = file.get(_TIME)
    unit = _SINCE.match(text(time.attrs.get("units", ""))) if isinstance(time, h5py.Dataset) and time.size else None
    if unit is None:
        return
    numbers = Packing.of(time).physical(np.asarray(time[()]).reshape(-1)[:1], asked)
    since = _moment(unit["date"], unit["clock"])
    if since is None or not np.isfinite(numbers).all():
        return
    own = since + (numbers[0] * _SECONDS[unit["unit"]] * 1e9).astype("timedelta64[ns]")
    if abs(own - granule.time) > _SLACK:
        raise Unfit(
            "another time than its name",
            asked,
            f"Its name says {np.datetime_as_string(granule.time, 'm')}, its time is {np.datetime_as_string(own, 'm')}",
            "Restore the name given by its data centre",
        )


_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def _moment(date: str, clock: str) -> np.datetime64 | None:
    try:
        return nanosecond(f"{date}T{clock}" if clock else date)
    except ValueError:
        return None


def _values(variable: h5py.Dataset) -> NDArray[np.float64]:
    """Coordinates, degrees."""
    return Packing.of(variable, bounds=False).physical(variable[()])
