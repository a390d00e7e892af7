"""Comparison of published figures with ours, listing all known differences of setting."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vadose.evaluation.anomaly import FEWEST_LIKE_DAILY, WINDOW_DAYS
from vadose.evaluation.bootstrap import Bootstrap, Interval
from vadose.evaluation.pooled import pooled
from vadose.evaluation.predictions import SENSOR, by_sensor, check, is_complete
from vadose.evaluation.publications import NOT_TOLD, Figure, Publication, Region, Split
from vadose.evaluation.sensors import figures, has_scores, per_sensor, summary
from vadose.evaluation.tally import MIN_SAMPLES
from vadose.grid import Period

_ANOMALIES = ("anomaly_r", "anomaly_r_climatology")
ENDS_DAYS = 31
"""Largest difference between the ends of equal periods, days."""


@dataclass(frozen=True)
class Setting:
    """Properties of a product that its prediction table does not contain.

    Attributes:
        split: separation of its samples from the training samples.
        resolution: resolution of the product.
    """

    split: Split = NOT_TOLD
    resolution: str = ""


@dataclass(frozen=True)
class OwnResult:
    """Our scores on the samples of a publication's region and period.

    Attributes:
        sensors, samples: their numbers.
        box: west, south, east, north of the sensors, degrees.
        networks: of the sensors.
        first, last: times of the samples, UTC.
        step_days: median step between the samples of a sensor.
        window_samples: median number of samples in the 35-day window of an anomaly; with fewer than `FEWEST_LIKE_DAILY`
            anomaly R is not compared.
        values: each score by aggregation and name.
    """

    sensors: int
    samples: int
    box: tuple[float, float, float, float]
    networks: tuple[str, ...]
    first: np.datetime64
    last: np.datetime64
    step_days: float
    window_samples: float
    values: dict[tuple[str, str], Interval]

    def of(self, figure: Figure) -> Interval | None:
        """Return our score in the aggregation of a published figure; the mean over sensors if that is not stated."""
        over = "mean" if figure.over == "not stated" else figure.over
        return self.values.get((over, figure.score))


@dataclass(frozen=True)
class LiteratureComparison:
    """A publication and our scores.

    Attributes:
        work: the publication.
        ours: None without samples of its region and period.
        differences: between the settings; figures are comparable only without any.
        lacking: reason for missing scores; else empty.
    """

    work: Publication
    ours: OwnResult | None
    differences: tuple[str, ...]
    lacking: str


def compare_with_literature(
    works: Sequence[Publication],
    predictions: pd.DataFrame,
    setting: Setting | None = None,
    *,
    min_samples: int = MIN_SAMPLES,
    bootstrap: Bootstrap | None = None,
) -> tuple[LiteratureComparison, ...]:
    """Compare predictions with publications, each on our samples of its region and period.

    Args:
        works: publications.
        predictions: a table as described by `check`.
        setting: setting of the predictions.
        min_samples: smallest number of samples there for a sensor to be scored.
        bootstrap: settings of the intervals.

    Returns:
        All publications, in order.
    """
    table = check(predictions)
    table = table[is_complete(table)]
    bootstrap = bootstrap or Bootstrap()
    return tuple(_one(work, table, setting or Setting(), min_samples, bootstrap) for work in works)


def _one(
    work: Publication, table: pd.DataFrame, setting: Setting, min_samples: int, bootstrap: Bootstrap
) -> LiteratureComparison:
    there = table[_in_region(work.region, table)]
    if there.empty:
        where = work.region.name if work.region else "the world"
        return LiteratureComparison(work, None, (), f"no sample in {where}")
    then = there[_in_period(work.period, there)]
    if then.empty:
        span = f"{there['time'].min():%Y-%m-%d} to {there['time'].max():%Y-%m-%d}"
        return LiteratureComparison(work, None, (), f"no sample within {work.period}; ours are of {span}")
    sensors = per_sensor(then, min_samples)
    if has_scores(sensors).empty:
        return LiteratureComparison(
            work, None, (), f"no sensor there has {min_samples} samples; the largest number is {sensors['n'].max()}"
        )
    ours = _ours(then, sensors, bootstrap)
    return LiteratureComparison(work, ours, tuple(_differences(work, ours, setting)), "")


def _in_region(region: Region | None, table: pd.DataFrame) -> "pd.Series[bool]":
    west, south, east, north = region.box if region else (-180.0, -90.0, 180.0, 90.0)
    return table["lon"].between(west, east) & table["lat"].between(south, north)


def _in_period(period: str, table: pd.DataFrame) -> "pd.Series[bool]":
    if not period:
        return pd.Series(True, table.index)
    span = Period.parse(period)
    return (table["time"] >= span.start) & (table["time"] < span.end)


def _ours(table: pd.DataFrame, sensors: pd.DataFrame, bootstrap: Bootstrap) -> OwnResult:
    there = has_scores(sensors)
    used = table.merge(there[SENSOR], on=SENSOR)
    skill = figures(summary(sensors, bootstrap))
    values = {
        (over, name): Interval(row[over], row[f"{over}_low"], row[f"{over}_high"])
        for name, row in skill.items()
        for over in ("mean", "median", "over_places")
    }
    values |= {("pooled", name): value for name, value in pooled(used, bootstrap).items()}
    window = float(there["anomaly_samples"].median())
    if window < FEWEST_LIKE_DAILY:
        values = {key: value for key, value in values.items() if key[1] not in _ANOMALIES}
    return OwnResult(
        len(there),
        int(there["n"].sum()),
        (there["lon"].min(), there["lat"].min(), there["lon"].max(), there["lat"].max()),
        tuple(sorted(there["network"].unique())),
        used["time"].min().to_datetime64(),
        used["time"].max().to_datetime64(),
        _step_days(used),
        window,
        values,
    )


def _step_days(table: pd.DataFrame) -> float:
    sensor, time = by_sensor(table)[0], table["time"].to_numpy()
    step = np.diff(time)[np.diff(sensor) == 0]
    return float(np.median(step / np.timedelta64(1, "D"))) if len(step) else np.nan


def _differences(work: Publication, ours: OwnResult, setting: Setting) -> list[str]:
    west, south, east, north = ours.box
    found = [
        f"sensors: theirs {f'{work.sensors:,}' if work.sensors else 'of unstated number'}, "
        f"{', '.join(work.networks) or 'networks not stated'}; ours {ours.sensors:,} of {', '.join(ours.networks)}",
        f"region: theirs {work.region.name if work.region else 'not stated'}; "
        f"ours within {south:.1f} to {north:.1f} N, {west:.1f} to {east:.1f} E",
        *_of_period(work.period, ours),
        *_of_split(work, setting.split),
        *_of_metric(work.figures),
        f"time: ours every {ours.step_days:.3g} days (median); theirs not stated",
    ]
    if any(figure.score == "anomaly_r" for figure in work.figures):
        found.append(_of_window(ours.window_samples))
    if not work.resolution or work.resolution != setting.resolution:
        found.append(f"resolution: theirs {work.resolution or 'not stated'}; ours {setting.resolution or 'not stated'}")
    return found


def _of_window(samples: float) -> str:
    words = f"anomalies: our window of {WINDOW_DAYS:g} days contains {samples:g} samples (median)"
    if samples < FEWEST_LIKE_DAILY:
        return f"{words}, fewer than {FEWEST_LIKE_DAILY}: ours are not comparable and are left out"
    return f"{words}; theirs not stated"


def _of_period(period: str, ours: OwnResult) -> list[str]:
    span = f"{np.datetime_as_string(ours.first, 'D')} to {np.datetime_as_string(ours.last, 'D')}"
    if not period:
        return [f"period: theirs not stated; ours {span}"]
    published, near = Period.parse(period), np.timedelta64(ENDS_DAYS, "D")
    if abs(ours.first - published.start) <= near and abs(published.end - ours.last) <= near:
        return []
    return [f"period: theirs {published}; of it ours {span}"]


def _of_split(work: Publication, ours: Split) -> list[str]:
    ways = {(figure.split or work.split) for figure in work.figures}
    return [
        f"split: theirs {way}; ours {ours}"
        for way in sorted(ways, key=str)
        if way.way != ours.way or way.text != ours.text or way.way == "not stated"
    ]


def _of_metric(published: Sequence[Figure]) -> list[str]:
    overs = {figure.over for figure in published}
    found = []
    if "not stated" in overs:
        found.append("metric: theirs may be a mean over sensors, a median or pooled, not stated; ours is the mean")
    if "pooled" in overs:
        found.append("metric: theirs is pooled over all samples, which counts differences between places as skill")
    if "stations" in overs:
        found.append("metric: theirs is across stations, which is not computed here")
    if any(figure.score == "r2" for figure in published):
        found.append("metric: their R² is not computed here")
    products = sorted({figure.product for figure in published} - {""})
    if products:
        found.append(f"product: theirs are {', '.join(products)}; ours is the evaluated one in every row")
    return found
