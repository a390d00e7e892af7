"""Prediction tables: estimates of a product at sensors, read and checked."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.grid import NORTHERNMOST, SOUTHERNMOST
from vadose.io.csv_tables import read_csv, utc_times
from vadose.io.paths import StrPath
from vadose.variables import IDENTITY, SOIL_MOISTURE

SENSOR = list(IDENTITY)
SAMPLE = [*SENSOR, "time"]
ESTIMATE, STD, LABEL = SOIL_MOISTURE.name, f"{SOIL_MOISTURE.name}_std", f"{SOIL_MOISTURE.name}_in_situ"
"""Columns of the estimate, its standard deviation and the in-situ reading, m3 m-3."""
REQUIRED = [*SENSOR, "lat", "lon", "time", ESTIMATE]
OPTIONAL = {STD: np.nan, "quality": 0, LABEL: np.nan}
"""Optional columns with their defaults."""
PLAUSIBLE = (-0.5, 1.5)
"""Plausible range in m3 m-3; values outside it have other units, or are fill values."""


def read(path: StrPath) -> pd.DataFrame:
    """Read a prediction table from Parquet or CSV and check it.

    Args:
        path: a file `.parquet`, or `.csv` (also gzipped) with times as `vadose.io.csv_tables` reads them.

    Returns:
        The table, as from `check`.

    Raises:
        VadoseError: the file is missing or unreadable, or the table is invalid for `check`.
    """
    path = Path(path)
    asked = f"predictions: {path}"
    if not path.is_file():
        raise VadoseError(asked, "There is no such file", "Give a Parquet or CSV file of predictions")
    try:
        table = (
            pd.read_parquet(path)
            if path.suffix == ".parquet"
            else read_csv(path, {*SENSOR, "time"}, {*REQUIRED, *OPTIONAL})
        )
        if "time" in table and not pd.api.types.is_numeric_dtype(table["time"]):
            table["time"] = utc_times(table["time"], asked)
        return check(table, asked)
    except VadoseError:
        raise
    except (ValueError, OSError, KeyError) as error:
        raise VadoseError(
            asked, f"It cannot be read as a table ({error})", "Write Parquet, or CSV in UTF-8 with one header line"
        ) from error


def check(predictions: pd.DataFrame, asked: str = "predictions") -> pd.DataFrame:
    """Convert a prediction table to its standard form, or refuse it.

    Args:
        predictions: one row per sensor and time, with `network, station, sensor, lat, lon, time, soil_moisture` (m3
            m-3) and optionally `soil_moisture_std` (m3 m-3), `quality` (bits of `vadose.registry.Quality`) and the
            reading `soil_moisture_in_situ` (m3 m-3). NaN means no estimate or no label. Other columns are kept. If rows
            of one sensor and time are at several places, the places become part of the sensors' names.
        asked: name of the table in messages.

    Returns:
        The rows sorted by sensor and time: text, float64, quality uint32, time datetime64[ns] in UTC without time zone.

    Raises:
        VadoseError: there are no rows, a column is missing or of the wrong type, a place is invalid, a sample is
            repeated, or values are infinite or in other units.
    """
    _check_columns(predictions, asked)
    numbers = ["lat", "lon", ESTIMATE, STD, LABEL]
    table = predictions.assign(**{c: value for c, value in OPTIONAL.items() if c not in predictions})
    table = table.assign(
        **{c: _text(table[c], asked) for c in SENSOR},
        **{c: _number(table[c], asked) for c in numbers},
        quality=_bits(table["quality"], asked),
        time=_utc(table["time"], asked),
    )
    _check_places(table, asked)
    _check_units(table, asked)
    table = _sorted(_apart(table), asked)
    first = [*REQUIRED, *OPTIONAL]
    return table[[*first, *(c for c in table.columns if c not in first)]]


def is_complete(predictions: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows of a checked table have both an estimate and a label."""
    return np.asarray(predictions[ESTIMATE].notna() & predictions[LABEL].notna())


def by_sensor(table: pd.DataFrame) -> tuple[NDArray[np.intp], pd.DataFrame]:
    """Return the sensor number of each row, and one row per sensor with its mean `lat` and `lon` in degrees.

    Sensors are numbered in the order of their names. Consecutive rows of one sensor are processed together.
    """
    starts = np.zeros(len(table), dtype=bool)
    starts[:1] = True
    for name in SENSOR:
        values = table[name].array
        starts[1:] |= np.asarray(values[1:] != values[:-1])
    runs = table.loc[starts, SENSOR].groupby(SENSOR, sort=True, observed=True)
    number = runs.ngroup().to_numpy(dtype=np.intp)[np.cumsum(starts) - 1]
    sensors = runs.size().index.to_frame(index=False)
    count = np.bincount(number, minlength=len(sensors))
    places = {name: np.bincount(number, table[name], len(sensors)) / count for name in ("lat", "lon")}
    return number, sensors.assign(**places)


