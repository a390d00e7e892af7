"""SoilGrids 2.0: texture and bulk density of the fine earth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import xarray as xr

from vadose.grid import Area, Period
from vadose.refusal import NothingFound
from vadose.sources.items import units_of
from vadose.sources.layers import dataset, lazy
from vadose.sources.raster import Raster, by_grid
from vadose.sources.records import Asset
from vadose.sources.source import conform
from vadose.variables import BULK_DENSITY, CLAY, SAND, SILT, SOURCES, Variable

FOLDER = "soilgrids"
NODATA = -32768.0
MAPS = {
    SAND.name: ("sand", 1e-3),
    SILT.name: ("silt", 1e-3),
    CLAY.name: ("clay", 1e-3),
    BULK_DENSITY.name: ("bdod", 10.0),
}
"""Name of each map, and what its numbers are multiplied with: g kg-1 to kg kg-1, cg cm-3 to kg m-3."""


@dataclass(frozen=True)
class SoilGrids:
    """The maps in the folder `soilgrids` of an archive, named as by ISRIC: `sand_0-5cm_mean.tif` and so on.

    Missing is -32768. In a copy that names no number for missing, 0 means it too.

    Attributes:
        archive: the folder that holds `soilgrids`.
        depth: the layer, in the words of the files' names.
    """

    archive: Path
    depth: str = "0-5cm"
    name: ClassVar[str] = "soilgrids"
    variables: ClassVar[tuple[Variable, ...]] = SOURCES["soilgrids"]

    def open(self, area: Area, period: Period) -> tuple[xr.Dataset, ...]:  # noqa: ARG002 (soils do not change)
        """The maps over an area, whatever the period: one dataset if they share a grid, else one for each grid.

        Dimensions are (y, x); sand, silt and clay are in kg kg-1, bulk_density is in kg m-3.

        Raises:
            NothingFound: no map is there, or none covers the area.
            Refusal: a file is there and cannot be read.
        """
        rasters = self._rasters()
        if not rasters:
            raise self._nothing(area, f"{self.archive / FOLDER} holds {self._held()}")
        item = f"soilgrids_{self.depth}"
        datasets = tuple(conform(part, self.variables, self.name, item) for part in _parts(rasters, area))
        if not datasets:
            raise self._nothing(area, f"The maps {', '.join(rasters)} have no pixel there")
        return datasets

    def _rasters(self) -> dict[str, Raster]:
        paths = {band: self._path(name) for band, (name, _) in MAPS.items()}
        return {band: _raster(band, path) for band, path in paths.items() if path.is_file()}

    def _path(self, name: str) -> Path:
        return self.archive / FOLDER / f"{name}_{self.depth}_mean.tif"

    def _held(self) -> str:
        return ", ".join(sorted(path.name for path in (self.archive / FOLDER).glob("*.tif"))) or "no map"

    def _nothing(self, area: Area, found: str) -> NothingFound:
        wanted = ", ".join(self._path(name).name for name, _ in MAPS.values())
        return NothingFound(
            f"{self.name}: maps of {self.depth} over '{area.name}'",
            found,
            f"Put {wanted} there, or choose an area that they cover",
        )


def _raster(band: str, path: Path) -> Raster:
    raster = Raster.open(Asset(band, str(path), scale=MAPS[band][1], nodata=NODATA))
    return raster if raster.tag is not None else replace(raster, missing=(NODATA, 0.0))


def _parts(rasters: dict[str, Raster], area: Area) -> Iterator[xr.Dataset]:
    for grid, maps in by_grid(rasters).items():
        window = grid.window(area)
        if window:
            layers = {band: lazy(raster.layer, (band,), window)[band] for band, raster in maps.items()}
            yield dataset(layers, units_of(SOURCES["soilgrids"]), grid, window)
