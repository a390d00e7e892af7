"""Elevation: NASADEM and Copernicus DEM GLO-30."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import xarray as xr

from vadose.grid import AreaOfInterest, Period
from vadose.registry import ItemProduct, SourceSpec
from vadose.sources.archive import Index
from vadose.sources.heights import in_metres
from vadose.sources.items import item_files, open_items, open_rasters, units_of
from vadose.sources.layers import dataset, lazy
from vadose.sources.records import SceneItem
from vadose.sources.scan import Archive
from vadose.sources.source import SourceFile
from vadose.sources.stac import DEM
from vadose.variables import ELEVATION, Variable


@dataclass(frozen=True)
class Dem:
    """Elevation items in an archive, found at the first request.

    Attributes:
        archive: folder of the items.
    """

    archive: Path | Archive
    name: ClassVar[str] = "dem"
    variables: ClassVar[tuple[Variable, ...]] = (ELEVATION,)

    @cached_property
    def index(self) -> Index:
        """Return the items of the archive."""
        return Index.of(self.archive, DEM)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:  # noqa: ARG002 (ground does not change)
        """Return the tiles over an area, for any period: elevation (y, x) in metres; voids (-32768) are NaN.

        Raises:
            NoDataError: there are none.
            VadoseError: an existing file is unreadable.
        """
        return open_items(self.index, area, None, _parts, self.variables)

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:  # noqa: ARG002 (the same at all times)
        """Return the items that `open` reads."""
        return item_files(self.index, area, None)


def _parts(record: SceneItem, area: AreaOfInterest) -> Iterator[xr.Dataset]:
    raster = in_metres(open_rasters(record, (ELEVATION.name,))[ELEVATION.name])
    window = raster.grid.window(area)
    if window:
        layers = lazy(raster.layer, (ELEVATION.name,), window)
        yield dataset(layers, units_of(Dem.variables), raster.grid, window)


SPEC = SourceSpec(
    name=Dem.name,
    title="elevation",
    label="DEM",
    variables=Dem.variables,
    open=Dem,
    missing=2,
    missing_words="no DEM",
    items=(ItemProduct(DEM, ("cop-dem-glo-30", "nasadem"), {ELEVATION.name: ("elevation", "data")}, static=True),),
    item_words=re.compile(r"(^|[^a-z])(\w*dem|dsm|dtm|srtm\w*|3dep|elevation)([^a-z]|$)"),
)
