"""Boosted trees on standardised departures: a member of an ensemble that differs from its networks."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vadose.fusion import InputSpec
from vadose.models.batch import Batch, Estimate
from vadose.models.feature_columns import Column, feature_columns
from vadose.models.feature_extractor import FeatureExtractor
from vadose.models.tree_tensors import TreeTensors

FARTHEST = 4.0
"""Limit of scaled columns of the level, standard deviations."""


@dataclass(frozen=True)
class TreesError:
    """Root mean square errors at training places that the trees were not fitted on.

    Attributes:
        level: of the level of a place, m3 m-3.
        departure: of departures, standard deviations of the place.
    """

    level: float
    departure: float


class DepartureTrees(nn.Module):
    """Soil moisture as level + amplitude x departure.

    The level is linear in time-invariant columns, the amplitude is the exponential of trees on the same columns, and
    the departure, in standard deviations of a place, is that of trees on all columns of the network.

    Args:
        needs: inputs; of pixels the means over cells are read.
        season: whether the day of the year is an input.
        amplitude, departure: trees.
        error: of places that the trees were not fitted on.
    """

    mean: Tensor
    std: Tensor
    slope: Tensor
    intercept: Tensor
    invariant: Tensor

    def __init__(
        self, needs: InputSpec, season: bool, amplitude: TreeTensors, departure: TreeTensors, error: TreesError
    ) -> None:
        super().__init__()
        self.needs, self.season, self.error = needs, season, error
        self.columns: tuple[Column, ...] = feature_columns(needs, season)
        self.amplitude, self.departure = amplitude, departure
        invariant = time_invariant_columns(self.columns)
        self.register_buffer("invariant", torch.tensor(invariant, dtype=torch.long), persistent=False)
        for name in ("mean", "slope"):
            self.register_buffer(name, torch.zeros(len(invariant), dtype=torch.float64))
        self.register_buffer("std", torch.ones(len(invariant), dtype=torch.float64))
        self.register_buffer("intercept", torch.zeros((), dtype=torch.float64))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, m3 m-3, each (batch, y, x)."""
        columns = FeatureExtractor.of(batch, self.needs).columns(self.columns)
        samples, _, height, width = columns.shape
        rows = columns.permute(0, 2, 3, 1).flatten(0, 2)
        amplitude = self.amplitude(rows[:, self.invariant]).exp()
        mean = self.level(rows) + amplitude * self.departure(rows)
        std = (self.error.level**2 + (amplitude * self.error.departure) ** 2).sqrt()
        shape = samples, height, width
        return mean.float().reshape(shape), std.float().reshape(shape)

    def level(self, rows: Tensor) -> Tensor:
        """Return the level of a place, m3 m-3, (row,), for columns (row, column)."""
        scaled = ((rows[:, self.invariant] - self.mean) / self.std).nan_to_num(0.0).clamp(-FARTHEST, FARTHEST)
        return scaled @ self.slope + self.intercept

    @torch.inference_mode()
    def estimate(self, batch: Batch) -> Estimate:
        """Return mean and standard deviation of every cell, clipped to the physical range."""
        mean, std = self(batch.to(self.mean.device))
        return Estimate(mean.clamp(0, 1).cpu().numpy(), std.cpu().numpy())

    def describe(self) -> dict[str, Any]:
        """Return the parameters that, with the weights, rebuild it."""
        return {
            "needs": self.needs.describe(),
            "season": self.season,
            "amplitude": self.amplitude.shape(),
            "departure": self.departure.shape(),
            "error": {"level": self.error.level, "departure": self.error.departure},
        }


def time_invariant_columns(columns: tuple[Column, ...]) -> list[int]:
    """Return the numbers of the columns that describe the place."""
    return [number for number, column in enumerate(columns) if column.time_invariant]
