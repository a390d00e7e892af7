"""Times of the layers of a gridded variable: from its time axis, the metadata of the file, or its name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.grid import nanoseconds
from vadose.io.files import Unreadable, read_json
from vadose.products.clocks import Clock, Doubtful, in_name, in_text

Times = NDArray[np.datetime64]
_ATTRIBUTES = ("time", "datetime", "time_coverage_start", "SENSING_TIME", "RangeBeginningDateTime")
_ENDS = {"time_coverage_start": "time_coverage_end"}
_TIFF = "TIFFTAG_DATETIME"
"""Tag of a file's creation time by the specification of TIFF; some write the acquisition time there."""
_FORECAST, _VALID, _PERIOD = "forecast_reference_time", "time", "forecast_period"
"""Standard names of the start of a forecast, of the time for which it holds, and of the time between the two."""
_DAY, _HOUR, _HALF_DAY = np.timedelta64(1, "D"), np.timedelta64(1, "h"), np.timedelta64(12, "h")


@dataclass(frozen=True, eq=False)
class LayerTimes:
    """Times of layers.

    Attributes:
        times: UTC; NaT for a day missing in the standard calendar.
        remarks: remarks on the times.
    """

    times: Times
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Claim:
    by: str
    clock: Clock


def times_of_axis(dataset: xr.Dataset, variable: xr.DataArray, time: str, path: Path, asked: str) -> LayerTimes:
    """Return the times of the layers: of means with bounds, the middle; of forecasts, the time for which they hold.

    Bounds further apart than a day are those of a mean, unless the variable says otherwise. Dates of other calendars
    are converted by their year, month and day.

    Raises:
        VadoseError: they are not dates, are outside the years 1678 to 2261, or are means over the same days of many
            years; or the time of a forecast is not known.
    """
    axis = variable[time]
    if _stated(axis, "climatology"):
        raise VadoseError(
            f"{asked}: its times",
            "They are of a climatology, means over the same days of many years",
            "Give the product of single days",
        )
    axis = _of_forecast(variable, axis, asked) if axis.attrs.get("standard_name") == _FORECAST else axis
    times, remarks = _dates(axis, asked)
    ends = _bounds_of(dataset, axis, asked)
    methods = str(variable.attrs.get("cell_methods", ""))
    if ends is not None and ("time: mean" in methods or ("time: point" not in methods and _are_long(ends))):
        times = ends[:, 0] + (ends[:, 1] - ends[:, 0]) / 2
    elif ends is None and _are_months(times):
        remarks += ("its layers are stamped at the first of months and have no bounds: that day is used",)
    return LayerTimes(times, remarks + _beside_name(times, path))


def time_in_text(text: str, asked: str) -> LayerTimes:
    """Return the one time of a file, from the part of its name that states it.

    Raises:
        VadoseError: the text is no valid time.
    """
    try:
        clock = in_text(text)
    except Doubtful:
        clock = None
    if clock is None:
        raise _no_time(asked, f"'{text}' in its name is no time")
    return LayerTimes(np.array([clock.moment]))


def time_of_file(dataset: xr.Dataset, variable: xr.DataArray, path: Path, asked: str) -> LayerTimes:
    """Return the one time of a file without a time axis: from a coordinate, an attribute, a STAC item beside it, or its
    name.

    The first of these with a time is used, and the others are compared with it.

    Raises:
        VadoseError: none of them has a time, or two contradict each other.
    """
    attrs = dataset.attrs | variable.attrs
    remarks: tuple[str, ...] = ()
    claims = [*_of_coordinate(dataset), *_of_attributes(attrs, asked), *_of_item(path, asked)]
    try:
        named = in_name(path.stem)
    except Doubtful as doubt:
        if not claims:
            raise _no_time(asked, f"{doubt}: '{path.name}'") from doubt
        named, remarks = None, (f"its name is ignored: {doubt}",)
    if named:
        claims.append(_Claim(f"its name '{path.name}'", named))
    made = _clock_of(attrs, _TIFF, asked)
    if made and not claims:
        claims.append(made)
    if not claims:
        raise _no_time(asked, f"Neither a coordinate, an attribute, an item nor its name '{path.name}' has one")
    chosen = _agreed(claims, asked)
    if made and made is not chosen:
        chosen, more = _with_tag(chosen, made, asked)
        remarks += more
    if not chosen.clock.has_clock and chosen.clock.end - chosen.clock.start <= _DAY:
        remarks += ("days without a clock start at 00:00 UTC",)
    return LayerTimes(np.array([chosen.clock.moment]), remarks)


