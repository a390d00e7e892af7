"""Scores besides the headline, and intervals with sampling variation in time."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from vadose.evaluation.anomaly import FEWEST_IN_WINDOW, FEWEST_LIKE_DAILY
from vadose.evaluation.predictions import SENSOR, by_sensor
from vadose.evaluation.scores import HEADLINE, Scores
from vadose.evaluation.sensors import figures, has_scores
from vadose.evaluation.spatial import Spatial
from vadose.evaluation.temporal import TemporalIntervals
from vadose.report.text import bounded, counted, interval, markdown_table, p_values

FURTHER = "Other scores, and sampling in time"
OTHERS = {
    "spearman": "Spearman's R",
    "kendall": "Kendall's tau",
    "anomaly_r": "R of anomalies, 35 days",
    "anomaly_r_climatology": "R of anomalies, climatology",
    "kge": "KGE",
    "slope": "slope",
    "std_ratio": "std ratio",
}
MSE_PARTS = {"mse": "MSE", "mse_corr": "correlation", "mse_bias": "bias", "mse_var": "variance"}
PARTS_MEANING = (
    "MSE and its three parts, which sum to it, in 10⁻⁴ m⁶ m⁻⁶: from imperfect correlation, from the bias, and from "
    "different variances."
)
MEANING = (
    "Means over sensors, brackets from the differences between places. Anomalies of {sampling} samples are departures "
    "from a window of 35 days around the sample, {window}, or from the sensor's own seasonal mean. R in space: of the "
    "sensors on one date, the mean over dates; none if no date has ten sensors."
)
IN_TIME = (
    "Means over sensors with intervals at least as wide as from sampling in time alone, by blocks of time drawn "
    "within each sensor; none with too few effective places. `scorecard.csv` has the values of each sensor."
)


def extra_scores_markdown(scores: Scores, across: Mapping[str, Spatial], time: TemporalIntervals) -> str:
    """Return the text of the chapter.

    Args:
        scores: from `score`.
        across: from `spatial`, by product.
        time: from `temporal_bootstrap` for these products.
    """
    header = ("product", *OTHERS.values(), "R in space")
    rows = []
    for product in scores.products:
        skill = figures(product.skill)
        means = (interval(skill[name], "mean", "mean_low", "mean_high") for name in OTHERS)
        rows.append((product.name, *means, bounded(across[product.name].r)))
    window = window_words(has_scores(scores.products[0].sensors)["anomaly_samples"])
    meaning = MEANING.format(window=window, sampling=sampling(next(iter(scores.samples.values()))))
    parts = [meaning, markdown_table(header, rows), PARTS_MEANING, markdown_table(*_parts_table(scores))]
    return "\n\n".join([*parts, IN_TIME, markdown_table(*_time_table(time.means))])


def sampling(samples: pd.DataFrame) -> str:
    """Return the name of the sampling of a checked table: by the median step between samples of a sensor."""
    step = np.diff(samples["time"].to_numpy()).astype("timedelta64[s]").astype(np.int64) / 86_400
    same = by_sensor(samples)[0]
    own = step[np.diff(same) == 0]
    days = float(np.median(own)) if own.size else np.nan
    if not days > 0:
        return "single"
    if days < 0.75:
        return f"sub-daily ({24 * days:.3g}-hourly)"
    return "daily" if days < 1.5 else f"{days:.3g}-day"


def _parts_table(scores: Scores) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    rows = []
    for product in scores.products:
        skill = figures(product.skill)
        scaled = ({name: 1e4 * value for name, value in skill[part].items()} for part in MSE_PARTS)
        rows.append((product.name, *(interval(one, "mean", "mean_low", "mean_high") for one in scaled)))
    return ("product", *MSE_PARTS.values()), rows


def window_words(samples: "pd.Series[float]") -> str:
    """Return the number of samples in the windows of anomalies, from the median of each sensor, and its
    consequences.
    """
    held = samples.dropna()
    if held.empty:
        return "which contain no samples"
    few, sparse = int((held < FEWEST_IN_WINDOW).sum()), int((held < FEWEST_LIKE_DAILY).sum())
    words = f"which contains {held.median():g} samples in the median of sensors ({held.min():g} to {held.max():g})"
    if few:
        words += f"; no R of these anomalies for {counted(few, 'sensors')} with fewer than {FEWEST_IN_WINDOW}"
    if sparse > few:
        words += (
            f"; at {counted(sparse - few, 'sensors')} fewer than {FEWEST_LIKE_DAILY}: such anomalies are differences "
            "of neighbouring samples, and their R is not comparable with that of daily series"
        )
    return words


def with_intervals(sensors: pd.DataFrame, time: pd.DataFrame) -> pd.DataFrame:
    """Return scores of sensors with the intervals of the headline's, `<score>_low` and `<score>_high`, by blocks of
    time.
    """
    bounds = [f"{name}_{end}" for name in HEADLINE for end in ("low", "high")]
    return sensors.merge(time[[*SENSOR, *bounds]], on=SENSOR, how="left", validate="one_to_one")


def _time_table(means: pd.DataFrame) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    header = ("product", "sensors", "R", "ubRMSE", "RMSE", "bias", "p of R / ubRMSE / RMSE")
    rows = []
    for (product, minus), group in means.groupby(["product", "minus"], sort=False):
        by = figures(group.set_index("score").drop(columns=["product", "minus"]))
        p = p_values(by[name]["p"] for name in ("r", "ubrmse", "rmse")) if minus else ""
        name = f"{product} minus {minus}" if minus else str(product)
        cells = (interval(by[one], "mean", "low", "high") for one in HEADLINE)
        rows.append((name, f"{by['r']['sensors']:,.0f}", *cells, p))
    return header, rows
