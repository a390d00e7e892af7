"""Named products that a source reads, sampled at sensors in the pixel that contains each."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod

from vadose.errors import NoDataError, VadoseError
from vadose.grid import nanoseconds, to_lonlat
from vadose.products.conventions import Convention
from vadose.products.described import Product
from vadose.products.series import Floats, Sampled
from vadose.products.times import Times
from vadose.report.text import counted
from vadose.sources import gldas_granule, smap_granule
from vadose.sources.gldas import MAIN, Gldas
from vadose.sources.granules import Granule, GranuleIndex
from vadose.sources.left_out import first_of
from vadose.sources.nisar import Nisar, release
from vadose.sources.nisar_granule import GRID as NISAR_GRID
from vadose.sources.nisar_granule import MATURITY, content, read_flagged
from vadose.sources.smap import Smap
from vadose.sources.window import GlobalGrid, Window

Indices = NDArray[np.intp]
_SIDE = 512
"""Side of the blocks of pixels that are read at once."""


@dataclass(frozen=True, eq=False)
class _Layer:
    """A field of a granule in a window, (y, x).

    Attributes:
        values: m3 m-3, NaN where missing.
        time: of all pixels, or of each.
        flagged: pixels that were left out by their quality flag.
    """

    values: NDArray[np.floating]
    time: Any
    flagged: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reading of the granules of a product.

    Attributes:
        grid: its pixels.
        index: its granules, with what was left out.
        granules: those that are read.
        inside: which of some rows and columns of the grid a granule contains.
        layers: fields of a granule in a window.
    """

    grid: GlobalGrid
    index: GranuleIndex
    granules: Sequence[Granule]
    inside: Callable[[Granule, Indices, Indices], NDArray[np.bool_]]
    layers: Callable[[Granule, Window], Iterable[_Layer]]


def by_source(convention: Convention, product: Product, lat: Floats, lon: Floats) -> Sampled:
    """Return the values of a named product at places (degrees), read as its source reads it.

    Raises:
        VadoseError: its folder holds several products that are not mixed.
        NoDataError: no granule is readable, or none covers a place.
    """
    reader, notes = _READERS[convention.source](convention, product)
    notes += [convention.note] if convention.note else []
    if not reader.granules:
        left = reader.index.left_out
        raise NoDataError(
            f"{product.name}: {product.path}",
            f"It holds no readable granule of {convention.title}" + (f"; {first_of(left)}" if left else ""),
            "Give the folder of the granules with the names of their data centre",
        )
    return _sampled(product, reader, notes, (lat, lon))


def _sampled(product: Product, reader: _Reader, notes: list[str], places: tuple[Floats, Floats]) -> Sampled:
    rows, columns, away = _pixels(reader.grid, *places)
    covered, flagged, kept = np.zeros(len(rows), bool), 0, 0
    parts: list[tuple[Indices, Times, Floats]] = []
    for granule in reader.granules:
        inside = np.flatnonzero(reader.inside(granule, rows, columns))
        covered[inside] = True
        for window, members in _windows(rows, columns, inside):
            try:
                layers = list(reader.layers(granule, window))
            except VadoseError as reason:
                reader.index.leave_out(granule, reason)
                break
            at = rows[members] - window.top, columns[members] - window.left
            for layer in layers:
                found = layer.values[at].astype(np.float64)
                times = np.broadcast_to(nanoseconds(np.asarray(layer.time)), window.shape)[at]
                there = np.isfinite(found)
                flagged, kept = flagged + int(layer.flagged[at].sum()), kept + int(there.sum())
                parts.append((members[there], times[there], found[there]))
    if not covered.any():
        lat, lon = places
        raise NoDataError(
            f"{product.name}: {len(lat)} sensors within {lat.min():.2f}..{lat.max():.2f} N, "
            f"{lon.min():.2f}..{lon.max():.2f} E",
            f"None is within any of {counted(len(reader.granules), 'granules')}",
            "Give granules that cover the sensors",
        )
    if not parts:
        raise NoDataError(
            f"{product.name}: {product.path}",
            f"None of its granules over the sensors can be read: {first_of(reader.index.left_out)}",
            "Download them again",
        )
    if flagged:
        notes.append(
            f"{flagged:,} of {flagged + kept:,} values at sensors left out: not recommended by their retrieval quality "
            "flag (--quality retrieved keeps them)"
        )
    notes += [f"{words}: {count} files" for words, count in _left_out(reader.index)]
    sensor, times, values = (np.concatenate([part[axis] for part in parts]) for axis in range(3))
    return Sampled.of(sensor, times, values, np.where(covered, away, np.nan), "m3 m-3", tuple(notes))


