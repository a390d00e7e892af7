"""Whether the stated spread is true: coverage of intervals and the continuous ranked probability score, by sample."""

import numpy as np
from scipy.special import erf, ndtri

from vadose.evaluation.statistic import Floats

LEVELS = (50, 80, 90, 95)
"""Central intervals whose coverage is counted, in %."""


def covered(mean: Floats, spread: Floats, truth: Floats, percent: float) -> Floats:
    """1 where the truth lies in the central interval of a Gaussian, 0 where it does not, NaN without a spread.

    A true spread covers `percent` % of the samples.
    """
    half = ndtri(0.5 + percent / 200) * spread
    return np.where(np.isfinite(spread), np.abs(truth - mean) <= half, np.nan)


def crps_gaussian(mean: Floats, spread: Floats, truth: Floats) -> Floats:
    """Continuous ranked probability score of a Gaussian, m3 m-3: the smaller the better, |mean - truth| at spread 0.

    With z = (truth - mean) / spread: spread (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)), Gneiting et al. (2005,
    doi 10.1175/MWR2904.1), equation 5.
    """
    error = np.abs(truth - mean)
    positive = np.where(spread > 0, spread, 1.0)
    z = error / positive
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    score = positive * (z * erf(z / np.sqrt(2)) + 2 * density - 1 / np.sqrt(np.pi))
    return np.where(spread > 0, score, np.where(spread == 0, error, np.nan))
