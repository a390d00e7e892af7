"""Fast parsing of the text of an ISMN data file: time, value and flag of every line, in both of ISMN's layouts.

A series is repetitive: a day has 24 lines, a clock 24 readings, soil moisture some hundred values. Therefore the bytes
of all lines are compared as 64-bit words, and each distinct date, clock time and line ending is parsed once. Lines with
unusual columns are parsed one by one.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import product

import numpy as np
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.grid import nanoseconds
from vadose.insitu.headers import Layout, ascii_of, malformed

ByteWords = NDArray[np.uint64]
Places = NDArray[np.intp]

_WORD = 8
_LONGEST_ENDING = 64
_ZERO = np.uint8(ord("0"))
_DATE = np.frombuffer(b"0000/00/00", np.uint8)
_DATE_WEIGHTS = np.array([[1000, 100, 10, 1, *[0] * 6], [*[0] * 5, 10, 1, *[0] * 3], [*[0] * 8, 10, 1]]).T
_MINUTES_A_DAY = 1440
_CLOCKS = np.array([f" {hour:02}:{minute:02}".encode() for hour, minute in product(range(24), range(60))], "S8")
_CLOCK_WORDS = _CLOCKS.view("<u8")
_KEEP = np.array(
    [(1 << (8 * min(max(kept, 0), _WORD))) - 1 for kept in range(-_LONGEST_ENDING, _LONGEST_ENDING + 1)], "u8"
)
"""Masks of a word that keep the bytes before the end: element 64 + n keeps n, none if n < 0."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_NO_TIME = -(10**12)
_YEARS = np.arange(1700, 2200)
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, eq=False)
class Lines:
    """Parsed lines of a data file, in order.

    Attributes:
        time: datetime64[ns], UTC.
        value: value in the unit of the variable, unchanged (ISMN writes -9999 for missing values).
        flag: flag of each line, an index into `flags`.
        flags: each occurring combination of ISMN's flags, unchanged, such as "G" or "D03,D05".
    """

    time: NDArray[np.datetime64]
    value: NDArray[np.float64]
    flag: Places
    flags: tuple[str, ...]


