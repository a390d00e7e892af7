"""Times in file names and in metadata: one unambiguous time, or the reason for doubt."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vadose.grid import nanosecond

_SECOND, _DAY = np.timedelta64(1, "s"), np.timedelta64(1, "D")
_LONGEST_PASS = np.timedelta64(2, "h")
"""Largest time between start and stop of one acquisition: an orbit takes 100 minutes. Times further apart are
acquisition and production, or two acquisitions.
"""

_YEAR = r"(?P<year>19[5-9]\d|20\d\d)"
_MONTH_DAY = r"(?P<month>0[1-9]|1[0-2]){gap}(?P<day>0[1-9]|[12]\d|3[01])"
_IN_A_ROW = r"(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d)(?:\d{3})?)?)?)?(?!\d)"
_DATES = tuple(
    re.compile(rf"(?<!\d){_YEAR}{rest}")
    for rest in (
        _MONTH_DAY.format(gap="") + _IN_A_ROW,
        r"(?P<doy>[0-3]\d\d)" + _IN_A_ROW,
        r"(?P<gap>[-_.:/])" + _MONTH_DAY.format(gap="(?P=gap)") + r"(?!\d)",
        r"[-_.](?P<doy>[0-3]\d\d)(?!\d)",
    )
)
"""A day by its month or by its number in the year; adjacent to hours, minutes and seconds, or separated."""
_CLOCK = re.compile(
    r"(?P<mark>[-_]?[Tt]|[-_. ])(?P<hour>\d\d)(?:(?P<gap>[-_:.h]?)(?P<minute>\d\d)(?:(?P=gap)(?P<second>\d\d)"
    r"(?:[.,]\d{1,9}|\d{3})?)?)?h?(?:Z|z|UTC|utc)?(?![0-9A-Za-z])"
)
_MEANT_AS_CLOCK = re.compile(r"[-_]?[Tt](\d+)")
_ZONE = re.compile(r"(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)$")

_ACQUIRED_FIRST = re.compile(r"S[1-3][A-D]_|L[CEOTM]0\d_|OPERA_L\d|NISAR_")
"""Products whose names start with the time of acquisition, with or without its stop, followed by that of production."""
_ACQUIRED = re.compile(r"(?:^|[._])A(?=\d{7,8}(?!\d))")
"""NASA's mark before the date of acquisition."""
_BETWEEN_START_AND_STOP = re.compile(r"[-_]{1,2}|[-_]to[-_]")
_MEANS = re.compile(
    r"(?<![a-z])(monthly|dekadal|dekad|10-?daily|8-?daily|weekly|yearly|annual)(?![a-z])", re.IGNORECASE
)
_MONTH = re.compile(rf"(?<!\d){_YEAR}[-_.]?(?:0[1-9]|1[0-2])(?!\d)")
_YEAR_ALONE = re.compile(rf"(?<!\d){_YEAR}(?!\d)")


@dataclass(frozen=True)
class Clock:
    """A parsed time, UTC.

    Attributes:
        start: its first second.
        end: the end of its span: a second, a day, or start to stop.
        has_clock: whether it has more than a day.
    """

    start: np.datetime64
    end: np.datetime64
    has_clock: bool

    @property
    def moment(self) -> np.datetime64:
        """Return the middle of an acquisition; the start of a day without a clock."""
        middle = (self.end - self.start - _SECOND) / 2 if self.has_clock else np.timedelta64(0, "s")
        return nanosecond(self.start + middle, "the time in a file's name")

    def __str__(self) -> str:
        return str(np.datetime_as_string(self.start, "s" if self.has_clock else "D"))


class Doubtful(ValueError):
    """An ambiguous or incomplete time; the message states the reason."""


@dataclass(frozen=True)
class _Stamp:
    clock: Clock
    begin: int
    end: int


def in_name(stem: str) -> Clock | None:
    """Return the time in the name of a file, UTC; None without any.

    Days are YYYYMMDD or YYYYDDD, also with hyphens, dots or underscores in them; hours, minutes and seconds follow in
    any usual way, or adjacent. Of start and stop, the middle is used. Of several times, the one marked as acquisition
    is used (A2021135), or the first one in products that are known to start with it.

    Raises:
        Doubtful: it has several times, a month or a year without a day, a mean over days, or an invalid clock.
    """
    stamps = list(_stamps(stem))
    if not stamps:
        _refuse_spans(stem)
        return None
    if word := _MEANS.search(stem):
        raise Doubtful(f"It is a mean ({word[1]}) dated by one day, {stamps[0].clock}, without its span")
    marked = [stamp for stamp in stamps if any(mark.end() == stamp.begin for mark in _ACQUIRED.finditer(stem))]
    if len(marked) == 1:
        return marked[0].clock
    joined = _joined(stem, *stamps[:2]) if len(stamps) > 1 else stamps[0].clock
    if _ACQUIRED_FIRST.match(stem):
        return joined or stamps[0].clock
    if joined is None or (len(stamps) > 2 and joined == stamps[0].clock):
        raise Doubtful(f"It has several times: {', '.join(str(stamp.clock) for stamp in stamps[:4])}")
    return joined


