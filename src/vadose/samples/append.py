"""Samples of one store behind those of another: files that do not change are shared, not copied."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from vadose.refusal import Refusal
from vadose.samples.layout import IDENTITY
from vadose.samples.report import Dropped, Report
from vadose.samples.store import Rows, SampleStore
from vadose.samples.writer import Samples, SampleWriter

KEY = [*IDENTITY, "time"]
AT_ONCE = 256


def append(path: Path, other: SampleStore, progress: Callable[[int, int, str], None] | None = None) -> Report:
    """Put the samples of another store behind those of the store at `path`; what it has already is left out.

    The store is replaced when the longer one is whole: a run that is stopped leaves it as it was.

    Args:
        path: of the store that grows.
        other: store that holds the same for each sample.
        progress: told (samples done, samples, what).

    Raises:
        Refusal: the stores do not hold the same, or one is simulated and the other is not.
    """
    store = SampleStore.open(path)
    _check(store, other)
    known = set(store.index[KEY].itertuples(index=False, name=None))
    fresh = np.array([key not in known for key in other.index[KEY].itertuples(index=False, name=None)], bool)
    rows = np.flatnonzero(fresh)
    origin = {"onto": store.declaration["made_from"], "appended": other.declaration["made_from"]}
    if len(rows):
        with SampleWriter.open(path, store.holds, origin, store.simulated, onto=store) as writer:
            for start in range(0, len(rows), AT_ONCE):
                writer.append(_samples(other, rows[start : start + AT_ONCE]))
                if progress:
                    progress(min(start + AT_ONCE, len(rows)), len(rows), "samples")
    return Report(path, len(store) + len(rows), Dropped.of({"already there": int((~fresh).sum())}))


def _samples(store: SampleStore, rows: Rows) -> Samples:
    holds = store.holds
    return Samples(
        store.index.iloc[rows],
        store.cells(holds.cells, rows),
        store.history(holds.history, rows),
        store.pixels(holds.pixels, rows, holds.halo) if holds.pixels else None,
    )


def _check(store: SampleStore, other: SampleStore) -> None:
    asked = f"samples: those of {other.path} behind those of {store.path}"
    if store.holds != other.holds:
        differences = [*store.holds.differences(other.holds), *other.holds.differences(store.holds)]
        raise Refusal(asked, f"They do not hold the same: {'; '.join(differences)}", "Build both for the same needs")
    if store.simulated != other.simulated:
        raise Refusal(asked, "One is simulated and the other is not", "Keep them apart")
