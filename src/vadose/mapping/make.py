"""Making of a map: an area at one time or many, from a run and an archive."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from vadose.catalogues.lock import NAME as LOCK
from vadose.catalogues.lock import Lock
from vadose.dataset.calibrations import require_physical
from vadose.dataset.coverage import shares_text
from vadose.errors import NoDataError, VadoseError
from vadose.experiment.config import SIMULATED, is_simulated
from vadose.experiment.product_identity import differences, products_of_run
from vadose.experiment.run import Run
from vadose.experiment.unread import LIST, left_out_of, needed, require_seen, unread_lines
from vadose.fusion import FeatureBuilder
from vadose.grid import AreaOfInterest, Period
from vadose.inference import mask_spec
from vadose.io.atomic import is_full
from vadose.io.files import sha256, write_json
from vadose.io.logs import PRINTED
from vadose.io.outputs import Request
from vadose.mapping import tile_files
from vadose.mapping.area_files import read_area
from vadose.mapping.executors import Executor
from vadose.mapping.inventory import ArchiveFile, inventory
from vadose.mapping.map_files import Coverage, write_products
from vadose.mapping.plan import NAME, Plan, made_from
from vadose.mapping.request import TILE_CELLS, MapRequest, TilesFailed
from vadose.mapping.tasks import WorkerContext, WorkerSpec
from vadose.mapping.tile_files import Task
from vadose.mapping.timestamps import Passes, timestamp_of, timestamps_of
from vadose.sources import Source, holdings, products_of
from vadose.sources.left_out import LeftOut

LOGGER = logging.getLogger(__name__)

MOST = 5_000_000
"""Largest number of tiles times times of one map."""
Progress = Callable[[int, int, str], None]
ALONE = Executor()
MAP = Request("map", "")


@dataclass(frozen=True, eq=False)
class Prepared:
    """A map that is ready to be made.

    Attributes:
        request: as given.
        plan: tiles, times and inputs.
        tools: networks and sources.
        held: inventory of the archive's inputs.
        notice: which part of the map is simulated.
        inputs: differences between the archive and the training samples, one line each.
        versions: versions of the items and files of a fetched archive, by name.
    """

    request: MapRequest
    plan: Plan
    tools: WorkerContext
    held: tuple[ArchiveFile, ...]
    notice: str
    inputs: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    def at(self, moment: np.datetime64) -> "Prepared":
        """Return the map of one of its times alone, as `prepare` would."""
        held = _held(self.tools, self.plan.area, (moment,), self.spec.as_of)
        made = dict(self.plan.made_from) | {"items": _items(held, self.versions)}
        plan = replace(self.plan, moments=(moment,), made_from=made)
        return replace(self, request=replace(self.request, date=(moment,), every=None), plan=plan, held=held)

    @property
    def spec(self) -> WorkerSpec:
        """Return the context of the workers."""
        as_of = timestamp_of(self.request.as_of) if self.request.as_of else None
        run, archive, out = (path.absolute() for path in (self.request.run, self.request.archive, self.request.out))
        return WorkerSpec(run, archive, out, as_of, self.plan.digest)

    @property
    def area(self) -> str:
        """Return the requested area: its text, or the box of its polygons."""
        area = self.request.area
        return ",".join(f"{edge:.15g}" for edge in area.bbox) if isinstance(area, AreaOfInterest) else area

    @property
    def declared(self) -> dict[str, Any]:
        """Return the provenance that every file of the map contains."""
        experiment = self.tools.experiment
        as_of = self.plan.made_from["as_of"]
        made: dict[str, Any] = {"experiment": experiment, "networks": len(self.tools.models), "area": self.area}
        lock = self.request.archive / LOCK  # versions of the files of a fetched archive
        made |= {"lock": {"file": str(lock.absolute()), "sha256": sha256(lock)}} if lock.is_file() else {}
        return made | ({"as_of": as_of} if as_of else {}) | ({"inputs": list(self.inputs)} if self.inputs else {})


def make_map(
    request: MapRequest,
    report: Progress,
    truth: Sequence[xr.DataArray] = (),
    executor: Executor = ALONE,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Path, ...]:
    """Make a map, or resume an interrupted one: only unfinished tiles are estimated.

    Args:
        request: what to map.
        report: called with (finished tasks, tasks, name).
        truth: for pictures, as `vadose.maps.plotting.picture` takes it.
        executor: executor of the tile tasks.
        tell: called with differences between the archive and the training samples, files that were not read, and the
            fraction of cells for which each source was observed.

    Returns:
        The soil moisture files, then the files of all times together, then the pictures.

    Raises:
        VadoseError: all files of a source in the archive are unreadable; the run is missing, or was trained on
            published numbers of unknown units; the area or time is invalid, or the archive has no data for them; the
            folder contains another map, or is locked by another process; the disk is full.
        TilesFailed: some tiles failed.
    """
    MAP.require_place(request.out, folder=True)
    prepared = prepare(request)
    for line in prepared.inputs:
        tell(line)
    begun = (request.out / NAME).exists()
    if not begun:
        _require_something(prepared)
    left_out = _left_out(prepared)
    for entry in left_out:
        LOGGER.info("left out: %s %s: %s", entry.source, entry.name, entry.reason)
    with MAP.folder(request.out, ["plan.json", "collection.json"]):
        prepared.plan.write_or_verify(request.out)
        _finish(prepared, report, executor)
        try:
            coverage = Coverage()
            unread = [[entry.source, entry.name, entry.kind] for entry in left_out]
            made = prepared.declared | ({"unread": unread} if unread else {})
            written = write_products(request, prepared.plan, made, prepared.notice, truth, coverage)
            _summarise(request.out, left_out, coverage, tell)
            return written
        except OSError as error:
            _require_room(error, request.out, len(prepared.plan.tasks), len(prepared.plan.tasks))
            raise


def prepare(request: MapRequest) -> Prepared:
    """Prepare a map: everything that is known before it is made; nothing is written.

    Raises:
        VadoseError: as `make_map`.
    """
    run = Run(request.run)
    experiment = run.experiment()
    tools = WorkerContext.of(run, request.archive)
    needs = tools.needs
    require_physical(run.input_calibrations(), needs.names)
    as_of = timestamp_of(request.as_of) if request.as_of else None
    area = request.area if isinstance(request.area, AreaOfInterest) else read_area(request.area)
    passes = Passes.of(tools.sources, area)
    moments = timestamps_of(request.date, request.every, passes)
    tiles = area.tiles(TILE_CELLS, needs.halo)
    if not tiles:
        raise VadoseError(
            f"map: the area '{area.name}'",
            "No cell of 320 m has its centre in it",
            "Give a larger area, or extend it to the centre of a cell",
        )
    if len(tiles) * len(moments) > MOST:
        raise VadoseError(
            f"map: the area '{area.name}' at {len(moments):,} times",
            f"That is {len(tiles) * len(moments):,} tile estimates; the limit of a map is {MOST:,}",
            "Map a part of the area, or fewer times, at once",
        )
    held = _held(tools, area, moments, as_of)
    versions = Lock(request.archive).versions()
    plan = Plan(area, moments, tiles, made_from(request, run, _items(held, versions), as_of))
    notice = notice_of(experiment.simulated, request.archive)
    names = {variable.name for source in tools.sources for variable in source.variables}
    trained = products_of_run(run.networks())
    inputs = differences(tools.models[0].needs, trained, names, products_of(tools.sources), "an archive")
    return Prepared(request, plan, tools, held, notice, inputs, versions)


def _items(held: Sequence[ArchiveFile], versions: Mapping[str, str]) -> list[str]:
    """Return the names of the inputs, with their versions and publication where known."""
    named = ((one.source, one.name, versions.get(one.name, ""), one.published) for one in held)
    return [" ".join(filter(None, words)) for words in named]


def _held(
    tools: WorkerContext,
    area: AreaOfInterest,
    moments: Sequence[np.datetime64],
    as_of: np.datetime64 | None,
) -> tuple[ArchiveFile, ...]:
    """Return the inputs of networks and flags, each file once."""
    asked = ((tools.sources, tools.needs), (tools.mask_sources, mask_spec()))
    found: dict[str, ArchiveFile] = {}
    for sources, needs in asked:
        for one in inventory(sources, area, moments, needs, tools.windows, as_of):
            found.setdefault(one.name, one)
    return tuple(found.values())


def notice_of(trained_on_simulated: bool, archive: Path) -> str:
    """Return which part of a map is simulated: all of it, the training of its networks, or nothing."""
    if is_simulated(archive):
        return SIMULATED
    return "Real products, by networks trained on a SIMULATED world." if trained_on_simulated else ""


def _left_out(prepared: Prepared) -> tuple[LeftOut, ...]:
    """Return the files of the archive that a map does not read.

    Raises:
        VadoseError: no file of a source that the networks need is readable.
    """
    tools, request = prepared.tools, prepared.request
    sources = needed(tools.sources, tools.models[0].needs.names)
    left_out = left_out_of((*sources, *tools.mask_sources))
    if not request.allow_unread:
        used = {one.source for one in prepared.held}
        seen = {source.name: source.name in used for source in sources}
        met = [entry for source in sources for entry in _meeting(source)]
        require_seen(request.archive, seen, met, "--allow-unread")
    return left_out


def _meeting(source: Source) -> tuple[LeftOut, ...]:
    """Return the unread files of a source within the area and period of a map, or all of them if none is readable."""
    held = holdings(source)
    return tuple(entry for entry in held.left_out if not held.times or entry not in held.unread) if held else ()


def _summarise(out: Path, left_out: Sequence[LeftOut], coverage: Coverage, tell: Callable[[str], None]) -> None:
    """Write the list of unread files and the coverage by source, and report them."""
    write_json(out / LIST, {"observed": coverage.shares, "left_out": [asdict(entry) for entry in left_out]})
    if coverage.shares:
        tell(shares_text(coverage.shares, "cells"))
    for line in unread_lines(left_out, out / LIST):
        tell(line)


def _require_something(prepared: Prepared) -> None:
    """Refuse a map without any observation, before anything is written."""
    plan, tools = prepared.plan, prepared.tools
    span = Period(plan.moments[0], plan.moments[-1] + np.timedelta64(1, "ns"))
    nothing: NoDataError | None = None
    for tile in plan.tiles:
        try:
            FeatureBuilder.open(tools.sources, tile, span, tools.needs, tools.windows, prepared.spec.as_of)
            return
        except NoDataError as reason:
            nothing = reason
        except VadoseError:
            return  # there are data; each tile reports whether they suffice
    if nothing:
        raise nothing


def _finish(prepared: Prepared, report: Progress, executor: Executor) -> None:
    """Run the unfinished tasks."""
    out, tasks = prepared.request.out, prepared.plan.tasks
    waiting = [task for task in tasks if tile_files.finished(out, task) is None]
    done, failed = len(tasks) - len(waiting), dict[str, str]()
    report(done, len(tasks), "mapped")
    LOGGER.info("%d of %d tiles are finished; the others are computed by %s", done, len(tasks), executor)
    for task, error in executor.each(prepared.spec, prepared.tools, waiting):
        if error is None:
            done += 1
        else:
            _require_room(error, out, done, len(tasks))
            failed[str(task)] = str(error) if isinstance(error, VadoseError) else f"{type(error).__name__}: {error}"
            LOGGER.info("tile %s failed: %s", task, failed[str(task)], extra=PRINTED)
        report(done, len(tasks), "mapped")
    if failed:
        raise TilesFailed(out, len(tasks), dict(sorted(failed.items())))


def _require_room(error: BaseException, out: Path, done: int, total: int) -> None:
    if isinstance(error, OSError) and is_full(error, out):
        raise VadoseError(
            f"map: writing into {out}",
            f"The disk is full ({error}); {done} of {total} tiles are finished and kept",
            "Free some disk space and run the same command again",
        ) from error


__all__ = ["ALONE", "MapRequest", "Prepared", "Task", "make_map", "notice_of", "prepare", "read_area", "timestamp_of"]
