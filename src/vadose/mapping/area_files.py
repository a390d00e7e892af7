"""Area of a map: a box, or the polygons of a file in any projection."""

import importlib
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, polygons_of, within_degrees
from vadose.io.files import read_json

_GEOJSON = {".geojson", ".json"}
_MAGIC: Mapping[str, bytes] = {
    ".gpkg": b"SQLite format 3\0",
    ".shp": b"\0\0\x27\x0a",
    ".fgb": b"fgb\x03fgb",
    ".parquet": b"PAR1",
    ".zip": b"PK\x03\x04",
}
"""First bytes of each format; what GDAL makes of other bytes may be another file, or an address."""
_LARGEST_HEADER = 10 << 20
_BESIDE = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".gpkg", ".fgb", ".geojson", ".json")
_LARGEST_UNPACKED = 1 << 30
_LONGEST = {True: 0.05, False: 5000.0}
"""Longest straight segment of a boundary before it is transformed to degrees; in degrees or in metres."""


def read_area(where: str) -> AreaOfInterest:
    """Return an area from the command line: "west,south,east,north" in degrees, or a file of polygons.

    GeoJSON is in degrees (RFC 7946) unless it names another CRS; GeoPackage, shapefile, FlatGeobuf and GeoParquet
    contain their CRS. All polygons together are the area, without their holes.

    Raises:
        VadoseError: it is neither; or the file is unreadable, has no CRS or contains no polygon.
    """
    path = Path(where)
    if path.suffix.lower() in _GEOJSON:
        return _of_geojson(path)
    if path.suffix.lower() in _MAGIC:
        return _of_layer(path)
    try:
        west, south, east, north = (float(part) for part in where.split(","))
    except ValueError as error:
        raise VadoseError(
            f"map: the area '{where[:200]}'",
            f"It is neither four numbers nor a file of polygons ({', '.join(sorted({*_GEOJSON, *_MAGIC}))})",
            "Write west,south,east,north",
        ) from error
    return AreaOfInterest.from_bbox(west, south, east, north)


def _of_geojson(path: Path) -> AreaOfInterest:
    content = read_json(path, f"map: the area {path}", "Give a GeoJSON file")
    if content.get("crs") is not None:
        return _of_layer(path)
    return AreaOfInterest.from_geojson(content, name=path.stem)


def read_shapes(path: Path) -> Any:
    """Return the features of a file with their columns, a GeoDataFrame in degrees; edges keep their course.

    Raises:
        VadoseError: it is unreadable, is not of the format in its name, or has no CRS.
    """
    asked = f"map: the shapes {path}"
    return in_degrees(_layer(path, asked), asked)


def in_degrees(layer: Any, asked: str) -> Any:
    """Transform the features of a GeoDataFrame to degrees; edges keep their course.

    Raises:
        VadoseError: it has no CRS, or one that cannot be transformed to degrees.
    """
    if layer.crs is None:
        raise VadoseError(asked, "It has no coordinate reference system", "Write its CRS into the file")
    there = layer[layer.geometry.notna()]
    geographic = bool(layer.crs.is_geographic)
    try:
        if geographic:
            there = _within_degrees(there, asked)
        there = there.set_geometry(there.geometry.segmentize(_LONGEST[geographic])).to_crs(4326)
        return there if geographic else _within_degrees(there, asked)
    except VadoseError:
        raise
    except (ValueError, RuntimeError) as error:
        raise VadoseError(
            asked, f"It cannot be transformed to degrees ({error})", "Write its true CRS into the file"
        ) from error


def _within_degrees(layer: Any, asked: str) -> Any:
    """Return the polygons of a layer, cut at the antimeridian."""
    shapes = [[within_degrees(one, asked) for one in polygons_of(shape)] for shape in layer.geometry]
    return layer.set_geometry([shapely.union_all(parts) for parts in shapes], crs=layer.crs)


def _of_layer(path: Path) -> AreaOfInterest:
    return AreaOfInterest.from_shapes(read_shapes(path).geometry, path.stem, f"map: the area {path}")


