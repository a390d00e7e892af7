"""The latest valid observation at each place."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from vadose.fusion.regrid import Floats

DAY_NS = 86_400e9


@dataclass(frozen=True, eq=False)
class LatestValid:
    """Values at each place by the latest look that saw it.

    Attributes:
        values: by variable, (y, x), NaN where no look saw the place.
        age: days from the observation to the moment asked, (y, x), NaN where there is none.
        items: identifiers of the looks that were used.
    """

    values: dict[str, Floats]
    age: Floats
    items: tuple[str, ...]


def latest_valid(
    looks: Iterable[tuple[tuple[str, ...], float]],
    values_of: Callable[[int], Mapping[str, Floats]],
    names: tuple[str, ...],
    shape: tuple[int, ...],
) -> LatestValid:
    """Fill each place from the first look that saw it.

    Args:
        looks: items and age in days of each look, the latest first.
        values_of: values of a look by its rank, each (y, x); a look that is not needed any more is not asked for.
        names: variables to give.
        shape: of the result, (y, x).
    """
    filled = {name: np.full(shape, np.nan, np.float32) for name in names}
    age = np.full(shape, np.nan, np.float32)
    used: list[str] = []
    for rank, (items, days) in enumerate(looks):
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
    """Days from an observation to `time`; 0 for what does not change."""
    return 0.0 if observed is None else float((time - observed) / np.timedelta64(1, "ns")) / DAY_NS
