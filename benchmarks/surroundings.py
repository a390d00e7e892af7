"""What the order of cells in space and the cells around are worth, on the truth of a simulated Earth.

Usage: OMP_NUM_THREADS=1 python benchmarks/surroundings.py CONFIG STORE

STORE is written by `vadose simulate samples CONFIG --out STORE`, with a history of Sentinel-1 and Sentinel-2 in CONFIG.
A small network on the columns of the fusion network is trained with and without 1 - R over the cells of a region at one
time, and with means of its columns over the sampled cells around each; a quarter of the regions is held out. R in space
is over the cells of a region at one time, R and ubRMSE in time over the times of a cell; means over regions, of two
seeds. Brackets: 90 % intervals of the difference from the first row over regions, drawn 2,000 times.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vadose.dataset import SampleStore, ScalingStats
from vadose.experiment.config import read_experiment
from vadose.fusion import InputSpec
from vadose.models import Batch, FusionNetwork
from vadose.models.feature_columns import Column, Kind
from vadose.models.feature_extractor import FeatureExtractor
from vadose.models.spectral_indices import INDICES
from vadose.registry import source_of
from vadose.training.objective import Groups

EPOCHS, REGIONS, SEEDS = 25, 6, 2
AT_ONCE = 4000
FINE = ("sentinel1", "sentinel2")
Floats = NDArray[np.float32]
KEYS = ["network", "time"]


@dataclass(frozen=True, eq=False)
class Ground:
    """Columns of all samples, (sample, column), their labels in standard deviations, and where they belong."""

    index: pd.DataFrame
    columns: tuple[Column, ...]
    values: Floats
    label: Floats
    held_out: NDArray[np.bool_]

    @classmethod
    def read(cls, store: SampleStore, needs: InputSpec, network: FusionNetwork) -> "Ground":
        """Read a store as the network does, and hold a quarter of its regions out."""
        parts = []
        for start in range(0, len(store), AT_ONCE):
            rows = store.rows[start : start + AT_ONCE]
            times = store.index["time"].to_numpy()[rows]
            batch = Batch.of_samples(None, store.cells(needs.cells, rows), store.history(needs.history, rows), times)
            parts.append(FeatureExtractor.of(batch, needs).columns(network.columns)[:, :, 0, 0])
        there = np.isfinite(store.labels(store.rows))
        index = store.index[there].reset_index(drop=True)
        regions = np.random.default_rng(0).permutation(index["network"].unique())
        held_out = index["network"].isin(regions[: len(regions) // 4]).to_numpy()
        values, label = torch.cat(parts).numpy()[there], store.labels(store.rows)[there]
        mean, std = np.nanmean(values[~held_out], axis=0), np.nanstd(values[~held_out], axis=0)
        varies = std > 1e-6
        scaled = np.clip((values - mean)[:, varies] / std[varies], -8, 8)
        columns = tuple(column for column, kept in zip(network.columns, varies, strict=True) if kept)
        return cls(index, columns, scaled, (label - label[~held_out].mean()) / label[~held_out].std(), held_out)

    def around(self, radius: int) -> Floats:
        """Return means of the columns over the sampled cells at most `radius` cells away, the cell included."""
        place = self.index["station"].str.split("-", expand=True).astype(int).to_numpy()
        found = np.zeros_like(self.values)
        for rows in self.index.groupby(KEYS).indices.values():
            near = (np.abs(place[rows, None] - place[rows]).max(axis=-1) <= radius).astype(np.float32)
            seen = np.isfinite(self.values[rows])
            found[rows] = near @ np.nan_to_num(self.values[rows]) / np.maximum(near @ seen, 1)
        return found


def trained(ground: Ground, inputs: Floats, space: float, seed: int) -> Floats:
    """Return estimates of all samples."""
    torch.manual_seed(seed)
    rng, given, label = np.random.default_rng(seed), torch.from_numpy(inputs), torch.from_numpy(ground.label)
    scene, cell = (torch.from_numpy(number) for number in numbers(ground.index))
    layers = (nn.Linear(given.shape[1], 64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.GELU(), nn.Dropout(0.1))
    network = nn.Sequential(*layers, nn.Linear(64, 1))
    learned = ground.index[~ground.held_out].groupby("network").indices
    places = [np.flatnonzero(~ground.held_out)[rows] for rows in learned.values()]
    steps = EPOCHS * len(places) // REGIONS
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(steps):
        chosen = rng.choice(len(places), REGIONS, replace=False)
        rows = torch.from_numpy(np.concatenate([places[number] for number in chosen]))
        told = network(given[rows] + 0.05 * torch.randn_like(given[rows]))[:, 0]
        loss = ((told - label[rows]) ** 2).mean() + unlike(told, label[rows], cell[rows])
        loss = loss + space * unlike(told, label[rows], scene[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return network.eval()(given)[:, 0].numpy()  # type: ignore[no-any-return]


def unlike(one: Tensor, other: Tensor, group: Tensor) -> Tensor:
    """Return 1 - R, a mean over groups."""
    return (1 - Groups(group).correlation(one, other)).mean()


def numbers(index: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the scene and the cell of each sample."""
    scene, cell = (index.groupby(keys).ngroup().to_numpy(copy=True) for keys in (KEYS, ["network", "station"]))
    return scene, cell


