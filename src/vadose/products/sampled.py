"""Sampling of a gridded product at sensors: the nearest cell, layer by layer."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from vadose.errors import NoDataError, VadoseError
from vadose.products.axes import Grid, grid_of
from vadose.products.by_source import by_source
from vadose.products.conventions import Flag
from vadose.products.decoded import Decoded, decode
from vadose.products.described import Product
from vadose.products.files import SMAP_FLAG, Layers, files_of, opened
from vadose.products.series import Floats, Sampled
from vadose.products.times import Times
from vadose.products.units import kind_of

Places = tuple[Grid, NDArray[np.intp], NDArray[np.intp]]
_AT_ONCE = 50_000_000
"""Largest number of grid values that are read at once."""
_J2000 = np.datetime64("2000-01-01T12:00:00", "ns")
_MOST_SECONDS = 3e9
"""Largest plausible acquisition time, seconds: a hundred years."""
_MOST_REMARKS = 4
_SAME = 0.05
"""Relative difference of two values up to which they may be of one observation, in tiles of two projections."""


def sampled(product: Product, lat: Floats, lon: Floats) -> Sampled:
    """Return the values of a product in the cells nearest to places (degrees).

    Raises:
        VadoseError: a file is unreadable, or files differ in units.
        NoDataError: no place is within any of them.
    """
    convention = product.convention
    if convention is not None and convention.source:
        return by_source(convention, product, lat, lon)
    parts = [part for file in files_of(product) for part in _of_file(product, file, lat, lon)]
    units = {kind_of(part.units) if kind_of(part.units)[0] else part.units: part.units for part in parts}
    if len(units) > 1:
        several = sorted(units.values())
        raise VadoseError(f"{product.name}: its files", f"They have several units: {several}", "Give files of one unit")
    away = np.fmin.reduce([part.away_km for part in parts])
    if not np.isfinite(away).any():
        raise NoDataError(
            f"{product.name}: {len(lat)} sensors within {lat.min():.2f}..{lat.max():.2f} N, "
            f"{lon.min():.2f}..{lon.max():.2f} E",
            "None is within the grid" + _swapped(product, lat, lon),
            "Give a product that covers the sensors",
        )
    twins = _twins(parts, product)
    where = [np.nonzero(np.isfinite(part.values)) for part in parts]
    sensor = np.concatenate([column for _, column in where])
    times = np.concatenate([part.times[row] for part, (row, _) in zip(parts, where, strict=True)])
    values = np.concatenate([part.values[at] for part, at in zip(parts, where, strict=True)])
    notes = _summed([part.left_out for part in parts], sum(part.stored for part in parts))
    remarks = dict.fromkeys(remark for part in parts for remark in part.remarks)
    built_in = (product.convention.title, product.convention.note) if product.convention else ()
    said = (*filter(None, built_in), *notes, *twins, *_first_of(remarks))
    return Sampled.of(sensor, times, values, away, parts[0].units, said)


@dataclass(frozen=True, eq=False)
class _Part:
    """One variable of one file at places, as `Sampled`; with `stored` values there, some `left_out` for a reason."""

    path: Path
    times: Times
    values: Floats
    away_km: Floats
    units: str
    stored: int
    left_out: Mapping[str, int]
    remarks: tuple[str, ...]


def _twins(parts: Sequence[_Part], product: Product) -> list[str]:
    """Return a remark if several files have values at the same times and sensors, as tiles that overlap do.

    Raises:
        VadoseError: most of these values differ: the files are of other quantities, or of other versions.
    """
    at: dict[np.datetime64, list[tuple[_Part, Floats]]] = {}
    for part in parts:
        for time, values in zip(part.times, part.values, strict=True):
            at.setdefault(time, []).append((part, values))
    shared, different, example = 0, 0, ""
    for time, held in at.items():
        for (one, mine), (other, theirs) in pairwise(held):
            both = np.isfinite(mine) & np.isfinite(theirs) & (one.path != other.path)
            differ = both & (abs(mine - theirs) > _SAME * np.maximum(abs(mine), abs(theirs)))
            shared, different = shared + int(both.sum()), different + int(differ.sum())
            if differ.any() and not example:
                example = f"{one.path.name} and {other.path.name} of {np.datetime_as_string(time, 'm')}"
    if 2 * different > shared:
        raise VadoseError(
            f"{product.name}: {product.path}",
            f"Several files have values at the same times and sensors, {different} of {shared} different, such as "
            f"{example}",
            "Leave one file for each time: of soil moisture, in its latest version",
        )
    return [f"{shared:,} values at sensors are in two files of one time: that of the first is used"] if shared else []


def _summed(parts: Sequence[Mapping[str, int]], stored: int) -> list[str]:
    """Return the numbers of left-out values over all files, by reason."""
    total = Counter[str]()
    for part in parts:
        total.update(part)
    return [f"{count:,} of {stored:,} values at sensors left out: {reason}" for reason, count in total.items()]


def _first_of(remarks: Iterable[str]) -> list[str]:
    """Return remarks, of many similar ones a few."""
    shown = list(remarks)
    more = [f"{len(shown) - _MOST_REMARKS} more remarks of this kind"] if len(shown) > _MOST_REMARKS else []
    return shown[:_MOST_REMARKS] + more


def _of_file(product: Product, file: Path | xr.Dataset, lat: Floats, lon: Floats) -> list[_Part]:
    path = file if isinstance(file, Path) else product.path
    asked = f"{product.name}: {path}"
    with opened(product, file) as held:
        try:
            return [_one(product, layers, asked, path, lat, lon) for layers in held]
        except VadoseError:
            raise
        except (OSError, RasterioError, RuntimeError, ValueError, KeyError) as error:
            raise VadoseError(
                asked, f"Its values cannot be read ({error}): it is damaged", "Get the file again"
            ) from error


def _one(product: Product, layers: Layers, asked: str, path: Path, lat: Floats, lon: Floats) -> _Part:
    variable, times = layers.variable, layers.times.times
    grid = grid_of(variable, asked)
    column, row, away = grid.cells(lon, lat)
    inside = np.isfinite(away)
    values = np.full((len(times), len(lat)), np.nan)
    left_out, remarks, stored = Counter[str](), layers.times.remarks, 0
    seconds = None
    if inside.any():
        at = grid, row[inside], column[inside]
        first = _decoded(variable, at, asked)
        found, stored = first.values, int(np.isfinite(first.values).sum()) + sum(first.left_out.values())
        left_out.update(first.left_out)
        remarks += first.remarks
        for other in layers.others:
            found = np.where(np.isnan(found), _decoded(other, at, asked).values, found)
        if layers.flag is not None:
            bits = np.nan_to_num(_numbers(layers.flag, at)).astype(np.int64)
            odd = np.isfinite(found) & ((bits & layers.rule.bits if layers.rule.bits else bits) != 0)
            left_out.update({_flagged(layers.rule): int(odd.sum())})
            found = np.where(odd, np.nan, found)
        if product.convention is not None and product.convention.limits is not None:
            low, high = product.convention.limits
            mask = np.isfinite(found) & ((found < low) | (found > high))
            left_out.update({f"outside of {low:g} to {high:g}, where numbers are masks": int(mask.sum())})
            found = np.where(mask, np.nan, found)
        values[:, inside] = found
        if layers.seconds is not None:
            seconds = np.full(values.shape, np.nan)
            seconds[:, inside] = _numbers(layers.seconds, at)
    known = ~np.isnat(times)
    if seconds is not None and len(times) == 1:
        times, values = _by_acquisition(times[0], values[0], seconds[0])
        known = np.ones(len(times), bool)
    units = str(_packed_as(variable).get("units", "")).strip()
    return _Part(path, times[known], values[known], away, units, stored, +left_out, remarks)


def _flagged(rule: Flag) -> str:
    if rule is SMAP_FLAG:
        return "not recommended by its retrieval_qual_flag (--quality retrieved keeps them)"
    return f"{rule.words} (--quality retrieved keeps them)"


def _by_acquisition(day: np.datetime64, values: Floats, seconds: Floats) -> tuple[Times, Floats]:
    """Return a layer split by the acquisition minutes of its pixels; pixels without a time within two days keep the
    layer's.
    """
    moments = np.full(values.shape, day)
    known = np.isfinite(seconds) & (abs(seconds) < _MOST_SECONDS)
    moments[known] = _J2000 + np.round(seconds[known] / 60).astype("timedelta64[m]")
    moments[abs(moments - day) > np.timedelta64(2, "D")] = day
    times, place = np.unique(moments, return_inverse=True)
    split = np.full((len(times), len(values)), np.nan)
    split[place, np.arange(len(values))] = values
    return times, split


def _decoded(variable: xr.DataArray, at: Places, asked: str) -> Decoded:
    return decode(_numbers(variable, at), _packed_as(variable), asked)


def _packed_as(variable: xr.DataArray) -> dict[str, Any]:
    """Return the attributes for unpacking; each band of a raster has its own."""
    attrs = dict(variable.attrs)
    band = variable.coords.get("band")
    if band is not None and band.ndim == 0:
        for several, one in (("scales", "scale_factor"), ("offsets", "add_offset"), ("units", "units")):
            if isinstance(attrs.get(several), tuple | list):
                attrs[one] = attrs[several][int(band) - 1]
    return attrs


def _numbers(variable: xr.DataArray, at: Places) -> NDArray[Any]:
    return np.concatenate(list(_read(variable, *at)))


def _read(
    variable: xr.DataArray, grid: Grid, row: NDArray[np.intp], column: NDArray[np.intp]
) -> Iterator[NDArray[Any]]:
    """Yield stored numbers of layers at the cells; a window around them is read, some layers at a time."""
    top, left = int(row.min()), int(column.min())
    window = variable.isel({grid.y: slice(top, int(row.max()) + 1), grid.x: slice(left, int(column.max()) + 1)})
    window = window.transpose(..., grid.y, grid.x)
    step = max(1, _AT_ONCE // max(1, window.shape[1] * window.shape[2]))
    for start in range(0, len(window), step):
        yield np.asarray(window[start : start + step].values)[:, row - top, column - left]


def _swapped(product: Product, lat: Floats, lon: Floats) -> str:
    """Return a hint if places are in the grid with latitude and longitude exchanged."""
    with opened(product, files_of(product)[0]) as held:
        inside = np.isfinite(grid_of(held[0].variable, product.name).cells(lat.clip(-180, 180), lon.clip(-90, 90))[2])
    return "; with latitude and longitude exchanged they would: its axes are swapped" if inside.any() else ""
