"""Trained networks as one graph for other programs: physical units in and out, all members included."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from vadose.fusion import InputSpec
from vadose.grid import PIXELS_PER_CELL
from vadose.inference.ensemble import weights_of
from vadose.models import Batch, DepartureTrees, FusionNetwork, Model, by_own_record
from vadose.registry import source_of

OUTPUTS = ("soil_moisture", "soil_moisture_std")
Shape = tuple[str | int, ...]


class ExportModule(nn.Module):
    """Mean and standard deviation of soil moisture, m3 m-3, each (batch, y, x), by the ensemble.

    Members are combined as in `ensemble.combine` and calibrated as in `Calibration`; both outputs are NaN without any
    observation.

    Args:
        members: networks and trees with the same needs; with equal weights unless they are an `Ensemble`.
        whole: factor of the standard deviation where every source was observed.
        lacking: factor by missing source.
    """

    def __init__(
        self, members: Sequence[Model], whole: float = 1.0, lacking: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        self.needs, self.whole, self.lacking = members[0].needs, whole, dict(lacking or {})
        self.members = nn.ModuleList([member for member in members if isinstance(member, nn.Module)])
        self.weights = tuple(map(float, weights_of(members)))
        self.inputs = inputs_of(self.needs, any(map(reads_season, members)))
        self.eval()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Estimate from the inputs in the order of `inputs_of`."""
        batch = self._batch(dict(zip(self.inputs, inputs, strict=True)))
        estimates = [member(batch) for member in self.members]
        means = torch.stack([mean.clamp(0, 1) for mean, _ in estimates])
        variances = torch.stack([std**2 for _, std in estimates])
        weights = means.new_tensor(self.weights).reshape(-1, 1, 1, 1)
        mean = (weights * means).sum(dim=0)
        variance = (weights * (variances + (means - mean) ** 2)).sum(dim=0)
        observed = _observed(batch, self.needs)
        seen = torch.stack(list(observed.values())).any(dim=0)
        std = variance.sqrt() * self._factor(observed)
        return torch.where(seen, mean, torch.nan), torch.where(seen, std, torch.nan)

    def _factor(self, observed: Mapping[str, Tensor]) -> Tensor:
        """Return the factor of the standard deviation, (batch, y, x)."""
        like = next(iter(observed.values())).float()
        factor = torch.full_like(like, self.whole)
        for source, wider in self.lacking.items():
            if source in observed:
                factor = torch.where(observed[source], factor, factor.clamp(min=wider))
        return factor

    def _batch(self, given: Mapping[str, Tensor]) -> Batch:
        like = next(given[name] for name in ("cells", "history", "pixels") if name in given)
        size = like.shape[0]
        if "cells" in given or "history" in given:
            height, width = like.shape[-2:]
        else:
            edge = 2 * self.needs.halo
            height, width = (side // PIXELS_PER_CELL - edge for side in like.shape[-2:])
        past = self.needs.history
        none = {
            "pixels": (size, 0, 0, 0),
            "cells": (size, 0, height, width),
            "history": (size, past.steps, 0, height, width),
        }
        parts = {name: given[name] if name in given else like.new_zeros(shape) for name, shape in none.items()}
        day = {"day_of_year": given["day_of_year"]} if "day_of_year" in given else {}
        return by_own_record(Batch(**parts, **day), self.needs)


def reads_season(member: Model) -> bool:
    """Return whether the day of the year is an input of a member."""
    if isinstance(member, DepartureTrees):
        return member.season
    return isinstance(member, FusionNetwork) and member.shape.season


def inputs_of(needs: InputSpec, season: bool) -> dict[str, Shape]:
    """Return the inputs of a graph, in order: a number for a fixed axis, a name for a dynamic one.

    The axes of the pixels are `32 y + 64 halo` and `32 x + 64 halo` long; the halo is in cells.
    """
    inputs: dict[str, Shape] = {}
    if needs.pixels:
        inputs["pixels"] = ("batch", len(needs.pixels), "pixel_y", "pixel_x")
    if needs.cells:
        inputs["cells"] = ("batch", len(needs.cells), "y", "x")
    if needs.history.variables:
        inputs["history"] = ("batch", needs.history.steps, len(needs.history.variables), "y", "x")
    if season:
        inputs["day_of_year"] = ("batch",)
    return inputs


def _observed(batch: Batch, needs: InputSpec) -> dict[str, Tensor]:
    """Return by source whether it was observed, (batch, y, x)."""
    layers = list(zip(needs.cells, torch.isfinite(batch.cells).unbind(1), strict=True))
    if needs.history.variables:
        layers += zip(needs.history.variables, torch.isfinite(batch.history).any(dim=1).unbind(1), strict=True)
    if needs.pixels:
        edge, side = needs.halo * PIXELS_PER_CELL, PIXELS_PER_CELL
        pixels = batch.pixels[..., edge : batch.pixels.shape[-2] - edge, edge : batch.pixels.shape[-1] - edge]
        there = nn.functional.max_pool2d(torch.isfinite(pixels).float(), side) > 0
        layers += zip(needs.pixels, there.unbind(1), strict=True)
    seen: dict[str, Tensor] = {}
    for name, layer in layers:
        source = source_of(name)
        seen[source] = seen[source] | layer if source in seen else layer
    return seen
