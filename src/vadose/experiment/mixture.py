"""Weights of the kinds of members in an ensemble, chosen on held-out sensors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.dataset import Fold, SampleStore
from vadose.dataset.layout import IDENTITY, LABEL
from vadose.evaluation import Bootstrap
from vadose.experiment.config import Experiment, MemberKind
from vadose.inference import Ensemble, estimate_points
from vadose.models import Model

STEPS = 10
"""Number of steps of a weight from 0 to 1."""
ESTIMATE = "soil_moisture"


def choose_weights(estimates: Mapping[str, pd.DataFrame], min_samples: int) -> dict[str, float]:
    """Return weights in tenths: of those that are as good as the best, the most even.

    The loss of a sensor is 1 - R + RMSE / s, where s is the mean standard deviation of the readings of a sensor; the
    loss of a place is the mean over its sensors, and that of weights the mean over places. Weights are as good as the
    best if the loss is larger by at most one standard error of the difference between places (Breiman et al.,
    Classification and Regression Trees, 1984, section 3.4.3): few places cannot tell weights apart, and even ones are
    the safest.

    Args:
        estimates: estimates of the same samples by kind.
        min_samples: smallest number of samples of a sensor.

    Returns:
        Weights by kind, which sum to 1; equal ones if no sensor has enough samples.
    """
    kinds = list(estimates)
    first = estimates[kinds[0]]
    means = np.stack([estimates[kind][ESTIMATE].to_numpy(np.float64) for kind in kinds])
    label = first[LABEL].to_numpy(np.float64)
    known = np.isfinite(means).all(axis=0) & np.isfinite(label)
    sensor = first.groupby(list(IDENTITY), sort=False).ngroup().to_numpy()
    place = Bootstrap().blocks(*(first[axis].to_numpy(np.float64) for axis in ("lat", "lon")))
    rows = [np.flatnonzero(known & (sensor == one)) for one in np.unique(sensor)]
    rows = [own for own in rows if len(own) >= min_samples and np.ptp(label[own]) > 0]
    if not rows:
        return dict.fromkeys(kinds, 1 / len(kinds))
    scale = float(np.mean([label[own].std() for own in rows]))
    _, of, crowd = np.unique([place[own[0]] for own in rows], return_inverse=True, return_counts=True)

    def losses(weights: Sequence[float]) -> NDArray[np.float64]:
        mixed = np.asarray(weights) @ means
        return np.bincount(of, [_loss(mixed[own], label[own], scale) for own in rows]) / crowd

    tried = {weights: losses(weights) for weights in _simplex(len(kinds))}
    best = min(tried.values(), key=np.mean)
    even = min((weights for weights, one in tried.items() if _as_good(one, best)), key=lambda one: np.square(one).sum())
    return dict(zip(kinds, even, strict=True))


@dataclass(frozen=True)
class Weights:
    """Weights of the kinds of members.

    Attributes:
        of_all: chosen on the held-out sensors of all folds.
        of_folds: for each fold, chosen on those of the other folds, so that it is evaluated on sensors without a part
            in them; equal ones for a single fold.
    """

    of_all: dict[str, float]
    of_folds: tuple[dict[str, float], ...]


def weights_of_folds(
    members: Sequence[Mapping[MemberKind, Sequence[Model]]], store: SampleStore, folds: Sequence[Fold], min_samples: int
) -> Weights:
    """Return the weights of an experiment.

    Args:
        members: members of each fold, by kind.
        store: samples.
        folds: in the same order.
        min_samples: smallest number of samples of a sensor.
    """
    kinds = list(members[0])
    equal = dict.fromkeys(map(str, kinds), 1 / len(kinds))
    if len(kinds) == 1 or len(folds) == 1:
        return Weights(equal, (equal,) * len(folds))
    estimates = [
        {kind: estimate_points(models, store, fold.test) for kind, models in of_fold.items()}
        for of_fold, fold in zip(members, folds, strict=True)
    ]

    def chosen(parts: Sequence[Mapping[MemberKind, pd.DataFrame]]) -> dict[str, float]:
        together = {str(kind): pd.concat([part[kind] for part in parts], ignore_index=True) for kind in kinds}
        return choose_weights(together, min_samples)

    return Weights(chosen(estimates), tuple(chosen([one for one in estimates if one is not own]) for own in estimates))


def ensemble_of(members: Mapping[MemberKind, Sequence[Model]], weights: Mapping[str, float]) -> Ensemble:
    """Return the members of a fold as an ensemble, the weight of each kind in equal parts."""
    shares = [(model, weights[kind] / len(models)) for kind, models in members.items() for model in models]
    return Ensemble(tuple(model for model, _ in shares), tuple(share for _, share in shares))


def weights_notes(experiment: Experiment, weights: Mapping[str, float]) -> list[str]:
    """Return a note on an ensemble of several kinds of members; none on one kind."""
    if len(experiment.ensemble) == 1:
        return []
    said = ", ".join(f"{weights[part.kind]:.1f} {part.kind} ({part.size})" for part in experiment.ensemble)
    how = (
        "chosen on held-out sensors, in each fold on those of the other folds"
        if experiment.split.folds or experiment.split.leave_one_out
        else "equal, as a single fold cannot choose them"
    )
    return [f"network is an ensemble of several kinds of members; weights, with the number of members: {said}; {how}."]


def _as_good(losses: NDArray[np.float64], best: NDArray[np.float64]) -> bool:
    """Return whether losses of places exceed the best ones by at most one standard error."""
    apart = losses - best
    return float(apart.mean()) <= float(apart.std(ddof=1) / np.sqrt(len(apart)) if len(apart) > 1 else 0.0)


def _loss(estimate: NDArray[np.float64], label: NDArray[np.float64], scale: float) -> float:
    spread = estimate.std() * label.std()
    correlation = float(np.mean((estimate - estimate.mean()) * (label - label.mean())) / spread) if spread > 0 else 0.0
    return 1 - correlation + float(np.sqrt(np.mean((estimate - label) ** 2))) / scale


def _simplex(kinds: int) -> Iterator[tuple[float, ...]]:
    """Yield all weights in tenths that sum to 1."""

    def counts(left: int, places: int) -> Iterator[tuple[int, ...]]:
        if places == 1:
            yield (left,)
        else:
            for one in range(left + 1):
                yield from ((one, *others) for others in counts(left - one, places - 1))

    yield from (tuple(one / STEPS for one in count) for count in counts(STEPS, kinds))