def _pixels(grid: GlobalGrid, lat: Floats, lon: Floats) -> tuple[Indices, Indices, Floats]:
    """Return row and column of the pixel that contains each place, -1 outside, and its distance to the centre, km."""
    found = np.array([grid.pixel_of(float(x), float(y)) for x, y in zip((lon + 180) % 360 - 180, lat, strict=True)])
    rows, columns = found.reshape(-1, 2).T
    outside = (rows < 0) | (rows >= grid.rows)
    x, y = grid.west + (columns + 0.5) * grid.step, grid.north - (rows + 0.5) * grid.step
    at_lon, at_lat = to_lonlat(grid.epsg).transform(x, y)
    away = np.asarray(Geod(ellps="WGS84").inv(lon, lat, at_lon, at_lat)[2]) / 1000
    return np.where(outside, -1, rows), np.where(outside, -1, columns), np.where(outside, np.nan, away)


def _windows(rows: Indices, columns: Indices, members: Indices) -> Iterator[tuple[Window, Indices]]:
    """Yield windows around members of one block of pixels each."""
    blocks = np.stack([rows[members] // _SIDE, columns[members] // _SIDE])
    for block in np.unique(blocks, axis=1).T:
        own = members[(blocks == block[:, np.newaxis]).all(axis=0)]
        down, across = rows[own], columns[own]
        yield Window(int(down.min()), int(down.max()) + 1, int(across.min()), int(across.max()) + 1), own


def _left_out(index: GranuleIndex) -> list[tuple[str, int]]:
    return Counter(f"left out, {one.kind} (such as {one.name})" for one in index.left_out).most_common(4)


def _of_path(granules: Sequence[Granule], path: Path) -> list[Granule]:
    return [one for one in granules if path.is_dir() or one.path.name == path.name]


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _nisar(convention: Convention, product: Product) -> tuple[_Reader, list[str]]:
    how: Any = {"retrieval": convention.retrieval, "quality": product.quality}
    source = Nisar(_folder(product.path), maturity=_maturity(product), **how)
    granules = _of_path(source.fit(), product.path)
    versions = Counter(
        f"release {release(one)}, product version {content(one).version or 'not stated'}" for one in granules
    )
    held = ", ".join(f"{words} ({counted(count, 'granules')})" for words, count in versions.items())
    rule = "bit 0 of retrievalQualityFlag unset" if product.quality == "recommended" else "all retrievals"

    def inside(granule: Granule, rows: Indices, columns: Indices) -> NDArray[np.bool_]:
        place = content(granule).placement
        return np.isin(rows, place.rows.numbers) & np.isin(columns, place.columns.numbers)

    def layers(granule: Granule, window: Window) -> Iterator[_Layer]:
        values, flagged = read_flagged(granule, source.retrieval, source.quality, window)
        yield _Layer(values, granule.time, flagged)

    notes = [f"{convention.title}, {source.maturity}: {held}", rule]
    return _Reader(NISAR_GRID, source.index, granules, inside, layers), notes


def _maturity(product: Product) -> Any:
    """Return the maturity to be read: as chosen, or the only one."""
    if product.maturity:
        return product.maturity.upper()
    granules = _of_path(Nisar(_folder(product.path)).index.granules, product.path)
    counts = Counter(MATURITY[one.stream] for one in granules)
    if len(counts) > 1:
        held = " and ".join(f"{count} {name}" for name, count in counts.items())
        raise VadoseError(
            f"{product.name}: {product.path}",
            f"It holds {held} granules, which were calibrated differently and are not mixed",
            "Choose by --maturity provisional or --maturity beta",
        )
    return next(iter(counts), "PROVISIONAL")


def _smap(convention: Convention, product: Product) -> tuple[_Reader, list[str]]:
    grids: dict[str, smap_granule.Product] = dict(smap_granule.PRODUCTS)
    index = Smap(_folder(product.path)).index
    granules = _of_path(index.granules, product.path)
    held = {name: [one for one in granules if one.stream == grid.stream] for name, grid in grids.items()}
    found = {name: own for name, own in held.items() if own and name in (convention.retrieval or name)}
    if len(found) > 1:
        counts = " and ".join(f"{len(own)} of {grids[name].stream.name}" for name, own in found.items())
        raise VadoseError(
            f"{product.name}: {product.path}",
            f"It holds {counts}, which are two products",
            f"Name one of them: SPL3SMP={product.path} or SPL3SMP_E={product.path}",
        )
    name, own = next(iter(found.items()), (convention.retrieval or "36km", []))
    grid = grids[name].grid

    def inside(granule: Granule, rows: Indices, columns: Indices) -> NDArray[np.bool_]:
        place = smap_granule.placement(granule, grid)
        return np.isin(rows, place.rows.numbers) & np.isin(columns, place.columns.numbers)

    def layers(granule: Granule, window: Window) -> Iterator[_Layer]:
        every = smap_granule.read(granule, grid, "retrieved", window)
        good = every if product.quality == "retrieved" else smap_granule.read(granule, grid, product.quality, window)
        for (values, minutes), (kept, _) in zip(every, good, strict=True):
            there = np.isfinite(values)
            since = np.where(there, minutes, 0).astype("timedelta64[m]")
            yield _Layer(kept, granule.time + since, there & ~np.isfinite(kept))

    rule = "bit 0 of retrieval_qual_flag unset" if product.quality == "recommended" else "all retrievals"
    releases = Counter(one.version for one in own)
    notes = [
        f"{grids[name].stream.name}, {', '.join(f'{one} ({count} days)' for one, count in releases.items())}",
        f"{rule}; times of the overpass, rounded up to half hours",
    ]
    fit = index.fit(own, lambda one: smap_granule.placement(one, grid))
    return _Reader(grid, index, fit, inside, layers), notes


def _gldas(convention: Convention, product: Product) -> tuple[_Reader, list[str]]:
    index = Gldas(_folder(product.path)).index
    granules = index.fit(_of_path(index.granules, product.path), gldas_granule.layout)
    main = {one.time for one in granules if one.stream == MAIN}
    used = [one for one in granules if one.stream == MAIN or one.time not in main]
    early = sum(one.stream != MAIN for one in used)

    def inside(granule: Granule, rows: Indices, columns: Indices) -> NDArray[np.bool_]:
        place = gldas_granule.layout(granule).placement
        return np.isin(rows, place.rows.numbers) & np.isin(columns, place.columns.numbers)

    def layers(granule: Granule, window: Window) -> Iterator[_Layer]:
        yield _Layer(gldas_granule.read(granule, window), granule.time, np.zeros(window.shape, bool))

    held = f"{convention.title}, {counted(len(used), 'granules')}, {early} of them early products"
    return _Reader(gldas_granule.GRID, index, used, inside, layers), [held]


_READERS: dict[str, Callable[[Convention, Product], tuple[_Reader, list[str]]]] = {
    "nisar": _nisar,
    "smap": _smap,
    "gldas": _gldas,
}
