"""Ensemble estimates: mean and standard deviation of several models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from vadose import models as all_models

if TYPE_CHECKING:
    from vadose.models import Batch, Estimate, Model


@dataclass(frozen=True, eq=False)
class Ensemble(Sequence["Model"]):
    """Models with the same needs, each with a weight.

    Attributes:
        members: models.
        weights: of the members, relative to each other.
    """

    members: "tuple[Model, ...]"
    weights: tuple[float, ...]

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.members)

    @overload
    def __getitem__(self, number: int) -> "Model": ...
    @overload
    def __getitem__(self, number: slice) -> "Ensemble": ...
    def __getitem__(self, number: int | slice) -> "Model | Ensemble":
        """Return a member, or some of them with their weights."""
        if isinstance(number, slice):
            return Ensemble(self.members[number], self.weights[number])
        return self.members[number]


def weights_of(models: "Sequence[Model]") -> NDArray[np.float64]:
    """Return the weight of each model; their sum is 1. Models that are no `Ensemble` have equal weights."""
    weights = np.asarray(models.weights if isinstance(models, Ensemble) else [1.0] * len(models), np.float64)
    return np.asarray(weights / weights.sum())


def combine(models: "Sequence[Model]", batch: "Batch") -> "Estimate":
    """Return the mean of the members' means, with the mean of their variances plus the variance of their means.

    This is the mixture of Lakshminarayanan et al., NeurIPS 2017, arXiv:1612.01474, section 2.4, with weights. A single
    model is returned unchanged.

    Args:
        models: models with the same needs; with equal weights unless they are an `Ensemble`.
        batch: batch in the order of these needs.
    """
    weights = weights_of(models)
    estimates = [model.estimate(batch) for model in models]
    means = np.stack([estimate.mean for estimate in estimates]).astype(np.float64)
    variances = np.stack([estimate.std for estimate in estimates]).astype(np.float64) ** 2
    mean = np.tensordot(weights, means, 1)
    std = np.sqrt(np.tensordot(weights, variances + (means - mean) ** 2, 1))
    return all_models.Estimate(mean.astype(np.float32), std.astype(np.float32))
