"""In-situ soil moisture of the International Soil Moisture Network (ISMN)."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import shapely

from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period
from vadose.insitu.archive import ArchiveReader
from vadose.insitu.headers import Sensor
from vadose.insitu.index import IsmnIndex
from vadose.insitu.parquet import ParquetReader, are_tables
from vadose.insitu.static_variables import read_static
from vadose.variables import FRM_CLASS


class IsmnBackend(Protocol):
    """Interface of an archive's own files and of its Parquet tables."""

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """All sensors."""
        ...

    @property
    def malformed(self) -> tuple[VadoseError, ...]:
        """Errors of unreadable files."""
        ...

    def read(self, sensor: Sensor) -> pd.DataFrame:
        """Read the series of a sensor."""
        ...

    def classes(self, sensor: Sensor) -> dict[str, str]:
        """Read land cover, climate and FRM class of a sensor."""
        ...


@dataclass(frozen=True)
class Ismn:
    """A downloaded ISMN archive, in either layout, or the tables made from one. Nothing is written beside it.

    Attributes:
        path: the zip archive, a folder with its files at any depth, or the folder of tables that
            `vadose.insitu.conversion.archive_to_parquet` made from one of them, which is read much faster.
        skip_malformed: whether malformed files are skipped and listed in `malformed`; otherwise the archive is refused.
    """

    path: Path
    skip_malformed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    def sensors(self, area: AreaOfInterest | None = None, deepest_m: float | None = None) -> tuple[Sensor, ...]:
        """Return the soil moisture sensors of the archive, sorted.

        Args:
            area: only those within it.
            deepest_m: only those whose layer ends at this depth or above, m.

        Raises:
            NoDataError: there are none.
            VadoseError: the archive is unreadable, or a file in it is malformed.
        """
        held = self._holdings.sensors
        found = tuple(sensor for sensor in held if _meets(sensor, area, deepest_m))
        if not found:
            where = f" in '{area.name}'" if area else ""
            depth = "" if deepest_m is None else f" down to {deepest_m:g} m"
            raise NoDataError(
                f"ismn: soil moisture sensors{where}{depth} of {self.path}",
                f"Found {len(held)} sensors elsewhere" if held else "Found no file named …_sm_….stm",
                "Give another area or depth" if held else "Give a folder or a zip file downloaded from ISMN",
            )
        return found

    @property
    def malformed(self) -> tuple[VadoseError, ...]:
        """Return the faults of files skipped for their name or first line; other faults appear on reading."""
        return self._holdings.malformed

    def read(self, sensor: Sensor, period: Period | None = None) -> pd.DataFrame:
        """Return the readings of a sensor.

        Args:
            sensor: from `sensors()`.
            period: only readings within it.

        Returns:
            Columns `soil_moisture` (m3 m-3, float64, NaN where ISMN has -9999), `flag` (ISMN's flags unchanged, such as
            "G" or "D03,D05", categorical) and `soil_temperature` (degrees Celsius, float64, of the thermometer at the
            station within 5 cm of its depth and an hour of its time; NaN without one), indexed by `time`
            (datetime64[ns], UTC), ascending. A repeated time of the file is repeated.

        Raises:
            NoDataError: no reading is in the period.
            VadoseError: the archive does not contain the sensor, or its file is malformed.
        """
        self._check(sensor)
        readings = self._holdings.read(sensor)
        return readings if period is None else _within(readings, sensor, period)

    def classes(self, sensor: Sensor) -> dict[str, str]:
        """Return land cover and climate at a sensor's station, and the FRM class of the sensor.

        Args:
            sensor: from `sensors()`.

        Returns:
            Codes by the names of `static_variables.CLASS_COLUMNS`, and `frm_class`; unknown ones are missing.

        Raises:
            VadoseError: the archive does not contain the sensor, or the table of its station is malformed.
        """
        self._check(sensor)
        return self._holdings.classes(sensor)

    def _check(self, sensor: Sensor) -> None:
        if sensor not in self._known:
            raise VadoseError(
                f"ismn: sensor {sensor.id} of {self.path}",
                f"Found {len(self._known)} sensors, but not this one",
                "Give one of sensors()",
            )

    @cached_property
    def _known(self) -> frozenset[Sensor]:
        return frozenset(self._holdings.sensors)

    @cached_property
    def _holdings(self) -> IsmnBackend:
        return (
            ParquetReader(self.path)
            if are_tables(self.path)
            else _Archive(ArchiveReader(self.path), self.skip_malformed)
        )


@dataclass(frozen=True)
class _Archive:
    files: ArchiveReader
    skip_malformed: bool

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        return tuple(sorted(self._held.series))

    @property
    def malformed(self) -> tuple[VadoseError, ...]:
        return self._held.malformed

    def read(self, sensor: Sensor) -> pd.DataFrame:
        found = self._held.series[sensor].read(self.files)
        if found.faults and not self.skip_malformed:
            raise found.faults[0]
        return found.table

    def classes(self, sensor: Sensor) -> dict[str, str]:
        series = self._held.series[sensor]
        frm = {FRM_CLASS: series.frm_class} if series.frm_class else {}
        try:
            return (read_static(series.static, self.files.read(series.static)).classes if series.static else {}) | frm
        except VadoseError:
            if not self.skip_malformed:
                raise
            return frm

    @cached_property
    def _held(self) -> IsmnIndex:
        return IsmnIndex.of(self.files, self.skip_malformed)


def _meets(sensor: Sensor, area: AreaOfInterest | None, deepest_m: float | None) -> bool:
    inside = area is None or shapely.intersects_xy(area.geometry, sensor.lon, sensor.lat)
    return bool(inside and (deepest_m is None or sensor.depth_to_m <= deepest_m))


def _within(readings: pd.DataFrame, sensor: Sensor, period: Period) -> pd.DataFrame:
    found = readings[(readings.index >= period.start) & (readings.index < period.end)]
    if found.empty:
        first, last = readings.index[[0, -1]].to_numpy()
        span = Period(first, last + np.timedelta64(1, "ns"))
        raise NoDataError(
            f"ismn: readings of {sensor.id} for {period}", f"Found {span}", "Give a period inside it, without its gaps"
        )
    return found
