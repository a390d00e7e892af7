"""In-situ soil moisture of the International Soil Moisture Network, through the `ismn` package."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import shapely
from ismn.base import IsmnRoot
from ismn.filehandlers import DataFile
from ismn.meta import MetaData, MetaVar

from vadose.grid import Area, Period
from vadose.refusal import NothingFound, Refusal
from vadose.sources.ismn_archive import DAMAGE, opened
from vadose.sources.stm import Sensor, layout_of, malformed, sensor_of, variable_of

_VARIABLE = "soil_moisture"
_MISSING = -9999.0


@dataclass(frozen=True)
class _File:
    """A data file: its path in the archive and its layout."""

    path: str
    layout: str


@dataclass(frozen=True)
class Ismn:
    """An ISMN archive as it is downloaded, in either layout. Nothing is written beside it.

    Attributes:
        path: the zip archive, or a folder that holds its files at any depth.
        skip_malformed: go on without malformed files, and list them in `malformed`; otherwise the archive is refused.
    """

    path: Path
    skip_malformed: bool = False

    def sensors(self, area: Area | None = None, deepest_m: float | None = None) -> tuple[Sensor, ...]:
        """The soil moisture sensors of the archive, sorted.

        Args:
            area: only those in it.
            deepest_m: only those whose layer ends no deeper than this, m.

        Raises:
            NothingFound: there is none.
            Refusal: the archive cannot be read, or a file in it is malformed.
        """
        held = sorted(self._sensors)
        found = tuple(sensor for sensor in held if _meets(sensor, area, deepest_m))
        if not found:
            where = f" in '{area.name}'" if area else ""
            depth = "" if deepest_m is None else f" down to {deepest_m:g} m"
            raise NothingFound(
                f"ismn: soil moisture sensors{where}{depth} of {self.path}",
                f"Found {len(held)} sensors elsewhere" if held else "Found no file named …_sm_….stm",
                "Give another area or depth" if held else "Give a folder or a zip file downloaded from ISMN",
            )
        return found

    @property
    def malformed(self) -> tuple[Refusal, ...]:
        """What is wrong with each file that was skipped for its name or first line; the rest shows when it is read."""
        return self._index[1]

    def read(self, sensor: Sensor, period: Period | None = None) -> pd.DataFrame:
        """The readings of a sensor.

        Args:
            sensor: one of `sensors()`.
            period: only those in it.

        Returns:
            Columns `soil_moisture` (m3 m-3, float64, NaN where ISMN has -9999) and `flag` (ISMN's flags as they
            stand, such as "G" or "D03,D05"), indexed by `time` (datetime64[ns], UTC), ascending. A time that the file
            repeats is repeated.

        Raises:
            NothingFound: no reading lies in the period.
            Refusal: the archive does not hold the sensor, or its file is malformed.
        """
        if sensor not in self._sensors:
            raise Refusal(
                f"ismn: sensor {sensor.id} of {self.path}",
                f"Found {len(self._sensors)} sensors, but not this one",
                "Take one that sensors() gives",
            )
        files = [self._read(file) for file in self._sensors[sensor]]
        readings = pd.concat(files).sort_index(kind="stable")
        if len(files) > 1:
            readings = readings[~readings.reset_index().duplicated().to_numpy()]
        return readings if period is None else _within(readings, sensor, period)

    @property
    def _sensors(self) -> dict[Sensor, tuple[_File, ...]]:
        return self._index[0]

    @cached_property
    def _index(self) -> tuple[dict[Sensor, tuple[_File, ...]], tuple[Refusal, ...]]:
        sensors: dict[Sensor, tuple[_File, ...]] = {}
        skipped: list[Refusal] = []
        with opened(self.path) as files:
            for path in files.paths:
                try:
                    if variable_of(path) == "sm":
                        line = files.first_line(path)
                        sensor = sensor_of(path, line)
                        sensors[sensor] = (*sensors.get(sensor, ()), _File(path, layout_of(line)))
                except Refusal as refusal:
                    if not self.skip_malformed:
                        raise
                    skipped.append(refusal)
        return sensors, tuple(skipped)

    def _read(self, file: _File) -> pd.DataFrame:
        try:
            with IsmnRoot(self.path) as root:
                handler = DataFile(root, PurePosixPath(file.path), load_metadata=False)
                handler.metadata = MetaData([MetaVar("variable", _VARIABLE)])
                handler.file_type = file.layout
                table = handler.read_data()
        except DAMAGE as error:
            raise malformed(file.path, f"Its readings cannot be read: {error}") from error
        values, flags = table[_VARIABLE], table[f"{_VARIABLE}_flag"]
        if values.dtype.kind != "f" or values.isna().any() or flags.isna().any() or table.index.hasnans:
            raise malformed(file.path, "A reading in it lacks its time, its value or its flag, or is no number")
        return pd.DataFrame(
            {_VARIABLE: values.where(values != _MISSING).to_numpy(), "flag": flags.astype(str).to_numpy()},
            index=pd.DatetimeIndex(table.index, name="time").as_unit("ns"),
        )


def _meets(sensor: Sensor, area: Area | None, deepest_m: float | None) -> bool:
    inside = area is None or shapely.intersects_xy(area.geometry, sensor.lon, sensor.lat)
    return bool(inside and (deepest_m is None or sensor.depth_to_m <= deepest_m))


def _within(readings: pd.DataFrame, sensor: Sensor, period: Period) -> pd.DataFrame:
    found = readings[(readings.index >= period.start) & (readings.index < period.end)]
    if found.empty:
        first, last = readings.index[[0, -1]].to_numpy()
        span = Period(first, last + np.timedelta64(1, "ns"))
        raise NothingFound(
            f"ismn: readings of {sensor.id} for {period}", f"Found {span}", "Pass a period inside it, without its gaps"
        )
    return found
