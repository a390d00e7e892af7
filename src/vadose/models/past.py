"""Steps of time to features of cells."""

import torch
from torch import Tensor, nn


class Past(nn.Module):
    """Each cell's own past: what led to the moment, and what is usual there.

    A gated recurrent unit reads the steps; beside it stand the departure of the latest observation from the mean of
    all steps, and their mean, spread, minimum and maximum. (batch, step, 2 x variable, y, x), values and presence as
    `Scaled` gives them, to (batch, feature, y, x).

    Args:
        variables: how many.
        features: of the recurrent unit, and as many of the summary.
    """

    def __init__(self, variables: int, features: int) -> None:
        super().__init__()
        self.hidden = features
        self.features = 2 * features
        self.recurrent = nn.GRU(2 * variables, features, batch_first=True)
        self.summary = nn.Conv2d(5 * variables, features, 1)

    def forward(self, steps: Tensor) -> Tensor:
        """Read the steps, given the latest first, from the earliest to the latest."""
        batch, count, channels, height, width = steps.shape
        series = steps.flip(1).permute(0, 3, 4, 1, 2).reshape(batch * height * width, count, channels)
        last: Tensor = self.recurrent(series)[1][-1]
        read = last.reshape(batch, height, width, self.hidden).permute(0, 3, 1, 2)
        values, present = steps.chunk(2, dim=2)
        return torch.cat([read, torch.tanh(self.summary(usual(values, present)))], dim=1).contiguous()


def usual(values: Tensor, present: Tensor) -> Tensor:
    """Departure of the latest from the mean, then mean, spread, minimum and maximum over the steps that are present.

    Args:
        values: (batch, step, variable, y, x), the latest step first, 0 where missing.
        present: the same shape, 1 or 0.

    Returns:
        (batch, 5 x variable, y, x); 0 where no step is present.
    """
    count = present.sum(dim=1).clamp(min=1)
    mean = (values * present).sum(dim=1) / count
    spread = (((values - mean[:, None]) ** 2 * present).sum(dim=1) / count + 1e-6).sqrt()
    lowest = torch.where(present > 0, values, torch.inf).amin(dim=1)
    highest = torch.where(present > 0, values, -torch.inf).amax(dim=1)
    first = present.argmax(dim=1, keepdim=True)
    latest = values.gather(1, first)[:, 0]
    stacked = torch.cat([latest - mean, mean, spread, lowest, highest], dim=1)
    known = (present.sum(dim=1) > 0).repeat(1, 5, 1, 1)
    return torch.where(known, stacked, 0.0)
