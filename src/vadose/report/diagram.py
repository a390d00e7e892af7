"""Reliability diagram: observed coverage of intervals against their nominal coverage."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from vadose.evaluation.scores import ProductScores
from vadose.evaluation.sensors import figures
from vadose.evaluation.uncertainty import LEVELS
from vadose.report.text import shown

STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "P"))
"""Colours for colour-blind readers (Okabe & Ito 2008), and markers for print."""


def stated(products: Sequence[ProductScores]) -> list[ProductScores]:
    """Return the products with standard deviations."""
    return [product for product in products if figures(product.reliability)["crps"]["samples"]]


def reliability_diagram(products: Sequence[ProductScores], path: Path, notice: str) -> None:
    """Draw the observed coverage of central intervals against the nominal one, as PNG.

    Args:
        products: products with standard deviations.
        path: path of the picture.
        notice: warning above it; empty for none.
    """
    figure, axes = plt.subplots(figsize=(4.6, 4.4), layout="constrained")
    draw_reliability(axes, products)
    axes.set_title(notice.split(":", maxsplit=1)[0], fontsize="small", fontweight="bold")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def draw_reliability(axes: Axes, products: Sequence[ProductScores]) -> None:
    """Draw the diagram into axes."""
    axes.plot((40, 100), (40, 100), color="0.6", linewidth=1, label="true")
    for place, (product, (colour, mark)) in enumerate(zip(products, STYLES * len(products), strict=False)):
        rows = [figures(product.reliability)[f"coverage_{level}"] for level in LEVELS]
        mean, low, high = (100 * np.array([row[name] for row in rows]) for name in ("mean", "mean_low", "mean_high"))
        levels = np.array(LEVELS) + 0.6 * (place - (len(products) - 1) / 2)
        error = np.clip([mean - low, high - mean], 0, None)
        axes.errorbar(levels, mean, error, label=shown(product.name), color=colour, marker=mark, lw=1, capsize=2)
    axes.set(xlim=(45, 100), xlabel="stated interval, %", ylabel="samples within it, %")
    axes.grid(color="0.92")
    axes.legend(fontsize="small", frameon=False)
