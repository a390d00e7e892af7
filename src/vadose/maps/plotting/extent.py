"""Extent of a picture: corners of its cells, and axes in degrees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import odc.geo.xr  # noqa: F401  (gives datasets their `.odc`)
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from pyproj import Transformer

from vadose.maps.plotting import style

Array = NDArray[np.float64]
MOST_CELLS = 1500
"""Largest number of cells a side in a panel; of a larger map, every n-th cell is drawn."""
_KM_PER_DEGREE = 111.195


@dataclass(frozen=True, eq=False)
class PlotExtent:
    """Corners of the drawn cells of each zone of a map.

    Attributes:
        corners: for each zone longitude and latitude, each (rows + 1, columns + 1), in degrees; longitudes continue
            beyond 180 where the map crosses the antimeridian.
        step: interval of the drawn cells.
    """

    corners: tuple[tuple[Array, Array], ...]
    step: int

    @classmethod
    def of(cls, zones: Sequence[xr.Dataset]) -> "PlotExtent":
        """Return the extent of the zones of a map."""
        step = max(1, *(-(-max(zone.sizes["y"], zone.sizes["x"]) // MOST_CELLS) for zone in zones))
        corners = [_corners(zone, step) for zone in zones]
        middle = corners[0][0].flat[0]
        return cls(tuple(((lon - middle + 180) % 360 - 180 + middle, lat) for lon, lat in corners), step)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Return west, south, east, north, degrees."""
        lon, lat = (np.concatenate([pair[axis].ravel() for pair in self.corners]) for axis in (0, 1))
        return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())

    @property
    def stretch(self) -> float:
        """Return the length of a degree of latitude in degrees of longitude, at the centre."""
        _, south, _, north = self.bounds
        return float(1 / max(np.cos(np.deg2rad((south + north) / 2)), 0.05))

    @property
    def height(self) -> float:
        """Return the ratio of height to width on the ground."""
        west, south, east, north = self.bounds
        return self.stretch * (north - south) / (east - west)

    def subsample(self, values: Array) -> Array:
        """Return the drawn cells of a zone."""
        return values[:: self.step, :: self.step]

    def frame(self, axes: Axes) -> None:
        """Fit axes to the extent, labelled in degrees."""
        west, south, east, north = self.bounds
        axes.set(xlim=(west, east), ylim=(south, north), facecolor=style.BLANK)
        axes.set_aspect(self.stretch)
        for axis, positive, negative in ((axes.xaxis, "E", "W"), (axes.yaxis, "N", "S")):
            axis.set_major_locator(MaxNLocator(3))
            axis.set_major_formatter(_degrees(positive, negative))
        axes.tick_params(labelsize=8)

    def scale_bar(self, axes: Axes) -> None:
        """Draw a scale bar of a round length, at most a quarter of the panel."""
        west, south, east, north = self.bounds
        quarter_km = _KM_PER_DEGREE * (east - west) / self.stretch / 4
        power = 10.0 ** np.floor(np.log10(quarter_km))
        length_km = power * max(factor for factor in (1, 2, 5) if factor * power <= quarter_km)
        degrees = length_km * self.stretch / _KM_PER_DEGREE
        left, bottom = west + 0.05 * (east - west), south + 0.05 * (north - south)
        halo = [withStroke(linewidth=2.5, foreground="white")]
        axes.plot([left, left + degrees], [bottom, bottom], color="black", linewidth=2, path_effects=halo)
        text = f"{length_km:g} km" if length_km >= 1 else f"{1000 * length_km:g} m"
        above = bottom + 0.015 * (north - south)
        axes.text(left + degrees / 2, above, text, ha="center", va="bottom", fontsize=8, path_effects=halo)


def _corners(zone: xr.Dataset, step: int) -> tuple[Array, Array]:
    grid = zone.odc.geobox
    rows, columns = np.meshgrid(*(_edges(size, step) for size in grid.shape), indexing="ij")
    a, b, c, d, e, f = grid.transform[:6]
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    lon, lat = Transformer.from_crs(str(grid.crs), "EPSG:4326", always_xy=True).transform(x, y)
    return np.asarray(lon), np.asarray(lat)


def _edges(size: int, step: int) -> Array:
    return np.minimum(np.arange(0, size + step, step, dtype=np.float64), size)


def _degrees(positive: str, negative: str) -> FuncFormatter:
    def label(value: float, _: int | None) -> str:
        value = (value + 180) % 360 - 180
        return f"{abs(round(value, 6)):g}°{positive if value >= 0 else negative}"

    return FuncFormatter(label)
