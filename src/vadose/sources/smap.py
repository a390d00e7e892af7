"""SMAP L3 radiometer soil moisture: SPL3SMP at 36 km, SPL3SMP_E at 9 km."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
import rioxarray  # noqa: F401  # gives datasets their `.rio`
import shapely
import xarray as xr
from numpy.typing import NDArray

from vadose.grid import Area, Period
from vadose.refusal import NothingFound
from vadose.sources.granules import Granule, Layer, by_blocks, find, nothing_for, stacked
from vadose.sources.smap_granule import DAY, PRODUCTS, SPILL, SURFACE, Product, read
from vadose.sources.source import conform
from vadose.sources.window import GlobalGrid, Window
from vadose.variables import FROZEN, SMAP, Variable

_MARGIN = 2
_BLOCK = 32


@dataclass(frozen=True)
class Smap:
    """SMAP L3 soil moisture on EASE-Grid 2.0, a source.

    File names are looked up once. Small windows are read in blocks of 32 x 32 pixels, and the latest 8192 blocks
    (22 years of one place) are kept, by all instances of a process together: at most 134 MB. Neighbouring areas thus
    open no file twice. Of larger windows the last one read is kept.

    Attributes:
        archive: folder that holds the granules, or folders with them.
        quality: "recommended" keeps the retrievals that the product recommends (bit 0 of retrieval_qual_flag is 0),
            "retrieved" keeps them all.
        grid: the product; "auto" is, day by day, 9 km where the archive has a granule of it, and 36 km otherwise.
        reads: soil moisture; or whether the ground was flagged as frozen or under snow, whatever the quality.
    """

    archive: Path
    quality: Literal["recommended", "retrieved"] = "recommended"
    grid: Literal["auto", "9km", "36km"] = "auto"
    reads: Variable = SMAP

    @property
    def name(self) -> str:
        """The name of the source."""
        return "smap" if self.reads == SMAP else "smap_surface"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Soil moisture alone, or its flags alone."""
        return (self.reads,)

    def open(self, area: Area, period: Period) -> tuple[xr.Dataset, ...]:
        """What the overpasses of a period saw, over the box of each part of an area and two pixels around it.

        One dataset for each product that has a day of the period. The time of a pixel is its own tb_time_seconds,
        rounded up to a half hour, so that no value is given for a moment before it was observed; where the file does
        not tell it, 06:00 or 18:00 local solar time at the pixel, on the UTC day of the granule, rounded likewise. An
        overpass that crosses a half hour thus has two times, each with the pixels of its own. What a pixel holds, and
        when, depends on neither the area nor the period. To know the times, the window of every granule is read at
        once; the values are lazy.

        Raises:
            NothingFound: no granule lies in the period, or none has a valid value there.
            Refusal: a granule is damaged, lacks a group or a variable, or is of another grid or unit.
        """
        datasets = []
        for key, granules in self._granules.items():
            near = [granule for granule in granules if _overlaps(granule, period, SPILL)]
            if near and (dataset := self._dataset(PRODUCTS[key], near, area, period)) is not None:
                datasets.append(dataset)
        if not datasets:
            raise self._nothing(area, period)
        return tuple(datasets)

    @cached_property
    def _granules(self) -> dict[str, tuple[Granule, ...]]:
        """By product the granules of its days; no day is in two of them."""
        keys = tuple(PRODUCTS) if self.grid == "auto" else (self.grid,)
        chosen: dict[str, tuple[Granule, ...]] = {}
        taken: set[np.datetime64] = set()
        for key in keys:
            found = find(self.archive, PRODUCTS[key].pattern, self.name)
            chosen[key] = tuple(granule for granule in found if granule.time not in taken)
            taken |= {granule.time for granule in chosen[key]}
        return chosen

    def _dataset(self, product: Product, granules: list[Granule], area: Area, period: Period) -> xr.Dataset | None:
        look = _Look.of(product.grid, area, self.quality if self.reads == SMAP else SURFACE, self.reads)
        seen: dict[np.datetime64, list[Granule]] = {}
        for granule in granules:
            for time in look.times(granule):
                if time in period:
                    seen.setdefault(time, []).append(granule)
        if not seen:
            return None
        releases = sorted({granule.version for sharing in seen.values() for granule in sharing})
        return conform(look.dataset(seen), self.variables, self.name, f"{product.name} {' '.join(releases)}")

    def _nothing(self, area: Area, period: Period) -> NothingFound:
        held = [granule for granules in self._granules.values() for granule in granules]
        inside = [granule for granule in held if _overlaps(granule, period)]
        if not inside:
            return nothing_for(self.name, area, period, held, self.archive)
        return NothingFound(
            f"smap: a valid value for {period} in '{area.name}'",
            f"Found none in {len(inside)} granules (quality: {self.quality})",
            "Pass a longer period, or go on without this source",
        )


