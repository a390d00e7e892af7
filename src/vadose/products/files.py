"""Opening of gridded files: NetCDF and HDF5, Zarr, GeoTIFF; one or a folder of them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rioxarray  # noqa: F401  # reads GeoTIFF
import xarray as xr
import zarr
from affine import Affine

from vadose.errors import VadoseError
from vadose.io.untrusted import netcdf_engine, require_own_codecs
from vadose.products.axes import roles_of
from vadose.products.conventions import Convention, Flag
from vadose.products.described import Product
from vadose.products.dimensions import layers_of
from vadose.products.groups import Held, chosen_paths, groups_above, paths_in_groups, with_axes
from vadose.products.times import LayerTimes, time_in_text, time_of_file, times_of_axis

SMAP_FLAG = Flag("retrieval_qual_flag", 1)
"""Flag of SMAP's retrievals, beside any variable named as they are."""
_NETCDF, _TIFF = (".nc", ".nc4", ".h5", ".hdf5", ".he5", ".cdf"), (".tif", ".tiff")


def files_of(product: Product) -> Sequence[Path | xr.Dataset]:
    """Return the files of a product, by name, or its datasets in memory.

    Raises:
        VadoseError: the folder has none, or the file is of another kind.
    """
    if isinstance(product.held, tuple):
        return product.held
    path = product.path
    if not path.is_dir() or _is_zarr(path):
        held = [path]
    else:
        held = sorted(p for p in path.rglob("*") if p.suffix.lower() in _NETCDF + _TIFF or _is_zarr(p))
        if product.convention is not None:
            held = [p for p in held if product.convention.files.fullmatch(p.name)]
    if not held or not (_is_zarr(held[0]) or held[0].suffix.lower() in _NETCDF + _TIFF):
        raise VadoseError(
            f"{product.name}: {path}",
            "It is not a table and contains no NetCDF, Zarr or GeoTIFF",
            f"Give one of {', '.join((*_NETCDF, '.zarr', *_TIFF))}, or a Parquet or CSV table",
        )
    return held


@dataclass(frozen=True, eq=False)
class Layers:
    """Layers of a variable on one grid.

    Attributes:
        variable: time first, then space; lazy, as stored numbers.
        times: times of its layers.
        others: the same layers in other versions, used where the first one is missing.
        flag: flag of each stored number; None without flags.
        rule: bits of the flag that leave a number out, 0 for any; and words for remarks.
        seconds: acquisition time of each stored number, seconds since noon of 2000-01-01; None if unknown.
    """

    variable: xr.DataArray
    times: LayerTimes
    others: tuple[xr.DataArray, ...] = ()
    flag: xr.DataArray | None = None
    rule: Flag = SMAP_FLAG
    seconds: xr.DataArray | None = None


@contextmanager
def opened(product: Product, file: Path | xr.Dataset) -> Iterator[tuple[Layers, ...]]:
    """Yield the layers of soil moisture of a file, for each selected variable.

    Raises:
        VadoseError: the file is unreadable, lacks the variable or the time, or a dimension has no selection.
    """
    path = file if isinstance(file, Path) else product.path
    asked = f"{product.name}: {path}"
    with ExitStack() as stack:
        try:
            root = stack.enter_context(_open(file, asked, "")) if isinstance(file, Path) else _stored(file)
            paths = chosen_paths(path, _variable(product, path, root), _decoded(root), asked)
            held = [_held(path, one, root, stack, asked) for one in paths]
            layers = tuple(_layers(product, path, one, root, f"{asked}: variable '{one.path}'") for one in held)
        except VadoseError:
            raise
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise VadoseError(
                asked, f"It cannot be read ({error})", "Give NetCDF, Zarr or GeoTIFF that xarray opens"
            ) from error
        yield layers


def _open(path: Path, asked: str, group: str) -> xr.Dataset:
    """Return a group of a file, the root by the name "", as stored numbers."""
    path = path.absolute()
    if path.suffix.lower() in _TIFF:
        driver = {"driver": "GTiff"}
        raster: xr.Dataset = xr.open_dataset(path, engine="rasterio", mask_and_scale=False, open_kwargs=driver)
        if raster.rio.transform(recalc=False) == Affine.identity():
            raise VadoseError(asked, "It has no place on the Earth: its transform is missing", "Write its transform")
        named = {"band_data": "soil_moisture"} if "band_data" in raster else {}
        return raster.rename(named)
    if _is_zarr(path):
        require_own_codecs(path, asked)
        return _zarr(path, asked, group)
    return xr.open_dataset(path, engine=netcdf_engine(path, asked), decode_cf=False, group=group or None)


def _zarr(path: Path, asked: str, group: str) -> xr.Dataset:
    """Return a group of a Zarr store; of an array with missing chunks, its fill value means missing.

    Raises:
        VadoseError: it has none.
    """
    options: dict[str, Any] = {"engine": "zarr", "chunks": {}, "decode_cf": False, "group": group or None}
    options["consolidated"] = None if _is_consolidated(path) else False
    plain = xr.open_dataset(path, **options)
    arrays = zarr.open_group(path, mode="r", path=group)
    unmarked = [str(name) for name, one in plain.data_vars.items() if "_FillValue" not in one.attrs]
    held = {name: array for name in unmarked if isinstance(array := arrays[name], zarr.Array)}
    lost = {name: one for name, one in held.items() if one.nchunks_initialized < one.nchunks}
    if not lost:
        return plain
    for name, one in lost.items():
        if one.fill_value is None:
            count = one.nchunks - one.nchunks_initialized
            found = f"{count} of its {one.nchunks} chunks are missing, and it has no fill value"
            raise VadoseError(f"{asked}: variable '{name}'", found, "Get the store again")
    return xr.open_dataset(path, use_zarr_fill_value_as_mask=True, **options)


