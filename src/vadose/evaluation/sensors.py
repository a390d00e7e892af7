"""Scores of each sensor, and their summary over sensors."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.evaluation.anomaly import FEWEST_IN_WINDOW, anomalies, climatological_anomalies, window_samples
from vadose.evaluation.bootstrap import ANY, Bootstrap
from vadose.evaluation.effective import effective_samples
from vadose.evaluation.metric import CONSTANT, METRICS, PARTS, RANGES, pearson_r
from vadose.evaluation.predictions import ESTIMATE, LABEL, SENSOR, by_sensor, check, is_complete
from vadose.evaluation.statistic import Floats, Moments, group_kendall, group_mean, group_ranks
from vadose.evaluation.tally import MIN_SAMPLES, SPREAD, Tally

SERIES = ["spearman", "kendall", "anomaly_r", "anomaly_r_climatology"]
"""Scores that need the complete series of a sensor, since they order its samples by value or time."""
SKILL = [*(metric.name for metric in (*METRICS, *PARTS)), *SERIES]
SCORES = [*SKILL, *SPREAD]
BOUNDS = RANGES | dict.fromkeys(SERIES, (-1.0, 1.0)) | dict.fromkeys(SPREAD, (0.0, 1.0))
"""Bounds of bounded scores."""
LOW_COVERAGE = 0.7
"""Coverage of the 90 % interval below which the standard deviation is useless at a sensor or place."""
QUANTILES = (5, 25, 50, 75, 95)


def per_sensor(predictions: pd.DataFrame, min_samples: int = MIN_SAMPLES) -> pd.DataFrame:
    """Score every sensor of a prediction table, over the samples with both estimate and label.

    R, bias, errors, slope, KGE, CRPS and coverage come from `Tally`, which is additive; those of `SERIES` need the
    complete series of a sensor: a table too long for memory is scored a few sensors at a time, or by `Tally` without
    them.

    Args:
        predictions: a table as described by `check`.
        min_samples: smallest number of samples of a scored sensor, see `left_out`.

    Returns:
        One row per sensor, none dropped: `network, station, sensor, lat, lon`, `n` samples, `n_spread` samples with a
            standard deviation, each score of `SCORES` (NaN if undefined), `n_effective` (number of independent samples
            with the same information on R, see `effective_samples`), `anomaly_samples` (median number in a window of 35
            days; with fewer than `FEWEST_IN_WINDOW` there is no anomaly R), `left_out` (reason for missing scores, else
            empty) and `note` (which of its series is constant, so that R is undefined).

    Raises:
        VadoseError: the table is invalid for `check`, or fewer than 2 samples are requested.
    """
    frame = check(predictions)
    group, sensors = by_sensor(frame)
    scores = Tally.of_groups(frame, group, sensors).scores(min_samples)
    used = is_complete(frame)
    series = _of_series(frame[used], group[used], len(sensors))
    there = np.isfinite(scores["r"].to_numpy())
    scores = scores.assign(**{name: np.where(there, values, np.nan) for name, values in series.items()})
    first = [*SENSOR, "lat", "lon", "n", "n_spread", *SCORES, "n_effective", "anomaly_samples"]
    return scores[[*first, *scores.columns.drop(first)]]


def _of_series(frame: pd.DataFrame, group: NDArray[np.intp], count: int) -> dict[str, Floats]:
    """Return scores that order the samples of a sensor.

    Spearman's (1904, doi 10.2307/1412159) is Pearson's R of the ranks of both series, ties at their mean rank; the two
    anomaly R are Pearson's of the departures from the 35-day window or the climatology (Entekhabi et al. 2010, doi
    10.1175/2010JHM1223.1); Kendall's is tau-b.
    """
    p, t, time = (frame[name].to_numpy() for name in (ESTIMATE, LABEL, "time"))
    whole, held = Moments.of(p, t, group, count), window_samples(time, group, count)

    def of_anomalies(series: Sequence[Floats]) -> Floats:
        m = Moments.of(series[0], series[1], group, count)
        rounding = (m.pp <= CONSTANT**2 * whole.pp) | (m.tt <= CONSTANT**2 * whole.tt)
        return np.where(rounding, np.nan, pearson_r(m))

    return {
        "spearman": pearson_r(Moments.of(group_ranks(p, group), group_ranks(t, group), group, count)),
        "kendall": group_kendall(p, t, group, count),
        "anomaly_r": np.where(held >= FEWEST_IN_WINDOW, of_anomalies(anomalies((p, t), time, group)), np.nan),
        "anomaly_r_climatology": of_anomalies(climatological_anomalies((p, t), time, group)),
        "n_effective": effective_samples(p, t, group, count),
        "anomaly_samples": held,
    }


def has_scores(sensors: pd.DataFrame) -> pd.DataFrame:
    """Return the sensors with scores."""
    return sensors[sensors["left_out"] == ""]


def summary(sensors: pd.DataFrame, bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Return mean and median over sensors, and the mean over places, of each score of skill, with intervals.

    The mean over places, first over the sensors of a place, is the expected score at a new place: a site of many
    sensors is one place.

    Args:
        sensors: from `per_sensor`.
        bootstrap: settings of the intervals.

    Returns:
        One row per score, by name: `sensors` that have it, their number of `places`, `effective` places of the mean
            over sensors, `mean, median, over_places`, each with `_low` and `_high`, NaN with too few effective places.
            The mean over sensors leaves out sensors with an undefined R.
    """
    bootstrap = bootstrap or Bootstrap()
    there = has_scores(sensors)
    lat, lon = (there[name].to_numpy() for name in ("lat", "lon"))
    rows = {name: _row(name, there[name].to_numpy(), lat, lon, bootstrap) for name in SKILL}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("score")


