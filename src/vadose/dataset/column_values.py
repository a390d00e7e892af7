"""Typed values of table columns: names, numbers, times; errors name the invalid value and its row."""

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vadose.dataset.table_columns import CoordinateColumn, NameColumn, QuantityColumn, TableMapping, TimeColumn
from vadose.errors import VadoseError
from vadose.io.csv_tables import header_of, read_csv, utc_times
from vadose.io.files import closest


def read_table(path: Path, mapping: TableMapping) -> pd.DataFrame:
    """Return the mapped columns of a CSV (also compressed) or Parquet file; names and times of a CSV remain text.

    Raises:
        VadoseError: the file is missing, of another format, truncated or empty, or lacks a mapped column.
    """
    texts = {name.column for name in mapping.names if name.column} | {mapping.time.column}
    numbers = {mapping.lat.column, mapping.lon.column, *(quantity.column for _, quantity in mapping.quantities)}
    try:
        if path.name.lower().endswith((".parquet", ".pq")):
            _require(path, texts | numbers, pq.read_schema(path).names)
            table = pd.read_parquet(path, columns=sorted(texts | numbers))
        elif path.name.lower().endswith((".csv", ".csv.gz")):
            _require(path, texts | numbers, header_of(path))
            table = read_csv(path, texts, texts | numbers, usecols=sorted(texts | numbers))
        else:
            raise VadoseError(f"tables: {path}", "Its suffix is none of .csv, .csv.gz, .parquet", "Convert it to one")
    except VadoseError:
        raise
    except (OSError, EOFError, ValueError, zlib.error, pa.ArrowException) as error:
        raise VadoseError(
            f"tables: {path}", f"It cannot be read: {error}", "Give a complete CSV (UTF-8), CSV.gz or Parquet file"
        ) from error
    if table.empty:
        raise VadoseError(f"tables: {path}", "It has no rows", "Give a table with rows")
    return table


def columns_of(path: Path) -> tuple[str, ...]:
    """Return the names of a table's columns; none if it is unreadable, which `read_table` explains."""
    try:
        if path.name.lower().endswith((".parquet", ".pq")):
            return tuple(pq.read_schema(path).names)
        return tuple(header_of(path))
    except (VadoseError, OSError, EOFError, ValueError, zlib.error, pa.ArrowException):
        return ()


def names(table: pd.DataFrame, name: NameColumn) -> NDArray[np.object_]:
    """Return a column of names without blanks around them.

    Raises:
        VadoseError: a row has none.
    """
    if name.column is None:
        return np.full(len(table), name.value, object)
    column = table[name.column].astype("string").str.strip()
    absent = column.isna() | (column == "")
    if absent.any():
        raise _bad(name.column, "a name", absent, column)
    return column.to_numpy(object)


def times(table: pd.DataFrame, moment: TimeColumn) -> NDArray[np.datetime64]:
    """Return a column of times, UTC, datetime64[ns].

    Raises:
        VadoseError: a value is not a time.
    """
    return utc_times(table[moment.column], "tables", moment.format)


def degrees(table: pd.DataFrame, place: CoordinateColumn, limit: float) -> NDArray[np.float64]:
    """Return a column of degrees between -limit and limit, without missing values.

    Raises:
        VadoseError: a value is out of range or missing.
    """
    values = _numbers(table, place.column)
    beyond = pd.Series(~(abs(values) <= limit))
    if beyond.any():
        raise _bad(place.column, f"degrees within -{limit:g}..{limit:g}", beyond, table[place.column])
    return values


def quantity(table: pd.DataFrame, given: QuantityColumn) -> NDArray[np.float64]:
    """Return a column of a physical quantity, scaled and offset, NaN where missing.

    Raises:
        VadoseError: a value is not a number.
    """
    values = _numbers(table, given.column)
    return np.where(np.isin(values, given.missing), np.nan, values) * given.scale + given.offset


def _require(path: Path, wanted: Iterable[str], there: list[str]) -> None:
    absent = sorted(set(wanted) - set(there))
    if absent:
        hints = ", ".join(f"'{name}'{closest(name, there)}" for name in absent)
        raise VadoseError(
            f"tables: {path}, column {hints}", f"Its columns are {', '.join(there)}", "Name one of these in the mapping"
        )


def _numbers(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    given = table[column]
    if pd.api.types.is_bool_dtype(given) or pd.api.types.is_datetime64_any_dtype(given):
        raise VadoseError(f"tables: column '{column}' as numbers", f"Its type is {given.dtype}", "Name another column")
    values = pd.to_numeric(given, errors="coerce")
    wrong = values.isna() & given.notna()
    if wrong.any():
        raise _bad(column, "numbers", wrong, given)
    return values.to_numpy(np.float64, na_value=np.nan)


def _bad(column: str, expected: str, wrong: pd.Series, values: pd.Series) -> VadoseError:
    row = int(np.flatnonzero(wrong.to_numpy())[0])
    return VadoseError(
        f"tables: column '{column}' as {expected}",
        f"Row {row + 1} has '{values.iloc[row]}'; {int(wrong.sum())} of {len(wrong)} rows are invalid",
        "Correct these rows, or name another column in the mapping (rows are counted from 1 below the header)",
    )
