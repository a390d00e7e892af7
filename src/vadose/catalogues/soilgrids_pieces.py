"""Windows of SoilGrids' maps, put together from their tiles."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import shapely

from vadose.catalogues.demand import Demand, Target
from vadose.catalogues.http import Absent, bare
from vadose.catalogues.lock import Entry, digest_of, locked
from vadose.catalogues.pieces import Context, Cost, Found, Piece, asked_of
from vadose.catalogues.remote import RemoteFile, Version
from vadose.catalogues.soilgrids_tiles import TileMosaic, parse_mosaic, write_window
from vadose.grid import AreaOfInterest
from vadose.sources.raster import Grid
from vadose.sources.soilgrids import FOLDER, MAPS
from vadose.sources.window import Window

DEPTH = "0-5cm"
APART = 400
"""Pixels between parts of a target beyond which these have windows of their own: 100 km."""


@dataclass(frozen=True, eq=False)
class _Map:
    """A map at its address.

    Attributes:
        context: asks for it.
        band: variable.
        name: of the map, such as "sand_0-5cm_mean".
        folder: address of its list of tiles, without the name.
    """

    context: Context
    band: str
    name: str
    folder: str
    used: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    files: dict[str, RemoteFile] = field(default_factory=dict)

    @cached_property
    def list_file(self) -> RemoteFile:
        """List of its tiles."""
        return self._remote(f"{self.folder}/{self.name}.vrt")

    @cached_property
    def mosaic(self) -> TileMosaic:
        """Its tiles."""
        content = self.list_file.read([(0, self.list_file.version.size)])[0]
        return parse_mosaic(content, f"{self.name}.vrt")

    @property
    def updated(self) -> str:
        """Version of the list of tiles."""
        version = self.list_file.version
        return f"{version.size} {version.etag}"

    def size_of_tile(self, name: str) -> int:
        """Bytes of a tile; 0 where there is none."""
        try:
            return self._remote(f"{self.folder}/{quote(name)}").version.size
        except Absent:
            return 0

    def tile(self, name: str, folder: Path) -> Path | None:
        """Fetch a tile; None where there is none, as at sea."""
        remote = self._remote(f"{self.folder}/{quote(name)}")
        try:
            version = remote.version
        except Absent:
            return None
        path = folder / name.replace("/", "_")
        path.write_bytes(remote.read([(0, version.size)])[0])
        self.used[name] = (bare(remote.url), version.size, version.etag)
        return path

    def _remote(self, url: str) -> RemoteFile:
        """Return the file at an address, which several windows share: its version is asked for once."""
        if url not in self.files:
            expected = self.context.expected.get(bare(url))
            self.files[url] = RemoteFile(self.context.client, url, self.context.cache, expected)
        return self.files[url]


def find_soilgrids(context: Context, demand: Demand, source: str) -> Found:
    """Find the maps of the topmost layer at ISRIC.

    Raises:
        VadoseError: a list of tiles cannot be read.
    """
    pieces = []
    for band in sorted(demand.bands[source]):
        if band in MAPS:
            one = _map_of(context, band)
            pieces.append(
                Piece(
                    source,
                    source,
                    one.name,
                    digest_of({}, one.updated),
                    asked_of(demand.targets, [band]),
                    partial(_fetch, one, source, demand.targets),
                    partial(_cost, one, demand.targets),
                )
            )
    return Found(tuple(pieces))


def restore_soilgrids(context: Context, entry: Entry) -> Entry:
    """Write a window of a map again, from the tiles that are expected.

    Raises:
        Changed: a tile is another one now.
        VadoseError: one cannot be fetched.
    """
    one = _map_of(context, entry.bands[0])
    (file,) = entry.files
    top, bottom, left, right = file.window or (0, 0, 0, 0)
    return _written(one, entry.source, Window(top, bottom, left, right), entry.asked)


def _map_of(context: Context, band: str) -> _Map:
    name = MAPS[band]
    return _Map(context, band, f"{name}_{DEPTH}_mean", f"{context.catalogue.endpoint}/{name}")


def windows_around(grid: Grid, targets: Sequence[Target]) -> list[Window]:
    """Return the windows of a map around each target, each once.

    Parts of a target that are neighbours on the ground may be far apart in the map: at the antimeridian, and at the
    interruptions of its projection. Each group of near ones has a window of its own.
    """
    found = set()
    for target in targets:
        shapes = (shape for area in target.parts for shape in shapely.get_parts(area.geometry))
        areas = (AreaOfInterest.from_shapes([shape], target.name) for shape in shapes)
        parts = [window for area in areas if (window := grid.window(area)) is not None]
        for group in _near(_near([parts], "left", "right"), "top", "bottom"):
            found.add(Window.around(group))
    return sorted(found)


def _near(groups: Iterable[Sequence[Window]], first: str, last: str) -> Iterator[list[Window]]:
    """Split groups of windows where the gap along an axis is wide."""
    for parts in groups:
        group: list[Window] = []
        end = 0
        for part in sorted(parts, key=attrgetter(first)):
            if group and getattr(part, first) > end + APART:
                yield group
                group, end = [], 0
            group.append(part)
            end = max(end, getattr(part, last))
        if group:
            yield group


def _fetch(one: _Map, source: str, targets: Sequence[Target]) -> tuple[Entry, ...]:
    asked, lock = asked_of(targets, [one.band]), one.context.lock
    digest = digest_of({}, one.updated)
    held = {entry.place: entry for entry in lock.entries_of(source, source, one.name) if entry.digest == digest}
    entries = []
    for window in windows_around(one.mosaic.grid, targets):
        entry = held.get(window.name)
        if entry is None or not lock.holds(entry):
            entry = _written(one, source, window, asked)
            lock.keep(replace(entry, asked=""))
        entries.append(replace(entry, asked=asked))
    return tuple(entries) or (
        Entry(source, one.context.name, source, one.name, one.updated, "none", (), {}, (one.band,), asked),
    )


def _written(one: _Map, source: str, window: Window, asked: str) -> Entry:
    place = window.name
    folder = one.context.lock.folder
    path = folder / FOLDER / place / f"{one.name}.tif"
    with TemporaryDirectory() as scratch:
        one.used.clear()
        write_window(one.mosaic, window, _reading(one, Path(scratch)), path)
    version: Version = one.list_file.version
    described = locked(
        folder,
        path,
        address=bare(one.list_file.url),
        size=version.size,
        etag=version.etag,
        window=(window.top, window.bottom, window.left, window.right),
        parts=tuple(sorted(one.used.values())),
    )
    return Entry(source, one.context.name, source, one.name, one.updated, place, (described,), {}, (one.band,), asked)


def _reading(one: _Map, scratch: Path) -> Callable[[str], Path | None]:
    return lambda name: one.tile(name, scratch)


def _cost(one: _Map, targets: Sequence[Target]) -> Cost:
    """Estimate the cost of as many tiles as needed, each of the size of the first."""
    names = {tile.name for window in windows_around(one.mosaic.grid, targets) for tile in one.mosaic.tiles_over(window)}
    return Cost(len(names) * one.size_of_tile(min(names)), 2 * len(names)) if names else Cost()
