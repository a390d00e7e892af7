"""Scores of each sensor, and of all sensors together."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vadose.evaluation.anomaly import anomalies
from vadose.evaluation.bootstrap import Bootstrap
from vadose.evaluation.metric import METRICS, constant_estimate, constant_label, pearson_r
from vadose.evaluation.predictions import LABEL, SENSOR, by_sensor, check, scorable
from vadose.evaluation.statistic import Floats, Moments, group_mean
from vadose.evaluation.uncertainty import LEVELS, covered, crps_gaussian
from vadose.refusal import Refusal

MIN_SAMPLES = 20
SKILL = [*(metric.name for metric in METRICS), "anomaly_r"]
SPREAD = ["crps", *(f"coverage_{level}" for level in LEVELS)]
SCORES = [*SKILL, *SPREAD]


def per_sensor(predictions: pd.DataFrame, min_samples: int = MIN_SAMPLES) -> pd.DataFrame:
    """Scores of every sensor of a table of predictions, over the samples that have both estimate and label.

    Args:
        predictions: a table as `check` describes.
        min_samples: sensors with fewer samples have no scores; `left_out` says so.

    Returns:
        One row for each sensor, none dropped: `network, station, sensor, lat, lon`, `n` samples, `n_spread` samples
        with a spread, each score of `SCORES` (NaN where there is none), `left_out` (why it has no scores, else empty)
        and `note` (which of its series is constant, so that R does not exist).

    Raises:
        Refusal: a table that `check` refuses, or fewer than 2 samples asked for.
    """
    if min_samples < 2:
        raise Refusal(f"scores: at least {min_samples} samples a sensor", "R needs 2", "Ask for 2 or more")
    frame = check(predictions)
    group, sensors = by_sensor(frame)
    used = scorable(frame)
    frame, group, count = frame[used], group[used], len(sensors)
    p, t, spread = (frame[name].to_numpy() for name in ("mean", LABEL, "spread"))
    moments = Moments.of(p, t, group, count)
    p_short, t_short = anomalies((p, t), frame["time"].to_numpy(), group)
    scores = {metric.name: metric.of(moments) for metric in METRICS}
    anomaly_r = pearson_r(Moments.of(p_short, t_short, group, count))
    scores["anomaly_r"] = np.where(np.isfinite(scores["r"]), anomaly_r, np.nan)
    scores["crps"] = group_mean(crps_gaussian(p, spread, t), group, count)
    for level in LEVELS:
        scores[f"coverage_{level}"] = group_mean(covered(p, spread, t, level), group, count)
    few = moments.n < min_samples
    return sensors.assign(
        n=moments.n.astype(np.int64),
        n_spread=np.bincount(group[np.isfinite(spread)], minlength=count),
        **{name: np.where(few, np.nan, values) for name, values in scores.items()},
        left_out=[f"{n:.0f} samples, {min_samples} needed" if n < min_samples else "" for n in moments.n],
        note=_notes(moments, few),
    )


def scored(sensors: pd.DataFrame) -> pd.DataFrame:
    """The sensors that have scores."""
    return sensors[sensors["left_out"] == ""]


def summary(sensors: pd.DataFrame, bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Unweighted mean and median over sensors of each score of skill, with confidence intervals.

    Args:
        sensors: as `per_sensor` gives it.
        bootstrap: how the intervals are drawn.

    Returns:
        One row for each score, by its name: `sensors` that have it, `mean, mean_low, mean_high, median, median_low,
        median_high`. The mean over sensors without R leaves out those where it does not exist.
    """
    bootstrap = bootstrap or Bootstrap()
    there = scored(sensors)
    lat, lon = (there[name].to_numpy() for name in ("lat", "lon"))
    rows = {name: _row(there[name].to_numpy(), lat, lon, bootstrap) for name in SKILL}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("score")


def reliability(sensors: pd.DataFrame, bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Mean over samples of the scores of the stated spread, with confidence intervals.

    Args:
        sensors: as `per_sensor` gives it.
        bootstrap: how the intervals are drawn.

    Returns:
        One row for each score of `SPREAD`: `samples`, `mean, mean_low, mean_high`; NaN where no spread was stated.
    """
    bootstrap = bootstrap or Bootstrap()
    there = scored(sensors)
    lat, lon, weights = (there[name].to_numpy(dtype=np.float64) for name in ("lat", "lon", "n_spread"))
    rows = {}
    for name in SPREAD:
        mean = bootstrap.mean(there[name].to_numpy(), lat, lon, weights)
        rows[name] = {"samples": int(weights.sum()), "mean": mean.value, "mean_low": mean.low, "mean_high": mean.high}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("score")


def figures(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The figures of a summary by the names of its rows and columns."""
    return {str(name): {str(c): float(v) for c, v in row.items()} for name, row in table.to_dict("index").items()}


def names(sensors: pd.DataFrame) -> Sequence[str]:
    """Each sensor as network/station/sensor."""
    return ["/".join(key) for key in sensors[SENSOR].itertuples(index=False)]


def _row(values: Floats, lat: Floats, lon: Floats, bootstrap: Bootstrap) -> dict[str, float]:
    mean, median = bootstrap.mean(values, lat, lon), bootstrap.median(values, lat, lon)
    return {
        "sensors": int(np.isfinite(values).sum()),
        "mean": mean.value,
        "mean_low": mean.low,
        "mean_high": mean.high,
        "median": median.value,
        "median_low": median.low,
        "median_high": median.high,
    }


def _notes(moments: Moments, few: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[str]:
    flat = [
        np.where(which(moments) & ~few, word, "")
        for which, word in ((constant_estimate, "constant estimate"), (constant_label, "constant label"))
    ]
    return [", ".join(filter(None, pair)) for pair in zip(*flat, strict=True)]
