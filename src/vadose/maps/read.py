"""Reading of written maps."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from vadose.errors import VadoseError
from vadose.grid import nanosecond
from vadose.io.paths import StrPath
from vadose.maps.layers import NODATA, map_dataset

_NODATA_16 = 65535


def read_map(path: StrPath) -> xr.Dataset:
    """Read a written map of one zone, with its flags.

    Args:
        path: soil moisture file from `write_map`, with the flags beside it, and the ages if they were written.

    Returns:
        The layers, with a scalar coordinate `time` (UTC) and the attributes `declaration` and `notice`.

    Raises:
        VadoseError: a file is missing, unreadable or not such a map.
    """
    path = Path(path)
    flags = path.with_name(f"{path.stem}_quality.tif")
    (mean, std), grid, tags, _ = _bands(path, ("soil_moisture", "soil_moisture_std"))
    (quality,), flag_grid, _, _ = _bands(flags, ("quality",))
    aged = path.with_name(f"{path.stem}_age.tif")
    days, age_grid, _, sources = _bands(aged) if aged.is_file() else (np.empty(0), grid, {}, ())
    for other, its_grid in ((flags, flag_grid), (aged, age_grid)):
        if its_grid != grid:
            raise VadoseError(f"map: {other}", f"Its grid differs from that of {path.name}", "Write the map again")
    attrs = {name: tags[name] for name in ("declaration", "notice") if name in tags}
    time = nanosecond(tags["time"].removesuffix("Z"), f"map: {path}")
    ages = dict(zip(sources, days, strict=True))
    return map_dataset(grid, mean, std, _as_uint32(quality), ages).assign_coords(time=time).assign_attrs(attrs)


def _as_uint32(quality: NDArray[np.generic]) -> NDArray[np.uint32]:
    """Return quality in 32 bits; cells outside the map were 65535 in files of 16 bits."""
    wide = quality.astype(np.uint32)
    return np.where(wide == _NODATA_16, np.uint32(NODATA), wide) if quality.dtype == np.uint16 else wide


def _bands(path: Path, names: tuple[str, ...] = ()) -> tuple[NDArray[Any], GeoBox, dict[str, str], tuple[str, ...]]:
    """Return values, grid, tags and names of the bands of a file, verifying the names if given."""
    asked = f"map: {path}"
    if not path.is_file():
        raise VadoseError(
            asked, "There is no such file", "Name a file that `write_map` wrote, with its flags beside it"
        )
    try:
        with rasterio.open(path, driver="GTiff") as file:
            described, tags, values = file.descriptions, file.tags(), file.read()
            epsg = file.crs.to_epsg() if file.crs else None
            grid = GeoBox(file.shape, file.transform, f"EPSG:{epsg}" if epsg else file.crs)
    except RasterioError as error:
        raise VadoseError(asked, f"It cannot be read ({error})", "Write the map again") from error
    if described != (names or described) or "time" not in tags:
        raise VadoseError(
            asked,
            f"Its bands are called {described}, not {names}, or it has no time",
            "Name a soil moisture file that `write_map` wrote",
        )
    return values, grid, tags, described
