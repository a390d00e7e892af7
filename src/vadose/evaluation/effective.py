"""Effective number of independent samples of a series, and block length of a bootstrap in time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from vadose.evaluation.statistic import Floats, group_mean

LAG_SHARE = 5
"""Divisor of the series' length for the largest lag of autocorrelations (Pyper and Peterman 1998)."""
MOST_BLOCKS = 150
"""Largest number of blocks; more cost time and do not change intervals."""
_BATCH = 2_000_000


def effective_samples(p: Floats, t: Floats, group: NDArray[np.intp], groups: int) -> Floats:
    """Return the number of independent pairs with the same information on the correlation of two series.

    n* with 1 / n* = 1 / n + 2 / n sum_j (n - j) / n rho_p(j) rho_t(j) over lags j = 1 .. n / 5, where rho are the
    autocorrelations of the series, their products summed over n - j pairs and divided by n - j (Bartlett 1935, doi
    10.2307/2342284; Pyper and Peterman 1998, doi 10.1139/f98-104). Lags count samples in order of time, ignoring
    missing days. Complete series are required.

    Args:
        p, t: finite values, sorted by group and time.
        group: number of each value's group, ascending.
        groups: number of groups.

    Returns:
        Per group a number within 1..n, NaN for a constant series or with fewer than 3 samples.
    """
    bounds = np.searchsorted(group, np.arange(groups + 1))
    size = np.diff(bounds)
    found = np.full(groups, np.nan)
    order = np.argsort(size, kind="stable")
    for batch in _batches(order[size[order] > 2], size):
        rows = [_padded(values, bounds[batch], size[batch]) for values in (p, t)]
        found[batch] = _effective(rows[0], rows[1], size[batch])
    return found


def independent_means(values: Floats, group: NDArray[np.intp], groups: int) -> Floats:
    """Return the number of independent samples with the same information on the mean: n (1 - rho) / (1 + rho).

    rho is the autocorrelation at lag 1, within 0..0.99, of a first-order process (Wilks 1997, doi
    10.1175/1520-0442(1997)010<0065:RHTFAF>2.0.CO;2).

    Args:
        values: finite, sorted by group and time.
        group: number of each value's group, ascending.
        groups: number of groups.
    """
    n = np.bincount(group, minlength=groups)
    rest = values - group_mean(values, group, groups)[group]
    follows = np.where(group[1:] == group[:-1], rest[1:] * rest[:-1], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.bincount(group[1:], follows, groups) / np.bincount(group, rest**2, groups)
    rho = np.clip(rho, 0, 0.99)
    return np.asarray(n * (1 - rho) / (1 + rho))


def block_length(n: NDArray[np.intp], effective: Floats) -> NDArray[np.intp]:
    """Return samples per block of a bootstrap in time: the L that solves L = (n - L + 1)^((2/3) (1 - n* / n)).

    Wilks (1997, doi 10.1175/1520-0442(1997)010<0065:RHTFAF>2.0.CO;2) with n* effective samples. Blocks are at least
    long enough that at most 150 fill the series, and at most half of it; a series without n* has tenths.
    """
    size = np.maximum(n, 1).astype(np.float64)
    exponent = 2 / 3 * (1 - effective / size)
    low, high = np.zeros(len(size)), size
    for _ in range(60):  # bisection: L grows and the right side falls
        middle = (low + high) / 2
        short = middle < np.maximum(size - middle + 1, 1) ** exponent
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    length = np.where(np.isfinite(exponent), np.round(high), np.ceil(size / 10))
    return np.clip(length, np.ceil(size / MOST_BLOCKS), np.maximum(size // 2, 1)).astype(np.intp)


def common_block_length(series: Sequence[Floats], group: NDArray[np.intp], groups: int) -> NDArray[np.intp]:
    """Return the block length of each group for series that are resampled together.

    It follows from the smallest effective number of samples for the mean of any series, or R of any with the last.

    Args:
        series: arrays of finite values, each sorted by group and time; the last is the label.
        group: number of each value's group, ascending.
        groups: number of groups.
    """
    worth = [independent_means(values, group, groups) for values in series]
    worth += [effective_samples(values, series[-1], group, groups) for values in series[:-1]]
    return block_length(np.bincount(group, minlength=groups), np.fmin.reduce(worth))


def _batches(order: NDArray[np.intp], size: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return groups of similar length together, so that their padded rows fit into memory."""
    batches, start = [], 0
    while start < len(order):
        stop = len(order)
        while stop - start > 1 and (stop - start) * int(size[order[stop - 1]]) > _BATCH:
            stop = start + (stop - start + 1) // 2
        batches.append(order[start:stop])
        start = stop
    return batches


def _padded(values: Floats, start: NDArray[np.intp], size: NDArray[np.intp]) -> Floats:
    """Return departures of each group from its mean as one row, padded with zeros."""
    column = np.arange(int(size.max()))
    there = column < size[:, np.newaxis]
    rows = np.where(there, values[np.minimum(start[:, np.newaxis] + column, len(values) - 1)], 0.0)
    rows -= np.where(there, rows.sum(axis=1, keepdims=True) / size[:, np.newaxis], 0.0)
    return np.asarray(rows)


def _effective(p: Floats, t: Floats, size: NDArray[np.intp]) -> Floats:
    longest = p.shape[1] // LAG_SHARE
    n, lag = size[:, np.newaxis].astype(np.float64), np.arange(1, longest + 1)
    used = lag <= n // LAG_SHARE
    product = _autocorrelation(p, longest) * _autocorrelation(t, longest)
    inflation = 1 + 2 * np.sum(np.where(used, product * n / np.maximum(n - lag, 1), 0.0), axis=1)
    flat = ~(np.isfinite(product).all(axis=1))
    return np.where(flat, np.nan, size / np.clip(inflation, 1, size))


def _autocorrelation(rows: Floats, longest: int) -> Floats:
    """Return sums of products over the sum of squares of each row at lags 1 .. `longest`."""
    length = next_fast_len(rows.shape[1] + longest, real=True)
    sums = irfft(np.abs(rfft(rows, length, axis=1)) ** 2, length, axis=1)[:, : longest + 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[:, 1:] / np.sum(rows**2, axis=1, keepdims=True))
