"""The running mean of a network's weights."""

from copy import deepcopy

import torch

from vadose.models import FusionNetwork


class EMA:
    """Exponential moving average of the weights (Polyak & Juditsky, SIAM J. Control Optim. 30:838-855, 1992).

    In the first steps it keeps less of what was, (1 + steps) / (10 + steps), so that it forgets the random beginning.

    Args:
        network: whose weights are followed.
        keep: share of the mean that stays at each step.
    """

    def __init__(self, network: FusionNetwork, keep: float) -> None:
        self.network = deepcopy(network).requires_grad_(False)
        self.keep, self.steps = keep, 0

    @torch.no_grad()
    def follow(self, network: FusionNetwork) -> None:
        """Take one step towards a network; what it counts (buffers) is taken over."""
        self.steps += 1
        keep = min(self.keep, (1 + self.steps) / (10 + self.steps))
        mine, theirs = ([weight.detach() for weight in one.parameters()] for one in (self.network, network))
        torch._foreach_lerp_(mine, theirs, 1 - keep)
        for held, given in zip(self.network.buffers(), network.buffers(), strict=True):
            held.copy_(given)
