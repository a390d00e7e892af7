"""Size of the fusion network, and the parts of its output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import pydantic

from vadose.models.encoder_shape import EncoderShape

if TYPE_CHECKING:
    from torch import Tensor

ENCODERS: Mapping[str, EncoderShape] = {
    "standard": EncoderShape(),
    "small": EncoderShape(8, (2, 1, 1, 1), 16),
    "paper_size": EncoderShape(544, (2, 1, 1, 3), 1632),
}
"""Encoders by name: 0.15 and 0.01 GFLOP per chip, and for comparison 12, as the paper's Xception."""


Features = Annotated[int, pydantic.Field(ge=0, le=16_384)]
Noise = Annotated[float, pydantic.Field(ge=0, le=100)]


def _named(encoder: object) -> object:
    if isinstance(encoder, str) and encoder not in ENCODERS:
        raise ValueError(f"'{encoder}' is not an encoder; known are {', '.join(ENCODERS)}")
    return ENCODERS[encoder] if isinstance(encoder, str) else encoder


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", allow_inf_nan=False))
class NetworkShape:
    """Size of the network.

    Attributes:
        encoder: encoder of the pixels: a shape, or standard, small or paper_size; it determines the halo.
        cell_features: features of a layer between the cell columns and the joining layers; 0 for none.
        gru_size: features of a GRU that reads the history step by step; 0 for none.
        gru_steps: number of the latest steps that it reads; all by default.
        condensed: whether fixed columns that condense the history (filters, lags, departures, changes) are inputs;
            without them the GRU alone follows the history.
        hidden_size: features of the layers that join the branches.
        dropout: fraction of the joined features that is dropped in training.
        season: whether the day of the year is an input.
        noise: noise in training on inputs that vary in time, drawn for each sample, standard deviations.
        time_invariant_noise: noise in training on statistics of the history (mean, standard deviation, minimum,
            maximum), the same for all samples of a sensor, standard deviations.
        static_noise: noise in training on static predictors, such as elevation and soil, the same for all samples of a
            sensor, standard deviations.
        head_noise: noise in training on all inputs of the static head, the same for all samples of a sensor, standard
            deviations.
    """

    encoder: Annotated[EncoderShape, pydantic.BeforeValidator(_named)] = EncoderShape()
    cell_features: Features = 0
    gru_size: Features = 0
    gru_steps: Annotated[int, pydantic.Field(ge=1, le=100_000)] | None = None
    condensed: bool = True
    hidden_size: Annotated[int, pydantic.Field(ge=1, le=16_384)] = 64
    dropout: Annotated[float, pydantic.Field(ge=0, lt=1)] = 0.1
    season: bool = True
    noise: Noise = 0.0
    time_invariant_noise: Noise = 0.0
    static_noise: Noise = 0.0
    head_noise: Noise = 0.0


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """Network output: soil moisture as the sum of both heads, m3 m-3, each (batch, y, x).

    Attributes:
        static: usual level of the place.
        dynamic: departure from it at the time.
        std: standard deviation of the error.
    """

    static: "Tensor"
    dynamic: "Tensor"
    std: "Tensor"
