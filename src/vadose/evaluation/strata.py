"""Strata: classes of samples by optional columns of a prediction table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from vadose.errors import VadoseError
from vadose.evaluation.predictions import LABEL, by_sensor
from vadose.evaluation.texture import texture_class
from vadose.grid import EARTH_RADIUS_KM
from vadose.registry import SOURCES, SPECS, Quality
from vadose.variables import FRM_CLASS

DISTANCE = "distance_to_training_km"
"""Optional column: distance to the nearest training place of the row's model, km."""

REPRESENTATIVE = ("very representative", "representative")

_SEASONS = ("winter", "spring", "summer", "autumn")
_COVERS = {
    1: "cropland",
    2: "cropland",
    3: "mosaic of cropland and vegetation",
    4: "mosaic of cropland and vegetation",
    5: "broadleaved evergreen forest",
    6: "broadleaved deciduous forest",
    7: "needleleaved evergreen forest",
    8: "needleleaved deciduous forest",
    9: "mixed forest",
    10: "mosaic of trees, shrubs and herbs",
    11: "mosaic of trees, shrubs and herbs",
    12: "shrubland",
    13: "grassland",
    14: "lichens and mosses",
    15: "sparse vegetation",
    16: "flooded vegetation",
    17: "flooded vegetation",
    18: "flooded vegetation",
    19: "urban",
    20: "bare",
    21: "water",
    22: "snow and ice",
}
"""Names of the codes of ESA CCI land cover, by their tens (Land Cover CCI Product User Guide 2.0, 2017, table 3-1)."""


SITE_KM, DENSE_STATIONS = 18.0, 5
"""Distance within which stations are of one site, half a footprint of 36 km; and number of stations of a dense site."""
_SITES = ("lone station", f"2 to {DENSE_STATIONS - 1} stations", f"dense site, {DENSE_STATIONS} stations or more")
_IRRIGATION = ("irrigated cropland", "rainfed cropland", "no cropland")


@dataclass(frozen=True)
class Dimension:
    """A stratification of samples.

    Attributes:
        title: title in tables.
        columns: inputs besides the standard columns of every table.
        of: from a checked table with these columns to the class of each row, classes in their order, NaN for none.
        varies: whether samples of one sensor may be of several classes, or products differ.
    """

    title: str
    columns: tuple[str, ...]
    of: Callable[[pd.DataFrame], pd.Categorical]
    varies: bool = False


def _text(column: str) -> Callable[[pd.DataFrame], pd.Categorical]:
    return lambda table: _categories(table[column].astype("object"))


def _categories(words: "pd.Series[Any]") -> pd.Categorical:
    """Return classes by name; an empty name is missing."""
    return pd.Categorical(words.where(words != ""))


def _numbers(column: "pd.Series[Any]", whole: bool = False) -> NDArray[np.float64]:
    """Return the numbers of an optional column.

    Raises:
        VadoseError: it has other values, or fractions where whole numbers are required.
    """
    asked = f"predictions: column {column.name}"
    try:
        values = np.asarray(column.astype("float64"), np.float64)
    except (ValueError, TypeError) as error:
        raise VadoseError(asked, f"It is not numeric ({error})", "Give numbers, or leave the column out") from error
    if whole and (values != np.floor(values)).any():
        raise VadoseError(asked, "It has no whole number in some rows", "Give them, or leave the column out")
    return values


def _coded(codes: NDArray[np.integer], names: Sequence[str]) -> "pd.Categorical[Any]":
    """Return classes by their index among names, -1 for missing."""
    return pd.Categorical.from_codes(codes.astype(np.int64), dtype=pd.CategoricalDtype(list(names)))


def _cover(table: pd.DataFrame) -> pd.Categorical:
    code, codes = pd.factorize(table["land_cover"])
    tens = pd.to_numeric(pd.Series(codes, dtype="object"), errors="coerce") // 10
    names = np.array([*tens.map(_COVERS).fillna(""), ""], dtype=object)
    return _categories(pd.Series(names[code]))


def _irrigation(table: pd.DataFrame) -> pd.Categorical:
    """Return cropland by irrigation: code 20 of ESA CCI land cover is irrigated or post-flooding cropland."""
    code, codes = pd.factorize(table["land_cover"])
    tens = pd.to_numeric(pd.Series(codes, dtype="object"), errors="coerce").to_numpy(np.float64) // 10
    kinds = np.select([np.isnan(tens), tens == 2, tens == 1], [-1, 0, 1], 2)
    return _coded(np.append(kinds, -1)[code], _IRRIGATION)


