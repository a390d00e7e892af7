"""GLDAS-2.1 Noah soil moisture of the top 10 cm, 0.25 degrees, every 3 hours."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

import h5py
import numpy as np
import rioxarray  # noqa: F401  # gives datasets their `.rio`
import xarray as xr

from vadose.grid import Area, Period
from vadose.refusal import Refusal
from vadose.sources.granules import Granule, Layer, by_blocks, check, find, nothing_for, reading, stacked
from vadose.sources.source import conform
from vadose.sources.window import GlobalGrid, Window
from vadose.variables import GLDAS, Variable

GRID = GlobalGrid(4326, -180.0, 90.0, 0.25, 600, 1440)
"""All land north of 60 S."""

_PATTERN = re.compile(r"GLDAS_NOAH025_3H\.A(?P<date>\d{8})\.(?P<clock>\d{4})\.(?P<version>\d{3})\.nc4")
_NAME, _UNITS = "SoilMoi0_10cm_inst", "kg m-2"
_FILL = np.float32(-9999.0)
_FULL_KG_M2 = np.float32(100.0)
"""Mass of a layer of water of 0.1 m: what 1 m3 m-3 would weigh."""

_MARGIN = 2
_BLOCK = 64


@dataclass(frozen=True)
class Gldas:
    """GLDAS-2.1 Noah soil moisture, a source.

    File names are looked up once. A granule is one compressed field of the whole Earth, so that a window costs as
    much as all of it. Small windows are therefore read in blocks of 64 x 64 pixels (16 x 16 degrees), and the latest
    8192 blocks (2.8 years of one place) are kept, by all instances of a process together: at most 134 MB.

    Attributes:
        archive: folder that holds the granules, or folders with them.
    """

    archive: Path

    @property
    def name(self) -> str:
        """The name of the source."""
        return "gldas"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Soil moisture alone."""
        return (GLDAS,)

    def open(self, area: Area, period: Period) -> tuple[xr.Dataset, ...]:
        """Soil moisture at the instants of a period, over an area and two pixels around it.

        No file is opened before the values are asked for.

        Raises:
            NothingFound: no granule lies in the period, or the area lies south of the product.
            Refusal: when the values are asked for and a granule is damaged, lacks the variable, or is of another
                grid or unit.
        """
        granules = tuple(granule for granule in self._granules if granule.time in period)
        if not granules:
            raise nothing_for(self.name, area, period, self._granules, self.archive)
        window = GRID.window(area, _MARGIN, self.name)
        values = stacked(partial(_layer, granules, window), len(granules), window.shape)
        dataset = xr.Dataset(
            {GLDAS.name: (("time", "y", "x"), values, GLDAS.attrs)},
            coords={"time": np.array([granule.time for granule in granules]), **GRID.centres(window)},
        ).rio.write_crs(GRID.epsg)
        releases = sorted({granule.version for granule in granules})
        return (conform(dataset, self.variables, self.name, f"GLDAS_NOAH025_3H {' '.join(releases)}"),)

    @cached_property
    def _granules(self) -> tuple[Granule, ...]:
        return find(self.archive, _PATTERN, self.name)


def _layer(granules: Sequence[Granule], window: Window, index: int) -> Layer:
    granule = granules[index]
    return by_blocks(GRID, window, _BLOCK, partial(_kept, granule), partial(_read, granule))


def _read(granule: Granule, window: Window) -> Layer:
    """Soil moisture of a window (y, x), m3 m-3, row 0 in the north."""
    with reading(granule.path, "gldas") as file:
        if _NAME not in file:
            raise Refusal(f"gldas: {granule.path}", f"It has no variable {_NAME}", "Download it with that variable")
        moisture = file[_NAME]
        check(moisture, (1, GRID.rows, GRID.columns), (_UNITS,), "gldas")
        _check_corner(file)
        south_first = slice(GRID.rows - window.bottom, GRID.rows - window.top)
        values = moisture[0, south_first, slice(window.left, window.right)][::-1]
    return np.where(values == _FILL, np.float32(np.nan), values / _FULL_KG_M2)


_kept = lru_cache(maxsize=8192)(_read)


def _check_corner(file: h5py.File) -> None:
    corner = [float(file[name][0]) for name in ("lat", "lon") if name in file]
    if corner != [-59.875, -179.875]:
        raise Refusal(
            f"gldas: {file.filename}",
            f"Its first latitude and longitude are {corner}, not those of 59.875 S 179.875 W",
            "Use the product's own global files, no subsets",
        )
