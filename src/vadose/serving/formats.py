"""Answers as CoverageJSON, GeoJSON, CSV, NetCDF and GeoTIFF."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import shapely
import shapely.geometry
import xarray as xr
from rasterio.errors import RasterioError

from vadose.grid import nanosecond, nanoseconds, to_lonlat
from vadose.maps.cube import cubes
from vadose.maps.layers import NODATA
from vadose.maps.series import column_attrs, csv_text, write_series
from vadose.maps.write import write_map
from vadose.serving.catalogue import ServedMap, time_text
from vadose.serving.limits import RequestError
from vadose.serving.styles import explain_quality
from vadose.variables import SOIL_MOISTURE

MEDIA = {
    "CoverageJSON": "application/prs.coverage+json",
    "GeoJSON": "application/geo+json",
    "CSV": "text/csv; charset=utf-8",
    "NetCDF": "application/x-netcdf",
    "COG": "image/tiff; application=geotiff; profile=cloud-optimized",
}
SUFFIX = {"CoverageJSON": "covjson", "GeoJSON": "geojson", "CSV": "csv", "NetCDF": "nc", "COG": "tif"}
SERIES_FORMATS = ("CoverageJSON", "GeoJSON", "CSV", "NetCDF")
CUBE_FORMATS = ("CoverageJSON", "CSV", "NetCDF", "COG")
UPPER_BOUND = (
    "The standard deviation and the interval of a mean over cells are those of fully correlated errors: an upper bound."
)
_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_UCUM = "http://www.opengis.net/def/uom/UCUM/"
_UCUM_OF = {SOIL_MOISTURE.units: "m3/m3", "day": "d", "1": "1"}


def parameter(name: str) -> dict[str, Any]:
    """Return the description of a parameter by CoverageJSON."""
    attrs = column_attrs(name)
    flags = f", bits from the first: {attrs['flag_meanings']}" if "flag_meanings" in attrs else ""
    return {
        "type": "Parameter",
        "description": {"en": f"{attrs['long_name']}{flags}"},
        "unit": {"symbol": {"value": _UCUM_OF[str(attrs.get("units", "1"))], "type": _UCUM}},
        "observedProperty": {"label": {"en": name.replace("_", " ")}},
    }


def edr_parameter(name: str) -> dict[str, Any]:
    """Return the description of a parameter by EDR, whose texts have no language."""
    held = parameter(name)
    return held | {"description": held["description"]["en"], "observedProperty": {"label": name.replace("_", " ")}}


def series_coverage(served: ServedMap, table: pd.DataFrame, geometry: shapely.Geometry) -> dict[str, Any]:
    """Return a series as CoverageJSON: a point, or the mean over a polygon.

    Raises:
        RequestError: the area has several polygons, which this domain cannot hold (400).
    """
    times: dict[str, Any] = {"t": {"values": [time_text(moment) for moment in table["time"].to_numpy()]}}
    if isinstance(geometry, shapely.Point):
        kind, axes = "PointSeries", {"x": {"values": [geometry.x]}, "y": {"values": [geometry.y]}} | times
    else:
        parts = list(shapely.get_parts(geometry))
        if len(parts) > 1:
            raise RequestError(400, "serve: an area of several polygons", "CoverageJSON has one", "Ask for GeoJSON")
        rings = shapely.geometry.mapping(parts[0])["coordinates"]
        composite = {"dataType": "polygon", "coordinates": ["x", "y"], "values": [rings]}
        kind, axes = "PolygonSeries", {"composite": composite} | times
    names = [str(name) for name in table.columns if name != "time"]
    coverage = {
        "type": "Coverage",
        "domain": {"type": "Domain", "domainType": kind, "axes": axes, "referencing": _referencing(_geographic())},
        "parameters": {name: parameter(name) for name in names},
        "ranges": {name: _range(table[name].to_numpy(), ["t"]) for name in names},
    }
    return coverage | _said(served, table)


def series_features(served: ServedMap, table: pd.DataFrame, geometry: shapely.Geometry, **facts: Any) -> dict[str, Any]:
    """Return a series as a GeoJSON feature with one array per parameter."""
    columns = {str(name): _plain(table[name].to_numpy()) for name in table.columns if name != "time"}
    times = [time_text(moment) for moment in table["time"].to_numpy()]
    said = _said(served, table)
    properties = {"map": served.id, "datetime": times, **columns, **said, **facts}
    feature = {
        "type": "Feature",
        "id": f"{served.id}-series",
        "geometry": shapely.geometry.mapping(geometry),
        "properties": properties,
    }
    return {"type": "FeatureCollection", "features": [feature]}


def series_csv(served: ServedMap, table: pd.DataFrame) -> bytes:
    """Return a series as CSV; each row names its map and, if there is one, the notice."""
    held = table.assign(flags=[" ".join(explain_quality(int(one))) for one in table["quality"]], map=served.id)
    if served.notice:
        held = held.assign(notice=served.notice)
    return csv_text(held).encode()


def series_netcdf(served: ServedMap, table: pd.DataFrame, lon: float, lat: float) -> bytes:
    """Return a series as CF-NetCDF."""
    placed = table.assign(place=served.id, lon=lon, lat=lat)
    request = json.dumps({"map": served.id, "version": served.version})
    with TemporaryDirectory() as folder:
        return write_series(Path(folder, "series.nc"), placed, served.notice, request).read_bytes()


def cube_coverage(served: ServedMap, zone: xr.Dataset) -> dict[str, Any]:
    """Return cells as CoverageJSON, a grid in the projection of their zone."""
    axes = {axis: {"values": zone[axis].values.tolist()} for axis in ("x", "y")}
    times = {"t": {"values": [time_text(moment) for moment in zone["time"].values]}}
    crs = {"type": "ProjectedCRS", "id": f"http://www.opengis.net/def/crs/EPSG/0/{zone.rio.crs.to_epsg()}"}
    names = [str(name) for name in zone.data_vars]
    return {
        "type": "Coverage",
        "domain": {
            "type": "Domain",
            "domainType": "Grid",
            "axes": axes | times,
            "referencing": _referencing(crs),
        },
        "parameters": {name: parameter(name) for name in names},
        "ranges": {name: _range(zone[name].values, ["t", "y", "x"]) for name in names},
    } | ({"vadose:notice": served.notice} if served.notice else {})


def cube_csv(served: ServedMap, zone: xr.Dataset) -> bytes:
    """Return cells as CSV, one row per cell and time, without those outside the map."""
    table = zone.drop_vars("spatial_ref", errors="ignore").to_dataframe().reset_index()
    table = table[table["quality"] != NODATA]
    lon, lat = to_lonlat(int(zone.rio.crs.to_epsg())).transform(table["x"].to_numpy(), table["y"].to_numpy())
    table = table.assign(lon=np.round(lon, 6), lat=np.round(lat, 6), map=served.id)
    if served.notice:
        table = table.assign(notice=served.notice)
    return csv_text(table).encode()


def cube_netcdf(served: ServedMap, zone: xr.Dataset) -> bytes:
    """Return cells as CF-NetCDF, as `vadose map` writes it, with their provenance."""
    moments = list(nanoseconds(zone["time"].values))
    with TemporaryDirectory() as folder:
        with cubes(Path(folder), moments, "netcdf", clip_of(served), served.notice) as written:
            for number, moment in enumerate(moments):
                written.put(moment, [zone.isel(time=number, drop=True)])
        return written.paths[0].read_bytes()


def cube_cog(served: ServedMap, zone: xr.Dataset) -> bytes:
    """Return the cells of one time as Cloud Optimized GeoTIFF: soil moisture and its standard deviation.

    Raises:
        RequestError: there are several times (400).
    """
    if zone.sizes["time"] > 1:
        raise RequestError(400, "serve: a GeoTIFF", "It holds one time", "Name one `datetime`")
    moment = nanosecond(zone["time"].values[0])
    with TemporaryDirectory() as folder:
        one = zone.isel(time=0, drop=True)
        paths = write_map(Path(folder), [one], time=moment, made_from=clip_of(served), notice=served.notice)
        return paths[0].read_bytes()


def clip_of(served: ServedMap) -> dict[str, Any]:
    """Return the provenance of a clip: the map, its version, and what it was made from."""
    return {"clip_of": served.id, "version": served.version, "map": declaration(served)}


@lru_cache(maxsize=16)
def declaration(served: ServedMap) -> Mapping[str, Any]:
    """Return the provenance that the files of a map state."""
    item = next(iter(served.items.values()))
    try:
        if item.cube is not None:
            text = str(item.cube.attrs.get("declaration", "{}"))
        else:
            with rasterio.open(item.assets["soil_moisture"], driver="GTiff") as raster:
                text = raster.tags().get("declaration", "{}")
        held = json.loads(text)
    except (RasterioError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def json_bytes(content: Any) -> bytes:
    """Return JSON without NaN."""
    return json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()


def _said(served: ServedMap, table: pd.DataFrame) -> dict[str, Any]:
    """Return the notice, the flags in words, and what the interval means."""
    said: dict[str, Any] = {"vadose:flags": [explain_quality(int(one)) for one in table["quality"]]}
    said |= {"vadose:notice": served.notice} if served.notice else {}
    return said | ({"vadose:interval": UPPER_BOUND} if "cells" in table else {})


def _geographic() -> dict[str, Any]:
    return {"type": "GeographicCRS", "id": _CRS84}


def _referencing(crs: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"coordinates": ["x", "y"], "system": dict(crs)},
        {"coordinates": ["t"], "system": {"type": "TemporalRS", "calendar": "Gregorian"}},
    ]


def _range(values: np.ndarray[Any, Any], axes: Sequence[str]) -> dict[str, Any]:
    whole = np.issubdtype(values.dtype, np.integer)
    kind = "integer" if whole else "float"
    plain = _plain(values.ravel())
    return {
        "type": "NdArray",
        "dataType": kind,
        "axisNames": list(axes),
        "shape": list(values.shape),
        "values": [None if one == NODATA else one for one in plain] if whole else plain,
    }


def _plain(values: np.ndarray[Any, Any]) -> list[Any]:
    """Return numbers of JSON: the shortest of 32 bits, None for NaN."""
    if np.issubdtype(values.dtype, np.integer):
        return [int(one) for one in values]
    return [None if not np.isfinite(one) else float(f"{one:.7g}") for one in values.tolist()]
