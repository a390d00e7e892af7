"""Scores besides the headline, and intervals with sampling variation in time."""

from collections.abc import Mapping, Sequence

import pandas as pd

from vadose.evaluation.anomaly import FEWEST_IN_WINDOW, FEWEST_LIKE_DAILY
from vadose.evaluation.predictions import SENSOR
from vadose.evaluation.scores import HEADLINE, Scores
from vadose.evaluation.sensors import figures, has_scores
from vadose.evaluation.spatial import Spatial
from vadose.evaluation.temporal import TemporalIntervals
from vadose.report.text import bounded, counted, interval, markdown_table, p_values

FURTHER = "Other scores, and sampling in time"
OTHERS = {
    "spearman": "Spearman's R",
    "anomaly_r": "R of anomalies, 35 days",
    "anomaly_r_climatology": "R of anomalies, climatology",
    "kge": "KGE",
    "slope": "slope",
    "std_ratio": "std ratio",
}
MEANING = (
    "Means over sensors, brackets from the differences between places. Anomalies are departures from a window of 35 "
    "days around the sample, {window}, or from the sensor's own seasonal mean. R in space: of the sensors on one "
    "date, the mean over dates; none if no date has ten sensors."
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
    meaning = MEANING.format(window=window_words(has_scores(scores.products[0].sensors)["anomaly_samples"]))
    parts = [meaning, markdown_table(header, rows), IN_TIME, markdown_table(*_time_table(time.means))]
    return "\n\n".join(parts)


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
