"""Pictures of scores by class of samples, and of interval coverage."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vadose.evaluation.scores import ProductScores
from vadose.report.diagram import STYLES, draw_reliability
from vadose.report.page.style import WIDTH, Picture, picture
from vadose.report.text import shown

_ROW = 0.25


def strata(table: pd.DataFrame, products: Sequence[str]) -> Picture:
    """Draw R of each class of samples with its interval."""
    there = table[table["sensors"] > 0]
    return picture(
        lambda: _strata(there, products),
        "R by class of samples",
        "Mean R over the sensors of a class, with its interval if there are enough places; n: sensors.",
    )


def _strata(table: pd.DataFrame, products: Sequence[str]) -> Figure:
    groups = list(table.groupby("stratum", sort=False))
    heights = [rows["class"].nunique() + 0.9 for _, rows in groups]
    figure = Figure(figsize=(WIDTH, 0.6 + sum(heights) * _ROW * max(1.0, 0.55 * len(products))), layout="constrained")
    panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, rows) in zip(panels, groups, strict=True):
        _rows(axes, rows, products)
        axes.set_title(str(title), fontweight="bold", fontsize=8.5)
    panels[-1].set_xlabel("R")
    panels[0].legend(fontsize=7.5, ncols=6, frameon=False, loc="lower right", bbox_to_anchor=(1, 0.97))
    return figure


def _rows(axes: Axes, rows: pd.DataFrame, products: Sequence[str]) -> None:
    classes = list(dict.fromkeys(rows["class"]))
    for place, (product, (own, mark)) in enumerate(zip(products, STYLES * len(products), strict=False)):
        chosen = rows[rows["product"] == product]
        shift = 0.5 * (place - (len(products) - 1) / 2) / max(len(products), 2)
        y = np.array([classes.index(name) for name in chosen["class"]]) + shift
        r = chosen["r"].to_numpy()
        ends = np.abs([r - chosen["r_low"].to_numpy(), chosen["r_high"].to_numpy() - r])
        axes.errorbar(r, y, xerr=ends, fmt=mark, color=own, ms=4, lw=1.2, capsize=2, label=shown(product, 30))
    number = rows.groupby("class", observed=True)["sensors"].max()
    axes.set_yticks(range(len(classes)), [f"{shown(name, 44)}  n = {number[name]}" for name in classes], fontsize=8)
    axes.set_ylim(len(classes) - 0.45, -0.55)
    axes.grid(axis="x", color="0.9")


def reliability(products: Sequence[ProductScores]) -> Picture:
    """Draw the coverage of the stated intervals."""
    samples = (f"{product.name}: {product.reliability['samples'].max():,.0f} samples" for product in products)
    return picture(
        lambda: _reliability(products),
        "Coverage of the stated intervals",
        f"Share of samples within each stated interval, with its own interval; {', '.join(samples)}.",
    )


def _reliability(products: Sequence[ProductScores]) -> Figure:
    figure = Figure(figsize=(5.2, 4.2), layout="constrained")
    draw_reliability(figure.subplots(), products)
    return figure
