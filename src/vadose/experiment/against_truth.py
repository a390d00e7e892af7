"""A run against the truth that a simulated world knows: in space, in time, and what no estimate could better."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from vadose.estimate import Calibration, estimate_tile
from vadose.evaluation import Bootstrap, per_sensor, summary
from vadose.evaluation.sensors import figures
from vadose.evaluation.text import interval, markdown_table
from vadose.experiment.run import NETWORK, Run
from vadose.experiment.train import SIMULATED
from vadose.experiment.unseen import SENSOR, Member
from vadose.files import replacing
from vadose.fusion import Assembler, Windows
from vadose.grid import Period, cell_centres, from_lonlat
from vadose.refusal import NothingFound, Refusal
from vadose.samples import Grouping
from vadose.samples.layout import LABEL
from vadose.sources import Source, open_sources
from vadose.world import Region, WorldConfig, made

MOMENTS = 12
"""Passes over each region that are mapped, evenly over those with readings."""
PRODUCTS = ("smap", "gldas")
IN_SPACE, IN_TIME = ["region", "time"], ["region", "cell"]
LEAST = 5
"""Cells, or moments, that a correlation needs."""
MAPS = ("estimate", "regions", "R in space", "R in time", "ubRMSE in time", "RMSE")
POINTS = ("judged by the sensors", "sensors", "samples", "R", "ubRMSE", "RMSE")


def judge_by_truth(folder: Path, archive: Path, out: Path, report: Callable[[int, int, str], None]) -> str:
    """Map every region by networks that have not seen its sensors, and set the maps beside the truth.

    Args:
        folder: of a finished run on samples of the world.
        archive: of the simulated world.
        out: Markdown file of the tables.
        report: told (regions done, regions, which).

    Returns:
        The tables.

    Raises:
        Refusal: no run, no simulated world, or one whose sensors the run does not hold.
    """
    run, world = Run(folder), made(archive)
    readings = pd.read_parquet(run.folder / "predictions" / f"{NETWORK}.parquet")
    regions = [region for region in world.regions if network_of(region) in set(readings["network"])]
    if not regions:
        raise Refusal(
            f"truth: {archive} for the run {folder}", "No sensor of the run stands in it", "Give the run's own world"
        )
    experiment = run.experiment()
    members = [Member.load(path) for path in run.networks()]
    judge = Judge(open_sources(archive), members, run.calibration(), experiment.split.places, experiment.windows)
    maps, points = [], []
    for done, region in enumerate(regions, start=1):
        own = readings[readings["network"] == network_of(region)]
        truth = truth_of(archive, region)
        maps.append(judge.maps(world, region, own, truth))
        points.append(own.assign(truth=truth_at(truth, world.ground(region).epsg, own)))
        report(done, len(regions), region.name)
    text = page(pd.concat(maps, ignore_index=True), pd.concat(points, ignore_index=True), experiment.min_samples)
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return text


@dataclass(frozen=True, eq=False)
class Judge:
    """Maps regions of a simulated world by networks that have not seen them.

    Attributes:
        sources: products of the world.
        members: networks of a run.
        calibration: of their spread.
        grouping: of the run's split.
        windows: how old an observation may be.
    """

    sources: Sequence[Source]
    members: Sequence[Member]
    calibration: Calibration
    grouping: Grouping
    windows: Windows

    def maps(self, world: WorldConfig, region: Region, readings: pd.DataFrame, truth: xr.DataArray) -> pd.DataFrame:
        """A row a cell and moment: region, lat, lon, time, cell, truth, network, and the products where they spoke."""
        sensors = readings[SENSOR].drop_duplicates(ignore_index=True)
        models = [one.model for one in self.members if not one.has_seen(sensors, self.grouping).any()]
        every = np.unique(readings["time"].to_numpy("datetime64[ns]"))
        times = every[np.linspace(0, len(every) - 1, min(len(every), MOMENTS)).round().astype(int)]
        if not models:
            raise Refusal(
                f"truth: networks that have not seen {network_of(region)}",
                "Every network of the run has learned from it",
                "Give a run whose split holds out whole networks",
            )
        needs = models[0].needs
        tile = world.ground(region).with_halo(needs.halo)
        span = Period(times[0], times[-1] + np.timedelta64(1, "ns"))
        assembler = Assembler.open(self.sources, tile, span, needs, self.windows)
        lon, lat = (float(part.mean()) for part in cell_centres(tile))
        tables = []
        for time in times:
            try:
                inputs = assembler.at(time)
            except NothingFound:
                continue
            told = {NETWORK: estimate_tile(models, inputs, self.calibration).mean}
            told |= {name: inputs.cells[name].values for name in PRODUCTS if name in inputs.cells}
            true = truth.sel(time=time, method="nearest").to_numpy()
            columns = {name: values.ravel() for name, values in (told | {"truth": true}).items()}
            tables.append(pd.DataFrame({"region": region.name, "lat": lat, "lon": lon, "time": time} | columns))
        return pd.concat([table.assign(cell=np.arange(len(table))) for table in tables], ignore_index=True)


def network_of(region: Region) -> str:
    """The network of a region's sensors."""
    return f"SIM-{region.name}"


