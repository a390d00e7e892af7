"""Sampling uncertainty in time of the scores of single sensors and of differences, by a block bootstrap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.evaluation.blocks import blocks, generator, resampled_moments, tail
from vadose.evaluation.bootstrap import ANY, Bootstrap
from vadose.evaluation.compare import matched
from vadose.evaluation.effective import common_block_length, effective_samples
from vadose.evaluation.metric import METRICS, RANGES
from vadose.evaluation.predictions import LABEL, SENSOR, by_sensor
from vadose.evaluation.sensors import names
from vadose.evaluation.significance import bootstrap_p, of_few_blocks
from vadose.evaluation.statistic import Floats, Moments
from vadose.evaluation.tally import MIN_SAMPLES

SCORED = [metric.name for metric in METRICS]
_FIGURES = ("", "_low", "_high", "_p")


@dataclass(frozen=True, eq=False)
class TemporalIntervals:
    """Results of a block bootstrap in time for every sensor.

    Attributes:
        sensors: by product: `network, station, sensor, lat, lon, n, n_effective, block` (samples per block) and each
            metric of `METRICS` with `_low` and `_high`; NaN with too few samples or an undefined score.
        differences: by each product but the first, the first minus it: `network, station, sensor, lat, lon, n` and
            each metric with `_low`, `_high` and `_p`, the two-sided p-value.
        means: one row per product, and per difference of the first from another, and metric: `product, minus` (empty if
            none), `score, sensors, mean, low, high, p` (of a difference), with sampling in time and differences between
            places.
    """

    sensors: Mapping[str, pd.DataFrame]
    differences: Mapping[str, pd.DataFrame]
    means: pd.DataFrame


def temporal_bootstrap(
    products: Mapping[str, pd.DataFrame], min_samples: int = MIN_SAMPLES, bootstrap: Bootstrap | None = None
) -> TemporalIntervals:
    """Return intervals of every sensor's scores from a circular block bootstrap in time, and of their means over
    sensors.

    Consecutive samples are correlated, so that resampling single samples gives far too narrow intervals. The block
    length comes from `common_block_length`; the same blocks are drawn for all products, so that differences are paired.
    A sensor's draws depend on its name and the seed alone: tables scored a few sensors at a time have the same
    intervals.

    The mean over sensors has its interval from the differences between places (`over_places`), which include the
    sampling variation in time; the error is at least that of sampling in time alone.

    Args:
        products: prediction table of each product, as described by `check`; they are matched first.
        min_samples: smallest number of matched samples of a scored sensor.
        bootstrap: level, draws, seed and places.

    Raises:
        VadoseError: a table is invalid for `matched`.
    """
    bootstrap = bootstrap or Bootstrap()
    tables = matched(products)
    series = _Series.of(list(tables.values()))
    chosen = np.flatnonzero(series.n >= max(min_samples, 2))
    contrasts = _contrasts(len(tables))
    figures = np.full((len(_FIGURES), len(contrasts) * len(SCORED), len(series.places)), np.nan)
    means = _Means.of(series, chosen, figures.shape[1])
    for place, sensor in enumerate(map(int, chosen)):
        values, draws = series.resampled(sensor, bootstrap, contrasts)
        figures[:, :, sensor] = _figures(values, draws, series.blocks(sensor), bootstrap.level)
        means.take(place, values, draws)
    return _tables(list(tables), series, contrasts, figures, means.table(list(tables), contrasts, bootstrap))


@dataclass(frozen=True, eq=False)
class _Series:
    """Matched samples by sensor."""

    estimates: Sequence[Floats]
    label: Floats
    bounds: NDArray[np.intp]
    places: pd.DataFrame
    effective: Sequence[Floats]
    length: NDArray[np.intp]

    @classmethod
    def of(cls, tables: Sequence[pd.DataFrame]) -> "_Series":
        group, places = by_sensor(tables[0])
        estimates, label = [table["soil_moisture"].to_numpy() for table in tables], tables[0][LABEL].to_numpy()
        bounds = np.searchsorted(group, np.arange(len(places) + 1))
        effective = [effective_samples(p, label, group, len(places)) for p in estimates]
        length = common_block_length([*estimates, label], group, len(places))
        return cls(estimates, label, bounds, places, effective, length)

    @property
    def n(self) -> NDArray[np.intp]:
        return np.diff(self.bounds)

    def blocks(self, sensor: int) -> int:
        return blocks(int(self.n[sensor]), int(self.length[sensor]))

    def resampled(self, sensor: int, bootstrap: Bootstrap, contrasts: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return every score and difference of a sensor, and their draws: (figures,) and (draws, figures)."""
        samples = slice(self.bounds[sensor], self.bounds[sensor + 1])
        label, estimates = self.label[samples], [p[samples] for p in self.estimates]
        rng = generator(bootstrap.seed, names(self.places.iloc[[sensor]])[0])
        one = np.zeros(len(label), np.intp)
        whole = [Moments.of(p, label, one, 1) for p in estimates]
        draws = resampled_moments(estimates, label, int(self.length[sensor]), bootstrap.draws, rng)
        return _scores(whole, contrasts)[0], _scores(draws, contrasts)


