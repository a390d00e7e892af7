"""Samples that are in no score, one by one, each with its reason."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.evaluation.compare import numbered
from vadose.evaluation.predictions import ESTIMATE, SAMPLE, SENSOR, by_sensor, is_complete

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
    *own, matched = _numbered(products, common)
    few, few_of = np.unique(
        [f"sensor left out: {text}" if text else "" for text in sensors["left_out"]], return_inverse=True
    )
    others = [f"no estimate of {name}" for name in products]
    reasons = pd.CategoricalDtype(list(dict.fromkeys(["", "no estimate", "no reading", *others, *few])))
    code = {name: number for number, name in enumerate(reasons.categories)}
    group, held = by_sensor(common)
    place = pd.MultiIndex.from_frame(sensors[SENSOR]).get_indexer(pd.MultiIndex.from_frame(held[SENSOR]))
    of_common = np.array([code[text] for text in few])[few_of[place]][group]
    absent = {name: table[ESTIMATE].isna().to_numpy() for name, table in products.items()}
    parts = []
    for (name, table), number in zip(products.items(), own, strict=True):
        reason = np.full(len(table), code["no reading"])
        inside = _is_in(number, matched)
        reason[inside] = of_common
        for (other, lacks), numbers in reversed(list(zip(absent.items(), own, strict=True))):
            if other != name:
                reason[~_is_in(number, numbers[~lacks])] = code[f"no estimate of {other}"]
        reason[absent[name]] = code["no estimate"]
        chosen = np.flatnonzero(reason)
        words = pd.Categorical.from_codes(reason[chosen], dtype=reasons)
        parts.append(table[SAMPLE].iloc[chosen].assign(product=name, reason=words)[COLUMNS])
    found: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return found.assign(
        product=found["product"].astype("category"), reason=found["reason"].cat.remove_unused_categories()
    )


def _numbered(products: Mapping[str, pd.DataFrame], common: pd.DataFrame) -> list[NDArray[np.int64]]:
    """Return ascending numbers of the samples of each product, then those of the matched ones."""
    tables = list(products.values())
    if all(len(table) == len(common) for table in tables):
        return [np.arange(len(common))] * (len(tables) + 1)
    if len(tables) == 1:
        return [np.arange(len(tables[0])), np.flatnonzero(is_complete(tables[0]))]
    return numbered([*tables, common])


def _is_in(numbers: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    place = np.minimum(np.searchsorted(ascending, numbers), max(len(ascending) - 1, 0))
    return ascending[place] == numbers if len(ascending) else np.zeros(len(numbers), np.bool_)