def truth_of(archive: Path, region: Region) -> xr.DataArray:
    """The truth of a region's cells, (time, y, x), m3 m-3, in memory."""
    with xr.open_zarr(archive / "truth" / f"{region.name}.zarr", group="cells", consolidated=False) as store:
        moisture: xr.DataArray = store["soil_moisture"].load()
        return moisture


def truth_at(truth: xr.DataArray, epsg: int, readings: pd.DataFrame) -> NDArray[np.float32]:
    """The truth of the cell of each reading on its day, m3 m-3."""
    x, y = from_lonlat(epsg).transform(readings["lon"].to_numpy(), readings["lat"].to_numpy())
    at = {"x": xr.DataArray(x), "y": xr.DataArray(y), "time": xr.DataArray(readings["time"].to_numpy())}
    return truth.sel(at, method="nearest").to_numpy().astype(np.float32)


def page(maps: pd.DataFrame, points: pd.DataFrame, min_samples: int) -> str:
    """The tables, in Markdown.

    Args:
        maps: as `Judge.maps` gives them.
        points: estimates at sensors, with the truth of their cells as `truth`.
        min_samples: a sensor needs to be scored.
    """
    names = [name for name in (NETWORK, *PRODUCTS) if name in maps]
    rows = [(name, *_of_maps(maps, name)) for name in names]
    sensors = [("the network", points), ("the truth of the sensor's cell", points.assign(mean=points["truth"]))]
    parts = [
        "# Estimates beside the simulated truth",
        f"> **{SIMULATED}**",
        f"Maps of {maps['region'].nunique()} regions whose sensors the networks have not seen, {len(maps):,} cells and "
        "moments. Brackets: 90 % intervals over regions. R in space: over the cells of a region at a moment; in time: "
        "over the moments of a cell.",
        markdown_table(MAPS, rows),
        "What a perfect estimate of the cell would score, judged by these sensors with their errors and their place "
        "within it: the gap that is left.",
        markdown_table(POINTS, [(name, *_of_points(table, min_samples)) for name, table in sensors]),
    ]
    return "\n\n".join(parts) + "\n"


def _of_maps(maps: pd.DataFrame, name: str) -> tuple[str, ...]:
    known = maps[maps[name].notna() & maps["truth"].notna()].rename(columns={name: "p", "truth": "t"})
    apart = known.assign(square=(known["p"] - known["t"]) ** 2)
    by = {
        "space": _correlation(known, IN_SPACE),
        "time": _correlation(known, IN_TIME),
        "ub": _unbiased(known, IN_TIME),
        "rmse": apart.groupby("region")["square"].mean() ** 0.5,
    }
    place = known.groupby("region")[["lat", "lon"]].first()
    cells = [_interval(values.reindex(place.index), place) for values in by.values()]
    return f"{len(place):,}", *cells


def _correlation(table: pd.DataFrame, keys: list[str]) -> "pd.Series[float]":
    """Mean of a region's correlations over groups of `keys`; NaN for what is constant."""
    groups = table.groupby(keys)[["p", "t"]]
    enough = groups.size() >= LEAST
    r = groups.corr().xs("p", level=-1)["t"]
    return r[enough.reindex(r.index)].groupby("region").mean()


def _unbiased(table: pd.DataFrame, keys: list[str]) -> "pd.Series[float]":
    """Mean of a region's standard deviations of the error over groups of `keys`."""
    error = table.assign(error=table["p"] - table["t"]).groupby(keys)["error"]
    return error.std(ddof=0)[error.size() >= LEAST].groupby("region").mean()


def _interval(values: "pd.Series[float]", place: pd.DataFrame) -> str:
    lat, lon = (place[name].to_numpy(np.float64) for name in ("lat", "lon"))
    mean = Bootstrap().mean(np.asarray(values, np.float64), lat, lon)
    return interval({"value": mean.value, "low": mean.low, "high": mean.high}, "value", "low", "high")


def _of_points(table: pd.DataFrame, min_samples: int) -> tuple[str, ...]:
    known = table[table[LABEL].notna() & table["truth"].notna() & table["mean"].notna()]
    sensors = per_sensor(known, min_samples)
    there = sensors[sensors["left_out"] == ""]
    skill: Mapping[str, Mapping[str, float]] = figures(summary(sensors))
    cells = [interval(skill[name], "mean", "mean_low", "mean_high") for name in ("r", "ubrmse", "rmse")]
    return f"{len(there):,}", f"{there['n'].sum():,}", *cells
