"""History of table rows: means over earlier rows of the same sensor in time steps."""

import numpy as np
from numpy.typing import NDArray

from vadose.grid import nanoseconds

DAY_NS = 86_400e9


def history_features(
    times: NDArray[np.datetime64],
    values: NDArray[np.float64],
    steps: int,
    step_days: float,
    delay_ns: int = 0,
) -> NDArray[np.float32]:
    """Return the mean of the rows in each step; the first step includes the row itself.

    Step k contains the rows whose age in days, relative to the row, is in [k step_days, (k + 1) step_days). Table rows
    have no observed fraction of a cell: all have the same weight.

    Args:
        times: times of the rows of one sensor, ascending.
        values: (row, variable), NaN where missing; backscatter in linear power.
        steps: number of steps.
        step_days: length of a step, days.
        delay_ns: nanoseconds from a row to its publication.

    Returns:
        (row, step, variable), the latest step first; NaN where a step has no observation.
    """
    moments = nanoseconds(times).astype(np.int64)
    bounds = [round(step * step_days * DAY_NS) for step in range(steps + 1)]
    edges = np.stack([np.searchsorted(moments, moments - max(bound, delay_ns), side="right") for bound in bounds])
    observed = np.isfinite(values)
    means = np.full((len(times), steps, values.shape[1]), np.nan, np.float32)
    for step in range(steps):
        first, end = edges[step + 1], edges[step]
        count = _sums(observed.astype(np.float64), first, end)
        total = _sums(np.where(observed, values, 0.0), first, end)
        np.divide(total, count, out=means[:, step], where=count > 0, casting="same_kind")
    return means


def _sums(values: NDArray[np.float64], first: NDArray[np.intp], end: NDArray[np.intp]) -> NDArray[np.float64]:
    padded = np.concatenate([values, np.zeros((1, values.shape[1]))])
    sums = np.add.reduceat(padded, np.stack([first, end], axis=1).ravel(), axis=0)[::2]
    return np.where((first < end)[:, np.newaxis], sums, 0.0)
