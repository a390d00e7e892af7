"""SMAP L3 radiometer soil moisture: SPL3SMP at 36 km, SPL3SMP_E at 9 km."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
import rioxarray  # noqa: F401  # gives datasets their `.rio`
import shapely
import xarray as xr
from numpy.typing import NDArray

from vadose.errors import NoDataError
from vadose.grid import AreaOfInterest, Period
from vadose.registry import GranuleName, GranuleNaming, Mask, QualityFlag, SourceSpec
from vadose.sources.granule_names import instant, is_data
from vadose.sources.granules import Granule, GranuleIndex, Layer, cached_blocks, item_names, stacked
from vadose.sources.left_out import Unfit
from vadose.sources.scan import ArchiveScan
from vadose.sources.smap_granule import DAY, LATENCY_DAYS, PRODUCTS, READ, SPILL, SURFACE, Product, placement, read
from vadose.sources.source import AVAILABLE_AT, ITEMS, SourceFile, size_of, times_or_never, validate_dataset
from vadose.sources.window import GlobalGrid, Window
from vadose.variables import ENHANCED_SMAP, FROZEN, SMAP, SMAP_USDA, SPL3SMP, Variable

_NAME = re.compile(
    r"SMAP_L3_SM_P(?P<fine>_E)?_(?P<date>\d{8})_(?P<version>R\d+_\d+)(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_LIKE = re.compile(r"SMAP_L|SPL[1-4]", re.IGNORECASE)
_KIND = re.compile(r"(?P<kind>SMAP_L[1-4][A-C]?(_[A-Z]+)+)_(?P<rest>.*)", re.IGNORECASE | re.DOTALL)

_STREAMS = tuple(product.stream for product in PRODUCTS.values())
_MARGIN = 2
_BLOCK = 32


@dataclass(frozen=True)
class Smap:
    """SMAP L3 soil moisture on EASE-Grid 2.0, a source.

    File names are scanned once. Small windows are read in blocks of 32 x 32 pixels, and the latest 8192 blocks (22
    years of one place) are cached, for all instances of a process together: at most 134 MB. Thus neighbouring areas
    open no file twice. Of larger windows the last one is cached.

    Attributes:
        archive: folder with the granules, or with subfolders of them.
        quality: "recommended" keeps the retrievals that the product recommends (bit 0 of retrieval_qual_flag is 0),
            "retrieved" keeps them all.
        grid: the product; "auto" is, day by day, 9 km if the archive has a granule of it, and 36 km otherwise.
        reads: soil moisture; or whether the ground was flagged as frozen or under snow, of any quality.
    """

    archive: Path | ArchiveScan
    quality: Literal["recommended", "retrieved"] = "recommended"
    grid: Literal["auto", "9km", "36km"] = "auto"
    reads: Variable = SMAP

    @property
    def name(self) -> str:
        """Return the name of the source."""
        return "smap" if self.reads == SMAP else "smap_surface"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Return soil moisture alone, or its flags alone."""
        return (self.reads,)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        """Return the observations of the overpasses of a period, over the box of each part of an area and two pixels
        around it.

        One dataset for each product with a day of the period. The time of a pixel is its own tb_time_seconds, rounded
        up to a half hour, so that no value is given for a time before its observation; without it, 06:00 or 18:00 local
        solar time at the pixel, on the UTC day of the granule, rounded likewise. An overpass that crosses a half hour
        thus has two times, each with its own pixels. Value and time of a pixel depend on neither the area nor the
        period. For the times, the window of every granule is read at once; the values are lazy.

        Raises:
            NoDataError: no readable granule is in the period, or none has a valid value there.
        """
        chosen = self._chosen(area, period, _SmapReader.times)
        found = [self._dataset(product, reader, fit, period) for product, reader, fit in chosen]
        datasets = tuple(dataset for dataset in found if dataset is not None)
        if not datasets:
            raise self._nothing(area, period)
        return datasets

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:
        """Return the granules that `open` reads, including those of the days around the period."""
        granules = [one for _, _, fit in self._chosen(area, period, None) for one in fit]
        return tuple(
            SourceFile(
                one.path.name,
                size_of(one.path),
                one.time,
                one.time - SPILL,
                one.time + DAY + SPILL,
                available_at=one.available_at,
                by_catalogue=one.by_catalogue,
            )
            for one in granules
        )

    def _chosen(
        self, area: AreaOfInterest, period: Period, read: Callable[["_SmapReader", Granule], object] | None
    ) -> Iterator[tuple[Product, "_SmapReader", list[Granule]]]:
        """Yield the granules of each product with possible observations of a period, of every day those of one product.

        Args:
            area, period: requested.
            read: refuses an unreadable granule; by default only those are opened that another could replace.
        """
        near = {product: self._near(product, period) for product in self._products}
        taken: set[np.datetime64] = set()
        for place, product in enumerate(near):
            reader = _SmapReader.of(product.grid, area, self.quality if self.reads == SMAP else SURFACE, self.reads)
            others = {granule.time for later in list(near)[place + 1 :] for granule in near[later]}

            def check(granule: Granule, reader: _SmapReader = reader, others: set[np.datetime64] = others) -> None:
                if read is not None:
                    read(reader, granule)
                elif granule.time in others:
                    reader.covered_by(granule)

            fit = self.index.fit((one for one in near[product] if one.time not in taken), check)
            covering = {one.time for one in fit if one.time in others and reader.covered_by(one)}
            taken |= covering
            yield product, reader, [one for one in fit if one.time not in others or one.time in covering]

    @cached_property
    def index(self) -> GranuleIndex:
        """Return the granules of the archive."""
        return GranuleIndex.of(self.archive, _NAMING)

    @property
    def _products(self) -> tuple[Product, ...]:
        """Return the products to be read, the preferred one first."""
        return tuple(PRODUCTS.values()) if self.grid == "auto" else (PRODUCTS[self.grid],)

    def _near(self, product: Product, period: Period) -> list[Granule]:
        """Return the granules of a product with possible observations of a period."""
        mine = (granule for granule in self.index.granules if granule.stream == product.stream)
        return [granule for granule in mine if _overlaps(granule, period, SPILL)]

    def _dataset(
        self, product: Product, reader: "_SmapReader", granules: list[Granule], period: Period
    ) -> xr.Dataset | None:
        seen: dict[np.datetime64, list[Granule]] = {}
        for granule in granules:
            for time in reader.times(granule):
                if time in period:
                    seen.setdefault(time, []).append(granule)
        if not seen:
            return None
        releases = sorted({granule.version for sharing in seen.values() for granule in sharing})
        dataset = reader.dataset(seen)
        stated = times_or_never(_stated(seen[time]) for time in dataset["time"].values)
        if not np.isnat(stated).all():
            dataset = dataset.assign_coords({AVAILABLE_AT: ("time", stated)})
        return validate_dataset(dataset, self.variables, self.name, f"{product.stream.name} {' '.join(releases)}")

    def _nothing(self, area: AreaOfInterest, period: Period) -> NoDataError:
        left_out = {entry.name for entry in self.index.left_out}
        inside = [one for product in self._products for one in self._near(product, period) if _overlaps(one, period)]
        if not inside or all(granule.path.name in left_out for granule in inside):
            return self.index.nothing(area, period)
        return NoDataError(
            f"smap: a valid value for {period} in '{area.name}'",
            f"Found none in {len(inside)} granules (quality: {self.quality})",
            "Give a longer period, or continue without this source",
        )


