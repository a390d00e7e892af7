"""What training minimises."""

from math import log, pi

import torch
from torch import Tensor


def negative_log_likelihood(mean: Tensor, spread: Tensor, label: Tensor, beta: float = 0.5) -> Tensor:
    """Gaussian negative log-likelihood of each sample, weighted by spread^(2 beta).

    The weight keeps samples that are hard to predict from being given up (Seitzer et al., ICLR 2022,
    arXiv:2203.09168, equation 5).

    Args:
        mean, spread, label: m3 m-3, of one shape.
        beta: 0 is the plain likelihood, 1 gives the gradients of the squared error.

    Returns:
        The mean over samples.
    """
    variance = spread**2
    loss = 0.5 * (torch.log(variance) + (label - mean) ** 2 / variance + log(2 * pi))
    return (loss * variance.detach() ** beta).mean() if beta else loss.mean()
