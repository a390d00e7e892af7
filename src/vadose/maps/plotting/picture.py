"""Picture of a map: soil moisture, its standard deviation, quality flags, and the truth where it is known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from vadose.errors import VadoseError
from vadose.io.files import atomic_write
from vadose.maps.plotting import style
from vadose.maps.plotting.extent import Array, PlotExtent
from vadose.maps.plotting.layout import FOOT, FigureLayout
from vadose.maps.plotting.panels import agreement, field, flag_combinations, flags, legend, span

UNITS = "m³ m⁻³"
_LINE = 0.17
"""Height of a line of the legend, inches."""
_OUTLIERS = 0.02
"""Fraction of values at either end that the colour range leaves out."""


def picture(
    zones: Sequence[xr.Dataset],
    path: Path,
    *,
    title: str,
    truth: Sequence[xr.DataArray] = (),
    notice: str = "",
) -> Path:
    """Draw a map as PNG: soil moisture, standard deviation, quality flags; with the truth also truth, difference,
    scatter.

    Args:
        zones: the map's layers, one dataset per UTM zone, from `read_map` or `Mosaic.zones`.
        path: the PNG file.
        title: heading; the time of the map, if known, is written below.
        truth: the true soil moisture (y, x), m3 m-3, with its CRS: for each zone one array on a grid that contains the
            zone's cells, in any order; or none at all.
        notice: warning across the top, such as that data are simulated; empty for none.

    Returns:
        `path`.

    Raises:
        VadoseError: there is no zone, or the truth does not cover the cells of every zone.
    """
    if not zones:
        raise VadoseError(
            f"maps: the picture {path.name}", "The map has no zone", "Give the layers of at least one zone"
        )
    ground = PlotExtent.of(zones)
    mean, std = (_values([zone[name] for zone in zones]) for name in ("soil_moisture", "soil_moisture_std"))
    true = _values(_on_cells(truth, zones)) if truth else []
    quality = [zone["quality"].values for zone in zones]
    found = flag_combinations(quality)
    lines = sum(lack.text.count("\n") + 1 for lack in found) + 1
    sheet = FigureLayout.blank(ground.height, [max(FOOT, _LINE * lines), *([FOOT] if true else [])])
    sheet.heading(title, _about(zones), notice)
    moisture = sheet.panel(0, 0, "Soil moisture")
    sheet.bar(0, 0, field(moisture, ground, mean, style.MOISTURE, span([*mean, *true], _OUTLIERS)), UNITS)
    ground.scale_bar(moisture)
    uncertain = field(sheet.panel(0, 1, "Standard deviation"), ground, std, style.SPREAD, span(std, _OUTLIERS))
    sheet.bar(0, 1, uncertain, UNITS)
    flags(sheet.panel(0, 2, "Quality flags"), ground, quality, found)
    legend(sheet.foot(0, 2), found)
    if true:
        _against_truth(sheet, ground, mean, true)
    with atomic_write(path) as temporary:
        sheet.figure.savefig(temporary, format="png", dpi=160, metadata={"Software": None})
    return path


def _against_truth(sheet: FigureLayout, ground: PlotExtent, mean: Sequence[Array], true: Sequence[Array]) -> None:
    limits = span([*mean, *true], _OUTLIERS)
    sheet.bar(1, 0, field(sheet.panel(1, 0, "Truth"), ground, true, style.MOISTURE, limits), UNITS)
    error = [p - t for p, t in zip(mean, true, strict=True)]
    most = max(abs(limit) for limit in span(error, _OUTLIERS))
    image = field(sheet.panel(1, 1, "Estimate − truth"), ground, error, style.DIFFERENCE, (-most, most))
    sheet.bar(1, 1, image, UNITS)
    p, t = (np.concatenate([layer.ravel() for layer in layers]) for layers in (mean, true))
    agreement(sheet.panel(1, 2, "Cell by cell"), p, t)


def _about(zones: Sequence[xr.Dataset]) -> str:
    cells = sum(int(np.isfinite(zone["soil_moisture"].values).sum()) for zone in zones)
    time = zones[0].coords.get("time")
    when = f"{str(np.datetime_as_string(time.values, 'm')).replace('T', ' ')} UTC, " if time is not None else ""
    return f"{when}{cells:,} cells with an estimate"


def _values(layers: Sequence[xr.DataArray]) -> list[Array]:
    return [layer.values.astype(np.float64) for layer in layers]


def _on_cells(truth: Sequence[xr.DataArray], zones: Sequence[xr.Dataset]) -> list[xr.DataArray]:
    by_crs = {_epsg(values): values for values in truth}
    return [_cells_of(by_crs.get(_epsg(zone)), zone) for zone in zones]


def _cells_of(truth: xr.DataArray | None, zone: xr.Dataset) -> xr.DataArray:
    asked, remedy = f"maps: the truth in EPSG:{_epsg(zone)}", "Give it on a grid that contains the map's cells"
    if truth is None:
        raise VadoseError(asked, "It is missing in that projection", remedy)
    try:
        return truth.sel(x=zone["x"], y=zone["y"], method="nearest", tolerance=1.0).transpose("y", "x")
    except (KeyError, ValueError) as error:
        raise VadoseError(asked, f"It does not cover the cells of the map ({error})", remedy) from error


def _epsg(array: xr.Dataset | xr.DataArray) -> int | None:
    code: int | None = array.rio.crs.to_epsg() if array.rio.crs else None
    return code
