"""Composite of the latest valid observations at each place."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from vadose.fusion.regrid import Floats

DAY_NS = 86_400e9


@dataclass(frozen=True, eq=False)
class LatestValid:
    """Values at each place from the latest scene that observed it.

    Attributes:
        values: values by variable, (y, x), NaN without an observation.
        age: observation age at the requested time, days, (y, x), NaN without an observation.
        items: identifiers of the used scenes.
    """

    values: dict[str, Floats]
    age: Floats
    items: tuple[str, ...]


def latest_valid(
    scenes: Iterable[tuple[tuple[str, ...], float]],
    values_of: Callable[[int], Mapping[str, Floats]],
    names: tuple[str, ...],
    shape: tuple[int, ...],
) -> LatestValid:
    """Fill each place from the first scene that observed it.

    Args:
        scenes: items and age in days of each scene, the latest first.
        values_of: values of a scene by its rank, each (y, x); not called for scenes that are no longer needed.
        names: variables.
        shape: shape of the result, (y, x).
    """
    filled: dict[str, Floats] = {}
    age = np.full(shape, np.nan, np.float32)
    missing = np.ones(shape, bool)
    used: list[str] = []
    for rank, (items, days) in enumerate(scenes):
        found = values_of(rank)
        fresh = missing & np.logical_or.reduce([np.isfinite(values) for values in found.values()])
        if fresh.any():
            used.extend(items)
            np.copyto(age, np.float32(days), where=fresh)
            first = not filled
            for name in names:
                if first:
                    filled[name] = found[name] if name in found else np.full(shape, np.nan, np.float32)
                elif name in found:
                    filled[name] = np.where(fresh, found[name], filled[name])
            missing &= ~fresh
        if not missing.any():
            break
    return LatestValid(filled or {name: np.full(shape, np.nan, np.float32) for name in names}, age, tuple(used))


def age_days(time: np.datetime64, observed: np.datetime64 | None) -> float:
    """Return the days from an observation to `time`; 0 for static data."""
    return 0.0 if observed is None else float((time - observed) / np.timedelta64(1, "ns")) / DAY_NS
