"""Publication and replacement times of products."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vadose.grid import nanoseconds
from vadose.sources.layers import Layers
from vadose.sources.source import AVAILABLE_AT, REPLACED_AT, times_or_never


@dataclass(frozen=True, eq=False)
class Publication:
    """Periods in which products were the best available ones of their observations.

    Attributes:
        since: publication time; NaT if always available.
        until: publication time of a better product; NaT if there never was one.
    """

    since: NDArray[np.datetime64]
    until: NDArray[np.datetime64]

    @classmethod
    def of(cls, dataset: xr.Dataset) -> "Publication":
        """Return the publication of a dataset, or of one time of it; times it does not state are NaT."""
        shape = dataset["time"].shape if "time" in dataset.coords else ()
        never = np.full(shape, "NaT", "datetime64[ns]")
        coords = (dataset.coords.get(name) for name in (AVAILABLE_AT, REPLACED_AT))
        return cls(*(never if times is None else nanoseconds(times.values) for times in coords))

    @classmethod
    def of_layers(cls, layers: Layers) -> "Publication":
        """Return the publication of the layers of one time."""
        return cls(*(times_or_never([time])[0] for time in (layers.available_at, layers.replaced_at)))

    def counts(self, known_at: np.datetime64 | None) -> NDArray[np.bool_]:
        """Return which products were the best available ones at a time; in hindsight for None."""
        if known_at is None:
            return np.isnat(self.until)
        return (np.isnat(self.since) | (self.since <= known_at)) & (np.isnat(self.until) | (known_at < self.until))


def in_hindsight(datasets: Iterable[xr.Dataset]) -> tuple[xr.Dataset, ...]:
    """Return datasets without the times whose product has been replaced."""
    kept = (one.isel(time=Publication.of(one).counts(None)) if "time" in one.dims else one for one in datasets)
    return tuple(one for one in kept if one.sizes.get("time", 1))
