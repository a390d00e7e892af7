"""Distances of the sensors of a run's estimates to its training places."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.evaluation import DISTANCE
from vadose.evaluation.predictions import SENSOR
from vadose.experiment.split_table import read
from vadose.grid import distances_km


def with_training_distance(table: pd.DataFrame, split: Path) -> pd.DataFrame:
    """Return a table of estimates with the distance to the nearest training place of its own fold, km.

    Args:
        table: table of the sensors that the folds held out.
        split: split of the run, written by `split_table.save_or_verify`.

    Returns:
        The table with the column `distance_to_training_km`; NaN for sensors in no part "test" of the split, or if the
        table lacks training sensors of their fold.
    """
    places = table.drop_duplicates(SENSOR)[[*SENSOR, "lat", "lon"]]
    parts = read(split).merge(places, on=SENSOR, how="left")
    found = []
    for _, fold in parts.groupby("fold"):
        tested = fold[fold["part"] == "test"].drop_duplicates(SENSOR).dropna(subset="lat")
        learned = fold[fold["part"] == "train"].drop_duplicates(SENSOR)
        found.append(tested[SENSOR].assign(**{DISTANCE: _nearest_km(tested, learned)}))
    nearest = pd.concat(found).groupby(SENSOR, as_index=False)[DISTANCE].min()
    return table.merge(nearest, on=SENSOR, how="left", validate="many_to_one")


def _nearest_km(places: pd.DataFrame, others: pd.DataFrame) -> NDArray[np.float64]:
    """Return the great-circle distance from each place to the nearest other one; NaN if some of those are unknown."""
    if others.empty or others["lat"].isna().any():
        return np.full(len(places), np.nan)
    nearest: NDArray[np.float64] = distances_km(places[["lat", "lon"]], others[["lat", "lon"]]).min(axis=1)
    return nearest
