"""Conversion of an area, a time, a path or an experiment, in any form that users give, to one form."""

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from vadose.dataset import SampleStore
from vadose.errors import VadoseError
from vadose.experiment.config import Experiment, read_experiment
from vadose.grid import AreaOfInterest
from vadose.io.files import validated
from vadose.io.paths import StrPath
from vadose.mapping.area_files import in_degrees, read_area
from vadose.mapping.timestamps import absolute_date, timestamp_of

Area = Any
"""Box (west, south, east, north), text or file of `read_area`, geometry, GeoJSON, GeoDataFrame or AreaOfInterest."""
Time = Any
"""Text as in `vadose map --date`, datetime64, datetime, date, slice(start, stop, days or "pass"), or several times."""


def as_area(area: Area) -> AreaOfInterest:
    """Read an area of interest.

    Args:
        area: "west,south,east,north" or four numbers, degrees; a file of polygons; a shapely geometry or GeoJSON in
            degrees; a GeoDataFrame or GeoSeries of any CRS; an `AreaOfInterest`.

    Raises:
        VadoseError: it is none of these, or contains no polygon.
    """
    if isinstance(area, AreaOfInterest):
        return area
    if isinstance(area, str | os.PathLike):
        return read_area(os.fspath(area))
    if isinstance(area, shapely.Geometry):
        return AreaOfInterest.from_shapes([area])
    if hasattr(area, "to_crs"):
        return AreaOfInterest.from_shapes(in_degrees(area.geometry.to_frame(), "area: a GeoDataFrame").geometry)
    if isinstance(area, Mapping) or hasattr(area, "__geo_interface__"):
        return AreaOfInterest.from_geojson(area if isinstance(area, Mapping) else area.__geo_interface__)
    return read_area(_box(area))


def area_request(area: Area) -> str | AreaOfInterest:
    """Return the text of an area where it has one, so that the same map is the same request in every form."""
    if isinstance(area, str | os.PathLike):
        return os.fspath(area)
    return _box(area) if isinstance(area, list | tuple | np.ndarray) else as_area(area)


def time_request(time: Time, every: int | str | None = None) -> tuple[str | tuple[np.datetime64, ...], str | None]:
    """Convert a time to a date text and an interval, or to a list of times.

    Args:
        time: text ("2021-06-10", "2021-06-10T18:00", "2021-06-01/2021-06-30", "today-10/today"); a datetime64, datetime
            or date, where a day means its end and a time zone is converted to UTC; slice(first, last, every); or
            several of these.
        every: interval of a range, days, or "pass".

    Raises:
        VadoseError: it is none of these.
    """
    if isinstance(time, slice):
        every = time.step if time.step is not None else every
        if time.start is None or time.stop is None:
            raise VadoseError("time: a slice", "It has no start or no stop", "Write slice('2021-06-01', '2021-06-30')")
        time = f"{time_text(time.start)}/{time_text(time.stop)}"
    interval = None if every is None else str(every)
    if isinstance(time, str | dt.date | np.datetime64):
        return time_text(time), interval
    several = [timestamp_of(time_text(one)) for one in _listed(time)]
    if not several or interval is not None:
        raise VadoseError("time: a list of times", "It is empty, or has an interval", "Give times, or a slice of days")
    return tuple(np.unique(np.array(several))), None


def time_text(time: Any) -> str:
    """Write a time in ISO 8601, UTC; a day remains a day, a relative day becomes the day that it means.

    Raises:
        VadoseError: it is not a time.
    """
    if isinstance(time, str):
        return absolute_date(time)
    if isinstance(time, dt.datetime):
        return (time.astimezone(dt.UTC).replace(tzinfo=None) if time.tzinfo else time).isoformat()
    if isinstance(time, dt.date):
        return time.isoformat()
    if isinstance(time, np.datetime64):
        return str(time)
    raise VadoseError(
        f"time: {str(time)[:60]}", f"It is a {type(time).__name__}", "Write '2021-06-10T18:00', or give a datetime"
    )


def _listed(times: Any) -> list[Any]:
    """Return times of a list, an array, an index or a DataArray."""
    try:
        return list(np.atleast_1d(times.to_numpy()) if hasattr(times, "to_numpy") else times)
    except TypeError:
        return [times]


def as_experiment(experiment: Experiment | StrPath | Mapping[str, Any], **keys: object) -> Experiment:
    """Read an experiment from a YAML file or a mapping, whose paths are relative to the working directory.

    Args:
        experiment: the experiment, its file or its keys.
        keys: keys that replace those of the experiment.

    Raises:
        VadoseError: the file is unreadable, or keys are unknown, missing or of the wrong type.
    """
    if isinstance(experiment, Experiment):
        return experiment.model_copy(update=keys)
    if isinstance(experiment, Mapping):
        asked = "experiment: a mapping of keys"
        return validated(Experiment, dict(experiment) | keys, asked, "Correct these keys", folder=Path.cwd())
    return read_experiment(experiment, **keys)


def as_store(store: SampleStore | StrPath) -> SampleStore:
    """Return a sample store, opened if it is given by its path.

    Raises:
        VadoseError: it is neither a store nor a path, or cannot be opened.
    """
    if isinstance(store, SampleStore):
        return store
    if not isinstance(store, str | os.PathLike):
        raise VadoseError(
            "samples: a store", f"It is a {type(store).__name__}", "Give a SampleStore, or the folder of one"
        )
    return SampleStore.open(store)


def _box(area: Sequence[float] | Any) -> str:
    try:
        west, south, east, north = (float(edge) for edge in area)
    except (TypeError, ValueError) as error:
        raise VadoseError(
            f"area: {str(area)[:60]}",
            "It is neither four numbers nor polygons",
            "Give (west, south, east, north) in degrees, a geometry, a GeoDataFrame or a file",
        ) from error
    return ",".join(f"{edge:.15g}" for edge in (west, south, east, north))