@dataclass(frozen=True, eq=False)
class _Look:
    """What is read of each granule.

    Attributes:
        grid: of the product.
        window: pixels that are given.
        near: which of them lie near a part of the area, (y, x); the others stay empty, such as those between the two
            parts of an area on both sides of the antimeridian.
        quality: as in `Smap`.
        reads: as in `Smap`.
    """

    grid: GlobalGrid
    window: Window
    near: NDArray[np.bool_]
    quality: str
    reads: Variable

    @classmethod
    def of(cls, grid: GlobalGrid, area: Area, quality: str, reads: Variable) -> "_Look":
        window = grid.window(area, _MARGIN, "smap")
        near = np.zeros(window.shape, bool)
        for part in shapely.get_parts(area.geometry):
            near[grid.window(Area(area.name, part), _MARGIN, "smap").within(window)] = True
        return cls(grid, window, near, quality, reads)

    def times(self, granule: Granule) -> NDArray[np.datetime64]:
        """The times at which a granule holds a valid value, ascending."""
        values, minutes = np.moveaxis(self._day(granule), 1, 0)
        found = np.unique(minutes[np.isfinite(values) & self.near])
        return granule.time + found.astype("timedelta64[m]")

    def dataset(self, seen: dict[np.datetime64, list[Granule]]) -> xr.Dataset:
        """What is read at each time, of the granules that hold it."""
        times = sorted(seen)
        values = stacked(partial(self._layer, [(time, seen[time]) for time in times]), len(times), self.window.shape)
        dataset: xr.Dataset = xr.Dataset(
            {self.reads.name: (("time", "y", "x"), values, self.reads.attrs)},
            coords={"time": np.array(times), **self.grid.centres(self.window)},
        ).rio.write_crs(self.grid.epsg)
        return dataset

    def _layer(self, seen: Sequence[tuple[np.datetime64, list[Granule]]], index: int) -> Layer:
        """What was seen at one time; of two values for a pixel the one of the later group or granule."""
        time, granules = seen[index]
        layer = np.full(self.window.shape, np.nan, np.float32)
        for granule in granules:
            minute = (time - granule.time) / np.timedelta64(1, "m")
            for values, minutes in self._day(granule):
                seen_now = (minutes == minute) & self.near
                layer[seen_now] = values[seen_now]
        return layer

    def _day(self, granule: Granule) -> Layer:
        """What a granule holds of the window: see `read`."""
        key = (granule, self.grid, self.quality)
        return by_blocks(self.grid, self.window, _BLOCK, partial(_kept, *key), partial(_last, *key))


def smap_surface(archive: Path) -> Smap:
    """Where SMAP found the ground frozen or under snow, a source."""
    return Smap(archive, reads=FROZEN)


def _overlaps(granule: Granule, period: Period, spill: np.timedelta64 = DAY * 0) -> bool:
    return bool(granule.time - spill < period.end and period.start - spill < granule.time + DAY)


_kept = lru_cache(maxsize=8192)(read)
_last = lru_cache(maxsize=1)(read)
