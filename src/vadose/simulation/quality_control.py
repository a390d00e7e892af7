"""ISMN's automatic quality control, applied to simulated readings.

The tests are those of Dorigo et al., Global Automated Quality Control of In Situ Soil Moisture Data from the
International Soil Moisture Network, Vadose Zone J. 12(3), 2013, doi:10.2136/vzj2012.0097, with ISMN's thresholds; the
tests of breaks and plateaus are simplified. As the real control, it detects implausible readings, not wrong ones:
persistent shifts, drifts and stretches of one plausible value pass as good, and so do small spikes: of those in
`sensor.read`, a tenth at 0.1 m3 m-3, a quarter at 0.25 and a third at 0.35.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.simulation.fields import Floats

Marks = NDArray[np.bool_]

HIGHEST = 0.6
"""Largest plausible reading, m3 m-3."""
RAIN_MM = 0.2
"""Smallest daily rain that explains a rise."""
SPIKE_RATIO, SPIKE_EVEN = 0.15, 0.2
"""Smallest relative change of a spike, and largest relative difference of the steps before and after it."""
BREAK_RATIO, BREAK, BREAK_SLOPE = 0.1, 0.01, 10.0
"""Smallest change of a break, relative and in m3 m-3, and its steepness relative to the day around it."""
LOW_HOURS, LOW_VARIANCE, LOW_SHARE = 13, 1e-5, 0.1
"""Constant low values: shortest length, largest variance divided by mean, m3 m-3, and their range among the record."""
HIGH_HOURS, HIGH_VARIANCE, HIGH_RISE, HIGH_SHARE = 12, 5e-6, 0.0025, 0.95
"""Plateau: shortest length, largest variance, smallest rise to it in an hour, m3 m-3, and its fraction of the
record.
"""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Auxiliary data of the control, (hour,) each.

    Attributes:
        saturation: saturation of the soil, from a map, m3 m-3.
        soil_c: the station's soil temperature.
        air_c, rain_mm: air temperature (degrees Celsius) and rain (mm) of the station, if it measures them.
        model_c, model_mm: soil temperature and rain of a global model.
        shallow: whether the sensor is so near the surface that rain explains its rises.
    """

    saturation: float
    soil_c: Floats
    air_c: Floats | None
    rain_mm: Floats | None
    model_c: Floats
    model_mm: Floats
    shallow: bool


def flags(values: Floats, around: Surroundings) -> NDArray[np.str_]:
    """Return all flags of the control, joined by commas; G without any, M for missing values.

    Args:
        values: readings hour by hour, m3 m-3, NaN where missing.
        around: auxiliary data.
    """
    found = _plausible(values, around) | _frozen(around) | _unexplained(values, around) | _shapes(values)
    weights = 2 ** np.arange(len(found))
    codes, place = np.unique(weights @ np.array(list(found.values())), return_inverse=True)
    names = [",".join(name for name, weight in zip(found, weights, strict=True) if code & weight) for code in codes]
    return np.where(np.isnan(values), "M", np.array([name or "G" for name in names])[place])


def _plausible(values: Floats, around: Surroundings) -> dict[str, Marks]:
    return {"C01": values < 0, "C02": values > HIGHEST, "C03": values > around.saturation}


def _frozen(around: Surroundings) -> dict[str, Marks]:
    air = np.zeros(len(around.soil_c), bool) if around.air_c is None else around.air_c < 0
    return {"D01": around.soil_c < 0, "D02": air, "D03": around.model_c < 0}


def _unexplained(values: Floats, around: Surroundings) -> dict[str, Marks]:
    """Detect rises of shallow sensors without rain.

    They rise within an hour, and within a day by more than two standard deviations of its readings, on a day of little
    rain.
    """
    series = pd.Series(values)
    rising = (series.diff() > 0) & (series.diff(24) > 2 * series.rolling(25, min_periods=13).std())
    gauges = {"D04": around.rain_mm, "D05": around.model_mm}
    return {
        name: (rising & (pd.Series(rain).rolling(24, min_periods=1).sum() < RAIN_MM)).to_numpy()
        for name, rain in gauges.items()
        if rain is not None and around.shallow
    }


