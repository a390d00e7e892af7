"""What a catalogue offers of a demand: pieces that are fetched one by one, each complete or not at all."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor

import shapely

from vadose.catalogues.cache import BlockCache
from vadose.catalogues.demand import Demand, Target
from vadose.catalogues.http import HttpClient
from vadose.catalogues.lock import Entry, Lock
from vadose.catalogues.remote import Version
from vadose.catalogues.settings import Catalogue
from vadose.grid import AreaOfInterest
from vadose.sources.left_out import LeftOut

_REGION_DEGREES = 1.0


@dataclass(frozen=True)
class Cost:
    """What remains to be spent on a piece once its headers are read.

    Attributes:
        bytes: of its blocks.
        requests: that read them.
    """

    bytes: int = 0
    requests: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        """Return the sum."""
        return Cost(self.bytes + other.bytes, self.requests + other.requests)


@dataclass(frozen=True, eq=False)
class Piece:
    """An item or a granule that a demand asks for.

    Attributes:
        source, collection, id: as in `Entry`.
        digest: of its metadata in the catalogue.
        asked: of the places and bands that are wanted of it.
        fetch: writes its files and returns their entries.
        cost: reads its headers, and finds out what the rest takes.
        kind: tells pieces of other cost apart: those that are read at other resolutions.
    """

    source: str
    collection: str
    id: str
    digest: str
    asked: str
    fetch: Callable[[], tuple[Entry, ...]] = field(repr=False)
    cost: Callable[[], Cost] = field(repr=False)
    kind: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """By which the entries of an archive are matched."""
        return self.source, self.collection, self.id


@dataclass(frozen=True)
class Found:
    """What a catalogue answered.

    Attributes:
        pieces: to be fetched.
        left_out: items that are not, each with its reason.
    """

    pieces: tuple[Piece, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, eq=False)
class Context:
    """What every catalogue is searched and read with.

    Attributes:
        name: of the catalogue.
        catalogue: its settings.
        client: asks it.
        cache: of blocks.
        lock: of the archive.
        expected: versions that remote files must have, by address; empty where any is taken.
    """

    name: str
    catalogue: Catalogue
    client: HttpClient
    cache: BlockCache
    lock: Lock
    expected: Mapping[str, Version] = field(default_factory=dict)


Finder = Callable[[Context, Demand, str], Found]
"""Searches a catalogue for what a demand needs of a source."""


def regions(targets: Sequence[Target]) -> Iterator[AreaOfInterest]:
    """Yield the areas of the targets of each square degree, so that these share a search."""
    groups: dict[tuple[int, int], list[Target]] = {}
    for target in targets:
        west, south, _, _ = target.parts[0].bbox
        groups.setdefault((floor(west / _REGION_DEGREES), floor(south / _REGION_DEGREES)), []).append(target)
    for _, held in sorted(groups.items()):
        yield ground_of(held)


def ground_of(targets: Iterable[Target]) -> AreaOfInterest:
    """Return the area of all parts of some targets."""
    held = list(targets)
    name = held[0].name if len(held) == 1 else f"{held[0].name} and {len(held) - 1} more"
    return AreaOfInterest.from_shapes([part.geometry for target in held for part in target.parts], name)


def asked_of(targets: Iterable[Target], bands: Iterable[str]) -> str:
    """Checksum of places and bands."""
    places = sorted(shapely.to_wkt(part.geometry, rounding_precision=9) for one in targets for part in one.parts)
    return hashlib.sha256(json.dumps([places, sorted(bands)]).encode()).hexdigest()[:32]
