"""Two processings of one observation (twins), and which of them is newer."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from vadose.errors import VadoseError
from vadose.grid import later, nanosecond
from vadose.sources.published import by_catalogue, earliest
from vadose.sources.records import SceneItem

APART = np.timedelta64(20, "m")
"""Largest time between twins. One satellite does not observe the same ground twice within it, but catalogues state
different times for one scene: the start of the data take, or the time of the tile."""
SAME_GROUND = 0.9
"""Smallest common fraction of the boxes of twins. Neighbouring tiles share a fifth at most; two data strips of one
tile, which complete each other, share less."""

_GENERATED = (
    "s2:generation_time",
    "sentinel2:generation_time",
    "sentinel2_to_stac:generation_time",
    "processing:datetime",
    "s1:processing_datetime",
)
_STAMP = re.compile(r"(?<!\d)\d{8}T\d{6}(?!\d)")
_SORTED = "%Y-%m-%dT%H:%M:%S.%f"
_TEST_BASELINE = "99.99"
"""Baseline of products that a user made with Sen2Cor; it has no order."""


def are_twins(one: SceneItem, other: SceneItem) -> bool:
    """Return whether two items are of one observation: same product, satellite, orbit, ground, and within 20 minutes.

    Windows are if they overlap and belong to one scene: by their id, or by the boxes of their scenes; windows of
    overviews are twins only of windows of overviews.
    """
    known = ((one.platform, other.platform), (one.relative_orbit, other.relative_orbit))
    return (
        one.product == other.product
        and one.overview_m == other.overview_m
        and all(mine == theirs for mine, theirs in known if mine and theirs)
        and bool(abs(one.time - other.time) <= APART)
        and _same_ground(one, other)
    )


def newer(one: SceneItem, other: SceneItem) -> SceneItem | None:
    """Return the later of two processings: by baseline, else by time of generation, else of the catalogue; None if
    unknown.
    """
    baselines = (None if item.baseline == _TEST_BASELINE else item.baseline for item in (one, other))
    marks = (
        tuple(baselines),
        (one.generated, other.generated),
        (one.catalogued, other.catalogued),
    )
    for mine, theirs in marks:
        if mine is not None and theirs is not None and mine != theirs:
            return one if mine > theirs else other
    return None


def published_at(record: SceneItem, latency_days: float) -> np.datetime64 | None:
    """Return the publication time of a processing: its generation, but not before the first one; None if unknown.

    Args:
        record: item.
        latency_days: from an observation to the publication of its first product, days.
    """
    if record.generated is None:
        return None
    try:
        made = nanosecond(record.generated)
    except VadoseError:
        return None
    return max(made, nanosecond(later(record.time, latency_days)[()]))


def available_at(record: SceneItem, latency_days: float, renews: bool) -> tuple[np.datetime64 | None, bool]:
    """Return when a processing could be had, and whether its catalogue says so; None for the latency of its source.

    Args:
        record: of the item.
        latency_days: from an observation until its first product can be had.
        renews: whether it took the place of an older processing: it could not be had before it was made.
    """
    nominal = published_at(record, latency_days) if renews else nanosecond(later(record.time, latency_days)[()])
    if nominal is None:
        return None, False
    made = nominal if renews else record.time
    stated = by_catalogue(_moment(record.published), made, nominal)
    return (stated, True) if stated is not None else (nominal if renews else None, False)


def generated(name: str, names: list[str], properties: Mapping[str, Any]) -> str | None:
    """Return when a product was generated, UTC: by its properties, else the last of several times in its name."""
    for key in _GENERATED:
        if properties.get(key):
            return _utc(properties[key])
    for text in (*names, name):
        stamps = _STAMP.findall(text)
        if text.startswith(("S2", "OPERA_L2")) and len(stamps) > 1:
            return _utc(stamps[-1])
    return None


def catalogued(properties: Mapping[str, Any]) -> str | None:
    """Return when an item was last changed in its catalogue, UTC."""
    return next((_utc(properties[key]) for key in ("updated", "created", "published") if properties.get(key)), None)


def published(properties: Mapping[str, Any]) -> str | None:
    """Return the earliest date of an item in its catalogue, UTC."""
    return earliest(_utc(properties[key]) for key in ("published", "created", "updated") if properties.get(key))


def _moment(text: str | None) -> np.datetime64 | None:
    try:
        return None if text is None else nanosecond(text)
    except (VadoseError, ValueError):
        return None


def _utc(text: Any) -> str | None:
    """Return a time as sortable text; None if invalid."""
    try:
        stamp = pd.Timestamp(str(text))
        return None if pd.isna(stamp) else (stamp.tz_convert("UTC") if stamp.tzinfo else stamp).strftime(_SORTED)
    except (ValueError, OverflowError, NotImplementedError):  # pandas: years that Python's calendar lacks
        return None


def _same_ground(one: SceneItem, other: SceneItem) -> bool:
    part = shared(one.bbox, other.bbox)
    if one.window is None and other.window is None:
        return part >= SAME_GROUND
    scenes = [record.scene_bbox or (record.bbox if record.window is None else None) for record in (one, other)]
    known = scenes[0] is not None and scenes[1] is not None and shared(scenes[0], scenes[1]) >= SAME_GROUND
    return part > 0 and (one.id == other.id or known)


def shared(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Return the ratio of intersection to union of two boxes; boxes across 180 degrees are unrolled."""
    (west, south, east, north), (left, bottom, right, top) = unrolled(one), unrolled(other)
    width, height = min(east, right) - max(west, left), min(north, top) - max(south, bottom)
    if width <= 0 or height <= 0:
        return 0.0
    both = (east - west) * (north - south) + (right - left) * (top - bottom)
    return width * height / (both - width * height)


def unrolled(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Return a box whose east is greater than its west, beyond 180 degrees across the antimeridian."""
    west, south, east, north = box
    return west, south, east if east >= west else east + 360, north
