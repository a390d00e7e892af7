"""Simulated samples with a relation that a network can learn, and the smallest of networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from vadose.dataset import Samples, SampleStore, SampleWriter, ScalingStats
from vadose.fusion import HistorySpec, InputSpec
from vadose.models import Batch, EncoderShape, FusionNetwork, NetworkShape
from vadose.training import TrainingConfig
from vadose.training.batch_io import Labelled
from vadose.training.distributed import Share
from vadose.training.objective import Labels

NEEDS = InputSpec(cells=("sand", "smap"), history=HistorySpec(("smap",), 3, 1.0))
SHAPE = NetworkShape(EncoderShape(width=4, max_width=8), 8, 8, 16, dropout=0.1, noise=0.05)
SCHEDULE = TrainingConfig(epochs=12, batch_size=64, learning_rate=1e-2, patience=12, per_sensor=4)
SENSORS, MOMENTS = 30, 24


def write_store(path: Path, holds: InputSpec = NEEDS, labels: bool = True) -> SampleStore:
    """Simulated samples whose soil moisture is 0.05 + 0.6 smap + 0.2 sand, with a little noise."""
    rng = np.random.default_rng(3)
    sensor = np.repeat(np.arange(SENSORS), MOMENTS)
    sand, smap = rng.uniform(0.1, 0.9, SENSORS)[sensor], rng.uniform(0.05, 0.4, sensor.size)
    given = {"sand": sand, "smap": smap}
    cells = np.stack([given[name] for name in holds.cells], axis=1).astype(np.float32)
    history = smap[:, None, None] + rng.normal(0, 0.02, (sensor.size, holds.history.steps, 1))
    index = pd.DataFrame({"network": "SIMULATED", "station": sensor.astype(str), "sensor": "a"}).assign(
        lat=sensor / 10, lon=sensor / 5, time=pd.Timestamp("2021-01-01") + pd.to_timedelta(np.tile(range(24), 30), "D")
    )
    if labels:
        index["soil_moisture_in_situ"] = 0.05 + 0.6 * smap + 0.2 * sand + rng.normal(0, 0.005, sensor.size)
    past = history[:, :, : len(holds.history.variables)].astype(np.float32)
    with SampleWriter.open(path, holds, {}, simulated=True) as writer:
        writer.append(Samples(index, cells, past))
    return SampleStore.open(path)


@dataclass(frozen=True)
class SmallLessons:
    samples: int = 32

    def training(self, epoch: int, share: Share, start: int = 0) -> Iterator[Labelled]:
        del epoch, share
        yield from [self._batch(1)][start:]

    def validation(self, share: Share) -> Iterator[Labelled]:
        del share
        yield self._batch(2)

    def _batch(self, seed: int) -> Labelled:
        rng = np.random.default_rng(seed)
        cells, label = rng.random((self.samples, 2), np.float32), rng.random(self.samples, np.float32)
        history, sensor = np.zeros((self.samples, 3, 1), np.float32), torch.arange(self.samples) // 4
        truth = Labels(torch.from_numpy(label), sensor, torch.ones(self.samples), *2 * [torch.arange(self.samples)])
        return Batch.of_samples(None, cells, history), truth


def small_network() -> FusionNetwork:
    torch.manual_seed(0)
    names = ("sand", "smap", "soil_moisture")
    return FusionNetwork(NEEDS, SHAPE, ScalingStats(dict.fromkeys(names, 0.5), dict.fromkeys(names, 0.3)))
