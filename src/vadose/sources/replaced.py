"""Windows of two processings of one scene: the ground on which the newer one replaces the older, pixel by pixel."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial, reduce
from operator import or_

import numpy as np
import shapely
from numpy.typing import NDArray

from vadose.grid import AreaOfInterest
from vadose.sources.layers import Layers, Shown
from vadose.sources.raster import Grid, extent_in
from vadose.sources.records import Asset, SceneItem
from vadose.sources.twins import SAME_GROUND, shared
from vadose.sources.window import Window

Bounds = tuple[float, float, float, float]

_NOTHING = shapely.box(0, 0, 0, 0)
_PART = 1e-3
"""Fraction of a pixel below which an area is empty."""


def replaced_ground(older: SceneItem, newer: SceneItem) -> shapely.Geometry | None:
    """Return the ground of an item, in its projection, that a newer processing covers; None for all of it."""
    if older.window is None and newer.window is None:
        return None
    mine, theirs = _ground(older), _ground(newer)
    if mine is None or theirs is None or older.epsg != newer.epsg:
        return None if shared(older.bbox, newer.bbox) >= SAME_GROUND else _NOTHING
    both = mine.intersection(theirs)
    return None if mine.area - both.area < _least(older) else both


def remains(record: SceneItem, replaced: Iterable[shapely.Geometry | None]) -> bool:
    """Return whether ground of an item is not covered by newer processings (None: all of it)."""
    grounds = list(replaced)
    return all(ground is not None for ground in grounds) and _rest(record, grounds) is not None


def all_replaced_at(record: SceneItem, area: AreaOfInterest | None = None) -> np.datetime64 | None:
    """Return when the last part of an item was replaced, within an area if given; None if a part never was."""
    if record.replaced_at is not None:
        return record.replaced_at
    rest = _rest(record, [shapely.box(*part.bounds) for part in record.replaced_parts])
    extent = extent_in(area, f"EPSG:{record.epsg}") if area is not None and record.epsg else None
    if rest is None or (extent is not None and not rest.intersects(shapely.box(*extent))):
        return max((part.at for part in record.replaced_parts if part.at is not None), default=None)
    return None


def by_replacement(layers: Layers, record: SceneItem) -> Iterator[Layers]:
    """Yield the parts of an item's layers, each with its replacement time and the pixels that count.

    Parts replaced at an unknown time are left out.
    """
    if not record.replaced_parts:
        yield replace(layers, replaced_at=record.replaced_at)
        return
    before: list[Bounds] = []
    for at in sorted({part.at for part in record.replaced_parts}, key=lambda at: (at is not None, at)):
        boxes = [part.bounds for part in record.replaced_parts if part.at == at]
        if at is not None:
            yield from _showing(layers, partial(_within, layers.grid, boxes, tuple(before)), at)
        before += boxes
    yield from _showing(layers, partial(_within, layers.grid, None, tuple(before)), record.replaced_at)


def _showing(layers: Layers, shown: Shown, replaced_at: np.datetime64 | None) -> Iterator[Layers]:
    if shown(layers.window).any():
        yield replace(layers, shown=shown, replaced_at=replaced_at)


def _within(
    grid: Grid, inside: Sequence[Bounds] | None, outside: Sequence[Bounds], window: Window
) -> NDArray[np.bool_]:
    """Return which pixels of a window have their centre in some boxes (None: anywhere), and in none of others."""
    x, y = grid.x(window), grid.y(window)[:, np.newaxis]

    def covered(boxes: Sequence[Bounds]) -> NDArray[np.bool_]:
        parts = [(y > south) & (y < north) & (x > west) & (x < east) for west, south, east, north in boxes]
        return reduce(or_, parts, np.zeros(window.shape, bool))

    return ~covered(outside) if inside is None else covered(inside) & ~covered(outside)


def _rest(record: SceneItem, replaced: Sequence[shapely.Geometry]) -> shapely.Geometry | None:
    """Return the ground of an item that was not replaced; None if nothing remains."""
    mine = _ground(record)
    left = _NOTHING if mine is None else mine.difference(shapely.union_all(replaced))
    return None if mine is not None and left.area < _least(record) else left


def _ground(record: SceneItem) -> shapely.Geometry | None:
    """Return the rectangle that all files of an item cover, in its projection; None if the item does not state it."""
    boxes = [box for asset in record.assets if (box := _box(asset))]
    return shapely.intersection_all(boxes) if boxes else None


def _box(asset: Asset) -> shapely.Geometry | None:
    if asset.shape is None or asset.transform is None or asset.transform[1] or asset.transform[3]:
        return None
    (rows, columns), (a, _, c, _, e, f) = asset.shape, asset.transform
    x, y = (c, c + a * columns), (f, f + e * rows)
    return shapely.box(min(x), min(y), max(x), max(y))


def _least(record: SceneItem) -> float:
    """Return the area below which ground is empty, in units of the projection squared."""
    sizes = [asset.transform for asset in record.assets if asset.transform and _box(asset)]
    return _PART * min(abs(size[0] * size[4]) for size in sizes)
