"""Statistics that add: what is kept of many pairs of estimate and label, so that chunks give the same scores as one."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Counts, means and centred sums of pairs (p, t) = (estimate, label), one entry for each group (sensor).

    Sums are of departures from the group's own mean, in double precision, and two sets of pairs are joined by the
    update of Chan, Golub and LeVeque (1982, doi 10.1007/978-3-642-51461-6_3), so nothing cancels. The sum of squares
    of p - t is kept too: as a difference of the others it would lose its digits where p and t are close.

    Attributes:
        n: number of pairs.
        p, t: means; 0 where there are no pairs.
        pp, tt, pt: sums of squared departures and of their products.
        dd: sum of squared departures of p - t.
    """

    n: Floats
    p: Floats
    t: Floats
    pp: Floats
    tt: Floats
    pt: Floats
    dd: Floats

    @classmethod
    def of(cls, p: Floats, t: Floats, group: NDArray[np.intp], groups: int) -> Self:
        """Moments of finite pairs, each of which belongs to one of `groups` groups."""
        n = np.bincount(group, minlength=groups).astype(np.float64)
        p_mean, p_rest = _centred(p, group, n)
        t_mean, t_rest = _centred(t, group, n)
        products = (p_rest**2, t_rest**2, p_rest * t_rest, (p_rest - t_rest) ** 2)
        pp, tt, pt, dd = (np.bincount(group, product, groups).astype(np.float64) for product in products)
        return cls(n, p_mean, t_mean, pp, tt, pt, dd)

    def __add__(self, other: Self) -> Self:
        """Moments of the pairs of both, group by group."""
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
    """Mean of the finite values of each group, NaN where a group has none."""
    there = np.isfinite(values)
    n = np.bincount(group[there], minlength=groups)
    return np.where(n > 0, np.bincount(group[there], values[there], groups) / np.maximum(n, 1), np.nan)


def _centred(values: Floats, group: NDArray[np.intp], n: Floats) -> tuple[Floats, Floats]:
    mean = np.zeros(len(n))
    for _ in range(2):  # the second pass removes the rounding of the first
        mean += np.bincount(group, values - mean[group], len(n)) / np.maximum(n, 1)
    return mean, values - mean[group]
