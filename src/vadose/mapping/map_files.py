"""Assembly of a map's files from finished tiles."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from vadose import maps
from vadose.inference import TileEstimate
from vadose.mapping import tile_files
from vadose.mapping.plan import Plan
from vadose.mapping.request import MapRequest
from vadose.maps import Mosaic, Scene, cubes, name_of, write_catalogue, write_map


@dataclass(eq=False)
class Coverage:
    """Number of map cells with each source observed, over all times.

    Attributes:
        cells: cells with an estimate, or without one for lack of sources.
        seen: cells by observed source.
    """

    cells: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    def add(self, estimate: TileEstimate) -> None:
        """Count the cells of a tile at one time."""
        self.cells += estimate.mean.size
        for source, age in estimate.ages.items():
            self.seen[source] = self.seen.get(source, 0) + int(np.isfinite(age).sum())

    @property
    def shares(self) -> dict[str, float]:
        """Return the fraction of cells by source."""
        return {source: count / self.cells for source, count in sorted(self.seen.items())} if self.cells else {}


@dataclass(frozen=True, eq=False)
class MapFrame:
    """The map at one time.

    Attributes:
        moment: UTC.
        zones: layers, one dataset per UTM zone.
        items: identifiers of its inputs.
    """

    moment: np.datetime64
    zones: tuple[xr.Dataset, ...]
    items: tuple[str, ...]


def map_frames(folder: Path, plan: Plan, coverage: Coverage | None = None) -> Iterator[MapFrame]:
    """Yield the map time by time, assembled from its finished tiles; one time is in memory at once.

    Args:
        folder: folder of the map.
        plan: plan of the map.
        coverage: to which the cells of each tile are added.
    """
    tasks = plan.tasks
    for number, moment in enumerate(plan.moments):
        mosaic, items = Mosaic(plan.area, plan.tiles), set[str]()
        for task in tasks:
            if task.first <= number < task.first + len(task.moments):
                estimate, used = tile_files.read(folder, task, number - task.first)
                mosaic.put(estimate.tile, estimate.mean, estimate.std, estimate.quality, estimate.ages)
                items.update(used)
                if coverage is not None:
                    coverage.add(estimate)
        yield MapFrame(moment, mosaic.zones(), tuple(sorted(items)))


def write_products(
    request: MapRequest,
    plan: Plan,
    made_from: Mapping[str, Any],
    notice: str,
    truth: Sequence[xr.DataArray] = (),
    coverage: Coverage | None = None,
) -> tuple[Path, ...]:
    """Write the files of a map whose tiles are all finished, with a STAC catalogue.

    Args:
        request: formats and folder.
        plan: plan of the map.
        made_from: provenance for the metadata of every file, besides the items.
        notice: warning for all files; empty for none.
        truth: as `picture` takes it.
        coverage: to which the cells of each tile are added.

    Returns:
        The soil moisture files, then the files of all times together, then the pictures.
    """
    shown: list[Path] = []
    scenes: list[Scene] = []
    with ExitStack() as stack:
        asked = (form for form in request.formats if form != "cog")
        wholes = [stack.enter_context(cubes(request.out, plan.moments, form, made_from, notice)) for form in asked]
        for sheet in map_frames(request.out, plan, coverage):
            for whole in wholes:
                whole.put(sheet.moment, sheet.zones)
            images = _write_pictures(request, plan, sheet, notice, truth)
            shown += images
            if "cog" in request.formats:
                scenes += _scenes(request, sheet, made_from, notice, images)
    together = [path for whole in wholes for path in whole.paths]
    write_catalogue(request.out, plan.area, plan.moments, scenes, together, made_from=made_from, notice=notice)
    return (*(scene.path for scene in scenes), *together, *shown)


def _scenes(
    request: MapRequest, sheet: MapFrame, made_from: Mapping[str, Any], notice: str, images: Sequence[Path]
) -> list[Scene]:
    declared = dict(made_from) | {"items": list(sheet.items)}
    paths = write_map(request.out, sheet.zones, time=sheet.moment, made_from=declared, notice=notice)
    pairs = zip(paths, sheet.zones, strict=True)
    return [Scene(path, sheet.moment, zone, next(iter(images), None)) for path, zone in pairs]


def _write_pictures(
    request: MapRequest, plan: Plan, sheet: MapFrame, notice: str, truth: Sequence[xr.DataArray]
) -> tuple[Path, ...]:
    if not request.pictures:
        return ()
    path = request.out / f"{name_of(sheet.zones[0], sheet.moment)}.png"
    title = f"{plan.area.name}, {np.datetime_as_string(sheet.moment, 'm')} UTC"
    return (maps.picture(sheet.zones, path, title=title, truth=truth, notice=notice),)
