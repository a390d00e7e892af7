"""SoilGrids 2.0: texture and bulk density of the fine earth."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import shapely
import xarray as xr

from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period
from vadose.registry import SourceSpec
from vadose.sources.layers import Layers, read_each
from vadose.sources.left_out import LeftOut, Unfit
from vadose.sources.plausibility import sampled
from vadose.sources.raster import Floats, Raster, by_grid, extent_in
from vadose.sources.records import Asset
from vadose.sources.scan import ArchiveScan
from vadose.sources.soil_units import ENOUGH, density_factor, texture_factor
from vadose.sources.source import SourceFile, size_of
from vadose.sources.windows import join_windows
from vadose.variables import BULK_DENSITY, CLAY, ORGANIC_CARBON, SAND, SILT, Variable

FOLDER = "soilgrids"
NODATA = -32768.0
MAPS = {SAND.name: "sand", SILT.name: "silt", CLAY.name: "clay", BULK_DENSITY.name: "bdod"}
"""Name of each map."""
TEXTURE = (SAND.name, SILT.name, CLAY.name)
USUAL = dict.fromkeys(TEXTURE, 1e-3) | {BULK_DENSITY.name: 10.0}
"""Factors of SoilGrids' own numbers: g kg-1 to kg kg-1, cg cm-3 to kg m-3."""


