"""Figure of an ablation: the difference of each row from the full model, with its interval."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

COLOURS = {"paper": "#D55E00", "ours": "#0072B2"}
"""Vermilion and blue of Okabe and Ito (2008); the marker differs too."""
MARKERS = {"paper": "s", "ours": "o"}
LEGEND = {"paper": "the paper's rows, one time", "ours": "one part removed"}
PANELS = (
    ("r", "R", "worse  ←  Δ R  →  better"),
    ("ubrmse", "ubRMSE", "better  ←  Δ ubRMSE, m³ m⁻³  →  worse"),
    ("rmse", "RMSE", "better  ←  Δ RMSE, m³ m⁻³  →  worse"),
)
INK, FAINT = "#333333", "#8a8a8a"
ROW_INCHES, HEAD_INCHES = 0.32, 1.7


def save_picture(path: Path, records: Sequence[dict[str, Any]], title: str, notice: str) -> None:
    """Draw the differences of the rows from the first record, the full model, means over places, as PNG.

    Args:
        path: of the picture.
        records: from `ablation.json`.
        title: heading.
        notice: warning, such as that data are simulated; empty for none.
    """
    full, rows = records[0], list(records[1:])[::-1]
    height = HEAD_INCHES + ROW_INCHES * max(len(rows), 1)
    figure = Figure(figsize=(11, height), facecolor="white")
    panels = figure.subplots(1, len(PANELS), sharey=True, squeeze=False)[0]
    for axes, (score, words, label) in zip(panels, PANELS, strict=True):
        _panel(axes, score, rows)
        axes.set_title(f"{words}: {full[f'{score}_over_places']:.3f} of the full model", fontsize=10, color=INK)
        axes.set_xlabel(label, fontsize=9, color=INK)
    panels[0].set_yticks(range(len(rows)), [row["words"] for row in rows], fontsize=9, color=INK)
    panels[0].set_ylim(-0.6, len(rows) - 0.4)
    figure.suptitle(title, x=0.01, y=1 - 0.12 / height, ha="left", va="top", fontsize=13, fontweight="bold")
    figure.text(0.01, 1 - 0.42 / height, notice, va="top", fontsize=9, color=COLOURS["paper"])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="upper right", ncols=2, frameon=False, fontsize=9)
    figure.subplots_adjust(left=0.27, right=0.985, top=1 - 0.85 / height, bottom=0.6 / height, wspace=0.08)
    figure.savefig(path, format="png", dpi=140, metadata={"Software": None})


def _panel(axes: Axes, score: str, rows: Sequence[dict[str, Any]]) -> None:
    axes.axvline(0, color=INK, linewidth=1)
    shown: set[str] = set()
    for place, row in enumerate(rows):
        name = f"{score}_difference_over_places"
        if row[name] is None:
            continue
        group = row["group"]
        if row[f"{name}_low"] is not None:
            axes.plot([row[f"{name}_low"], row[f"{name}_high"]], [place, place], color=COLOURS[group], linewidth=1.6)
        label = None if group in shown else LEGEND[group]
        axes.plot(row[name], place, MARKERS[group], color=COLOURS[group], markersize=6, linestyle="none", label=label)
        shown.add(group)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_axisbelow(True)
    axes.tick_params(colors=FAINT, labelsize=8, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
