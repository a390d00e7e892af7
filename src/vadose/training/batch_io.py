"""Network input and output for samples of one cell, with their labels."""

from dataclasses import fields, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vadose.models import Batch, FusionNetwork
from vadose.models.shape import NetworkOutput
from vadose.training.objective import Labels

Labelled = tuple[Batch, Labels]


class LossInputs(NamedTuple):
    """Rows of samples: three of the network output (`NetworkOutput`) and five of the labels (`Labels`)."""

    static: Tensor
    dynamic: Tensor
    std: Tensor
    label: Tensor
    sensor: Tensor
    site_weight: Tensor
    day: Tensor
    scene: Tensor

    @property
    def parts(self) -> NetworkOutput:
        """Return the network output."""
        return NetworkOutput(self.static, self.dynamic, self.std)

    @property
    def truth(self) -> Labels:
        """Return the labels."""
        return Labels(self.label, self.sensor, self.site_weight, self.day, self.scene)


class ModelInput:
    """Wrapper of a batch: Fabric would round bare tensors, in physical units, to the precision of the layers."""

    def __init__(self, batch: Batch, sensor: Tensor | None) -> None:
        self.batch, self.sensor = batch, sensor


class OneCell(nn.Module):
    """Static, dynamic and standard deviation of samples of one cell, (3, sample), m3 m-3, in 32 bits.

    Args:
        network: network to be called.
        compiled: whether it is compiled at its first step.
    """

    def __init__(self, network: FusionNetwork, compiled: bool) -> None:
        super().__init__()
        self.network = network
        self.parts = torch.compile(network.parts) if compiled else network.parts

    def forward(self, given: ModelInput) -> Tensor:
        """Return the output of the network."""
        parts = self.parts(given.batch, given.sensor)
        return torch.stack([part[:, 0, 0].float() for part in (parts.static, parts.dynamic, parts.std)])


def rows_of(truth: Labels) -> Tensor:
    """Return labels as rows, (5, sample); numbers below 2^24 are exact in 32 bits."""
    return torch.stack([one.to(truth.label.dtype) for one in truth.columns])


def pinned(given: Labelled) -> Labelled:
    """Return the batch in pinned memory, from which CUDA copies asynchronously."""
    batch, truth = given
    parts = {one.name: getattr(batch, one.name).pin_memory() for one in fields(batch)}
    return replace(batch, **parts), Labels(*(part.pin_memory() for part in truth.columns))


def some(batch: Batch, rows: Tensor | slice) -> Batch:
    """Return some samples of a batch."""
    if isinstance(rows, slice):
        return batch
    day, place = (part if len(part) == 1 else part[rows] for part in (batch.day_of_year, batch.place))
    cut = {name: getattr(batch, name)[rows] for name in ("pixels", "cells", "history")}
    return replace(batch, **cut, day_of_year=day, place=place)