def _shapes(values: Floats) -> dict[str, Marks]:
    """Detect spikes, breaks and stretches of one value."""
    fall, rise = _breaks(values)
    return {
        "D06": _spikes(values),
        "D07": fall,
        "D08": rise,
        "D09": _lows(values, fall),
        "D10": _plateaus(values),
    }


def _spikes(values: Floats) -> Marks:
    """Detect single readings that depart and return (their equations 4 to 6)."""
    before, after = _moved(values, 1), _moved(values, -1)
    curve = before - 2 * values + after
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.abs(values / before - 1) > SPIKE_RATIO
        even = np.abs(np.abs(_moved(curve, 1) / _moved(curve, -1)) - 1) < SPIKE_EVEN
    return np.asarray(far & even & ((values - before) * (values - after) > 0))


def _breaks(values: Floats) -> tuple[Marks, Marks]:
    """Detect falls and jumps to another persistent level (their equations 7 to 9)."""
    change, later = values - _moved(values, 1), _moved(values, -1) - values
    slope = (_moved(values, -1) - _moved(values, 1)) / 2
    usual = pd.Series(slope).rolling(25, min_periods=4, center=True).mean().abs().to_numpy()
    sudden = (np.abs(change) > BREAK) & (np.abs(change) > BREAK_RATIO * np.abs(values))
    persistent = (np.abs(slope) > BREAK_SLOPE * usual) & (np.abs(later) < 0.1 * np.abs(change))
    return sudden & persistent & (change < 0), sudden & persistent & (change > 0)


def _lows(values: Floats, fall: Marks) -> Marks:
    """Detect one value after a fall (their equation 14), and a low one, so that calm readings after a fall are
    excluded.
    """
    series = pd.Series(values)
    window = series.rolling(LOW_HOURS)
    steady = (window.var() <= LOW_VARIANCE * window.mean().abs()).shift(1 - LOW_HOURS, fill_value=False)
    runs = pd.DataFrame({"run": _runs(steady.to_numpy()), "value": values, "fall": fall}).groupby("run")
    low = runs["value"].transform("median") <= series.quantile(LOW_SHARE)
    return _extended((steady & low & runs["fall"].transform("any")).to_numpy(), LOW_HOURS)


def _plateaus(values: Floats) -> Marks:
    """Detect one value, near the maximum so far and in two years, between a rise and a fall (their equations 10 to
    13).
    """
    steady = (pd.Series(values).rolling(HIGH_HOURS).var() <= HIGH_VARIANCE).shift(1 - HIGH_HOURS, fill_value=False)
    highest = pd.Series(np.where(values > HIGHEST, np.nan, values)).rolling(2 * 8766, min_periods=1).max()
    change = pd.Series(values).diff()
    rise = change.rolling(25, min_periods=1, center=True).max() >= HIGH_RISE
    fall = change.rolling(25, min_periods=1, center=True).min().shift(-HIGH_HOURS) < 0
    runs = pd.DataFrame(
        {"run": _runs(steady.to_numpy()), "value": values, "highest": highest, "rise": rise, "fall": fall}
    ).groupby("run")
    high = runs["value"].transform("mean") > HIGH_SHARE * runs["highest"].transform("last")
    found = high & runs["rise"].transform("first") & runs["fall"].transform("last") & steady
    return _extended(found.to_numpy(), HIGH_HOURS)


def _runs(marks: Marks) -> NDArray[np.intp]:
    """Return a number for each stretch of equal marks."""
    return np.cumsum(np.diff(marks, prepend=False))


def _extended(marks: Marks, hours: int) -> Marks:
    """Return marks and the hours after them."""
    return pd.Series(marks).rolling(hours, min_periods=1).max().to_numpy().astype(bool)


def _moved(values: Floats, hours: int) -> Floats:
    return pd.Series(values).shift(hours).to_numpy()
