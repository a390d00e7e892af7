"""Verification of every byte of a store: damaged, repeated or impossible content."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vadose.dataset.layout import IDENTITY, LABEL, ArraySpec
from vadose.dataset.store import Floats, SampleStore
from vadose.errors import VadoseError
from vadose.registry import PREDICTORS
from vadose.variables import SOIL_MOISTURE


@dataclass(frozen=True)
class Verified:
    """Findings in a store.

    Attributes:
        samples: number of samples.
        faults: one line each; empty for a sound store.
    """

    samples: int
    faults: tuple[str, ...]

    def __str__(self) -> str:
        found = "\n".join(self.faults) if self.faults else "no fault found"
        return f"{self.samples} samples read; {found}"


def verify(store: SampleStore, report: Callable[[int, int, str], None] | None = None) -> Verified:
    """Read all of a store: checksums of every chunk, values within their ranges, no repeated samples.

    Args:
        store: opened, so that all its files exist.
        report: called with (finished arrays, arrays, name).
    """
    arrays = store.plans
    faults = _faults_of_index(store.index)
    for done, plan in enumerate(arrays, start=1):
        faults += _faults_of_array(store, plan)
        if report:
            report(done, len(arrays), plan.path)
    return Verified(len(store), tuple(faults))


def _faults_of_index(index: pd.DataFrame) -> list[str]:
    doubled = int(index.duplicated([*IDENTITY, "time"]).sum())
    faults = [f"index: {doubled} samples of one sensor and time are repeated"] if doubled else []
    faults += [
        f"index: {index[name].isna().sum()} samples without {name}"
        for name in ("lat", "lon")
        if index[name].isna().any()
    ]
    if LABEL in index:
        outside = int((~index[LABEL].dropna().between(*SOIL_MOISTURE.valid_range)).sum())
        faults += [f"index: {outside} labels outside {SOIL_MOISTURE.valid_range} m3 m-3"] if outside else []
    return faults


def _faults_of_array(store: SampleStore, plan: ArraySpec) -> list[str]:
    outside = 0
    for start in range(0, len(store), plan.block):
        rows = np.arange(start, min(start + plan.block, len(store)))
        try:
            outside += _outside(_values(store, plan, rows), plan.name)
        except VadoseError as damage:
            return [f"{plan.path}: {damage.problem}"]
    return [f"{plan.path}: {outside} values outside their range"] if outside else []


def _values(store: SampleStore, plan: ArraySpec, rows: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> Floats:
    if plan.group == "pixels":
        return store.pixels((plan.name,), rows, store.holds.halo)
    return store.cells((plan.name,), rows) if plan.group == "cells" else store.steps(plan.name, rows)


def _outside(values: Floats, name: str) -> int:
    low, high = PREDICTORS[name].valid_range if name in PREDICTORS else (0.0, np.inf)
    slack = 1e-3 * (high - low if np.isfinite(high) else 1.0)
    known = values[~np.isnan(values)]
    return int(((known < low - slack) | (known > high + slack)).sum())
