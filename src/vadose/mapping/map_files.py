"""From finished tiles to the files of a map."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from vadose.inference import TileEstimate
from vadose.mapping import tile_files
from vadose.mapping.plan import Plan
from vadose.mapping.request import MapRequest
from vadose.maps import Mosaic, Scene, cubes, name_of, picture, write_catalogue, write_map


@dataclass(eq=False)
class Coverage:
    """How many cells of a map each source was observed for, over all its moments.

    Attributes:
        cells: with an estimate, or without one for want of sources.
        seen: those for which a source was observed, by name.
    """

    cells: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    def add(self, estimate: TileEstimate) -> None:
        """Count the cells of a tile at a moment."""
        self.cells += estimate.mean.size
        for source, age in estimate.ages.items():
            self.seen[source] = self.seen.get(source, 0) + int(np.isfinite(age).sum())

    @property
    def shares(self) -> dict[str, float]:
        """Part of the cells, by source."""
        return {source: count / self.cells for source, count in sorted(self.seen.items())} if self.cells else {}


@dataclass(frozen=True, eq=False)
class MapFrame:
    """The map of one moment.

    Attributes:
        moment: UTC.
        zones: layers, one dataset for each UTM zone.
        items: identifiers of what it was made from.
    """

    moment: np.datetime64
    zones: tuple[xr.Dataset, ...]
    items: tuple[str, ...]


def map_frames(folder: Path, plan: Plan, coverage: Coverage | None = None) -> Iterator[MapFrame]:
    """Yield the map at one moment after another, put together from its finished tiles; one moment is in memory at a
    time.

    Args:
        folder: of the map.
        plan: of the map.
        coverage: counts the cells of each tile.
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
    """Write the files of a map whose tiles are all finished, and a STAC catalogue of them.

    Args:
        request: formats and folder.
        plan: of the map.
        made_from: what goes into every file's declaration, besides the items.
        notice: a warning that goes with the map; empty for none.
        truth: as `picture` takes it.
        coverage: counts the cells of each tile.

    Returns:
        The files of soil moisture, then those of all moments together, then the pictures.
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
    return (picture(sheet.zones, path, title=title, truth=truth, notice=notice),)