def is_representative(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows of a table are of sensors that ISMN's FRM classes call representative."""
    if FRM_CLASS not in table:
        return np.zeros(len(table), np.bool_)
    return np.asarray(table[FRM_CLASS].isin(REPRESENTATIVE))


def _site(table: pd.DataFrame) -> pd.Categorical:
    """Return the class of each sensor's site by the number of stations within `SITE_KM`, itself included."""
    group, sensors = by_sensor(table)
    lat, lon = (np.radians(sensors[name].to_numpy()) for name in ("lat", "lon"))
    points = np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    stations = np.unique(np.round(points, 7), axis=0)
    chord = 2 * np.sin(SITE_KM / EARTH_RADIUS_KM / 2)
    count = cKDTree(stations).query_ball_point(points, chord, return_length=True)
    return _coded(np.digitize(count, (2, DENSE_STATIONS))[group], _SITES)


def _texture(table: pd.DataFrame) -> pd.Categorical:
    sand, silt, clay = (_numbers(table[name]) for name in ("sand", "silt", "clay"))
    return _categories(texture_class(sand, silt, clay))


def _season(table: pd.DataFrame) -> pd.Categorical:
    quarter = (table["time"].dt.month.to_numpy() % 12) // 3
    south = table["lat"].to_numpy() < 0
    return _coded((quarter + 2 * south) % 4, _SEASONS)


def _wetness(table: pd.DataFrame) -> pd.Categorical:
    group, label = by_sensor(table)[0], table[LABEL].to_numpy()
    order = np.lexsort((label, group))
    count = np.bincount(group)
    place = np.empty(len(table), np.intp)
    place[order] = np.arange(len(table)) - np.repeat(np.cumsum(count) - count, count)
    third = 3 * place // count[group]
    if "soil_temperature" in table:
        third = np.where(_numbers(table["soil_temperature"]) <= 0, len(_THIRDS) - 1, third)
    return _coded(third, _THIRDS)


def _bins(column: str, edges: Sequence[float], units: str, *, varies: bool = False) -> Dimension:
    names = [f"below {edges[0]:g}{units}"]
    names += [f"{low:g} to {high:g}{units}" for low, high in pairwise(edges)]
    names += [f"{edges[-1]:g}{units} and more"]

    def of(table: pd.DataFrame) -> pd.Categorical:
        values = _numbers(table[column])
        return _coded(np.where(np.isfinite(values), np.digitize(values, edges), -1), names)

    return Dimension(_TITLES[column], (column,), of, varies)


_THIRDS = ("dry third", "middle third", "wet third", "frozen (0 °C or less)")
_TITLES = {
    DISTANCE: "distance to the nearest training place",
    "elevation": "elevation",
    "slope": "slope",
    "urban_share": "share of urban ground",
    "water_share": "share of water",
}


def _titles() -> dict[int, str]:
    """Titles of the sources by the flag of their absence."""
    return {Quality.missing(source).value: SPECS[source].title for source in SOURCES}


def _sources(column: str) -> Callable[[pd.DataFrame], pd.Categorical]:
    def of(table: pd.DataFrame) -> pd.Categorical:
        bits, code = np.unique(
            _numbers(table[column], whole=True).astype(np.int64) & sum(_titles()), return_inverse=True
        )
        return _coded(code, [_lacking(int(held)) for held in bits])

    return of


def _lacking(bits: int) -> str:
    return "all there" if not bits else "without " + ", ".join(name for bit, name in _titles().items() if bits & bit)


DIMENSIONS = (
    Dimension("network", (), _text("network")),
    Dimension("climate (Köppen-Geiger)", ("climate",), _text("climate")),
    Dimension("land cover (ESA CCI)", ("land_cover",), _cover),
    Dimension("irrigation (ESA CCI land cover)", ("land_cover",), _irrigation),
    Dimension("FRM class (ISMN)", (FRM_CLASS,), _text(FRM_CLASS)),
    Dimension("site, stations within 18 km", (), _site),
    Dimension("soil texture (USDA)", ("sand", "silt", "clay"), _texture),
    Dimension("season", (), _season, varies=True),
    Dimension("wetness at the time, thirds of each sensor's own readings", (), _wetness, varies=True),
    _bins(DISTANCE, (10, 50, 100, 500), " km", varies=True),
    Dimension("sources at the time and in the history", ("absent",), _sources("absent"), varies=True),
    Dimension("sources at the time", ("quality",), _sources("quality"), varies=True),
    _bins("elevation", (300, 1000, 2000), " m"),
    _bins("slope", (2, 5, 15), "°"),
    _bins("urban_share", (0.01, 0.1), ""),
    _bins("water_share", (0.01, 0.1), ""),
)


def classes_of(table: pd.DataFrame) -> "dict[str, pd.Series[Any]]":
    """Return the class of each row in every stratification with its columns and more than one class.

    Returns:
        By title: categorical in the order of the classes, NaN for missing.
    """
    found = {}
    for dimension in DIMENSIONS:
        if all(column in table for column in dimension.columns):
            classes = dimension.of(table).remove_unused_categories()
            if len(classes.categories) > 1:
                found[dimension.title] = pd.Series(classes, table.index)
    return found
