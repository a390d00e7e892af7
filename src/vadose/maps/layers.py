"""Layers of a map on its grid: soil moisture, its standard deviation, quality flags and observation ages."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import rioxarray  # noqa: F401  (gives datasets their `.rio`)
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from vadose.errors import VadoseError
from vadose.grid import axis_attrs
from vadose.registry import Quality
from vadose.variables import SOIL_MOISTURE

NODATA = 2**32 - 1
"""Quality of a cell outside the mapped area; no combination of flags reaches it."""

STD_ATTRS = {
    "units": SOIL_MOISTURE.units,
    "long_name": "standard deviation of the error of the soil moisture",
    "standard_name": f"{SOIL_MOISTURE.standard_name} standard_error",
}

AGE = "age_"
"""Prefix of the layers of observation ages, followed by the name of a source."""
_NONE: Mapping[str, ArrayLike] = MappingProxyType({})


def map_arrays(
    cells: GeoBox, mean: ArrayLike, std: ArrayLike, quality: ArrayLike, ages: Mapping[str, ArrayLike] = _NONE
) -> dict[str, NDArray[Any]]:
    """Return the layers of a map by name, each (y, x) of its type; arguments and errors as in `map_dataset`."""
    arrays: dict[str, NDArray[Any]] = {
        "soil_moisture": np.asarray(mean, np.float32),
        "soil_moisture_std": np.asarray(std, np.float32),
        "quality": _flags(np.asarray(quality)),
        **{AGE + source: np.asarray(age, np.float32) for source, age in ages.items()},
    }
    for name, values in arrays.items():
        if values.shape != tuple(cells.shape):
            raise VadoseError(
                f"maps: the layer {name} on a grid of {cells.shape.y} x {cells.shape.x} cells (y, x)",
                f"Its shape is {values.shape}",
                "Give arrays (y, x) of the shape of the grid, without halo",
            )
    return arrays


def map_dataset(
    cells: GeoBox, mean: ArrayLike, std: ArrayLike, quality: ArrayLike, ages: Mapping[str, ArrayLike] = _NONE
) -> xr.Dataset:
    """Return the layers of a map on the grid of its cells.

    Args:
        cells: the grid, of any CRS.
        mean: soil moisture (y, x), m3 m-3, NaN where there is no estimate.
        std: standard deviation of its error (y, x), m3 m-3.
        quality: bits of `Quality` (y, x), `NODATA` for cells outside the area.
        ages: ages by source, observation age in days (y, x), NaN without an observation.

    Returns:
        `soil_moisture` and `soil_moisture_std` (float32), `quality` (uint32) and `age_<source>` (float32), with
        coordinates, CRS, nodata and CF attributes.

    Raises:
        VadoseError: the shape of an array differs from the grid, or flags are not whole numbers of 32 bits.
    """
    y, x = cells.dimensions
    named = [AGE + source for source in ages]
    attrs: dict[str, dict[str, Any]] = {
        **{name: age_attrs(source) for name, source in zip(named, ages, strict=True)},
        "soil_moisture": SOIL_MOISTURE.attrs
        | {"ancillary_variables": " ".join(("soil_moisture_std", "quality", *named))},
        "soil_moisture_std": dict(STD_ATTRS),
        "quality": flag_attrs(),
    }
    arrays = map_arrays(cells, mean, std, quality, ages)
    for name, values in arrays.items():
        attrs[name]["_FillValue"] = values.dtype.type(NODATA if name == "quality" else np.nan)
    arranged = {name: xr.Variable((y, x), values, attrs[name]) for name, values in arrays.items()}
    dataset = xr.Dataset(arranged, coords=xr_coords(cells))
    if (y, x) != ("y", "x"):
        return dataset.rename({y: "y", x: "x"})
    dataset["y"].attrs.update(axis_attrs("y"))
    dataset["x"].attrs.update(axis_attrs("x"))
    return dataset


def flag_attrs() -> dict[str, NDArray[np.uint32] | str]:
    """Return CF attributes of quality flags: `flag_masks` and `flag_meanings` in the same order."""
    return {
        "long_name": "missing sources and unusual conditions of the estimate",
        "standard_name": "quality_flag",
        "flag_masks": np.array([flag.value for flag in Quality], np.uint32),
        "flag_meanings": " ".join(flag.name.lower() for flag in Quality),
    }


def age_attrs(source: str) -> dict[str, Any]:
    """Return CF attributes of the observation ages of a source."""
    return {"units": "day", "long_name": f"time from the observation of {source} to the time of the map"}


def _flags(quality: NDArray[np.generic]) -> NDArray[np.uint32]:
    if not np.issubdtype(quality.dtype, np.integer) or (
        quality.size and not 0 <= quality.min() <= quality.max() <= NODATA
    ):
        raise VadoseError(
            "maps: the layer quality",
            f"Its type is {quality.dtype}, or it has values outside 0..{NODATA}",
            "Give bits of Quality as whole numbers of 32 bits",
        )
    return quality.astype(np.uint32)
