"""Splits by place, network or year, never by random rows."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.dataset.leakage import days_apart
from vadose.dataset.spatial_groups import SpatialGroups
from vadose.errors import VadoseError
from vadose.grid import nanoseconds

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Fold:
    """Training and test rows; no row is in two parts, and each part is ascending.

    Attributes:
        train: rows to fit on.
        test: rows to score on, held out from all training.
        validation: training rows held out for early stopping; empty before `validation_split` or `temporal_split`.
    """

    train: Rows
    test: Rows
    validation: Rows = field(default_factory=lambda: np.empty(0, np.intp))


@dataclass(frozen=True, eq=False)
class Split:
    """All rows in folds, each row in exactly one.

    Attributes:
        folds: the test rows of each fold, ascending.
    """

    folds: tuple[Rows, ...]

    def fold(self, number: int) -> Fold:
        """Return one fold to test on, and all others to train on."""
        others = [rows for other, rows in enumerate(self.folds) if other != number]
        return Fold(np.sort(np.concatenate(others)), self.folds[number])


def kfold(index: pd.DataFrame, grouping: SpatialGroups, folds: int, seed: int) -> Split:
    """Assign whole groups to folds of similar numbers of samples.

    Larger groups are assigned first, each to the fold with the fewest samples, so that folds differ by at most the
    largest group; the seed orders groups of equal size.

    Args:
        index: index of a sample store.
        grouping: what remains together.
        folds: number of folds, 2 or more.
        seed: the same seed gives the same split.

    Raises:
        VadoseError: there are fewer groups than folds.
    """
    groups = grouping.of(index)
    sizes = np.bincount(groups)
    if not 2 <= folds <= sizes.size:
        raise VadoseError(
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


def leave_one_out(index: pd.DataFrame, grouping: SpatialGroups) -> Split:
    """Return a fold for every group, however small, in the order of the groups.

    Args:
        index: index of a sample store.
        grouping: what remains together, such as each network.

    Raises:
        VadoseError: there is only one group.
    """
    groups = grouping.of(index)
    count = int(groups.max(initial=-1)) + 1
    if count < 2:
        raise VadoseError(
            f"split: each {grouping.by} left out once, buffer {grouping.buffer_km:g} km",
            f"{len(index)} samples make {count} groups",
            "Group otherwise, or give samples of more than one",
        )
    return Split(tuple(np.flatnonzero(groups == group) for group in range(count)))


def years(index: pd.DataFrame, asked: Collection[int]) -> Fold:
    """Test on some years (UTC), train on all others.

    Raises:
        VadoseError: a year has no samples, or there is no other year.
    """
    year = index["time"].dt.year.to_numpy()
    held = np.isin(year, list(asked))
    absent = sorted(set(asked) - set(year.tolist()))
    if absent or held.all():
        raise VadoseError(
            f"split: {', '.join(map(str, sorted(asked)))} to test on and other years to train on",
            f"The samples are of {', '.join(map(str, np.unique(year)))}",
            "Ask for some of these years, not for all",
        )
    return Fold(np.flatnonzero(~held), np.flatnonzero(held))


def holdout(index: pd.DataFrame, grouping: SpatialGroups, fraction: float, seed: int) -> Fold:
    """Hold out whole groups, together at most a fraction of the samples; the smallest one if all are larger.

    Args:
        index: index of a sample store.
        grouping: what remains together.
        fraction: fraction of the samples, between 0 and 1.
        seed: the same seed gives the same rows.

    Raises:
        VadoseError: there is only one group.
    """
    groups = grouping.of(index)
    sizes = np.bincount(groups)
    if sizes.size < 2 or not 0 < fraction < 1:
        raise VadoseError(
            f"split: a fraction of {fraction:g} held out by {grouping.by}, buffer {grouping.buffer_km:g} km",
            f"{len(index)} samples make {sizes.size} groups",
            "Give a fraction between 0 and 1 and samples of 2 groups or more",
        )
    held = np.zeros(sizes.size, bool)
    for group in np.random.default_rng(seed).permutation(sizes.size):
        held[group] = sizes[held].sum() + sizes[group] <= fraction * len(index)
    if not held.any():
        held[np.argmin(sizes)] = True
    return Fold(np.flatnonzero(~held[groups]), np.flatnonzero(held[groups]))


def validation_split(index: pd.DataFrame, fold: Fold, grouping: SpatialGroups, fraction: float, seed: int) -> Fold:
    """Return the fold with whole groups of its training rows held out for validation.

    Args:
        index: index of the whole sample store.
        fold: whose training rows are divided.
        grouping, fraction, seed: as in `holdout`.

    Raises:
        VadoseError: as `holdout`.
    """
    parts = holdout(index.iloc[fold.train], grouping, fraction, seed)
    return replace(fold, train=fold.train[parts.train], validation=fold.train[parts.test])


def temporal_split(index: pd.DataFrame, fold: Fold, fraction: float, gap_days: float) -> Fold:
    """Return the fold with three parts separate in time, the last of the training rows held out for validation.

    Training rows within the gap of a test time are in no part, and neither are those within the gap of the first
    validation row: with a gap of the length of its history, a model sees no time of another part.

    Args:
        index: index of the whole sample store.
        fold: its test rows are of other times than its training rows, such as other years.
        fraction: fraction of the training rows, between 0 and 1.
        gap_days: smallest distance between rows of two parts, days.

    Raises:
        VadoseError: no rows remain for training or validation.
    """
    times = nanoseconds(index["time"].to_numpy())
    usable = fold.train[days_apart(times[fold.train], times[fold.test]) > gap_days]
    order = usable[np.argsort(times[usable], kind="stable")]
    cut = times[order[int((1 - fraction) * len(order))]] if len(order) else np.datetime64("NaT", "ns")
    validation = usable[times[usable] >= cut]
    rest = usable[times[usable] < cut]
    train = rest[days_apart(times[rest], times[validation]) > gap_days]
    if not len(train) or not len(validation):
        raise VadoseError(
            f"split: training, validation and test samples more than {gap_days:g} days apart",
            f"Of {len(fold.train)} samples of other years {len(usable)} are this far from the test samples, which "
            "leaves "
            f"{len(train)} for training and {len(validation)} for validation",
            "Give samples of more years, or a smaller gap_days (by default the length of the history)",
        )
    return Fold(train, fold.test, validation)
