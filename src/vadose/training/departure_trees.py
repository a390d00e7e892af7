"""Fitting of boosted trees on standardised departures."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from vadose.dataset import SpatialGroups, kfold
from vadose.errors import VadoseError
from vadose.fusion import InputSpec
from vadose.models.departure_trees import FARTHEST, DepartureTrees, TreesError, time_invariant_columns
from vadose.models.feature_columns import feature_columns
from vadose.models.feature_extractor import FeatureExtractor
from vadose.models.tree_tensors import TreeTensors
from vadose.training.baselines import batch_of, sensors_of
from vadose.training.fit import TrainingRows
from vadose.training.source_dropout import drop_sources

if TYPE_CHECKING:
    import lightgbm

FIXED = {"objective": "l2", "bagging_fraction": 0.7, "bagging_freq": 1, "deterministic": True, "verbosity": -1}
OF_DEPARTURES = {"learning_rate": 0.03, "num_leaves": 15, "min_data_in_leaf": 60, "feature_fraction": 0.4}
OF_PLACES = {"learning_rate": 0.03, "num_leaves": 4, "min_data_in_leaf": 200, "feature_fraction": 0.4}
SHRINKAGE = {"lambda_l2": 5.0}
DEPARTURE_TREES, PLACE_TREES = 300, 150
SEEDS = 3
"""Sets of trees with different seeds, which are averaged."""
RIDGE = 1.0
"""Strength of the ridge regression of the level, relative to the sum of the weights; few places cannot choose it."""
FEWEST = 10
"""Smallest number of samples of a sensor with a standard deviation of its own."""
INNER_FOLDS = 3

Numbers = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _Data:
    """Training samples.

    The arrays have every sample once or twice, the second time with sources removed.

    Attributes:
        columns: (sample, column); NaN where missing.
        invariant: numbers of the columns that describe the place, as an array.
        level, std: of the label of each sample's sensor, m3 m-3.
        label: m3 m-3.
        sensor: sensor numbers.
        crowd: number of sensors in the group of each sample's sensor.
        samples: number of samples without copies.
        seed, threads: of the trees.
    """

    columns: NDArray[np.float32]
    invariant: Rows
    level: Numbers
    std: Numbers
    label: Numbers
    sensor: Rows
    crowd: Numbers
    samples: int
    seed: int
    threads: int

    def with_removed(self, rows: Rows) -> Rows:
        """Return rows with their copies."""
        return np.concatenate([rows, rows + self.samples]) if len(self.label) > self.samples else rows

    def boosted(self, rows: Rows, target: Numbers, weight: Numbers, invariant: bool) -> TreeTensors:
        """Fit trees to some samples."""
        table = self.columns[np.ix_(rows, self.invariant)] if invariant else self.columns[rows]
        if not table.shape[1]:
            return TreeTensors.constant(float(np.average(target, weights=weight)))
        kind, trees = (OF_PLACES, PLACE_TREES) if invariant else (OF_DEPARTURES, DEPARTURE_TREES)
        return TreeTensors.of([self._grown(table, target, weight, kind, trees, number) for number in range(SEEDS)])

    def _grown(
        self,
        table: NDArray[np.float32],
        target: Numbers,
        weight: Numbers,
        kind: dict[str, Any],
        trees: int,
        number: int,
    ) -> "lightgbm.Booster":
        import lightgbm  # noqa: PLC0415 - slow to import, and not needed for estimates

        data = lightgbm.Dataset(table, target, weight=weight, params={"verbosity": -1})
        own = {"seed": self.seed * SEEDS + number, "num_threads": self.threads}
        return lightgbm.train(FIXED | SHRINKAGE | kind | own, data, trees)


def fit_departure_trees(
    places: TrainingRows, needs: InputSpec, season: bool, seed: int, grouping: SpatialGroups, source_dropout: float
) -> DepartureTrees:
    """Fit level, amplitude and departures to all training places; validation places are used like the others.

    The level of a place drifts where its record is short. Departures are therefore those of the label minus the fitted
    level, less their mean over the sensor: the trees learn to compensate the drift, and no error of the level. Sensors
    of a group share one weight in the level and in the amplitude, and its square root in the departures. Errors at
    other places come from an inner cross-validation.

    Args:
        places: training places.
        needs: inputs; of pixels the means over cells are read.
        season: whether the day of the year is an input.
        seed: seed of the trees.
        grouping: sensors that stay together.
        source_dropout: probability that a source is removed from a copy of each sample, to which the trees are fitted
            too, so that they work without it; 0 for no copies.

    Raises:
        VadoseError: no sensor has enough samples.
    """
    rows = np.sort(np.concatenate([places.training, places.validation]))
    index = places.store.index.iloc[rows]
    columns = feature_columns(needs, season)
    means = replace(needs, cells=tuple(dict.fromkeys((*needs.cells, *needs.pixels))), pixels=(), halo=0)
    batch = batch_of(places.store, rows, means)
    copies = [batch]
    if source_dropout:
        copies.append(drop_sources(batch, means, source_dropout, torch.Generator().manual_seed(seed)))
    values = np.concatenate([FeatureExtractor.of(one, means).columns(columns)[:, :, 0, 0].numpy() for one in copies])
    sensor, label = sensors_of(places.store, rows), places.store.labels(rows).astype(np.float64)
    count = np.bincount(sensor)
    level = np.bincount(sensor, label) / count
    std = np.sqrt(np.bincount(sensor, (label - level[sensor]) ** 2) / count)
    group = grouping.of(index)
    crowd = np.bincount(np.unique(np.stack([group, sensor]), axis=1)[0])[group].astype(np.float64)
    tiled = [np.tile(one, len(copies)) for one in (level[sensor], std[sensor], label, sensor, crowd)]
    invariant, threads = np.array(time_invariant_columns(columns), np.intp), torch.get_num_threads()
    data = _Data(values, invariant, tiled[0], tiled[1], tiled[2], tiled[3], tiled[4], len(rows), seed, threads)
    known = np.flatnonzero((count[sensor] >= FEWEST) & (std[sensor] > 0))
    if not len(known):
        raise VadoseError(
            "training: trees on departures",
            f"No sensor has {FEWEST} samples that differ",
            "Give samples of more times, or leave departure_trees out of the ensemble",
        )
    error = _error_elsewhere(data, known, index.iloc[known], grouping, needs, season)
    return _fitted(data, known, needs, season, error)


def _error_elsewhere(
    data: _Data, rows: Rows, index: Any, grouping: SpatialGroups, needs: InputSpec, season: bool
) -> TreesError:
    """Return the errors at inner held-out places."""
    groups = int(grouping.of(index).max()) + 1
    if groups < 2:
        return TreesError(float(data.label[rows].std()), 1.0)
    split = kfold(index, grouping, min(INNER_FOLDS, groups), data.seed)
    folds = [split.fold(number) for number in range(len(split.folds))]
    weight = 1 / data.crowd / np.bincount(data.sensor)[data.sensor]

    of_level, of_departure = np.empty(len(data.label)), np.empty(len(data.label))
    for fold in folds:
        model = _fitted(data, rows[fold.train], needs, season, TreesError(0.0, 0.0))
        test = rows[fold.test]
        table = torch.from_numpy(data.columns[test])
        level = model.level(table).numpy()
        of_level[test] = level - data.level[test]
        of_departure[test] = model.departure(table).numpy() - _departures(data, test, level)
    errors = (_root_mean_square(one[rows], weight[rows]) for one in (of_level, of_departure))
    return TreesError(*errors)


def _fitted(data: _Data, rows: Rows, needs: InputSpec, season: bool, error: TreesError) -> DepartureTrees:
    rows = data.with_removed(rows)
    mean, std, slope, intercept = _ridge(data, rows)
    level = _scaled(data.columns[np.ix_(rows, data.invariant)], mean, std) @ slope + intercept
    amplitude = data.boosted(rows, np.log(data.std[rows]), 1 / data.crowd[rows], invariant=True)
    departure = data.boosted(rows, _departures(data, rows, level), data.crowd[rows] ** -0.5, invariant=False)
    model = DepartureTrees(needs, season, amplitude, departure, error)
    for name, values in {"mean": mean, "std": std, "slope": slope, "intercept": np.asarray(intercept)}.items():
        getattr(model, name).copy_(torch.from_numpy(values))
    return model.eval()


def _departures(data: _Data, rows: Rows, level: Numbers) -> Numbers:
    """Return departures of the label from a fitted level, less their mean over the sensor, in standard deviations."""
    apart = data.label[rows] - level
    count = np.maximum(np.bincount(data.sensor[rows]), 1)
    return np.asarray((apart - (np.bincount(data.sensor[rows], apart) / count)[data.sensor[rows]]) / data.std[rows])


def _ridge(data: _Data, rows: Rows) -> tuple[Numbers, Numbers, Numbers, float]:
    """Return mean and standard deviation of the invariant columns, and slope and intercept of the level (Hoerl and
    Kennard, Technometrics 12:55-67, 1970).
    """
    values, weight = data.columns[np.ix_(rows, data.invariant)].astype(np.float64), 1 / data.crowd[rows]
    there = np.isfinite(values)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, values, 0).sum(axis=0) / count
    std = np.sqrt((np.where(there, values - mean, 0) ** 2).sum(axis=0) / count)
    std = np.where(std > 0, std, 1.0)
    scaled = _scaled(values, mean, std)
    middle, target = np.average(scaled, axis=0, weights=weight), np.average(data.level[rows], weights=weight)
    centred = scaled - middle
    normal = (centred * weight[:, None]).T @ centred + RIDGE * weight.sum() * np.eye(len(mean))
    slope = np.linalg.solve(normal, (centred * weight[:, None]).T @ (data.level[rows] - target))
    return mean, std, slope, float(target - middle @ slope)


def _scaled(values: NDArray[Any], mean: Numbers, std: Numbers) -> Numbers:
    return np.asarray(np.clip(np.nan_to_num((values.astype(np.float64) - mean) / std), -FARTHEST, FARTHEST))


def _root_mean_square(errors: Numbers, weight: Numbers) -> float:
    return float(np.sqrt(np.average(errors**2, weights=weight)))
