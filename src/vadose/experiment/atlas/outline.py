"""The area of a map: a box, or the polygons of a file in any projection."""

import importlib
from pathlib import Path
from typing import Any

import shapely

from vadose.files import read_json
from vadose.grid import Area
from vadose.refusal import Refusal

_GEOJSON = {".geojson", ".json"}
_LAYERS = {".gpkg", ".shp", ".fgb", ".zip", ".parquet"}
_LONGEST = {True: 0.05, False: 5000.0}
"""Longest straight piece of an outline when it is carried into degrees; of one in degrees or else in metres."""


def read_area(where: str) -> Area:
    """An area from the command line: "west,south,east,north" in degrees, or a file of polygons.

    GeoJSON is in degrees (RFC 7946) unless it names another CRS; GeoPackage, shapefile, FlatGeobuf and GeoParquet say
    what they are in. All polygons together are the area; their holes are not in it.

    Raises:
        Refusal: it is neither; or a file cannot be read, has no CRS or no polygon.
    """
    path = Path(where)
    if path.suffix.lower() in _GEOJSON:
        return _of_geojson(path)
    if path.suffix.lower() in _LAYERS:
        return _of_layer(path)
    try:
        west, south, east, north = (float(part) for part in where.split(","))
    except ValueError as error:
        raise Refusal(
            f"map: the area '{where}'",
            f"It is no file of polygons ({', '.join(sorted(_GEOJSON | _LAYERS))}) and not four numbers",
            "Write west,south,east,north",
        ) from error
    return Area.from_bbox(west, south, east, north)


def _of_geojson(path: Path) -> Area:
    content = read_json(path, f"map: the area {path}", "Give a GeoJSON file")
    if "crs" in content:
        return _of_layer(path)
    return Area.from_geojson(content, name=path.stem)


def read_shapes(path: Path) -> Any:
    """The features of a file with their columns, a GeoDataFrame in degrees; edges stay where they were.

    Raises:
        Refusal: it cannot be read, or has no CRS.
    """
    asked = f"map: the shapes {path}"
    layer = _layer(path, asked)
    if layer.crs is None:
        raise Refusal(asked, "It has no coordinate reference system", "Write its CRS into the file")
    longest = _LONGEST[bool(layer.crs.is_geographic)]
    there = layer[layer.geometry.notna()]
    return there.set_geometry(there.geometry.segmentize(longest)).to_crs(4326)


def _of_layer(path: Path) -> Area:
    polygons = [part for shape in read_shapes(path).geometry for part in shapely.get_parts(shape) if part.area > 0]
    union = shapely.union_all(polygons)
    if not polygons or not isinstance(union, shapely.Polygon | shapely.MultiPolygon):
        raise Refusal(f"map: the area {path}", "It holds no polygon", "Give polygons, not points or lines")
    return Area(path.stem, union)


def _layer(path: Path, asked: str) -> Any:
    geopandas = importlib.import_module("geopandas")  # heavy, and seldom needed
    unreadable = importlib.import_module("pyogrio.errors").DataSourceError
    try:
        return geopandas.read_parquet(path) if path.suffix == ".parquet" else geopandas.read_file(path)
    except (OSError, ValueError, unreadable) as error:
        raise Refusal(
            asked, f"It cannot be read ({error})", "Give a GeoPackage, a shapefile or another file of polygons"
        ) from error
