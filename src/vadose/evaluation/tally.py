"""Additive statistics per sensor of a prediction table, for tables read in chunks or in parallel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.evaluation.metric import METRICS, PARTS, constant_estimate, constant_label
from vadose.evaluation.predictions import ESTIMATE, LABEL, SENSOR, STD, by_sensor, check, is_complete
from vadose.evaluation.statistic import Floats, Means, Moments
from vadose.evaluation.uncertainty import LEVELS, spread_scores

MIN_SAMPLES = 20
SPREAD = ["crps", *(f"coverage_{level}" for level in LEVELS)]


@dataclass(frozen=True, eq=False)
class Tally:
    """Statistics of every sensor of a prediction table, over the samples with both estimate and label.

    `Tally.of(a) + Tally.of(b)` equals `Tally.of` both tables together, up to rounding, so that a table of any length is
    scored in little memory: `sum(map(Tally.of, chunks), Tally.empty())`, or a fold of a Dask bag. A sample in two
    chunks counts twice: duplicates are detected only within one table.

    Attributes:
        sensors: `network, station, sensor`, one row each, in the order of their names.
        rows: number of rows of each.
        lat, lon: their sums over rows, degrees.
        moments: times of estimate and label.
        uncertainty: uncertainty of each score of `SPREAD`, by its name.
    """

    sensors: pd.DataFrame
    rows: Floats
    lat: Floats
    lon: Floats
    moments: Moments
    uncertainty: Mapping[str, Means]

    @classmethod
    def of(cls, predictions: pd.DataFrame) -> Self:
        """Return the tally of a table as described by `check`.

        Raises:
            VadoseError: the table is invalid for `check`.
        """
        table = check(predictions)
        return cls.of_groups(table, *by_sensor(table))

    @classmethod
    def of_groups(cls, table: pd.DataFrame, group: NDArray[np.intp], sensors: pd.DataFrame) -> Self:
        """Return the tally of a checked table with sensors numbered by `by_sensor`."""
        count, used = len(sensors), is_complete(table)
        rows = np.bincount(group, minlength=count).astype(np.float64)
        p, t, std = (table[name].to_numpy()[used] for name in (ESTIMATE, LABEL, STD))
        return cls(
            sensors[SENSOR],
            rows,
            sensors["lat"].to_numpy() * rows,
            sensors["lon"].to_numpy() * rows,
            Moments.of(p, t, group[used], count),
            {name: Means.of(values, group[used], count) for name, values in spread_scores(p, std, t).items()},
        )

    @classmethod
    def empty(cls) -> Self:
        """Return an empty tally."""
        none, group = np.zeros(0), np.zeros(0, np.intp)
        sensors = pd.DataFrame({name: pd.Series([], dtype="str") for name in SENSOR})
        uncertainty = {name: Means.of(none, group, 0) for name in spread_scores(none, none, none)}
        return cls(sensors, none, none, none, Moments.of(none, none, group, 0), uncertainty)

    def __add__(self, other: Self) -> Self:
        """Return the tally of both tables."""
        if self.sensors.equals(other.sensors):
            return self._with(other)
        both = pd.concat([self.sensors, other.sensors], ignore_index=True).groupby(SENSOR, sort=True)
        at = np.asarray(both.ngroup(), dtype=np.intp)
        sensors = both.size().index.to_frame(index=False)
        number = len(self.sensors)
        return self._placed(at[:number], sensors)._with(other._placed(at[number:], sensors))

    def scores(self, min_samples: int = MIN_SAMPLES) -> pd.DataFrame:
        """Return the scores of every sensor that do not need complete series.

        Args:
            min_samples: smallest number of samples of a scored sensor.

        Returns:
            As from `per_sensor`, without the scores that order samples by value or time.

        Raises:
            VadoseError: fewer than 2 samples are requested.
        """
        if min_samples < 2:
            raise VadoseError(f"scores: at least {min_samples} samples per sensor", "R needs 2", "Ask for 2 or more")
        few = self.moments.n < min_samples
        scores = {metric.name: metric.of(self.moments) for metric in (*METRICS, *PARTS)}
        scores |= {name: self.uncertainty[name].mean for name in SPREAD}
        return self.sensors.assign(
            lat=self.lat / self.rows,
            lon=self.lon / self.rows,
            n=self.moments.n.astype(np.int64),
            n_spread=self.uncertainty["crps"].n.astype(np.int64),
            **{name: np.where(few, np.nan, values) for name, values in scores.items()},
            left_out=[f"{n:.0f} samples, {min_samples} needed" if n < min_samples else "" for n in self.moments.n],
            note=_notes(self.moments, few),
        )

    def _with(self, other: Self) -> Self:
        """Return the tally of both, with the same sensors."""
        uncertainty = {name: means + other.uncertainty[name] for name, means in self.uncertainty.items()}
        places = (self.rows + other.rows, self.lat + other.lat, self.lon + other.lon)
        return type(self)(self.sensors, *places, self.moments + other.moments, uncertainty)

    def _placed(self, at: NDArray[np.intp], sensors: pd.DataFrame) -> Self:
        """Return the tally among more sensors."""
        places = (self.rows, self.lat, self.lon)
        rows, lat, lon = (np.bincount(at, values, len(sensors)).astype(np.float64) for values in places)
        uncertainty = {name: means.placed(at, len(sensors)) for name, means in self.uncertainty.items()}
        return type(self)(sensors, rows, lat, lon, self.moments.placed(at, len(sensors)), uncertainty)


def _notes(moments: Moments, few: NDArray[np.bool_]) -> list[str]:
    flat = [
        np.where(which(moments) & ~few, word, "")
        for which, word in ((constant_estimate, "constant estimate"), (constant_label, "constant label"))
    ]
    return [", ".join(filter(None, pair)) for pair in zip(*flat, strict=True)]
