"""Time series of soil moisture at points and over polygons, from maps at many times."""

from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
import shapely.affinity
import xarray as xr
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.grid import CELL_M, bbox_of, from_lonlat, to_lonlat, utm_epsg
from vadose.io.files import atomic_write
from vadose.maps import cf
from vadose.maps.layers import NODATA, STD_ATTRS, age_attrs, flag_attrs
from vadose.variables import SOIL_MOISTURE

MOISTURE, STD = "soil_moisture", "soil_moisture_std"
LOW, HIGH = "soil_moisture_low", "soil_moisture_high"
"""Ends of the 90 % interval, in tables that have it."""
_KEY = ["place", "time"]
_FIRST = ("place", "lon", "lat", "time", MOISTURE, STD, "quality")
_ENCODED = ("units", "calendar")
Zones = Mapping[int, xr.Dataset]


def at_points(zones: Zones, points: pd.DataFrame) -> pd.DataFrame:
    """Return the time series of the cells that contain some points.

    Args:
        zones: from `open_maps`.
        points: place (name), lon and lat in degrees.

    Returns:
        One row per place and time (UTC): place, lon, lat, time, soil_moisture and soil_moisture_std (m3 m-3), quality,
        ages (days). A place outside the mapped area has NaN, and 4294967295 as quality.

    Raises:
        VadoseError: none of the points is within the maps.
    """
    columns = (points[name].tolist() for name in ("place", "lon", "lat"))
    found = [_cell(zones, str(place), float(lon), float(lat)) for place, lon, lat in zip(*columns, strict=True)]
    if all((table["quality"] == NODATA).all() for table in found):
        raise VadoseError(
            f"series: {len(points)} points",
            f"None of them is within the maps, which are in EPSG:{', '.join(map(str, zones))}",
            "Give longitude and latitude in degrees, in this order, within the mapped area",
        )
    return _ordered(pd.concat(found, ignore_index=True))


def over_polygons(zones: Zones, polygons: Mapping[str, shapely.Geometry]) -> pd.DataFrame:
    """Return the time series of means over the cells that have their centres in some polygons.

    The standard deviation is the mean over the cells: exact if the errors of all cells are fully correlated, and an
    upper bound otherwise. The quality has every flag of any cell.

    Args:
        zones: from `open_maps`.
        polygons: polygons by name, in degrees.

    Returns:
        One row per polygon and time (UTC): place, lon and lat of its centroid, time, soil_moisture, soil_moisture_std,
        quality, ages, and cells: the number of cells with an estimate.

    Raises:
        VadoseError: a polygon contains no cell centre of the maps.
    """
    means = [_mean(zones, name, polygon) for name, polygon in polygons.items()]
    return _ordered(pd.concat(means, ignore_index=True))


def write_series(path: Path, table: pd.DataFrame, notice: str = "", request: str = "") -> Path:
    """Write time series as CSV, Parquet or CF-NetCDF (discrete sampling geometry "timeSeries"), by the suffix of the
    file.

    Args:
        path: path of the file.
        table: from `at_points` or `over_polygons`.
        notice: warning for the series; empty for none.
        request: mark of the request; CSV has no place for notice and request.

    Raises:
        VadoseError: the suffix is unknown.
    """
    require_suffix(path)
    with atomic_write(path) as temporary:
        _WRITERS[path.suffix](temporary, table, notice, request)
    return path


def require_suffix(path: Path) -> None:
    """Verify the suffix of a time series file.

    Raises:
        VadoseError: the suffix is unknown.
    """
    if path.suffix not in _WRITERS:
        raise VadoseError(f"series: the file {path}", f"The suffixes are {', '.join(_WRITERS)}", "Choose one of these")


def is_series(path: Path) -> bool:
    """Return whether a CSV file begins like a time series file."""
    with path.open("rb") as file:
        return file.readline(1000).startswith(",".join(_FIRST).encode())


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    others = sorted(str(name) for name in table.columns if name not in _FIRST)
    return table[[*_FIRST, *others]]


def _cell(zones: Zones, place: str, lon: float, lat: float) -> pd.DataFrame:
    epsg = utm_epsg(lon, lat)
    some = next(iter(zones.values()))
    zone = zones.get(epsg, some)
    x, y = from_lonlat(epsg).transform(lon, lat)
    row, column = (int(np.abs(zone[axis].values - value).argmin()) for axis, value in (("y", y), ("x", x)))
    inside = epsg in zones and all(
        abs(zone[axis].values[at] - value) <= CELL_M / 2 for axis, at, value in (("y", row, y), ("x", column, x))
    )
    values = {str(name): layer.values for name, layer in zone.isel(y=row, x=column).data_vars.items()}
    if not inside:
        values = {name: np.full_like(layer, NODATA if name == "quality" else np.nan) for name, layer in values.items()}
    return pd.DataFrame({"place": place, "lon": lon, "lat": lat, "time": zone["time"].values} | values)


