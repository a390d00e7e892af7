"""Pictures of all sensors: distribution of their scores, and their positions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vadose.evaluation.scores import ProductScores, Scores
from vadose.evaluation.sensors import has_scores
from vadose.evaluation.statistic import Floats
from vadose.report.page.style import FAINT, SHADES, STEPS, WIDTH, Picture, colour, picture
from vadose.report.text import counted, shown

_PANELS = (("r", "R"), ("ubrmse", "ubRMSE, m³ m⁻³"), ("rmse", "RMSE, m³ m⁻³"), ("bias", "bias, m³ m⁻³"))
_CROWD, _CROWDS = 8, 3
_NAMES = ("below 0", "0 to 0.3", "0.3 to 0.5", "0.5 to 0.6", "0.6 to 0.7", "0.7 to 0.8", "0.8 to 0.9", "0.9 and more")


def distribution(scores: Scores) -> Picture:
    """Draw the distribution of the scores of single sensors, one point per sensor, with median and quartiles."""
    there = len(has_scores(scores.products[0].sensors))
    return picture(
        lambda: _distribution(scores.products),
        "Scores of each sensor by product",
        f"Scores of {counted(there, 'sensors')}, one point each; box: quartiles and median; whiskers: 5 % and 95 %.",
    )


def _distribution(products: Sequence[ProductScores]) -> Figure:
    figure = Figure(figsize=(WIDTH, 1.1 + 0.62 * len(products)), layout="constrained")
    rng = np.random.default_rng(0)
    for axes, (name, title) in zip(figure.subplots(1, len(_PANELS), sharey=True), _PANELS, strict=True):
        for place, product in enumerate(products):
            values = has_scores(product.sensors)[name].dropna().to_numpy()
            axes.scatter(values, place + rng.uniform(-0.3, 0.3, len(values)), 5, colour(place), alpha=0.45, lw=0)
            _box(axes, values, place)
        axes.set_xlabel(title)
        axes.grid(axis="x", color="0.92")
        axes.set_axisbelow(True)
        if name == "bias":
            axes.axvline(0, color=FAINT, lw=0.8)
    first = figure.axes[0]
    first.set_yticks(range(len(products)), [shown(product.name, 22) for product in products])
    first.set_ylim(len(products) - 0.5, -0.5)
    return figure


def _box(axes: Axes, values: Floats, place: int) -> None:
    if not len(values):
        return
    low, first, middle, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    axes.plot([low, high], [place, place], color="black", lw=1)
    axes.barh(place, third - first, 0.34, first, facecolor="white", edgecolor="black", lw=1, alpha=0.85)
    axes.plot([middle, middle], [place - 0.17, place + 0.17], color="black", lw=2)


def places(scores: Scores) -> Picture:
    """Draw the positions of the sensors coloured by R, with close-ups of the crowded places."""
    first = scores.products[0]
    there = has_scores(first.sensors).dropna(subset="r")
    return picture(
        lambda: _places(there, scores),
        f"Map of sensors by R of {first.name}",
        f"R of {first.name} at {counted(len(there), 'sensors')}, longitude and latitude in degrees; to the right, "
        f"the blocks of {scores.bootstrap.block_degrees:g}° with {_CROWD} sensors or more, at most {_CROWDS} of them.",
    )


def _places(there: pd.DataFrame, scores: Scores) -> Figure:
    block = scores.bootstrap.blocks(there["lat"].to_numpy(), there["lon"].to_numpy())
    crowds = _crowded(block)
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    grid = figure.add_gridspec(max(len(crowds), 1), 4 if crowds else 1)
    whole = figure.add_subplot(grid[:, :3] if crowds else grid[:, :])
    _points(whole, there, 26)
    whole.margins(0.06)
    whole.set(xlabel="longitude, °", ylabel="latitude, °")
    _legend(whole, there["r"].to_numpy())
    for place, number in enumerate(crowds):
        axes = figure.add_subplot(grid[place, 3])
        near = there[block == number]
        _points(axes, near, 30)
        axes.margins(0.12)
        networks = ", ".join(sorted(set(near["network"])))
        axes.set_title(f"{shown(networks, 20)}, n = {len(near)}", fontsize=8)
        axes.tick_params(labelsize=7)
    return figure


def _crowded(block: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> list[int]:
    count = np.bincount(block)
    order = np.argsort(-count, kind="stable")[:_CROWDS]
    return [int(number) for number in order if count[number] >= _CROWD]


def _points(axes: Axes, there: pd.DataFrame, size: float) -> None:
    ranked = there.sort_values("r", ascending=False)  # the worst are drawn on top
    shade = np.array(SHADES)[np.digitize(ranked["r"], STEPS)]
    axes.scatter(ranked["lon"], ranked["lat"], size, shade, edgecolor="0.25", lw=0.5)
    axes.grid(color="0.9", lw=0.7)
    axes.set_axisbelow(True)
    middle = np.deg2rad(float(there["lat"].median())) if len(there) else 0.0
    axes.set_aspect(1 / max(np.cos(middle), 0.2), adjustable="datalim")
    axes.ticklabel_format(useOffset=False)


def _legend(axes: Axes, r: Floats) -> None:
    count = np.bincount(np.digitize(r, STEPS), minlength=len(SHADES))
    for shade, name, number in zip(SHADES, _NAMES, count, strict=True):
        axes.scatter([], [], 26, shade, edgecolor="0.25", lw=0.5, label=f"{name}, n = {number}")
    axes.legend(title="R", fontsize=7.5, title_fontsize=8, loc="best", framealpha=0.9)
