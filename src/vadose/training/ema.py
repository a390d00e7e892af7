"""Exponential moving average of network weights."""

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from vadose.models import FusionNetwork

Weights = tuple[Tensor, ...] | list[Tensor]
BEGINNING = 1
"""Count of averaged weights before the first step; from 0, PyTorch would copy the first weights instead."""


def averaged(network: FusionNetwork, decay: float) -> AveragedModel:
    """Exponential moving average of weights (Polyak & Juditsky, SIAM J. Control Optim. 30:838-855, 1992); buffers are
    copied.

    In the first steps the decay is smaller, (1 + steps) / (10 + steps), so that the random start is forgotten.

    Args:
        network: network of the weights.
        decay: fraction of the average that remains at each step.
    """

    def step(target: Weights, source: Weights, steps: Tensor | int) -> None:
        kept = min(decay, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(target, source, 1 - kept)

    average = AveragedModel(network, multi_avg_fn=step)
    average.n_averaged.fill_(BEGINNING)
    return average
