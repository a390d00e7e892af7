"""Elevation: NASADEM and Copernicus DEM GLO-30."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from vadose.grid import AreaOfInterest
from vadose.registry import ItemProduct, SourceSpec
from vadose.sources.heights import in_metres
from vadose.sources.items import ItemSource, open_rasters
from vadose.sources.layers import Layers, read_each
from vadose.sources.records import SceneItem
from vadose.sources.stac import DEM
from vadose.variables import ELEVATION, Variable


@dataclass(frozen=True)
class Dem(ItemSource):
    """Elevation, m, (y, x); voids (-32768) are NaN."""

    product: str = DEM
    name: ClassVar[str] = "dem"
    variables: ClassVar[tuple[Variable, ...]] = (ELEVATION,)
    static: ClassVar[bool] = True

    def open_item(self, record: SceneItem, area: AreaOfInterest) -> Iterator[Layers]:
        """Open the tile of an item."""
        raster = in_metres(open_rasters(record, (ELEVATION.name,))[ELEVATION.name])
        window = raster.grid.window(area)
        if window:
            yield Layers(raster.grid, window, self.variables, partial(read_each, {ELEVATION.name: raster.read}))


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
