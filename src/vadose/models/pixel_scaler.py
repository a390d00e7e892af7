"""Scaling of physical units for a network: decibel, zero mean, unit standard deviation, 0 with a mask where missing."""

import torch
from torch import Tensor, nn

from vadose.dataset.scaling import ScalingStats
from vadose.registry import PREDICTORS

FARTHEST = 8.0
"""Limit of scaled values, standard deviations."""


class PixelScaler(nn.Module):
    """Scale the variables along one axis and append their presence (1 observed, 0 missing).

    Args:
        names: the variables, in order.
        scaling: mean and standard deviation of each over the training samples, in decibel where applicable.
        axis: axis of the variables, counted from the end, independent of the number of leading axes.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, names: tuple[str, ...], scaling: ScalingStats, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.decibel = [index for index, name in enumerate(names) if is_decibel(name)]
        shape = [-1] + [1] * (-axis - 1)
        self.register_buffer("mean", torch.tensor([scaling.mean[n] for n in names], dtype=torch.float32).reshape(shape))
        self.register_buffer("std", torch.tensor([scaling.std[n] for n in names], dtype=torch.float32).reshape(shape))

    def forward(self, values: Tensor) -> Tensor:
        """Return scaled values and presence, twice as many along the axis."""
        scaled = values.clone()
        for index in self.decibel:
            power = values.select(self.axis, index)
            scaled.select(self.axis, index).copy_(10 * torch.log10(torch.where(power > 0, power, torch.nan)))
        scaled.sub_(self.mean).div_(self.std).clamp_(-FARTHEST, FARTHEST)
        present = torch.isfinite(scaled)
        return torch.cat([scaled.nan_to_num_(0.0), present.to(scaled.dtype)], dim=self.axis)


def is_decibel(name: str) -> bool:
    """Return whether a network reads the variable as 10 log10 of its value."""
    return name in PREDICTORS and PREDICTORS[name].decibel
