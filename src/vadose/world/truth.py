"""The truth of a simulated region: daily soil moisture on its cells, as CF-NetCDF."""

from pathlib import Path

import numpy as np
import rioxarray  # noqa: F401  (gives datasets their `.rio`)
import xarray as xr

from vadose.files import replacing
from vadose.variables import SOIL_MOISTURE
from vadose.world.raster import NOTICE
from vadose.world.region import Simulated, to_cells


def truth_of(world: Simulated) -> xr.Dataset:
    """Soil moisture of 0-5 cm at 12 UTC of every day on the region's cells: (time, y, x), m3 m-3."""
    cells = world.tile.cells
    times = world.weather.days + np.timedelta64(12, "h")
    moisture = xr.DataArray(
        to_cells(world.surface).astype(np.float32),
        dims=("time", "y", "x"),
        coords={"time": times, "y": cells.coords["y"].values, "x": cells.coords["x"].values},
        attrs=SOIL_MOISTURE.attrs,
    )
    moisture.encoding["zlib"] = True
    attrs = {"Conventions": "CF-1.11", "title": f"True soil moisture of the region {world.name}", "comment": NOTICE}
    truth: xr.Dataset = xr.Dataset({SOIL_MOISTURE.name: moisture}, attrs=attrs).rio.write_crs(world.tile.epsg)
    return truth


def write_truth(world: Simulated, archive: Path) -> None:
    """Write the truth of a region."""
    with replacing(archive / "truth" / f"{world.name}.nc") as temporary:
        truth_of(world).to_netcdf(temporary, engine="h5netcdf")
