"""What a worker does: one tile at some moments, from the archive to a finished file."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import dask
import numpy as np
import rasterio
import torch

from vadose.errors import NothingFound, Refusal
from vadose.experiment.run import Run
from vadose.fusion import Assembler, Needs, Windows
from vadose.grid import Period, Tile
from vadose.inference import CONDITIONS, Calibration, blank, estimate_tile, of_conditions
from vadose.io.memory import keep_freed, peak_mb
from vadose.mapping import tile_files
from vadose.mapping.tile_files import Finished, Receipt, Task
from vadose.models import Model
from vadose.sources import Source, open_conditions, open_sources

RASTER_CACHE_MB = 64
"""Blocks of raster files that are kept in memory, however large the map."""


@dataclass(frozen=True)
class Bench:
    """What every tile of a map is made with: by value, so that it can be sent to a worker.

    Attributes:
        run: folder of the trained networks.
        archive: folder of the products.
        out: folder of the map.
        as_of: nothing that was published later is read; None for hindsight.
        plan: checksum of the plan, so that networks that changed are not taken for those of another map.
    """

    run: Path
    archive: Path
    out: Path
    as_of: np.datetime64 | None
    plan: str


@dataclass(frozen=True, eq=False)
class Tools:
    """What a worker opens once and uses for every tile.

    Attributes:
        experiment: name of what the networks learned in.
        models: the networks.
        sources: of the archive.
        conditions: of the ground, by the archive.
        windows: how old an observation may be.
        calibration: of the spread.
    """

    experiment: str
    models: tuple[Model, ...]
    sources: tuple[Source, ...]
    conditions: tuple[Source, ...]
    windows: Windows
    calibration: Calibration

    @property
    def needs(self) -> Needs:
        """What the networks read, by the names of what the archive's sources have."""
        held = {variable.name for source in self.sources for variable in source.variables}
        return self.models[0].needs.met_by(held)

    @classmethod
    def of(cls, run: Run, archive: Path) -> "Tools":
        """Networks of a run and sources of an archive.

        Raises:
            Refusal: either cannot be read.
        """
        experiment = run.experiment()
        members = tuple(run.members())
        sources, conditions = open_sources(archive), open_conditions(archive)
        return cls(experiment.name, members, sources, conditions, experiment.windows, run.calibration())

    def on(self, device: str) -> "Tools":
        """The same, its networks moved to a device.

        Raises:
            Refusal: this machine has no such device.
        """
        if device != "cpu" and not torch.cuda.is_available():
            raise Refusal(
                f"map: the device '{device}'", "This machine has no GPU that PyTorch can use", "Map on the cpu"
            )
        for model in self.models:
            if isinstance(model, torch.nn.Module):
                model.to(device)
        return self


def estimate_moments(
    tools: Tools, tile: Tile, moments: Sequence[np.datetime64], as_of: np.datetime64 | None = None
) -> Finished:
    """Estimate one tile at some moments; each item is read once, and nothing is written.

    Raises:
        Refusal: a file cannot be read.
    """
    torch.set_num_threads(1)  # sums in one order, and workers that do not wait for each other
    with rasterio.Env(GDAL_CACHEMAX=RASTER_CACHE_MB):
        return _estimated(tools, tile, moments, as_of)


def _estimated(tools: Tools, tile: Tile, moments: Sequence[np.datetime64], as_of: np.datetime64 | None) -> Finished:
    needs = tools.needs
    span = Period(moments[0], moments[-1] + np.timedelta64(1, "ns"))
    try:
        opened = Assembler.open(tools.sources, tile, span, needs, tools.windows, as_of)
    except NothingFound:
        return Finished((blank(tile, needs),) * len(moments), ((),) * len(moments))
    conditions = _conditions(tools, tile, span, as_of)
    estimates, items = [], []
    for moment in moments:
        inputs = opened.at(moment)
        estimate, used = estimate_tile(tools.models, inputs, tools.calibration, tools.windows), inputs.items
        if conditions:
            ground = conditions.at(moment)
            estimate, used = estimate.flagged(of_conditions(ground)), tuple(sorted({*used, *ground.items}))
        estimates.append(estimate)
        items.append(used)
    return Finished(tuple(estimates), tuple(items))


def _conditions(tools: Tools, tile: Tile, span: Period, as_of: np.datetime64 | None) -> Assembler | None:
    """What tells of the ground's conditions, if anything does."""
    try:
        return Assembler.open(tools.conditions, tile.with_halo(0), span, CONDITIONS, tools.windows, as_of)
    except NothingFound:
        return None


def work(tools: Tools, bench: Bench, task: Task) -> Receipt:
    """Estimate a task and write it into the folder of the map.

    Raises:
        Refusal: a file cannot be read.
        OSError: the result cannot be written.
    """
    begun = time.perf_counter()
    done = estimate_moments(tools, task.tile, task.moments, bench.as_of)
    return tile_files.write(bench.out, task, done, time.perf_counter() - begun, peak_mb())


def work_apart(bench: Bench, device: str, task: Task) -> Receipt:
    """As `work`, in a process of its own: it opens the tools itself, once, and reads without threads."""
    dask.config.set(scheduler="synchronous")
    keep_freed()
    return work(tools_of(bench, device), bench, task)


@lru_cache(maxsize=1)
def tools_of(bench: Bench, device: str) -> Tools:
    """Networks and sources of a map, opened once by a worker."""
    return Tools.of(Run(bench.run), bench.archive).on(device)
