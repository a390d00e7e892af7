"""Map files: for each UTM zone and time a GeoTIFF of soil moisture and its standard deviation, one of flags, one of
ages.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import odc.geo.xr  # noqa: F401  (gives datasets their `.odc`)
import xarray as xr
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.shutil import copy

from vadose.errors import VadoseError
from vadose.io.files import atomic_write, metadata
from vadose.maps.layers import AGE, NODATA, age_attrs, flag_attrs
from vadose.variables import SOIL_MOISTURE

_STORED = {"driver": "COG", "compress": "DEFLATE", "predictor": "YES", "blocksize": 512}


@dataclass(frozen=True)
class _Band:
    layer: str
    description: str
    units: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class _File:
    suffix: str
    dtype: str
    nodata: float
    overviews: str
    bands: tuple[_Band, ...]


def _flag_tags() -> dict[str, str]:
    attrs = flag_attrs()
    return {
        "flag_masks": " ".join(map(str, attrs["flag_masks"])),
        "flag_meanings": str(attrs["flag_meanings"]),
    }


MOISTURE = _File(
    "",
    "float32",
    np.nan,
    "AVERAGE",
    (
        _Band("soil_moisture", "soil_moisture", SOIL_MOISTURE.units, {"standard_name": SOIL_MOISTURE.standard_name}),
        _Band(
            "soil_moisture_std",
            "soil_moisture_std",
            SOIL_MOISTURE.units,
            {"meaning": "standard deviation of the error of band 1"},
        ),
    ),
)


def _ages(zone: xr.Dataset) -> tuple[_File, ...]:
    """Return the file of observation ages; none if the map has none."""
    bands = tuple(
        _Band(str(name), source, "day", {"meaning": age_attrs(source)["long_name"]})
        for name in zone.data_vars
        if (source := str(name).removeprefix(AGE)) != name
    )
    return (_File("_age", "float32", np.nan, "AVERAGE", bands),) if bands else ()


def write_map(
    folder: Path,
    zones: Sequence[xr.Dataset],
    *,
    time: np.datetime64,
    made_from: Mapping[str, Any],
    notice: str = "",
) -> tuple[Path, ...]:
    """Write a map of one time as Cloud Optimized GeoTIFFs, atomically.

    For each zone `soil_moisture_<time>_<epsg>.tif`, float32, band 1 `soil_moisture` and band 2 `soil_moisture_std` in
    m3 m-3, NaN where missing, overviews by average; `..._quality.tif`, uint32 bits of `vadose.registry.Quality` with
    their meanings in the band's tags, 4294967295 outside the area, overviews by nearest; and, if the layers have ages,
    `..._age.tif`, float32, one band per source, in days. Tags of all: `time` (UTC), `notice`, and `declaration` (JSON:
    package version and `made_from`).

    Args:
        folder: folder of the files; created if missing.
        zones: layers from `map_dataset` or `Mosaic.zones`, each in another CRS.
        time: time of the map, UTC.
        made_from: provenance of the map: area, checkpoint, source items.
        notice: warning for the map, such as that data are simulated; empty for none.

    Returns:
        The soil moisture files, in the order of `zones`; `read_map` opens each with its flags.

    Raises:
        VadoseError: there is no zone, two zones have the same CRS, or one has no EPSG code.
        OSError: writing failed, for example on a full disk.
    """
    tags = {
        "time": f"{np.datetime_as_string(time, 's')}Z",
        "declaration": json.dumps(metadata("map", made_from), default=str),
    } | ({"notice": notice} if notice else {})
    paths = tuple(folder / f"{name_of(zone, time)}.tif" for zone in zones)
    if not paths or len(set(paths)) < len(paths):
        raise VadoseError(
            f"maps: a map of {len(paths)} zones", "There is none, or two have the same CRS", "Give one for each CRS"
        )
    flags = _File("_quality", "uint32", NODATA, "NEAREST", (_Band("quality", "quality", "", _flag_tags()),))
    with ExitStack() as whole:
        for path, zone in zip(paths, zones, strict=True):
            for file in (MOISTURE, flags, *_ages(zone)):
                target = path.with_name(f"{path.stem}{file.suffix}.tif")
                whole.enter_context(atomic_write(target)).write_bytes(_encoded(zone, file, tags))
    return paths


def name_of(zone: xr.Dataset, time: np.datetime64) -> str:
    """Return the name of the files of one zone and time, without suffix.

    Raises:
        VadoseError: the zone's CRS has no EPSG code.
    """
    epsg = zone.rio.crs.to_epsg() if zone.rio.crs else None
    if epsg is None:
        raise VadoseError(
            "maps: a file of one zone",
            "Its CRS has no EPSG code for the file name",
            "Map in UTM or another of EPSG",
        )
    moment = np.datetime_as_string(time, "s").replace("-", "").replace(":", "")
    return f"soil_moisture_{moment}_{epsg}"


def _encoded(zone: xr.Dataset, file: _File, tags: Mapping[str, str]) -> bytes:
    """Return the bytes of one file; made in memory, so that a failure leaves nothing on disk."""
    grid = zone.odc.geobox
    profile = {"driver": "GTiff", "crs": str(grid.crs), "transform": grid.transform, "width": grid.shape.x}
    shape = {"height": grid.shape.y, "count": len(file.bands), "dtype": file.dtype, "nodata": file.nodata}
    with MemoryFile() as plain, MemoryFile() as cloud_optimized:
        with plain.open(**profile, **shape) as raster:
            raster.update_tags(**tags)
            for index, band in enumerate(file.bands, start=1):
                raster.write(zone[band.layer].values, index)
                raster.set_band_description(index, band.description)
                raster.set_band_unit(index, band.units)
                raster.update_tags(index, **band.tags, **_statistics(zone[band.layer].values, file.nodata))
        copy(plain.name, cloud_optimized.name, overview_resampling=file.overviews, **_STORED)
        return bytes(cloud_optimized.read())


def _statistics(values: NDArray[Any], nodata: float) -> dict[str, float]:
    """Return GDAL's metadata of a band; rasterio's access requires the driver of virtual files, which is disabled."""
    there = values[(values != nodata) & ~np.isnan(values)].astype(np.float64)
    if not there.size:
        return {}
    statistics = {"MINIMUM": there.min(), "MAXIMUM": there.max(), "MEAN": there.mean(), "STDDEV": there.std()}
    statistics["VALID_PERCENT"] = 100 * there.size / values.size
    return {f"STATISTICS_{name}": float(f"{value:.6g}") for name, value in statistics.items()}
