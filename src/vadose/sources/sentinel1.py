"""Sentinel-1 backscatter with terrain correction (RTC): gamma0 in linear power, and the incidence angle.

Two products: that of the Planetary Computer, of 10 m by pass, and OPERA RTC-S1, of 30 m by burst (JPL D-108758), which
is read on request alone.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vadose.grid import AreaOfInterest, Period, nanoseconds
from vadose.registry import ItemProduct, SourceSpec
from vadose.sources.archive import ItemIndex
from vadose.sources.incidence import IncidenceModel, tie_points
from vadose.sources.items import OverviewItemSource, open_rasters
from vadose.sources.layers import Layers, masked, read_each
from vadose.sources.raster import Floats, Grid, Raster, by_grid
from vadose.sources.records import SceneItem
from vadose.sources.scan import ArchiveScan
from vadose.sources.stac import SENTINEL1_OPERA, SENTINEL1_RTC
from vadose.sources.window import Window
from vadose.variables import GAMMA0, GAMMA0_OPERA, GAMMA0_RTC, INCIDENCE_ANGLE, SIGMA0, VH, VV, Variable

BANDS = (VV.name, VH.name, INCIDENCE_ANGLE.name)
"""Possible rasters of an item."""
MASK, _SEEN = "mask", 0.0
"""Of OPERA: 1 is shadow, 2 layover, 3 both, 255 beyond the burst."""
_OVERFLIGHT = np.timedelta64(60, "s")
"""Bursts follow one another every 2.8 s; the same ground is seen again after an orbit at least."""


@dataclass(frozen=True)
class Sentinel1(OverviewItemSource):
    """Backscatter gamma0, linear power, and the incidence angle, degrees, one dataset per pass, (time, y, x).

    One product of an archive is read: OPERA RTC-S1 if the archive has no items of the other and they allow it
    (`stac.ALLOWED`). Layover and shadow of OPERA are missing, and the bursts of one overflight are one pass.

    The incidence angle is the item's own raster if it has one (the angle on the terrain, in the collection
    sentinel1-rtc-aws), else that on the ellipsoid from the annotation of the product, if there is one.

    Attributes:
        archive: folder of the items.
    """

    product: str = SENTINEL1_RTC
    name: ClassVar[str] = "sentinel1"
    variables: ClassVar[tuple[Variable, ...]] = (VV, VH, INCIDENCE_ANGLE)

    @cached_property
    def index(self) -> ItemIndex:
        """Return the items of the product that is read."""
        archive = ArchiveScan.of(self.archive)
        usual = ItemIndex.of(archive, self.product)
        opera = ItemIndex.of(archive, SENTINEL1_OPERA)
        return opera if opera.records and not usual.records else usual

    @property
    def products(self) -> dict[str, str]:
        """Return the product of each variable that has several."""
        return dict.fromkeys((VV.name, VH.name), GAMMA0_OPERA if self._is_opera else GAMMA0_RTC)

    @property
    def _is_opera(self) -> bool:
        return self.index.product == SENTINEL1_OPERA

    def open_item(self, record: SceneItem, area: AreaOfInterest, pixel_m: float | None = None) -> Iterator[Layers]:
        """Open the bands of an item."""
        rasters = open_rasters(record, BANDS, pixel_m=pixel_m)
        mask = open_rasters(record, (MASK,), pixel_m=pixel_m).get(MASK)
        annotation = None if INCIDENCE_ANGLE.name in rasters else record.asset("annotation")
        for grid, bands in by_grid(rasters).items():
            window = grid.window(area)
            if window is None:
                continue
            readers: dict[str, Callable[[Window], Floats]] = {
                name: partial(_positive, raster, mask) for name, raster in bands.items()
            }
            if annotation:
                readers[INCIDENCE_ANGLE.name] = partial(_angle, Path(annotation.href), grid)
            held = tuple(variable for variable in self.variables if variable.name in readers)
            yield Layers(grid, window, held, partial(read_each, readers), record.time)

    def passes(self, area: AreaOfInterest, period: Period) -> NDArray[np.datetime64]:
        """Return the times of `open`, each once, in order; many times faster, as only headers are read.

        Raises:
            NoDataError: there are none.
            VadoseError: an existing file is unreadable.
        """
        found = {record.time for record in self.index.find(area, period) if _touches(record, area)}
        if not found:
            raise self.index.nothing(area, period, "none of them with a pixel in the area")
        times = nanoseconds(np.array(sorted(found), "datetime64"))
        return times[np.append(np.diff(times) > _OVERFLIGHT, True)] if self._is_opera else times


def _touches(record: SceneItem, area: AreaOfInterest) -> bool:
    """Return whether a raster of an item has a pixel in an area; mostly the first one suffices."""
    return any(raster.grid.window(area) for band in BANDS for raster in open_rasters(record, (band,)).values())


def _positive(raster: Raster, mask: Raster | None, window: Window) -> Floats:
    values = raster.read(window)
    seen = values > 0
    if mask:
        seen &= mask.nearest(raster.grid, window) == _SEEN
    return masked(values, seen)


def _angle(annotation: Path, grid: Grid, window: Window) -> Floats:
    surface = IncidenceModel.fit(tie_points(annotation), grid.crs)
    return surface.at(grid.x(window), grid.y(window))


_ASSETS = {
    VV.name: ("vv", "gamma0_vv"),
    VH.name: ("vh", "gamma0_vh"),
    INCIDENCE_ANGLE.name: ("incidence",),
    "annotation": ("schema-product-vv", "schema-product-vh", "product_iw_vv", "product_iw_vh"),
}
SPEC = SourceSpec(
    name=Sentinel1.name,
    title="Sentinel-1",
    label="S1",
    variables=Sentinel1.variables,
    open=Sentinel1,
    missing=0,
    latency_days=1.0,  # GRD within 24 hours of sensing: timeliness of ESA's systematic production
    max_age_days=12.0,
    items=(
        ItemProduct(
            SENTINEL1_RTC,
            ("sentinel-1-rtc", "sentinel1-rtc-aws"),
            _ASSETS,
            auxiliary=frozenset({INCIDENCE_ANGLE.name, "annotation"}),
        ),
        ItemProduct(
            SENTINEL1_OPERA,
            ("OPERA_L2_RTC-S1_V1", "opera-s1-rtc-v1"),
            {VV.name: ("VV",), VH.name: ("VH",), INCIDENCE_ANGLE.name: ("incidence_angle",), MASK: ("mask",)},
            auxiliary=frozenset({INCIDENCE_ANGLE.name, MASK}),
            on_request=True,
            required={MASK: ("mask of layover and shadow", "both would count as ground")},
        ),
    ),
    item_words=re.compile(r"(^|[^a-z0-9])(s1[a-d]?|sentinel-?1\w*)([^a-z0-9]|$)|backscatter|gamma0"),
    products=dict.fromkeys((VV.name, VH.name), (GAMMA0_RTC, GAMMA0, SIGMA0, GAMMA0_OPERA)),
)
