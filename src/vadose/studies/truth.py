"""Evaluation of a run against the truth of its simulated Earth: in space, in time, and an upper bound on skill."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from vadose.dataset import SpatialGroups
from vadose.errors import NoDataError, VadoseError
from vadose.experiment.predict import members_of
from vadose.experiment.run import NETWORK, Run
from vadose.fusion import FeatureBuilder, TemporalPolicy
from vadose.grid import Period, cell_centres, from_lonlat, nanoseconds
from vadose.inference import Calibration, estimate_tile
from vadose.inference.held_out import SENSOR, Member, together
from vadose.io.files import atomic_write
from vadose.io.outputs import Request
from vadose.simulation import Region, WorldConfig, made
from vadose.sources import Source, open_sources
from vadose.studies.truth_ground import ground_of
from vadose.studies.truth_page import PRODUCTS, page

MOMENTS = 12
"""Number of mapped passes over each region, evenly chosen among those with readings."""


def evaluate_against_truth(folder: Path, archive: Path, out: Path, report: Callable[[int, int, str], None]) -> str:
    """Map every region by networks that were not trained on its sensors, and compare the maps with the truth.

    Args:
        folder: folder of a finished run on samples of the world.
        archive: archive of the simulated Earth.
        out: Markdown file of the tables.
        report: called with (finished regions, regions, name).

    Returns:
        The tables.

    Raises:
        VadoseError: the run or the simulated Earth is missing, or the run has none of its sensors.
    """
    request = Request.of("simulate evaluate", out, run=folder, world=archive)
    with request.file(out) as held:
        text = _judged(folder, archive, report)
        with atomic_write(held) as temporary:
            temporary.write_text(f"{text.rstrip()}\n\n<!-- {request.mark} -->\n", encoding="utf-8")
    return text


def _judged(folder: Path, archive: Path, report: Callable[[int, int, str], None]) -> str:
    run, world = Run(folder), made(archive)
    estimates = run.folder / "predictions" / f"{NETWORK}.parquet"
    if not estimates.is_file():
        raise VadoseError(
            f"truth: the run {folder}", "Its training is not complete", "Complete it with 'vadose train --resume'"
        )
    readings = pd.read_parquet(estimates)
    regions = [region for region in world.regions if network_of(region) in set(readings["network"])]
    if not regions:
        raise VadoseError(
            f"truth: {archive} for the run {folder}", "It contains no sensor of the run", "Give the run's own world"
        )
    experiment = run.experiment()
    members = members_of(run)
    evaluation = TruthEvaluation(
        open_sources(archive), members, run.calibration(), experiment.split.grouping, experiment.windows
    )
    maps, points = [], []
    for done, region in enumerate(regions, start=1):
        own = readings[readings["network"] == network_of(region)]
        truth = truth_of(archive, region)
        ground = ground_of(archive, region, world.ground(region), own)
        maps.append(evaluation.maps(world, region, own, truth).join(ground, on="cell"))
        points.append(own.assign(truth=truth_at(truth, world.ground(region).epsg, own)))
        report(done, len(regions), region.name)
    return page(pd.concat(maps, ignore_index=True), pd.concat(points, ignore_index=True), experiment.min_samples)


@dataclass(frozen=True, eq=False)
class TruthEvaluation:
    """Maps regions of a simulated Earth by networks that were not trained on them.

    Attributes:
        sources: products of the world.
        members: networks of a run.
        calibration: calibration of their standard deviations.
        grouping: grouping of the run's split.
        windows: temporal policy with the maximum ages.
    """

    sources: Sequence[Source]
    members: Sequence[Member]
    calibration: Calibration
    grouping: SpatialGroups
    windows: TemporalPolicy

    def maps(self, world: WorldConfig, region: Region, readings: pd.DataFrame, truth: xr.DataArray) -> pd.DataFrame:
        """Return one row per cell and time: region, lat, lon, time, cell, truth, network, and the products where
        available.
        """
        sensors = readings[SENSOR].drop_duplicates(ignore_index=True)
        models = together([one for one in self.members if not one.trained_on(sensors, self.grouping).any()])
        every = np.unique(nanoseconds(readings["time"].to_numpy()))
        times = every[np.linspace(0, len(every) - 1, min(len(every), MOMENTS)).round().astype(int)]
        if not models:
            raise VadoseError(
                f"truth: networks that were not trained on {network_of(region)}",
                "Every network of the run was trained on it",
                "Give a run whose split holds out whole networks",
            )
        needs = models[0].needs.met_by({variable.name for source in self.sources for variable in source.variables})
        tile = world.ground(region).with_halo(needs.halo)
        span = Period(times[0], times[-1] + np.timedelta64(1, "ns"))
        assembler = FeatureBuilder.open(self.sources, tile, span, needs, self.windows)
        lon, lat = (float(part.mean()) for part in cell_centres(tile))
        tables = []
        for time in times:
            try:
                inputs = assembler.at(time)
            except NoDataError:
                continue
            estimates = {NETWORK: estimate_tile(models, inputs, self.calibration).mean}
            estimates |= {name: inputs.cells[name].values for name in PRODUCTS if name in inputs.cells}
            true = truth.sel(time=time, method="nearest").to_numpy()
            columns = {name: values.ravel() for name, values in (estimates | {"truth": true}).items()}
            tables.append(pd.DataFrame({"region": region.name, "lat": lat, "lon": lon, "time": time} | columns))
        return pd.concat([table.assign(cell=np.arange(len(table))) for table in tables], ignore_index=True)


def network_of(region: Region) -> str:
    """Return the network of a region's sensors."""
    return f"SIM-{region.name}"


def truth_of(archive: Path, region: Region) -> xr.DataArray:
    """Return the truth of a region's cells, (time, y, x), m3 m-3, in memory."""
    with xr.open_zarr(
        archive / "truth" / f"{region.name}.zarr", group="cells", consolidated=False, decode_coords="all"
    ) as store:
        moisture: xr.DataArray = store["soil_moisture"].load()
        return moisture


def truth_at(truth: xr.DataArray, epsg: int, readings: pd.DataFrame) -> NDArray[np.float32]:
    """Return the truth of the cell of each reading on its day, m3 m-3."""
    x, y = from_lonlat(epsg).transform(readings["lon"].to_numpy(), readings["lat"].to_numpy())
    at = {"x": xr.DataArray(x), "y": xr.DataArray(y), "time": xr.DataArray(readings["time"].to_numpy())}
    return truth.sel(at, method="nearest").to_numpy().astype(np.float32)
