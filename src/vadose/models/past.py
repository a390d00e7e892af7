"""Steps of time to features of cells."""

from torch import Tensor, nn


class Past(nn.Module):
    """A gated recurrent unit over each cell's own past: (batch, step, variable, y, x) to (batch, feature, y, x)."""

    def __init__(self, variables: int, features: int) -> None:
        super().__init__()
        self.features = features
        self.recurrent = nn.GRU(variables, features, batch_first=True)

    def forward(self, steps: Tensor) -> Tensor:
        """Read the steps, the latest first, from the earliest to the latest."""
        batch, count, variables, height, width = steps.shape
        series = steps.flip(1).permute(0, 3, 4, 1, 2).reshape(batch * height * width, count, variables)
        last: Tensor = self.recurrent(series)[1][-1]
        return last.reshape(batch, height, width, self.features).permute(0, 3, 1, 2).contiguous()
