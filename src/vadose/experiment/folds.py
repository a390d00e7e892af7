"""Which samples an experiment learns from and which it is judged on."""

from collections.abc import Sequence

import numpy as np

from vadose.experiment.config import SplitPlan
from vadose.fusion import Needs
from vadose.refusal import Refusal
from vadose.samples import Fold, SampleStore, check_disjoint, holdout, inner, kfold
from vadose.samples.scaling import never_observed


def folds_of(plan: SplitPlan, store: SampleStore) -> list[Fold]:
    """The folds of the labelled samples, each proved to share no place between its parts.

    Raises:
        Refusal: no labels, too few places, or two parts of a fold that are not apart.
    """
    rows = np.flatnonzero(np.isfinite(store.labels(store.rows)))
    if not len(rows):
        raise Refusal(
            f"training: labelled samples of {store.path}",
            f"0 of {len(store)} have a label",
            "Give samples with measured soil moisture; those without can be estimated",
        )
    index = store.index.iloc[rows]
    if plan.folds:
        split = kfold(index, plan.places, plan.folds, plan.seed)
        folds = [split.fold(number) for number in range(plan.folds)]
    else:
        folds = [holdout(index, plan.places, plan.test_fraction or 0.0, plan.seed)]
    folds = [inner(index, fold, plan.places, plan.validation_fraction, plan.seed) for fold in folds]
    for fold in folds:
        check_disjoint(index, (fold.train, fold.validation, fold.test), plan.places.buffer_km)
    return [Fold(rows[fold.train], rows[fold.test], rows[fold.validation]) for fold in folds]


def check_observed(needs: Needs, store: SampleStore, folds: Sequence[Fold]) -> None:
    """Make sure that every predictor was observed among the training samples of every fold.

    Raises:
        Refusal: one was not; the message names each with its folds.
    """
    unseen = [(name, n) for n, fold in enumerate(folds) for name in never_observed(store, fold.train, needs)]
    if unseen:
        raise Refusal(
            f"training: {', '.join(sorted(needs.names))} in each of {len(folds)} folds of {store.path}",
            f"Never observed in training: {', '.join(f'{name} in fold {number}' for name, number in unseen)}",
            "Leave these out of the predictors, or give samples of more places that have them, or fewer folds",
        )
