"""What was known before, for the rows of a table: earlier rows of the same sensor gathered into steps of time."""

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
    """Mean in each step of the rows that lie in it, the row's own among those of the first.

    Step k holds the rows whose age in days, seen from the row, lies in [k step_days, (k + 1) step_days). Rows of tables
    state no observed part of a cell: all weigh alike.

    Args:
        times: of the rows of one sensor, ascending.
        values: (row, variable), NaN where missing; backscatter in linear power.
        steps: how many.
        step_days: length of one, days.
        delay_ns: nanoseconds that pass until a row is known.

    Returns:
        (row, step, variable), the latest step first; NaN where a step holds no observation.
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
