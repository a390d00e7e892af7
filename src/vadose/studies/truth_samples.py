"""Samples whose labels are the truth of a simulated Earth: many cells of each region at once, without sensors."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from vadose.dataset.collocate import features_of, write_staged
from vadose.dataset.layout import DECLARATION, LABEL
from vadose.dataset.rejections import Report
from vadose.dataset.resumable import ResumableBuild, SampleChunk
from vadose.dataset.writer import Samples, check_free
from vadose.errors import NoDataError, VadoseError
from vadose.experiment.build_samples import ArchiveSource, passes_over
from vadose.experiment.config import ArchiveSamples, Experiment
from vadose.fusion import FeatureCube, InputSpec
from vadose.grid import AreaOfInterest, Period, Tile, cell_centres
from vadose.io.outputs import Request
from vadose.io.processes import processes
from vadose.simulation import Region, WorldConfig, made
from vadose.studies.truth import network_of, truth_of

LOGGER = logging.getLogger(__name__)
SENSOR = "truth"
"""Name of the sensor of every sample."""
DEPTH_M = 0.05


def build_truth_samples(
    experiment: Experiment, out: Path, side: int, report: Callable[[int, int, str], None], workers: int = 1
) -> Report:
    """Write a store of cell values and history with the true soil moisture of the cells as labels.

    Of each region, `side` x `side` evenly spaced cells are sampled at Sentinel-1 passes within the period of the
    experiment, at most `max_samples_per_sensor` of them, one from each of as many parts of the period. A cell is a
    station of the network of its region, so that a split by network holds out regions. An interrupted build resumes.

    Args:
        experiment: experiment whose samples come from the archive of a simulated Earth.
        out: folder of the store.
        side: number of cells along each side of a region.
        report: called after each region with (finished regions, regions, name).
        workers: number of processes, with one region each.

    Raises:
        VadoseError: the samples are of no simulated Earth, or a file is unreadable.
    """
    samples = experiment.samples
    if not isinstance(samples, ArchiveSamples) or not experiment.simulated:
        raise VadoseError(
            f"samples: the truth of '{experiment.name}'",
            "Its samples come from no simulated Earth",
            "Give an experiment with 'simulated: true' and the archive of a simulated Earth",
        )
    world = made(samples.archive)
    needs = replace(experiment.gathered_needs, pixels=(), halo=0)
    origin = {"experiment": experiment.model_dump(mode="json"), "labels": "truth", "side": side}
    request = Request.of("simulate samples", out, made_from=origin)
    with request.store(out, DECLARATION) as held:
        check_free(held)
        staging = ResumableBuild.open(held, {"made_from": origin, "needs": needs})
        source = ArchiveSource(samples, needs, experiment.windows)
        building = _Building(world, source, samples, needs, side, staging)
        missing = [number for number in range(len(world.regions)) if not staging.has(number)]
        done = len(world.regions) - len(missing)
        for number in building.run(missing, workers):
            done += 1
            report(done, len(world.regions), world.regions[number].name)
        made_from = {"request": request.mark, **origin}
        found = write_staged(staging, len(world.regions), held, made_from, True, {}, None)
        staging.remove()
        return found


@dataclass(frozen=True)
class _Building:
    world: WorldConfig
    source: ArchiveSource
    samples: ArchiveSamples
    needs: InputSpec
    side: int
    staging: ResumableBuild

    def run(self, numbers: list[int], workers: int) -> Iterator[int]:
        if workers == 1:
            yield from map(self.build, numbers)
            return
        with processes(workers) as pool:
            yield from pool.map(self.build, numbers)

    def build(self, number: int) -> int:
        """Write the samples of one region to the staging folder."""
        region, dropped = self.world.regions[number], Counter[str]()
        self.staging.put(number, self._parts(region, dropped), dropped, self.source.left_out)
        LOGGER.info("region %s: left out: %s", region.name, dict(dropped) or "nothing")
        return number

    def _parts(self, region: Region, dropped: Counter[str]) -> Iterator[SampleChunk]:
        tile = self.world.ground(region).with_halo(0)
        passes = passes_over(AreaOfInterest.from_tile(tile), self.source.period, self.source.passes)
        times = stratified(passes, self.samples.max_samples_per_sensor)
        if not times.size:
            dropped["region without a pass"] += 1
            return
        span = Period(times[0], times[-1] + np.timedelta64(1, "ns"))
        try:
            features = self.source.assemble(tile, span)
        except NoDataError:
            dropped["region that no source covers"] += 1
            return
        truth = truth_of(self.samples.archive, region)
        rows, columns = (chosen(count, self.side) for count in tile.cells.shape)
        for time in times:
            yield self._chunk(region, tile, time, features.at(time), truth, np.ix_(rows, columns))

    def _chunk(
        self,
        region: Region,
        tile: Tile,
        time: np.datetime64,
        found: FeatureCube,
        truth: xr.DataArray,
        cells: tuple[NDArray[np.intp], ...],
    ) -> SampleChunk:
        holds, values, history = features_of(found, self.needs)
        lon, lat = (part[cells].ravel() for part in cell_centres(tile))
        rows, columns = (part.ravel() for part in np.broadcast_arrays(*cells))
        index = pd.DataFrame(
            {
                "network": network_of(region),
                "station": [f"{row:03d}-{column:03d}" for row, column in zip(rows, columns, strict=True)],
                "sensor": SENSOR,
                "lat": lat,
                "lon": lon,
                "time": time,
                "depth_from_m": 0.0,
                "depth_to_m": DEPTH_M,
                LABEL: truth.sel(time=time, method="nearest").to_numpy()[cells].ravel(),
            }
        )
        past = np.zeros((len(index), holds.history.steps, len(holds.history.variables)), np.float32)
        for place, steps in enumerate(history if holds.history.variables else ()):
            past[:, :, place] = steps[:, cells[0], cells[1]].reshape(len(steps), -1).T
        picked = Samples(index, values[:, cells[0], cells[1]].reshape(len(values), -1).T, past)
        return SampleChunk(picked, holds, frozenset(found.items))


def chosen(count: int, side: int) -> NDArray[np.intp]:
    """Return evenly spaced positions within a number of cells, none at an edge if there is room."""
    places = np.linspace(0, count - 1, min(side, count) + 2)[1:-1] if count > side else np.arange(count)
    return np.unique(np.round(places).astype(np.intp))


def stratified(times: NDArray[np.datetime64], most: int) -> NDArray[np.datetime64]:
    """Return at most `most` times, one drawn from each of equal parts: evenly spaced ones may be of one orbit alone."""
    edges = np.linspace(0, len(times), min(most, len(times)) + 1).round().astype(np.intp)
    return times[np.random.default_rng(0).integers(edges[:-1], edges[1:])]
