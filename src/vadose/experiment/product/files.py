"""Gridded files, opened: NetCDF and HDF5, Zarr, GeoTIFF; one or a folder of them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import rioxarray  # noqa: F401  # reads GeoTIFF
import xarray as xr
from numpy.typing import NDArray

from vadose.experiment.product.axes import roles_of
from vadose.experiment.product.described import Product
from vadose.grid import nanosecond, nanoseconds
from vadose.refusal import Refusal
from vadose.untrusted import netcdf_engine, require_own_codecs

_NETCDF, _TIFF = (".nc", ".nc4", ".h5", ".hdf5", ".cdf"), (".tif", ".tiff")
_DAY = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?:[T_.]?(\d{2}):?(\d{2}))?(?!\d)")
Times = NDArray[np.datetime64]


def files_of(product: Product) -> list[Path]:
    """The files of a product, by name.

    Raises:
        Refusal: a folder without any, or a file of another kind.
    """
    path = product.path
    if not path.is_dir() or _is_zarr(path):
        held = [path]
    else:
        held = sorted(p for p in path.rglob("*") if p.suffix.lower() in _NETCDF + _TIFF or _is_zarr(p))
    if not held or not (_is_zarr(held[0]) or held[0].suffix.lower() in _NETCDF + _TIFF):
        raise Refusal(
            f"{product.name}: {path}",
            "It is no table and holds no NetCDF, Zarr or GeoTIFF",
            f"Give one of {', '.join((*_NETCDF, '.zarr', *_TIFF))}, or a Parquet or CSV table",
        )
    return held


@contextmanager
def opened(product: Product, path: Path) -> Iterator[tuple[xr.DataArray, Times]]:
    """The variable of soil moisture of a file, lazy, with the times of its layers (UTC).

    Raises:
        Refusal: the file cannot be read, has no such variable, or no time.
    """
    asked = f"{product.name}: {path}"
    try:
        dataset = _open(path, asked)
    except Refusal:
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise Refusal(
            asked, f"It cannot be read ({error})", "Give NetCDF, Zarr or GeoTIFF that xarray opens"
        ) from error
    with dataset:
        variable = _variable(dataset, product.variable, asked)
        variable, times = _timed(dataset, variable, path, asked)
        yield variable, times


def _open(path: Path, asked: str) -> xr.Dataset:
    path = path.absolute()
    if path.suffix.lower() in _TIFF:
        driver = {"driver": "GTiff"}
        raster: xr.Dataset = xr.open_dataset(path, engine="rasterio", mask_and_scale=True, open_kwargs=driver)
        named = {"band_data": "soil_moisture"} if "band_data" in raster else {}
        return raster.rename(named)
    if _is_zarr(path):
        require_own_codecs(path, asked)
        return xr.open_dataset(path, engine="zarr", chunks={}, decode_coords="all")
    return xr.open_dataset(path, engine=netcdf_engine(path, asked), decode_coords="all")


def _variable(dataset: xr.Dataset, name: str, asked: str) -> xr.DataArray:
    grids = [str(key) for key, held in dataset.data_vars.items() if {"x", "y"} <= set(roles_of(held)) or held.ndim > 1]
    if name and name not in dataset.data_vars:
        raise Refusal(
            f"{asked}: variable '{name}'", f"It has {', '.join(grids) or 'none'}", "Give --variable one of them"
        )
    if not name and len(grids) != 1:
        raise Refusal(
            f"{asked}: its variable of soil moisture",
            f"It has {len(grids)} gridded variables: {', '.join(grids)}",
            "Name one by --variable",
        )
    return dataset[name or grids[0]]


def _timed(dataset: xr.Dataset, variable: xr.DataArray, path: Path, asked: str) -> tuple[xr.DataArray, Times]:
    """The variable with time as its first dimension, and nothing but the ground behind it."""
    roles = roles_of(variable)
    extra = [str(d) for d in variable.dims if d not in roles.values() and variable.sizes[d] == 1]
    variable = variable.squeeze(extra, drop=True)
    time = roles.get("time")
    if time is None:
        moment = _moment(dataset, path, asked)
        variable, times = variable.expand_dims("time"), np.array([moment])
        time = "time"
    else:
        times = _times(dataset, variable, time, asked)
    more = [str(d) for d in variable.dims if d != time and d not in (roles.get("x"), roles.get("y"))]
    if more and {"x", "y"} <= set(roles):
        raise Refusal(
            f"{asked}: variable '{variable.name}'",
            f"It has more dimensions: {', '.join(f'{d} of {variable.sizes[d]}' for d in more)}",
            "Write one layer of the top soil alone",
        )
    return variable.transpose(time, ...), times


def _times(dataset: xr.Dataset, variable: xr.DataArray, time: str, asked: str) -> Times:
    """Stamps of the layers; of means over a span whose bounds are told, the middle of it."""
    axis = variable[time]
    if axis.dtype.kind != "M":
        raise Refusal(
            f"{asked}: its times",
            f"They are of type {axis.dtype}, no dates",
            "Write CF units such as 'days since 2015-01-01'",
        )
    bounds = axis.attrs.get("bounds") or axis.encoding.get("bounds")
    if bounds in dataset and "time: mean" in str(variable.attrs.get("cell_methods", "")):
        ends = nanoseconds(dataset[bounds].values, asked)
        return np.asarray(ends[:, 0] + (ends[:, 1] - ends[:, 0]) / 2)
    return nanoseconds(axis.values, asked)


def _moment(dataset: xr.Dataset, path: Path, asked: str) -> np.datetime64:
    if "time" in dataset.coords and dataset["time"].ndim == 0 and dataset["time"].dtype.kind == "M":
        moment: np.datetime64 = nanoseconds(dataset["time"].values, asked).reshape(-1)[0]
        return moment
    found = _DAY.search(path.stem)
    told = dataset.attrs.get("time") or dataset.attrs.get("TIFFTAG_DATETIME")
    try:
        if told:
            return nanosecond(pd.Timestamp(str(told).removesuffix("Z")).to_datetime64(), asked)
        if found:
            year, month, day, hour, minute = found.groups(default="00")
            return nanosecond(f"{year}-{month}-{day}T{hour}:{minute}", asked)
    except ValueError as error:
        raise _no_time(asked, f"Its time is told as '{told or path.stem}' ({error})") from error
    raise _no_time(asked, "Neither a coordinate, nor a tag, nor its name tells a time")


def _no_time(asked: str, found: str) -> Refusal:
    return Refusal(
        f"{asked}: its time", found, "Write a time axis, or the day in the name: moisture_20210610.tif (UTC)"
    )


def _is_zarr(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zmetadata"))
