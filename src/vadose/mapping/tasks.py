"""Task of a worker: one tile at some times, from the archive to a finished file."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import dask
import numpy as np
import rasterio
import torch

from vadose.errors import NoDataError, VadoseError
from vadose.experiment.run import Run
from vadose.fusion import InputSpec, TemporalPolicy
from vadose.grid import Tile
from vadose.inference import Calibration, empty_estimate, estimate_tile, mask_flags
from vadose.io.gdal import RASTER_CACHE_MB
from vadose.io.logs import log_in_worker
from vadose.io.memory import peak_mb, tune_malloc
from vadose.mapping import tile_files
from vadose.mapping.features import features_at
from vadose.mapping.tile_files import Task, TaskRecord, TaskResult
from vadose.models import Model
from vadose.sources import ArchiveScan, Source, open_mask_sources, open_sources

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSpec:
    """Context of all tiles of a map: by value, so that it can be sent to a worker.

    Attributes:
        run: folder of the trained networks.
        archive: folder of the products.
        out: folder of the map.
        as_of: products published later are not read; None for hindsight.
        plan: checksum of the plan, so that changed networks are not used for this map.
    """

    run: Path
    archive: Path
    out: Path
    as_of: np.datetime64 | None
    plan: str


@dataclass(frozen=True, eq=False)
class WorkerContext:
    """Objects that a worker opens once and uses for every tile.

    Attributes:
        experiment: name of the experiment of the networks.
        models: the networks.
        sources: sources of the archive.
        mask_sources: mask sources of the archive.
        windows: temporal policy with the maximum ages.
        calibration: calibration of the standard deviation.
    """

    experiment: str
    models: Sequence[Model]
    sources: tuple[Source, ...]
    mask_sources: tuple[Source, ...]
    windows: TemporalPolicy
    calibration: Calibration

    @property
    def needs(self) -> InputSpec:
        """Return the inputs of the networks, by the variable names of the archive's sources."""
        held = {variable.name for source in self.sources for variable in source.variables}
        return self.models[0].needs.met_by(held)

    @classmethod
    def of(cls, run: Run, archive: Path) -> "WorkerContext":
        """Open the networks of a run and the sources of an archive.

        Raises:
            VadoseError: either is unreadable.
        """
        experiment = run.experiment()
        members = run.members()
        shared = ArchiveScan.of(archive)
        sources, mask_sources = open_sources(shared), open_mask_sources(shared)
        return cls(experiment.name, members, sources, mask_sources, experiment.windows, run.calibration())

    def on(self, device: str) -> "WorkerContext":
        """Return the tools with the networks on a device.

        Raises:
            VadoseError: this machine has no such device.
        """
        if device != "cpu" and not torch.cuda.is_available():
            raise VadoseError(
                f"map: the device '{device}'", "This machine has no GPU that PyTorch can use", "Map on the cpu"
            )
        for model in self.models:
            if isinstance(model, torch.nn.Module):
                model.to(device)
        return self


def estimate_times(
    tools: WorkerContext, tile: Tile, moments: Sequence[np.datetime64], as_of: np.datetime64 | None = None
) -> TaskResult:
    """Estimate one tile at some times; each item is read once, and nothing is written.

    Raises:
        VadoseError: a file is unreadable.
    """
    torch.set_num_threads(1)  # sums in a fixed order, and workers that do not wait for each other
    needs = tools.needs
    estimates, items = [], []
    with rasterio.Env(GDAL_CACHEMAX=RASTER_CACHE_MB):
        try:
            features = features_at(tools.sources, tools.mask_sources, tile, moments, needs, tools.windows, as_of)
        except NoDataError:
            return TaskResult((empty_estimate(tile, needs),) * len(moments), ((),) * len(moments))
        for inputs, masks in features:
            estimate, used = estimate_tile(tools.models, inputs, tools.calibration, tools.windows), inputs.items
            if masks:
                estimate, used = estimate.flagged(mask_flags(masks)), tuple(sorted({*used, *masks.items}))
            estimates.append(estimate)
            items.append(used)
    return TaskResult(tuple(estimates), tuple(items))


def run_task(tools: WorkerContext, spec: WorkerSpec, task: Task) -> TaskRecord:
    """Estimate a task and write its result into the folder of the map.

    Raises:
        VadoseError: a file is unreadable.
        OSError: the result cannot be written.
    """
    begun = time.perf_counter()
    done = estimate_times(tools, task.tile, task.moments, spec.as_of)
    seconds = time.perf_counter() - begun
    LOGGER.info("tile %s: %d items, %.1f s", task, len(set().union(*done.items)), seconds)
    return tile_files.write(spec.out, task, done, seconds, peak_mb())


def run_task_in_process(spec: WorkerSpec, device: str, task: Task) -> TaskRecord:
    """Run a task in a separate process, which opens the tools itself, once, and reads without threads."""
    dask.config.set(scheduler="synchronous")
    tune_malloc()
    log_in_worker()
    return run_task(context_of(spec, device), spec, task)


@lru_cache(maxsize=1)
def context_of(spec: WorkerSpec, device: str) -> WorkerContext:
    """Return the networks and sources of a map, opened once per worker."""
    return WorkerContext.of(Run(spec.run), spec.archive).on(device)
