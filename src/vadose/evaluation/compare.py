"""Several products on their common samples, and the difference of two."""

from collections.abc import Mapping
from functools import partial, reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.evaluation.bootstrap import Bootstrap
from vadose.evaluation.predictions import LABEL, SENSOR, by_sensor, check
from vadose.evaluation.sensors import SKILL, has_scores
from vadose.evaluation.statistic import Floats, group_mean

SAME_LABEL = 1e-4
"""Largest difference between the labels of two products for one sample, m3 m-3."""


def matched(products: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the labelled samples for which every product has an estimate.

    Samples are equal if network, station, sensor and time are. A product without labels gets those of the others.

    Args:
        products: prediction table of each product, as described by `check`.

    Returns:
        The tables, each with the same samples in the same order and the same labels.

    Raises:
        VadoseError: there are no products or no common samples, a table is invalid for `check`, or labels differ.
    """
    if not products:
        raise VadoseError("matched samples: of no product", "There is nothing to match", "Name at least one product")
    tables = aligned(products)
    label = _one_label(tables)
    known = np.isfinite(label)
    if not known.any():
        raise _nothing(products, len(label))
    return {name: table.assign(**{LABEL: label})[known].reset_index(drop=True) for name, table in tables.items()}


def aligned(products: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the samples for which every product has an estimate, each with its own labels or none.

    Args:
        products: prediction table of each product, at least one, as described by `check`.

    Returns:
        The tables, each with the same samples in the same order.

    Raises:
        VadoseError: a table is invalid for `check`.
    """
    tables = {name: check(table, f"predictions '{name}'") for name, table in products.items()}
    tables = {name: table[table["soil_moisture"].notna()] for name, table in tables.items()}
    numbers = numbered(list(tables.values()))
    common = reduce(partial(np.intersect1d, assume_unique=True), numbers)
    return {
        name: table.iloc[np.searchsorted(number, common)].reset_index(drop=True)
        for (name, table), number in zip(tables.items(), numbers, strict=True)
    }


def differences(first: pd.DataFrame, second: pd.DataFrame, bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Return the mean over sensors, and over places, of the paired difference of each score, first minus second.

    Args:
        first, second: scores of two products on matched samples, from `per_sensor`.
        bootstrap: settings of the intervals.

    Returns:
        One row per score of skill, by name: `sensors` that have it in both, their number of `places`, `effective`
            places, `difference, low, high` and `p`, the two-sided p-value of no difference; the same of the mean over
            places, `over_places, over_places_low, over_places_high, p_over_places`.
    """
    bootstrap = bootstrap or Bootstrap()
    pairs = has_scores(first).merge(has_scores(second), on=SENSOR, suffixes=("", "_second"), validate="one_to_one")
    lat, lon = (pairs[name].to_numpy() for name in ("lat", "lon"))
    rows = {}
    for name in SKILL:
        apart = (pairs[name] - pairs[f"{name}_second"]).to_numpy()
        rows[name] = _difference(apart, bootstrap, lat, lon)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("score")


def _difference(apart: Floats, bootstrap: Bootstrap, lat: Floats, lon: Floats) -> dict[str, float]:
    over_sensors, over_places = bootstrap.estimate(apart, lat, lon), bootstrap.estimate_over_places(apart, lat, lon)
    (low, high), (places_low, places_high) = (one.interval(bootstrap.level) for one in (over_sensors, over_places))
    return {
        "sensors": int(np.isfinite(apart).sum()),
        "places": over_sensors.places,
        "effective": over_sensors.effective,
        "difference": over_sensors.value,
        "low": low,
        "high": high,
        "p": over_sensors.p(),
        "over_places": over_places.value,
        "over_places_low": places_low,
        "over_places_high": places_high,
        "p_over_places": over_places.p(),
    }


def own_mean(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return each sensor's own mean label as the estimate: the scores of an estimate without any bias.

    It is not a model, since it is computed from the labels of its evaluation.

    Args:
        predictions: a table as described by `check`; only its labels are read.
    """
    frame = check(predictions)
    group, sensors = by_sensor(frame)
    mean = group_mean(frame[LABEL].to_numpy(), group, len(sensors))
    return frame.assign(soil_moisture=mean[group], soil_moisture_std=np.nan, quality=np.uint32(0))


def numbered(tables: list[pd.DataFrame]) -> list[NDArray[np.int64]]:
    """Return an ascending number for each sample of checked tables, the same in every table."""
    groups, sensors = zip(*(by_sensor(table) for table in tables), strict=True)
    every, _ = by_sensor(pd.concat(sensors))
    own = np.split(every.astype(np.int64), np.cumsum([len(table) for table in sensors])[:-1])
    times, time = np.unique(np.concatenate([table["time"].to_numpy() for table in tables]), return_inverse=True)
    moment = np.split(time, np.cumsum([len(table) for table in tables])[:-1])
    return [number[group] * len(times) + at for number, group, at in zip(own, groups, moment, strict=True)]


def _one_label(tables: dict[str, pd.DataFrame]) -> NDArray[np.float64]:
    label = np.full(len(next(iter(tables.values()))), np.nan)
    for name, table in tables.items():
        own = table[LABEL].to_numpy()
        differ = np.abs(own - label) > SAME_LABEL
        if differ.any():
            row = table.iloc[int(np.argmax(differ))]
            raise VadoseError(
                f"matched samples: labels of '{name}'",
                f"{differ.sum()} differ from those of the products before it; the first is at "
                f"{'/'.join(row[SENSOR])} {row['time']}",
                "Score the products against the same labels",
            )
        label = np.where(np.isfinite(label), label, own)
    return label


def _nothing(tables: Mapping[str, pd.DataFrame], common: int) -> VadoseError:
    tables = {name: table.loc[table["soil_moisture"].notna()] for name, table in tables.items()}
    spans = [
        f"'{name}' has {len(table)} estimates"
        + (f" {table['time'].min()}..{table['time'].max()}" if len(table) else "")
        for name, table in tables.items()
    ]
    return VadoseError(
        f"matched samples: of {', '.join(tables)}",
        f"{common} samples have an estimate in all of them, but none of these has a label: {'; '.join(spans)}",
        "Give products with the same sensors and times, at least one of them with labels",
    )
