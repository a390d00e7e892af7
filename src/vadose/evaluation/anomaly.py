"""Short-term anomalies: what is left of a series without its season."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vadose.evaluation.statistic import Floats, group_mean

WINDOW_DAYS = 35.0


def anomalies(
    series: Sequence[Floats], time: NDArray[np.datetime64], group: NDArray[np.intp], window_days: float = WINDOW_DAYS
) -> list[Floats]:
    """Departure of each value from the mean over a window centred on its time (Entekhabi et al. 2010).

    The window holds the values of the same group within half its width on either side, both ends included, whether
    days are missing or not; it is that of pytesmo's `calc_anomaly`.

    Args:
        series: arrays of finite values, each sorted by group and time.
        time: datetime64[ns] of each value.
        group: number of each value's group, ascending.
        window_days: full width of the window, in days.
    """
    if len(time) == 0:
        return list(series)
    # Groups are laid end to end on one axis, in seconds so that it cannot overflow, further apart than a window.
    half = round(window_days * 86_400 / 2)
    since = (time - time.min()).astype("timedelta64[s]").astype(np.int64)
    axis = group.astype(np.int64) * (int(since.max()) + 2 * half + 1) + since
    first = np.searchsorted(axis, axis - half, side="left")
    last = np.searchsorted(axis, axis + half, side="right")
    return [_departures(values, group, first, last) for values in series]


def _departures(values: Floats, group: NDArray[np.intp], first: NDArray[np.intp], last: NDArray[np.intp]) -> Floats:
    centred = values - group_mean(values, group, int(group.max()) + 1)[group]
    total = np.concatenate([[0.0], np.cumsum(centred)])
    return np.asarray(centred - (total[last] - total[first]) / (last - first))
