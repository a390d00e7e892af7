"""Encoder of 10 m pixels into features of 320 m cells, by depthwise separable convolutions without padding.

Each convolution removes its border instead of padding, so that a cell's features depend only on the pixels within the
halo, and not on the shape of the tile. The blocks follow Chollet, Xception, CVPR 2017, arXiv:1610.02357.
"""

import torch
from torch import Tensor, nn

from vadose.models.encoder_shape import STRIDES, EncoderShape


class Encoder(nn.Module):
    """Map pixels (batch, channel, y, x) to features of the cells within the halo, (batch, feature, cell y, cell x)."""

    def __init__(self, channels: int, shape: EncoderShape) -> None:
        super().__init__()
        self.features = shape.widths[-1]
        layers: list[nn.Module] = [nn.Conv2d(channels, shape.widths[0], STRIDES[0], STRIDES[0])]
        width = shape.widths[0]
        for stage, count in enumerate(shape.blocks):
            if stage:
                layers.append(AvgMaxPool())
            for _ in range(count):
                layers.append(Separable(width, shape.widths[stage]))
                width = shape.widths[stage]
        self.layers = nn.Sequential(*layers)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode scaled pixels."""
        encoded: Tensor = self.layers(pixels)
        return encoded


class Separable(nn.Module):
    """A residual depthwise separable convolution, 3 x 3, without padding: one feature less at every border."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inward)
        self.depthwise = nn.Conv2d(inward, inward, 3, groups=inward, bias=False)
        self.pointwise = nn.Conv2d(inward, outward, 1)
        self.skip = nn.Identity() if inward == outward else nn.Conv2d(inward, outward, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Add the output of the convolution to the input."""
        found = self.pointwise(self.depthwise(torch.relu(self.norm(x))))
        carried: Tensor = self.skip(x[..., 1:-1, 1:-1])
        joined: Tensor = carried + found
        return joined


class AvgMaxPool(nn.Module):
    """Halve the resolution: the mean and the maximum of 2 x 2 features, in equal parts."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool (batch, feature, y, x) to half of y and x."""
        pooled: Tensor = 0.5 * (nn.functional.avg_pool2d(x, 2) + nn.functional.max_pool2d(x, 2))
        return pooled