def _dates(axis: xr.DataArray, asked: str) -> tuple[Times, tuple[str, ...]]:
    if axis.dtype.kind == "M":
        values: Times = axis.values
        remarks: tuple[str, ...] = ()
    elif axis.dtype.kind == "O" and axis.size and hasattr(axis.values.flat[0], "calendar"):
        values, remarks = _by_day(axis.values)
    else:
        units = axis.attrs.get("units")
        stated = f"of type {axis.dtype}, not dates" if units is None else f"in '{units}', which are not days"
        raise VadoseError(f"{asked}: its times", f"They are {stated}", "Write CF units such as 'days since 2015-01-01'")
    return nanoseconds(values, f"{asked}: its times"), remarks


def _by_day(dates: NDArray[Any]) -> tuple[Times, tuple[str, ...]]:
    """Return dates of another calendar by their year, month, day and clock; NaT for days such as 30 February."""
    found = np.full(dates.shape, np.datetime64("NaT", "us"))
    for place, date in np.ndenumerate(dates):
        text = f"{date.year:04}-{date.month:02}-{date.day:02}T{date.hour:02}:{date.minute:02}:{date.second:02}"
        try:
            found[place] = np.datetime64(text, "us")
        except ValueError:
            continue
    remark = f"times of the calendar '{dates.flat[0].calendar}' are converted by year, month and day"
    lost = int(np.isnat(found).sum())
    return found, (f"{remark}, {lost} missing in other calendars left out, such as 30 February" if lost else remark,)


def _stated(axis: xr.DataArray, name: str) -> str:
    return str(axis.attrs.get(name) or axis.encoding.get(name) or "")


def _bounds_of(dataset: xr.Dataset, axis: xr.DataArray, asked: str) -> Times | None:
    """Return start and end of each layer, (time, 2); None without readable ones."""
    name = _stated(axis, "bounds")
    if name not in dataset or dataset[name].shape != (axis.size, 2):
        return None
    try:
        return _dates(dataset[name], asked)[0]
    except VadoseError:
        return None


def _are_long(ends: Times) -> bool:
    return bool((ends[:, 1] - ends[:, 0] > _DAY).any())


def _of_forecast(variable: xr.DataArray, axis: xr.DataArray, asked: str) -> xr.DataArray:
    """Return the times for which forecasts hold, instead of those when they started.

    Raises:
        VadoseError: neither these times nor the period between the two is known.
    """
    held = [one for one in variable.coords.values() if one.dims in (axis.dims, ()) and one.name != axis.name]
    valid: xr.DataArray | None = next(
        (one for one in held if one.attrs.get("standard_name") == _VALID and one.dims == axis.dims), None
    )
    if valid is not None:
        return xr.DataArray(valid)
    period = next((one for one in held if one.attrs.get("standard_name") == _PERIOD or one.name == "step"), None)
    if period is None or period.dtype.kind != "m":
        raise VadoseError(
            f"{asked}: its times",
            f"They are those when its forecasts started ('{axis.name}'); the time for which they hold is not stated",
            "Write the times for which they hold as the time axis",
        )
    return xr.DataArray(axis + period)


def _are_months(times: Times) -> bool:
    """Return whether several layers are all at the start of a month, each of a different one."""
    known = times[~np.isnat(times)]
    return (
        known.size > 1 and bool((known == known.astype("datetime64[M]")).all()) and np.unique(known).size == known.size
    )


def _beside_name(times: Times, path: Path) -> tuple[str, ...]:
    """Return a remark if the name of a file with one layer gives another day."""
    if times.size != 1 or np.isnat(times[0]):
        return ()
    try:
        named = in_name(path.stem)
    except Doubtful:
        return ()
    if named is None or abs(times[0] - named.moment) <= _DAY:
        return ()
    return (f"'{path.name}' is of {np.datetime_as_string(times[0], 's')} by its axis of time, of {named} by its name",)


