"""Sentinel-2 reflectance of clear pixels."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from vadose.grid import AreaOfInterest
from vadose.registry import ItemProduct, QualityFlag, SourceSpec
from vadose.sources.assets import CLASSES, REFLECTANCES
from vadose.sources.items import OverviewItemSource, open_rasters
from vadose.sources.layers import Layers, Names, masked
from vadose.sources.raster import Floats, Raster, by_grid
from vadose.sources.records import SceneItem
from vadose.sources.stac import SENTINEL2_L1C, SENTINEL2_L2A
from vadose.sources.window import Window
from vadose.variables import BANDS, Variable

NODATA, SATURATED = 0.0, 65535.0
VALID_SCL = (2, 4, 5, 6, 7)
"""Accepted classes of the scene classification: dark, vegetation, bare, water, unclassified.

Left out: no data (0), saturated or defective (1), cloud shadow (3), clouds (8, 9), cirrus (10), snow (11).
"""


@dataclass(frozen=True)
class Sentinel2(OverviewItemSource):
    """Reflectance, one dataset for each resolution of each item, (time, y, x).

    A pixel that was not observed in one of the bands of its dataset is NaN in all of them.

    Attributes:
        archive: folder of the items.
        product: "sentinel-2-l2a", reflectance of the surface, or "sentinel-2-l1c", of the top of the atmosphere,
            without a scene classification and therefore with clouds.
    """

    product: str = SENTINEL2_L2A
    name: ClassVar[str] = "sentinel2"
    variables: ClassVar[tuple[Variable, ...]] = BANDS

    def open_item(self, record: SceneItem, area: AreaOfInterest, pixel_m: float | None = None) -> Iterator[Layers]:
        """Open the bands of an item."""
        rasters = open_rasters(record, (band.name for band in BANDS), NODATA, SATURATED, pixel_m=pixel_m)
        classes = open_rasters(record, ("scl",), pixel_m=pixel_m).get("scl")
        for grid, bands in by_grid(rasters).items():
            window = grid.window(area)
            if window:
                held = tuple(band for band in BANDS if band.name in bands)
                yield Layers(grid, window, held, partial(_seen, bands, classes), record.time, together=True)


def _seen(bands: Mapping[str, Raster], classes: Raster | None, window: Window, names: Names) -> list[Floats]:
    """Return reflectance of bands on one grid, NaN in all where not all observed the ground."""
    values = {name: band.read(window) for name, band in bands.items()}
    seen = np.logical_and.reduce([np.isfinite(band) for band in values.values()])
    if classes:
        grid = next(iter(bands.values())).grid
        seen &= np.isin(classes.nearest(grid, window), VALID_SCL)
    return [masked(values[name], seen) for name in names]


SPEC = SourceSpec(
    name=Sentinel2.name,
    title="Sentinel-2",
    label="S2",
    variables=BANDS,
    open=Sentinel2,
    missing=1,
    obscured=QualityFlag(9, "CLOUD", "cloud"),
    latency_days=1.0,  # within 24 hours of sensing: timeliness of ESA's systematic production
    max_age_days=30.0,
    items=(
        ItemProduct(
            SENTINEL2_L2A,
            ("sentinel-2-l2a", "sentinel-2-c1-l2a", "sentinel-s2-l2a", "sentinel-s2-l2a-cogs"),
            REFLECTANCES | CLASSES,
            auxiliary=frozenset(CLASSES),
            required={"scl": ("scene classification", "clouds would count as ground")},
        ),
        ItemProduct(SENTINEL2_L1C, ("sentinel-2-l1c", "sentinel-s2-l1c"), REFLECTANCES),
    ),
    item_words=re.compile(r"(^|[^a-z0-9])(s2[a-d]?|sentinel-?2\w*|hls2?)([^a-z0-9]|$)|s2msi"),
    products={band.name: ("Sentinel-2 L2A", "Sentinel-2 L1C") for band in BANDS},
)
