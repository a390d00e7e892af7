"""CSV tables: names are read verbatim, times as ISO 8601 in UTC."""

import warnings
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.errors import VadoseError

MISSING: Final = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "-nan", "-NaN", "<NA>", "#N/A", "#NA")
"""Texts of a missing number. In a column of names they are names: Namibia's code is NA."""

_OTHER_MARKS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_DATE = r"(?:\d{4}-\d{2}-\d{2}|\d{4}/\d{2}/\d{2}|\d{8})"
_CLOCK = r"(?:[T ]\d{2}(?::?\d{2}(?::?\d{2}(?:\.\d+)?)?)?(?: ?(?:Z|[+-]\d{2}(?::?\d{2})?))?)?"
_ISO = _DATE + _CLOCK
_DAY_OR_MONTH_FIRST = r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?:\D.*)?"
_NO_DAY = r"\d{4}(?:[/-]?\d{2})?"
_YEARS: Final = (1678, 2261)
"""Years that nanoseconds since 1970 cover completely."""


def header_of(path: Path, wanted: Collection[str] = ()) -> list[str]:
    """Return the names of the columns of a CSV file, possibly compressed.

    Args:
        path: of the file.
        wanted: names that exactly one column each must have.

    Raises:
        VadoseError: its columns are separated by another character than a comma, or a wanted name is repeated.
        ValueError: it is not CSV text in UTF-8.
    """
    try:
        names = [*map(str, pd.read_csv(path, header=None, nrows=1, dtype="str", keep_default_na=False).iloc[0])]
    except (EOFError, zlib.error) as error:
        raise ValueError(f"it is damaged: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text: {error.reason} at byte {error.start}") from error
    other = next((words for mark, words in _OTHER_MARKS.items() if len(names) == 1 and mark in names[0]), "")
    if other:
        raise VadoseError(
            f"table {path}", f"Its columns are separated by {other}", "Write commas between columns, points in decimals"
        )
    twice = sorted({name for name in names if name in wanted and names.count(name) > 1})
    if twice:
        raise VadoseError(
            f"table {path}", f"Several of its columns are called {', '.join(twice)}", "Rename or remove all but one"
        )
    return names


def read_csv(path: Path, texts: Collection[str], wanted: Collection[str] = (), **options: Any) -> pd.DataFrame:
    """Return a CSV file, possibly compressed: text columns verbatim, missing-value words only in the other columns.

    Args:
        path: of the file.
        texts: columns of text.
        wanted: columns of which each must occur once.
        options: of pandas.

    Raises:
        VadoseError: as `header_of`.
        ValueError: it is not CSV text in UTF-8.
    """
    columns = header_of(path, {*texts, *wanted})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of a comma at the end of each row
            table: pd.DataFrame = pd.read_csv(
                path,
                dtype={column: "str" for column in columns if column in texts},
                keep_default_na=False,
                na_values={column: [*MISSING] for column in columns if column not in texts},
                low_memory=False,
                index_col=False if _ends_with_comma(path, len(columns)) else None,
                **options,
            )
    except (EOFError, zlib.error) as error:
        raise ValueError(f"it is damaged: {error}") from error
    return table


def _ends_with_comma(path: Path, columns: int) -> bool:
    """Return whether each row, but not the header, has a comma at its end; pandas would take its first column for
    names of rows.
    """
    try:
        rows = pd.read_csv(path, header=None, skiprows=1, nrows=100, dtype="str", keep_default_na=False)
    except pd.errors.EmptyDataError:
        return False
    return rows.shape[1] == columns + 1 and bool((rows.iloc[:, -1].fillna("") == "").all())


def utc_times(column: "pd.Series[Any]", asked: str, form: str | None = None) -> NDArray[np.datetime64]:
    """Return times of a column, datetime64[ns] in UTC; without an offset they are UTC, and offsets may differ between
    rows.

    Args:
        column: times, or ISO 8601 text with at least a day, year first.
        asked: name of the table in messages.
        form: strftime format of the text, if it is not ISO 8601.

    Raises:
        VadoseError: a value is not such a time; it is named with its row.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        times = pd.to_datetime(column, utc=True)
    else:
        text = column.astype("string").str.strip()
        sound = text if form else text.where(text.str.fullmatch(_ISO).fillna(False).astype(bool))
        times = pd.to_datetime(sound, errors="coerce", utc=True, format=form or "ISO8601")
    wrong = ~times.dt.year.between(*_YEARS).to_numpy(bool)
    if wrong.any():
        raise _no_time(column, wrong, asked, form)
    return times.dt.tz_localize(None).to_numpy("datetime64[ns]")


def _no_time(column: "pd.Series[Any]", wrong: NDArray[np.bool_], asked: str, form: str | None) -> VadoseError:
    row = int(np.flatnonzero(wrong)[0])
    value = str(column.iloc[row])
    return VadoseError(
        f"{asked}: column '{column.name}' as a time ({form or 'ISO 8601'})",
        f"Row {row + 1} has '{value[:60]}'{_doubt(value, form)}; {int(wrong.sum())} of {len(wrong)} rows are invalid",
        "Correct these rows: write ISO 8601, such as 2020-02-01T06:00Z (rows are counted from 1 below the header)",
    )


def _doubt(value: str, form: str | None) -> str:
    one = pd.Series([value], dtype="string").str
    if form:
        return ""
    if one.fullmatch(_DAY_OR_MONTH_FIRST).iloc[0]:
        return ", where day and month are ambiguous"
    return ", a whole month or year, not a time" if one.fullmatch(_NO_DAY).iloc[0] else ""
