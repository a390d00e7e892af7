"""Text of scores in parts of the period, and of their stability."""

from collections.abc import Mapping, Sequence

import pandas as pd

from vadose.evaluation.stability import MIN_YEARS, Stability
from vadose.evaluation.subperiods import Parts
from vadose.report.text import interval, markdown_table

PARTS = "Months, years and stability"
TITLES: Mapping[Parts, str] = {"month": "month, over all years", "year": "calendar year", "rolling": "rolling year"}
MEANING = (
    "Means over the sensors with enough samples of the part, brackets from the differences between places. 'Too few' "
    "counts sensors that have some samples of the part, but not enough."
)
TREND = (
    f"Stability: change of the yearly scores per decade, the median slope between all pairs of years, of sensors with "
    f"at least {MIN_YEARS} scored years. A trend over a few years is weather as much as the product."
)
NO_TREND = f"Stability: no sensor has {MIN_YEARS} years with enough samples each."
_SCORES = {"r": "R", "ubrmse": "ubRMSE", "rmse": "RMSE", "bias": "bias"}


def subperiods_markdown(parts: Mapping[Parts, pd.DataFrame], trends: Mapping[str, Stability]) -> str:
    """Return the text of the chapter.

    Args:
        parts: from `subperiods`, by its kinds of parts.
        trends: from `stability`, by product.
    """
    found = [MEANING]
    for kind, table in parts.items():
        if (table["sensors"] > 0).any() and len(set(table["part"])) > 1:
            found += [f"### By {TITLES[kind]}", markdown_table(*_table(table))]
    rows = [row for product, one in trends.items() for row in _trends(product, one.summary)]
    if rows:
        header = ("product", "sensors", "places", *(f"{name} per decade" for name in ("R", "ubRMSE", "bias")))
        found += ["### Stability", TREND, markdown_table(header, rows)]
    else:
        found += ["### Stability", NO_TREND]
    return "\n\n".join(found)


def _table(table: pd.DataFrame) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    header = ("part", "product", "sensors", "samples", "too few", *_SCORES.values())
    rows = []
    for row in table.to_dict("records"):
        values = {str(name): value for name, value in row.items()}
        counts = (f"{values[name]:,}" for name in ("sensors", "samples", "too_few"))
        scores = (interval(values, name, f"{name}_low", f"{name}_high") for name in _SCORES)
        rows.append((str(values["part"]), str(values["product"]), *counts, *scores))
    return header, rows


def _trends(product: str, summary: pd.DataFrame) -> list[tuple[str, ...]]:
    rows = {str(row["score"]): {str(name): value for name, value in row.items()} for row in summary.to_dict("records")}
    if not rows["r"]["sensors"]:
        return []
    cells = (interval(rows[name], "mean", "low", "high") for name in ("r", "ubrmse", "bias"))
    return [(product, f"{rows['r']['sensors']:,}", f"{rows['r']['places']:,}", *cells)]
