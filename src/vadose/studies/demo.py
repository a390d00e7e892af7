"""Demonstration: the complete workflow on a small simulated Earth."""

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from vadose.experiment.config import Experiment
from vadose.experiment.fold_trainer import Reporter
from vadose.experiment.train import train_in
from vadose.io.files import write_json
from vadose.io.outputs import Request
from vadose.mapping.make import MapRequest, make_map
from vadose.simulation.config import WorldConfig
from vadose.simulation.make import make

PIXELS = ("vv", "vh", "incidence_angle", "B04", "B03", "B02", "B08", "B11", "B12", "elevation")
CELLS = ("sand", "silt", "clay", "bulk_density", "smap", "gldas")
FEWEST = 12
"""Number of samples of a scored sensor, if its world has as many."""
Progress = Callable[[int, int, str], None]


def demonstrate(folder: Path, preset: str, report: Progress, epoch_report: Reporter, workers: int) -> tuple[str, ...]:
    """Simulate a world, train on it, evaluate at held-out sensors, and map one region beside its truth.

    Returns:
        Lines for a terminal: the scores, and the paths of the results.
    """
    world = WorldConfig.preset(preset)
    with Request("demo", "").folder(folder, []) as held:
        archive, run = held / "world", held / "run"
        make(world, archive, report, workers)
        trained = train_in(demo_experiment(archive, world), run, True, report, epoch_report, workers)
        name, moment = held_out_pass(run)
        region = next(region for region in world.regions if region.name == name)
        boundary = held / f"{region.name}.geojson"
        write_json(boundary, world.ground(region).cells.geographic_extent.json)
        request = MapRequest(run, archive, str(boundary), moment, held / "map")
        written = make_map(request, report, truth=(truth_at(archive, region.name, moment),))
    served = ("vadose", "serve", held / "map", "--sensors", archive / "ismn", "--scorecard", run)
    shown = shlex.join(map(str, served))
    return (
        trained.summary,
        "",
        f"Simulated Earth  {archive}",
        f"Scorecard        {trained.path}",
        f"Map              {written[0]} (region {region.name}, whose sensors were held out)",
        f"Picture          {written[-1]}",
        "",
        f"In the browser   {shown}",
    )


def demo_experiment(archive: Path, world: WorldConfig) -> Experiment:
    """Return the experiment of the demonstration; a scored sensor has a third of its passes, at most 12."""
    days = (world.days.end - world.days.start) // np.timedelta64(1, "D")
    passes = int(2 * days // world.radar_days)
    return Experiment.model_validate(
        {
            "name": "demo",
            "simulated": True,
            "samples": {
                "archive": archive,
                "period": world.period,
                "sample_times": "sentinel1",
                "max_samples_per_sensor": 20,
            },
            "needs": {
                "pixels": PIXELS,
                "cells": CELLS,
                "history": {"variables": ("smap", "gldas"), "steps": 30, "step_days": 1},
            },
            "split": {"grouping": {"by": "network"}, "test_fraction": 0.26, "validation_fraction": 0.2},
            "network": {
                "encoder": "small",
                "hidden_size": 32,
                "dropout": 0.3,
                "noise": 0.5,
                "time_invariant_noise": 0.5,
                "static_noise": 1.0,
                "head_noise": 0.5,
            },
            "schedule": {
                "epochs": 20,
                "batch_size": 128,
                "learning_rate": 0.003,
                "patience": None,
                "source_dropout": 0.1,
                "per_sensor": 16,
            },
            "min_samples": max(min(passes // 3, FEWEST), 2),
        }
    )


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


def truth_at(archive: Path, region: str, moment: str) -> xr.DataArray:
    """Return the truth of a region at a time, (y, x), m3 m-3, with its CRS."""
    store = archive / "truth" / f"{region}.zarr"
    with xr.open_zarr(store, group="cells", consolidated=False, decode_coords="all") as truth:
        moisture: xr.DataArray = truth["soil_moisture"].sel(time=np.datetime64(moment), method="nearest").load()
        return moisture