def _check_columns(table: pd.DataFrame, asked: str) -> None:
    if "mean" in table and set(SENSOR) <= set(table) and not {STD, LABEL} & set(table):
        raise VadoseError(
            asked,
            f"Its estimates are called 'mean', as in tables of vadose 0.1, whose column '{ESTIMATE}' is the reading",
            f"Rename mean to {ESTIMATE}, spread to {STD} and {ESTIMATE} to {LABEL}, or make the table again",
        )
    absent = [c for c in REQUIRED if c not in table]
    if absent:
        raise VadoseError(
            asked,
            f"It lacks {', '.join(absent)}; it has {', '.join(map(str, table.columns)) or 'no column'}",
            f"Name the columns {', '.join(REQUIRED)}, and optionally {', '.join(OPTIONAL)}",
        )
    if table.empty:
        raise VadoseError(asked, "It has no rows", "Estimate at least one sample")


def _text(column: "pd.Series[Any]", asked: str) -> "pd.Series[str]":
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if (
        column.isna().any()
        or not pd.api.types.is_string_dtype(column)
        or (column.astype("str").str.strip() == "").any()
    ):
        raise _wrong(asked, column, "text in every row")
    return column.astype("str")


def _number(column: "pd.Series[Any]", asked: str) -> "pd.Series[float]":
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        raise _wrong(asked, column, "numbers")
    column = column.astype("float64")
    if np.isinf(column).any():
        raise VadoseError(
            f"{asked}, column {column.name}",
            f"{np.isinf(column).sum()} values are infinite",
            "Write NaN for missing values",
        )
    return column


def _bits(column: "pd.Series[Any]", asked: str) -> "pd.Series[int]":
    if not pd.api.types.is_integer_dtype(column) or not column.between(0, 2**32 - 1).all():
        raise _wrong(asked, column, "whole numbers within 0..4294967295")
    return column.astype("uint32")


def _utc(column: "pd.Series[Any]", asked: str) -> "pd.Series[pd.Timestamp]":
    if not pd.api.types.is_datetime64_any_dtype(column) or column.isna().any():
        raise _wrong(asked, column, "a time in every row (datetime64, UTC or with a time zone)")
    return pd.Series(utc_times(column, asked), column.index, name=column.name)


def _wrong(asked: str, column: "pd.Series[Any]", wanted: str) -> VadoseError:
    absent = int((column.isna() | (column.astype("str").str.strip() == "")).sum())
    lacking = f", {absent} rows without a value" if absent else ""
    return VadoseError(f"{asked}, column {column.name}", f"Its type is {column.dtype}{lacking}", f"Give {wanted}")


def _check_places(table: pd.DataFrame, asked: str) -> None:
    inside = table["lat"].between(SOUTHERNMOST, NORTHERNMOST) & table["lon"].between(-180, 180)
    if not inside.all():
        worst = table[~inside].iloc[0]
        raise VadoseError(
            f"{asked}, columns lat and lon",
            f"{(~inside).sum()} rows are outside the grid of cells, the first at {worst.lat:g} N {worst.lon:g} E",
            f"Give degrees within {SOUTHERNMOST:g}..{NORTHERNMOST:g} N and -180..180 E",
        )


def _check_units(table: pd.DataFrame, asked: str) -> None:
    low, high = PLAUSIBLE
    for name in (ESTIMATE, STD, LABEL):
        values = table[name]
        least, most = values.min(), values.max()
        if least < (0 if name == STD else low):
            raise VadoseError(
                f"{asked}, column {name}",
                f"Its smallest value is {least:g}, impossible for soil moisture in m3 m-3",
                "Write NaN instead of fill values",
            )
        if most > high:
            raise VadoseError(
                f"{asked}, column {name}",
                f"Its largest value is {most:g}, so it is not in m3 m-3 but in % or mm",
                "Divide % by 100, or mm by the depth of the layer in mm (50 for 0-5 cm)",
            )


def _apart(table: pd.DataFrame) -> pd.DataFrame:
    """Extend the names of sensors that measure at several places at one time by their places."""
    once = ~table.duplicated([*SAMPLE, "lat", "lon"], keep=False)
    several = table[table.duplicated(SAMPLE, keep=False) & once]
    if several.empty:
        return table
    names = pd.MultiIndex.from_frame(several[SENSOR].drop_duplicates())
    here = pd.MultiIndex.from_frame(table[SENSOR]).isin(names)
    places = [f" at {lat:.5f} N {lon:.5f} E" for lat, lon in zip(table["lat"], table["lon"], strict=True)]
    return table.assign(sensor=table["sensor"].where(~here, table["sensor"] + pd.Series(places, table.index)))


def _sorted(table: pd.DataFrame, asked: str) -> pd.DataFrame:
    sensor, time = by_sensor(table)[0], table["time"].to_numpy().astype(np.int64)
    step = np.diff(sensor)
    if not np.all((step > 0) | ((step == 0) & (np.diff(time) > 0))):
        order = np.lexsort((time, sensor))
        table, sensor, time = table.iloc[order], sensor[order], time[order]
    twice = (np.diff(sensor) == 0) & (np.diff(time) == 0)
    if twice.any():
        row = table.iloc[int(np.argmax(twice))]
        raise VadoseError(
            asked,
            f"{twice.sum()} samples are repeated, the first at {'/'.join(row[SENSOR])} {row['time']}",
            "Keep one row for each sensor and time",
        )
    return table.reset_index(drop=True)
