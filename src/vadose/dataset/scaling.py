"""Scaling: mean and standard deviation of each variable over the training samples."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.fusion import InputSpec
from vadose.registry import PREDICTORS

if TYPE_CHECKING:
    from vadose.dataset.store import Rows, SampleStore

CONSTANT = 1e-6
"""Relative standard deviation below which a variable is constant except for rounding."""


@dataclass(frozen=True)
class ScalingStats:
    """Scaling of each variable to zero mean and unit standard deviation: (value - mean) / std.

    Attributes:
        mean, std: by name, in the variable's units, or in decibel where a network reads decibel. The std of a constant
            is 1.
    """

    mean: Mapping[str, float]
    std: Mapping[str, float]

    @classmethod
    def fit(cls, store: "SampleStore", rows: "Rows", needs: InputSpec) -> "ScalingStats":
        """Fit to training rows alone, in float64, chunk by chunk.

        A variable has one scaling for all its forms: from the cells if the store has it there, else from the pixels,
            else from the history.

        Args:
            store: meets the needs.
            rows: rows of the training samples.
            needs: variables to fit.

        Raises:
            VadoseError: the store lacks a variable, or a variable was never observed in these rows.
        """
        unobserved = never_observed(store, rows, needs)
        if unobserved:
            raise VadoseError(
                f"scaling: {', '.join(sorted(needs.names))} over {len(rows)} training samples of {store.path}",
                f"Never observed there: {', '.join(unobserved)}",
                "Leave these out of the predictors, or train on samples that have them",
            )
        moments = {name: _moments(_values(store, name, np.sort(rows))) for name in sorted(needs.names)}
        mean = {name: mean for name, (_, mean, _) in moments.items()}
        std = {name: _std(count, mean, squares) for name, (count, mean, squares) in moments.items()}
        return cls(mean, std)

    def relative(self, names: Collection[str]) -> "ScalingStats":
        """Return the scaling, the identity for predictors that are already relative to a place's own record."""
        return ScalingStats(dict(self.mean) | dict.fromkeys(names, 0.0), dict(self.std) | dict.fromkeys(names, 1.0))

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return mean and std by name, in JSON types."""
        return {name: {"mean": self.mean[name], "std": self.std[name]} for name in self.mean}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ScalingStats":
        """Return the inverse of `to_dict`.

        Raises:
            VadoseError: a mean or a standard deviation is missing, not finite, or not positive.
        """
        try:
            mean = {name: float(of["mean"]) for name, of in content.items()}
            std = {name: float(of["std"]) for name, of in content.items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _unusable(f"{type(error).__name__} {error}") from error
        wrong = [name for name in mean if not (math.isfinite(mean[name]) and 0 < std[name] < math.inf)]
        if wrong:
            raise _unusable(f"No finite mean and positive std of {', '.join(wrong)}")
        return cls(mean, std)


def never_observed(store: "SampleStore", rows: "Rows", needs: InputSpec) -> list[str]:
    """Return the variables without any observation in some samples, of which a network can learn nothing.

    Raises:
        VadoseError: the store does not meet the needs.
    """
    store.check(needs)
    there = {name: any(np.isfinite(c).any() for c in _values(store, name, np.sort(rows))) for name in needs.names}
    return sorted(name for name in there if not there[name])


def to_network_units(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values before scaling: 10 log10 of a linear power, others unchanged."""
    if name not in PREDICTORS or not PREDICTORS[name].decibel:
        return values
    return 10 * np.log10(values, where=values > 0, out=np.full(values.shape, np.nan))


def _values(store: "SampleStore", name: str, rows: "Rows") -> Iterator[NDArray[np.float64]]:
    holds = store.holds
    pixels = name in holds.pixels and name not in holds.cells
    size = 16 if pixels else 8192
    for chunk in (rows[start : start + size] for start in range(0, len(rows), size)):
        if name in holds.cells:
            values = store.cells((name,), chunk)
        elif pixels:
            values = store.pixels((name,), chunk, holds.halo)
        else:
            values = store.history(replace(holds.history, variables=(name,)), chunk)
        yield to_network_units(name, values.astype(np.float64))


def _moments(chunks: Iterator[NDArray[np.float64]]) -> tuple[int, float, float]:
    """Return count, mean and sum of squared deviations of all finite values (Chan, Golub and LeVeque 1983)."""
    count, mean, squares = 0, 0.0, 0.0
    for chunk in chunks:
        values = chunk[np.isfinite(chunk)]
        if not values.size:
            continue
        own = float(values.mean())
        total = count + values.size
        squares += float(((values - own) ** 2).sum()) + (own - mean) ** 2 * count * values.size / total
        mean += (own - mean) * values.size / total
        count = total
    return count, mean, squares


def _std(count: int, mean: float, squares: float) -> float:
    std = math.sqrt(squares / count) if count else 0.0
    return std if std > CONSTANT * abs(mean) else 1.0


def _unusable(found: str) -> VadoseError:
    return VadoseError("scaling: mean and std of each variable", found, "Use the scaling that was saved with the model")
