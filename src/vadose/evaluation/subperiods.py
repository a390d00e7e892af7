"""Scores of parts of the period: months of the year, seasons, calendar years, rolling windows."""

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.evaluation.bootstrap import Bootstrap
from vadose.evaluation.metric import RANGES, bias, pearson_r, rmse, ubrmse
from vadose.evaluation.predictions import ESTIMATE, LABEL, by_sensor
from vadose.evaluation.statistic import Moments
from vadose.evaluation.tally import MIN_SAMPLES

Parts = Literal["month", "season", "year", "rolling"]
SHOWN = {"r": pearson_r, "ubrmse": ubrmse, "rmse": rmse, "bias": bias}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SEASONS = ("Dec-Feb", "Mar-May", "Jun-Aug", "Sep-Nov")
ROLLING_DAYS, ROLLING_STEP_DAYS = 365, 91
"""Default length of a rolling window and step to the next one, days."""


def subperiods(
    tables: Mapping[str, pd.DataFrame],
    parts: Parts,
    min_samples: int = MIN_SAMPLES,
    bootstrap: Bootstrap | None = None,
    days: int = ROLLING_DAYS,
    step_days: int = ROLLING_STEP_DAYS,
) -> pd.DataFrame:
    """Score the samples of each part of the period, sensor by sensor.

    Args:
        tables: of each product, checked and matched.
        parts: months of the year and seasons, each over all years; calendar years; or rolling windows.
        min_samples: smallest number of samples of a part for a sensor to be scored in it.
        bootstrap: settings of the intervals.
        days, step_days: length of a rolling window, and step to the next one.

    Returns:
        One row per part and product: `part`, `product`, scored `sensors` and `samples`, `too_few` sensors left out,
        `places`, and each score of `SHOWN` as the mean over sensors with `_low` and `_high`.

    Raises:
        VadoseError: the length of a rolling window or its step is not positive.
    """
    if days <= 0 or step_days <= 0:
        raise VadoseError(f"rolling windows of {days} days, each {step_days}", "They are not positive", "Give days")
    bootstrap = bootstrap or Bootstrap()
    rows = []
    for product, table in tables.items():
        group, sensors = by_sensor(table)
        p, t, time = (table[name].to_numpy() for name in (ESTIMATE, LABEL, "time"))
        complete = np.isfinite(p) & np.isfinite(t)
        for name, held in _parts(time, parts, days, step_days):
            chosen = np.flatnonzero(held & complete)
            moments = Moments.of(p[chosen], t[chosen], group[chosen], len(sensors))
            keys: dict[str, str | float] = {"part": name, "product": product}
            rows.append(keys | _scores(moments, sensors, min_samples, bootstrap))
    found = pd.DataFrame(rows)
    order = {name: place for place, name in enumerate(dict.fromkeys(found["part"]))}
    return found.sort_values("part", key=lambda part: part.map(order), kind="stable", ignore_index=True)


def _parts(
    time: NDArray[np.datetime64], parts: Parts, days: int, step_days: int
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    month = time.astype("datetime64[M]").astype(np.int64) % 12
    if parts == "month":
        yield from ((name, month == number) for number, name in enumerate(MONTHS))
    elif parts == "season":
        yield from ((name, (month + 1) % 12 // 3 == number) for number, name in enumerate(SEASONS))
    elif parts == "year":
        year = time.astype("datetime64[Y]").astype(np.int64) + 1970
        yield from ((str(one), year == one) for one in np.unique(year))
    else:
        first, last = time.min().astype("datetime64[D]"), time.max()
        for begin in np.arange(first, max(last - np.timedelta64(days, "D"), first) + 1, np.timedelta64(step_days, "D")):
            end = begin + np.timedelta64(days, "D")
            yield f"{begin} to {end - np.timedelta64(1, 'D')}", (time >= begin) & (time < end)


def _scores(moments: Moments, sensors: pd.DataFrame, min_samples: int, bootstrap: Bootstrap) -> dict[str, str | float]:
    enough = moments.n >= min_samples
    lat, lon = (sensors[name].to_numpy()[enough] for name in ("lat", "lon"))
    found: dict[str, str | float] = {
        "sensors": int(enough.sum()),
        "samples": int(moments.n[enough].sum()),
        "too_few": int(((moments.n > 0) & ~enough).sum()),
        "places": bootstrap.estimate(rmse(moments)[enough], lat, lon).places,
    }
    for name, of in SHOWN.items():
        mean = bootstrap.mean(of(moments)[enough], lat, lon, bounds=RANGES.get(name, (-np.inf, np.inf)))
        found |= {name: mean.value, f"{name}_low": mean.low, f"{name}_high": mean.high}
    return found
