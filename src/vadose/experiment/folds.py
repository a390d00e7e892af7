"""Folds of an experiment: training, validation and test samples."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.dataset import (
    Fold,
    SampleStore,
    check_leakage,
    holdout,
    kfold,
    leave_one_out,
    temporal_split,
    validation_split,
    years,
)
from vadose.dataset.layout import IDENTITY
from vadose.dataset.scaling import never_observed
from vadose.errors import VadoseError
from vadose.experiment.config import SplitPlan
from vadose.fusion import InputSpec


def folds_of(plan: SplitPlan, store: SampleStore, history_days: float = 0.0) -> list[Fold]:
    """Return the folds of the labelled samples, each verified to share no place, or by year no time, between its parts.

    Args:
        plan: plan of the split.
        store: store of the samples.
        history_days: length of a model's history: the default gap of a split by year.

    Raises:
        VadoseError: there are no labels, too few places or years, or two parts of a fold are not separate.
    """
    rows = np.flatnonzero(np.isfinite(store.labels(store.rows)))
    if not len(rows):
        raise VadoseError(
            f"training: labelled samples of {store.path}",
            f"0 of {len(store)} have a label",
            "Give samples with in-situ soil moisture; samples without it can only be estimated",
        )
    index = store.index.iloc[rows]
    gap_days = history_days if plan.gap_days is None else plan.gap_days
    folds = [_apart(plan, index, fold, gap_days) for fold in _held_out(plan, index)]
    return [Fold(rows[fold.train], rows[fold.test], rows[fold.validation]) for fold in folds]


def way_of(plan: SplitPlan) -> str:
    """Return a description of the split."""
    if plan.test_years:
        return f"{', '.join(map(str, plan.test_years))} held out"
    apart = f"{plan.grouping.block_degrees:g} degree block" if plan.grouping.by == "block" else plan.grouping.by
    if plan.leave_one_out:
        return f"each {apart} held out once"
    way = f"{plan.folds}-fold cross-validation" if plan.folds else f"{plan.test_fraction:.0%} of the samples held out"
    return f"{way} by {apart}"


def learned_from(index: pd.DataFrame, fold: Fold) -> NDArray[np.bool_]:
    """Return whether a fold's models were trained on the sensor of each test row: never, except by year."""
    learned, judged = (index.iloc[rows][list(IDENTITY)] for rows in ([*fold.train, *fold.validation], fold.test))
    return np.asarray(pd.MultiIndex.from_frame(judged).isin(pd.MultiIndex.from_frame(learned)))


def check_observed(needs: InputSpec, store: SampleStore, folds: Sequence[Fold]) -> None:
    """Verify that every predictor was observed among the training samples of every fold.

    Raises:
        VadoseError: a predictor was not; the message names it with its folds.
    """
    unobserved = [(name, n) for n, fold in enumerate(folds) for name in never_observed(store, fold.train, needs)]
    if unobserved:
        raise VadoseError(
            f"training: {', '.join(sorted(needs.names))} in each of {len(folds)} folds of {store.path}",
            f"Never observed in training: {', '.join(f'{name} in fold {number}' for name, number in unobserved)}",
            "Leave these out of the predictors, or give samples of more places that have them, or fewer folds",
        )


def _held_out(plan: SplitPlan, index: pd.DataFrame) -> list[Fold]:
    """Return the test rows of each fold, and all others for training."""
    if plan.test_years:
        return [years(index, plan.test_years)]
    if plan.test_fraction:
        return [holdout(index, plan.grouping, plan.test_fraction, plan.seed)]
    split = kfold(index, plan.grouping, plan.folds, plan.seed) if plan.folds else leave_one_out(index, plan.grouping)
    return [split.fold(number) for number in range(len(split.folds))]


def _apart(plan: SplitPlan, index: pd.DataFrame, fold: Fold, gap_days: float) -> Fold:
    """Return a fold with its validation rows, verified to have separate parts."""
    if plan.by_year:
        fold = temporal_split(index, fold, plan.validation_fraction, gap_days)
        check_leakage(index, (fold.train, fold.validation, fold.test), buffer_km=None, gap_days=gap_days)
    else:
        fold = validation_split(index, fold, plan.grouping, plan.validation_fraction, plan.seed)
        check_leakage(index, (fold.train, fold.validation, fold.test), plan.grouping.buffer_km)
    return fold