def scores(ground: Ground, told: Floats, std: float) -> pd.DataFrame:
    """Return R in space, R in time and ubRMSE in time, m3 m-3, of each held-out region."""
    table = ground.index.assign(p=told, t=ground.label)[ground.held_out]

    def r(keys: list[str]) -> "pd.Series[float]":
        return table.groupby(keys)[["p", "t"]].corr().xs("p", level=-1)["t"].groupby("network").mean()

    cells = table.assign(error=std * (table["p"] - table["t"])).groupby(["network", "station"])["error"]
    ubrmse = cells.std(ddof=0).groupby("network").mean()
    return pd.DataFrame({"space": r(KEYS), "time": r(["network", "station"]), "ubrmse": ubrmse})


def variants(ground: Ground) -> Iterator[tuple[str, Floats, float]]:
    """Yield a name, the inputs, and the weight of the term in space."""
    own = np.nan_to_num(ground.values)
    fine = np.array([_source(column) in FINE for column in ground.columns])
    past = np.array([column.kind not in (Kind.NOW, Kind.STATIC) for column in ground.columns])
    soil = np.array([_source(column) == "soilgrids" for column in ground.columns])
    yield "cells alone, without the term in space", own, 0.0
    yield "cells alone", own, 1.5
    yield "cells alone, no history of S1, S2", own[:, ~(fine & past)], 1.5
    for radius in (1, 2, 3, 4):
        yield f"and all means within {radius} cells", np.concatenate([own, ground.around(radius)], axis=1), 1.5
    near = ground.around(3)
    for name, some in (("S1, S2 and their history", fine), ("S1, S2 now", fine & ~past), ("soil", soil)):
        yield f"and means of {name} within 3 cells", np.concatenate([own, near[:, some]], axis=1), 1.5


def _source(column: Column) -> str:
    index = INDICES.get(column.quantity)
    return "" if column.quantity == "season" else source_of(index.of[0] if index else column.quantity)


def _interval(difference: NDArray[np.float64]) -> str:
    rng = np.random.default_rng(0)
    means = difference[rng.integers(0, difference.size, (2000, difference.size))].mean(axis=1)
    low, high = np.quantile(means, (0.05, 0.95))
    return f"[{low:+.3f}, {high:+.3f}]"


def main() -> None:
    experiment = read_experiment(Path(sys.argv[1]))
    store, needs = SampleStore.open(sys.argv[2]), experiment.network_needs
    middle = ScalingStats.fit(store, store.rows, needs)
    labels = store.labels(store.rows)
    std = float(np.nanstd(labels))
    both = {"soil_moisture": float(np.nanmean(labels))}, {"soil_moisture": std}
    scaling = ScalingStats({**middle.mean, **both[0]}, {**middle.std, **both[1]})
    ground = Ground.read(store, needs, FusionNetwork(needs, experiment.network, scaling))
    std = float(np.nanstd(labels[np.isfinite(labels)][~ground.held_out]))
    print(f"{len(ground.index):,} samples, {ground.index['network'].nunique()} regions, a quarter held out (simulated)")
    first: pd.DataFrame | None = None
    for name, inputs, space in variants(ground):
        told = np.mean([trained(ground, inputs, space, seed) for seed in range(SEEDS)], axis=0)
        found = scores(ground, told, std)
        first = found if first is None else first
        apart = {score: (found[score] - first[score]).dropna().to_numpy() for score in found}
        cells = [f"{found[score].mean():.3f} {_interval(apart[score])}" for score in ("space", "time")]
        print(f"{name:52s} R in space {cells[0]}  in time {cells[1]}  ubRMSE {found['ubrmse'].mean():.4f}", flush=True)


if __name__ == "__main__":
    main()
