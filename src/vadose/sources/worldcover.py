"""Land cover: ESA WorldCover, 10 m (Zanaga et al. 2022, doi 10.5281/zenodo.7254221)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from vadose.grid import AreaOfInterest, Period
from vadose.registry import ItemProduct, Mask, QualityFlag, SourceSpec
from vadose.sources.items import ItemSource, open_rasters
from vadose.sources.layers import Layers, Names, masked
from vadose.sources.raster import Floats, Raster
from vadose.sources.records import SceneItem
from vadose.sources.stac import WORLDCOVER
from vadose.sources.window import Window
from vadose.variables import BUILT_UP, OPEN_WATER, Variable

LAND_COVER = "land_cover"
CLASSES = {BUILT_UP.name: 50, OPEN_WATER.name: 80}
NODATA = 0.0


@dataclass(frozen=True)
class WorldCover(ItemSource):
    """Land cover: 1 where a pixel is of a class, else 0, (y, x)."""

    product: str = WORLDCOVER
    name: ClassVar[str] = "worldcover"
    variables: ClassVar[tuple[Variable, ...]] = (BUILT_UP, OPEN_WATER)
    static: ClassVar[bool] = True

    def layers(self, area: AreaOfInterest, period: Period) -> tuple[Layers, ...]:
        """Return the maps over an area, the latest edition first, see `ItemSource.layers`."""
        return super().layers(area, period)[::-1]

    def open_item(self, record: SceneItem, area: AreaOfInterest) -> Iterator[Layers]:
        """Open the map of an item."""
        raster = open_rasters(record, (LAND_COVER,), NODATA)[LAND_COVER]
        window = raster.grid.window(area)
        if window:
            yield Layers(raster.grid, window, self.variables, partial(_shares, raster), together=True)


def _shares(raster: Raster, window: Window, names: Names) -> list[Floats]:
    """Return where the pixels of a window are of each class."""
    cover = raster.read(window)
    known = np.isfinite(cover)
    return [masked((cover == CLASSES[name]).astype(np.float32), known) for name in names]


SPEC = SourceSpec(
    name=WorldCover.name,
    title="WorldCover",
    variables=WorldCover.variables,
    open=WorldCover,
    masks=(  # shares from which SMAP flags its own pixels (Chan & Dunbar, SMAP L3_SM_P Product Specification, JPL)
        Mask(BUILT_UP, 0.25, QualityFlag(13, "URBAN", "urban")),
        Mask(OPEN_WATER, 0.05, QualityFlag(12, "WATER", "open water")),
    ),
    items=(
        ItemProduct(
            WORLDCOVER,
            ("esa-worldcover",),
            {LAND_COVER: ("map", "ESA_WORLDCOVER_10M_MAP")},
            static=True,
        ),
    ),
    item_words=re.compile(r"worldcover"),
)
