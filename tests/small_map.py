"""A small archive over a corner of the tile lattice, and a run of untrained networks: what a map needs, in seconds."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from affine import Affine

import real_archive
from vadose.dataset import ScalingStats
from vadose.experiment import Experiment
from vadose.experiment import split_table as splits
from vadose.experiment.run import Run
from vadose.fusion import HistorySpec, InputSpec
from vadose.models import EncoderShape, FusionNetwork, NetworkShape
from vadose.training.checkpoint import save

EPSG = 32632
CORNER = (512_000, 6_144_000)
"""Where four tiles meet, metres."""
CELLS_A_SIDE = 12
"""Of the archive, half of them on either side of the corner."""
PASSES = ("2021-06-03T05:30:00Z", "2021-06-09T05:30:00Z", "2021-06-15T05:30:00Z")
AREA = "9.175,55.429,9.205,55.446"
"""A box within the archive, around the corner."""
DATE = "2021-06-10"
NEEDS = InputSpec(("vv", "vh", "elevation"), ("vv", "B04"), HistorySpec(("vv",), 3, 6.0), 2)
SHAPE = NetworkShape(EncoderShape(width=4, blocks=(2, 1, 1, 1), max_width=8), 4, 4, 8)


def layer(low: float, high: float, seed: int, step: int = 10) -> real_archive.Layer:
    """Random values over the archive's ground, on pixels of a size."""
    half = CELLS_A_SIDE // 2 * 320
    transform = Affine(step, 0, CORNER[0] - half, 0, -step, CORNER[1] + half)
    side = 2 * half // step
    values = np.random.default_rng(seed).uniform(low, high, (side, side)).astype(np.float32)
    return real_archive.Layer(values, f"EPSG:{EPSG}", transform, -32768)


def whole(of: real_archive.Layer, dtype: type = np.uint16) -> real_archive.Layer:
    """The same ground in whole numbers, 0 where missing."""
    return real_archive.Layer(of.values.astype(dtype), of.crs, of.transform, 0)


def write_archive(folder: Path) -> Path:
    """Three passes of Sentinel-1, one cloudy scene of Sentinel-2, and the ground, flat but for its steep south."""
    for number, time in enumerate(PASSES):
        bands = {name: layer(0.05, 0.4, 10 * number + place) for place, name in enumerate(("vv", "vh"))}
        real_archive.write_item(folder, "sentinel-1-rtc", f"pass{number}", time, bands)
    red = whole(layer(300, 3000, 50))
    classes = np.full((len(red.values) // 2,) * 2, 4, np.uint8)
    classes[:80, :80] = 9
    scl = real_archive.Layer(classes, red.crs, red.transform * Affine.scale(2), 0)
    optical = {"B04": red, "SCL": scl}
    properties = {"s2:processing_baseline": "02.06"}
    real_archive.write_item(folder, "sentinel-2-l2a", "optical", "2021-06-01T10:30:00Z", optical, properties)
    ground = layer(50.0, 50.5, 60)
    rows = np.arange(len(ground.values))[:, np.newaxis]
    ground.values[:] += np.clip(rows - 256, 0, None) * 4.0
    real_archive.write_item(folder, "nasadem", "ground", "2000-02-20T00:00:00Z", {"elevation": ground})
    return folder


def network(seed: int, needs: InputSpec = NEEDS) -> FusionNetwork:
    """A network of fixed, untrained weights."""
    torch.manual_seed(seed)
    made = FusionNetwork(needs, SHAPE, scaling(needs))
    with torch.no_grad():
        made.head.weight *= 60
    return made.eval()


def scaling(needs: InputSpec = NEEDS) -> ScalingStats:
    names = (*needs.names, "soil_moisture")
    mean = dict.fromkeys(names, 0.2) | {"vv": -7.0, "vh": -7.0, "elevation": 100.0}
    std = dict.fromkeys(names, 0.1) | {"vv": 3.0, "vh": 3.0, "elevation": 100.0}
    return ScalingStats(mean, std)


def write_run(folder: Path, members: int = 2, needs: InputSpec = NEEDS, **keys: object) -> Path:
    """A run of one fold, its networks untrained.

    Args:
        folder: of the run.
        members: networks of the ensemble.
        needs: inputs of the networks.
        keys: further keys of the experiment.
    """
    experiment = Experiment.model_validate(
        {
            "name": "small",
            "simulated": True,
            "samples": {"table": "table.csv", "columns": "mapping.yaml"},
            "needs": {
                "pixels": needs.pixels,
                "cells": needs.cells,
                "history": {"variables": needs.history.variables, "steps": 3, "step_days": 6.0},
            },
            "split": {"folds": 2},
            "ensemble": [{"size": members}],
        }
        | keys
    )
    run = Run(folder)
    run.declare(experiment)
    row = {"fold": 0, "part": "train", "network": "N", "station": "S", "sensor": "s", "year": 2021, "samples": 1}
    splits.save_or_verify(
        pd.DataFrame([row | dict.fromkeys(("first_time", "last_time"), pd.Timestamp("2021-06-01"))]), run.split
    )
    for member in range(members):
        save(network(member, needs), run.checkpoint(0, "network", member), {"products": {}}, scaling(needs))
    return folder
