"""Samples that are in no score, one by one, each with its reason."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.evaluation.compare import numbered
from vadose.evaluation.predictions import ESTIMATE, SAMPLE, SENSOR, by_sensor

COLUMNS = ["product", *SAMPLE, "reason"]


def left_out(products: Mapping[str, pd.DataFrame], common: pd.DataFrame, sensors: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each product that are in no score.

    Args:
        products: prediction table of each product, checked.
        common: matched samples, of one of them.
        sensors: scores of the matched samples, from `per_sensor`.

    Returns:
        `product`, `network, station, sensor, time` and `reason`, the first that applies: no estimate, no estimate of
        another product, no reading, too few matched samples of the sensor.
    """
    *own, matched = numbered([*products.values(), common])
    few = np.array([f"sensor left out: {reason}" if reason else "" for reason in sensors["left_out"]], dtype=object)
    places = pd.MultiIndex.from_frame(sensors[SENSOR])
    group, held = by_sensor(common)
    of_common = few[places.get_indexer(pd.MultiIndex.from_frame(held[SENSOR]))][group]
    estimated = {
        name: number[table[ESTIMATE].notna()] for (name, table), number in zip(products.items(), own, strict=True)
    }
    parts = []
    for (name, table), number in zip(products.items(), own, strict=True):
        reason = np.full(len(table), "no reading", dtype=object)
        inside = _is_in(number, matched)
        reason[inside] = of_common[np.searchsorted(matched, number[inside])]
        for other, numbers in reversed(estimated.items()):
            if other != name:
                reason[~_is_in(number, numbers)] = f"no estimate of {other}"
        reason[table[ESTIMATE].isna()] = "no estimate"
        chosen = reason != ""
        rows = table.loc[chosen, SAMPLE].assign(reason=reason[chosen])
        parts.append(rows.assign(product=name)[COLUMNS])
    found: pd.DataFrame = pd.concat(parts, ignore_index=True).astype({"product": "category", "reason": "category"})
    return found


def _is_in(numbers: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    place = np.minimum(np.searchsorted(ascending, numbers), max(len(ascending) - 1, 0))
    return ascending[place] == numbers if len(ascending) else np.zeros(len(numbers), np.bool_)
