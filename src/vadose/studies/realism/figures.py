"""Histograms of the simulated Earth, above the same histograms of the real one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vadose.io.files import atomic_write
from vadose.studies.realism.observations import REFLECTANCES
from vadose.studies.realism.statistics import HISTOGRAMS, Statistics

SIMULATED_COLOUR, REAL_COLOUR = "#D55E00", "#0072B2"
"""Vermilion and blue of Okabe and Ito (2008), distinct for colour-blind readers and in print."""
_INK, _FAINT = "#333333", "#8a8a8a"
_MOISTURE, _DB = "m³ m⁻³", "dB"


@dataclass(frozen=True)
class Panels:
    """One figure, with its columns.

    Attributes:
        file: name of the PNG.
        caption: text below it.
        columns: name of a histogram, and the label of its axis.
    """

    file: str
    caption: str
    columns: tuple[tuple[str, str], ...]


PANELS = (
    Panels(
        "realism-values.png",
        "Values at the sensors: means of ten days, of SMAP L3 of three.",
        (
            ("soil_moisture", f"in-situ soil moisture, {_MOISTURE}"),
            ("smap_l3", f"SMAP L3 soil moisture, {_MOISTURE}"),
            ("vv_db", f"VV, {_DB}"),
            ("vh_db", f"VH, {_DB}"),
        ),
    ),
    Panels(
        "realism-sensors.png",
        "Figures of the sensors, each sensor counted once.",
        (
            ("soil_moisture.spread", f"in-situ: spread in time, {_MOISTURE}"),
            ("smap_l3.r", "SMAP L3 against sensor: R"),
            ("smap_l3.ubrmse", f"SMAP L3 against sensor: ubRMSE, {_MOISTURE}"),
            ("vv_db.r", "VV against sensor: R"),
        ),
    ),
    Panels(
        "realism-radar.png",
        "Backscatter of single pixels of scenes, speckle included.",
        (("pixels.vv_db", f"VV, {_DB}"), ("pixels.vh_db", f"VH, {_DB}")),
    ),
    Panels(
        "realism-reflectance.png",
        "Reflectance of single pixels of scenes.",
        tuple((f"pixels.{name}", f"reflectance {name}") for name in REFLECTANCES),
    ),
)
"""The figures of the page."""


def draw(panels: Panels, simulated: Statistics, real: Statistics, folder: Path, request: str = "") -> Path:
    """Draw one figure as PNG, the simulated row above the real one on the same axes.

    Returns:
        The file.
    """
    count = len(panels.columns)
    figure = Figure(figsize=(1.0 + 2.5 * count, 4.6), layout="constrained")
    axes = figure.subplots(2, count, sharex="col", sharey="col", squeeze=False)
    worlds = (("SIMULATED", simulated, SIMULATED_COLOUR), ("REAL", real, REAL_COLOUR))
    for row, (title, world, colour) in zip(axes, worlds, strict=True):
        for panel, (name, _) in zip(row, panels.columns, strict=True):
            panel.set_title(title, color=colour, fontsize=9, fontweight="bold", loc="left")
            _histogram(panel, name, world, colour)
        row[0].set_ylabel("share, %", fontsize=8, color=_INK)
    for panel, (_, words) in zip(axes[1], panels.columns, strict=True):
        panel.set_xlabel(words, fontsize=8, color=_INK)
    path = folder / panels.file
    with atomic_write(path) as temporary:
        figure.savefig(
            temporary, format="png", dpi=130, metadata={"Software": None} | ({"Title": request} if request else {})
        )
    return path


def _histogram(panel: Axes, name: str, world: Statistics, colour: str) -> None:
    edges, shares = HISTOGRAMS[name].edges, np.array(world.histograms[name])
    panel.tick_params(labelsize=7, colors=_INK)
    panel.spines[["top", "right"]].set_visible(False)
    if not shares.any():
        panel.text(0.5, 0.5, "too few values", transform=panel.transAxes, ha="center", color=_FAINT, fontsize=8)
        return
    panel.stairs(100 * shares, edges, fill=True, color=colour, alpha=0.85)
    middle = float(np.interp(0.5, np.cumsum([0.0, *shares]) / shares.sum(), edges))
    panel.axvline(middle, color=_INK, linewidth=0.9, linestyle="--")
    panel.set_title(f"median {middle:.3g}".replace("-", "−"), fontsize=7, color=_INK, loc="right")
