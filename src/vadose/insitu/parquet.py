"""An ISMN archive as Parquet tables: one of readings, with a file per network, and one of sensors.

FOLDER/insitu.json                              metadata: provenance, counts, left-out files
FOLDER/sensors.parquet                          per sensor: identity, static variables, location of its readings
FOLDER/readings/network=NAME/readings.parquet   readings in the order of sensors and times, a row group per sensor
"""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vadose.errors import VadoseError
from vadose.insitu.headers import Sensor
from vadose.insitu.static_variables import CLASS_COLUMNS, SOIL
from vadose.variables import FRM_CLASS

DECLARATION, SENSORS, READINGS = "insitu.json", "sensors.parquet", "readings"
KIND: Final = "in-situ tables"

_WORDS = pa.dictionary(pa.int32(), pa.string())
READINGS_SCHEMA: Final = pa.schema(
    [
        pa.field("sensor", pa.int32(), False, {"long_name": "row of the sensor in sensors.parquet, column sensor"}),
        pa.field("station", _WORDS, False),
        pa.field("depth_from_m", pa.float64(), False, {"units": "m"}),
        pa.field("depth_to_m", pa.float64(), False, {"units": "m"}),
        pa.field("time", pa.timestamp("ns"), False, {"long_name": "UTC"}),
        pa.field("soil_moisture", pa.float64(), True, {"units": "m3 m-3"}),
        pa.field("flag", _WORDS, False, {"long_name": "quality flags of ISMN"}),
        pa.field("soil_temperature", pa.float64(), True, {"units": "degree_Celsius"}),
    ]
)
SENSORS_SCHEMA: Final = pa.schema(
    [
        pa.field("sensor", pa.int32(), False),
        *(pa.field(name, pa.string(), False) for name in ("network", "station", "instrument")),
        *(pa.field(name, pa.float64(), False, {"units": "degrees"}) for name in ("lat", "lon")),
        *(
            pa.field(name, pa.float64(), False, {"units": "m"})
            for name in ("elevation_m", "depth_from_m", "depth_to_m")
        ),
        pa.field("readings", pa.int64(), False),
        pa.field("first_time", pa.timestamp("ns"), False),
        pa.field("last_time", pa.timestamp("ns"), False),
        pa.field("file", pa.string(), False, {"long_name": "of its readings, in this folder"}),
        pa.field("row_group", pa.int32(), False, {"long_name": "of its readings, in that file"}),
        *(pa.field(name, pa.string()) for name in (*CLASS_COLUMNS, FRM_CLASS)),
        *(pa.field(name, pa.float64(), True, {"units": unit}) for name, (_, unit) in SOIL.items()),
    ]
)
_IDENTITY: Final = tuple(field.name for field in fields(Sensor))
_READ: Final = ("time", "soil_moisture", "flag", "soil_temperature")


def are_tables(path: Path) -> bool:
    """Return whether a folder contains such tables."""
    return (path / DECLARATION).is_file() and (path / SENSORS).is_file()


@dataclass(frozen=True)
class ParquetReader:
    """In-situ tables of a folder, with the interface of an archive.

    Attributes:
        folder: folder of the tables.
    """

    folder: Path

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """Return all sensors, sorted.

        Raises:
            VadoseError: the table of sensors is unreadable.
        """
        return tuple(sorted(self._rows))

    @property
    def malformed(self) -> tuple[VadoseError, ...]:
        """Return no files: unreadable ones were left out when the tables were made, and are listed there."""
        return ()

    def read(self, sensor: Sensor) -> pd.DataFrame:
        """Return the readings of a sensor, as `Ismn.read`.

        Args:
            sensor: from `sensors`.

        Raises:
            VadoseError: its table is unreadable.
        """
        file = self._rows[sensor]["file"]
        try:
            with pq.ParquetFile(self.folder / file) as stored:
                table = stored.read_row_group(self._rows[sensor]["row_group"], columns=list(_READ), use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise _damaged(self.folder / file, error) from error
        found: pd.DataFrame = table.to_pandas(use_threads=False)
        return found.set_index("time")

    def classes(self, sensor: Sensor) -> dict[str, str]:
        """Return land cover, climate and FRM class of a sensor, as `Ismn.classes`.

        Args:
            sensor: from `sensors`.

        Raises:
            VadoseError: the table of sensors is unreadable.
        """
        row = self._rows[sensor]
        return {name: row[name] for name in (*CLASS_COLUMNS, FRM_CLASS) if row.get(name)}

    @cached_property
    def _rows(self) -> dict[Sensor, dict[str, Any]]:
        columns = [*_IDENTITY, "file", "row_group", *CLASS_COLUMNS]
        try:
            newer = [name for name in (FRM_CLASS,) if name in pq.read_schema(self.folder / SENSORS).names]
            table = pq.read_table(self.folder / SENSORS, columns=[*columns, *newer], use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise _damaged(self.folder / SENSORS, error) from error
        rows: list[dict[str, Any]] = table.to_pylist()
        return {Sensor(**{name: row[name] for name in _IDENTITY}): row for row in rows}


def _damaged(path: Path, error: Exception) -> VadoseError:
    return VadoseError(f"ismn: {path}", f"It cannot be read: {error}", "Make the tables again from the ISMN archive")
