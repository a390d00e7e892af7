"""Layout of a picture: three panels per row, each with room for a colour bar or a legend below, in inches."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vadose.maps.plotting import style

_WIDTH = 3.6
_LEFT, _BETWEEN, _RIGHT = 0.75, 0.85, 0.3
_HEAD, _TITLE, _TICKS = 0.8, 0.35, 0.35
_BAR = 0.13
FOOT = 0.75
"""Height of a colour bar below its panel."""


@dataclass(frozen=True, eq=False)
class FigureLayout:
    """A page with rows of panels.

    Attributes:
        panel_height: height of every panel.
        feet: height below the panels of each row.
        figure: the page.
    """

    panel_height: float
    feet: tuple[float, ...]
    figure: Figure

    @classmethod
    def blank(cls, height: float, feet: Sequence[float]) -> "FigureLayout":
        """Return a page of panels of `height` in units of their width, with these heights below each row."""
        panel = _WIDTH * min(max(height, 0.4), 1.7)
        page = _HEAD + sum(_TITLE + panel + _TICKS + foot for foot in feet)
        size = (_LEFT + 3 * _WIDTH + 2 * _BETWEEN + _RIGHT, page)
        return cls(panel, tuple(feet), Figure(figsize=size, facecolor="white"))

    def heading(self, title: str, below: str, notice: str) -> None:
        """Write the title, a line below it, and a framed notice in the corner."""
        width, height = self.figure.get_size_inches()
        left = _LEFT / width
        self.figure.text(left, 1 - 0.2 / height, title, va="top", fontsize=14, fontweight="bold")
        self.figure.text(left, 1 - 0.5 / height, below, va="top", fontsize=10, color="0.3")
        if notice:
            box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": style.NOTICE}
            right = 1 - (_RIGHT + 0.1) / width
            self.figure.text(
                right, 1 - 0.25 / height, notice, ha="right", va="top", fontsize=10, color=style.NOTICE, bbox=box
            )

    def panel(self, row: int, column: int, title: str) -> Axes:
        """Return the axes of a panel."""
        axes = self._axes(row, column, _TITLE, self.panel_height)
        axes.set_title(title, fontsize=11)
        axes.set_anchor("N")
        return axes

    def foot(self, row: int, column: int) -> Axes:
        """Return the axes below a panel."""
        return self._axes(row, column, _TITLE + self.panel_height + _TICKS, self.feet[row])

    def bar(self, row: int, column: int, mesh: QuadMesh, units: str) -> None:
        """Draw a colour bar below a panel."""
        axes = self._axes(row, column, _TITLE + self.panel_height + _TICKS + 0.05, _BAR)
        bar = self.figure.colorbar(mesh, cax=axes, orientation="horizontal", extend="both", ticks=MaxNLocator(5))
        bar.set_label(units, fontsize=9)
        axes.tick_params(labelsize=8)

    def _axes(self, row: int, column: int, down: float, height: float) -> Axes:
        above = _HEAD + sum(_TITLE + self.panel_height + _TICKS + foot for foot in self.feet[:row]) + down
        left = _LEFT + column * (_WIDTH + _BETWEEN)
        width, page = self.figure.get_size_inches()
        return self.figure.add_axes((left / width, 1 - (above + height) / page, _WIDTH / width, height / page))
