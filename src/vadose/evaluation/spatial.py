"""Scores in space: across sensors, date by date."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.evaluation.bootstrap import Bootstrap, Interval
from vadose.evaluation.metric import METRICS, pearson_r
from vadose.evaluation.predictions import ESTIMATE, LABEL, by_sensor, check, is_complete
from vadose.evaluation.statistic import Floats, Moments, group_mean
from vadose.grid import nanoseconds

MIN_SENSORS = 10


@dataclass(frozen=True, eq=False)
class Spatial:
    """Scores across sensors.

    Attributes:
        dates: one row per date: `date` (UTC), `sensors`, and each metric of `METRICS` over them; NaN with too few.
        parts: one row per date with an R and sensor on it: numbers of the `date` and the `sensor`, `lat` and `lon`, and
            the `influence` of the sensor on R of the date.
        bootstrap: settings of the intervals.
    """

    dates: pd.DataFrame
    parts: pd.DataFrame
    bootstrap: Bootstrap

    @cached_property
    def r(self) -> Interval:
        """Unweighted mean over dates of R across sensors, with its interval over places."""
        return self.mean_r(np.ones(len(self.dates), np.bool_))

    def mean_r(self, chosen: NDArray[np.bool_]) -> Interval:
        """Return the unweighted mean of R over chosen dates, with its interval over places.

        Each place counts as a complete series: its dates are not independent.
        """
        own = self.parts[chosen[self.parts["date"].to_numpy()]]
        if own.empty:
            return Interval(np.nan, np.nan, np.nan)
        r, date = self.dates["r"].to_numpy(), own["date"].to_numpy()
        value = float(np.nanmean(r[chosen]))
        _, first, sensor = np.unique(own["sensor"], return_index=True, return_inverse=True)
        each = 1 / self.dates["sensors"].to_numpy()[date]
        weights = np.bincount(sensor, each).astype(np.float64)
        values = value + np.bincount(sensor, each * own["influence"].to_numpy()) / weights
        lat, lon = (own[name].to_numpy()[first] for name in ("lat", "lon"))
        found = self.bootstrap.mean(values, lat, lon, weights, (-1.0, 1.0))
        return Interval(value, found.low, found.high)

    def by_date(self) -> pd.DataFrame:
        """Return the dates with the interval of each R, `r_low` and `r_high`."""
        bounds = np.searchsorted(self.parts["date"], np.arange(len(self.dates) + 1))
        values = self.dates["r"].to_numpy()[self.parts["date"].to_numpy()] + self.parts["influence"].to_numpy()
        lat, lon = (self.parts[name].to_numpy() for name in ("lat", "lon"))
        ends = [
            self.bootstrap.mean(values[own], lat[own], lon[own], bounds=(-1.0, 1.0))
            for own in map(slice, bounds[:-1], bounds[1:])
        ]
        return self.dates.assign(r_low=[one.low for one in ends], r_high=[one.high for one in ends])


def spatial(predictions: pd.DataFrame, min_sensors: int = MIN_SENSORS, bootstrap: Bootstrap | None = None) -> Spatial:
    """Scores across sensors on each date, and the mean of R over dates.

    R of a date is Pearson's over the sensors with estimate and label on it, as in the evaluation of satellite soil
    moisture against dense networks (Gruber et al. 2020, doi 10.1016/j.rse.2020.111806, section 4); several samples of a
    sensor on one date are averaged first. The interval comes from the differences between places, each as a complete
    series: the dates of one place are not independent.

    Args:
        predictions: a table as described by `check`.
        min_sensors: smallest number of sensors of a scored date.
        bootstrap: settings of the interval.

    Raises:
        VadoseError: the table is invalid for `check`, or fewer than 3 sensors are requested.
    """
    if min_sensors < 3:
        raise VadoseError(
            f"spatial scores: at least {min_sensors} sensors per date", "R of two is 1 or -1", "Ask for 3 or more"
        )
    table = check(predictions)
    sensor, places = by_sensor(table)
    used = is_complete(table)
    days, day = np.unique(table["time"].to_numpy()[used].astype("datetime64[D]"), return_inverse=True)
    cell = sensor[used] * len(days) + day
    cells, number = np.unique(cell, return_inverse=True)
    p, t = (group_mean(table[name].to_numpy()[used], number, len(cells)) for name in (ESTIMATE, LABEL))
    held, date = np.divmod(cells, max(len(days), 1))
    bootstrap = bootstrap or Bootstrap()
    moments = Moments.of(p, t, date, len(days))
    enough = moments.n >= min_sensors
    dates = pd.DataFrame({"date": nanoseconds(days), "sensors": moments.n.astype(np.int64)})
    dates = dates.assign(**{m.name: np.where(enough, m.of(moments), np.nan) for m in METRICS})
    return Spatial(dates, _parts(p, t, date, held, moments, enough, places), bootstrap)


def _parts(
    p: Floats,
    t: Floats,
    date: NDArray[np.intp],
    sensor: NDArray[np.intp],
    moments: Moments,
    enough: NDArray[np.bool_],
    places: pd.DataFrame,
) -> pd.DataFrame:
    """Return the influence of each sensor on R of each date, in the order of the dates.

    It is zp zt - R (zp^2 + zt^2) / 2, where zp and zt are the sensor's standardised estimate and label: the
    influence function of R (Devlin, Gnanadesikan and Kettenring 1975, doi 10.1093/biomet/62.3.531).
    """
    r = pearson_r(moments)
    at = np.flatnonzero((enough & np.isfinite(r))[date])
    at = at[np.argsort(date[at], kind="stable")]
    p, t, date, sensor = p[at], t[at], date[at], sensor[at]
    n = moments.n[date]
    zp = (p - moments.p[date]) / np.sqrt(moments.pp[date] / n)
    zt = (t - moments.t[date]) / np.sqrt(moments.tt[date] / n)
    part = zp * zt - r[date] * (zp**2 + zt**2) / 2
    lat, lon = (places[name].to_numpy()[sensor] for name in ("lat", "lon"))
    return pd.DataFrame({"date": date, "sensor": sensor, "lat": lat, "lon": lon, "influence": part})
