"""Table of the split of a run: training, validation and test sensors of each fold, by year."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.dataset import Fold
from vadose.dataset.layout import IDENTITY
from vadose.errors import VadoseError
from vadose.grid import nanoseconds
from vadose.io.files import atomic_write, metadata

KEY = ["fold", "part", *IDENTITY, "year"]
LEFT_OUT = "left out"
SHOWN = 5


def table_of(folds: Sequence[Fold], index: pd.DataFrame) -> pd.DataFrame:
    """Return one row per sensor and year in each part of each fold.

    Args:
        folds: folds of the samples of `index`.
        index: index of the whole sample store.

    Returns:
        fold, part ("train", "validation", "test", or "left out" for samples of no part: without a label, or in the gap
        between times), network, station, sensor, year, samples, first_time and last_time (UTC), sorted.
    """
    parts = []
    for number, fold in enumerate(folds):
        part = np.full(len(index), LEFT_OUT, object)
        for name, rows in (("train", fold.train), ("validation", fold.validation), ("test", fold.test)):
            part[rows] = name
        columns = index[[*IDENTITY, "time"]].assign(fold=number, part=part, year=index["time"].dt.year)
        groups = columns.groupby(KEY, sort=True)["time"]
        parts.append(groups.agg(samples="size", first_time="min", last_time="max").reset_index())
    return pd.concat(parts, ignore_index=True)


def save_or_verify(table: pd.DataFrame, path: Path) -> None:
    """Write the split of a run, or verify that it agrees with the existing one.

    Raises:
        VadoseError: it differs; the message names the differences.
    """
    if path.exists():
        _check_same(read(path), table, path)
        return
    declared = table.copy(deep=False)
    declared.attrs.update(metadata("split", {}))
    with atomic_write(path) as temporary:
        declared.to_parquet(temporary)


def read(path: Path) -> pd.DataFrame:
    """Return the split of a run.

    Raises:
        VadoseError: it is unreadable.
    """
    try:
        table = pd.read_parquet(path)
        whole = {name: _whole(table[name]) for name in ("fold", "year", "samples")}
        text = {name: _text(table[name]) for name in ("part", *IDENTITY)}
        times = {name: nanoseconds(table[name].to_numpy()) for name in ("first_time", "last_time")}
        return table.assign(**whole, **text, **times)[[*KEY, "samples", "first_time", "last_time"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VadoseError(
            f"run: the split {path}",
            f"It cannot be read ({error})",
            "Resume the run by 'vadose train --resume', or train again",
        ) from error


def _whole(column: pd.Series) -> pd.Series:
    numbers = column.astype(np.int64)
    if (numbers != column).any():
        raise ValueError(f"{column.name} is not a whole number")
    return numbers


def _text(column: pd.Series) -> pd.Series:
    if not all(isinstance(value, str) for value in column):
        raise TypeError(f"{column.name} is not text")
    return column


def _check_same(held: pd.DataFrame, now: pd.DataFrame, path: Path) -> None:
    both = held.merge(now, how="outer", on=KEY, suffixes=("", "_now"), sort=True)
    same = np.logical_and.reduce([both[name] == both[f"{name}_now"] for name in ("samples", "first_time", "last_time")])
    if not same.all():
        lines = [_difference(row) for _, row in both[~same].head(SHOWN).iterrows()]
        more = f"; {(~same).sum() - SHOWN} more" if (~same).sum() > SHOWN else ""
        raise VadoseError(
            f"run: the split {path} of the unfinished run",
            f"The samples now give another split: {'; '.join(lines)}{more}",
            "Resume with the samples of its start, or start another run with --out",
        )


def _difference(row: pd.Series) -> str:
    held, now = (f"{row[name]:g}" if pd.notna(row[name]) else "no" for name in ("samples", "samples_now"))
    counts = f"{held} samples then, {now} now" if held != now else f"{held} samples, at other times now"
    return f"{row.network} {row.station} {row.sensor} of {row.year} in {row.part} of fold {row.fold}: {counts}"
