"""Index of an ISMN archive: the files of each sensor, and their readings."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.errors import VadoseError
from vadose.grid import nearest_in_time
from vadose.insitu.archive import ArchiveReader
from vadose.insitu.flags import codes
from vadose.insitu.frm import Place, place_of, read_frm
from vadose.insitu.headers import Name, Sensor, ascii_of, layout_of, name_of, sensor_of, without_mark
from vadose.insitu.text import parse

MISSING: Final = -9999.0
DEPTH_APART_M: Final = 0.05
"""Largest distance between the layers of a moisture and a temperature sensor, m, at either end."""

TIME_APART: Final = np.timedelta64(1, "h")
TEMPERATURE_RANGE_C: Final = (-60.0, 60.0)
"""Plausible soil temperatures of ISMN (Dorigo et al. 2013)."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Readings of a sensor.

    Attributes:
        table: as from `Ismn.read`.
        out_of_order: number of readings after a later one in the file.
        faults: reasons why an existing thermometer beside the sensor was not read.
    """

    table: pd.DataFrame
    out_of_order: int
    faults: tuple[VadoseError, ...] = ()


@dataclass(frozen=True)
class Series:
    """Files of a sensor and of its station.

    Attributes:
        sensor: whose they are.
        files: paths of its data files.
        thermometer: paths of the data files of soil temperature at its station and a similar depth; may be none.
        static: path of the table of static variables of its station, if there is one.
        frm_class: its FRM class; empty if unknown.
    """

    sensor: Sensor
    files: tuple[str, ...]
    thermometer: tuple[str, ...] = ()
    static: str | None = None
    frm_class: str = ""

    def read(self, files: ArchiveReader) -> Reading:
        """Return the readings.

        Args:
            files: files of the archive.

        Raises:
            VadoseError: a soil moisture file is malformed.
        """
        parts = [_in_order(read_file(files, path)) for path in self.files]
        moisture = _joined([part for part, _ in parts])
        times = moisture.index.to_numpy()
        faults: tuple[VadoseError, ...] = ()
        temperature = np.full(times.size, np.nan)
        if self.thermometer:
            try:
                warmth = _joined([_in_order(read_file(files, path))[0] for path in self.thermometer])
                temperature = _at(_plausible(warmth), times)
            except VadoseError as fault:
                faults = (fault,)
        columns = {"soil_moisture": moisture["value"], "flag": moisture["flag"], "soil_temperature": temperature}
        return Reading(pd.DataFrame(columns, copy=False), sum(late for _, late in parts), faults)


@dataclass(frozen=True)
class IsmnIndex:
    """Series of an archive of data files.

    Attributes:
        series: series by sensor.
        malformed: faults of the skipped files.
    """

    series: dict[Sensor, Series]
    malformed: tuple[VadoseError, ...]

    @classmethod
    def of(cls, files: ArchiveReader, skip_malformed: bool) -> "IsmnIndex":
        """Read the names and first lines of an archive.

        Args:
            files: files of the archive.
            skip_malformed: whether a malformed file is listed and skipped; otherwise the archive is refused.

        Raises:
            VadoseError: the archive is unreadable, or a file in it is malformed.
        """
        series: dict[Sensor, Series] = {}
        thermometers: dict[str, list[tuple[Name, str]]] = {}
        skipped: list[VadoseError] = []
        for path in files.data:
            try:
                name = name_of(path)
                if name.variable == "sm":
                    sensor = sensor_of(path, files.first_line(path))
                    known = series.get(sensor, Series(sensor, ()))
                    series[sensor] = replace(known, files=(*known.files, path))
                elif name.variable == "ts":
                    thermometers.setdefault(name.place, []).append((name, path))
            except VadoseError as refusal:
                if not skip_malformed:
                    raise
                skipped.append(refusal)
        static = {_folder(path): path for path in files.tables}
        classes: dict[Place, str] = {}
        for path in files.frm_tables:
            try:
                classes |= read_frm(path, files.read(path))
            except VadoseError as refusal:
                if not skip_malformed:
                    raise
                skipped.append(refusal)
        for sensor, known in series.items():
            near = thermometers.get(name_of(known.files[0]).place, [])
            table = static.get(_folder(known.files[0]))
            series[sensor] = replace(
                known, thermometer=_nearest(sensor, near), static=table, frm_class=classes.get(place_of(sensor), "")
            )
        return cls(series, tuple(skipped))


def read_file(files: ArchiveReader, path: str) -> pd.DataFrame:
    """Return the readings of one data file, unchanged.

    Args:
        files: files of the archive.
        path: path of the file in it.

    Returns:
        Columns `value` (float64, NaN where ISMN has -9999) and `flag` (categorical), indexed by `time`.

    Raises:
        VadoseError: it is unreadable, or a reading in it is invalid.
    """
    content = without_mark(path, files.read(path))
    first = content.lstrip().split(b"\n", 1)[0].split(b"\r", 1)[0]
    lines = parse(path, content, layout_of(ascii_of(first), path))
    lines.value[lines.value == MISSING] = np.nan
    flag = pd.Categorical.from_codes(lines.flag, dtype=_flags(lines.flags), validate=False)
    return pd.DataFrame({"value": lines.value, "flag": flag}, index=pd.DatetimeIndex(lines.time, name="time"))


@lru_cache(maxsize=1024)
def _flags(flags: tuple[str, ...]) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(list(flags))


def _in_order(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return a table in order of time, and the number of its rows that followed a later one."""
    if table.index.is_monotonic_increasing:
        return table, 0
    times = table.index.to_numpy()
    late = int((times < np.maximum.accumulate(times)).sum())
    return table.sort_index(kind="stable"), late


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the files of one sensor as one series, without repetitions between files."""
    if len(tables) == 1:
        return tables[0]
    both = pd.concat([table.astype({"flag": object}) for table in tables]).sort_index(kind="stable")
    both = both[~both.reset_index().duplicated().to_numpy()]
    return both.astype({"flag": "category"})


def _nearest(sensor: Sensor, thermometers: list[tuple[Name, str]]) -> tuple[str, ...]:
    """Return the files of the thermometer at the most similar depth, if there are several that of the sensor's own
    instrument.

    Depths are similar if upper and lower ends are each at most 5 cm apart.
    """

    def order(name: Name) -> tuple[float, bool, str]:
        apart = max(abs(name.depth_from_m - sensor.depth_from_m), abs(name.depth_to_m - sensor.depth_to_m))
        return round(apart, 6), name.instrument != sensor.instrument, name.instrument

    near = [(order(name), path) for name, path in thermometers if order(name)[0] <= DEPTH_APART_M]
    best = min(near, default=None)
    return tuple(path for rank, path in near if best and rank == best[0])


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _plausible(warmth: pd.DataFrame) -> pd.DataFrame:
    """Return temperatures within ISMN's range, without flags of the range (C) and of missing values (M)."""
    kinds = {flag: any(code[:1] in "CM" for code in codes(flag)) for flag in warmth["flag"].cat.categories}
    low, high = TEMPERATURE_RANGE_C
    return warmth[warmth["value"].between(low, high) & ~warmth["flag"].map(kinds).astype(bool)]


def _at(warmth: pd.DataFrame, times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Return the temperature nearest to each time, within an hour; NaN without any."""
    if warmth.empty:
        return np.full(times.size, np.nan)
    known = warmth.index.to_numpy()
    place = nearest_in_time(known, times)
    value = warmth["value"].to_numpy()[place]
    return np.where(abs(known[place] - times) <= TIME_APART, value, np.nan)