def reliability(sensors: pd.DataFrame, bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Return the mean over samples of the scores of the standard deviation, with confidence intervals.

    Args:
        sensors: from `per_sensor`.
        bootstrap: settings of the intervals.

    Returns:
        One row per score of `SPREAD`: `samples`, `mean, mean_low, mean_high`; NaN without standard deviations.
    """
    bootstrap = bootstrap or Bootstrap()
    there = has_scores(sensors)
    lat, lon, weights = (there[name].to_numpy(dtype=np.float64) for name in ("lat", "lon", "n_spread"))
    rows = {}
    for name in SPREAD:
        mean = bootstrap.mean(there[name].to_numpy(), lat, lon, weights, BOUNDS[name])
        rows[name] = {"samples": int(weights.sum()), "mean": mean.value, "mean_low": mean.low, "mean_high": mean.high}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("score")


def figures(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the values of a summary by the names of its rows and columns."""
    return {str(name): {str(c): float(v) for c, v in row.items()} for name, row in table.to_dict("index").items()}


def names(sensors: pd.DataFrame) -> Sequence[str]:
    """Return each sensor as network/station/sensor."""
    return ["/".join(key) for key in sensors[SENSOR].itertuples(index=False)]


def coverage_by(sensors: pd.DataFrame, bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Return the coverage of the central 90 % interval, sensor by sensor and place by place.

    A mean over samples hides places with a far too small standard deviation. The coverage of a place is the mean over
    its
    sensors.

    Args:
        sensors: from `per_sensor`.
        bootstrap: size of a place.

    Returns:
        Rows `sensor` and `place`: `number` with standard deviations, `mean`, share `under_70` with a coverage below
        0.7, and quantiles `q05` to `q95`; NaN without standard deviations.
    """
    bootstrap = bootstrap or Bootstrap()
    there = has_scores(sensors).dropna(subset="coverage_90")
    held = there["coverage_90"].to_numpy(np.float64)
    block = bootstrap.blocks(there["lat"].to_numpy(), there["lon"].to_numpy())
    parts = {"sensor": held, "place": group_mean(held, block, int(block.max(initial=-1)) + 1)}
    return pd.DataFrame.from_dict({name: _spread_of(values) for name, values in parts.items()}, orient="index")


def _spread_of(coverage: Floats) -> dict[str, float]:
    known = len(coverage) > 0
    quantiles = np.quantile(coverage, np.array(QUANTILES) / 100) if known else np.full(len(QUANTILES), np.nan)
    return {
        "number": len(coverage),
        "mean": float(np.mean(coverage)) if known else np.nan,
        "under_70": float(np.mean(coverage < LOW_COVERAGE)) if known else np.nan,
        **{f"q{level:02d}": float(value) for level, value in zip(QUANTILES, quantiles, strict=True)},
    }


def _row(name: str, values: Floats, lat: Floats, lon: Floats, bootstrap: Bootstrap) -> dict[str, float]:
    bounds, rests_on = BOUNDS.get(name, ANY), bootstrap.estimate(values, lat, lon)
    found = {
        "mean": bootstrap.mean(values, lat, lon, bounds=bounds),
        "median": bootstrap.median(values, lat, lon),
        "over_places": bootstrap.mean_over_places(values, lat, lon, bounds),
    }
    row: dict[str, float] = {
        "sensors": int(np.isfinite(values).sum()),
        "places": rests_on.places,
        "effective": rests_on.effective,
    }
    for kind, one in found.items():
        row |= {kind: one.value, f"{kind}_low": one.low, f"{kind}_high": one.high}
    return row
