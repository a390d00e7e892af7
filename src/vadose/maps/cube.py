"""Cubes of maps at many times, one per UTM zone: a Zarr store or a NetCDF file, written time by time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import netCDF4
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.io.files import atomic_write
from vadose.maps import cf

CHUNK, SHARD = 128, 1024
"""Chunk size, and size of a shard file of a Zarr store, cells a side."""


class Store(Protocol):
    """An open cube of one file format, with that suffix."""

    suffix: ClassVar[str]

    @classmethod
    def make(
        cls, path: Path, zone: xr.Dataset, moments: Sequence[np.datetime64], made_from: Mapping[str, Any], notice: str
    ) -> "Store":
        """Create a cube with all times empty."""
        ...

    def put(self, number: int, zone: xr.Dataset) -> None:
        """Write the map of one time."""
        ...

    def close(self) -> None:
        """Finish the writing."""
        ...


@dataclass(eq=False)
class Cubes:
    """Cubes of a map during writing, one per zone.

    Attributes:
        folder: folder of the files.
        moments: times of the map, in order.
        made_from, notice: as for `write_map`.
        form: file format.
        paths: paths of the created files.
    """

    folder: Path
    moments: Sequence[np.datetime64]
    made_from: Mapping[str, Any]
    notice: str
    form: type[Store]
    stack: ExitStack
    paths: list[Path] = field(default_factory=list)
    stores: dict[int, Store] = field(default_factory=dict)

    def put(self, moment: np.datetime64, zones: Sequence[xr.Dataset]) -> None:
        """Write the map of one of the times."""
        for zone in zones:
            epsg = int(zone.rio.crs.to_epsg())
            if epsg not in self.stores:
                self.stores[epsg] = self._begin(epsg, zone)
            self.stores[epsg].put(list(self.moments).index(moment), zone)

    def _begin(self, epsg: int, zone: xr.Dataset) -> Store:
        path = self.folder / f"soil_moisture_{epsg}{self.form.suffix}"
        temporary = self.stack.enter_context(atomic_write(path))
        store = self.form.make(temporary, zone, self.moments, self.made_from, self.notice)
        self.stack.callback(store.close)
        self.paths.append(path)
        return store


@contextmanager
def cubes(
    folder: Path, moments: Sequence[np.datetime64], form: str, made_from: Mapping[str, Any], notice: str = ""
) -> Iterator[Cubes]:
    """Write the cubes `soil_moisture_<epsg>.zarr` or `.nc` of a map, atomically: complete when the context ends.

    Each has dimensions (time, y, x), soil moisture and its standard deviation in m3 m-3, flags and ages, with CF
    metadata. A Zarr store (version 3) has chunks of 128 x 128 cells and one time, 8 x 8 of them per file.

    Args:
        folder: folder of the files.
        moments: times of the map, in order; each is to be written once.
        form: "zarr" or "netcdf".
        made_from: provenance of the map.
        notice: warning for the map; empty for none.

    Raises:
        VadoseError: the format is unknown.
    """
    if form not in FORMS:
        raise VadoseError(f"maps: a cube as {form}", f"The formats are {', '.join(FORMS)}", "Choose one of them")
    with ExitStack() as stack:
        yield Cubes(folder, moments, made_from, notice, FORMS[form], stack)


@dataclass(frozen=True, eq=False)
class _Zarr:
    suffix: ClassVar[str] = ".zarr"
    group: zarr.Group
    arrays: dict[str, Any]

    @classmethod
    def make(
        cls,
        path: Path,
        zone: xr.Dataset,
        moments: Sequence[np.datetime64],
        made_from: Mapping[str, Any],
        notice: str,
    ) -> "_Zarr":
        group = zarr.open_group(
            path, mode="w", zarr_format=3, attributes=_plain(cf.cube_attrs(zone, made_from, notice))
        )
        _coordinate(group, "time", cf.seconds(moments), ("time",), cf.TIME)
        for name, (values, attrs) in cf.coordinates(zone).items():
            _coordinate(group, name, values, (name,), attrs)
        _coordinate(group, cf.GRID, np.array(0, np.int64), (), cf.grid_mapping(zone))
        rows, columns = zone.sizes["y"], zone.sizes["x"]
        shards = (1, *(SHARD if size > CHUNK else CHUNK for size in (rows, columns)))
        arrays: dict[str, Any] = {}
        for layer in map(str, zone.data_vars):
            fill = cf.fill_of(zone, layer)
            encoded = xr.backends.zarr.FillValueCoder.encode(fill, fill.dtype)  # as xarray writes it
            arrays[layer] = group.create_array(
                layer,
                shape=(len(moments), rows, columns),
                dtype=zone[layer].dtype,
                chunks=(1, CHUNK, CHUNK),
                shards=shards,
                fill_value=fill,
                dimension_names=cf.DIMS,
                attributes=_plain(cf.layer_attrs(zone, layer) | {"_FillValue": encoded}),
            )
        return cls(group, arrays)

    def put(self, number: int, zone: xr.Dataset) -> None:
        for layer in map(str, zone.data_vars):
            self.arrays[layer][number] = zone[layer].values

    def close(self) -> None:
        self.group.store.close()


def _coordinate(
    group: zarr.Group, name: str, values: NDArray[Any], dims: tuple[str, ...], attrs: Mapping[str, Any]
) -> None:
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=values.shape if values.ndim else "auto",
        dimension_names=dims,
        attributes=_plain(attrs),
    )
    array[...] = values


def _plain(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value in JSON types."""
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in attrs.items()}


@dataclass(frozen=True, eq=False)
class _NetCdf:
    suffix: ClassVar[str] = ".nc"
    file: netCDF4.Dataset

    @classmethod
    def make(
        cls,
        path: Path,
        zone: xr.Dataset,
        moments: Sequence[np.datetime64],
        made_from: Mapping[str, Any],
        notice: str,
    ) -> "_NetCdf":
        file = netCDF4.Dataset(path, "w", format="NETCDF4")
        file.setncatts(cf.cube_attrs(zone, made_from, notice))
        sizes = {"time": len(moments), "y": zone.sizes["y"], "x": zone.sizes["x"]}
        for name, size in sizes.items():
            file.createDimension(name, size)
        parts: dict[str, tuple[NDArray[Any], dict[str, str]]] = {
            "time": (cf.seconds(moments), cf.TIME),
            **cf.coordinates(zone),
        }
        for name, (values, attrs) in parts.items():
            coordinate = file.createVariable(name, values.dtype, (name,))
            coordinate.setncatts(attrs)
            coordinate[:] = values
        grid = file.createVariable(cf.GRID, np.int64, ())
        grid.setncatts(cf.grid_mapping(zone))
        grid[...] = 0
        chunks = (1, min(CHUNK, sizes["y"]), min(CHUNK, sizes["x"]))
        for layer in map(str, zone.data_vars):
            kind, fill = zone[layer].dtype, cf.fill_of(zone, layer)
            options = {"zlib": True, "shuffle": True, "chunksizes": chunks, "fill_value": fill}
            file.createVariable(layer, kind, cf.DIMS, **options).setncatts(cf.layer_attrs(zone, layer))
        return cls(file)

    def put(self, number: int, zone: xr.Dataset) -> None:
        for layer in map(str, zone.data_vars):
            variable = self.file[layer]
            variable.set_auto_maskandscale(False)
            variable[number] = zone[layer].values

    def close(self) -> None:
        self.file.close()


FORMS: Mapping[str, type[Store]] = {"zarr": _Zarr, "netcdf": _NetCdf}
