"""Circular block bootstrap in time: resampled moments of a sensor, for several products at once."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import norm
from scipy.stats import t as student

from vadose.evaluation.statistic import Floats, Moments


def resampled_moments(
    products: Sequence[Floats], label: Floats, length: int, draws: int, rng: np.random.Generator
) -> list[Moments]:
    """Return moments of each draw of blocks of a series, the same blocks for all products.

    Blocks of `length` samples start anywhere, the first sample following the last, and a draw has as many as fill the
    series, rounded to a whole number, at least 2 (Politis and Romano 1992, circular block bootstrap). Sums of every
    block come from one running sum, and a draw is a row of a sparse matrix.

    Args:
        products: estimates of each product, finite, in order of time.
        label: label of the same samples.
        length: samples per block.
        draws: number of draws.
        rng: random number generator.

    Returns:
        Moments of each product, one entry per draw.
    """
    size, number = len(label), blocks(len(label), length)
    t_mean, p_means = float(np.mean(label)), [float(np.mean(p)) for p in products]
    t = label - t_mean
    columns = [t, t * t]
    for estimate, mean in zip(products, p_means, strict=True):
        p = estimate - mean
        columns += [p, p * p, p * t, (p - t) ** 2]
    picks = rng.integers(0, size, draws * number, dtype=np.int32)
    taken = csr_array((np.ones(len(picks)), picks, np.arange(draws + 1) * number), shape=(draws, size))
    sums = taken @ _block_sums(np.column_stack(columns), length)
    n = np.full(draws, float(number * length))
    own = [sums[:, 2 + 4 * place : 6 + 4 * place] for place in range(len(products))]
    return [
        Moments.about(mean, t_mean, n, np.column_stack([s[:, 0], sums[:, 0], s[:, 1], sums[:, 1], s[:, 2], s[:, 3]]))
        for mean, s in zip(p_means, own, strict=True)
    ]


def generator(seed: int, sensor: str) -> np.random.Generator:
    """Return the random numbers of a sensor, from its name alone, independent of the table."""
    return np.random.default_rng([seed, crc32(sensor.encode())])


def blocks(size: int, length: int) -> int:
    """Return the number of blocks per draw."""
    return max(2, round(size / length))


def tail(level: float, number: int) -> float:
    """Return the fraction of draws beyond either end of an interval of `level`, smaller with few blocks.

    Percentile intervals are too narrow by about the factor by which a Student interval exceeds a Gaussian one; the
    expanded percentile interval of Hesterberg (2015, doi 10.1080/00031305.2015.1089789, section 3.3) corrects for it.

    Args:
        level: confidence, such as 0.9.
        number: number of independent blocks, at least 2.
    """
    return float(norm.cdf(np.sqrt(number / (number - 1)) * student.ppf((1 - level) / 2, number - 1)))


def _block_sums(columns: Floats, length: int) -> Floats:
    """Return the sum over the block that starts at each sample: (samples, columns)."""
    total = np.zeros((len(columns) + length, columns.shape[1]))
    np.cumsum(np.concatenate([columns, columns[: length - 1]]), axis=0, out=total[1:])
    return np.asarray(total[length:] - total[:-length])
