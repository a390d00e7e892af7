"""Panels of a map picture."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, ListedColormap, LogNorm
from matplotlib.patches import Patch
from numpy.typing import NDArray

from vadose.maps.layers import NODATA
from vadose.maps.plotting import style
from vadose.maps.plotting.extent import Array, PlotExtent

_LINE = 48
"""Characters per line in the legend of flags."""


def field(
    axes: Axes, ground: PlotExtent, values: Sequence[Array], cmap: str | Colormap, limits: tuple[float, float]
) -> QuadMesh:
    """Draw a layer of every zone in colours between two limits; cells without a value remain empty."""
    low, high = limits
    meshes = [
        axes.pcolormesh(lon, lat, ground.subsample(layer), cmap=cmap, vmin=low, vmax=high, rasterized=True)
        for (lon, lat), layer in zip(ground.corners, values, strict=True)
    ]
    ground.frame(axes)
    return meshes[0]


@dataclass(frozen=True)
class FlagCombination:
    """A combination of flags in a map, with its colour and its fraction of the map's cells."""

    quality: int
    colour: str
    share: float

    @property
    def text(self) -> str:
        """Return the text of the legend."""
        share = "under 1%" if self.share < 0.005 else f"{self.share:.0%}"
        return textwrap.fill(f"{style.words(self.quality)} ({share})", _LINE)


def flag_combinations(quality: Sequence[NDArray[np.uint32]]) -> list[FlagCombination]:
    """Return the most frequent combinations of flags of a map's zones, starting with no flag."""
    every = np.concatenate([layer.ravel() for layer in quality])
    found, counts = np.unique(every[every != NODATA], return_counts=True)
    order = sorted(zip(found.tolist(), counts.tolist(), strict=True), key=lambda pair: (pair[0] != 0, -pair[1]))
    colours = [style.COMPLETE, *style.LACKING] if 0 in found else style.LACKING
    return [
        FlagCombination(flag, colour, count / counts.sum())
        for (flag, count), colour in zip(order, colours, strict=False)
    ]


def flags(
    axes: Axes, ground: PlotExtent, quality: Sequence[NDArray[np.uint32]], found: Sequence[FlagCombination]
) -> None:
    """Draw the quality flags in the colours of `flag_combinations`."""
    cmap = ListedColormap([*(lack.colour for lack in found), style.OTHERS])
    field(axes, ground, [_index(layer, found) for layer in quality], cmap, (-0.5, len(found) + 0.5))


def legend(axes: Axes, found: Sequence[FlagCombination]) -> None:
    """Draw the legend of `flags` on separate axes."""
    keys = [(lack.colour, lack.text) for lack in found]
    if sum(lack.share for lack in found) < 1 - 1e-9:
        keys.append((style.OTHERS, "other combinations"))
    patches = [Patch(facecolor=colour, edgecolor="0.5", linewidth=0.5, label=text) for colour, text in keys]
    axes.legend(handles=patches, loc="upper left", borderaxespad=0, frameon=False, fontsize=8)
    axes.set_axis_off()


def agreement(axes: Axes, estimate: Array, truth: Array) -> None:
    """Draw estimates against the truth, cell by cell, with their number, bias, RMSE and R."""
    both = np.isfinite(estimate) & np.isfinite(truth)
    p, t = estimate[both], truth[both]
    axes.set(xlabel="truth, m³ m⁻³", ylabel="estimate, m³ m⁻³")
    axes.tick_params(labelsize=8)
    if not len(p):
        return
    limits = span([p, t], 0.0)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    fine = int(np.clip(np.sqrt(len(p)), 12, 45))
    axes.hexbin(t, p, gridsize=fine, extent=limits * 2, mincnt=1, cmap=style.DENSITY, norm=LogNorm(0.5), linewidths=0.1)
    axes.plot(limits, limits, color="0.3", linewidth=0.8, zorder=5)
    lines = [f"{len(p):,} cells", f"bias {np.mean(p - t):+.3f}", f"RMSE {np.sqrt(np.mean((p - t) ** 2)):.3f}"]
    if np.ptp(p) > 0 and np.ptp(t) > 0:
        lines.append(f"R {np.corrcoef(p, t)[0, 1]:.2f}")
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    axes.text(0.04, 0.96, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=9, bbox=box)


def span(layers: Sequence[Array], outside: float) -> tuple[float, float]:
    """Return the range of all values except the fraction `outside` at either end, widened to multiples of 0.01."""
    every = np.concatenate([layer.ravel() for layer in layers])
    every = every[np.isfinite(every)]
    low, high = np.quantile(every, [outside, 1 - outside]) if every.size else (0.0, 0.0)
    low = float(np.floor(low * 100) / 100)
    return low, max(float(np.ceil(high * 100) / 100), low + 0.01)


def _index(quality: NDArray[np.uint32], found: Sequence[FlagCombination]) -> Array:
    index = np.where(quality == NODATA, np.nan, len(found))
    for number, lack in enumerate(found):
        index[quality == lack.quality] = number
    return index
