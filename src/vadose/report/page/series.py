"""Pictures of single samples: time series of the worst and the best sensors, and estimate against reading by
network.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vadose.evaluation.predictions import LABEL as READING
from vadose.evaluation.predictions import SENSOR
from vadose.evaluation.sensors import figures
from vadose.evaluation.statistic import Floats
from vadose.report.content import ReportData
from vadose.report.markdown import extremes
from vadose.report.page.style import DENSITY, FAINT, LABEL, WIDTH, Picture, colour, picture
from vadose.report.text import interval, number, shown

_SHOWN = 3
_NETWORKS = 6
_SQUARES = 40
_LONG = 1500
"""Number of samples above which a line is rasterised."""
_GAP = 3.5
"""Gap in median steps at which a line breaks."""


def series(content: ReportData) -> Picture:
    """Draw the sensors with the lowest and the highest R: readings and the estimates of each product."""
    worst, best = extremes(content.scores.products[0], _SHOWN)
    both = pd.concat([worst, best[::-1]])
    which = (
        f"The {len(worst)} sensors with the lowest R, then the {len(best)} with the highest"
        if len(best)
        else "All sensors"
    )
    caption = f"{which}, on the matched samples. Black: the sensor; lines: {', '.join(content.scores.samples)}"
    if next(iter(content.scores.samples.values()))["soil_moisture_std"].notna().any():
        caption += "; band: 90 % interval of the first"
    says = "Time series of the worst and the best sensors"
    return picture(lambda: _series(content.scores.samples, both), says, f"{caption}.")


def _series(samples: Mapping[str, pd.DataFrame], sensors: pd.DataFrame) -> Figure:
    height = 0.5 + 1.45 * max(len(sensors), 1)
    figure = Figure(figsize=(WIDTH, height))
    figure.subplots_adjust(0.07, 0.3 / height, 0.99, 1 - 0.35 / height, hspace=0.55)
    panels = figure.subplots(max(len(sensors), 1), 1, squeeze=False)[:, 0]
    for axes, row in zip(panels, sensors.to_dict("records"), strict=False):
        for place, (name, table) in enumerate(samples.items()):
            own = table[np.logical_and.reduce([table[key] == row[key] for key in SENSOR])]
            _line(axes, own, name, place)
        name = "/".join(str(row[key]) for key in SENSOR)
        caption = f"n = {row['n']:,}, R {number(row['r'])}, ubRMSE {number(row['ubrmse'])}, bias {number(row['bias'])}"
        axes.set_title(f"{shown(name, 70)}   {caption}")
        axes.set_ylim(bottom=0)
        axes.grid(color="0.93")
    if len(sensors):
        panels[0].legend(fontsize=7.5, ncols=6, frameon=False, loc="lower right", bbox_to_anchor=(1, 0.98))
    figure.supylabel("soil moisture, m³ m⁻³", fontsize=9)
    return figure


def _line(axes: Axes, own: pd.DataFrame, name: str, place: int) -> None:
    time, label, mean, std = (
        own[column].to_numpy() for column in ("time", READING, "soil_moisture", "soil_moisture_std")
    )
    breaks = _breaks(time)
    pixels = len(time) > _LONG
    time, label, mean, std = (_broken(values, breaks) for values in (time, label, mean, std))
    if place == 0:
        axes.plot(time, label, ".-", color=LABEL, ms=3, lw=0.7, label="sensor", zorder=3, rasterized=pixels)
        if np.isfinite(std).any():
            half = 1.645 * std
            axes.fill_between(time, mean - half, mean + half, color=colour(0), alpha=0.13, lw=0)
    width = 1.6 if place == 0 else 1
    axes.plot(time, mean, color=colour(place), lw=width, label=shown(name, 30), zorder=2, rasterized=pixels)


def _breaks(time: "np.ndarray[tuple[int], np.dtype[np.datetime64]]") -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    step = np.diff(time).astype(np.float64)
    return np.flatnonzero(step > _GAP * np.median(step)) + 1 if len(step) else np.zeros(0, np.intp)


def _broken(values: Floats, breaks: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> Floats:
    gap = np.datetime64("NaT", "ns") if values.dtype.kind == "M" else np.nan
    return np.insert(values, breaks, gap)


def in_space(content: ReportData) -> Picture:
    """Draw R across sensors on each date, of each product, with the number of sensors."""
    return picture(
        lambda: _in_space(content),
        "R across sensors by date",
        "R across the sensors of each date, one point per date, and below the number of sensors of the first product.",
    )


def _in_space(content: ReportData) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for place, (name, one) in enumerate(content.across.items()):
        above.plot(one.dates["date"], one.dates["r"], ".", color=colour(place), ms=4, label=shown(name, 30))
    above.set(ylabel="R in space", ylim=(min(0, above.get_ylim()[0]), 1))
    above.legend(fontsize=7.5, ncols=6, frameon=False, loc="lower right", bbox_to_anchor=(1, 0.98))
    first = next(iter(content.across.values())).dates
    below.fill_between(first["date"], first["sensors"], step="mid", color=FAINT, lw=0)
    below.set(ylabel="sensors", ylim=(0, None))
    for axes in (above, below):
        axes.grid(color="0.93")
        axes.set_axisbelow(True)
    return figure


def scatter(content: ReportData) -> Picture:
    """Draw estimate against reading for the networks with the most samples, for the first two products."""
    networks = content.scores.samples[content.scores.products[0].name]["network"].value_counts().index[:_NETWORKS]
    return picture(
        lambda: _scatter(content, list(networks)),
        "Estimates against readings by network",
        f"Estimate (up) against reading (right), m³ m⁻³, of the {len(networks)} networks with the most samples; darker "
        "where samples are denser. R and ubRMSE: means over sensors, without an interval with too few places.",
    )


def _scatter(content: ReportData, networks: list[str]) -> Figure:
    products = content.scores.products[:2]
    across = max(len(networks), 3)
    size = WIDTH / across
    height = (size + 0.75) * len(products)
    figure = Figure(figsize=(WIDTH, height))
    figure.subplots_adjust(0.04, 0.3 / height, 0.99, 1 - 0.75 / height, wspace=0.2, hspace=1.05 / size)
    panels = figure.subplots(len(products), across, squeeze=False)
    top = max(
        0.05,
        *(
            float(content.scores.samples[p.name][c].quantile(0.999))
            for p in products
            for c in ("soil_moisture", READING)
        ),
    )
    for line, product in zip(panels, products, strict=True):
        table = content.scores.samples[product.name]
        for axes, network in zip(line, networks, strict=False):
            own = table[table["network"] == network]
            _density(axes, own[READING].to_numpy(), own["soil_moisture"].to_numpy(), top)
            axes.plot((0, top), (0, top), color=FAINT, lw=0.8)
            axes.set(xlim=(0, top), ylim=(0, top), aspect="equal")
            axes.set_title(
                f"{shown(network, 18)}: {shown(product.name, 18)}\n{_caption(content, product.name, network)}"
            )
            axes.title.set_fontsize(7.5)
        for axes in line[len(networks) :]:
            axes.set_axis_off()
    return figure


def _density(axes: Axes, readings: Floats, estimates: Floats, top: float) -> None:
    count, _, _ = np.histogram2d(estimates, readings, bins=_SQUARES, range=((0, top), (0, top)))
    shade = np.where(count > 0, np.log1p(count), np.nan)
    axes.imshow(shade, cmap=DENSITY, origin="lower", extent=(0, top, 0, top), interpolation="none")


def _caption(content: ReportData, product: str, network: str) -> str:
    strata = content.strata
    own = strata[(strata["stratum"] == "network") & (strata["class"] == network) & (strata["product"] == product)]
    if len(own):
        row = {str(name): value for name, value in own.iloc[0].items()}
        r, ubrmse = (interval(row, name, f"{name}_low", f"{name}_high") for name in ("r", "ubrmse"))
        return f"n = {row['samples']:,}, {row['sensors']} sensors\nR {r}\nubRMSE {ubrmse}"
    scores = next(one for one in content.scores.products if one.name == product)
    rows = figures(scores.skill)
    r, ubrmse = (interval(rows[name], "mean", "mean_low", "mean_high") for name in ("r", "ubrmse"))
    return f"n = {scores.rows['scored']:,}, {rows['r']['sensors']:,.0f} sensors\nR {r}\nubRMSE {ubrmse}"
