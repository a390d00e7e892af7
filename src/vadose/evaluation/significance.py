"""Significance of differences: bootstrap p-values, and their correction for multiple comparisons."""

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from vadose.evaluation.statistic import Floats


def bootstrap_p(draws: Floats) -> Floats:
    """Return the two-sided p-value of the hypothesis that a difference is zero, from its bootstrap draws.

    It is twice the smaller fraction of draws on either side of zero, the observed one included, so never 0 (Davison and
    Hinkley 1997, section 4.4): below 0.1 if the 90 % percentile interval excludes zero.

    Args:
        draws: (draws, differences); NaN draws are ignored.

    Returns:
        One per difference, within 0..1; NaN without draws.
    """
    number = np.sum(np.isfinite(draws), axis=0)
    below, above = np.sum(draws <= 0, axis=0), np.sum(draws >= 0, axis=0)
    return np.where(number > 0, np.minimum(2 * (np.minimum(below, above) + 1) / (number + 1), 1), np.nan)


def of_few_blocks(p: Floats, number: int) -> Floats:
    """Return p-values with few independent blocks, consistent with the expanded interval of `vadose.evaluation.blocks`.

    Args:
        p: two-sided, from `bootstrap_p`.
        number: number of blocks, at least 2.
    """
    return np.asarray(2 * student.cdf(norm.ppf(p / 2) / np.sqrt(number / (number - 1)), number - 1))


def holm(p: Floats) -> Floats:
    """Return p-values corrected for multiple hypotheses, so that the probability of any wrong rejection is that of a
    single test.

    The step-down procedure of Holm (1979, doi 10.2307/4615733): the i-th smallest of m is multiplied by m - i + 1, and
    none is smaller than the one before it. Tests need not be independent. NaN is not a hypothesis and is kept.
    """
    corrected = np.full(len(p), np.nan)
    there = np.flatnonzero(np.isfinite(p))
    order = there[np.argsort(p[there], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected
