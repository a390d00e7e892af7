"""Places of time series: points and polygons from the command line and from files."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import shapely
import xarray as xr
from dask.base import tokenize

from vadose.errors import VadoseError
from vadose.io.csv_tables import read_csv
from vadose.io.locks import alone_at
from vadose.io.outputs import Request
from vadose.mapping.area_files import in_degrees, read_shapes
from vadose.maps import at_points, over_polygons, write_series
from vadose.maps.opening import open_maps
from vadose.maps.series import is_series, require_suffix

LOGGER = logging.getLogger(__name__)
_NAMES = ("name", "id", "place")


def series_of(
    maps: Path,
    out: Path | None,
    at: Sequence[str] = (),
    points: Path | pd.DataFrame | None = None,
    polygons: Path | pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Write the time series of maps at points, or over polygons.

    Args:
        maps: folder of a map, or one of its files.
        out: CSV, Parquet or NetCDF, by the suffix; by default none is written.
        at: points as "lon,lat".
        points: CSV or table with columns lon, lat and optionally place.
        polygons: GeoJSON, GeoPackage, shapefile; named by a column name, id or place.

    Raises:
        VadoseError: there are no places, both points and polygons, or places outside the maps; or `out` is not
            writable, or is not an earlier time series file.
    """
    if out is not None:
        require_suffix(out)
    if (bool(at) or points is not None) == (polygons is not None):
        raise VadoseError("series: places", "There are none, or both points and polygons", "Give points, or polygons")
    if out is None:
        return _series(open_maps(maps), at, points, polygons)
    asked = {"at": list(at), "points": _identity(points), "polygons": _identity(polygons)}
    request = Request.of("series", out, maps=maps, **asked)
    request.require_place(out, folder=False)
    with alone_at(out) as held:
        if held.suffix != ".csv" or not (held.exists() and is_series(held)):
            request.require_own(held)
        zones = open_maps(maps)
        table = _series(zones, at, points, polygons)
        notices = {str(zone.attrs.get("comment") or zone.attrs.get("notice") or "") for zone in zones.values()}
        write_series(held, table, " ".join(sorted(notices)).strip(), request.mark)
        return table


def _identity(places: Path | pd.DataFrame | None) -> Path | str | None:
    """Return a path, or the checksum of a table."""
    return tokenize(places) if isinstance(places, pd.DataFrame) else places


def _series(
    zones: Mapping[int, xr.Dataset],
    at: Sequence[str],
    points: Path | pd.DataFrame | None,
    polygons: Path | pd.DataFrame | None,
) -> pd.DataFrame:
    LOGGER.info("maps of UTM zones %s", ", ".join(map(str, zones)))
    if polygons is not None:
        return over_polygons(zones, read_polygons(polygons))
    named = pd.DataFrame([_point(text) for text in at], columns=["place", "lon", "lat"])
    return at_points(zones, pd.concat([named, read_points(points)]))


def read_points(path: Path | pd.DataFrame | None) -> pd.DataFrame:
    """Return the points of a CSV file or a table: place, lon, lat; none without a file.

    Raises:
        VadoseError: it is unreadable, or has no lon and lat.
    """
    if path is None:
        return pd.DataFrame({"place": [], "lon": [], "lat": []})
    try:
        table = _table(path).rename(columns=str.lower)
        _require_coordinates(table, path)
        places = table["place"].astype(str) if "place" in table else [f"{i}" for i in range(len(table))]
        return pd.DataFrame({"place": places, "lon": table["lon"].astype(float), "lat": table["lat"].astype(float)})
    except VadoseError:
        raise
    except (OSError, ValueError, KeyError) as error:
        where = path if isinstance(path, Path) else "of a table"
        raise VadoseError(
            f"series: the points {where}", f"They cannot be read ({error})", "Give a CSV file with columns lon and lat"
        ) from error


def _require_coordinates(table: pd.DataFrame, points: Path | pd.DataFrame) -> None:
    counts = {name: list(table.columns).count(name) for name in ("place", "lon", "lat")}
    if counts["lon"] == counts["lat"] == 1 and counts["place"] < 2:
        return
    where = points if isinstance(points, Path) else "of a table"
    raise VadoseError(
        f"series: the points {where}",
        f"Its columns are {', '.join(map(str, table.columns)) or 'none'}",
        "Give columns lon and lat, each once, and optionally place",
    )


def _table(points: Path | pd.DataFrame) -> pd.DataFrame:
    if isinstance(points, pd.DataFrame):
        return points.reset_index(drop=True)
    header = pd.read_csv(points, nrows=0).columns
    texts, numbers = ({name for name in header if name.lower() in names} for names in (("place",), ("lon", "lat")))
    return read_csv(points, texts, numbers)


def read_polygons(path: Path | pd.DataFrame) -> dict[str, shapely.Geometry]:
    """Return the polygons of a file or a GeoDataFrame in degrees, by their names or else their numbers.

    Raises:
        VadoseError: it is unreadable, has no CRS or no polygon, or repeats a name.
    """
    where = path if isinstance(path, Path) else "of a table"
    layer = read_shapes(path) if isinstance(path, Path) else in_degrees(path, "series: a GeoDataFrame")
    layer = layer[shapely.area(layer.geometry.to_numpy()) > 0]
    column = next((name for name in layer.columns if str(name).lower() in _NAMES), None)
    names = [
        _name(name, number) for number, name in enumerate(layer[column] if column is not None else [None] * len(layer))
    ]
    if not names or len(set(names)) < len(names):
        raise VadoseError(
            f"series: the polygons {where}", "There are none, or two have the same name", "Give polygons with names"
        )
    return dict(zip(names, layer.geometry, strict=True))


def _name(stated: Any, number: int) -> str:
    """Return the name of a polygon, or its number; beside a missing one, whole numbers were read as decimals."""
    if pd.isna(stated):
        return str(number)
    return str(int(stated)) if isinstance(stated, float) and stated.is_integer() else str(stated)


def _point(text: str) -> tuple[str, float, float]:
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError as error:
        raise VadoseError(f"series: the point '{text}'", "It is not two numbers", "Write lon,lat in degrees") from error
    return text, lon, lat
