"""Additive statistics of pairs of estimate and label: scores of chunks agree with those of the whole."""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Statistic:
    """Arrays with one entry per group (sensor); two are equal if all of their values are."""

    n: Floats

    def placed(self, at: NDArray[np.intp], groups: int) -> Self:
        """Return the statistic among `groups` groups, with its own at the numbers `at`, and zeros for the others."""
        return type(self)(*(_scattered(values, at, groups) for values in self._arrays()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return all(map(np.array_equal, self._arrays(), other._arrays()))

    __hash__ = None  # type: ignore[assignment]

    def _arrays(self) -> list[Floats]:
        return [getattr(self, field.name) for field in fields(self)]


@dataclass(frozen=True, eq=False)
class Means(Statistic):
    """Sums of one value per sample, such as a score of its standard deviation, without NaN.

    Attributes:
        n: number of values.
        total: their sum.
    """

    total: Floats

    @classmethod
    def of(cls, values: Floats, group: NDArray[np.intp], groups: int) -> Self:
        """Return sums of values by group, of `groups` groups."""
        there = np.isfinite(values)
        n = np.bincount(group[there], minlength=groups).astype(np.float64)
        return cls(n, np.bincount(group[there], values[there], groups).astype(np.float64))

    def __add__(self, other: Self) -> Self:
        """Return sums of the values of both, group by group."""
        return type(self)(self.n + other.n, self.total + other.total)

    @property
    def mean(self) -> Floats:
        """Return the mean of each group, NaN without values."""
        return np.where(self.n > 0, self.total / np.maximum(self.n, 1), np.nan)


@dataclass(frozen=True, eq=False)
class Moments(Statistic):
    """Counts, means and centred sums of pairs (p, t) = (estimate, label), one entry per group (sensor).

    Sums are of departures from the group's own mean, in double precision, and two sets of pairs are merged by the
    update of Chan, Golub and LeVeque (1982, doi 10.1007/978-3-642-51461-6_3), without cancellation. The sum of squares
    of p - t is stored too: as a difference of the others it would lose precision if p and t are close.

    Attributes:
        n: number of pairs.
        p, t: means; 0 without pairs.
        pp, tt, pt: sums of squared departures and of their products.
        dd: sum of squared departures of p - t.
    """

    p: Floats
    t: Floats
    pp: Floats
    tt: Floats
    pt: Floats
    dd: Floats

    @classmethod
    def of(cls, p: Floats, t: Floats, group: NDArray[np.intp], groups: int) -> Self:
        """Return moments of finite pairs by group, of `groups` groups."""
        n = np.bincount(group, minlength=groups).astype(np.float64)
        p_mean, p_rest = _centred(p, group, n)
        t_mean, t_rest = _centred(t, group, n)
        products = (p_rest**2, t_rest**2, p_rest * t_rest, (p_rest - t_rest) ** 2)
        pp, tt, pt, dd = (np.bincount(group, product, groups).astype(np.float64) for product in products)
        return cls(n, p_mean, t_mean, pp, tt, pt, dd)

    @classmethod
    def about(cls, p: float, t: float, n: Floats, sums: Floats) -> Self:
        """Return moments from sums of departures from one point near all the means.

        Args:
            p, t: the point.
            n: number of pairs per group.
            sums: of p', t', p'^2, t'^2, p' t' and (p' - t')^2, where p' and t' depart from the point: (groups, 6).
        """
        p_mean, t_mean, pp, tt, pt, dd = (sums / np.maximum(n, 1)[:, np.newaxis]).T
        centred = (pp - p_mean**2, tt - t_mean**2, pt - p_mean * t_mean, dd - (p_mean - t_mean) ** 2)
        squares = [n * np.maximum(part, 0) if place != 2 else n * part for place, part in enumerate(centred)]
        return cls(n, p + p_mean, t + t_mean, *squares)

    def __add__(self, other: Self) -> Self:
        """Return moments of the pairs of both, group by group."""
        n = self.n + other.n
        share = other.n / np.maximum(n, 1)
        dp, dt = other.p - self.p, other.t - self.t
        between = self.n * share
        return type(self)(
            n,
            self.p + dp * share,
            self.t + dt * share,
            self.pp + other.pp + between * dp**2,
            self.tt + other.tt + between * dt**2,
            self.pt + other.pt + between * dp * dt,
            self.dd + other.dd + between * (dp - dt) ** 2,
        )


def group_mean(values: Floats, group: NDArray[np.intp], groups: int) -> Floats:
    """Return the mean of the finite values of each group, NaN without any."""
    return Means.of(values, group, groups).mean


def group_ranks(values: Floats, group: NDArray[np.intp]) -> Floats:
    """Return the rank of each value within its group, from 1; equal values share the mean of their ranks.

    Args:
        values: finite.
        group: number of each value's group, ascending.
    """
    edges = np.append(np.flatnonzero(np.diff(group, prepend=-1)), len(group))
    order = np.concatenate([np.zeros(0, np.intp), *(a + np.argsort(values[a:b]) for a, b in pairwise(edges))])
    sorted_values = values[order]
    starts = np.ones(len(values), dtype=bool)
    starts[1:] = (sorted_values[1:] != sorted_values[:-1]) | (group[1:] != group[:-1])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(values)) - 1
    begin = np.searchsorted(group, group[first]) if len(values) else first
    shared = (first + last) / 2 - begin + 1
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(shared, last - first + 1)
    return ranks


def group_kendall(p: Floats, t: Floats, group: NDArray[np.intp], groups: int) -> Floats:
    """Return Kendall's tau-b of each group (Kendall 1945, doi 10.1093/biomet/33.3.239), NaN where undefined.

    Args:
        p, t: finite.
        group: number of each pair's group, ascending.
        groups: number of groups.
    """
    edges = np.searchsorted(group, np.arange(groups + 1))
    pairs = (slice(a, b) for a, b in pairwise(edges))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [_kendall(p[own], t[own]) for own in pairs]
    return np.asarray(found, np.float64)


def _kendall(p: Floats, t: Floats) -> float:
    if p.size < 2:
        return np.nan
    if p.size == 2:  # SciPy divides by zero in the p-value
        return float(np.sign((p[1] - p[0]) * (t[1] - t[0]))) or np.nan
    return float(kendalltau(p, t, method="asymptotic").statistic)


def _scattered(values: Floats, at: NDArray[np.intp], groups: int) -> Floats:
    placed = np.zeros(groups)
    placed[at] = values
    return placed


def _centred(values: Floats, group: NDArray[np.intp], n: Floats) -> tuple[Floats, Floats]:
    mean = np.zeros(len(n))
    for _ in range(2):  # the second pass removes the rounding of the first
        mean += np.bincount(group, values - mean[group], len(n)) / np.maximum(n, 1)
    return mean, values - mean[group]
