"""Metrics, computed from moments alone. p is the estimate, t the label, with one entry per sensor.

Mean, variance and covariance are over the n samples of a sensor (divided by n), as in pytesmo. An undefined metric (no
samples, a constant series) is NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vadose.evaluation.statistic import Floats, Moments

CONSTANT = 1e-10
"""Standard deviation relative to the mean below which a series is constant except for rounding."""


@dataclass(frozen=True)
class Metric:
    """A score of one sensor.

    Attributes:
        name: name of its column.
        title: title in tables.
        units: UDUNITS string.
        of: from moments to one value per group.
    """

    name: str
    title: str
    units: str
    of: Callable[[Moments], Floats]


def pearson_r(m: Moments) -> Floats:
    """Return the correlation cov(p, t) / (std(p) std(t)) of Pearson (1895, doi 10.1098/rspl.1895.0041)."""
    varies = ~(constant_estimate(m) | constant_label(m))
    return _ratio(np.where(varies, m.pt, np.nan), np.sqrt(m.pp) * np.sqrt(m.tt)).clip(-1, 1)


def bias(m: Moments) -> Floats:
    """Return the mean of p - t, m3 m-3 (Entekhabi et al. 2010, doi 10.1175/2010JHM1223.1)."""
    return np.where(m.n > 0, m.p - m.t, np.nan)


def mse(m: Moments) -> Floats:
    """Return the mean of (p - t)^2 = bias^2 + ubRMSE^2, (m3 m-3)^2 (Gupta et al. 2009, doi
    10.1016/j.jhydrol.2009.08.003).
    """
    return bias(m) ** 2 + _ratio(m.dd, m.n)


def rmse(m: Moments) -> Floats:
    """Return the root of the mean of (p - t)^2, m3 m-3 (Entekhabi et al. 2010, doi 10.1175/2010JHM1223.1)."""
    return np.sqrt(mse(m))


def ubrmse(m: Moments) -> Floats:
    """Return the root of RMSE^2 - bias^2, m3 m-3 (Entekhabi et al. 2010, doi 10.1175/2010JHM1223.1)."""
    return np.sqrt(_ratio(m.dd, m.n))


def slope(m: Moments) -> Floats:
    """Return the slope cov(p, t) / var(t) of the regression of p on t by least squares (Wilks 2019, section 7.2)."""
    return np.where(constant_label(m), np.nan, _ratio(m.pt, m.tt))


def std_ratio(m: Moments) -> Floats:
    """Return the ratio of temporal standard deviations std(p) / std(t): below 1 for too little variation in time.

    One of the two ratios of a Taylor diagram (Taylor 2001, doi 10.1029/2000JD900719).
    """
    return np.where(constant_label(m), np.nan, np.sqrt(_ratio(m.pp, m.tt)))


def kge(m: Moments) -> Floats:
    """Return the Kling-Gupta efficiency of Gupta et al. (2009, doi 10.1016/j.jhydrol.2009.08.003); 1 is perfect.

    1 - sqrt((R - 1)^2 + (std(p) / std(t) - 1)^2 + (mean(p) / mean(t) - 1)^2).
    """
    return 1 - np.sqrt((pearson_r(m) - 1) ** 2 + (std_ratio(m) - 1) ** 2 + (_ratio(m.p, m.t) - 1) ** 2)


def mse_corr(m: Moments) -> Floats:
    """Return the part of MSE from imperfect correlation, 2 std(p) std(t) (1 - R), (m3 m-3)^2.

    The three parts sum to MSE (Gupta et al. 2009, doi 10.1016/j.jhydrol.2009.08.003).
    """
    spread = np.sqrt(_ratio(m.pp, m.n)) * np.sqrt(_ratio(m.tt, m.n))
    return np.maximum(2 * (spread - _ratio(m.pt, m.n)), 0)


def mse_bias(m: Moments) -> Floats:
    """Return the part of MSE from the bias, bias^2, (m3 m-3)^2; see `mse_corr`."""
    return bias(m) ** 2


def mse_var(m: Moments) -> Floats:
    """Return the part of MSE from different variances, (std(p) - std(t))^2, (m3 m-3)^2; see `mse_corr`."""
    return (np.sqrt(_ratio(m.pp, m.n)) - np.sqrt(_ratio(m.tt, m.n))) ** 2


def constant_estimate(m: Moments) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return groups with a constant estimate."""
    return np.asarray(np.sqrt(_ratio(m.pp, m.n)) <= CONSTANT * np.abs(m.p))


def constant_label(m: Moments) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return groups with a constant label."""
    return np.asarray(np.sqrt(_ratio(m.tt, m.n)) <= CONSTANT * np.abs(m.t))


RANGES = {
    "r": (-1.0, 1.0),
    "mse": (0.0, np.inf),
    "mse_corr": (0.0, np.inf),
    "mse_bias": (0.0, np.inf),
    "mse_var": (0.0, np.inf),
    "rmse": (0.0, np.inf),
    "ubrmse": (0.0, np.inf),
    "std_ratio": (0.0, np.inf),
    "kge": (-np.inf, 1.0),
}
"""Bounds of bounded scores, and of the intervals of their means."""

METRICS = (
    Metric("r", "R", "1", pearson_r),
    Metric("bias", "bias", "m3 m-3", bias),
    Metric("mse", "MSE", "m6 m-6", mse),
    Metric("rmse", "RMSE", "m3 m-3", rmse),
    Metric("ubrmse", "ubRMSE", "m3 m-3", ubrmse),
    Metric("slope", "slope", "1", slope),
    Metric("std_ratio", "std ratio", "1", std_ratio),
    Metric("kge", "KGE", "1", kge),
)

PARTS = (
    Metric("mse_corr", "MSE, correlation", "m6 m-6", mse_corr),
    Metric("mse_bias", "MSE, bias", "m6 m-6", mse_bias),
    Metric("mse_var", "MSE, variance", "m6 m-6", mse_var),
)
"""Parts of MSE, without intervals from sampling in time."""


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)
