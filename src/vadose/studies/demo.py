"""Demonstration: the complete workflow on a small simulated Earth."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from vadose.experiment.config import Experiment
from vadose.experiment.fold_trainer import Reporter
from vadose.experiment.train import train_in
from vadose.io.files import read_json, write_json
from vadose.io.outputs import Request
from vadose.mapping.make import MapRequest, make_map
from vadose.maps.opening import open_maps
from vadose.simulation.config import PRESETS, WorldConfig, scattered, sized
from vadose.simulation.make import make
from vadose.studies.truth import truth_of

MODEL = "simulated-10day"
"""Released model that the demonstration starts from; it was trained on the truth of other places."""
FEWEST = 12
"""Number of samples of a scored sensor, if its world has as many."""
UNSEEN = 13
"""First place along each parallel that the world of the released model, preset `medium`, does not have."""
WORLDS = {
    "tiny": PRESETS["tiny"].model_copy(update={"regions": sized(scattered(1, 3, 10, UNSEEN)[1:6:2], 10, 3)}),
    "small": PRESETS["small"].model_copy(update={"regions": sized(scattered(2, 4, 12, UNSEEN), 12, 4)}),
    "medium": PRESETS["medium"].model_copy(update={"regions": scattered(6, 8, 12, UNSEEN)}),
}
"""Worlds by size, whose places, ground and weather the released model has never seen."""
Progress = Callable[[int, int, str], None]


def demonstrate(
    folder: Path, size: str, seed: int, report: Progress, epoch_report: Reporter, workers: int
) -> tuple[str, ...]:
    """Simulate a world, train the released model further on half of its regions, evaluate at the sensors of the others,
    and map one of these beside its truth.

    Returns:
        Lines for a terminal: the scores, and the paths of the results.
    """
    world = WORLDS[size].model_copy(update={"seed": seed})
    with Request("demo", "").folder(folder, []) as held:
        archive, run = held / "world", held / "run"
        make(world, archive, report, workers)
        trained = train_in(demo_experiment(archive, world), run, True, report, epoch_report, workers)
        name, moment = held_out_pass(run)
        region = next(region for region in world.regions if region.name == name)
        boundary = held / f"{region.name}.geojson"
        write_json(boundary, world.ground(region).cells.geographic_extent.json)
        truth = truth_of(archive, region).sel(time=np.datetime64(moment), method="nearest")
        written = make_map(MapRequest(run, archive, str(boundary), moment, held / "map"), report, truth=(truth,))
        in_space = r_in_space(held / "map", truth)
    served = ("vadose", "serve", held / "map", "--sensors", archive / "ismn", "--scorecard", run)
    shown = shlex.join(map(str, served))
    return (
        trained.summary,
        "",
        *gains(trained.path.with_suffix(".json"), ("trees", "smap")),
        "",
        f"Simulated Earth  {archive}",
        f"Scorecard        {trained.path}",
        f"Map              {written[0]} (region {region.name}, whose sensors were held out)",
        f"In space         R {in_space:.2f} of the map with the simulated truth of {truth.size} cells",
        f"Picture          {written[-1]}",
        "",
        f"In the browser   {shown}",
    )


def demo_experiment(archive: Path, world: WorldConfig) -> Experiment:
    """Return the experiment of the demonstration.

    Samples begin after a quarter of the world's period, so that they have a history; a scored sensor has a third of its
    passes, at most 12.
    """
    first = world.days.start + (world.days.end - world.days.start) // 4
    last = world.period.partition("/")[2]
    days = (world.days.end - first) // np.timedelta64(1, "D")
    passes = int(2 * days // world.radar_days)
    return Experiment.model_validate(
        {
            "name": "demo",
            "simulated": True,
            "samples": {
                "archive": archive,
                "period": f"{np.datetime_as_string(first, 'D')}/{last}",
                "sample_times": "sentinel1",
                "max_samples_per_sensor": 20,
            },
            "start_from": MODEL,
            "ensemble": [{"size": 4}],
            "split": {"grouping": {"by": "network"}, "test_fraction": 0.5, "validation_fraction": 0.2},
            "schedule": {
                "epochs": 10,
                "batch_size": 320,
                "learning_rate": 0.0005,
                "patience": None,
                "source_dropout": 0.1,
                "per_sensor": 20,
            },
            "baselines": ["smap", "gldas", "trees"],
            "min_samples": max(min(passes // 3, FEWEST), 2),
        }
    )


def gains(scorecard: Path, products: Sequence[str]) -> Iterator[str]:
    """Yield a line for each product of a scorecard: the paired difference of the network's R from its R."""
    found = read_json(scorecard)["products"]
    for name in filter(found.__contains__, products):
        apart = next(row for row in found[name]["first_minus_this"] if row["score"] == "r")
        more, low, high = (apart[f"over_places{end}"] for end in ("", "_low", "_high"))
        interval = "(no interval)" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"
        yield f"{f'Over {name}':17}R {more:+.3f} {interval}, sensor by sensor, a mean over places"


def held_out_pass(run: Path) -> tuple[str, str]:
    """Return the pass with the most varied readings, among those with nearly the most, over a region without training
    sensors.

    Returns:
        The region's name and the time, UTC.
    """
    estimates = pd.read_parquet(run / "predictions" / "network.parquet")
    passes = estimates.groupby(["network", "time"])["soil_moisture_in_situ"].agg(["size", "std"])
    network, moment = passes.loc[passes["size"] >= passes["size"].max() - 1, "std"].fillna(0.0).idxmax()
    return str(network).removeprefix("SIM-"), moment.isoformat()


def r_in_space(folder: Path, truth: xr.DataArray) -> float:
    """Return the correlation of a map with the truth, over the cells that both have.

    Args:
        folder: folder of a map of one time.
        truth: (y, x), with its CRS.
    """
    estimate = open_maps(folder)[truth.rio.crs.to_epsg()]["soil_moisture"].squeeze("time", drop=True)
    return float(xr.corr(*xr.align(estimate, truth.drop_vars("time", errors="ignore"), join="inner")))
