"""The places of series: points and polygons from the command line and from files."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import shapely

from vadose.errors import VadoseError
from vadose.io.csv_tables import read_csv
from vadose.io.locks import alone_at
from vadose.io.outputs import Request
from vadose.mapping.area_files import read_shapes
from vadose.maps import at_points, open_maps, over_polygons, write_series
from vadose.maps.series import is_series, require_suffix

_NAMES = ("name", "id", "place")


def series_of(
    maps: Path, out: Path, at: Sequence[str] = (), points: Path | None = None, polygons: Path | None = None
) -> pd.DataFrame:
    """Write the series of maps at points, or over polygons.

    Args:
        maps: folder of a map, or a cube of it.
        out: CSV, Parquet or NetCDF, by the suffix.
        at: points as "lon,lat".
        points: CSV with columns lon and lat, and place if they have names.
        polygons: GeoJSON, GeoPackage, shapefile; named by a column name, id or place.

    Raises:
        VadoseError: no places, both points and polygons, or places outside the maps; or `out` cannot be written, or is
            something else than earlier series.
    """
    require_suffix(out)
    if bool(at or points) == bool(polygons):
        raise VadoseError("series: places", "There are none, or both points and polygons", "Give points, or polygons")
    asked = {"at": list(at), "points": points, "polygons": polygons}
    request = Request.of("series", out, maps=maps, **asked)
    request.require_place(out, folder=False)
    with alone_at(out) as held:
        if held.suffix != ".csv" or not (held.exists() and is_series(held)):
            request.require_own(held)
        return _series(maps, held, at, points, polygons, request.mark)


def _series(
    maps: Path, out: Path, at: Sequence[str], points: Path | None, polygons: Path | None, mark: str
) -> pd.DataFrame:
    zones = open_maps(maps)
    notices = {str(zone.attrs.get("comment") or zone.attrs.get("notice") or "") for zone in zones.values()}
    if polygons:
        table = over_polygons(zones, read_polygons(polygons))
    else:
        told = [_point(text) for text in at]
        table = at_points(zones, pd.concat([pd.DataFrame(told, columns=["place", "lon", "lat"]), read_points(points)]))
    write_series(out, table, " ".join(sorted(notices)).strip(), mark)
    return table


def read_points(path: Path | None) -> pd.DataFrame:
    """The points of a CSV file: place, lon, lat; none without a file.

    Raises:
        VadoseError: it cannot be read, or has no lon and lat.
    """
    if path is None:
        return pd.DataFrame({"place": [], "lon": [], "lat": []})
    try:
        header = pd.read_csv(path, nrows=0).columns
        table = read_csv(path, {name for name in header if name.lower() == "place"}).rename(columns=str.lower)
        places = table["place"] if "place" in table else [f"{i}" for i in range(len(table))]
        return pd.DataFrame({"place": places, "lon": table["lon"].astype(float), "lat": table["lat"].astype(float)})
    except (OSError, ValueError, KeyError) as error:
        raise VadoseError(
            f"series: the points {path}", f"They cannot be read ({error})", "Give a CSV file with columns lon and lat"
        ) from error


def read_polygons(path: Path) -> dict[str, shapely.Geometry]:
    """The polygons of a file, by their names or else their numbers, in degrees.

    Raises:
        VadoseError: it cannot be read, has no CRS or no polygon, or two of one name.
    """
    layer = read_shapes(path)
    layer = layer[shapely.area(layer.geometry.to_numpy()) > 0]
    column = next((name for name in layer.columns if str(name).lower() in _NAMES), None)
    names = [str(name) for name in (layer[column] if column is not None else range(len(layer)))]
    if not names or len(set(names)) < len(names):
        raise VadoseError(
            f"series: the polygons {path}", "There are none, or two have one name", "Give polygons with names"
        )
    return dict(zip(names, layer.geometry, strict=True))


def _point(text: str) -> tuple[str, float, float]:
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError as error:
        raise VadoseError(f"series: the point '{text}'", "It is not two numbers", "Write lon,lat in degrees") from error
    return text, lon, lat
