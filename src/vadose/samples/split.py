"""Splits by place, network or year, never by random rows, and the proof that their parts are disjoint."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.refusal import Refusal
from vadose.samples.places import Grouping, distance_km, pairs_within

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows to learn from and rows to be judged on; no row is in two of them, each ascending.

    Attributes:
        train: to fit on.
        test: to score on, never seen before.
        validation: set aside of the training places for early stopping; empty until `inner` is asked.
    """

    train: Rows
    test: Rows
    validation: Rows = field(default_factory=lambda: np.empty(0, np.intp))


@dataclass(frozen=True, eq=False)
class Split:
    """All rows in folds, each row in one.

    Attributes:
        folds: the test rows of each fold, ascending.
    """

    folds: tuple[Rows, ...]

    def fold(self, number: int) -> Fold:
        """One fold to test on, all others to train on."""
        others = [rows for other, rows in enumerate(self.folds) if other != number]
        return Fold(np.sort(np.concatenate(others)), self.folds[number])


def kfold(index: pd.DataFrame, grouping: Grouping, folds: int, seed: int) -> Split:
    """Deal whole groups into folds of about as many samples.

    The larger groups are dealt first, each to the fold that has the fewest samples, so that folds differ by at most
    the largest group; the seed orders groups of like size.

    Args:
        index: of a sample store.
        grouping: what stays together.
        folds: how many, 2 or more.
        seed: the same seed gives the same split.

    Raises:
        Refusal: fewer groups than folds.
    """
    groups = grouping.of(index)
    sizes = np.bincount(groups)
    if not 2 <= folds <= sizes.size:
        raise Refusal(
            f"split: {folds} folds by {grouping.by}, buffer {grouping.buffer_km:g} km",
            f"{len(index)} samples make {sizes.size} groups",
            f"Ask for 2 to {sizes.size} folds, or for smaller groups" if sizes.size > 1 else "Group otherwise",
        )
    order = np.random.default_rng(seed).permutation(sizes.size)
    order = order[np.argsort(-np.floor(np.log2(sizes[order])), kind="stable")]
    filled = np.zeros(folds, np.intp)
    fold_of = np.empty(sizes.size, np.intp)
    for group in order:
        fold_of[group] = np.argmin(filled)
        filled[fold_of[group]] += sizes[group]
    return Split(tuple(np.flatnonzero(fold_of[groups] == fold) for fold in range(folds)))


def holdout(index: pd.DataFrame, grouping: Grouping, fraction: float, seed: int) -> Fold:
    """Set whole groups aside, together at most a fraction of the samples; the smallest one if all are larger.

    Args:
        index: of a sample store.
        grouping: what stays together.
        fraction: of the samples, between 0 and 1.
        seed: the same seed gives the same rows.

    Raises:
        Refusal: a single group.
    """
    groups = grouping.of(index)
    sizes = np.bincount(groups)
    if sizes.size < 2 or not 0 < fraction < 1:
        raise Refusal(
            f"split: a fraction of {fraction:g} set aside by {grouping.by}, buffer {grouping.buffer_km:g} km",
            f"{len(index)} samples make {sizes.size} groups",
            "Give a fraction between 0 and 1 and samples of 2 groups or more",
        )
    held = np.zeros(sizes.size, bool)
    for group in np.random.default_rng(seed).permutation(sizes.size):
        held[group] = sizes[held].sum() + sizes[group] <= fraction * len(index)
    if not held.any():
        held[np.argmin(sizes)] = True
    return Fold(np.flatnonzero(~held[groups]), np.flatnonzero(held[groups]))


def inner(index: pd.DataFrame, fold: Fold, grouping: Grouping, fraction: float, seed: int) -> Fold:
    """The same fold with whole groups of its training rows set aside for validation.

    Args:
        index: of the whole sample store.
        fold: whose training rows are divided.
        grouping, fraction, seed: as in `holdout`.

    Raises:
        Refusal: as `holdout`.
    """
    parts = holdout(index.iloc[fold.train], grouping, fraction, seed)
    return replace(fold, train=fold.train[parts.train], validation=fold.train[parts.test])


def check_disjoint(index: pd.DataFrame, parts: Sequence[Rows], buffer_km: float = 0.0) -> None:
    """Prove that no place is in two parts, and that no two parts have sensors within a buffer of each other.

    Args:
        index: of the whole sample store.
        parts: rows of each part, such as `Split.folds` or the train, validation and test rows of a fold.
        buffer_km: sensors of two parts must be farther apart; 0 forbids shared places only.

    Raises:
        Refusal: two sensors of different parts are at one place or within the buffer; the message names them.
    """
    columns = ["network", "station", "sensor", "lat", "lon"]
    tables = [index.iloc[rows][columns].drop_duplicates().assign(part=part) for part, rows in enumerate(parts)]
    sensors = pd.concat(tables, ignore_index=True)
    part = sensors["part"].to_numpy()
    pairs = pairs_within(sensors["lat"].to_numpy(np.float64), sensors["lon"].to_numpy(np.float64), buffer_km)
    torn = pairs[part[pairs[:, 0]] != part[pairs[:, 1]]]
    if len(torn):
        one, other = (sensors.iloc[number] for number in torn[0])
        apart = distance_km(*(sensors[axis].to_numpy(np.float64)[torn[0]] for axis in ("lat", "lon")))
        raise Refusal(
            f"split: parts whose sensors are more than {buffer_km:g} km apart",
            f"{_name(one)} in part {one.part} and {_name(other)} in part {other.part} are {apart:.3f} km apart, "
            f"{len(torn)} pairs are too near",
            f"Group with buffer_km of {buffer_km:g} or more, by place, block or network",
        )


def _name(sensor: pd.Series) -> str:
    return f"{sensor.network} {sensor.station} {sensor.sensor}"
