"""Sentinel-1 backscatter with terrain correction (RTC): gamma0 in linear power, and the incidence angle."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vadose.grid import AreaOfInterest, Period, nanoseconds
from vadose.sources.archive import Index
from vadose.sources.incidence import IncidenceModel, tie_points
from vadose.sources.items import open_items, open_rasters, units_of
from vadose.sources.layers import dataset, lazy
from vadose.sources.raster import Floats, Grid, Raster, by_grid
from vadose.sources.records import SceneItem
from vadose.sources.stac import SENTINEL1_RTC
from vadose.sources.window import Window
from vadose.variables import INCIDENCE_ANGLE, SOURCES, VH, VV, Variable

BANDS = (VV.name, VH.name, INCIDENCE_ANGLE.name)
"""Rasters that an item may have."""


@dataclass(frozen=True)
class Sentinel1:
    """The Sentinel-1 RTC items in an archive, found when first asked.

    The incidence angle is the item's own raster where it has one (the angle on the terrain, in the collection
    sentinel1-rtc-aws), else that on the ellipsoid from the annotation of the product; with neither there is none.

    Attributes:
        archive: folder of the items.
    """

    archive: Path
    name: ClassVar[str] = "sentinel1"
    variables: ClassVar[tuple[Variable, ...]] = SOURCES["sentinel1"]

    @cached_property
    def index(self) -> Index:
        """What the archive holds."""
        return Index.of(self.archive, SENTINEL1_RTC)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        """The passes over an area in a period: vv and vh in linear power, incidence_angle in degrees.

        Raises:
            NoDataError: there is none.
            VadoseError: a file is there and cannot be read.
        """
        return open_items(self.index, area, period, _parts, self.name)

    def passes(self, area: AreaOfInterest, period: Period) -> NDArray[np.datetime64]:
        """The times of what `open` gives, each once, in order; many times faster, as only headers are read.

        Raises:
            NoDataError: there is none.
            VadoseError: a file is there and cannot be read.
        """
        found = {record.time for record in self.index.find(area, period) if _touches(record, area)}
        if not found:
            raise self.index.nothing(area, period, "none of them with a pixel in the area")
        return nanoseconds(np.array(sorted(found), "datetime64"))


def _touches(record: SceneItem, area: AreaOfInterest) -> bool:
    """Whether a raster of an item has a pixel in an area; mostly the first one tells."""
    return any(raster.grid.window(area) for band in BANDS for raster in open_rasters(record, (band,)).values())


def _parts(record: SceneItem, area: AreaOfInterest) -> Iterator[xr.Dataset]:
    rasters = open_rasters(record, BANDS)
    annotation = None if INCIDENCE_ANGLE.name in rasters else record.asset("annotation")
    for grid, bands in by_grid(rasters).items():
        window = grid.window(area)
        if window is None:
            continue
        layers: dict[str, da.Array] = {}
        for name, raster in bands.items():
            layers |= lazy(partial(_positive, raster), (name,), window)
        if annotation:
            layers |= lazy(partial(_angle, Path(annotation.href), grid), (INCIDENCE_ANGLE.name,), window)
        yield dataset(layers, units_of(SOURCES["sentinel1"]), grid, window, record.time)


def _positive(raster: Raster, window: Window) -> Floats:
    values = raster.layer(window)
    return np.where(values > 0, values, np.float32(np.nan))


def _angle(annotation: Path, grid: Grid, window: Window) -> Floats:
    surface = IncidenceModel.fit(tie_points(annotation), grid.crs)
    return surface.at(grid.x(window), grid.y(window))[np.newaxis]