def _mean(zones: Zones, name: str, polygon: shapely.Geometry) -> pd.DataFrame:
    every = (_within(zone, epsg, polygon) for epsg, zone in zones.items())
    parts = [part for part in every if part is not None]
    cells = xr.concat(parts, "cell", join="exact") if parts else None
    if cells is None or not (cells["quality"] != NODATA).any():
        raise VadoseError(
            f"series: the polygon '{name}'",
            f"It contains no cell centre of the maps, which are in EPSG:{', '.join(map(str, zones))}",
            "Give a larger polygon within the mapped area, or a point",
        )
    known = cells[MOISTURE].notnull()  # noqa: PD004 (of xarray)
    means = cells.drop_vars("quality").where(known).mean("cell")
    flags = cells["quality"].values
    quality = reduce(np.bitwise_or, np.where(flags == NODATA, 0, flags), np.zeros(flags.shape[1], np.uint32))
    columns = {str(layer): values.values for layer, values in means.data_vars.items()}
    columns |= {"quality": quality, "cells": known.sum("cell").values}
    middle = _middle(polygon)
    return pd.DataFrame({"place": name, "lon": middle.x, "lat": middle.y, "time": cells["time"].values} | columns)


def _middle(polygon: shapely.Geometry) -> shapely.Point:
    """Return the centroid of a polygon in degrees, which may be cut at the antimeridian."""
    west, _, east, _ = bbox_of(polygon)
    if west <= east:
        return polygon.centroid
    whole = [shapely.affinity.translate(part, 360 * (part.bounds[2] <= 0)) for part in shapely.get_parts(polygon)]
    middle = shapely.MultiPolygon(whole).centroid
    return shapely.Point((middle.x + 180) % 360 - 180, middle.y)


def _within(zone: xr.Dataset, epsg: int, polygon: shapely.Geometry) -> xr.Dataset | None:
    """Return the cells of a zone whose centres are in a polygon, (cell, time)."""
    inside = _centres_in(zone, epsg, polygon)
    if not inside.any():
        return None
    rows, columns = (slice(int(at.min()), int(at.max()) + 1) for at in np.nonzero(inside))
    window = zone.isel(y=rows, x=columns).load()
    chosen = window.stack(cell=("y", "x")).isel(cell=np.flatnonzero(inside[rows, columns]))  # noqa: PD013 (of xarray)
    return chosen.reset_index("cell").reset_coords(drop=True).transpose("cell", "time")


def _centres_in(zone: xr.Dataset, epsg: int, polygon: shapely.Geometry) -> NDArray[np.bool_]:
    x, y = np.meshgrid(zone["x"].values, zone["y"].values)
    lon, lat = to_lonlat(epsg).transform(x, y)
    return np.asarray(shapely.contains_xy(polygon, lon, lat))


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV, its times in ISO 8601 and its numbers with six digits."""
    text: str = table.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ", float_format="%.6g")
    return text


def _csv(path: Path, table: pd.DataFrame, notice: str, request: str) -> None:  # noqa: ARG001 (no place for these)
    path.write_text(csv_text(table), encoding="utf-8", newline="")


def _parquet(path: Path, table: pd.DataFrame, notice: str, request: str) -> None:
    written = table.copy(deep=False)
    written.attrs = {name: text for name, text in (("notice", notice), ("request", request)) if text}
    written.to_parquet(path, index=False)


def _netcdf(path: Path, table: pd.DataFrame, notice: str, request: str) -> None:
    twice = table.loc[table.duplicated(_KEY), "place"]
    if len(twice):
        raise VadoseError(
            "series: a NetCDF file", f"The place '{twice.iloc[0]}' is repeated", "Give each place its own name"
        )
    wide = table.drop(columns=["lon", "lat"]).set_index(_KEY).to_xarray()
    where = table.groupby("place")[["lon", "lat"]].first()
    names = {"lon": "longitude", "lat": "latitude"}
    units = {"lon": "degrees_east", "lat": "degrees_north"}
    for axis, standard in names.items():
        attrs = {"standard_name": standard, "long_name": f"{standard} of the place", "units": units[axis]}
        wide = wide.assign_coords({axis: ("place", where[axis].loc[wide["place"].values].to_numpy(), attrs)})
    for name in wide.data_vars:
        wide[name].attrs = column_attrs(str(name))
    wide["place"].attrs = {"cf_role": "timeseries_id", "long_name": "name of the place"}
    wide["time"].attrs = {key: value for key, value in cf.TIME.items() if key not in _ENCODED}
    title = {"title": "Soil moisture of the top 5 cm", "history": "Made by vadose series"}
    wide.attrs = {"Conventions": cf.CONVENTIONS, "featureType": "timeSeries"} | title
    wide.attrs |= {name: text for name, text in (("comment", notice), ("request", request)) if text}
    time = {key: cf.TIME[key] for key in _ENCODED} | {"dtype": "int64"}
    wide.to_netcdf(path, encoding={"time": time})


def column_attrs(name: str) -> dict[str, object]:
    """Return the CF attributes of a column of a series, or of a layer of a map."""
    source = name.removeprefix("age_")
    if source != name:
        return {**age_attrs(source)}
    known: dict[str, dict[str, object]] = {
        MOISTURE: dict(SOIL_MOISTURE.attrs),
        STD: dict(STD_ATTRS),
        "quality": {**flag_attrs()},
        LOW: {"units": SOIL_MOISTURE.units, "long_name": "lower end of the 90 % interval of the soil moisture"},
        HIGH: {"units": SOIL_MOISTURE.units, "long_name": "upper end of the 90 % interval of the soil moisture"},
    }
    return known.get(name, {"long_name": "cells with an estimate", "units": "1"})


_WRITERS: dict[str, Callable[[Path, pd.DataFrame, str, str], None]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".nc": _netcdf,
}
