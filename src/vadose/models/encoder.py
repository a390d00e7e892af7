"""Encoder of 10 m pixels into features of 320 m cells, by depthwise separable convolutions without padding.

Each convolution removes its border instead of padding, so that a cell's features depend only on the pixels within the
halo, and not on the shape of the tile. The blocks follow Chollet, Xception, CVPR 2017, arXiv:1610.02357.
"""

from typing import Annotated

import pydantic
import torch
from torch import Tensor, nn

from vadose.errors import VadoseError
from vadose.grid import PIXELS_PER_CELL

STRIDES = (4, 8, 16, 32)
"""Pixels per feature at each stage."""

Features = Annotated[int, pydantic.Field(ge=1, le=16_384)]
Blocks = Annotated[int, pydantic.Field(ge=1, le=64)]


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", allow_inf_nan=False))
class EncoderShape:
    """Size of the encoder.

    Attributes:
        width: features of the first stage; each later stage has twice as many, at most `max_width`.
        blocks: number of 3 x 3 convolutions per stage; whole cells are removed at every border.
        max_width: features of the widest stage.
    """

    width: Features = 32
    blocks: tuple[Blocks, Blocks, Blocks, Blocks] = (2, 1, 1, 3)
    max_width: Features = 192

    def __post_init__(self) -> None:
        if min(self.blocks) < 1 or self.width < 1 or self.max_width < self.width:
            raise VadoseError(
                f"encoder: blocks {self.blocks}, width {self.width}, max_width {self.max_width}",
                "Every stage needs a convolution, and max_width is at least width",
                "Choose counts of 1 or more, such as (2, 1, 1, 3)",
            )
        border = 0
        for count, stride in zip(self.blocks, STRIDES, strict=True):
            border += count * stride
            following = min(2 * stride, PIXELS_PER_CELL)
            if border % following:
                raise VadoseError(
                    f"encoder: blocks {self.blocks}",
                    f"After stride {stride} the border is {border} pixels, which is not a multiple of {following}",
                    "Choose counts that keep cells aligned, such as (2, 1, 1, 3)",
                )

    @property
    def halo(self) -> int:
        """Return the number of cells removed at each border."""
        return sum(count * stride for count, stride in zip(self.blocks, STRIDES, strict=True)) // PIXELS_PER_CELL

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the features of each stage."""
        return tuple(min(self.width * 2**stage, self.max_width) for stage in range(len(STRIDES)))


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
