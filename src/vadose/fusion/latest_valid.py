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
    filled = {name: np.full(shape, np.nan, np.float32) for name in names}
    age = np.full(shape, np.nan, np.float32)
    used: list[str] = []
    for rank, (items, days) in enumerate(scenes):
        found = values_of(rank)
        fresh = np.isnan(age) & np.logical_or.reduce([np.isfinite(values) for values in found.values()])
        if fresh.any():
            used.extend(items)
            age[fresh] = days
            for name in found.keys() & set(names):
                filled[name][fresh] = found[name][fresh]
        if not np.isnan(age).any():
            break
    return LatestValid(filled, age, tuple(used))


def age_days(time: np.datetime64, observed: np.datetime64 | None) -> float:
    """Return the days from an observation to `time`; 0 for static data."""
    return 0.0 if observed is None else float((time - observed) / np.timedelta64(1, "ns")) / DAY_NS
