"""Training sensors of each network of a run, and estimates by networks that were not trained on a sensor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.dataset import SampleStore, SpatialGroups
from vadose.dataset.layout import IDENTITY
from vadose.dataset.spatial_groups import pairs_within
from vadose.errors import VadoseError
from vadose.inference import Calibration, Ensemble, estimate_points
from vadose.models import Model
from vadose.training import load, origin

SEEN_IN_TRAINING = "seen_in_training"
"""Column of estimates: whether the model that made the row was trained on its place."""
LEARNED_FROM = "learned_from"
"""Key of a checkpoint's origin: the sensors of its training and of its early stopping."""
SENSOR = [*IDENTITY, "lat", "lon"]


@dataclass(frozen=True, eq=False)
class Member:
    """A network of a run.

    Attributes:
        model: the network.
        learned_from: sensors of its training or early stopping: network, station, sensor, lat, lon (degrees).
        weight: in an ensemble, relative to those of the other members.
    """

    model: Model
    learned_from: pd.DataFrame
    weight: float = 1.0

    @classmethod
    def load(cls, folder: Path, weight: float = 1.0) -> "Member":
        """Read a checkpoint of a run, which has a weight in its ensemble.

        Raises:
            VadoseError: it is unreadable, or does not contain its training sensors.
        """
        learned = origin(folder).get(LEARNED_FROM)
        if not learned:
            raise VadoseError(
                f"run: the training sensors of {folder}",
                "The checkpoint does not contain them",
                "Train again with this version",
            )
        return cls(load(folder), pd.DataFrame(learned)[SENSOR], weight)

    def trained_on(self, sensors: pd.DataFrame, grouping: SpatialGroups) -> NDArray[np.bool_]:
        """Return which sensors it was trained on, or are kept together with a training sensor by the split.

        Args:
            sensors: sensors with the columns of `learned_from`.
            grouping: grouping of the split; whether a place with its buffer, a block or a network is kept together.
        """
        learned = self.learned_from
        seen = _shared(sensors[list(IDENTITY)], learned[list(IDENTITY)])
        if grouping.by == "network":
            seen |= _shared(sensors[["network"]], learned[["network"]])
        if grouping.by == "block":
            seen |= _shared(*(table[["lat", "lon"]] // grouping.block_degrees for table in (sensors, learned)))
        both = pd.concat([learned, sensors])
        pairs = pairs_within(both["lat"].to_numpy(np.float64), both["lon"].to_numpy(np.float64), grouping.buffer_km)
        near = pairs[(pairs.min(axis=1) < len(learned)) & (pairs.max(axis=1) >= len(learned))]
        seen[near.max(axis=1) - len(learned)] = True
        return seen


def estimate_held_out(
    members: Sequence[Member],
    store: SampleStore,
    grouping: SpatialGroups,
    report: Callable[[int, int], None],
    calibration: Calibration,
) -> pd.DataFrame:
    """Estimate every sample of a store by the ensemble of the members that were not trained on its place.

    Where every member was, all of them are used.

    Args:
        members: members with the same needs, which the store must meet.
        store: store of samples; labels are not needed.
        grouping: grouping of the split that the members were trained by.
        report: called with the number of finished samples and their total.
        calibration: calibration of the standard deviation.

    Returns:
        The table of `estimate_points`, one row per sample in the order of the store, with `seen_in_training` (bool):
        every member was trained on this place, so that the row is no evidence of skill at places without sensors.

    Raises:
        VadoseError: as `estimate_points`.
    """
    number = store.index.groupby(SENSOR, sort=False).ngroup().to_numpy()
    sensors = sensors_of(store.index)
    seen = np.stack([member.trained_on(sensors, grouping) for member in members])
    by_all: NDArray[np.bool_] = np.logical_and.reduce(seen)
    speaking, which = np.unique(~seen | by_all, axis=1, return_inverse=True)
    parts: list[pd.DataFrame] = []
    for choice, speaks in enumerate(speaking.T):
        rows = np.flatnonzero(which.ravel()[number] == choice)
        models = together([member for member, one in zip(members, speaks, strict=True) if one])
        progress = _after(sum(map(len, parts)), len(store), report)
        parts.append(estimate_points(models, store, rows, report=progress, calibration=calibration).set_index(rows))
    return pd.concat(parts).sort_index().assign(**{SEEN_IN_TRAINING: by_all[number]})


def together(members: Sequence[Member]) -> Ensemble:
    """Return some members as an ensemble."""
    return Ensemble(tuple(one.model for one in members), tuple(one.weight for one in members))


def sensors_of(index: pd.DataFrame) -> pd.DataFrame:
    """Return each sensor of some samples once, in the order of first appearance."""
    return index[SENSOR].drop_duplicates(ignore_index=True)


def _shared(keys: pd.DataFrame, others: pd.DataFrame) -> NDArray[np.bool_]:
    known = set(others.itertuples(index=False, name=None))
    return np.array([key in known for key in keys.itertuples(index=False, name=None)], bool)


def _after(before: int, total: int, report: Callable[[int, int], None]) -> Callable[[int, int], None]:
    return lambda done, _: report(before + done, total)
