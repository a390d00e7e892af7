"""Conversion between the features of a rectangle of cells and one CF dataset.

Variables, all in physical units, NaN where nothing was observed:
    <predictor>            mean over each cell of 320 m, (time, y, x)
    <predictor>_10m        pixels of 10 m over the cells and their halo, (time, y_10m, x_10m)
    <predictor>_history    cell values before the time, (time, step, y, x), the latest step first
    <source>_valid_fraction, <source>_age, dem_slope    as in `FeatureCube`
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from vadose.errors import VadoseError
from vadose.fusion.feature_cube import FeatureCube, on_grid
from vadose.fusion.input_spec import InputSpec
from vadose.grid import CELL_M, PIXELS_PER_CELL, Tile, axis_attrs, nanoseconds
from vadose.registry import PREDICTORS

GRID, AREA = "spatial_ref", "in_area"
PIXELS, HISTORY = "_10m", "_history"
_CELL_DIMS, _PIXEL_DIMS, _HISTORY_DIMS = ("time", "y", "x"), ("time", "y_10m", "x_10m"), ("time", "step", "y", "x")
_TOLERANCE_M = 1e-3


def to_dataset(cubes: Sequence[FeatureCube], step_days: float = 1.0) -> xr.Dataset:
    """Stack the features of one tile at several times.

    Args:
        cubes: cubes of one tile, in the order of time.
        step_days: length of a step of the history, days.
    """
    first = cubes[0]
    groups: tuple[tuple[str, str, tuple[str, ...]], ...] = (
        ("cells", "", _CELL_DIMS),
        ("pixels", PIXELS, _PIXEL_DIMS),
        ("history", HISTORY, _HISTORY_DIMS),
    )
    variables: dict[str, Any] = {}
    for group, suffix, dims in groups:
        for name, one in getattr(first, group).data_vars.items():
            values = np.stack([getattr(cube, group)[name].values for cube in cubes])
            variables[f"{name}{suffix}"] = (dims, values, dict(one.attrs))
    times = nanoseconds(np.array([cube.time for cube in cubes]))
    coordinates: dict[str, Any] = {"time": ("time", times, {"standard_name": "time", "axis": "T"})}
    coordinates |= _axes(first.tile, bool(first.pixels.data_vars))
    if first.history.data_vars:
        steps = np.arange(first.history.sizes["step"]) * step_days
        words = "time from the end of the step to the time of the features"
        coordinates["step"] = ("step", steps, {"units": "day", "long_name": words, "step_days": step_days})
    dataset = xr.Dataset(variables, coordinates, {"Conventions": "CF-1.11"})
    for name in dataset.data_vars:
        dataset[name].encoding["grid_mapping"] = GRID
    return dataset


def tile_of(dataset: xr.Dataset) -> Tile:
    """Find the cells of a dataset on the grid of 320 m.

    Raises:
        VadoseError: it has no CRS, or its axes differ from the grid.
    """
    try:
        epsg = CRS.from_wkt(str(dataset[GRID].attrs["crs_wkt"])).to_epsg()
    except (KeyError, CRSError) as error:
        raise _unlike("It has no readable `spatial_ref`") from error
    absent = [name for name in ("time", "y", "x") if name not in dataset.coords]
    if absent or epsg is None:
        raise _unlike(f"It has no coordinate {', '.join(absent)}" if absent else "Its CRS has no EPSG code")
    rows, columns = dataset.sizes["y"], dataset.sizes["x"]
    north, west = float(dataset["y"][0]) / CELL_M + 0.5, float(dataset["x"][0]) / CELL_M - 0.5
    pixels = dataset.sizes.get("y_10m", rows * PIXELS_PER_CELL)
    tile = Tile(int(epsg), round(west), round(north), columns, rows, (pixels // PIXELS_PER_CELL - rows) // 2)
    for suffix, grid in (("", tile.cells), *((("_10m", tile.pixels),) if "y_10m" in dataset.dims else ())):
        for axis in ("y", "x"):
            wanted, held = grid.coords[axis].values, dataset[f"{axis}{suffix}"].values
            if wanted.shape != held.shape or np.abs(wanted - held).max() > _TOLERANCE_M:
                raise _unlike(f"Its axis {axis}{suffix} is not that of the grid of 320 m")
    return tile


def cubes_of(dataset: xr.Dataset, spec: InputSpec, size: int) -> Iterator[tuple[int, Tile, FeatureCube]]:
    """Cut a dataset into features of tiles of at most `size` cells, for each time.

    Args:
        dataset: from `to_dataset`; it may have further variables of its cells.
        spec: predictors, by the names in the dataset.
        size: cells a side.

    Yields:
        Index of the time, the tile with the halo of `spec`, its features.

    Raises:
        VadoseError: a variable is missing or in other units, the halo is too small, or the grid differs.
    """
    _check(dataset, spec)
    whole = tile_of(dataset)
    if spec.pixels and whole.halo < spec.halo:
        raise _unlike(f"Its pixels extend {whole.halo} cells beyond the cells; {spec.halo} are needed")
    past = slice(0, spec.history.steps)
    others = [str(name) for name, one in dataset.data_vars.items() if set(one.dims) == set(_CELL_DIMS)]
    cells = tuple(dict.fromkeys((*spec.cells, *others)))
    for number, time in enumerate(nanoseconds(dataset["time"].values)):
        now = dataset.isel({"time": number, "step": past}, missing_dims="ignore")
        for tile, window in _windows(whole, size, spec.halo if spec.pixels else 0):
            yield (
                number,
                tile,
                FeatureCube(
                    tile,
                    np.datetime64(time),
                    on_grid(_cut(now, spec.pixels, PIXELS, window), tile.pixels, ("y", "x")),
                    on_grid(_cut(now, cells, "", window), tile.cells, ("y", "x")),
                    on_grid(_cut(now, spec.history.variables, HISTORY, window), tile.cells, ("step", "y", "x")),
                ),
            )


def held_by(dataset: xr.Dataset) -> frozenset[str]:
    """Return the predictors of a dataset in any form."""
    names = map(str, dataset.data_vars)
    return frozenset(name.removesuffix(PIXELS).removesuffix(HISTORY) for name in names) & PREDICTORS.keys()


Window = Mapping[str, slice]


def _windows(whole: Tile, size: int, halo: int) -> Iterator[tuple[Tile, Window]]:
    for top in range(0, whole.rows, size):
        for left in range(0, whole.columns, size):
            rows, columns = min(size, whole.rows - top), min(size, whole.columns - left)
            tile = Tile(whole.epsg, whole.west + left, whole.north - top, columns, rows, halo)
            edge = whole.halo - halo
            window = {"y": slice(top, top + rows), "x": slice(left, left + columns)}
            for axis, start, count in (("y", top, rows), ("x", left, columns)):
                first = (start + edge) * PIXELS_PER_CELL
                window[f"{axis}_10m"] = slice(first, first + (count + 2 * halo) * PIXELS_PER_CELL)
            yield tile, window


def _cut(now: xr.Dataset, names: Sequence[str], suffix: str, window: Window) -> dict[str, NDArray[np.float32]]:
    order = ("step", "y", "x", "y_10m", "x_10m")
    return {
        name: now[f"{name}{suffix}"].isel(window, missing_dims="ignore").transpose(*order, missing_dims="ignore").values
        for name in names
    }


def _check(dataset: xr.Dataset, spec: InputSpec) -> None:
    groups = ((spec.cells, ""), (spec.pixels, PIXELS), (spec.history.variables, HISTORY))
    wanted = {f"{name}{suffix}": name for names, suffix in groups for name in names}
    absent = [name for name in wanted if name not in dataset]
    if absent:
        raise VadoseError(
            f"features: a dataset of {len(dataset.data_vars)} variables",
            f"It lacks {', '.join(absent)}",
            "Load it with archive.load(area, time, model.inputs), or add them, NaN where nothing was observed",
        )
    for held, name in wanted.items():
        units = dataset[held].attrs.get("units", PREDICTORS[name].units)
        if units != PREDICTORS[name].units:
            raise VadoseError(
                f"features: the variable {held}",
                f"Its units are {units!r}",
                f"Convert it to {PREDICTORS[name].units!r}",
            )
    past = spec.history
    if past.variables:
        steps, days = dataset.sizes.get("step", 0), dataset["step"].attrs.get("step_days", past.step_days)
        if steps < past.steps or float(days) != past.step_days:
            raise _unlike(
                f"Its history has {steps} steps of {days:g} days; {past.steps} of {past.step_days:g} are needed"
            )


def _axes(tile: Tile, pixels: bool) -> dict[str, Any]:
    """Return coordinates of cells and pixels, and their common grid mapping."""
    found: dict[str, Any] = {GRID: ((), tile.epsg, CRS.from_epsg(tile.epsg).to_cf())}
    for suffix, grid, what in (("", tile.cells, "cells"), *(((PIXELS, tile.pixels, "pixels"),) if pixels else ())):
        found[f"y{suffix}"] = f"y{suffix}", grid.coords["y"].values, axis_attrs("y", what)
        found[f"x{suffix}"] = f"x{suffix}", grid.coords["x"].values, axis_attrs("x", what)
    return found


def _unlike(problem: str) -> VadoseError:
    return VadoseError(
        "features: a dataset", problem, "Load it with archive.load(area, time, model.inputs), and keep its grid"
    )
