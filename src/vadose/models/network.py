"""The fusion network: pixels, cells and the past, each through its own branch, joined cell by cell."""

from dataclasses import asdict
from typing import Any

import pydantic
import torch
from torch import Tensor, nn

from vadose.fusion import Needs
from vadose.models.batch import Batch, Estimate
from vadose.models.encoder import Encoder, EncoderShape
from vadose.models.past import Past
from vadose.models.scaled import Scaled
from vadose.samples.scaling import Scaling
from vadose.variables import source_of

STATIC = ("dem", "soilgrids")
"""Sources whose values do not change with time."""
SMALLEST_SPREAD = 0.005
"""No in-situ sensor is better than this, m3 m-3."""


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid"))
class NetworkShape:
    """Size of the network.

    Attributes:
        encoder: of the pixels; its halo becomes the halo of the needs.
        cell_features: of the branch that reads cell values.
        past_features: of the branch that reads the history.
        joined: features of the layers that join the branches.
        dropout: share of the joined features that is dropped in training.
        noise: added to scaled cell values and history in training, standard deviation.
        static_noise: added to scaled cell values of what does not change, so that they do not name a sensor.
    """

    encoder: EncoderShape = EncoderShape()
    cell_features: int = 32
    past_features: int = 32
    joined: int = 64
    dropout: float = 0.1
    noise: float = 0.0
    static_noise: float = 0.0


class FusionNetwork(nn.Module):
    """Mean and spread of soil moisture for every cell within the halo.

    Without pixels among its needs it has no encoder and reads cells alone, point tables for instance. The numbers
    inside are normalised; what comes in and what goes out has physical units.

    Args:
        needs: what it reads.
        shape: its size.
        scaling: of every needed variable and of the label, fitted on the training samples.
    """

    label_mean: Tensor
    label_std: Tensor

    def __init__(self, needs: Needs, shape: NetworkShape, scaling: Scaling) -> None:
        super().__init__()
        self.needs, self.shape = needs, shape
        self.register_buffer("label_mean", torch.tensor(scaling.mean["soil_moisture"], dtype=torch.float32))
        self.register_buffer("label_std", torch.tensor(scaling.std["soil_moisture"], dtype=torch.float32))
        self.scaled_pixels = Scaled(needs.pixels, scaling, axis=-3)
        self.scaled_cells = Scaled(needs.cells, scaling, axis=-3)
        self.scaled_history = Scaled(needs.history.variables, scaling, axis=-3)
        self.cell_noise = _noise_of(needs.cells, shape)
        self.history_noise = _noise_of(needs.history.variables, shape)
        features = 0
        if needs.pixels:
            self.encoder = Encoder(2 * len(needs.pixels), shape.encoder)
            features += self.encoder.features
        if needs.cells:
            self.cells = _perceptron(2 * len(needs.cells), shape.cell_features, shape.cell_features, shape.dropout)
            features += shape.cell_features
        if needs.history.variables:
            self.past = Past(len(needs.history.variables), shape.past_features)
            features += self.past.features
        self.joined = _perceptron(features, shape.joined, shape.joined, shape.dropout)
        self.head = nn.Conv2d(shape.joined, 2, 1)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean and spread, m3 m-3, each (batch, y, x)."""
        branches = []
        if self.needs.pixels:
            branches.append(self.encoder(self.scaled_pixels(batch.pixels)))
        if self.needs.cells:
            branches.append(self.cells(self._noisy(self.scaled_cells(batch.cells), self.cell_noise)))
        if self.needs.history.variables:
            branches.append(self.past(self._noisy(self.scaled_history(batch.history), self.history_noise)))
        raw = self.head(self.joined(torch.cat(branches, dim=1)))
        mean = self.label_mean + self.label_std * raw[:, 0]
        spread = SMALLEST_SPREAD + self.label_std * nn.functional.softplus(raw[:, 1])
        return mean, spread

    def _noisy(self, scaled: Tensor, noise: Tensor) -> Tensor:
        if not self.training:
            return scaled
        values, present = scaled.chunk(2, dim=-3)
        shaken = values + present * noise.to(values.device) * torch.randn_like(values)
        return torch.cat([shaken, present], dim=-3)

    @torch.inference_mode()
    def estimate(self, batch: Batch) -> Estimate:
        """Mean within 0..1 and spread of every cell."""
        self.eval()
        mean, spread = self(batch.to(self.label_mean.device))
        return Estimate(mean.clamp(0, 1).cpu().numpy(), spread.cpu().numpy())

    def describe(self) -> dict[str, Any]:
        """What is needed, beside the weights, to build the same network."""
        return {"needs": asdict(self.needs), "shape": asdict(self.shape)}


def _noise_of(names: tuple[str, ...], shape: NetworkShape) -> Tensor:
    static = [source_of(name) in STATIC for name in names]
    return torch.tensor([shape.static_noise if still else shape.noise for still in static]).reshape(-1, 1, 1)


def _perceptron(inward: int, hidden: int, outward: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inward, hidden, 1), nn.GELU(), nn.Dropout(dropout), nn.Conv2d(hidden, outward, 1), nn.GELU()
    )