def _stated(granules: Iterable[Granule]) -> np.datetime64 | None:
    """Return when the last of some granules was published, by its catalogue; None where that of one is unknown."""
    times = [granule.available_at if granule.by_catalogue else None for granule in granules]
    known = [time for time in times if time is not None]
    return max(known) if len(known) == len(times) else None


@dataclass(frozen=True, eq=False)
class _SmapReader:
    """Reading of each granule.

    Attributes:
        grid: grid of the product.
        window: pixels to be returned.
        near: which of them are near a part of the area, (y, x); the others remain empty, such as those between the two
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
    def of(cls, grid: GlobalGrid, area: AreaOfInterest, quality: str, reads: Variable) -> "_SmapReader":
        window = grid.window(area, _MARGIN, "smap")
        near = np.zeros(window.shape, bool)
        for part in shapely.get_parts(area.geometry):
            near[grid.window(AreaOfInterest(area.name, part), _MARGIN, "smap").within(window)] = True
        return cls(grid, window, near, quality, reads)

    def times(self, granule: Granule) -> NDArray[np.datetime64]:
        """Return the times at which a granule has a valid value, ascending."""
        values, minutes = np.moveaxis(self._day(granule), 1, 0)
        found = np.unique(minutes[np.isfinite(values) & self.near])
        return granule.time + found.astype("timedelta64[m]")

    def covered_by(self, granule: Granule) -> bool:
        """Return whether a granule, possibly a subset, contains a part of the window."""
        place = placement(granule, self.grid)
        rows, columns = place.rows.numbers, place.columns.numbers
        inside = (rows >= self.window.top) & (rows < self.window.bottom)
        return bool(inside.any() and ((columns >= self.window.left) & (columns < self.window.right)).any())

    def dataset(self, seen: dict[np.datetime64, list[Granule]]) -> xr.Dataset:
        """Return the values at each time, from the granules that contain it."""
        times = sorted(seen)
        values = stacked(partial(self._layer, [(time, seen[time]) for time in times]), len(times), self.window.shape)
        dataset: xr.Dataset = xr.Dataset(
            {self.reads.name: (("time", "y", "x"), values, self.reads.attrs)},
            coords={
                "time": np.array(times),
                ITEMS: ("time", item_names(seen[time] for time in times)),
                **self.grid.centres(self.window),
            },
        ).rio.write_crs(self.grid.epsg)
        return dataset

    def _layer(self, seen: Sequence[tuple[np.datetime64, list[Granule]]], index: int) -> Layer:
        """Return the values at one time; of two values for a pixel that of the later group or granule."""
        time, granules = seen[index]
        layer = np.full(self.window.shape, np.nan, np.float32)
        for granule in granules:
            minute = (time - granule.time) / np.timedelta64(1, "m")
            for values, minutes in self._day(granule):
                seen_now = (minutes == minute) & self.near
                layer[seen_now] = values[seen_now]
        return layer

    def _day(self, granule: Granule) -> Layer:
        """Return the values of a granule in the window: see `read`."""
        key = (granule, self.grid, self.quality)
        return cached_blocks(self.grid, self.window, _BLOCK, partial(_kept, *key), partial(_last, *key))


def smap_surface(archive: Path | ArchiveScan) -> Smap:
    """Frozen ground and snow in SMAP's surface flags, a source."""
    return Smap(archive, reads=FROZEN)


