"""Carrying forward of the latest observation of each source in a table, as fusion does in an archive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.dataset.history_features import history_features
from vadose.fusion import HistorySpec, TemporalPolicy
from vadose.grid import nanosecond, nanoseconds
from vadose.registry import LATENCY_DAYS, source_of
from vadose.variables import INCIDENCE_ANGLE

DAY_NS = 86_400e9
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Observations:
    """Rows of one sensor, each with an observation of every source at its time.

    Attributes:
        times: ascending, UTC.
        names: predictors, in the order of the values.
        values: (row, predictor), NaN where missing; backscatter in linear power.
    """

    times: NDArray[np.datetime64]
    names: Sequence[str]
    values: Floats

    def carried(self, windows: TemporalPolicy) -> tuple[Floats, dict[str, Floats]]:
        """Return the values known at the time of each row: the latest observation of each source within its window.

        The predictors of a source come from one observation, so that no row mixes two times. A row is an observation of
        a source if it has any of its predictors; the incidence angle alone does not count. Static values remain in
        their row.

        Returns:
            (row, predictor), and the observation age by dynamic source, days, (row,); NaN without an observation.
        """
        known, ages = self.values.copy(), {}
        for source, columns in self._changing().items():
            look, age = self._latest(self._seen(columns), source, windows)
            there = np.isfinite(age)
            known[:, columns] = np.where(there[:, np.newaxis], self.values[look][:, columns], np.nan)
            ages[source] = age
        return known, ages

    def history(self, past: HistorySpec, windows: TemporalPolicy) -> NDArray[np.float32]:
        """Return means in time steps of published observations, (row, step, variable), the latest step first."""
        parts = np.full((len(self.times), past.steps, len(past.variables)), np.nan, np.float32)
        for source in dict.fromkeys(map(source_of, past.variables)):
            places = [place for place, name in enumerate(past.variables) if source_of(name) == source]
            columns = [list(self.names).index(past.variables[place]) for place in places]
            values = self.values[:, columns]
            if source in LATENCY_DAYS:
                seen = self._seen(self._changing()[source])
                values = np.where(seen[:, np.newaxis], values, np.nan)
            delay = self._delay(source, windows)
            parts[:, :, places] = history_features(self.times, values, past.steps, past.step_days, delay)
        return parts

    def _changing(self) -> Mapping[str, list[int]]:
        sources: dict[str, list[int]] = {}
        for column, name in enumerate(self.names):
            if source_of(name) in LATENCY_DAYS:
                sources.setdefault(source_of(name), []).append(column)
        return sources

    def _seen(self, columns: Sequence[int]) -> NDArray[np.bool_]:
        """Return which rows are observations of the source of some predictors."""
        telling = [column for column in columns if self.names[column] != INCIDENCE_ANGLE.name] or columns
        return np.asarray(np.isfinite(self.values[:, telling]).any(axis=1))

    def _latest(
        self, seen: NDArray[np.bool_], source: str, windows: TemporalPolicy
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the row of the observation to be used at each row, and its age in days; NaN without any."""
        moments = nanoseconds(self.times).astype(np.int64)
        latest = np.maximum.accumulate(np.where(seen, np.arange(len(seen)), -1))
        reach = np.searchsorted(moments, moments - self._delay(source, windows), side="right") - 1
        look = np.where(reach >= 0, latest[reach], -1)
        age = (moments - moments[look]) / DAY_NS
        return look, np.where((look >= 0) & (age <= windows.of(source)), age, np.nan)

    def _delay(self, source: str, windows: TemporalPolicy) -> int:
        """Return the nanoseconds from an observation to its publication."""
        first = nanosecond(self.times[0])
        return int((first - windows.until(source, first)) / np.timedelta64(1, "ns"))
