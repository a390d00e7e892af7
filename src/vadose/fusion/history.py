"""History: observations averaged in time steps."""

import numpy as np
from numpy.typing import NDArray

from vadose.fusion.latest_valid import DAY_NS
from vadose.fusion.regrid import Floats


def steps_of(times: NDArray[np.datetime64], moment: np.datetime64, steps: int, step_days: float) -> NDArray[np.intp]:
    """Return the step of each time: 0 for the `step_days` that end with `moment`; -1 for none of them."""
    age = (moment - times) / np.timedelta64(1, "ns") / DAY_NS
    step = np.floor(age / step_days).astype(int)
    return np.where((age >= 0) & (step < steps), step, -1)


def step_means(values: Floats, step: NDArray[np.intp], steps: int, share: Floats | float = 1.0) -> Floats:
    """Return the mean of the observations in each step, weighted by the observed fraction of the cell.

    Args:
        values: (time, y, x), NaN where nothing was observed; backscatter in linear power.
        step: (time,), step of each time, -1 for none.
        steps: number of steps.
        share: observed fraction of the cell, 0..1, broadcastable to `values`.

    Returns:
        (step, y, x), NaN where a step has no observation.
    """
    total = np.zeros((steps, *values.shape[1:]))
    weight = np.zeros_like(total)
    kept = step >= 0
    weights = np.where(np.isfinite(values), share, 0.0)[kept]
    np.add.at(total, step[kept], weights * np.nan_to_num(values[kept]))
    np.add.at(weight, step[kept], weights)
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan).astype(np.float32)
