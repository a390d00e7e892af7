"""Appending of one sample store to another; unchanged files are shared, not copied."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.dataset.calibrations import CALIBRATIONS
from vadose.dataset.layout import IDENTITY, LISTS
from vadose.dataset.rejections import RejectionCounts, Report
from vadose.dataset.store import Rows, SampleStore
from vadose.dataset.writer import Samples, SampleWriter
from vadose.errors import VadoseError
from vadose.io.locks import alone_at
from vadose.io.outputs import Request

KEY = [*IDENTITY, "time"]
AT_ONCE = 256


def append(path: Path, other: SampleStore, progress: Callable[[int, int, str], None] | None = None) -> Report:
    """Append the samples of another store to the store at `path`, without duplicates.

    The store is replaced when the longer one is complete: an interrupted run leaves it unchanged.

    Args:
        path: path of the extended store.
        other: store with the same variables.
        progress: called with (finished samples, samples, name).

    Raises:
        VadoseError: the stores have different variables, packings or units, or only one is simulated.
    """
    with alone_at(path) as held:
        return _append(SampleStore.open(held), other, progress)


def _append(store: SampleStore, other: SampleStore, progress: Callable[[int, int, str], None] | None) -> Report:
    path = store.path
    _check(store, other)
    known = set(store.index[KEY].itertuples(index=False, name=None))
    fresh = np.array([key not in known for key in other.index[KEY].itertuples(index=False, name=None)], bool)
    rows = np.flatnonzero(fresh)
    origin = {
        "request": Request.of("samples append", path).mark,
        "onto": store.declaration["made_from"],
        "appended": other.declaration["made_from"],
    }
    origin |= {CALIBRATIONS: store.calibrations} if store.calibrations else {}
    if len(rows):
        with SampleWriter.open(
            path, store.holds, origin, store.simulated, store, store.packings, store.products
        ) as writer:
            for name, table in _lists(store, other):
                writer.put_list(name, table)
            for start in range(0, len(rows), AT_ONCE):
                writer.append(_samples(other, rows[start : start + AT_ONCE]))
                if progress:
                    progress(min(start + AT_ONCE, len(rows)), len(rows), "samples")
    return Report(path, len(store) + len(rows), RejectionCounts.of({"already there": int((~fresh).sum())}))


def _samples(store: SampleStore, rows: Rows) -> Samples:
    holds = store.holds
    return Samples(
        store.index.iloc[rows],
        store.cells(holds.cells, rows),
        store.history(holds.history, rows),
        store.pixels(holds.pixels, rows, holds.halo) if holds.pixels else None,
    )


def _lists(store: SampleStore, other: SampleStore) -> Iterator[tuple[str, pd.DataFrame]]:
    for name in LISTS:
        held = [pd.read_parquet(one.path / name) for one in (store, other) if (one.path / name).exists()]
        if held:
            yield name, pd.concat(held, ignore_index=True).drop_duplicates(ignore_index=True)


def _check(store: SampleStore, other: SampleStore) -> None:
    asked = f"samples: appending {other.path} to {store.path}"
    if store.holds != other.holds:
        differences = [*store.holds.differences(other.holds), *other.holds.differences(store.holds)]
        raise VadoseError(asked, f"Their variables differ: {'; '.join(differences)}", "Build both for the same needs")
    unlike = sorted(name for name in store.products if store.products[name] != other.products[name])
    if unlike:
        found = "; ".join(f"{name} is {store.products[name]} here and {other.products[name]} there" for name in unlike)
        raise VadoseError(asked, f"They are of different products: {found}", "Build both from the same products")
    if store.packings != other.packings or store.calibrations != other.calibrations:
        raise VadoseError(
            asked,
            "Their published numbers have different calibrations or packings",
            "Build both with the same units",
        )
    if store.simulated != other.simulated:
        raise VadoseError(asked, "Only one of them is simulated", "Keep them apart")