def _contrasts(products: int) -> NDArray[np.intp]:
    """Return each product, then the first minus each other: (contrasts, products)."""
    own = np.eye(products, dtype=np.intp)
    return np.concatenate([own, own[:1] - own[1:]])


def _scores(moments: Sequence[Moments], contrasts: NDArray[np.intp]) -> Floats:
    """Return all metrics of all contrasts: (groups, contrasts x metrics)."""
    by_product = np.stack([[metric.of(m) for metric in METRICS] for m in moments])
    parts = [sum((row[p] * by_product[p] for p in np.flatnonzero(row)), 0.0) for row in contrasts]
    return np.concatenate([np.asarray(part) for part in parts]).T


def _figures(values: Floats, draws: Floats, number: int, level: float) -> Floats:
    """Return value, interval and p-value of each figure of a sensor: (4, figures)."""
    out = tail(level, number)
    there = np.isfinite(values)
    found = np.full((4, len(values)), np.nan)
    found[0] = values
    if there.any():
        draws = draws[:, there]
        quantile = np.quantile if np.isfinite(draws).all() else np.nanquantile
        found[1:3, there] = quantile(draws, [out, 1 - out], axis=0)
        found[3, there] = of_few_blocks(bootstrap_p(draws), number)
    return found


@dataclass(frozen=True, eq=False)
class _Means:
    """All figures of each sensor, and their sampling variance in time: (figures, sensors)."""

    lat: Floats
    lon: Floats
    values: Floats
    sampling_variance: Floats

    @classmethod
    def of(cls, series: _Series, chosen: NDArray[np.intp], figures: int) -> "_Means":
        lat, lon = (series.places[name].to_numpy()[chosen] for name in ("lat", "lon"))
        return cls(lat, lon, np.full((figures, len(chosen)), np.nan), np.zeros((figures, len(chosen))))

    def take(self, place: int, values: Floats, draws: Floats) -> None:
        """Add a sensor's figures."""
        self.values[:, place] = values
        there = np.isfinite(draws)
        number = np.maximum(there.sum(axis=0), 1)
        kept = np.where(there, draws, 0.0)
        mean = kept.sum(axis=0) / number
        self.sampling_variance[:, place] = np.where(there, (kept - mean) ** 2, 0.0).sum(axis=0) / number

    def table(self, products: Sequence[str], contrasts: NDArray[np.intp], bootstrap: Bootstrap) -> pd.DataFrame:
        """Return one row per contrast and metric."""
        rows = []
        for place, (contrast, score) in enumerate(product(contrasts, SCORED)):
            there = np.isfinite(self.values[place])
            variance = float(self.sampling_variance[place, there].sum()) / max(int(there.sum()), 1) ** 2
            found = bootstrap.estimate(self.values[place], self.lat, self.lon, at_least=variance)
            other = products[int(np.argmin(contrast))] if contrast.min() < 0 else ""
            bounds = ANY if other else RANGES.get(score, ANY)
            low, high = np.clip(found.interval(bootstrap.level), *bounds)
            names = {"product": products[int(np.argmax(contrast))], "minus": other, "score": score}
            figures = {"sensors": int(there.sum()), "mean": found.value, "low": float(low), "high": float(high)}
            rows.append(names | figures | {"p": found.p() if other else np.nan})
        return pd.DataFrame(rows)


def _tables(
    products: Sequence[str], series: _Series, contrasts: NDArray[np.intp], figures: Floats, means: pd.DataFrame
) -> TemporalIntervals:
    by_contrast = figures.reshape(len(_FIGURES), len(contrasts), len(SCORED), -1)
    places = series.places[[*SENSOR, "lat", "lon"]].assign(n=series.n)
    sensors, differences = {}, {}
    for place, name in enumerate(products):
        own = places.assign(n_effective=series.effective[place], block=series.length)
        sensors[name] = own.assign(**_columns(by_contrast[:3, place]))
        if place:
            differences[name] = places.assign(**_columns(by_contrast[:, len(products) + place - 1]))
    return TemporalIntervals(sensors, differences, means)


def _columns(figures: Floats) -> dict[str, Floats]:
    """Return columns of each metric with its interval: figures are (kinds, metrics, sensors)."""
    return {
        f"{name}{end}": figures[kind, place]
        for place, name in enumerate(SCORED)
        for kind, end in zip(range(len(figures)), _FIGURES, strict=False)
    }
