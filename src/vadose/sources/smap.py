"""SMAP L3 radiometer soil moisture: SPL3SMP at 36 km, SPL3SMP_E at 9 km."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
import rioxarray  # noqa: F401  # gives datasets their `.rio`
import xarray as xr

from vadose.grid import Area, Period
from vadose.refusal import NothingFound
from vadose.sources.granules import Granule, Layer, by_blocks, find, nothing_for, stacked
from vadose.sources.smap_granule import PRODUCTS, Product, read
from vadose.sources.source import conform
from vadose.sources.window import GlobalGrid, Window
from vadose.variables import SMAP, Variable

_MARGIN = 2
_BLOCK = 32
_LOCAL_SOLAR_HOURS = (6.0, 18.0)
_DAY = np.timedelta64(24, "h")
_HALF_ORBIT = np.timedelta64(50, "m")


@dataclass(frozen=True)
class Smap:
    """SMAP L3 soil moisture on EASE-Grid 2.0, a source.

    File names are looked up once. Small windows are read in blocks of 32 x 32 pixels, and the latest 8192 blocks
    (22 years of one place) are kept, by all instances of a process together: at most 134 MB. Neighbouring areas thus
    open no file twice.

    Attributes:
        archive: folder that holds the granules, or folders with them.
        quality: "recommended" keeps the retrievals that the product recommends (bit 0 of retrieval_qual_flag is 0),
            "retrieved" keeps them all.
        grid: the product; "auto" is 9 km when a granule of it lies in the period asked for, and 36 km otherwise.
    """

    archive: Path
    quality: Literal["recommended", "retrieved"] = "recommended"
    grid: Literal["auto", "9km", "36km"] = "auto"

    @property
    def name(self) -> str:
        """The name of the source."""
        return "smap"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Soil moisture alone."""
        return (SMAP,)

    def open(self, area: Area, period: Period) -> tuple[xr.Dataset, ...]:
        """The overpasses of a period, mornings and evenings, over an area and two pixels around it.

        An overpass without a valid value in that window is left out. The time of one is the median of
        tb_time_seconds over its valid pixels there; where the file does not tell it, 06:00 or 18:00 local solar
        time of the area on the UTC day of the granule. To know both, the window of every granule is read at once;
        the values are lazy.

        Raises:
            NothingFound: no granule lies in the period, or none has a valid value there.
            Refusal: a granule is damaged, lacks a group or a variable, or is of another grid or unit.
        """
        product, granules = self._choose(area, period)
        window = product.grid.window(area, _MARGIN, self.name)
        look = _Look(product.grid, window, self.quality, area.geometry.representative_point().x)
        seen = {
            time: (granule, number) for granule in granules for time, number in look.times(granule) if time in period
        }
        if not seen:
            raise NothingFound(
                f"smap: a valid value for {period} in '{area.name}'",
                f"Found none in {len(granules)} granules (quality: {self.quality})",
                "Pass a longer period, or go on without this source",
            )
        releases = sorted({granule.version for granule, _ in seen.values()})
        return (conform(look.dataset(seen), self.variables, self.name, f"{product.name} {' '.join(releases)}"),)

    @cached_property
    def _granules(self) -> dict[str, tuple[Granule, ...]]:
        keys = tuple(PRODUCTS) if self.grid == "auto" else (self.grid,)
        return {key: find(self.archive, PRODUCTS[key].pattern, self.name) for key in keys}

    def _choose(self, area: Area, period: Period) -> tuple[Product, tuple[Granule, ...]]:
        for key, granules in self._granules.items():
            if _during(period, granules, _HALF_ORBIT * 0):
                return PRODUCTS[key], _during(period, granules, _HALF_ORBIT)
        held = [granule for granules in self._granules.values() for granule in granules]
        raise nothing_for(self.name, area, period, held, self.archive)


@dataclass(frozen=True)
class _Look:
    """What is read of each granule.

    Attributes:
        grid: of the product.
        window: pixels that are given.
        quality: as in `Smap`.
        lon: longitude of the area, for the local solar time.
    """

    grid: GlobalGrid
    window: Window
    quality: str
    lon: float

    def times(self, granule: Granule) -> Iterator[tuple[np.datetime64, int]]:
        """Time and number of each overpass of a granule that holds a valid value."""
        for number, (values, seconds) in enumerate(self.day(granule)):
            if np.isfinite(values).any():
                yield granule.time + self._since_midnight(seconds, number), number

    def dataset(self, seen: dict[np.datetime64, tuple[Granule, int]]) -> xr.Dataset:
        """Soil moisture of overpasses, given by time, in order."""
        times = sorted(seen)
        values = stacked(partial(self._layer, [seen[time] for time in times]), len(times), self.window.shape)
        dataset: xr.Dataset = xr.Dataset(
            {SMAP.name: (("time", "y", "x"), values, SMAP.attrs)},
            coords={"time": np.array(times), **self.grid.centres(self.window)},
        ).rio.write_crs(self.grid.epsg)
        return dataset

    def day(self, granule: Granule) -> Layer:
        """What a granule holds of the window: see `read`."""
        key = (granule, self.grid, self.quality)
        return by_blocks(self.grid, self.window, _BLOCK, partial(_kept, *key), partial(read, *key))

    def _layer(self, seen: Sequence[tuple[Granule, int]], index: int) -> Layer:
        granule, number = seen[index]
        return np.asarray(self.day(granule)[number, 0])

    def _since_midnight(self, seconds: Layer, number: int) -> np.timedelta64:
        if np.isfinite(seconds).any():
            return np.timedelta64(round(float(np.nanmedian(seconds)) * 1e9), "ns")
        hours = (_LOCAL_SOLAR_HOURS[number] - self.lon / 15) % 24
        return np.timedelta64(round(hours * 3600e9), "ns")


def _during(period: Period, granules: Sequence[Granule], slack: np.timedelta64) -> tuple[Granule, ...]:
    start, end = period.start - slack, period.end + slack
    return tuple(granule for granule in granules if granule.time < end and start < granule.time + _DAY)


_kept = lru_cache(maxsize=8192)(read)
