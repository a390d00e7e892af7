"""Layers of single cells, and the noise that prevents memorising places."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from vadose.models.feature_columns import Column, Kind


class StaticHead(nn.Module):
    """One linear layer; without columns it is a constant.

    Args:
        columns: number of inputs.
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(columns))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, columns: Tensor) -> Tensor:
        """Map (batch, column, y, x) to (batch, y, x)."""
        return (columns * self.weight[:, None, None]).sum(dim=1) + self.bias


class Noise(nn.Module):
    """Normal noise, per sample for dynamic columns and per sensor for time-invariant ones.

    Args:
        moving: standard deviation of the noise of a sample, by column; 0 for time-invariant columns.
        per_sensor: standard deviation of the noise of a sensor, by column; 0 for dynamic columns.
    """

    moving: Tensor
    per_sensor: Tensor

    def __init__(self, moving: Tensor, per_sensor: Tensor) -> None:
        super().__init__()
        self.register_buffer("moving", moving[:, None, None], persistent=False)
        self.register_buffer("per_sensor", per_sensor[:, None, None], persistent=False)

    def forward(self, columns: Tensor, sensor: Tensor | None) -> Tensor:
        """Add noise to (batch, column, y, x)."""
        return add_group_noise(columns + self.moving * torch.randn_like(columns), self.per_sensor, sensor)


def noise_of(columns: tuple[Column, ...], moving: float, per_sensor: float, static: float) -> Noise:
    """Return noise by the kind of column: dynamic, time-invariant or static."""
    of_place = [
        static if column.kind is Kind.STATIC else per_sensor if column.time_invariant else 0.0 for column in columns
    ]
    return Noise(torch.tensor([0.0 if c.time_invariant else moving for c in columns]), torch.tensor(of_place))


def add_group_noise(columns: Tensor, std: Tensor | float, sensor: Tensor | None) -> Tensor:
    """Add the same noise to all samples of a sensor.

    Args:
        columns: (batch, column, y, x).
        std: standard deviation of the noise.
        sensor: (batch,), sensor numbers; by default every sample is a sensor.
    """
    noise = torch.randn_like(columns)
    if sensor is not None:
        noise = noise[torch.unique(sensor, return_inverse=True)[1]]
    return columns + std * noise


def perceptron(inward: int, features: int, layers: int, dropout: float) -> nn.Sequential:
    """Linear layers of single cells, each with GELU and dropout."""
    widths = [inward] + layers * [features]
    parts: list[nn.Module] = []
    for before, after in pairwise(widths):
        parts += [nn.Conv2d(before, after, 1), nn.GELU(), nn.Dropout(dropout)]
    return nn.Sequential(*parts)
