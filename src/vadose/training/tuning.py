"""Tuning of boosted trees on the training places alone: a random search with an inner cross-validation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.dataset import Fold, SpatialGroups, kfold
from vadose.dataset.layout import IDENTITY
from vadose.models.baselines import Reads

if TYPE_CHECKING:
    import lightgbm

DRAWS = 6
"""Number of random choices besides the default."""
TOGETHER = 4
"""Number of best choices in the ensemble: with few places, the best one alone is partly a matter of luck."""
INNER_FOLDS = 3
STAGES = (75, 150, 300)
"""Numbers of trees to compare."""
MOST_SAMPLES = 20_000
"""Largest number of samples in the search, evenly chosen; the chosen trees are fitted to all."""
FIXED = {"objective": "l2", "bagging_fraction": 0.7, "bagging_freq": 1, "deterministic": True, "verbosity": -1}

Numbers = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Choice:
    """Hyperparameters of trees.

    Attributes:
        reads: inputs from the history.
        group_weight_power: 0 for equal weights of samples, 1 of places, 0.5 for a compromise.
        trees: number of trees.
        num_leaves, min_data_in_leaf, learning_rate, feature_fraction, lambda_l2: of LightGBM.
    """

    reads: Reads = "columns"
    group_weight_power: float = 0.5
    trees: int = 300
    num_leaves: int = 15
    min_data_in_leaf: int = 40
    learning_rate: float = 0.03
    feature_fraction: float = 0.3
    lambda_l2: float = 5.0

    @classmethod
    def random(cls, rng: np.random.Generator, kinds: Sequence[Reads]) -> "Choice":
        """Return random hyperparameters with one of some kinds of inputs."""
        return cls(
            reads=kinds[int(rng.integers(len(kinds)))],
            group_weight_power=float(rng.choice([0.0, 0.5])),
            num_leaves=int(rng.choice([7, 15, 31])),
            min_data_in_leaf=int(rng.choice([20, 40, 100, 200])),
            learning_rate=float(rng.choice([0.03, 0.05, 0.08])),
            feature_fraction=float(rng.choice([0.1, 0.2, 0.3, 0.5])),
            lambda_l2=float(rng.choice([1.0, 5.0, 20.0])),
        )

    def parameters(self, seed: int, threads: int) -> dict[str, Any]:
        """Return the parameters of LightGBM."""
        names = ("num_leaves", "min_data_in_leaf", "learning_rate", "feature_fraction", "lambda_l2")
        return FIXED | {name: getattr(self, name) for name in names} | {"seed": seed, "num_threads": threads}


@dataclass(frozen=True)
class _Attempt:
    """A choice, its loss on inner held-out places, and its root mean square error there, m3 m-3."""

    loss: float
    choice: Choice
    rmse: float


@dataclass(frozen=True, eq=False)
class Learning:
    """Training data of trees.

    Attributes:
        tables: tables by kind of inputs, (sample, column).
        label: (sample,), m3 m-3.
        index: index of the samples, as in a store.
        grouping: grouping of the inner folds.
    """

    tables: Mapping[Reads, NDArray[np.float32]]
    label: NDArray[np.float32]
    index: pd.DataFrame
    grouping: SpatialGroups

    def grow(self, choice: Choice, rows: Rows, seed: int, threads: int) -> "lightgbm.Booster":
        """Return trees of a choice, fitted to some samples."""
        import lightgbm  # noqa: PLC0415 - slow to import, and not needed for networks

        group = self.grouping.of(self.index.iloc[rows])
        weight = np.bincount(group)[group] ** -choice.group_weight_power
        data = lightgbm.Dataset(
            self.tables[choice.reads][rows], self.label[rows], weight=weight, params={"verbosity": -1}
        )
        return lightgbm.train(choice.parameters(seed, threads), data, choice.trees)

    def part(self, rows: Rows) -> "Learning":
        """Return some of the samples."""
        tables = {reads: table[rows] for reads, table in self.tables.items()}
        return Learning(tables, self.label[rows], self.index.iloc[rows], self.grouping)


def tuned(data: Learning, seed: int, threads: int) -> list[tuple[Choice, float]]:
    """Return the best choices on inner held-out places, each with its root mean square error there, m3 m-3.

    The criterion is the mean over sensors of RMSE and of ubRMSE, in equal parts.
    """
    rng = np.random.default_rng(seed)
    if len(data.label) > MOST_SAMPLES:
        data = data.part(np.sort(rng.permutation(len(data.label))[:MOST_SAMPLES]))
    folds = _inner(data, seed)
    kinds = tuple(data.tables)
    choices = [Choice(), *(Choice.random(rng, kinds) for _ in range(DRAWS))]
    tried = [min(_attempts(data, choice, folds, seed, threads), key=_loss_of) for choice in choices]
    return [(attempt.choice, attempt.rmse) for attempt in sorted(tried, key=_loss_of)[:TOGETHER]]


def _inner(data: Learning, seed: int) -> list[Fold]:
    groups = int(data.grouping.of(data.index).max()) + 1
    split = kfold(data.index, data.grouping, min(INNER_FOLDS, groups), seed)
    return [split.fold(number) for number in range(len(split.folds))]


def _attempts(data: Learning, choice: Choice, folds: list[Fold], seed: int, threads: int) -> Iterator[_Attempt]:
    """Yield a choice with each number of trees."""
    estimates = np.empty((len(STAGES), len(data.label)))
    for fold in folds:
        booster = data.grow(replace(choice, trees=STAGES[-1]), fold.train, seed, threads)
        table = data.tables[choice.reads][fold.test]
        for stage, trees in enumerate(STAGES):
            estimates[stage, fold.test] = booster.predict(table, num_iteration=trees)
    sensor = np.asarray(data.index.groupby(list(IDENTITY), sort=False).ngroup(), np.intp)
    for trees, estimate in zip(STAGES, estimates, strict=True):
        error = estimate - data.label
        yield _Attempt(_loss(error, sensor), replace(choice, trees=trees), float(np.sqrt(np.mean(error**2))))


def _loss_of(attempt: _Attempt) -> float:
    return attempt.loss


def _loss(error: Numbers, sensor: Rows) -> float:
    count = np.bincount(sensor)
    bias = np.bincount(sensor, error) / count
    square = np.bincount(sensor, error**2) / count
    return float(np.mean(np.sqrt(square)) + np.mean(np.sqrt(np.clip(square - bias**2, 0, None)))) / 2
