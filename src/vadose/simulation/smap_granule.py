"""Files of SMAP L3 granules: the variables and attributes of SPL3SMP and SPL3SMP_E, mostly without data."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from vadose.io.files import atomic_write
from vadose.simulation.ease import EASE, Ease
from vadose.simulation.raster import NOTICE
from vadose.simulation.sparse import Scatter

SUFFIX = {"AM": "", "PM": "_pm"}
"""Type of the variables of a group."""
CHUNK = {36: (16, 16), 9: (32, 32)}
FILL, FLAG_FILL = -9999.0, 65534
RETRIEVAL = "Retrieval_recommended Retrieval_attempted Retrieval_success FT_retrieval_success"
SURFACE = (
    "static_water_body radar_water_body_detection coastal_proximity urban_area precipitation snow_or_ice "
    "permanent_snow_or_ice radar_frozen_ground model_frozen_ground mountainous_terrain dense_vegetation nadir_region"
)


@dataclass(frozen=True)
class Variable:
    """A variable of a group: its type and attributes."""

    name: str
    dtype: type
    units: str = ""
    valid: tuple[float, float] | None = None
    flags: str = ""

    @property
    def fill(self) -> float:
        """Return the value of missing pixels."""
        return FLAG_FILL if self.dtype is np.uint16 else FILL


@lru_cache
def variables(km: int) -> tuple[Variable, ...]:
    """Return the variables of each group of a product."""
    grid = EASE[km]
    meanings = " ".join(f"{km}_km_{name}" for name in SURFACE.split())
    return (
        Variable("soil_moisture", np.float32, "cm**3/cm**3", (0.02, 0.5)),
        Variable("soil_moisture_error", np.float32, "cm**3/cm**3", (0.0, 0.2)),
        Variable("retrieval_qual_flag", np.uint16, flags=RETRIEVAL),
        Variable("surface_flag", np.uint16, flags=meanings),
        Variable("tb_time_seconds", np.float64, "seconds", (-999_999.9, 999_999.9 if km == 36 else 940_000_000.0)),
        Variable("latitude", np.float32, "degrees_north", (-90.0, 90.0)),
        Variable("longitude", np.float32, "degrees_east", (-180.0, 179.999)),
        Variable("EASE_row_index", np.uint16, valid=(0, grid.rows - 1)),
        Variable("EASE_column_index", np.uint16, valid=(0, grid.columns - 1)),
        Variable("vegetation_water_content", np.float32, "kg/m**3" if km == 36 else "kg/m**2", (0.0, 20.0)),
        Variable("surface_temperature", np.float32, "Kelvins", (0.0, 350.0)),
        Variable("static_water_body_fraction", np.float32, valid=(0.0, 1.0)),
        Variable("freeze_thaw_fraction", np.float32, valid=(0.0, 1.0)),
    )


def write_granule(path: Path, grid: Ease, halves: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
    """Write the granule of a day.

    Args:
        path: path of the file.
        grid: grid of the product.
        halves: by group, AM and PM: the values of each variable, (pixel,), with EASE_row_index and EASE_column_index;
            no repeated pixel.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(_empty(grid.km))
        with h5py.File(temporary, "r+") as granule:
            for half, values in halves.items():
                group = granule[f"Soil_Moisture_Retrieval_Data_{half}"].id
                scatter = Scatter.of(values["EASE_row_index"], values["EASE_column_index"], CHUNK[grid.km])
                for variable in variables(grid.km):
                    dataset = h5py.h5d.open(group, f"{variable.name}{SUFFIX[half]}".encode())
                    scatter.write(dataset, values[variable.name].astype(variable.dtype), variable.fill)


@lru_cache
def _empty(km: int) -> bytes:
    """Return a granule without a pixel."""
    memory, grid = io.BytesIO(), EASE[km]
    with h5py.File(memory, "w") as granule:
        granule.attrs["NOTICE"] = NOTICE
        for half, suffix in SUFFIX.items():
            group = granule.create_group(f"Soil_Moisture_Retrieval_Data_{half}")
            for variable in variables(km):
                _create(group, variable, suffix, grid)
    return memory.getvalue()


def _create(group: h5py.Group, variable: Variable, suffix: str, grid: Ease) -> None:
    dataset = group.create_dataset(
        f"{variable.name}{suffix}",
        (grid.rows, grid.columns),
        variable.dtype,
        chunks=CHUNK[grid.km],
        compression="gzip",
        compression_opts=1,
        shuffle=True,
        fillvalue=variable.fill,
    )
    attributes: dict[str, Any] = {"_FillValue": variable.dtype(variable.fill)}
    if variable.units:
        attributes["units"] = np.bytes_(variable.units)
    if variable.valid:
        attributes["valid_min"], attributes["valid_max"] = map(variable.dtype, variable.valid)
    if variable.flags:
        attributes["flag_meanings"] = np.bytes_(variable.flags)
        attributes["flag_masks"] = np.bytes_(", ".join(f"{1 << bit}s" for bit in range(len(variable.flags.split()))))
    coordinates = (f"/{group.name[1:]}/{name}{suffix}" for name in ("latitude", "longitude"))
    attributes["coordinates"] = np.bytes_(" ".join(coordinates))
    dataset.attrs.update(attributes)
