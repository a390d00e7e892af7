"""Fitting of the fusion network to the training samples."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vadose.dataset import ChipCache, SampleStore, ScalingStats, batches
from vadose.dataset.layout import IDENTITY
from vadose.errors import VadoseError
from vadose.fusion import InputSpec
from vadose.models import Batch, FusionNetwork, NetworkShape, by_own_record
from vadose.training.batch_io import Labelled, pinned, some
from vadose.training.checkpoint import load_network
from vadose.training.compute import DEFAULT, ComputeConfig
from vadose.training.config import TrainingConfig
from vadose.training.distributed import Report, Share
from vadose.training.loop import Progress, fit
from vadose.training.objective import Labels
from vadose.variables import SOIL_MOISTURE

Rows = NDArray[np.intp]
DAY_S = 86_400


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Samples for the training of a model.

    Attributes:
        store: store of samples with labels.
        training: rows to fit.
        validation: rows of other sensors, for early stopping.
    """

    store: SampleStore
    training: Rows
    validation: Rows

    def __post_init__(self) -> None:
        if not len(self.training) or not len(self.validation):
            raise VadoseError(
                "training: samples to fit",
                f"There are {len(self.training)} to fit and {len(self.validation)} of other sensors to validate",
                "Give samples of more sensors, or fewer folds",
            )


@dataclass(frozen=True, eq=False)
class _SampleModule:
    """Batches of training and validation samples; see `loop.DataModule`.

    Attributes:
        places: training and validation samples.
        needs: order of the inputs.
        schedule: batch size and order.
        machine: target of the batches.
    """

    places: TrainingRows
    needs: InputSpec
    schedule: TrainingConfig
    machine: ComputeConfig = DEFAULT

    def __getstate__(self) -> dict[str, Any]:
        """Return only the fields for pickling, without cached chips."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @cached_property
    def chips(self) -> ChipCache:
        """Return the chips of all samples, cached from epoch to epoch."""
        return ChipCache(self.places.store, self.needs.pixels, self.needs.halo)

    @cached_property
    def rows(self) -> Rows:
        """Return the training rows."""
        places = self.places
        return places.training if self.schedule.patience else np.concatenate([places.training, places.validation])

    @cached_property
    def scenes(self) -> torch.Tensor:
        """Return the number of the network's time of each row of the store."""
        number = self.places.store.index.groupby(["network", "time"], sort=False).ngroup()
        return torch.from_numpy(number.to_numpy(copy=True))

    @property
    def samples(self) -> int:
        """Return the number of batches in one epoch."""
        return len(self.rows)

    def training(self, epoch: int, share: Share = (0, 1), start: int = 0) -> Iterator[Labelled]:
        """Shuffled."""
        return self.labelled(self.rows, epoch, share, start)

    def validation(self, share: Share = (0, 1)) -> Iterator[Labelled]:
        """Return the validation batches, in order."""
        return self.labelled(self.places.validation, None, share)

    def labelled(self, rows: Rows, epoch: int | None, share: Share = (0, 1), start: int = 0) -> Iterator[Labelled]:
        """Yield batches of some rows from a start row on, in order if there is no epoch."""
        store, schedule = self.places.store, self.schedule
        size, together, shuffle = schedule.batch_size, schedule.per_sensor, epoch is not None
        weight = torch.zeros(len(store))
        weight[rows] = torch.from_numpy(_site_weight(store, rows, schedule.block_degrees))
        order = (size, schedule.seed, epoch or 0, shuffle, together, self.chips)
        networks = schedule.weights.space > 0
        turn, readers = schedule.augment and shuffle, self.machine.readers
        for samples in batches(
            store, rows, self.needs, *order, start=start, turn=turn, readers=readers, networks=networks
        ):
            raw = Batch.of_samples(samples.pixels, samples.cells, samples.history, samples.times)
            batch = by_own_record(raw, self.needs)
            label, sensor = torch.from_numpy(samples.label), torch.from_numpy(samples.sensors)
            day = torch.from_numpy(samples.times.astype("datetime64[s]").astype(np.float64) / DAY_S)
            given = _part(
                batch, Labels(label, sensor, weight[samples.rows], day.float(), self.scenes[samples.rows]), share
            )
            yield pinned(given) if self.machine.kind == "cuda" else given


def fit_network(
    places: TrainingRows,
    needs: InputSpec,
    shape: NetworkShape,
    schedule: TrainingConfig,
    state: Path,
    report: Report = lambda _: None,
    machine: ComputeConfig = DEFAULT,
    start: Path | None = None,
) -> tuple[FusionNetwork, ScalingStats, Progress]:
    """Fit the fusion network, or a smaller one of the same kind for fewer `needs`; see `loop.fit`.

    Args:
        start: checkpoint of a network of the same inputs and size: its weights and scaling are the beginning.
    """
    machine.check()
    if schedule.weights.space and machine.accumulate > 1:
        raise VadoseError(
            f"training: {machine.accumulate} micro-batches",
            "The correlation in space (weights.space) is of whole networks, which micro-batches divide",
            "Leave out --accumulate, or the weight",
        )
    lessons = _SampleModule(places, needs, schedule, machine)
    torch.manual_seed(schedule.seed)
    if start is not None:
        network, scaling = load_network(start)
    else:
        scaling = _with_label(
            ScalingStats.fit(places.store, places.training, needs).relative(needs.own_record.variables), places
        )
        network = FusionNetwork(needs, shape, scaling)
        network.fit_columns(lambda: (batch for batch, _ in lessons.labelled(lessons.rows, None)))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network, scaling, fit(network, lessons, schedule, state, report, machine)


def _part(batch: Batch, truth: Labels, share: Share) -> Labelled:
    """Return the sensors of a batch that belong to one process, each of them complete."""
    rank, processes = share
    if processes == 1:
        return batch, truth
    number = torch.unique(truth.sensor, return_inverse=True)[1]
    rows = torch.nonzero(number % processes == rank)[:, 0]
    return some(batch, rows), truth.some(rows)


def _site_weight(store: SampleStore, rows: Rows, block_degrees: float) -> NDArray[np.float32]:
    """Return 1 over the number of sensors in the block of each row's sensor."""
    index = store.index.iloc[rows]
    block = [np.floor(index[name] / block_degrees) for name in ("lat", "lon")]
    sensor = index.groupby(list(IDENTITY), sort=False).ngroup()
    return (1 / sensor.groupby(block).transform("nunique")).to_numpy(np.float32)


def _with_label(scaling: ScalingStats, places: TrainingRows) -> ScalingStats:
    labels = places.store.labels(places.training).astype(np.float64)
    mean = {**scaling.mean, SOIL_MOISTURE.name: float(labels.mean())}
    return ScalingStats(mean, {**scaling.std, SOIL_MOISTURE.name: float(labels.std()) or 1.0})
