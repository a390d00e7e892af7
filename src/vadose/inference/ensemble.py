"""Ensemble estimates: mean and standard deviation of several models."""

from collections.abc import Sequence

import numpy as np

from vadose.models import Batch, Estimate, Model


def combine(models: Sequence[Model], batch: Batch) -> Estimate:
    """Return the mean of the members' means, with the mean of their variances plus the variance of their means.

    This is the mixture of Lakshminarayanan et al., NeurIPS 2017, arXiv:1612.01474, section 2.4. A single model is
    returned unchanged.

    Args:
        models: models with the same needs.
        batch: batch in the order of these needs.
    """
    estimates = [model.estimate(batch) for model in models]
    means = np.stack([estimate.mean for estimate in estimates])
    variances = np.stack([estimate.std for estimate in estimates]).astype(np.float64) ** 2
    std = np.sqrt(variances.mean(axis=0) + means.astype(np.float64).var(axis=0))
    return Estimate(means.mean(axis=0), std.astype(np.float32))
