"""What training minimises."""

from math import log, pi

import torch
from torch import Tensor


def objective(mean: Tensor, spread: Tensor, label: Tensor, sensor: Tensor, bias_weight: float) -> Tensor:
    """Squared error of the mean, split by sensor into what varies in time and what lasts, and likelihood of the spread.

    A sensor's lasting error is its bias; it is large, says little of other places, and would drown the rest. So

        L = mean(centred^2 + bias_weight * lasting^2) / var(label) + NLL(spread | error)

    where lasting is the mean error of a sensor within the batch and centred the error less that: RMSE^2 = ubRMSE^2 +
    bias^2 (Entekhabi et al., J. Hydrometeor. 11:832-840, 2010, equation 2) with a weight of its own on each part. The
    spread is fitted to the whole error, which it leaves as it is.

    Args:
        mean, spread, label: (sample,), m3 m-3.
        sensor: (sample,), a number for each sensor.
        bias_weight: 1 gives the plain squared error.

    Returns:
        The loss of the batch.
    """
    error = mean - label
    lasting = _mean_by(error, sensor)
    squares = (error - lasting) ** 2 + bias_weight * lasting**2
    scale = label.var(unbiased=False).clamp(min=1e-4)
    fit: Tensor = squares.mean() / scale + negative_log_likelihood(mean.detach(), spread, label)
    return fit


def negative_log_likelihood(mean: Tensor, spread: Tensor, label: Tensor) -> Tensor:
    """Gaussian negative log-likelihood, a mean over samples; all m3 m-3, of one shape."""
    variance = spread**2
    each: Tensor = 0.5 * (torch.log(variance) + (label - mean) ** 2 / variance + log(2 * pi))
    return each.mean()


def _mean_by(values: Tensor, group: Tensor) -> Tensor:
    _, place, count = torch.unique(group, return_inverse=True, return_counts=True)
    total = torch.zeros(len(count), dtype=values.dtype, device=values.device).index_add(0, place, values)
    means: Tensor = (total / count)[place]
    return means
