"""More scores than the headline has, and intervals that count chance in time."""

from collections.abc import Mapping, Sequence

import pandas as pd

from vadose.evaluation.anomaly import FEWEST_IN_WINDOW, FEWEST_LIKE_DAILY
from vadose.evaluation.bootstrap import Interval
from vadose.evaluation.predictions import SENSOR
from vadose.evaluation.scores import HEADLINE, Scores
from vadose.evaluation.sensors import figures, has_scores
from vadose.evaluation.spatial import Spatial
from vadose.evaluation.temporal import TemporalIntervals
from vadose.report.text import counted, interval, markdown_table, number

FURTHER = "Other scores, and chance in time"
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
    "days around the sample, {window}, or from the sensor's own mean of the season. R in space: of the sensors on one "
    "date, the mean over dates; none where no date has ten sensors."
)
IN_TIME = (
    "Means over sensors whose intervals are nowhere narrower than chance in time makes them, from blocks of time drawn "
    "within each sensor; none where the effective places are too few. `scorecard.csv` has each sensor's own."
)


def extra_scores_markdown(scores: Scores, across: Mapping[str, Spatial], time: TemporalIntervals) -> str:
    """Return the chapter's text.

    Args:
        scores: what `score` gives.
        across: what `spatial` gives, by product.
        time: what `in_time` gives for these products.
    """
    header = ("product", *OTHERS.values(), "R in space")
    rows = [
        (product.name, *_means(figures(product.skill)), _cell(across[product.name].r)) for product in scores.products
    ]
    meaning = MEANING.format(window=window_words(has_scores(scores.products[0].sensors)["anomaly_samples"]))
    parts = [meaning, markdown_table(header, rows), IN_TIME, markdown_table(*_time_table(time.means))]
    return "\n\n".join(parts)


def window_words(samples: "pd.Series[float]") -> str:
    """How many samples the windows of anomalies hold, from the median of each sensor, and what follows of it."""
    held = samples.dropna()
    if held.empty:
        return "which hold no samples"
    few, sparse = int((held < FEWEST_IN_WINDOW).sum()), int((held < FEWEST_LIKE_DAILY).sum())
    words = f"which holds {held.median():g} samples in the median of sensors ({held.min():g} to {held.max():g})"
    if few:
        words += f"; no R of these anomalies for {counted(few, 'sensors')} with fewer than {FEWEST_IN_WINDOW}"
    if sparse > few:
        words += (
            f"; at {counted(sparse - few, 'sensors')} fewer than {FEWEST_LIKE_DAILY}: such anomalies are differences "
            "of neighbouring samples, and their R does not stand beside that of daily series"
        )
    return words


def with_intervals(sensors: pd.DataFrame, time: pd.DataFrame) -> pd.DataFrame:
    """Scores of sensors with the intervals of the headline's, `<score>_low` and `<score>_high`, from blocks of time."""
    bounds = [f"{name}_{end}" for name in HEADLINE for end in ("low", "high")]
    return sensors.merge(time[[*SENSOR, *bounds]], on=SENSOR, how="left", validate="one_to_one")


def _means(rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    return [interval(rows[name], "mean", "mean_low", "mean_high") for name in OTHERS]


def _cell(one: Interval) -> str:
    return interval({"value": one.value, "low": one.low, "high": one.high}, "value", "low", "high")


def _time_table(means: pd.DataFrame) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    header = ("product", "sensors", "R", "ubRMSE", "RMSE", "bias", "p of R / ubRMSE / RMSE")
    rows = []
    for (product, minus), group in means.groupby(["product", "minus"], sort=False):
        by = figures(group.set_index("score").drop(columns=["product", "minus"]))
        p = " / ".join(number(by[name]["p"]) for name in ("r", "ubrmse", "rmse")) if minus else ""
        name = f"{product} minus {minus}" if minus else str(product)
        cells = (interval(by[one], "mean", "low", "high") for one in HEADLINE)
        rows.append((name, f"{by['r']['sensors']:,.0f}", *cells, p))
    return header, rows
