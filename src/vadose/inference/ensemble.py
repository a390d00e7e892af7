"""Several models as one: what the members say on the whole, and where they disagree."""

from collections.abc import Sequence

import numpy as np

from vadose.models import Batch, Estimate, Model


def combine(models: Sequence[Model], batch: Batch) -> Estimate:
    """Mean of the members' means; variance of the error as the mean of their variances plus that of their means.

    The mixture of Lakshminarayanan et al., NeurIPS 2017, arXiv:1612.01474, section 2.4. One model is itself.

    Args:
        models: with the same needs.
        batch: in the order of these needs.
    """
    estimates = [model.estimate(batch) for model in models]
    means = np.stack([estimate.mean for estimate in estimates])
    variances = np.stack([estimate.std for estimate in estimates]).astype(np.float64) ** 2
    std = np.sqrt(variances.mean(axis=0) + means.astype(np.float64).var(axis=0))
    return Estimate(means.mean(axis=0), std.astype(np.float32))
