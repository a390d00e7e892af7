"""Sources of STAC items: what they have in common."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import shapely
import xarray as xr

from vadose.errors import NoDataError
from vadose.grid import AreaOfInterest, Period
from vadose.sources.archive import ItemIndex
from vadose.sources.kept_scan import footprint
from vadose.sources.layers import Layers
from vadose.sources.raster import Raster
from vadose.sources.records import SceneItem
from vadose.sources.replaced import all_replaced_at, by_replacement
from vadose.sources.scan import ArchiveScan
from vadose.sources.source import SourceFile, size_of
from vadose.sources.windows import join_windows
from vadose.variables import Variable

CLASS_BANDS = frozenset({"scl", "mask"})
"""Bands of classes, which have no mean."""


@dataclass(frozen=True)
class ItemSource(ABC):
    """Source whose product is found as STAC items; a subclass names the product and opens one item.

    Attributes:
        archive: folder of the items.
        product: name of the product, see `stac.ITEM_PRODUCTS`.
        name: name of the source.
        variables: variables of its datasets.
        static: whether its items count at all times.
    """

    archive: Path | ArchiveScan
    product: str = ""
    name: ClassVar[str]
    variables: ClassVar[tuple[Variable, ...]]
    static: ClassVar[bool] = False

    @abstractmethod
    def open_item(self, record: SceneItem, area: AreaOfInterest) -> Iterator[Layers]:
        """Open an item over an area: the layers on each native grid that the area touches."""

    @cached_property
    def index(self) -> ItemIndex:
        """Return the items of the archive, found at the first request."""
        return ItemIndex.of(self.archive, self.product)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        """Return the datasets of every item over an area in a period; windows of one scene are joined.

        Raises:
            NoDataError, VadoseError: as `layers`.
        """
        return tuple(layers.dataset() for layers in self.layers(area, period))

    def layers(self, area: AreaOfInterest, period: Period) -> tuple[Layers, ...]:
        """Return the layers of every item over an area in a period; windows of one scene are joined.

        Raises:
            NoDataError: there are none.
            VadoseError: an existing file is unreadable.
        """
        asked = None if self.static else period
        records = self.index.find(area, asked, replaced=True)
        found = join_windows(part for record in records for part in self._parts(record, self.open_item(record, area)))
        if not found:
            raise self.index.nothing(area, asked, "none of them with a pixel in the area")
        return found

    def _parts(self, record: SceneItem, opened: Iterable[Layers], **known: object) -> Iterator[Layers]:
        """Yield the layers of an item by their replacement, with what the item states."""
        for layers in opened:
            attrs = record.attrs | known
            described = replace(layers, source=self.name, item=record.id, attrs=attrs, available_at=record.available_at)
            yield from by_replacement(described, record)

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:
        """Return the items that `open` reads, with the sizes of their files; the windows of a scene as one."""
        return self._files(area, None if self.static else period)

    def _files(
        self, area: AreaOfInterest, period: Period | None, sparse_m: float | None = None
    ) -> tuple[SourceFile, ...]:
        try:
            records = self.index.find(area, period, replaced=True, sparse_m=sparse_m)
        except NoDataError:
            return ()
        sizes = Counter[tuple[SourceFile, str]]()
        for record in records:
            file = SourceFile(
                record.id,
                0,
                None if self.static else record.time,
                available_at=record.available_at,
                replaced_at=all_replaced_at(record, area),
                by_catalogue=record.by_catalogue,
            )
            if sparse_m is not None:
                file = replace(file, cloud_cover=cloud_cover_of(record), footprint=footprint_of(record))
            sizes[file, str(record.attrs.get("processed"))] += sum(size_of(Path(asset.href)) for asset in record.assets)
        return tuple(replace(file, size=size) for (file, _), size in sizes.items())


class OverviewItemSource(ItemSource):
    """Source of STAC items that is also read at reduced resolution."""

    @abstractmethod
    def open_item(self, record: SceneItem, area: AreaOfInterest, pixel_m: float | None = None) -> Iterator[Layers]:
        """Open an item as `ItemSource`, with pixels of at most `pixel_m` if given."""

    def overviews(self, area: AreaOfInterest, period: Period, pixel_m: float) -> tuple[Layers, ...]:
        """Return the layers of every item as `layers`, from overviews with pixels of at most `pixel_m`.

        Each has the attributes `footprint` (WKB, degrees) and `cloud_cover` (%).

        Raises:
            NoDataError, VadoseError: as `layers`.
        """
        records = self.index.find(area, period, replaced=True, sparse_m=pixel_m)
        found = join_windows(
            part
            for record in records
            for part in self._parts(
                record,
                self.open_item(record, area, pixel_m),
                cloud_cover=cloud_cover_of(record),
                footprint=footprint_of(record),
            )
        )
        if not found:
            raise self.index.nothing(area, period, "none of them with a pixel in the area")
        return found

    def overview_files(self, area: AreaOfInterest, period: Period, pixel_m: float) -> tuple[SourceFile, ...]:
        """Return the items that `overviews` reads."""
        return self._files(area, period, pixel_m)


def cloud_cover_of(record: SceneItem) -> float:
    """Return the share of clouds in a scene, %; 100 where its item does not state it."""
    return 100.0 if record.cloud_cover is None else record.cloud_cover


def footprint_of(record: SceneItem) -> bytes:
    """Return the ground of a whole scene, degrees, as WKB: its box where its item states no more."""
    return record.footprint or bytes(shapely.to_wkb(footprint(record.scene_bbox or record.bbox)))


def open_rasters(
    record: SceneItem, bands: Iterable[str], *missing: float, pixel_m: float | None = None
) -> dict[str, Raster]:
    """Return the files of some bands of an item, by band, without missing ones.

    Args:
        record: record with local paths.
        bands: names.
        missing: fill values besides those of the item and the files.
        pixel_m: largest size of a pixel at reduced resolution, m; None for full resolution.

    Raises:
        VadoseError: a file is unreadable.
    """
    assets = [asset for asset in map(record.asset, bands) if asset]
    rasters = {asset.band: Raster.open(asset, *missing) for asset in assets}
    if pixel_m is None:
        return rasters
    return {band: raster.coarser(pixel_m, mean=band not in CLASS_BANDS) for band, raster in rasters.items()}
