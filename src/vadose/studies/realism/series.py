"""Statistics of each sensor's series of values."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from vadose.studies.realism.observations import SENSOR

LEAST = 20
"""Smallest number of values of a year of a sensor."""
_YEAR_DAYS = 365
_Figure = Callable[[pd.DataFrame], float]


def by_sensor(composites: pd.DataFrame) -> pd.DataFrame:
    """Return statistics of each sensor, one row each, named "quantity.figure"; NaN without a year of enough values.

    Of soil moisture, SMAP, backscatter and the vegetation index: median, spread (standard deviation), lag1
    (autocorrelation from one ten-day period to the next), range (the highest monthly mean less the lowest). Of SMAP
    and backscatter against the sensor: r (Pearson), and of SMAP bias and ubrmse, m3 m-3.
    """
    table = composites.assign(ndvi=(composites["B08"] - composites["B04"]) / (composites["B08"] + composites["B04"]))
    return _averaged(table, _figures())


def retrievals_by_sensor(retrievals: pd.DataFrame) -> pd.DataFrame:
    """Return statistics of SMAP L3 at each sensor, one row each, named "smap_l3.figure"; over the years as in
    `by_sensor`.

    Of both: median and spread of SMAP, the sensor's spread, r (Pearson), bias and ubrmse, m3 m-3.
    """
    figures = {
        "median": _of("smap", _OF_A_SERIES["median"]),
        "spread": _of("smap", _OF_A_SERIES["spread"]),
        "sensor": _of("soil_moisture", _OF_A_SERIES["spread"]),
        "r": _against("smap", _r),
        "bias": _against("smap", _bias),
        "ubrmse": _against("smap", _ubrmse),
    }
    both = retrievals.dropna(subset=["smap", "soil_moisture"])
    return _averaged(both, {f"smap_l3.{name}": figure for name, figure in figures.items()})


def _averaged(table: pd.DataFrame, figures: Mapping[str, _Figure]) -> pd.DataFrame:
    """Return statistics of each year of each sensor, averaged over its years."""
    table = table.set_index("period_start").sort_index()
    days = (table.index - table.index[0]).days
    rows = {
        key: {name: figure(year) for name, figure in figures.items()}
        for key, year in table.groupby([*SENSOR, days // _YEAR_DAYS])
    }
    index = pd.MultiIndex.from_tuples(list(rows), names=[*SENSOR, "year"])
    return pd.DataFrame(list(rows.values()), index=index).groupby(SENSOR).mean()


def _figures() -> dict[str, _Figure]:
    figures: dict[str, _Figure] = {}
    for name in ("soil_moisture", "smap", "vv_db", "vh_db", "ndvi"):
        figures |= {f"{name}.{figure}": _of(name, rule) for figure, rule in _OF_A_SERIES.items()}
    figures |= {f"{name}.r": _against(name, _r) for name in ("smap", "vv_db", "vh_db")}
    return figures | {"smap.bias": _against("smap", _bias), "smap.ubrmse": _against("smap", _ubrmse)}


def _of(name: str, rule: Callable[["pd.Series[float]"], float]) -> _Figure:
    def figure(year: pd.DataFrame) -> float:
        return rule(year[name]) if year[name].count() >= LEAST else np.nan

    return figure


def _against(name: str, rule: Callable[["pd.Series[float]", "pd.Series[float]"], float]) -> _Figure:
    def figure(year: pd.DataFrame) -> float:
        both = year[[name, "soil_moisture"]].dropna()
        return rule(both[name], both["soil_moisture"]) if len(both) >= LEAST else np.nan

    return figure


def _lag1(series: "pd.Series[float]") -> float:
    return _r(series, series.shift(1))


def _range(series: "pd.Series[float]") -> float:
    months = series.groupby(pd.DatetimeIndex(series.index).month).mean()
    return float(months.max() - months.min())


def _r(one: "pd.Series[float]", other: "pd.Series[float]") -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(one.corr(other))


def _bias(estimate: "pd.Series[float]", truth: "pd.Series[float]") -> float:
    return float((estimate - truth).mean())


def _ubrmse(estimate: "pd.Series[float]", truth: "pd.Series[float]") -> float:
    return float((estimate - truth).std(ddof=0))


_OF_A_SERIES: Mapping[str, Callable[["pd.Series[float]"], float]] = {
    "median": lambda series: float(series.median()),
    "spread": lambda series: float(series.std()),
    "lag1": _lag1,
    "range": _range,
}
