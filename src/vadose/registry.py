"""Registry of sources: variables, file patterns, latency, maximum age and quality flags."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from vadose.errors import VadoseError
from vadose.variables import Variable

BUILT_IN = (
    "vadose.sources.sentinel1:SPEC",
    "vadose.sources.sentinel2:SPEC",
    "vadose.sources.dem:SPEC",
    "vadose.sources.soilgrids:SPEC",
    "vadose.sources.smap:SPEC",
    "vadose.sources.gldas:SPEC",
    "vadose.sources.nisar:SPEC",
    "vadose.sources.worldcover:SPEC",
    "vadose.sources.smap:SURFACE_SPEC",
)
"""Sources of an archive, one line each, imported when the registry is first read; a new source is added here."""

OTHER_MAX_AGE_DAYS = 10.0
NOT_STATED = "not stated"
"""Product of a predictor that is not stated."""
_T = TypeVar("_T")


class QualityFlag(int):
    """One bit of a quality value.

    Attributes:
        bit: number of the bit, 0 to 30.
        name: name in files and code, upper case.
        words: words in figures and reports.
    """

    bit: int
    name: str
    words: str

    def __new__(cls, bit: int, name: str, words: str) -> "QualityFlag":
        """Return the flag of one bit."""
        flag = super().__new__(cls, 1 << bit)
        flag.bit, flag.name, flag.words = bit, name, words
        return flag

    def __repr__(self) -> str:
        return f"<Quality.{self.name}: {int(self)}>"

    def __str__(self) -> str:
        return str(int(self))

    @property
    def value(self) -> int:
        """Return the bit as a number."""
        return int(self)


@dataclass(frozen=True)
class ItemProduct:
    """A product that is found as STAC items.

    Attributes:
        name: name of the product.
        collections: identifiers of the STAC collections that contain it.
        bands: keys of the assets that may contain each band.
        auxiliary: bands that are useless without the others.
        static: whether its items have no time of observation.
        on_request: whether its items are read only if they permit it (`stac.ALLOWED`).
        required: bands without which an item is refused, each with its title and the consequence of its absence.
    """

    name: str
    collections: tuple[str, ...]
    bands: Mapping[str, tuple[str, ...]]
    auxiliary: frozenset[str] = frozenset()
    static: bool = False
    on_request: bool = False
    required: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def measured(self) -> frozenset[str]:
        """Return the bands without which an item is useless."""
        return frozenset(self.bands) - self.auxiliary


@dataclass(frozen=True)
class Stream:
    """A processing stream of a granule product.

    Attributes:
        name: short name of its granules, for provenance.
        latency_days: days from the time of a granule until it is published.
    """

    name: str
    latency_days: float


@dataclass(frozen=True)
class GranuleName:
    """The name of a granule, parsed.

    Attributes:
        stream: line of production.
        time: the instant, or the start of the day, UTC.
        version: release; of two files of one stream for one time, the later release is used.
    """

    stream: Stream
    time: np.datetime64
    version: str


@dataclass(frozen=True)
class GranuleNaming:
    """Recognition of the granules of a source by their file names, and the datasets that are read of them.

    Attributes:
        source: name of the source.
        streams: processing streams; of two granules of one time, that of the earlier stream is used, once published.
        read: parses a file name; None for a file of another kind, `Unfit` for a granule that is not read.
        like: pattern of file names of the product family.
        datasets: for each dataset that is read, its possible paths in a granule, of which the first that exists is
            used; empty if not stated.
        companion: pattern of the names of data files that accompany granules and are ignored; None without any.
    """

    source: str
    streams: tuple[Stream, ...]
    read: Callable[[str], GranuleName | None]
    like: re.Pattern[str]
    datasets: tuple[tuple[str, ...], ...] = ()
    companion: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Mask:
    """A variable that flags cells of a map.

    Attributes:
        variable: share of the cell, 0..1.
        share: threshold from which a cell is flagged.
        flag: flag that is set.
    """

    variable: Variable
    share: float
    flag: QualityFlag


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceSpec:
    """Description of a source, except the code of its reader.

    Attributes:
        name: name in stores, configurations, flags and messages.
        title: title in reports.
        label: label in the tables of an ablation; the title if empty.
        variables: those read from an archive.
        open: opens the source in a folder, or in an `Archive`.
        missing: bit of the flag for its absence; None for a source of masks, which no network reads.
        missing_words: words of that flag in figures; "no <title>" if empty.
        obscured: flag of a cell of which less than half was observed; None for a source without partial views.
        masks: flags that its variables set in maps.
        latency_days: days from an observation to its publication; None for a static source.
        max_age_days: maximum age of an observation, days.
        items: products that it reads from STAC items.
        item_words: pattern of the collections and identifiers of this kind of data, read or not.
        granules: recognition of its granules; None for a source without granules.
        table_variables: predictors of the same role that only tables have.
        products: products, levels and conventions by variable; that of an archive first.
        any_product: whether a table may name any other product.
        distinct: predictors of one role that are different quantities and do not replace one another.
        files_of: name of the source whose files it reads; empty for one with files of its own.
        spill_days: time beside a period whose files may contain observations of it, days.
    """

    name: str
    title: str
    label: str = ""
    variables: tuple[Variable, ...]
    open: Callable[[Any], Any]
    missing: int | None = None
    missing_words: str = ""
    obscured: QualityFlag | None = None
    masks: tuple[Mask, ...] = ()
    latency_days: float | None = None
    max_age_days: float = OTHER_MAX_AGE_DAYS
    items: tuple[ItemProduct, ...] = ()
    item_words: re.Pattern[str] | None = None
    granules: GranuleNaming | None = None
    table_variables: tuple[Variable, ...] = ()
    products: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    any_product: bool = False
    distinct: tuple[frozenset[str], ...] = ()
    files_of: str = ""
    spill_days: float = 0.0

    @property
    def flags(self) -> tuple[QualityFlag, ...]:
        """Return all quality flags of the source."""
        words = self.missing_words or f"no {self.title}"
        own = () if self.missing is None else (QualityFlag(self.missing, f"{self.name.upper()}_MISSING", words),)
        return (*own, *((self.obscured,) if self.obscured else ()), *(mask.flag for mask in self.masks))


@dataclass(eq=False)
class _Registry:
    """Specifications in order, loaded at the first request."""

    waiting: list[str]
    held: dict[str, SourceSpec] = field(default_factory=dict)
    specs: tuple[SourceSpec, ...] = ()
    lock: RLock = field(default_factory=RLock)

    def all(self) -> tuple[SourceSpec, ...]:
        if self.waiting:
            with self.lock:
                while self.waiting:
                    module, _, name = self.waiting[0].partition(":")
                    self.add(getattr(import_module(module), name))
                    self.waiting.pop(0)
        return self.specs

    def add(self, spec: SourceSpec) -> None:
        taken = {flag.bit: flag.name for flag in (*GENERAL_FLAGS, *(f for held in self.specs for f in held.flags))}
        owned = {one.name for held in self.specs for one in _variables(held)}
        clashes = [
            *(f"bit {flag.bit} is {taken[flag.bit]}" for flag in spec.flags if flag.bit in taken),
            *(f"the flag {flag.name} exists" for flag in spec.flags if flag.name in taken.values()),
            *(f"bit {flag.bit} is not in 0..{LAST_BIT}" for flag in spec.flags if not 0 <= flag.bit <= LAST_BIT),
            *(f"{name} belongs to another source" for name in sorted(owned & {one.name for one in _variables(spec)})),
            *([f"the source {spec.name} exists"] if spec.name in self.held else []),
        ]
        if clashes:
            raise VadoseError(
                f"sources: registration of '{spec.name}'", "; ".join(clashes), "Choose free bits and names"
            )
        self.held[spec.name] = spec
        self.specs = tuple(self.held.values())

    def remove(self, name: str) -> None:
        del self.held[name]
        self.specs = tuple(self.held.values())


def _variables(spec: SourceSpec) -> tuple[Variable, ...]:
    return (*spec.variables, *spec.table_variables)


LAST_BIT = 30
"""Highest bit of quality; bit 31 is reserved for cells outside a map."""
GENERAL_FLAGS = (
    QualityFlag(6, "HISTORY_SHORT", "short history"),
    QualityFlag(7, "OUT_OF_DOMAIN", "out of domain"),
    QualityFlag(8, "STALE", "old data"),
    QualityFlag(10, "STEEP", "steep ground"),
)
"""Flags that belong to no single source: fewer than half of the history's steps observed; inputs far from the training
samples; an observation older than half of the maximum age; a mean slope of 15 degrees or more within the cell.
"""
_REGISTRY = _Registry(list(BUILT_IN))


def source_specs() -> tuple[SourceSpec, ...]:
    """Every registered source, in the order of registration."""
    return _REGISTRY.all()


def register(spec: SourceSpec) -> SourceSpec:
    """Register a source for all rooms.

    Raises:
        VadoseError: its name, a variable or the bit of a flag belongs to another source.
    """
    source_specs()
    _REGISTRY.add(spec)
    return spec


@contextmanager
def registered(spec: SourceSpec) -> Iterator[SourceSpec]:
    """Register a source temporarily.

    Raises:
        VadoseError: as `register`.
    """
    register(spec)
    try:
        yield spec
    finally:
        _REGISTRY.remove(spec.name)


class View(Mapping[str, _T]):
    """A mapping derived from the registered sources, renewed when one is added."""

    def __init__(self, build: Callable[[tuple[SourceSpec, ...]], dict[str, _T]]) -> None:
        self._build = build
        self._specs: tuple[SourceSpec, ...] | None = None
        self._held: dict[str, _T] = {}

    @property
    def _now(self) -> dict[str, _T]:
        specs = source_specs()
        if specs is not self._specs:
            self._specs, self._held = specs, self._build(specs)
        return self._held

    def __getitem__(self, key: str) -> _T:
        return self._now[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def __repr__(self) -> str:
        return repr(self._now)


SPECS: Mapping[str, SourceSpec] = View(lambda specs: {spec.name: spec for spec in specs})
"""Every registered source by its name."""
SOURCES: Mapping[str, tuple[Variable, ...]] = View(
    lambda specs: {spec.name: spec.variables for spec in specs if spec.missing is not None}
)
"""Variables of each archive source that a network may read."""
MASK_VARIABLES: Mapping[str, tuple[Variable, ...]] = View(
    lambda specs: {spec.name: spec.variables for spec in specs if spec.missing is None}
)
"""Variables that only the flags of maps require."""
LATENCY_DAYS: Mapping[str, float] = View(
    lambda specs: {spec.name: spec.latency_days for spec in specs if spec.latency_days is not None}
)
"""Days from an observation to the first publication of each source; the other sources are static. A dataset of a
product that is published later has its own time of publication (`sources.source.AVAILABLE_AT`).
"""
PREDICTORS: Mapping[str, Variable] = View(
    lambda specs: (
        {variable.name: variable for spec in specs for variable in spec.variables if spec.missing is not None}
        | {variable.name: variable for spec in specs for variable in spec.table_variables}
    )
)
"""Variables that a model may read, by name."""
VARIABLES: Mapping[str, Variable] = View(lambda specs: {one.name: one for spec in specs for one in _variables(spec)})
"""Variables of sources, by name."""
PRODUCTS: Mapping[str, tuple[str, ...]] = View(
    lambda specs: {name: products for spec in specs for name, products in spec.products.items()}
)
"""Products, levels and conventions of a predictor; the first is that of an archive's files."""
ARCHIVE_PRODUCTS: Mapping[str, str] = View(
    lambda specs: {
        name: products[0]
        for spec in specs
        for name, products in spec.products.items()
        if any(variable.name == name for variable in spec.variables)
    }
)
"""Product of each predictor in an archive."""
_SOURCE_OF: Mapping[str, str] = View(
    lambda specs: {variable.name: spec.name for spec in specs for variable in _variables(spec)}
)
_FLAGS: Mapping[str, QualityFlag] = View(
    lambda specs: {
        flag.name: flag for flag in sorted((*GENERAL_FLAGS, *(flag for spec in specs for flag in spec.flags)))
    }
)


