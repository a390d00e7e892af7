"""GLDAS-2.1 Noah soil moisture of the top 10 cm, 0.25 degrees, 3-hourly: the main stream and the early products."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
import rioxarray  # noqa: F401  # gives datasets their `.rio`
import xarray as xr

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Period
from vadose.registry import GranuleName, GranuleNaming, SourceSpec, Stream
from vadose.sources.gldas_granule import GRID, READ, layout, read
from vadose.sources.granule_names import instant, is_data
from vadose.sources.granules import Granule, GranuleIndex, Layer, cached_blocks, item_names, stacked
from vadose.sources.left_out import Unfit
from vadose.sources.scan import ArchiveScan
from vadose.sources.source import AVAILABLE_AT, ITEMS, REPLACED_AT, SourceFile, size_of, validate_dataset
from vadose.sources.window import Window
from vadose.variables import GLDAS, Variable

MAIN = Stream("GLDAS_NOAH025_3H", 122.0)
EARLY = Stream("GLDAS_NOAH025_3H_EP", 45.0)
"""Latencies. The main stream has rain of GPCP 1.3, available after 3 to 4 months: the longer of the two, four months.
The early products are made without it, after about 1.5 months, and replaced by the main stream (GES DISC, summary of
the dataset GLDAS_NOAH025_3H 2.1, https://cmr.earthdata.nasa.gov/search/concepts/C1342986035-GES_DISC.html).
"""

_STREAMS = (MAIN, EARLY)
_VERSION = "021"
_NAME = re.compile(
    r"GLDAS_NOAH025_3H(?P<early>_EP)?\.A(?P<date>\d{8})\.(?P<clock>\d{4})\.(?P<version>\d{3})(?!\d)(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_LIKE = re.compile(r"GLDAS", re.IGNORECASE)
_KIND = re.compile(r"GLDAS_(?P<kind>[A-Z]+\d*(_DA\d?)?_(3H|D|M)(_EP)?)\.A(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_STEPS = {"3H": "3-hourly", "D": "daily", "M": "monthly"}

_MARGIN = 2
_BLOCK = 64


@dataclass(frozen=True)
class Gldas:
    """GLDAS-2.1 Noah soil moisture, a source.

    File names are scanned once. A granule is one compressed field of the whole Earth, so that a window takes as long as
    all of it. Small windows are therefore read in blocks of 64 x 64 pixels (16 x 16 degrees), and the latest 8192
    blocks (2.8 years of one place) are cached, for all instances of a process together: at most 134 MB.

    An early product is used until the granule of the main stream for the same time is published. Subsets of the
    product's files are read if they are on its grid; several of one time are merged.

    Attributes:
        archive: folder with the granules, or with subfolders of them.
    """

    archive: Path | ArchiveScan

    @property
    def name(self) -> str:
        """Return the name of the source."""
        return "gldas"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Return soil moisture alone."""
        return (GLDAS,)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:
        """Return soil moisture at the times of a period, over an area and two pixels around it, one dataset per stream.

        The header of each granule is read at once, the values on request. An unreadable granule, or one that
        contradicts its units, is left out; see `index`.

        Raises:
            NoDataError: no readable granule is in the period, or the area is south of the product.
        """
        granules = self.index.fit(self._within(period), layout)
        if not granules:
            raise self.index.nothing(area, period)
        window = GRID.window(area, _MARGIN, self.name)
        replaced = dict(zip(granules, self.index.replaced_at(granules), strict=True))
        streams = ([granule for granule in granules if granule.stream == stream] for stream in _STREAMS)
        return tuple(self._dataset(part, window, replaced) for part in streams if part)

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:  # noqa: ARG002 (global files)
        """Return the granules that `open` reads."""
        granules = self.index.fit(self._within(period), lambda _: None)
        replaced = self.index.replaced_at(granules)
        return tuple(
            SourceFile(
                one.path.name,
                size_of(one.path),
                one.time,
                available_at=one.available_at,
                replaced_at=at,
                by_catalogue=one.by_catalogue,
            )
            for one, at in zip(granules, replaced, strict=True)
        )

    def _within(self, period: Period) -> list[Granule]:
        return [granule for granule in self.index.granules if granule.time in period]

    @cached_property
    def index(self) -> GranuleIndex:
        """Return the granules of the archive."""
        return GranuleIndex.of(self.archive, _NAMING)

    def _dataset(
        self, granules: Sequence[Granule], window: Window, replaced: dict[Granule, np.datetime64]
    ) -> xr.Dataset:
        """Return the granules of one stream."""
        stream = granules[0].stream
        at: dict[np.datetime64, list[Granule]] = {}
        for granule in granules:
            at.setdefault(granule.time, []).append(granule)
        parts = list(at.values())
        values = stacked(partial(_layer, self.index, parts, window), len(parts), window.shape)
        dataset = xr.Dataset(
            {GLDAS.name: (("time", "y", "x"), values, GLDAS.attrs)},
            coords={
                "time": np.array(list(at)),
                AVAILABLE_AT: ("time", np.array([part[0].available_at for part in parts])),
                REPLACED_AT: ("time", np.array([replaced[part[0]] for part in parts], "datetime64[ns]")),
                ITEMS: ("time", item_names(parts)),
                **GRID.centres(window),
            },
        ).rio.write_crs(GRID.epsg)
        return validate_dataset(dataset, self.variables, self.name, f"{stream.name} {granules[0].version}")


def read_name(name: str) -> GranuleName | None:
    """Parse the name of a file: a complete granule, a subset, or an address of one.

    Raises:
        Unfit: it belongs to another product of GLDAS, or has no date.
    """
    match = _NAME.search(name)
    if match is None:
        _refuse_other(name)
        return None
    if not is_data(match["rest"]):
        return None
    if match["version"] != _VERSION:
        raise Unfit(
            "another version of GLDAS",
            f"gldas: a file named {name}",
            f"It is version {match['version']}; GLDAS-2.1 is {_VERSION}, and other versions have other forcing",
            "Download GLDAS_NOAH025_3H 2.1",
        )
    stream = EARLY if match["early"] else MAIN
    return GranuleName(stream, instant(name, match["date"], match["clock"]), match["version"])


def _refuse_other(name: str) -> None:
    """Refuse the name of another product of GLDAS; ignore any other name.

    Raises:
        Unfit: it is one.
    """
    match = _KIND.search(name)
    if match is None or not is_data(re.sub(r"^.*?\.\d{3}(?!\d)", "", match["rest"], count=1, flags=re.DOTALL)):
        return
    step = next(words for short, words in _STEPS.items() if re.search(rf"_{short}(_EP)?$", match["kind"].upper()))
    raise Unfit(
        "another product of GLDAS",
        f"gldas: a file named {name}",
        f"It is GLDAS_{match['kind']}, which is {step}; GLDAS_NOAH025_3H and its early products are read",
        "Download GLDAS_NOAH025_3H 2.1",
    )


def _layer(index: GranuleIndex, parts: Sequence[Sequence[Granule]], window: Window, number: int) -> Layer:
    """Return soil moisture of a window at one time: each pixel from the first file that contains it."""
    whole = np.full(window.shape, np.nan, np.float32)
    for granule in parts[number]:
        try:
            layer = cached_blocks(GRID, window, _BLOCK, partial(_kept, granule), partial(read, granule))
        except VadoseError as reason:
            index.leave_out(granule, reason)
            continue
        whole = np.where(np.isnan(whole), layer, whole)
        if not np.isnan(whole).any():
            break
    return whole


_kept = lru_cache(maxsize=8192)(read)

_NAMING = GranuleNaming("gldas", _STREAMS, read_name, _LIKE, READ)
SPEC = SourceSpec(
    name="gldas",
    title="GLDAS",
    variables=(GLDAS,),
    open=Gldas,
    missing=5,
    latency_days=EARLY.latency_days,
    max_age_days=1.0,
    granules=_NAMING,
    products={GLDAS.name: ("GLDAS-2.1 Noah",)},
)
