"""From the records of an archive to datasets that conform: what the sources of items have in common."""

from collections.abc import Callable, Iterable
from pathlib import Path

import xarray as xr

from vadose.errors import NoDataError
from vadose.grid import AreaOfInterest, Period
from vadose.sources.archive import Index
from vadose.sources.raster import Raster
from vadose.sources.records import SceneItem
from vadose.sources.source import (
    AVAILABLE_AT,
    REPLACED_AT,
    SourceFile,
    size_of,
    times_or_never,
    validate_dataset,
)
from vadose.variables import Variable

Parts = Callable[[SceneItem, AreaOfInterest], Iterable[xr.Dataset]]
"""Gives the datasets of an item over an area, one for each native grid that the area touches."""


def open_items(
    index: Index, area: AreaOfInterest, period: Period | None, parts: Parts, variables: tuple[Variable, ...]
) -> tuple[xr.Dataset, ...]:
    """Return the datasets of every item over an area in a period.

    Args:
        index: of the archive.
        area, period: what is asked; no period for a static product.
        parts: opens one item.
        variables: of the source.

    Raises:
        NoDataError: there is none.
        VadoseError: a file is there and cannot be read.
    """
    datasets = [
        validate_dataset(_dated(part.assign_attrs(record.attrs), record), variables, index.source, record.id)
        for record in index.find(area, period, replaced=True)
        for part in parts(record, area)
    ]
    if not datasets:
        raise index.nothing(area, period, "none of them with a pixel in the area")
    return tuple(datasets)


def item_files(index: Index, area: AreaOfInterest, period: Period | None) -> tuple[SourceFile, ...]:
    """Return the items that `open_items` reads, with the sizes of their files."""
    try:
        records = index.find(area, period, replaced=True)
    except NoDataError:
        return ()
    sizes = (sum(size_of(Path(asset.href)) for asset in record.assets) for record in records)
    return tuple(
        SourceFile(
            record.id,
            size,
            None if period is None else record.time,
            available_at=record.available_at,
            replaced_at=record.replaced_at,
        )
        for record, size in zip(records, sizes, strict=True)
    )


def _dated(part: xr.Dataset, record: SceneItem) -> xr.Dataset:
    """Return a dataset that carries when its processing counts, where there are several of the observation."""
    told = {AVAILABLE_AT: record.available_at, REPLACED_AT: record.replaced_at}
    if "time" not in part.dims or not any(at is not None for at in told.values()):
        return part
    return part.assign_coords({name: ("time", times_or_never([at])) for name, at in told.items()})


def open_rasters(record: SceneItem, bands: Iterable[str], *missing: float) -> dict[str, Raster]:
    """Return the files of some bands of an item, by band; those that the item lacks are left out.

    Args:
        record: with local paths.
        bands: names.
        missing: numbers that mean missing, besides those that the item and the files name.

    Raises:
        VadoseError: one cannot be read.
    """
    assets = [asset for asset in map(record.asset, bands) if asset]
    return {asset.band: Raster.open(asset, *missing) for asset in assets}


def units_of(variables: Iterable[Variable]) -> dict[str, str]:
    """Units by name."""
    return {variable.name: variable.units for variable in variables}
