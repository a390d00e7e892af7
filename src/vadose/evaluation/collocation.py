"""Triple collocation: errors of three independent products without a reference truth."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.evaluation.blocks import blocks, generator, resampled_moments, tail
from vadose.evaluation.bootstrap import Bootstrap
from vadose.evaluation.compare import aligned, matched
from vadose.evaluation.effective import common_block_length
from vadose.evaluation.predictions import LABEL, SENSOR, by_sensor
from vadose.evaluation.sensors import names
from vadose.evaluation.statistic import Floats

MIN_COLLOCATED = 100
"""Smallest number of samples for triple collocation (Gruber et al. 2020, doi 10.1016/j.rse.2020.111806, section 4)."""
IN_SITU = "in situ"
FIGURES = ("error_std", "snr_db", "r")
NEGATIVE = "a covariance or an error variance is negative"
TINY = 1e-6
"""Smallest fraction of signal and of error in a draw, so that their ratio always exists."""

Metrics = Callable[[Floats, Floats, Floats], tuple[Floats, Floats, Floats]]


def triple_collocation(
    products: Mapping[str, pd.DataFrame], min_samples: int = MIN_COLLOCATED, bootstrap: Bootstrap | None = None
) -> pd.DataFrame:
    """Estimate errors of three products at every sensor, by pytesmo's `tcol_metrics`, with intervals by blocks of time.

    If the errors of three series are independent of each other and of the truth, covariances determine (Stoffelen 1998,
    doi 10.1029/97JC03180; Gruber et al. 2016, doi 10.1016/j.jag.2015.09.002): the error variance of x as var(x) -
    cov(x, y) cov(x, z) / cov(y, z), its R with the unknown truth as the root of cov(x, y) cov(x, z) / (var(x) cov(y,
    z)) (McColl et al. 2014, doi 10.1002/2014GL061322), its signal to noise ratio as R^2 / (1 - R^2).

    Args:
        products: tables of three products, or of two with labels: then the in-situ reading is the third, "in situ". The
            first is the reference to whose scale errors are converted.
        min_samples: smallest number of samples of all three for a sensor to have figures.
        bootstrap: level, draws and seed.

    Returns:
        One row per sensor and product: `network, station, sensor, lat, lon, n, product`, `error_std` (m3 m-3 of the
            reference), `snr_db` and `r`, each with `_low` and `_high`, `beta` (factor to the reference's scale) and
            `left_out` (reason for missing figures, else empty): too few samples, or a negative variance, which does not
            mean an error of 0 but one that these samples cannot determine. In draws such a variance is set to 0.

    Raises:
        VadoseError: pytesmo is not installed, the number of products is wrong, or a table is invalid for `check` or
            `matched`.
    """
    if len(products) not in {2, 3} or (len(products) == 2 and IN_SITU in products):
        raise VadoseError(
            f"triple collocation: of {', '.join(products) or 'no product'}",
            f"There are {len(products)}, and '{IN_SITU}' is reserved for the sensor's own reading",
            "Name three independent products, or two with other names and in-situ labels",
        )
    metrics = _pytesmo()
    tables, bootstrap = _three(products), bootstrap or Bootstrap()
    group, places = by_sensor(next(iter(tables.values())))
    series = [table["soil_moisture"].to_numpy() for table in tables.values()]
    bounds = np.searchsorted(group, np.arange(len(places) + 1))
    length = common_block_length(series, group, len(places))
    rows = []
    for sensor, name in enumerate(names(places)):
        xyz = [values[bounds[sensor] : bounds[sensor + 1]] for values in series]
        keys = places.iloc[sensor][[*SENSOR, "lat", "lon"]].to_dict() | {"n": len(xyz[0])}
        if len(xyz[0]) < max(min_samples, 3):
            figures = [{"left_out": f"{len(xyz[0])} samples, {min_samples} needed"}] * 3
        else:
            figures = _of_sensor(metrics, xyz, int(length[sensor]), bootstrap, name)
        rows += [keys | {"product": product} | own for product, own in zip(tables, figures, strict=True)]
    return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = [*SENSOR, "lat", "lon", "n", "product", *(f"{f}{e}" for f in FIGURES for e in ("", "_low", "_high"))]
_COLUMNS += ["beta", "left_out"]


def _pytesmo() -> Metrics:
    try:
        from pytesmo.metrics import tcol_metrics  # noqa: PLC0415
    except ImportError as error:
        raise VadoseError(
            "triple collocation: by pytesmo", "It is not installed", "Install it: pip install 'vadose[pytesmo]'"
        ) from error
    metrics: Metrics = tcol_metrics
    return metrics


def _three(products: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    if len(products) == 3:
        return aligned(products)
    tables = matched(products)
    readings = next(iter(tables.values()))
    return tables | {IN_SITU: readings.assign(soil_moisture=readings[LABEL])}


def _of_sensor(
    metrics: Metrics, xyz: Sequence[Floats], length: int, bootstrap: Bootstrap, name: str
) -> list[dict[str, Any]]:
    """Return figures of each product at one sensor."""
    covariance = np.cov(np.stack(xyz))[np.newaxis]
    if not _sound(covariance).all():
        return [{"left_out": NEGATIVE}] * 3
    snr, error, beta = metrics(*xyz)
    estimates = {"error_std": error, "snr_db": snr, "r": _figures(covariance)["r"][0]}
    draws = _figures(_resampled_covariances(xyz, length, bootstrap, name))
    out = tail(bootstrap.level, blocks(len(xyz[0]), length))
    rows: list[dict[str, Any]] = [{"beta": float(factor), "left_out": ""} for factor in beta]
    for figure in FIGURES:
        low, high = np.quantile(draws[figure], [out, 1 - out], axis=0)
        for place, row in enumerate(rows):
            values = (float(kind[place]) for kind in (estimates[figure], low, high))
            row |= dict(zip((figure, f"{figure}_low", f"{figure}_high"), values, strict=True))
    return rows


def _resampled_covariances(xyz: Sequence[Floats], length: int, bootstrap: Bootstrap, name: str) -> Floats:
    """Return covariances of each draw: (draws, 3, 3)."""
    x, y, z = xyz
    xy, zy = resampled_moments([x, z], y, length, bootstrap.draws, generator(bootstrap.seed, name))
    (xz,) = resampled_moments([x], z, length, bootstrap.draws, generator(bootstrap.seed, name))
    rows = [[xy.pp, xy.pt, xz.pt], [xy.pt, xy.tt, zy.pt], [xz.pt, zy.pt, zy.pp]]
    return np.stack([np.stack(row) for row in rows]).transpose(2, 0, 1) / xy.n[:, np.newaxis, np.newaxis]


def _shares(covariance: Floats) -> tuple[Floats, Floats]:
    """Return the variance of each product and its signal part: (cases, 3). Signal is 0 without correlation."""
    (xy, xz, yz) = (covariance[:, i, j] for i, j in ((0, 1), (0, 2), (1, 2)))
    alike = (xy > 0) & (xz > 0) & (yz > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        signal = np.stack([xy * xz / yz, xy * yz / xz, xz * yz / xy], axis=1)
    return np.diagonal(covariance, axis1=1, axis2=2), np.where(alike[:, np.newaxis], signal, 0.0)


def _sound(covariance: Floats) -> NDArray[np.bool_]:
    total, signal = _shares(covariance)
    return np.asarray((signal > 0) & (signal < total))


def _figures(covariance: Floats) -> dict[str, Floats]:
    """Return figures from covariances (cases, 3, 3), each (cases, 3); signal is limited to the variance."""
    total, signal = _shares(covariance)
    share = np.clip(signal / total, TINY, 1 - TINY)
    with np.errstate(invalid="ignore", divide="ignore"):
        beta = [np.ones(len(covariance)), *(covariance[:, 0, 3 - i] / covariance[:, i, 3 - i] for i in (1, 2))]
    error = np.sqrt(total * (1 - share)) * np.nan_to_num(np.abs(np.stack(beta, axis=1)))
    return {"error_std": error, "snr_db": 10 * np.log10(share / (1 - share)), "r": np.sqrt(share)}
