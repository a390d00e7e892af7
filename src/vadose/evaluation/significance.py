"""Whether a difference could be chance: p-values of a bootstrap, and their correction where several are looked at."""

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from vadose.evaluation.statistic import Floats


def bootstrap_p(draws: Floats) -> Floats:
    """Two-sided p-value of the hypothesis that a difference is zero, from its bootstrap draws.

    Twice the smaller share of draws on either side of zero, the observed one counted among them, so never 0 (Davison
    and Hinkley 1997, section 4.4): below 0.1 where the 90 % percentile interval leaves zero out.

    Args:
        draws: (draws, differences); NaN draws are not counted.

    Returns:
        One for each difference, within 0..1; NaN where there are no draws.
    """
    number = np.sum(np.isfinite(draws), axis=0)
    below, above = np.sum(draws <= 0, axis=0), np.sum(draws >= 0, axis=0)
    return np.where(number > 0, np.minimum(2 * (np.minimum(below, above) + 1) / (number + 1), 1), np.nan)


def of_few_blocks(p: Floats, number: int) -> Floats:
    """P-values of draws of few independent blocks, in step with the expanded interval of `vadose.evaluation.blocks`.

    Args:
        p: two-sided, as `bootstrap_p` gives them.
        number: of blocks, at least 2.
    """
    return np.asarray(2 * student.cdf(norm.ppf(p / 2) / np.sqrt(number / (number - 1)), number - 1))


def holm(p: Floats) -> Floats:
    """P-values corrected for how many hypotheses are looked at at once, so that one of them is rejected wrongly no
    more often than each alone would be.

    The step-down procedure of Holm (1979, doi 10.2307/4615733): the i-th smallest of m is multiplied by m - i + 1, and
    none is less than the one before it. Tests need not be independent. NaN is no hypothesis and stays.
    """
    corrected = np.full(len(p), np.nan)
    there = np.flatnonzero(np.isfinite(p))
    order = there[np.argsort(p[there], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected
