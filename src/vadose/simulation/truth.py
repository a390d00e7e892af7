"""The truth of a simulated region, as Zarr: soil moisture on its cells and on pixels of 40 m."""

from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pandas as pd
import rioxarray  # noqa: F401  (gives datasets their `.rio`)
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from vadose.grid import Tile
from vadose.simulation.fields import Floats
from vadose.simulation.land import COVERS, PER_CELL
from vadose.simulation.raster import NOTICE
from vadose.simulation.simulator import BLOCK_CELLS, RegionSimulator
from vadose.simulation.state import MOISTURE_UNIT, Simulated
from vadose.simulation.weather import STEPS
from vadose.variables import SOIL_MOISTURE

CELLS, PIXELS = "cells", "pixels"
"""Groups: daily on cells of 320 m, and every six hours on pixels of 40 m."""


def truth_folder(archive: Path, name: str) -> Path:
    """Return the path of the truth of a region."""
    return archive / "truth" / f"{name}.zarr"


def begin_truth(simulator: RegionSimulator, times: pd.DatetimeIndex, folder: Path) -> None:
    """Create the truth of a region, empty: its blocks are written one by one.

    Args:
        simulator: the region.
        times: times of the steps.
        folder: folder of the store.
    """
    cells, days = simulator.tile.cells, times[STEPS // 2 :: STEPS]
    moisture = {"scale_factor": MOISTURE_UNIT, "_FillValue": np.uint16(65535), "dtype": "uint16"}
    daily = xr.Dataset(
        {
            SOIL_MOISTURE.name: _empty((days, cells), np.float32, SOIL_MOISTURE.attrs),
            "soil_share": _empty((None, cells), np.float32, {"units": "1", "long_name": "share that is open soil"}),
        },
        attrs=_attrs(simulator, "at 12 UTC of every day on cells of 320 m; of the pixels that are soil"),
    )
    pixels = cells.zoom_out(1 / PER_CELL)
    fine = xr.Dataset(
        {
            SOIL_MOISTURE.name: _empty((times, pixels), np.float32, SOIL_MOISTURE.attrs),
            "land_cover": _empty((None, pixels), np.uint8, _flags()),
        },
        attrs=_attrs(simulator, "every six hours on pixels of 40 m"),
    )
    side = PER_CELL * BLOCK_CELLS
    chunks = (min(len(times), 4 * STEPS * 8), *(min(side, size) for size in pixels.shape))
    _lay(
        daily, simulator, folder, CELLS, {SOIL_MOISTURE.name: {"chunks": (len(days), *_least(cells, BLOCK_CELLS))}}, "w"
    )
    _lay(fine, simulator, folder, PIXELS, {SOIL_MOISTURE.name: moisture | {"chunks": chunks}}, "a")


def write_block(simulator: RegionSimulator, tile: Tile, world: Simulated, folder: Path) -> None:
    """Write the truth of a block of a region."""
    soil = world.land.soil
    noon = world.kept.surface[STEPS // 2 :: STEPS].astype(np.float32) * np.float32(MOISTURE_UNIT)
    share = _cells(soil.astype(np.float32))
    with np.errstate(invalid="ignore"):
        cells = _cells(np.where(soil, noon, 0)) / share
    south, east = simulator.tile.north - tile.north, tile.west - simulator.tile.west
    for group, scale, found in (
        (CELLS, 1, {SOIL_MOISTURE.name: cells, "soil_share": share}),
        (PIXELS, PER_CELL, {SOIL_MOISTURE.name: _masked(world), "land_cover": world.land.cover.astype(np.uint8)}),
    ):
        region = {
            "y": slice(scale * south, scale * (south + tile.rows)),
            "x": slice(scale * east, scale * (east + tile.columns)),
        }
        block = xr.Dataset({name: (("time", "y", "x")[-values.ndim :], values) for name, values in found.items()})
        block.to_zarr(folder, group=group, region=region, zarr_format=3, consolidated=False)


def cover_of(archive: Path, name: str) -> NDArray[np.uint8]:
    """Return the land cover of a region whose truth is written, on pixels of 40 m, index of `COVERS`, (y, x)."""
    with xr.open_zarr(truth_folder(archive, name), group=PIXELS, consolidated=False) as store:
        cover: NDArray[np.uint8] = store["land_cover"].to_numpy()
        return cover


def _masked(world: Simulated) -> Floats:
    moisture = world.kept.surface.astype(np.float32) * np.float32(MOISTURE_UNIT)
    return np.where(world.land.soil, moisture, np.float32(np.nan))


def _cells(field: Floats) -> Floats:
    """Average pixels of 40 m over cells of 320 m, (..., y, x)."""
    *lead, height, width = field.shape
    blocks = field.reshape(*lead, height // PER_CELL, PER_CELL, width // PER_CELL, PER_CELL)
    return np.asarray(blocks.mean(axis=(-3, -1), dtype=np.float64), np.float32)


def _empty(axes: tuple[pd.DatetimeIndex | None, GeoBox], dtype: Any, attrs: dict[str, Any]) -> xr.DataArray:
    times, grid = axes
    coords = {"y": grid.coords["y"].values, "x": grid.coords["x"].values}
    shape: tuple[int, ...] = tuple(grid.shape)
    dims: tuple[str, ...] = ("y", "x")
    if times is not None:
        coords, shape, dims = {"time": times, **coords}, (len(times), *shape), ("time", "y", "x")
    return xr.DataArray(dask.array.zeros(shape, dtype=dtype, chunks=-1), dims=dims, coords=coords, attrs=attrs)


def _least(grid: GeoBox, side: int) -> tuple[int, int]:
    return min(side, grid.shape.y), min(side, grid.shape.x)


def _flags() -> dict[str, Any]:
    meanings = " ".join(COVERS)
    return {"long_name": "land cover", "flag_values": np.arange(len(COVERS), dtype=np.uint8), "flag_meanings": meanings}


def _attrs(simulator: RegionSimulator, what: str) -> dict[str, str]:
    title = f"True soil moisture of the region {simulator.region.name}, {what}"
    return {"Conventions": "CF-1.11", "title": title, "comment": NOTICE}


def _lay(dataset: xr.Dataset, simulator: RegionSimulator, folder: Path, group: str, encoding: Any, mode: Any) -> None:
    whole: xr.Dataset = dataset.rio.write_crs(simulator.tile.epsg)
    whole.to_zarr(folder, group=group, mode=mode, compute=False, encoding=encoding, zarr_format=3, consolidated=False)
