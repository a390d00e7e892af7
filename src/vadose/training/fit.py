"""One fitted model of each kind, from the samples of the training places."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import torch
from numpy.typing import NDArray

from vadose.fusion import Needs
from vadose.models import Batch, FusionNetwork, NetworkShape, Product, Trees
from vadose.models.baselines import table_of
from vadose.refusal import Refusal
from vadose.samples import Chips, SampleStore, Scaling, batches
from vadose.samples.layout import IDENTITY
from vadose.training.loop import Labelled, Progress, Schedule, fit
from vadose.training.objective import Truth
from vadose.variables import SOIL_MOISTURE

Rows = NDArray[np.intp]
ROUNDS = 2000
TREES = {"objective": "l2", "learning_rate": 0.03, "num_leaves": 15, "min_data_in_leaf": 40, "feature_fraction": 0.5}
TREES_RANDOM = {"bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 5.0, "deterministic": True, "verbosity": -1}


@dataclass(frozen=True, eq=False)
class Places:
    """Samples of the places a model may learn from.

    Attributes:
        store: of samples with labels.
        training: rows to fit.
        validation: rows of other sensors, to say when to stop.
    """

    store: SampleStore
    training: Rows
    validation: Rows

    def __post_init__(self) -> None:
        if not len(self.training) or not len(self.validation):
            raise Refusal(
                "training: samples to learn from",
                f"{len(self.training)} to fit and {len(self.validation)} of other sensors to validate",
                "Give samples of more sensors, or fewer folds",
            )


def fit_network(
    places: Places,
    needs: Needs,
    shape: NetworkShape,
    schedule: Schedule,
    state: Path,
    report: Callable[[dict[str, float]], None] = lambda _: None,
) -> tuple[FusionNetwork, Scaling, Progress]:
    """Fit the fusion network, or a smaller one of the same kind when `needs` are fewer; see `loop.fit`."""
    scaling = _with_label(Scaling.fit(places.store, places.training, needs), places)
    torch.manual_seed(schedule.seed)
    network = FusionNetwork(needs, shape, scaling)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    chips = Chips(places.store, needs.pixels, needs.halo)
    rows = places.training if schedule.patience else np.concatenate([places.training, places.validation])
    network.fit_columns(batch for batch, _ in _labelled(chips, rows, needs, schedule, None))

    def training(epoch: int) -> Iterator[Labelled]:
        return _labelled(chips, rows, needs, schedule, epoch)

    def validation(_: int) -> Iterator[Labelled]:
        return _labelled(chips, places.validation, needs, schedule, None)

    progress = fit(network, training, validation, schedule, state, report)
    return network, scaling, progress


def fit_product(places: Places, variable: str) -> Product:
    """A product with the spread of its error over the training places."""
    values = places.store.cells((variable,), places.training)[:, 0]
    error = values - places.store.labels(places.training)
    return Product(variable, float(np.nanstd(error)))


def fit_trees(places: Places, needs: Needs, seed: int) -> Trees:
    """Boosted trees, stopped when other sensors say so."""
    sets = []
    for rows in (places.training, places.validation):
        values = table_of(_whole(places.store, rows, needs), needs)
        sets.append(lightgbm.Dataset(values, places.store.labels(rows), params={"verbosity": -1}))
    stop = lightgbm.early_stopping(50, verbose=False)
    parameters = TREES | TREES_RANDOM | {"seed": seed, "num_threads": torch.get_num_threads()}
    booster = lightgbm.train(parameters, sets[0], ROUNDS, valid_sets=[sets[1]], callbacks=[stop])
    error = booster.predict(table_of(_whole(places.store, places.validation, needs), needs))
    return Trees(needs, booster, float(np.std(np.asarray(error) - places.store.labels(places.validation))))


def _labelled(chips: Chips, rows: Rows, needs: Needs, schedule: Schedule, epoch: int | None) -> Iterator[Labelled]:
    shuffle = epoch is not None
    size, together = schedule.batch_size, schedule.per_sensor
    alone = torch.zeros(len(chips.store))
    alone[rows] = torch.from_numpy(_alone(chips.store, rows, schedule.block_degrees))
    for samples in batches(chips.store, rows, needs, size, schedule.seed, epoch or 0, shuffle, together, chips):
        batch = Batch.of_samples(samples.pixels, samples.cells, samples.history, samples.times)
        label, sensor = torch.from_numpy(samples.label), torch.from_numpy(samples.sensors)
        yield batch, Truth(label, sensor, alone[samples.rows])


def _alone(store: SampleStore, rows: Rows, block_degrees: float) -> NDArray[np.float32]:
    """One over the number of sensors in the block of each row's sensor."""
    index = store.index.iloc[rows]
    block = [np.floor(index[name] / block_degrees) for name in ("lat", "lon")]
    sensor = index.groupby(list(IDENTITY), sort=False).ngroup()
    return (1 / sensor.groupby(block).transform("nunique")).to_numpy(np.float32)


def _with_label(scaling: Scaling, places: Places) -> Scaling:
    labels = places.store.labels(places.training).astype(np.float64)
    mean = {**scaling.mean, SOIL_MOISTURE.name: float(labels.mean())}
    return Scaling(mean, {**scaling.std, SOIL_MOISTURE.name: float(labels.std()) or 1.0})


def _whole(store: SampleStore, rows: Rows, needs: Needs) -> Batch:
    return Batch.of_samples(None, store.cells(needs.cells, rows), store.history(needs.history, rows))
