"""Attributes of map cubes by the Climate and Forecast conventions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import odc.geo.xr  # noqa: F401  (gives datasets their `.odc`)
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from vadose.grid import axis_attrs, nanoseconds
from vadose.io.files import metadata

CONVENTIONS = "CF-1.11"
DIMS = ("time", "y", "x")
GRID = "spatial_ref"
_SINCE = np.datetime64("1970-01-01", "ns")
TIME = {
    "standard_name": "time",
    "long_name": "time of the map, UTC",
    "units": "seconds since 1970-01-01 00:00:00",
    "calendar": "standard",
    "units_metadata": "leap_seconds: none",
    "axis": "T",
}
"""Attributes of the time coordinate."""


def seconds(moments: Sequence[np.datetime64]) -> NDArray[np.int64]:
    """Return times as whole seconds of the time coordinate."""
    since = nanoseconds(np.array(moments)) - _SINCE
    return np.asarray(since // np.timedelta64(1, "s"), np.int64)


def coordinates(zone: xr.Dataset) -> dict[str, tuple[NDArray[np.float64], dict[str, str]]]:
    """Return values and attributes of y and x, metres, cell centres."""
    return {"y": (zone["y"].values, axis_attrs("y")), "x": (zone["x"].values, axis_attrs("x"))}


def grid_mapping(zone: xr.Dataset) -> dict[str, Any]:
    """Return attributes of the grid mapping variable, GDAL's and those of CF."""
    grid = zone.odc.geobox
    crs = CRS.from_user_input(str(grid.crs))
    transform = " ".join(str(part) for part in grid.transform.to_gdal())
    return {**crs.to_cf(), "spatial_ref": crs.to_wkt(), "GeoTransform": transform}


def layer_attrs(zone: xr.Dataset, layer: str) -> dict[str, Any]:
    """Return attributes of a layer, except the fill value."""
    attrs = {key: value for key, value in zone[layer].attrs.items() if key != "_FillValue"}
    return attrs | {"grid_mapping": GRID}


def fill_of(zone: xr.Dataset, layer: str) -> Any:
    """Return the fill value of a layer, in the layer's type."""
    return zone[layer].dtype.type(zone[layer].rio.nodata)


def cube_attrs(zone: xr.Dataset, made_from: Mapping[str, Any], notice: str) -> dict[str, str]:
    """Return attributes of the dataset."""
    attrs = {
        "Conventions": CONVENTIONS,
        "title": f"Soil moisture of the top 5 cm on cells of 320 m, EPSG:{zone.rio.crs.to_epsg()}",
        "source": "Neural network on Sentinel-1, Sentinel-2, elevation, SoilGrids, SMAP and GLDAS",
        "history": "Made by vadose map",
        "declaration": json.dumps(metadata("map", made_from), default=str),
    }
    return attrs | ({"comment": notice} if notice else {})
