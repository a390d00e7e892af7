"""Standardised columns: unit standard deviation over the training samples, 0 with a mask where missing."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from vadose.dataset.scaling import ScalingStats
from vadose.models.feature_columns import LEVELS, RELATIVE, Column, Kind
from vadose.models.pixel_scaler import FARTHEST
from vadose.models.spectral_indices import INDICES

CONSTANT = 1e-6
"""Relative standard deviation below which a column is constant except for rounding."""


class FeatureScaler(nn.Module):
    """(value - mean) / std of each column, and its presence.

    Mean and standard deviation have default values until they are fitted on training samples.

    Args:
        columns: columns in order.
        scaling: scaling of the variables.
    """

    mean: Tensor
    std: Tensor
    presence_columns: Tensor
    levels: Tensor

    def __init__(self, columns: tuple[Column, ...], scaling: ScalingStats) -> None:
        super().__init__()
        moments = torch.tensor([_nominal(column, scaling) for column in columns], dtype=torch.float32)
        self.register_buffer("mean", moments[:, 0, None, None])
        self.register_buffer("std", moments[:, 1, None, None])
        levels = [number for number, column in enumerate(columns) if column.kind in LEVELS]
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.long), persistent=False)
        self.register_buffer(
            "presence_columns", torch.tensor(_presence_columns(columns), dtype=torch.long), persistent=False
        )

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return scaled values, 0 where missing, and presence, 1 or 0; both (batch, column, y, x)."""
        scaled = ((values - self.mean) / self.std).clamp(-FARTHEST, FARTHEST).nan_to_num(0.0)
        return scaled, torch.isfinite(values).to(scaled.dtype)

    def farthest(self, values: Tensor) -> Tensor:
        """Return the largest deviation of a quantity from its mean, in standard deviations, (batch, y, x); 0 without
        any.
        """
        return ((values - self.mean) / self.std)[:, self.levels].abs().nan_to_num(0.0).amax(dim=1)

    def fit(self, parts: Iterable[Tensor]) -> None:
        """Fit mean and standard deviation to training samples; a column without observations keeps its own.

        Args:
            parts: (batch, column, y, x), NaN where missing.
        """
        count, total, squares = (torch.zeros(len(self.mean), dtype=torch.float64) for _ in range(3))
        for part in parts:
            values = (part - self.mean).double().movedim(1, 0).flatten(1).cpu()
            count += torch.isfinite(values).sum(dim=1)
            total += values.nansum(dim=1)
            squares += (values**2).nansum(dim=1)
        shift = total / count.clamp(min=1)
        std = (squares / count.clamp(min=1) - shift**2).clamp(min=0).sqrt()
        mean = self.mean.flatten().cpu() + shift
        varies = std > CONSTANT * (1 + mean.abs())
        self.mean.copy_(mean.to(self.mean).reshape(self.mean.shape))
        self.std.copy_(torch.where(varies, std, self.std.flatten().cpu().double()).to(self.std).reshape(self.std.shape))


def _nominal(column: Column, scaling: ScalingStats) -> tuple[float, float]:
    if column.kind in (Kind.SINE, Kind.COSINE):
        return 0.0, 0.7
    if column.kind is Kind.WITHIN:
        return 0.5, 0.3
    name = column.quantity
    mean, std = INDICES[name].usual if name in INDICES else (scaling.mean[name], scaling.std[name])
    return (0.0 if column.kind in (*RELATIVE, Kind.STD) else mean), std


def _presence_columns(columns: tuple[Column, ...]) -> list[int]:
    """Return the columns whose presence is an input: the first of each quantity, and the mean of its past."""
    first = {column.quantity: number for number, column in reversed(list(enumerate(columns)))}
    means = [number for number, column in enumerate(columns) if column.kind is Kind.MEAN]
    return sorted({*first.values(), *means})
