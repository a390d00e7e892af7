"""A gridded product at sensors: the nearest cell, layer by layer."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vadose.experiment.product.axes import Grid, grid_of
from vadose.experiment.product.described import Product
from vadose.experiment.product.files import Times, files_of, opened
from vadose.refusal import NothingFound, Refusal

Floats = NDArray[np.float64]
_AT_ONCE = 50_000_000
"""Values of a grid that are read at once, at most."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """A product at sensors.

    Attributes:
        times: of its layers, ascending, UTC.
        values: (time, sensor), in the units of the file, NaN where there is none.
        away_km: from each sensor to the centre of its cell, NaN where it lies outside.
        units: of the file.
    """

    times: Times
    values: Floats
    away_km: Floats
    units: str


def sampled(product: Product, lat: Floats, lon: Floats) -> Sampled:
    """The values of a product in the cells nearest to places (degrees).

    Raises:
        Refusal: a file cannot be read, or files differ in units.
        NothingFound: no place lies within any of them.
    """
    parts = [_one(product, path, lat, lon) for path in files_of(product)]
    units = sorted({part.units for part in parts})
    if len(units) > 1:
        raise Refusal(f"{product.name}: its files", f"They have several units: {units}", "Give files of one unit")
    away = np.fmin.reduce([part.away_km for part in parts])
    if not np.isfinite(away).any():
        raise NothingFound(
            f"{product.name}: {len(lat)} sensors within {lat.min():.2f}..{lat.max():.2f} N, "
            f"{lon.min():.2f}..{lon.max():.2f} E",
            "None lies within the grid" + _swapped(product, lat, lon),
            "Give a product that covers the sensors",
        )
    times = np.concatenate([part.times for part in parts])
    values = np.concatenate([part.values for part in parts])
    order = np.argsort(times, kind="stable")
    return Sampled(times[order], values[order], away, units[0])


def _one(product: Product, path: Path, lat: Floats, lon: Floats) -> Sampled:
    with opened(product, path) as (variable, times):
        grid = grid_of(variable, f"{product.name}: {path}")
        column, row, away = grid.cells(lon, lat)
        inside = np.isfinite(away)
        values = np.full((len(times), len(lat)), np.nan)
        if inside.any():
            read = np.concatenate(list(_read(variable, grid, row[inside], column[inside])))
            values[:, inside] = _valid(read, variable)
        return Sampled(times, values, away, str(variable.attrs.get("units", "")))


def _read(variable: xr.DataArray, grid: Grid, row: NDArray[np.intp], column: NDArray[np.intp]) -> Iterator[Floats]:
    """Layers at the cells; a window around them is read, some layers at a time."""
    top, left = int(row.min()), int(column.min())
    window = variable.isel({grid.y: slice(top, int(row.max()) + 1), grid.x: slice(left, int(column.max()) + 1)})
    window = window.transpose(..., grid.y, grid.x)
    step = max(1, _AT_ONCE // max(1, window.shape[1] * window.shape[2]))
    for start in range(0, len(window), step):
        yield np.asarray(window[start : start + step].values, np.float64)[:, row - top, column - left]


def _valid(values: Floats, variable: xr.DataArray) -> Floats:
    """NaN beyond the valid range that the file states, in the units of the values."""
    low, high = variable.attrs.get("valid_range", (None, None))
    low = variable.attrs.get("valid_min", low)
    high = variable.attrs.get("valid_max", high)
    scale, offset = (float(variable.encoding.get(key, d)) for key, d in (("scale_factor", 1), ("add_offset", 0)))
    with np.errstate(invalid="ignore"):
        for bound, beyond in ((low, np.less), (high, np.greater)):
            if bound is not None:
                values = np.where(beyond(values, float(bound) * scale + offset), np.nan, values)
    return values


def _swapped(product: Product, lat: Floats, lon: Floats) -> str:
    """What to say where places lie in the grid with latitude and longitude exchanged."""
    path = files_of(product)[0]
    with opened(product, path) as (variable, _):
        inside = np.isfinite(grid_of(variable, product.name).cells(lat.clip(-180, 180), lon.clip(-90, 90))[2])
    return "; with latitude and longitude exchanged they would: its axes are swapped" if inside.any() else ""


def nearest_valid(sampled_: Sampled, sensor: int, asked: Times, window_hours: float) -> Floats:
    """The value nearest in time to each moment that is asked, NaN where none lies within the window."""
    there = np.isfinite(sampled_.values[:, sensor])
    times, values = sampled_.times[there], sampled_.values[there, sensor]
    if not len(times):
        return np.full(len(asked), np.nan)
    after = np.searchsorted(times, asked).clip(max=len(times) - 1)
    before = (after - 1).clip(min=0)
    place = np.where(abs(asked - times[before]) <= abs(times[after] - asked), before, after)
    away = abs(asked - times[place]) / np.timedelta64(1, "h")
    return np.where(away <= window_hours, values[place], np.nan)