def read_name(name: str) -> GranuleName | None:
    """Parse the name of a file: a complete granule, a subset, or an address of one.

    Raises:
        Unfit: it belongs to another product of SMAP, or has no date.
    """
    match = _NAME.search(name)
    if match is not None:
        if not is_data(match["rest"]):
            return None
        stream = PRODUCTS["9km" if match["fine"] else "36km"].stream
        return GranuleName(stream, instant(name, match["date"]), match["version"].upper())
    other = _KIND.search(name)
    if other is not None and is_data(re.sub(r"^[^.]*", "", other["rest"], count=1)):
        raise Unfit(
            "another product of SMAP",
            f"smap: a file named {name}",
            f"It is {other['kind']}; level 3 soil moisture is read, SMAP_L3_SM_P and SMAP_L3_SM_P_E with a release R",
            "Download SPL3SMP or SPL3SMP_E",
        )
    return None


def _overlaps(granule: Granule, period: Period, spill: np.timedelta64 = DAY * 0) -> bool:
    return bool(granule.time - spill < period.end and period.start - spill < granule.time + DAY)


_kept = lru_cache(maxsize=8192)(read)
_last = lru_cache(maxsize=1)(read)

_NAMING = GranuleNaming("smap", _STREAMS, read_name, _LIKE, READ)
SPEC = SourceSpec(
    name="smap",
    title="SMAP",
    variables=(SMAP,),
    open=Smap,
    missing=4,
    latency_days=LATENCY_DAYS,
    max_age_days=3.0,
    spill_days=1.0,
    granules=_NAMING,
    table_variables=(SMAP_USDA,),
    products={SMAP.name: (SPL3SMP,), SMAP_USDA.name: (ENHANCED_SMAP,)},
    distinct=(frozenset({SMAP.name, SMAP_USDA.name}),),
)
SURFACE_SPEC = SourceSpec(
    name="smap_surface",
    title="SMAP surface flags",
    variables=(FROZEN,),
    open=smap_surface,
    masks=(Mask(FROZEN, 0.5, QualityFlag(11, "FROZEN", "frost or snow")),),
    latency_days=LATENCY_DAYS,
    max_age_days=3.0,
    files_of="smap",
    spill_days=1.0,
)