@dataclass(frozen=True)
class SoilGrids:
    """Maps in the folder `soilgrids` of an archive, with ISRIC's names: `sand_0-5cm_mean.tif` and so on.

    Its subfolders may contain windows of the maps under the same names; those over an area are read, joined if they are
    on one grid.

    -32768 is missing, and 0 in a copy that states no nodata value. Copies in other units (per cent, fractions, g cm-3,
    files with scale tags) are recognised by their numbers, see `soil_units`.

    Attributes:
        archive: folder with a subfolder `soilgrids`.
        depth: layer, as in the names of the files.
    """

    archive: Path | ArchiveScan
    depth: str = "0-5cm"
    name: ClassVar[str] = "soilgrids"
    variables: ClassVar[tuple[Variable, ...]] = (SAND, SILT, CLAY, BULK_DENSITY)

    def open(self, area: AreaOfInterest, period: Period) -> tuple[xr.Dataset, ...]:  # noqa: ARG002 (soils do not change)
        """Return the maps over an area, whatever the period: one dataset if they share a grid, else one for each grid.

        Dimensions are (y, x); sand, silt and clay are in kg kg-1, bulk_density is in kg m-3.

        Raises:
            NoDataError: no map exists, or none covers the area.
            VadoseError: an existing file is unreadable.
        """
        item = f"soilgrids_{self.depth}"
        parts = (part for maps in self._maps(area) for part in _parts(self._scaled(maps, area), area))
        joined = join_windows(replace(part, source=self.name, item=item) for part in parts)
        datasets = tuple(part.dataset() for part in joined)
        if not datasets and not self.paths:
            others = ", ".join(sorted(path.name for path in self.folder.glob("*.tif")))
            raise self._nothing(area, f"{self.folder} holds {others or 'no map'}")
        if not datasets:
            unfit = "".join(f"; left out: {entry.reason}" for entry in self.left_out)
            raise self._nothing(area, f"The maps {', '.join(self.paths)} have no pixel there{unfit}")
        return datasets

    def files(self, area: AreaOfInterest, period: Period) -> tuple[SourceFile, ...]:  # noqa: ARG002 (soils do not change)
        """Return the valid maps, those in windows with the sizes of the windows over an area."""
        sizes = Counter[str]()
        for maps in self._maps(area):
            try:
                valid = self._scaled(maps, area)
            except VadoseError:  # reported by `open`
                valid = maps
            for raster in valid.values():
                sizes[raster.path.name] += size_of(raster.path)
        return tuple(SourceFile(name, size) for name, size in sizes.items())

    @property
    def index(self) -> "SoilGrids":
        """Return itself: the maps are few, and found without a scan."""
        return self

    @property
    def times(self) -> list[np.datetime64]:
        """Return NaT for each variable with maps."""
        return [np.datetime64("NaT", "ns")] * len(self.paths)

    @property
    def unread(self) -> tuple[LeftOut, ...]:
        """Return nothing: maps are tested when they are read."""
        return ()

    def first_unfit(self) -> tuple[LeftOut, ...]:
        """Return nothing, as `unread`."""
        return ()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Return the requested maps of unknown units, and unreadable windows."""
        return tuple(sorted(self._unfit))

    @property
    def folder(self) -> Path:
        """Return the folder of the maps."""
        return (self.archive.folder if isinstance(self.archive, ArchiveScan) else self.archive) / FOLDER

    @cached_property
    def _unfit(self) -> set[LeftOut]:
        return set()

    @property
    def paths(self) -> dict[str, tuple[Path, ...]]:
        """Return the files, by variable: the map in the folder of the maps, then its windows in subfolders."""
        folders = (self._maps_in(self.folder), *self._below)
        held = {band: tuple(maps[band] for maps in folders if band in maps) for band in MAPS}
        return {band: paths for band, paths in held.items() if paths}

    @cached_property
    def _below(self) -> tuple[dict[str, Path], ...]:
        """Return the files in each subfolder, by variable."""
        below = sorted(path for path in self.folder.iterdir() if path.is_dir()) if self.folder.is_dir() else ()
        return tuple(self._maps_in(folder) for folder in below)

    def _maps_in(self, folder: Path) -> dict[str, Path]:
        paths = {band: folder / self._path(name).name for band, name in MAPS.items()}
        return {band: path for band, path in paths.items() if path.is_file()}

    def _maps(self, area: AreaOfInterest) -> Iterator[dict[str, Raster]]:
        """Yield the maps by variable, then those of each subfolder with a window over an area."""
        whole = {band: _raster(band, path) for band, path in self._maps_in(self.folder).items()}
        yield from (whole, *self._windows.over(area))

    @cached_property
    def _windows(self) -> "_Windows":
        """Return the maps of the subfolders; their headers are read once."""
        held: list[dict[str, Raster]] = []
        for paths in self._below:
            maps: dict[str, Raster] = {}
            for band, path in paths.items():
                try:
                    maps[band] = _raster(band, path)
                except VadoseError as reason:
                    self._unfit.add(LeftOut.of(self.name, path.name, self._place(path), reason))
            held.append(maps)
        return _Windows(tuple(held))

    def _place(self, path: Path) -> str:
        return f"{FOLDER}/{path.relative_to(self.folder).as_posix()}"

    def _scaled(self, rasters: Mapping[str, Raster], area: AreaOfInterest) -> dict[str, Raster]:
        """Return the valid maps, in kg kg-1 and kg m-3."""
        scaled: dict[str, Raster] = {}
        for bands in (tuple(band for band in TEXTURE if band in rasters), (BULK_DENSITY.name,)):
            group = {band: rasters[band] for band in bands if band in rasters}
            try:
                factor = _factor(group, area) if group else None
            except Unfit as reason:
                paths = (raster.path for raster in group.values())
                self._unfit.update(LeftOut.of(self.name, path.name, self._place(path), reason) for path in paths)
                continue
            for band, raster in group.items():
                by = USUAL[band] if factor is None else factor
                scaled[band] = replace(raster, scale=raster.scale * by, offset=raster.offset * by)
        return scaled

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}_{self.depth}_mean.tif"

    def _nothing(self, area: AreaOfInterest, found: str) -> NoDataError:
        wanted = ", ".join(self._path(name).name for name in MAPS.values())
        return NoDataError(
            f"{self.name}: maps of {self.depth} over '{area.name}'",
            found,
            f"Put {wanted} there, or choose an area that they cover",
        )


@dataclass(frozen=True, eq=False)
class _Windows:
    """Spatial index of the windows of maps.

    Attributes:
        maps: maps of each subfolder, by variable.
    """

    maps: tuple[dict[str, Raster], ...]

    @cached_property
    def _trees(self) -> dict[str, tuple[shapely.STRtree, list[int]]]:
        """Return the rectangles of the windows in each projection, each with the number of its subfolder."""
        boxes: dict[str, list[tuple[shapely.Geometry, int]]] = {}
        for number, maps in enumerate(self.maps):
            for grid in {raster.grid for raster in maps.values()}:
                boxes.setdefault(grid.crs, []).append((shapely.box(*grid.bounds), number))
        return {crs: (shapely.STRtree([box for box, _ in held]), [n for _, n in held]) for crs, held in boxes.items()}

    def over(self, area: AreaOfInterest) -> tuple[dict[str, Raster], ...]:
        """Return the maps of the subfolders with a window that touches an area."""
        found: set[int] = set()
        for crs, (tree, numbers) in self._trees.items():
            extent = extent_in(area, crs)
            if extent is not None:
                found.update(numbers[index] for index in tree.query(shapely.box(*extent), predicate="intersects"))
        return tuple(self.maps[number] for number in sorted(found))


def _raster(band: str, path: Path) -> Raster:
    raster = Raster.open(Asset(band, str(path), nodata=NODATA))
    return raster if raster.tag is not None else replace(raster, missing=(NODATA, 0.0))


def _factor(group: Mapping[str, Raster], area: AreaOfInterest) -> float | None:
    """Return the unit factor of the maps of one kind; None with too few pixels to determine it.

    Raises:
        Unfit: the units are unknown.
    """
    paths = ", ".join(str(raster.path) for raster in group.values())
    stamps = tuple(raster.path.stat().st_mtime_ns for raster in group.values())
    for over in (None, area):
        factor = _judged(tuple(group.items()), stamps, over, f"soilgrids: {paths}")
        if isinstance(factor, Unfit):
            raise Unfit(*factor.args)
        if factor is not None:
            return factor
    return None


@lru_cache(maxsize=1024)
def _judged(
    group: tuple[tuple[str, Raster], ...], _stamps: tuple[int, ...], area: AreaOfInterest | None, asked: str
) -> float | Unfit | None:
    maps = {band: _numbers(raster, area) for band, raster in group}
    try:
        if BULK_DENSITY.name in maps:
            return density_factor(maps[BULK_DENSITY.name], asked)
        if len({raster.grid for _, raster in group}) > 1:
            maps = {band: np.full(ENOUGH, np.nanmedian(values), np.float32) for band, values in maps.items()}
        return texture_factor(maps, {band: raster.units for band, raster in group}, asked)
    except Unfit as reason:
        return reason


def _numbers(raster: Raster, area: AreaOfInterest | None) -> Floats:
    """Return the numbers of a map: a sample of all of it, or those over an area."""
    if area is None:
        return sampled(raster)[0]
    window = raster.grid.window(area)
    return raster.read(window).ravel() if window else np.empty(0, np.float32)


def _parts(rasters: dict[str, Raster], area: AreaOfInterest) -> Iterator[Layers]:
    for grid, maps in by_grid(rasters).items():
        window = grid.window(area)
        if window:
            held = tuple(variable for variable in SoilGrids.variables if variable.name in maps)
            readers = {band: raster.read for band, raster in maps.items()}
            yield Layers(grid, window, held, partial(read_each, readers))


SPEC = SourceSpec(
    name=SoilGrids.name,
    title="SoilGrids",
    label="soil",
    variables=SoilGrids.variables,
    open=SoilGrids,
    missing=3,
    table_variables=(ORGANIC_CARBON,),
    products={soil.name: ("SoilGrids 2.0", "HWSD") for soil in (*SoilGrids.variables, ORGANIC_CARBON)},
    any_product=True,
)