def parse(file: str, content: bytes, layout: Layout) -> Lines:
    """Parse the text of a data file.

    Args:
        file: its path, for messages.
        content: the whole text.
        layout: layout of its columns.

    Raises:
        VadoseError: a line lacks its time, its value or its flag, or one of them is invalid; or there is no line.
    """
    text = _Text.of(content, layout)
    if not text.start.size:
        raise malformed(file, "There is no reading in it")
    after = text.words(8)
    minutes = _days(text, after) * _MINUTES_A_DAY + _clock(after)
    value, flag, flags = _endings(text)
    odd = (minutes < _NO_TIME // 2) | ~np.isfinite(value) | ~text.same_place()
    known = {one: place for place, one in enumerate(flags)}
    for line in np.flatnonzero(odd):
        minutes[line], value[line], read = _read(file, text, int(line))
        flag[line] = known.setdefault(read, len(known))
    try:
        times = nanoseconds(minutes.view("datetime64[m]"))
    except VadoseError as beyond:
        raise malformed(file, f"It has a time of {beyond.context} {beyond.problem}") from beyond
    return Lines(times, value, flag, tuple(known))


@dataclass(frozen=True, eq=False)
class _Text:
    """Non-blank lines of a text: start and end of each. The text is padded with blanks."""

    content: bytes
    layout: Layout
    start: Places
    end: Places

    @classmethod
    def of(cls, content: bytes, layout: Layout) -> "_Text":
        array = np.frombuffer(content, np.uint8)
        ends = np.append(np.flatnonzero((array - np.uint8(ord("\n"))) <= ord("\r") - ord("\n")), array.size)
        starts = np.append(0, ends[:-1] + 1)
        written = np.flatnonzero(ends > starts)[layout.header :]
        return cls(content + b" " * (layout.ending + _LONGEST_ENDING), layout, starts[written], ends[written])

    def words(self, offset: int) -> ByteWords:
        """Return eight bytes of each line from an offset on, even beyond its end."""
        return self._bytes(self.start, offset, _WORD).view("<u8")

    def bytes_of(self, lines: Places, offset: int, width: int) -> NDArray[np.uint8]:
        """Return some bytes of some lines from an offset on, even beyond their end, (line, byte)."""
        return self._bytes(self.start[lines], offset, width).view(np.uint8).reshape(-1, width)

    def line(self, number: int) -> str:
        return ascii_of(self.content[self.start[number] : self.end[number]])

    def same_place(self) -> NDArray[np.bool_]:
        """Return whether each line has the same position, in the same columns, as the first; always with a header."""
        if self.layout.header:
            return np.ones(self.start.size, np.bool_)
        places = self._bytes(self.start, self.layout.place, self.layout.ending - self.layout.place)
        return np.asarray(places == places[0])

    def _bytes(self, start: Places, offset: int, width: int) -> NDArray[np.void]:
        size = len(self.content) - width + 1
        windows: NDArray[np.void] = np.ndarray(size, f"V{width}", self.content, strides=(1,))
        return windows[start + offset]


def _days(text: _Text, after: ByteWords) -> NDArray[np.int64]:
    """Return days since 1970 of the date of each line, its first ten bytes; equal dates are mostly adjacent."""
    before, day = text.words(0), after << np.uint64(48)
    change = np.append(True, (before[1:] != before[:-1]) | (day[1:] != day[:-1]))
    days = _dates(text.bytes_of(np.flatnonzero(change), 0, 10))
    return np.asarray(days[np.cumsum(change) - 1])


def _dates(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return days since 1970 of dates, (date, byte); _NO_TIME where invalid."""
    digit = rows - _ZERO
    sound = (digit[:, _DATE == _ZERO] <= 9).all(axis=1) & (rows[:, _DATE != _ZERO] == ord("/")).all(axis=1)
    number = np.where(_DATE == _ZERO, digit, 0).astype(np.int64) @ _DATE_WEIGHTS
    year, month, day = number.T
    months = (12 * (year - 1970) + month - 1).view("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    sound &= (month >= 1) & (month <= 12) & (days.astype("datetime64[M]") == months) & np.isin(year, _YEARS)
    return np.where(sound, days.view(np.int64), _NO_TIME)


def _clock(after: ByteWords) -> NDArray[np.int64]:
    """Return minutes since midnight of the clock of each line, " HH:MM" after its date; _NO_TIME where invalid."""
    word = after >> np.uint64(16)
    minutes = np.zeros(word.size, np.int64)
    for byte, weight in ((1, 600), (2, 60), (4, 10), (5, 1)):
        minutes += ((word >> np.uint64(8 * byte)) & np.uint64(15)).view(np.int64) * weight
    sound = _CLOCK_WORDS[np.minimum(minutes, _MINUTES_A_DAY - 1)] == word
    return np.where(sound, minutes, _NO_TIME)


def _endings(text: _Text) -> tuple[NDArray[np.float64], Places, tuple[str, ...]]:
    """Return the value of each line, NaN where invalid, and its index into the flags."""
    start = text.layout.ending
    length = text.end - text.start - start
    width = -(-min(max(int(length.max()), 1), _LONGEST_ENDING) // _WORD) * _WORD
    inside = np.clip(length, 0, width)
    words = [
        text.words(start + offset) & _KEEP[_LONGEST_ENDING - offset :][inside] for offset in range(0, width, _WORD)
    ]
    group, first = _distinct(words)
    rows = text.bytes_of(first, start, width)
    rows *= np.arange(width) < length[first, None]
    value, place, flags = _split(rows)
    value[length[first] > width] = np.nan
    return value[group], place[group], flags


def _distinct(words: list[ByteWords]) -> tuple[Places, Places]:
    """Group lines by their words: the group of each, and one line per group. Two groups may have the same words.

    Lines are compared with the last one of the same checksum of 15 bits; a different line forms its own group.
    """
    mixed = words[0]
    for word in words[1:]:
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX + word
    bucket = ((mixed ^ (mixed >> np.uint64(29))) * _MIX) >> np.uint64(49)
    line = np.arange(mixed.size)
    last = np.empty(2**15, np.intp)
    last[bucket] = line
    met = last[bucket]
    same = words[0] == words[0][met]
    for word in words[1:]:
        same &= word == word[met]
    met = np.where(same, met, line)
    is_first = np.zeros(line.size, np.bool_)
    is_first[met] = True
    return (np.cumsum(is_first) - 1)[met], np.flatnonzero(is_first)


def _split(rows: NDArray[np.uint8]) -> tuple[NDArray[np.float64], Places, tuple[str, ...]]:
    """Parse endings, (ending, byte): the value of each, NaN where invalid, and its index into the flags."""
    ink = rows > ord(" ")
    token = np.cumsum(ink[:, 1:] & ~ink[:, :-1], axis=1, dtype=np.uint8)
    ink = ink[:, 1:] & ~ink[:, :1]
    value = _numbers(rows[:, 1:], ink & (token == 1))
    words = np.where(ink & (token == 2), rows[:, 1:], ord(" "))
    names, place = np.unique(np.ascontiguousarray(words).view(f"S{words.shape[1]}").ravel(), return_inverse=True)
    flags = [name.decode("ascii", "replace").strip() for name in names.tolist()]
    known = {flag: number for number, flag in enumerate(dict.fromkeys(flags))}
    value[np.isin(place, [number for number, flag in enumerate(flags) if not flag.isascii() or not flag])] = np.nan
    return value, np.array([known[flag] for flag in flags], np.intp)[place], tuple(known)


def _numbers(rows: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Parse numbers, (number, byte), to the nearest double; NaN where invalid.

    Up to 15 digits divided by a power of ten give the nearest double; others are parsed by Python.
    """
    digit, point = inside & (rows - _ZERO <= 9), inside & (rows == ord("."))
    minus = inside & (rows == ord("-"))
    total = np.zeros(len(rows), np.int64)
    for column in np.flatnonzero(inside.any(axis=0)):
        here = digit[:, column]
        total[here] = total[here] * 10 + (rows[here, column] - _ZERO)
    decimals = (digit & (np.cumsum(point, axis=1) > 0)).sum(axis=1)
    first = np.argmax(inside, axis=1)
    digits, points, signs = (mask.sum(axis=1) for mask in (digit, point, minus))
    leading = minus[np.arange(len(rows)), first]
    plain = (digits + points + signs == inside.sum(axis=1)) & (digits >= 1) & (digits <= 15) & (points <= 1)
    value: NDArray[np.float64] = total / 10.0**decimals
    value[leading] *= -1
    for odd in np.flatnonzero(~(plain & (signs == leading))):
        value[odd] = _number(rows[odd][inside[odd]].tobytes())
    return value


def _number(token: bytes) -> float:
    try:
        return float(token)
    except ValueError:
        return np.nan


def _read(file: str, text: _Text, number: int) -> tuple[int, float, str]:
    """Return minutes since 1970, value and flag of one line, token by token."""
    parts = text.line(number).split()
    column = text.layout.value
    try:
        time = datetime.strptime(" ".join(parts[:2]), "%Y/%m/%d %H:%M")
        value, flag = float(parts[column]), parts[column + 1]
    except (ValueError, IndexError) as error:
        raise _unreadable(
            file, text.line(number), "lacks its time, its value or its flag, or has an invalid one"
        ) from error
    if not np.isfinite(value) or time.year not in _YEARS:
        raise _unreadable(file, text.line(number), "has a value that is not a number, or an impossible time")
    if not text.layout.header and parts[4:column] != text.line(0).split()[4:column]:
        raise _unreadable(file, text.line(number), "has another position than the first")
    return (time - _EPOCH).days * _MINUTES_A_DAY + time.hour * 60 + time.minute, value, flag


def _unreadable(file: str, line: str, fault: str) -> VadoseError:
    return malformed(file, f"A reading in it {fault}: '{line.strip()[-40:]}'")
