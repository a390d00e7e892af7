"""NISAR SME2: soil moisture of L-band radar, 200 m, EASE-Grid 2.0, twice in 12 days."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
import rioxarray  # noqa: F401  # gives datasets their `.rio`
import shapely
import xarray as xr

from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period
from vadose.registry import GranuleNaming, SourceSpec
from vadose.sources.granules import Granule, GranuleIndex, Layer, cached_blocks, item_names, stacked
from vadose.sources.left_out import Unfit
from vadose.sources.nisar_granule import (
    BETA,
    COMPANION,
    GRID,
    LATENCY_DAYS,
    LIKE,
    MATURITY,
    PROVISIONAL,
    Quality,
    Retrieval,
    content,
    read,
    read_name,
    require,
)
from vadose.sources.scan import ArchiveScan
from vadose.sources.source import AVAILABLE_AT, ITEMS, SourceFile, size_of, validate_dataset
from vadose.sources.window import Window
from vadose.variables import NISAR, Variable

_MARGIN = 2
_BLOCK = 128


@dataclass(frozen=True)
class Nisar:
    """NISAR SME2 soil moisture, a source.

    Granules of one maturity are read; those of the other are left out by name, because the two were calibrated
    differently.

    Attributes:
        archive: folder with the granules, or with subfolders of them.
        retrieval: the combined field, or one of the candidate algorithms.
        quality: "recommended" keeps the retrievals that the product recommends (bit 0 of retrievalQualityFlag is 0),
            "retrieved" keeps them all.
        maturity: the maturity that is read.
    """

    archive: Path | ArchiveScan
    retrieval: Retrieval = "combined"
    quality: Quality = "recommended"
    maturity: Literal["PROVISIONAL", "BETA"] = "PROVISIONAL"

    @property
    def name(self) -> str:
        """Return the name of the source."""
        return "nisar"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Return soil moisture alone."""
        return (NISAR,)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        """Return the granules of a period that cover an area, over the box of each part of it and two pixels around it.

        One dataset for each part of the area and each release, one time for each granule, in the middle of its
        acquisition; NaN outside of its frame. The header of each granule is read at once, the values on request.

        Raises:
            NoDataError: no readable granule of the period covers the area.
        """
        found = [
            self._dataset(granules, window)
            for window in self._windows(area)
            for granules in _by_release(self._covering(window, period))
        ]
        if not found:
            raise self._nothing(area, period)
        return tuple(found)

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:
        """Return the granules that `open` reads."""
        granules = dict.fromkeys(one for window in self._windows(area) for one in self._covering(window, period))
        return tuple(
            SourceFile(
                one.path.name,
                size_of(one.path),
                one.time,
                available_at=one.available_at,
                by_catalogue=one.by_catalogue,
            )
            for one in granules
        )

    @cached_property
    def index(self) -> GranuleIndex:
        """Return the granules of the archive; those of another maturity are left out."""
        index = GranuleIndex.of(self.archive, NAMING)
        for granule in index.granules:
            stated = MATURITY[granule.stream]
            if stated != self.maturity:
                reason = Unfit(
                    "another maturity",
                    f"nisar: {granule.path}",
                    f"It is {stated}; {self.maturity} granules are read, and the two are not mixed",
                    f"Download {self.maturity} granules",
                )
                index.leave_out(granule, reason)
        return index

    def fit(self, period: Period | None = None) -> list[Granule]:
        """Return the readable granules, by time; of a period, or all."""
        near = (one for one in self.index.granules if period is None or one.time in period)
        return self.index.fit(near, self._check)

    def _check(self, granule: Granule) -> None:
        require(self.retrieval, content(granule), f"nisar: {granule.path}")

    def _windows(self, area: AreaOfInterest) -> list[Window]:
        parts = shapely.get_parts(area.geometry)
        return [GRID.window(AreaOfInterest(area.name, part), _MARGIN, self.name) for part in parts]

    def _covering(self, window: Window, period: Period) -> list[Granule]:
        """Return the granules whose frame shares pixels with a window."""
        return [one for one in self.fit(period) if _shares(one, window)]

    def _dataset(self, granules: Sequence[Granule], window: Window) -> xr.Dataset:
        parts = list(_by_time(granules).values())
        layer = partial(_layer, self.index, parts, (self.retrieval, self.quality), window)
        dataset = xr.Dataset(
            {NISAR.name: (("time", "y", "x"), stacked(layer, len(parts), window.shape), NISAR.attrs)},
            coords={
                "time": np.array([part[0].time for part in parts]),
                AVAILABLE_AT: ("time", np.array([part[0].available_at for part in parts])),
                ITEMS: ("time", item_names(parts)),
                **GRID.centres(window),
            },
        ).rio.write_crs(GRID.epsg)
        item = f"NISAR SME2 {self.maturity} {release(granules[0])}"
        return validate_dataset(dataset, self.variables, self.name, item)

    def _nothing(self, area: AreaOfInterest, period: Period) -> NoDataError:
        granules = self.fit(period)
        if not granules:
            return self.index.nothing(area, period)
        return NoDataError(
            f"nisar: a granule for {period} over '{area.name}'",
            f"None of {len(granules)} covers it",
            "Download the frames that cover it, or continue without this source",
        )


def _shares(granule: Granule, window: Window) -> bool:
    place = content(granule).placement
    rows, columns = place.rows.numbers, place.columns.numbers
    inside = (rows >= window.top) & (rows < window.bottom)
    return bool(inside.any() and ((columns >= window.left) & (columns < window.right)).any())


def release(granule: Granule) -> str:
    """Return the composite release identifier of a granule."""
    return granule.version.partition("_")[0]


def _by_release(granules: Sequence[Granule]) -> list[list[Granule]]:
    found: dict[str, list[Granule]] = {}
    for granule in granules:
        found.setdefault(release(granule), []).append(granule)
    return list(found.values())


def _by_time(granules: Sequence[Granule]) -> dict[np.datetime64, list[Granule]]:
    found: dict[np.datetime64, list[Granule]] = {}
    for granule in granules:
        found.setdefault(granule.time, []).append(granule)
    return found


def _layer(
    index: GranuleIndex,
    parts: Sequence[Sequence[Granule]],
    how: tuple[Retrieval, Quality],
    window: Window,
    number: int,
) -> Layer:
    """Return soil moisture of a window at one time: each pixel from the first file that contains it."""
    whole = np.full(window.shape, np.nan, np.float32)
    for granule in parts[number]:
        try:
            layer = cached_blocks(GRID, window, _BLOCK, partial(_kept, granule, *how), partial(read, granule, *how))
        except VadoseError as reason:
            index.leave_out(granule, reason)
            continue
        whole = np.where(np.isnan(whole), layer, whole)
    return whole


_kept = lru_cache(maxsize=2048)(read)
"""Blocks of 128 x 128 pixels: at most 134 MB."""

NAMING = GranuleNaming("nisar", (PROVISIONAL, BETA), read_name, LIKE, companion=COMPANION)
SPEC = SourceSpec(
    name="nisar",
    title="NISAR",
    variables=(NISAR,),
    open=Nisar,
    missing=14,
    latency_days=LATENCY_DAYS,
    max_age_days=12.0,
    granules=NAMING,
    products={NISAR.name: ("NISAR SME2 PROVISIONAL",)},
)
