"""Training configuration: everything that affects the results."""

from math import cos, pi

import pydantic
from pydantic import Field

from vadose.training.loss_weights import LossWeights

LARGEST_SEED = 2**31 - 1
"""Largest seed that all random number libraries accept."""
WARM = 0.1
"""Fraction of the training in which the learning rate rises."""


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", allow_inf_nan=False))
class TrainingConfig:
    """Training of a network.

    Attributes:
        epochs: maximum number of epochs.
        batch_size: samples per step, on all devices together.
        learning_rate: peak learning rate, reached after a tenth of all steps, followed by a cosine to zero.
        weight_decay: weight decay of AdamW (Loshchilov & Hutter, ICLR 2019); none on biases and norms.
        patience: epochs without a lower validation loss before training stops and the best weights are restored;
            without a number, all epochs run, on the validation samples too, and the last weights are kept.
        per_sensor: consecutive samples of one sensor in a batch, which separate its bias from the rest; a batch has
            batch_size // per_sensor sensors.
        weights: weights of the terms of the loss.
        block_degrees: side of the blocks whose sensors share one weight in the bias, degrees.
        augment: whether chips are rotated and mirrored in training.
        source_dropout: probability that a source is removed from the samples of a sensor in a batch.
        ema_decay: decay of the exponential moving average of the weights, such as 0.99, which is validated and kept
            instead of the weights; none without a number.
        seed: random seed.
    """

    epochs: int = Field(default=30, ge=1, le=100_000)
    batch_size: int = Field(default=64, ge=1, le=1_000_000)
    learning_rate: float = Field(default=2e-3, gt=0, le=10)
    weight_decay: float = Field(default=1e-2, ge=0, le=100)
    patience: int | None = Field(default=8, ge=1, le=100_000)
    per_sensor: int = Field(default=16, ge=1, le=1_000_000)
    weights: LossWeights = LossWeights()
    block_degrees: float = Field(default=1.0, ge=1e-3, le=360)
    augment: bool = False
    source_dropout: float = Field(default=0.1, ge=0, le=1)
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)

    def rate(self, done: float) -> float:
        """Return the learning rate at a fraction of the training, 0..1."""
        risen = done / WARM if done < WARM else 0.5 * (1 + cos(pi * (done - WARM) / (1 - WARM)))
        return self.learning_rate * risen
