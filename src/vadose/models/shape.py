"""The size of the fusion network, and the parts of what it says."""

from dataclasses import dataclass

import pydantic
from torch import Tensor

from vadose.models.encoder import EncoderShape


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid"))
class NetworkShape:
    """Size of the network.

    Attributes:
        encoder: of the pixels; its halo becomes the halo of the needs.
        cell_features: of a layer between the cells' columns and what joins them with other branches; 0 for none.
        past_features: of a recurrent unit beside the fixed filters of the past; 0 for none.
        joined: features of the layers that join the branches.
        dropout: share of the joined features that is dropped in training.
        season: whether the day of the year is read.
        noise: added in training to what is of the moment, in standard deviations of each column.
        lasting_noise: to what lasts, the same for all samples of a sensor, so that it does not name one.
        static_noise: to what never changes, likewise.
        level_noise: to what the level is told from, likewise.
    """

    encoder: EncoderShape = EncoderShape()
    cell_features: int = 0
    past_features: int = 0
    joined: int = 64
    dropout: float = 0.1
    season: bool = True
    noise: float = 0.0
    lasting_noise: float = 0.0
    static_noise: float = 0.0
    level_noise: float = 0.0


@dataclass(frozen=True, eq=False)
class Parts:
    """Soil moisture as the sum of two, m3 m-3, each (batch, y, x).

    Attributes:
        level: what is usual at the place.
        swing: departure of the moment from it.
        spread: one standard deviation of the error.
    """

    level: Tensor
    swing: Tensor
    spread: Tensor