def _stored(dataset: xr.Dataset) -> xr.Dataset:
    """Return a dataset in memory as stored numbers."""
    variables, attrs = xr.conventions.encode_dataset_coordinates(dataset)
    variables, attrs = xr.conventions.cf_encoder(variables, attrs)
    return xr.Dataset(variables, attrs=attrs)


def _decoded(dataset: xr.Dataset, stored: str = "") -> xr.Dataset:
    """Return a dataset with all decoded except the variable `stored`; invalid times remain numbers."""
    masked: Any = {stored: False} if stored else True
    try:
        return xr.decode_cf(dataset, mask_and_scale=masked, decode_coords="all")
    except (ValueError, OverflowError):
        return xr.decode_cf(dataset, mask_and_scale=masked, decode_coords="all", decode_times=False)


def _held(path: Path, variable: str, root: xr.Dataset, stack: ExitStack, asked: str) -> Held:
    group = variable.rpartition("/")[0]
    siblings = stack.enter_context(_open(path, asked, group)) if group else root
    above = [stack.enter_context(_open(path, asked, name)) if name else root for name in groups_above(variable)]
    return Held(variable, siblings, tuple(above))


def _layers(product: Product, path: Path, held: Held, root: xr.Dataset, asked: str) -> Layers:
    dataset = _decoded(held.group, held.name)
    convention = product.convention
    variable = with_axes(dataset[held.name], held, asked, convention.ease_m if convention else 0.0)
    roles = roles_of(variable)
    time = roles.get("time")
    ground_and_time = [*roles.values()] if {"x", "y"} <= set(roles) else [*map(str, variable.dims)]
    versions = layers_of(variable, ground_and_time, product.select, asked)
    named = convention.time.match(path.name) if convention and convention.time else None
    if named is not None:
        times = time_in_text(named["time"], asked)
    elif time is None:
        times = time_of_file(_decoded(root).assign_attrs(root.attrs | dataset.attrs), variable, path, asked)
    else:
        times = times_of_axis(dataset, versions[0], time, path, asked)
    times = _shifted(times, convention)
    first, *others = [_time_first(one, time) for one in versions]
    rule = convention.flag if convention is not None and convention.flag else SMAP_FLAG
    flag = _flag_beside(held, rule, first)
    seconds = _sibling(held, _seconds_name(held.name), first) if convention is None else None
    if flag is not None:  # SMAP retrievals reach the porosity, which exceeds the valid_max of the files
        first.attrs.pop("valid_max", None)
    recommended = product.quality == "recommended"
    return Layers(first, times, tuple(others), flag if recommended else None, rule, seconds)


def _variable(product: Product, path: Path, root: xr.Dataset) -> str:
    """Return the name of the variable: as chosen, or that of a named product which the file has."""
    if product.variable or product.convention is None:
        return product.variable
    held = {*map(str, root.data_vars), *paths_in_groups(path)}
    return next((one for one in product.convention.variables if one in held), "")


def _shifted(times: LayerTimes, convention: Convention | None) -> LayerTimes:
    """Return the times in the middle of what each stands for."""
    hours = convention.shift_hours if convention else 0.0
    shift = np.timedelta64(round(hours * 3600), "s")
    return LayerTimes(times.times + shift, times.remarks) if hours else times


def _time_first(variable: xr.DataArray, time: str | None) -> xr.DataArray:
    return variable.expand_dims("time") if time is None else variable.transpose(time, ...)


def _seconds_name(name: str) -> str:
    """Return the name of SMAP's acquisition time beside a variable."""
    return f"tb_time_seconds{'_pm' * name.endswith('_pm')}"


def _flag_beside(held: Held, rule: Flag, like: xr.DataArray) -> xr.DataArray | None:
    """Return the flag of a variable: SMAP's with the suffix of the variable, or that of a named product."""
    if rule is SMAP_FLAG:
        return _sibling(held, f"{rule.name}{held.name.removeprefix('soil_moisture')}", like)
    found = held.sibling(rule.name)
    if found is None:
        return None
    plain = xr.DataArray(found.variable)
    plain = plain.isel({name: 0 for name in plain.dims if name not in like.dims})
    return _time_first(plain, None) if "time" not in plain.dims and "time" in like.dims else plain.transpose(*like.dims)


def _sibling(held: Held, name: str, like: xr.DataArray) -> xr.DataArray | None:
    found = held.sibling(name) if held.name.startswith("soil_moisture") else None
    if found is None or found.ndim != 2:
        return None
    return xr.DataArray(found.variable, dims=like.dims[-2:]).expand_dims("time")


def _is_consolidated(path: Path) -> bool:
    root = path / "zarr.json"
    return (path / ".zmetadata").is_file() or (root.is_file() and b"consolidated_metadata" in root.read_bytes())


def _is_zarr(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zmetadata"))