def _of_coordinate(dataset: xr.Dataset) -> Iterator[_Claim]:
    for name, held in dataset.coords.items():
        standard = held.attrs.get("standard_name", "time" if name == "time" else "")
        if held.ndim == 0 and held.dtype.kind == "M" and standard == "time":
            start = held.values.astype("datetime64[s]")
            yield _Claim(f"its coordinate '{name}'", Clock(start, start + np.timedelta64(1, "s"), True))


def _of_attributes(attrs: Mapping[str, Any], asked: str) -> Iterator[_Claim]:
    for name in _ATTRIBUTES:
        begun = _clock_of(attrs, name, asked)
        if begun:
            ended = _clock_of(attrs, _ENDS.get(name, ""), asked)
            yield _from_to(begun, ended) if ended else begun


def _clock_of(attrs: Mapping[str, Any], name: str, asked: str) -> _Claim | None:
    text = str(attrs.get(name, "")).strip()
    if not text:
        return None
    try:
        clock = in_text(text)
    except Doubtful:
        clock = None
    if clock is None:
        raise _no_time(asked, f"Its attribute {name} '{text[:60]}' is not a time of ISO 8601")
    return _Claim(f"its attribute {name}", clock)


def _of_item(path: Path, asked: str) -> Iterator[_Claim]:
    """Yield the time of a STAC item of the same name beside the file."""
    item = path.with_suffix(".json")
    if not item.is_file():
        return
    try:
        content = read_json(item)
    except Unreadable:
        return
    properties = content.get("properties")
    if content.get("type") != "Feature" or not isinstance(properties, dict):
        return
    stated = {
        name: str(properties[name]) for name in ("datetime", "start_datetime", "end_datetime") if properties.get(name)
    }
    moment, begun, ended = (
        _clock_of(stated, name, f"{asked}: the item {item.name}")
        for name in ("datetime", "start_datetime", "end_datetime")
    )
    if moment:
        yield _Claim(f"the item {item.name}", moment.clock)
    elif begun and ended:
        yield _Claim(f"the item {item.name}", _from_to(begun, ended).clock)


def _from_to(begun: _Claim, ended: _Claim) -> _Claim:
    has_clock = begun.clock.has_clock or bool(ended.clock.end - begun.clock.start > _DAY)
    return _Claim(begun.by, Clock(begun.clock.start, max(begun.clock.end, ended.clock.end), has_clock))


def _agreed(claims: list[_Claim], asked: str) -> _Claim:
    """Return the first claim, or one that agrees with it and has a clock where the first has a day."""
    chosen = claims[0]
    for other in claims[1:]:
        if not _agree(chosen.clock, other.clock):
            raise _no_time(
                asked,
                f"By {chosen.by} it is of {chosen.clock}, by {other.by} of {other.clock}",
                "Correct one of them, or ",
            )
        if other.clock.has_clock and not chosen.clock.has_clock:
            chosen = other
    return chosen


def _agree(one: Clock, other: Clock) -> bool:
    """Return whether two times may be of one acquisition: an hour apart, or half a day around a day, which may be
    local.
    """
    slack = _HOUR if one.has_clock and other.has_clock else _HALF_DAY
    return bool(one.start - slack < other.end and other.start - slack < one.end)


def _with_tag(chosen: _Claim, made: _Claim, asked: str) -> tuple[_Claim, tuple[str, ...]]:
    """Return a time compared with TIFF's own tag, which may be the acquisition time, or the later creation time of the
    file.
    """
    if _agree(chosen.clock, made.clock):
        return (chosen if chosen.clock.has_clock else made), ()
    if made.clock.end < chosen.clock.start:
        raise _no_time(asked, f"By {chosen.by} it is of {chosen.clock}, but {made.by} gives {made.clock}, before that")
    return chosen, (f"{made.by} {made.clock} is taken as the creation time: {chosen.by} gives {chosen.clock}",)


def _no_time(asked: str, found: str, before: str = "") -> VadoseError:
    remedy = "Write a time axis, or the day in the name: moisture_20210610T0530.tif (UTC)"
    return VadoseError(f"{asked}: its time", found, f"{before}{remedy[0].lower() if before else remedy[0]}{remedy[1:]}")