def in_text(text: str) -> Clock | None:
    """Return the only time in an attribute or a tag: ISO 8601, or as TIFF writes it; None for other text.

    Raises:
        Doubtful: it has a day but an invalid clock.
    """
    text = text.strip()
    zone = _ZONE.search(text) if len(text) > len("2021-06-10") else None
    stamps = list(_stamps(text[: zone.start()] if zone else text))
    if len(stamps) != 1 or stamps[0].begin != 0:
        return None
    clock = stamps[0].clock
    if zone is None or not clock.has_clock:
        return clock
    minutes = (1 if zone["sign"] == "+" else -1) * (60 * int(zone["hours"]) + int(zone["minutes"]))
    ahead = np.timedelta64(minutes, "m")
    return Clock(clock.start - ahead, clock.end - ahead, True)


def _joined(stem: str, first: _Stamp, second: _Stamp) -> Clock | None:
    """Return start and stop of one acquisition, or one repeated time; None for two that do not belong together."""
    if first.clock == second.clock:
        return first.clock
    apart = second.clock.start - first.clock.start
    joined = _BETWEEN_START_AND_STOP.fullmatch(stem[first.end : second.begin])
    if joined and first.clock.has_clock and second.clock.has_clock and 0 <= apart / _SECOND <= _LONGEST_PASS / _SECOND:
        return Clock(first.clock.start, second.clock.end, True)
    return None


def _stamps(text: str) -> Iterator[_Stamp]:
    """Yield each time in a text."""
    place = 0
    while place < len(text):
        stamp = _stamp_at(text, place)
        if stamp:
            yield stamp
        place = stamp.end if stamp else place + 1


def _stamp_at(text: str, place: int) -> _Stamp | None:
    for pattern in _DATES:
        match = pattern.match(text, place)
        day = _day_of(match.groupdict()) if match else None
        if match is None or day is None:
            continue
        parts = match.groupdict()
        if parts.get("hour"):
            seconds = _seconds_of(parts)
            if seconds is None:
                continue
            return _Stamp(_clock(day, seconds), place, match.end())
        clock = _CLOCK.match(text, match.end())
        if clock and any(date.match(text, clock.start("hour")) for date in _DATES):
            clock = None
        seconds = _seconds_of(clock.groupdict()) if clock else None
        if clock and seconds is not None:
            return _Stamp(_clock(day, seconds), place, clock.end())
        if wrong := _MEANT_AS_CLOCK.match(text, match.end()):
            raise Doubtful(f"It has the day {day}, and T{wrong[1]}, which is not a clock time")
        return _Stamp(Clock(day.astype("datetime64[s]"), (day + 1).astype("datetime64[s]"), False), place, match.end())
    return None


def _clock(day: np.datetime64, seconds: np.timedelta64) -> Clock:
    start = day.astype("datetime64[s]") + seconds
    return Clock(start, start + _SECOND, True)


def _day_of(parts: dict[str, str | None]) -> np.datetime64 | None:
    """Return a day; None if it does not exist."""
    if parts.get("doy"):
        first, number = np.datetime64(f"{parts['year']}-01-01", "D"), int(parts["doy"] or 0)
        day: np.datetime64 = first + np.timedelta64(number - 1, "D")
        return day if number > 0 and str(day)[:4] == parts["year"] else None
    try:
        return np.datetime64(f"{parts['year']}-{parts['month']}-{parts['day']}", "D")
    except ValueError:
        return None


def _seconds_of(parts: dict[str, str | None]) -> np.timedelta64 | None:
    """Return the time since midnight; None if it does not exist."""
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    return np.timedelta64(3600 * hour + 60 * minute + second, "s") if hour < 24 and max(minute, second) < 60 else None


def _refuse_spans(stem: str) -> None:
    if month := _MONTH.search(stem):
        raise Doubtful(f"It has a month, {month[0]}, without a day")
    if year := _YEAR_ALONE.search(stem):
        raise Doubtful(f"It has a year, {year[0]}, without a day")
