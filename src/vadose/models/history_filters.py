"""Reduction of the history to numbers per cell: fixed filters, and a learned recurrent unit."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from vadose.models.feature_columns import Column, Kind


@dataclass(frozen=True, eq=False)
class HistoryFilters:
    """The history of one quantity.

    Attributes:
        steps: (batch, step, y, x), the latest first, NaN where missing.
        step_days: length of a step.
    """

    steps: Tensor
    step_days: float

    @cached_property
    def there(self) -> Tensor:
        """Return whether each step was observed."""
        return torch.isfinite(self.steps)

    @cached_property
    def count(self) -> Tensor:
        """Return the number of observed steps, (batch, y, x)."""
        return self.there.sum(dim=1)

    @cached_property
    def mean(self) -> Tensor:
        """Return the mean over the observed steps, (batch, y, x); NaN without any."""
        return self.steps.nanmean(dim=1)

    @cached_property
    def std(self) -> Tensor:
        """Return the standard deviation over the observed steps; NaN with fewer than three."""
        squares = ((self.steps - self.mean[:, None]) ** 2).nanmean(dim=1)
        return torch.where(self.count > 2, squares.sqrt(), torch.nan)

    @cached_property
    def lowest(self) -> Tensor:
        """Return the minimum over the observed steps; NaN without any."""
        return _finite(torch.where(self.there, self.steps, torch.inf).amin(dim=1))

    @cached_property
    def highest(self) -> Tensor:
        """Return the maximum over the observed steps; NaN without any."""
        return _finite(torch.where(self.there, self.steps, -torch.inf).amax(dim=1))

    def filtered(self, days: float) -> Tensor:
        """Return the mean with weights that decay by e per `days` of age; NaN without an observed step.

        The exponential filter of Wagner et al., Remote Sens. Environ. 70:191-207, 1999, over the observed steps.
        """
        ages = torch.arange(self.steps.shape[1], device=self.steps.device) * self.step_days
        weights = torch.exp(-ages / days).clamp(min=1e-30)[:, None, None] * self.there
        return (self.steps.nan_to_num(0.0) * weights).sum(dim=1) / weights.sum(dim=1)

    def each(self, column: Column) -> Tensor:
        """Return a column of each step, (batch, step, y, x): its value, or its change since some steps before."""
        if column.kind is not Kind.CHANGE:
            return self.steps
        earlier = torch.full_like(self.steps, torch.nan)
        span = int(column.span)
        earlier[:, : self.steps.shape[1] - span] = self.steps[:, span:]
        return self.steps - earlier

    def before(self, steps: int) -> Tensor:
        """Return the value a number of steps before the latest; NaN where the history is shorter."""
        inside = steps < self.steps.shape[1]
        return self.steps[:, steps] if inside else torch.full_like(self.steps[:, 0], torch.nan)


class Recurrent(nn.Module):
    """A gated recurrent unit over the steps of each cell.

    (batch, step, channel, y, x), scaled columns and their presence, to (batch, feature, y, x).

    Args:
        channels: their number.
        features: size of the unit.
    """

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.features = features
        self.unit = nn.GRU(channels, features, batch_first=True)

    def forward(self, steps: Tensor) -> Tensor:
        """Read the steps, given the latest first, in order of time."""
        batch, count, channels, height, width = steps.shape
        series = steps.flip(1).permute(0, 3, 4, 1, 2).reshape(batch * height * width, count, channels)
        last: Tensor = self.unit(series)[1][-1]
        return last.reshape(batch, height, width, self.features).permute(0, 3, 1, 2).contiguous()


def _finite(values: Tensor) -> Tensor:
    return torch.where(torch.isfinite(values), values, torch.nan)