def source_of(name: str) -> str:
    """Return the name of the source of a variable, or of the source whose role it has.

    Raises:
        VadoseError: the variable is unknown.
    """
    if name not in _SOURCE_OF:
        raise VadoseError(
            f"sources: the variable '{name}'", "No source observes it", f"Known are {', '.join(_SOURCE_OF)}"
        )
    return _SOURCE_OF[name]


def product_of(name: str, stated: str | None = None) -> str:
    """Return the product of a predictor: as stated, or the only possible one, or `NOT_STATED`."""
    known = PRODUCTS.get(name, ())
    return stated or (known[0] if len(known) == 1 else NOT_STATED)


def distinct_roles() -> tuple[frozenset[str], ...]:
    """Return sets of predictors of one role, such as products of SMAP, that do not replace one another."""
    return tuple(role for spec in source_specs() for role in spec.distinct)


def stand_in(name: str, held: Collection[str]) -> str:
    """Return an available predictor of the same role as another one; "" without any.

    Args:
        name: name of the predictor.
        held: names of the available predictors.
    """
    roles = (role for role in distinct_roles() if name in role)
    return next((other for role in roles for other in sorted(role & set(held))), "")


def masks() -> dict[str, Mask]:
    """Return the masks of map cells, by variable."""
    return {mask.variable.name: mask for spec in source_specs() for mask in spec.masks}


class _Quality:
    """Quality flags by name: `Quality.STALE`, `Quality["STALE"]`; iterated in the order of their bits."""

    def __getattr__(self, name: str) -> QualityFlag:
        if name.startswith("_") or name not in _FLAGS:
            raise AttributeError(f"no quality flag {name}")
        return _FLAGS[name]

    def __getitem__(self, name: str) -> QualityFlag:
        return _FLAGS[name]

    def __iter__(self) -> Iterator[QualityFlag]:
        return iter(_FLAGS.values())

    def __repr__(self) -> str:
        return f"Quality: {', '.join(f'{name} = {int(flag)}' for name, flag in _FLAGS.items())}"

    def missing(self, source: str) -> QualityFlag:
        """Return the flag that is set where a source was not observed."""
        return _FLAGS[f"{source.upper()}_MISSING"]


Quality = _Quality()
"""Flags of an estimate, bits of a uint32; 0 means that every source was observed and the inputs resemble the training
samples. The bit of a source is in its `SourceSpec`; the general flags are in `GENERAL_FLAGS`.
"""
