"""Files of GLDAS-2.1 granules: dimensions, variables and attributes of GLDAS_NOAH025_3H.

The chunks are smaller than those of the product, which are complete fields, so that a file of few pixels is fast.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import netCDF4
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.io.files import atomic_write
from vadose.simulation.fields import Floats
from vadose.simulation.raster import NOTICE
from vadose.simulation.sparse import Scatter

STEP, SOUTH, WEST = 0.25, -59.875, -179.875
SHAPE = (600, 1440)
FILL = -9999.0
CHUNK = (1, 24, 32)
EPOCH = pd.Timestamp("2000-01-01T03:00:00")
HOURS = 3
VARIABLES = {
    "SoilMoi0_10cm_inst": ("kg m-2", "soil_moisture_content", "Soil moisture", "time: point"),
    "RootMoist_inst": ("kg m-2", "root_zone_soil_moisture", "Root zone soil moisture", "time: point"),
    "SWE_inst": ("kg m-2", "liquid_water_content_of_surface_snow", "Snow depth water equivalent", "time: point"),
    "Rainf_f_tavg": ("kg m-2 s-1", "precipitation_flux", "Total precipitation rate", "time: mean"),
    "Tair_f_inst": ("K", "air_temperature", "Air temperature", "time: point"),
}
"""Units, standard name, long name and cell methods."""


def write_granule(
    path: Path, time: pd.Timestamp, rows: NDArray[np.intp], columns: NDArray[np.intp], layers: Mapping[str, Floats]
) -> None:
    """Write a granule.

    Args:
        path: path of the file.
        time: time of the granule, UTC.
        rows, columns: of the pixels, row 0 in the south, (pixel,).
        layers: float32 values of each of `VARIABLES`, (pixel,).
    """
    minutes = (time - EPOCH) / pd.Timedelta(minutes=1)
    with atomic_write(path) as temporary:
        temporary.write_bytes(_empty())
        with h5py.File(temporary, "r+") as granule:
            granule["time"][0] = minutes
            granule["time_bnds"][0] = (minutes - 60 * HOURS, minutes)
            granule["time"].attrs["begin_date"] = np.bytes_(f"{time:%Y%m%d}")
            granule["time"].attrs["begin_time"] = np.bytes_(f"{time:%H%M%S}")
            scatter = Scatter.of(rows, columns, CHUNK)
            for name, layer in layers.items():
                scatter.write(granule[name].id, layer, FILL)


@lru_cache
def _empty() -> bytes:
    """Return a granule without a pixel."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.nc4"
        with netCDF4.Dataset(path, "w") as granule:
            _describe(granule)
            for name in VARIABLES:
                _create(granule, name)
        with h5py.File(path, "r+") as granule:
            for name in VARIABLES:
                granule[name].resize(1, axis=0)
        return path.read_bytes()


def _describe(granule: netCDF4.Dataset) -> None:
    granule.setncatts(
        {
            "missing_value": np.float32(FILL),
            "title": "GLDAS2.1 LIS land surface model output",
            "institution": "simulated by vadose",
            "source": "simulated: two layers in the manner of Noah",
            "conventions": "CF-1.6",
            "comment": NOTICE,
            "MAP_PROJECTION": "EQUIDISTANT CYLINDRICAL",
            "SOUTH_WEST_CORNER_LAT": np.float32(SOUTH),
            "SOUTH_WEST_CORNER_LON": np.float32(WEST),
            "DX": np.float32(STEP),
            "DY": np.float32(STEP),
        }
    )
    for name, size in (("time", None), ("lat", SHAPE[0]), ("lon", SHAPE[1]), ("bnds", 2)):
        granule.createDimension(name, size)
    _axis(granule, "lat", SOUTH + STEP * np.arange(SHAPE[0]), "degrees_north", "latitude")
    _axis(granule, "lon", WEST + STEP * np.arange(SHAPE[1]), "degrees_east", "longitude")
    time = granule.createVariable("time", "f8", ("time",))
    time.setncatts({"units": f"minutes since {EPOCH:%Y-%m-%d %H:%M:%S}", "long_name": "time", "time_increment": "180"})
    time.setncatts({"begin_date": "20000101", "begin_time": "030000", "bounds": "time_bnds"})
    time[0] = 0.0
    granule.createVariable("time_bnds", "f8", ("time", "bnds"))[0] = (0.0, 0.0)


def _axis(granule: netCDF4.Dataset, name: str, values: Floats, units: str, standard_name: str) -> None:
    axis = granule.createVariable(name, "f4", (name,), zlib=True, fill_value=FILL)
    axis.setncatts({"units": units, "standard_name": standard_name, "long_name": standard_name, **_scaled()})
    axis.setncatts({"vmin": np.float32(values[0]), "vmax": np.float32(values[-1])})
    axis[:] = values


def _create(granule: netCDF4.Dataset, name: str) -> None:
    units, standard_name, long_name, cell_methods = VARIABLES[name]
    variable = granule.createVariable(
        name, "f4", ("time", "lat", "lon"), zlib=True, complevel=4, chunksizes=CHUNK, fill_value=FILL
    )
    variable.setncatts({"units": units, "standard_name": standard_name, "long_name": long_name})
    variable.setncatts({"cell_methods": cell_methods, **_scaled()})


def _scaled() -> dict[str, np.float32]:
    return {"scale_factor": np.float32(1), "add_offset": np.float32(0), "missing_value": np.float32(FILL)}
