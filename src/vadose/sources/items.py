"""Sources of STAC items: what they have in common."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr

from vadose.errors import NoDataError
from vadose.grid import AreaOfInterest, Period
from vadose.sources.archive import ItemIndex
from vadose.sources.raster import Raster
from vadose.sources.records import SceneItem
from vadose.sources.replaced import all_replaced_at, by_replacement
from vadose.sources.scan import ArchiveScan
from vadose.sources.source import (
    AVAILABLE_AT,
    REPLACED_AT,
    SourceFile,
    size_of,
    times_or_never,
    validate_dataset,
)
from vadose.sources.windows import join_windows
from vadose.variables import Variable


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
    def open_item(self, record: SceneItem, area: AreaOfInterest) -> Iterator[xr.Dataset]:
        """Open an item over an area: one dataset for each native grid that the area touches."""

    @cached_property
    def index(self) -> ItemIndex:
        """Return the items of the archive, found at the first request."""
        return ItemIndex.of(self.archive, self.product)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        """Return the datasets of every item over an area in a period; windows of one scene are joined.

        Raises:
            NoDataError: there are none.
            VadoseError: an existing file is unreadable.
        """
        asked = None if self.static else period
        datasets = join_windows(
            validate_dataset(_dated(piece.assign_attrs(record.attrs), record, at), self.variables, self.name, record.id)
            for record in self.index.find(area, asked, replaced=True)
            for part in self.open_item(record, area)
            for piece, at in by_replacement(part, record)
        )
        if not datasets:
            raise self.index.nothing(area, asked, "none of them with a pixel in the area")
        return datasets

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:
        """Return the items that `open` reads, with the sizes of their files; the windows of a scene as one."""
        try:
            records = self.index.find(area, None if self.static else period, replaced=True)
        except NoDataError:
            return ()
        sizes = Counter[tuple[SourceFile, str]]()
        for record in records:
            times = {AVAILABLE_AT: record.available_at, REPLACED_AT: all_replaced_at(record, area)}
            file = SourceFile(record.id, 0, None if self.static else record.time, **times)
            sizes[file, str(record.attrs.get("processed"))] += sum(size_of(Path(asset.href)) for asset in record.assets)
        return tuple(replace(file, size=size) for (file, _), size in sizes.items())


def _dated(part: xr.Dataset, record: SceneItem, replaced_at: np.datetime64 | None) -> xr.Dataset:
    """Return a dataset with the publication times of its processing, if there are several of the observation."""
    times = {AVAILABLE_AT: record.available_at, REPLACED_AT: replaced_at}
    if "time" not in part.dims or not any(at is not None for at in times.values()):
        return part
    return part.assign_coords({name: ("time", times_or_never([at])) for name, at in times.items()})


def open_rasters(record: SceneItem, bands: Iterable[str], *missing: float) -> dict[str, Raster]:
    """Return the files of some bands of an item, by band, without missing ones.

    Args:
        record: record with local paths.
        bands: names.
        missing: fill values besides those of the item and the files.

    Raises:
        VadoseError: a file is unreadable.
    """
    assets = [asset for asset in map(record.asset, bands) if asset]
    return {asset.band: Raster.open(asset, *missing) for asset in assets}


def units_of(variables: Iterable[Variable]) -> dict[str, str]:
    """Return units by name."""
    return {variable.name: variable.units for variable in variables}
