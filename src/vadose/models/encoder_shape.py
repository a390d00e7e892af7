"""Size of the encoder of pixels."""

from typing import Annotated

import pydantic

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
