"""Times of a map: one, the days of a range, or the passes of Sentinel-1."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest, Period, nanosecond, nanoseconds
from vadose.sources import Source
from vadose.sources.archive import ItemIndex
from vadose.sources.sentinel1 import Sentinel1

PASS = "pass"  # noqa: S105 (a satellite pass)
ONE_PASS = np.timedelta64(10, "m")
"""Largest time between the scenes of one pass over an area; two passes are always further apart."""
MOST = 10_000
"""Largest number of times of one map: 27 years of days."""
_DAY = np.timedelta64(1, "D")
_RELATIVE = re.compile("(today|yesterday)(?:-([0-9]{1,5}))?")


def timestamp_of(date: str) -> np.datetime64:
    """Return a time from the command line; a day means its last second.

    Raises:
        VadoseError: it is not an ISO date, or has no day.
    """
    try:
        moment = np.datetime64(date)
    except ValueError as error:
        raise _no_date(date) from error
    unit = np.datetime_data(moment.dtype)[0]
    if np.isnat(moment) or unit in ("Y", "M", "W"):
        raise _no_date(date)
    last: np.datetime64 = nanosecond(moment, "the date") + np.timedelta64(86_399 if unit == "D" else 0, "s")
    return last


def absolute_date(date: str, now: np.datetime64 | None = None) -> str:
    """Replace relative days in a date or a range: today, yesterday, and today-10 for ten days before (UTC).

    Args:
        date: from the command line.
        now: UTC; by default the present.
    """
    today = (np.datetime64("now") if now is None else now).astype("datetime64[D]")

    def day(found: re.Match[str]) -> str:
        return str(today - np.timedelta64(found[1] == "yesterday", "D") - np.timedelta64(int(found[2] or 0), "D"))

    return _RELATIVE.sub(day, date)


def _no_date(date: str) -> VadoseError:
    return VadoseError(
        f"the date '{date[:60]}'",
        "It is not an ISO date with a day",
        "Write 2021-06-10, 2021-06-10T18:00 or today-3",
    )


def timestamps_of(
    date: str | tuple[np.datetime64, ...], every: str | None, passes: "Passes"
) -> tuple[np.datetime64, ...]:
    """Return the times to be mapped, in order, UTC.

    Args:
        date: a time, a day, or two days separated by a slash; or the times themselves.
        every: interval of a range, days, or "pass"; by default each day.
        passes: finds the passes of Sentinel-1.

    Raises:
        VadoseError: the dates are invalid, the range ends before it starts, or the interval is not a number of days.
    """
    if isinstance(date, tuple):
        return date
    first, _, last = date.partition("/")
    begin, end = timestamp_of(first), timestamp_of(last or first)
    if every == PASS:
        return passes.within(_whole_days(begin, end, date))
    if every is not None and (not re.fullmatch("[0-9]{1,5}", every or "") or int(every) == 0):
        raise VadoseError(
            f"map: a map every '{every}'",
            "It is not a whole number of days below 100,000",
            f"Write a number of days, or {PASS}",
        )
    if not last:
        return (begin,)
    days, step, day = _whole_days(begin, end, date), int(every or 1), begin.astype("datetime64[D]")
    count = int((days.end.astype("datetime64[D]") - day) / _DAY - 1) // step + 1
    if count > MOST:
        raise VadoseError(
            f"the dates '{date}'",
            f"They are {count:,} times; the limit of a map is {MOST:,}",
            "Map fewer days at once",
        )
    return tuple(nanoseconds(day + np.arange(count) * step * _DAY) + (begin - day))


@dataclass(frozen=True)
class Passes:
    """Sentinel-1 passes over an area.

    Attributes:
        index: reads the Sentinel-1 items of an archive at the first request.
        area: area of the map.
    """

    index: Callable[[], ItemIndex]
    area: AreaOfInterest

    @classmethod
    def of(cls, sources: Sequence[Source], area: AreaOfInterest) -> "Passes":
        """Return the passes in the sources of an archive."""
        return cls(lambda: next(source.index for source in sources if isinstance(source, Sentinel1)), area)

    def within(self, period: Period) -> tuple[np.datetime64, ...]:
        """Return the last scene of each pass in a period.

        Raises:
            NoDataError: there is none.
        """
        times = sorted({record.time for record in self.index().find(self.area, period)})
        later = [*times[1:], times[-1] + _DAY]
        return tuple(time for time, after in zip(times, later, strict=True) if after - time > ONE_PASS)


def _whole_days(begin: np.datetime64, end: np.datetime64, date: str) -> Period:
    first, after = begin.astype("datetime64[D]"), end.astype("datetime64[D]") + _DAY
    if after <= first:
        raise VadoseError(f"the dates '{date}'", "They end before they start", "Swap the two")
    return Period(first, after)
