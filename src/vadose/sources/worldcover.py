"""Land cover: ESA WorldCover, 10 m (Zanaga et al. 2022, doi 10.5281/zenodo.7254221)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr

from vadose.grid import AreaOfInterest, Period
from vadose.registry import ItemProduct, Mask, QualityFlag, SourceSpec
from vadose.sources.archive import Index
from vadose.sources.items import item_files, open_items, open_rasters, units_of
from vadose.sources.layers import dataset, lazy
from vadose.sources.raster import Floats, Raster
from vadose.sources.records import SceneItem
from vadose.sources.scan import Archive
from vadose.sources.source import SourceFile
from vadose.sources.stac import WORLDCOVER
from vadose.sources.window import Window
from vadose.variables import (
    BUILT_UP,
    OPEN_WATER,
    Variable,
)

LAND_COVER = "land_cover"
CLASSES = {BUILT_UP.name: 50, OPEN_WATER.name: 80}
NODATA = 0.0


@dataclass(frozen=True)
class WorldCover:
    """The land cover maps in an archive, found at the first request.

    Attributes:
        archive: folder of the items.
    """

    archive: Path | Archive
    name: ClassVar[str] = "worldcover"
    variables: ClassVar[tuple[Variable, ...]] = (BUILT_UP, OPEN_WATER)

    @cached_property
    def index(self) -> Index:
        """Return the items of the archive."""
        return Index.of(self.archive, WORLDCOVER)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:  # noqa: ARG002 (one map for all times)
        """Return the maps over an area, the latest edition first, for any period: 1 where a pixel is of a class, or 0.

        Raises:
            NoDataError: there are none.
            VadoseError: an existing file is unreadable.
        """
        return open_items(self.index, area, None, _parts, self.variables)[::-1]

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:  # noqa: ARG002 (the same at all times)
        """Return the items that `open` reads."""
        return item_files(self.index, area, None)


def _parts(record: SceneItem, area: AreaOfInterest) -> Iterator[xr.Dataset]:
    raster = open_rasters(record, (LAND_COVER,), NODATA)[LAND_COVER]
    window = raster.grid.window(area)
    if window:
        layers = lazy(partial(_shown, raster), tuple(CLASSES), window)
        yield dataset(layers, units_of(WorldCover.variables), raster.grid, window)


def _shown(raster: Raster, window: Window) -> Floats:
    """Return where the pixels of a window are of each class, (class, y, x)."""
    cover = raster.read(window)
    there = np.stack([cover == number for number in CLASSES.values()]).astype(np.float32)
    return np.where(np.isfinite(cover), there, np.float32(np.nan))


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
