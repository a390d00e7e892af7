"""The fusion network: a static and a dynamic head, cell by cell."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vadose.dataset.scaling import ScalingStats
from vadose.fusion import InputSpec
from vadose.models.batch import Batch, Estimate
from vadose.models.encoder import Encoder
from vadose.models.feature_columns import Column, feature_columns, step_columns
from vadose.models.feature_extractor import FeatureExtractor
from vadose.models.feature_scaler import FeatureScaler
from vadose.models.heads import StaticHead, add_group_noise, noise_of, perceptron
from vadose.models.history_filters import Recurrent
from vadose.models.pixel_scaler import PixelScaler
from vadose.models.shape import NetworkOutput, NetworkShape

SMALLEST_SPREAD = 0.005
"""Smallest standard deviation, m3 m-3; no in-situ sensor is better."""
STRANGE = 6.0
"""Number of standard deviations of the training samples beyond which a quantity is out of the domain."""


class FusionNetwork(nn.Module):
    """Mean and standard deviation of soil moisture for every cell within the halo.

    The static head is linear in a few time-invariant quantities of the place; the dynamic head has layers on current
    values, the history, static variables, and the encoded pixels where there are any. Without pixels among its needs it
    has no encoder and reads only cells, for example of point tables. Values inside are normalised; inputs and outputs
    have physical units.

    Args:
        needs: inputs.
        shape: size.
        scaling: scaling of every needed variable and of the label, fitted on the training samples.
    """

    label_mean: Tensor
    label_std: Tensor
    of_level: Tensor

    def __init__(self, needs: InputSpec, shape: NetworkShape, scaling: ScalingStats) -> None:
        super().__init__()
        self.needs, self.shape = needs, shape
        columns = feature_columns(needs, shape.season)
        self.columns: tuple[Column, ...] = tuple(one for one in columns if shape.condensed or not one.of_steps)
        level = [number for number, column in enumerate(self.columns) if column.of_level]
        self.register_buffer("label_mean", torch.tensor(scaling.mean["soil_moisture"], dtype=torch.float32))
        self.register_buffer("label_std", torch.tensor(scaling.std["soil_moisture"], dtype=torch.float32))
        self.register_buffer("of_level", torch.tensor(level, dtype=torch.long), persistent=False)
        self.standard = FeatureScaler(self.columns, scaling)
        self.noise = noise_of(self.columns, shape.noise, shape.time_invariant_noise, shape.static_noise)
        features = len(self.columns) + len(self.standard.presence_columns)
        if shape.cell_features:
            self.cells = perceptron(features, shape.cell_features, 1, shape.dropout)
            features = shape.cell_features
        if needs.pixels:
            self.scaled_pixels = PixelScaler(needs.pixels, scaling, axis=-3)
            self.encoder = Encoder(2 * len(needs.pixels), shape.encoder)
            features += self.encoder.features
        if needs.history.variables and shape.gru_size:
            self.step_columns = step_columns(needs)
            self.steps = FeatureScaler(self.step_columns, scaling)
            self.past = Recurrent(2 * len(self.step_columns), shape.gru_size)
            features += shape.gru_size
        self.hidden = perceptron(features, shape.hidden_size, 2, shape.dropout)
        self.head = nn.Conv2d(shape.hidden_size, 2, 1)
        self.level = StaticHead(len(level))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, m3 m-3, each (batch, y, x)."""
        parts = self.parts(batch)
        return parts.static + parts.dynamic, parts.std

    def parts(self, batch: Batch, sensor: Tensor | None = None) -> NetworkOutput:
        """Return both heads and the standard deviation; in training, time-invariant noise is the same for a sensor's
        samples.

        Args:
            batch: batch in the order of the needs.
            sensor: (sample,), sensor numbers; by default every sample is a sensor.
        """
        features = FeatureExtractor.of(batch, self.needs)
        scaled, there = self.standard(features.columns(self.columns))
        static = scaled[:, self.of_level]
        if self.training:
            static = add_group_noise(static, self.shape.head_noise, sensor) * there[:, self.of_level]
            scaled = self.noise(scaled, sensor) * there
        branches = [torch.cat([scaled, there[:, self.standard.presence_columns]], dim=1)]
        if self.shape.cell_features:
            branches = [self.cells(branches[0])]
        if self.needs.pixels:
            branches.append(self.encoder(self.scaled_pixels(batch.pixels)))
        if self.needs.history.variables and self.shape.gru_size:
            branches.append(self.past(self._steps(features)))
        raw = self.head(self.hidden(torch.cat(branches, dim=1)))
        level = self.label_mean + self.label_std * self.level(static)
        std = SMALLEST_SPREAD + self.label_std * nn.functional.softplus(raw[:, 1])
        return NetworkOutput(level, self.label_std * raw[:, 0], std)

    def _steps(self, features: FeatureExtractor) -> Tensor:
        """Return the scaled columns of the steps and their presence, (batch, step, channel, y, x)."""
        values = features.steps(self.step_columns)[:, : self.shape.gru_steps]
        scaled, there = (part.unflatten(0, values.shape[:2]) for part in self.steps(values.flatten(0, 1)))
        if self.training:
            scaled = (scaled + self.shape.noise * torch.randn_like(scaled)) * there
        return torch.cat([scaled, there], dim=2)

    @torch.no_grad()
    def fit_columns(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Fit the scaling of every column to training samples; weights are unchanged.

        Args:
            batches: called for each pass over the samples.
        """
        self.standard.fit(FeatureExtractor.of(batch, self.needs).columns(self.columns) for batch in batches())
        if self.needs.history.variables and self.shape.gru_size:
            self.steps.fit(
                FeatureExtractor.of(batch, self.needs).steps(self.step_columns).flatten(0, 1) for batch in batches()
            )

    @torch.inference_mode()
    def estimate(self, batch: Batch) -> Estimate:
        """Return mean and standard deviation of every cell, clipped to the physical range."""
        self.eval()
        mean, std = self(batch.to(self.label_mean.device))
        return Estimate(mean.clamp(0, 1).cpu().numpy(), std.cpu().numpy())

    @torch.inference_mode()
    def out_of_distribution(self, batch: Batch) -> NDArray[np.bool_]:
        """Return where a quantity is far from all training samples, (batch, y, x)."""
        readings = FeatureExtractor.of(batch.to(self.label_mean.device), self.needs)
        return np.asarray((self.standard.farthest(readings.columns(self.columns)) > STRANGE).cpu().numpy())

    def describe(self) -> dict[str, Any]:
        """Return the parameters that, with the weights, rebuild the network."""
        return {"needs": self.needs.describe(), "shape": asdict(self.shape)}
