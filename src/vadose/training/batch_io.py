"""What a network says of samples of one cell, beside what was measured there."""

from dataclasses import fields, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vadose.models import Batch, FusionNetwork
from vadose.models.shape import NetworkOutput
from vadose.training.objective import Labels

Labelled = tuple[Batch, Labels]


class LossInputs(NamedTuple):
    """Rows of samples: three that a network says (`NetworkOutput`) and three that were measured (`Labels`)."""

    static: Tensor
    dynamic: Tensor
    std: Tensor
    label: Tensor
    sensor: Tensor
    site_weight: Tensor

    @property
    def parts(self) -> NetworkOutput:
        """What the network says."""
        return NetworkOutput(self.static, self.dynamic, self.std)

    @property
    def truth(self) -> Labels:
        """What was measured."""
        return Labels(self.label, self.sensor, self.site_weight)


class ModelInput:
    """A batch as it is: Fabric would round bare tensors, in physical units, to the precision of the layers."""

    def __init__(self, batch: Batch, sensor: Tensor | None) -> None:
        self.batch, self.sensor = batch, sensor


class OneCell(nn.Module):
    """Level, swing and spread of samples of one cell, (3, sample), m3 m-3, in 32 bits.

    Args:
        network: that says them.
        compiled: whether it is compiled at its first step.
    """

    def __init__(self, network: FusionNetwork, compiled: bool) -> None:
        super().__init__()
        self.network = network
        self.parts = torch.compile(network.parts) if compiled else network.parts

    def forward(self, given: ModelInput) -> Tensor:
        """Tell of a batch."""
        parts = self.parts(given.batch, given.sensor)
        return torch.stack([part[:, 0, 0].float() for part in (parts.static, parts.dynamic, parts.std)])


def rows_of(truth: Labels) -> Tensor:
    """Return what was measured as rows, (3, sample); the number of a sensor below 2^24 is itself in 32 bits."""
    return torch.stack([truth.label, truth.sensor.to(truth.label.dtype), truth.site_weight])


def pinned(given: Labelled) -> Labelled:
    """Return the same in pages that stay in memory, from which CUDA copies while it computes."""
    batch, truth = given
    parts = {one.name: getattr(batch, one.name).pin_memory() for one in fields(batch)}
    return replace(batch, **parts), Labels(
        *(part.pin_memory() for part in (truth.label, truth.sensor, truth.site_weight))
    )


def some(batch: Batch, rows: Tensor | slice) -> Batch:
    """Return some samples of a batch."""
    if isinstance(rows, slice):
        return batch
    day, place = (part if len(part) == 1 else part[rows] for part in (batch.day_of_year, batch.place))
    cut = {name: getattr(batch, name)[rows] for name in ("pixels", "cells", "history")}
    return replace(batch, **cut, day_of_year=day, place=place)
