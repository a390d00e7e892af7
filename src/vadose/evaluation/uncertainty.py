"""Scores of the standard deviation: coverage of intervals and the continuous ranked probability score, by sample."""

import numpy as np
from scipy.special import erf, ndtri

from vadose.evaluation.statistic import Floats

LEVELS = (50, 80, 90, 95)
"""Central intervals whose coverage is computed, %."""


def spread_scores(mean: Floats, std: Floats, truth: Floats) -> dict[str, Floats]:
    """Return the scores of each sample by name: `crps` and the coverage of each of `LEVELS`."""
    coverage = {f"coverage_{level}": covered(mean, std, truth, level) for level in LEVELS}
    return {"crps": crps_gaussian(mean, std, truth)} | coverage


def covered(mean: Floats, std: Floats, truth: Floats, percent: float) -> Floats:
    """Return 1 where the truth is in the central interval of a Gaussian, 0 where it is not, NaN without a std.

    With z the quantile of the standard Gaussian at (1 + percent / 100) / 2: |truth - mean| <= z std. A correct std
    covers `percent` % of the samples (Gneiting, Balabdaoui and Raftery 2007, doi 10.1111/j.1467-9868.2007.00587.x).
    """
    half = ndtri(0.5 + percent / 200) * std
    return np.where(np.isfinite(std), np.abs(truth - mean) <= half, np.nan)


def crps_gaussian(mean: Floats, std: Floats, truth: Floats) -> Floats:
    """Return the continuous ranked probability score of a Gaussian, m3 m-3; smaller is better, |mean - truth| at std 0.

    With z = (truth - mean) / std: std (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)), Gneiting et al. (2005,
    doi 10.1175/MWR2904.1), equation 5.
    """
    error = np.abs(truth - mean)
    positive = np.where(std > 0, std, 1.0)
    z = error / positive
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    score = positive * (z * erf(z / np.sqrt(2)) + 2 * density - 1 / np.sqrt(np.pi))
    return np.where(std > 0, score, np.where(std == 0, error, np.nan))
