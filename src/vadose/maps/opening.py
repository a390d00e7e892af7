"""Opening of maps at many times as one dataset per UTM zone: from cubes, or from the files of single times."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rioxarray  # noqa: F401  (gives datasets their `.rio`)
import xarray as xr

from vadose.errors import VadoseError
from vadose.io.paths import StrPath
from vadose.io.untrusted import netcdf_engine, require_own_codecs
from vadose.maps.layers import NODATA
from vadose.maps.read import read_map

_BESIDE = ("_quality", "_age")
DAILY = "daily.json"
"""List of the maps in a folder of daily maps."""


def open_maps(path: StrPath) -> dict[int, xr.Dataset]:
    """Return the maps of a folder, or of one file of it.

    Args:
        path: a folder that `vadose map` wrote, or one of its Zarr stores, NetCDF files or GeoTIFFs. In a folder, Zarr
            stores are preferred to NetCDF files, and these to GeoTIFFs; of a folder of daily maps all dates are opened.

    Returns:
        By EPSG code of the zone: soil_moisture, soil_moisture_std, quality (uint32, 4294967295 outside the area) and
        ages, (time, y, x), lazy where the file allows it.

    Raises:
        VadoseError: the map is missing or unreadable.
    """
    path = Path(path)
    folders = sorted(path.glob("[!.]*/")) if (path / DAILY).is_file() else [path]
    parts = [part for folder in folders for part in _opened(folder)]
    if parts:
        return _by_zone(parts)
    raise VadoseError(
        f"maps: the map {path}",
        "It is neither a Zarr store, NetCDF file or GeoTIFF of a map nor a folder with one",
        "Give the folder that 'vadose map' wrote",
    )


def _opened(path: Path) -> list[xr.Dataset]:
    """Open the files of a map, of the preferred format; none without a map."""
    for suffix, opened in _READERS.items():
        files = [path] if path.suffix == suffix else sorted(path.glob(f"soil_moisture_*{suffix}"))
        files = [file for file in files if file.exists() and not file.stem.endswith(_BESIDE)]
        if files:
            return [opened(file) for file in files]
    return []


def _zarr(path: Path) -> xr.Dataset:
    require_own_codecs(path, f"maps: the cube {path}")
    return _decoded(path, engine="zarr", consolidated=False)


def _netcdf(path: Path) -> xr.Dataset:
    return _decoded(path, engine=netcdf_engine(path, f"maps: the cube {path}"))


def _decoded(path: Path, engine: str, consolidated: bool | None = None) -> xr.Dataset:
    options: dict[str, Any] = {} if consolidated is None else {"consolidated": consolidated}
    options |= {"decode_coords": "all", "mask_and_scale": {"quality": False}}
    try:
        cube: xr.Dataset = xr.open_dataset(path.absolute(), engine=engine, **options)
    except (OSError, ValueError, KeyError) as error:
        raise VadoseError(f"maps: the cube {path}", f"It cannot be read ({error})", "Run the map again") from error
    if not {"soil_moisture", "soil_moisture_std", "quality"} <= set(cube.data_vars):
        raise VadoseError(f"maps: the cube {path}", "It contains no map", "Give a file that 'vadose map' wrote")
    return cube.assign(quality=_flags(cube["quality"]))


def _flags(quality: xr.DataArray) -> xr.DataArray:
    """Return flags of 32 bits, lazy unless they are those of an older map, of 16 bits."""
    attrs = {name: value for name, value in quality.attrs.items() if name != "_FillValue"}
    fill = quality.attrs.get("_FillValue", NODATA)
    if quality.dtype != "uint32" or fill != NODATA:
        quality = quality.astype("uint32").where(quality != fill, np.uint32(NODATA))
    return quality.drop_encoding().drop_attrs().assign_attrs(attrs)


def _by_zone(parts: list[xr.Dataset]) -> dict[int, xr.Dataset]:
    zones: dict[int, list[xr.Dataset]] = {}
    for part in parts:
        zones.setdefault(int(part.rio.crs.to_epsg()), []).append(part)
    return {epsg: held[0] if len(held) == 1 else _joined(held) for epsg, held in sorted(zones.items())}


def _joined(parts: list[xr.Dataset]) -> xr.Dataset:
    try:
        return xr.concat(parts, "time", join="exact", combine_attrs="drop_conflicts").sortby("time")
    except ValueError as error:
        raise VadoseError(
            "maps: maps of several times", f"They are not on one grid ({error})", "Give maps of one area"
        ) from error


_READERS: dict[str, Callable[[Path], xr.Dataset]] = {
    ".zarr": _zarr,
    ".nc": _netcdf,
    ".tif": lambda path: read_map(path).expand_dims("time"),
}
