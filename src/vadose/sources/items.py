"""Datasets of STAC items: code common to the sources of items."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from vadose.errors import NoDataError
from vadose.grid import AreaOfInterest, Period
from vadose.sources.archive import Index
from vadose.sources.raster import Raster
from vadose.sources.records import SceneItem
from vadose.sources.replaced import all_replaced_at, by_replacement
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

Parts = Callable[[SceneItem, AreaOfInterest], Iterable[xr.Dataset]]
"""Opens the datasets of an item over an area, one for each native grid that the area touches."""


def open_items(
    index: Index, area: AreaOfInterest, period: Period | None, parts: Parts, variables: tuple[Variable, ...]
) -> tuple[xr.Dataset, ...]:
    """Return the datasets of every item over an area in a period; windows of one scene are joined.

    Args:
        index: of the archive.
        area, period: requested; no period for a static product.
        parts: opens one item.
        variables: of the source.

    Raises:
        NoDataError: there are none.
        VadoseError: an existing file is unreadable.
    """
    datasets = join_windows(
        validate_dataset(_dated(piece.assign_attrs(record.attrs), record, at), variables, index.source, record.id)
        for record in index.find(area, period, replaced=True)
        for part in parts(record, area)
        for piece, at in by_replacement(part, record)
    )
    if not datasets:
        raise index.nothing(area, period, "none of them with a pixel in the area")
    return datasets


def item_files(index: Index, area: AreaOfInterest, period: Period | None) -> tuple[SourceFile, ...]:
    """Return the items that `open_items` reads, with the sizes of their files; the windows of a scene as one."""
    try:
        records = index.find(area, period, replaced=True)
    except NoDataError:
        return ()
    sizes = Counter[tuple[SourceFile, str]]()
    for record in records:
        times = {AVAILABLE_AT: record.available_at, REPLACED_AT: all_replaced_at(record, area)}
        file = SourceFile(record.id, 0, None if period is None else record.time, **times)
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
        record: with local paths.
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