def _layer(path: Path, asked: str) -> Any:
    """Return the features of a file, whose format is that of its name: GDAL does not guess it."""
    if path.suffix.lower() in _GEOJSON:
        return _features(path, asked)
    geopandas = importlib.import_module("geopandas")  # slow to import, and rarely needed
    unreadable = importlib.import_module("pyogrio.errors").DataSourceError
    _require_magic(path, asked)
    try:
        if path.suffix.lower() == ".zip":
            with _unpacked(path, asked) as inside:
                return _layer(inside, asked)
        parquet = path.suffix.lower() == ".parquet"
        return geopandas.read_parquet(path) if parquet else geopandas.read_file(path.absolute(), engine="pyogrio")
    except VadoseError:
        raise
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, zipfile.BadZipFile, unreadable) as error:
        raise VadoseError(
            asked, f"It cannot be read ({error})", "Give a GeoPackage, a shapefile or another file of polygons"
        ) from error


def _features(path: Path, asked: str) -> Any:
    """Read GeoJSON, in degrees or in the CRS that it names; a CRS given by a link is not fetched."""
    geopandas = importlib.import_module("geopandas")
    content = read_json(path, asked, "Give a GeoJSON file")
    crs = _named_crs(content["crs"], asked) if content.get("crs") is not None else CRS.from_epsg(4326)
    held = content.get("features")
    parts = held if isinstance(held, list) else [content]
    whole = [part if "geometry" in part else {"geometry": part} for part in parts if isinstance(part, dict)]
    features = [{"geometry": part["geometry"], "properties": part.get("properties") or {}} for part in whole]
    try:
        return geopandas.GeoDataFrame.from_features(features, crs=crs)
    except (ValueError, TypeError, LookupError, AttributeError, shapely.errors.ShapelyError) as error:
        raise VadoseError(asked, f"It contains no readable geometry ({error})", "Give polygons (RFC 7946)") from error


def _named_crs(stated: Any, asked: str) -> CRS:
    kind = stated.get("type") if isinstance(stated, dict) else None
    properties = stated.get("properties") if isinstance(stated, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if kind != "name" or not isinstance(name, str):
        raise VadoseError(
            asked, f"Its CRS is given by {kind!r}, not by a name", "Write it as urn:ogc:def:crs:EPSG::32630"
        )
    try:
        return CRS.from_user_input(name)
    except CRSError as error:
        raise VadoseError(asked, f"Its CRS {name[:200]!r} is unknown", "Give one of EPSG") from error


def _require_magic(path: Path, asked: str) -> None:
    try:
        if not path.is_file():
            raise VadoseError(asked, "There is no such file", "Name a file of polygons")
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise VadoseError(asked, f"It cannot be read ({error})", "Name a file of polygons") from error
    whole = head.startswith(_MAGIC[path.suffix.lower()])
    if path.suffix.lower() == ".fgb":
        whole = whole and int.from_bytes(head[8:12], "little") < _LARGEST_HEADER
    if not whole:
        raise VadoseError(asked, f"It is not a {path.suffix.lower()[1:]} file", "Give a file of the format in its name")


@contextmanager
def _unpacked(path: Path, asked: str) -> Iterator[Path]:
    """Yield the one file of polygons of a zip file, unpacked with its companion files into a temporary folder."""
    with zipfile.ZipFile(path) as packed, tempfile.TemporaryDirectory() as folder:
        members = [one for one in packed.infolist() if PurePosixPath(one.filename).suffix.lower() in _BESIDE]
        if sum(one.file_size for one in members) > _LARGEST_UNPACKED:
            raise VadoseError(
                asked, f"It unpacks to more than {_LARGEST_UNPACKED:,} bytes", "Unpack it, and name a file"
            )
        mains = [one for one in members if PurePosixPath(one.filename).suffix.lower() in {*_MAGIC, *_GEOJSON}]
        if len(mains) != 1:
            found = ", ".join(one.filename[:80] for one in mains[:4]) or "none"
            raise VadoseError(
                asked, f"It contains {len(mains)} files of polygons: {found}", "Unpack it, and name one of them"
            )
        main = PurePosixPath(mains[0].filename)
        for one in members:
            member = PurePosixPath(one.filename)
            if (member.parent, member.stem) == (main.parent, main.stem):
                Path(folder, f"area{member.suffix.lower()}").write_bytes(packed.read(one))
        yield Path(folder, f"area{main.suffix.lower()}")
