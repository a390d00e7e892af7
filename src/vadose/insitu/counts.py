"""Table of readings of one sensor, its row in the table of sensors, and counts over all sensors."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from vadose.errors import VadoseError
from vadose.insitu.archive import ArchiveReader
from vadose.insitu.index import Series
from vadose.insitu.parquet import READINGS_SCHEMA
from vadose.insitu.static_variables import Static, read_static
from vadose.variables import FRM_CLASS, SOIL_MOISTURE

Fault = tuple[str, str]
"""A file and its fault."""


@dataclass(frozen=True, eq=False)
class SensorCounts:
    """One sensor.

    Attributes:
        name: for messages.
        row: its row in the table of sensors, and counts; empty if its readings are unreadable.
        table: its readings, as READINGS_SCHEMA.
        unreadable: its unreadable files.
    """

    name: str
    row: dict[str, Any]
    table: pa.Table
    unreadable: tuple[Fault, ...]


def read_sensor(files: ArchiveReader, number: int, series: Series) -> SensorCounts:
    """Read a sensor.

    Args:
        files: files of the archive.
        number: number of the sensor in it.
        series: its files.
    """
    sensor = series.sensor
    name = f"{sensor.network} {sensor.station}"
    try:
        found = series.read(files)
    except VadoseError as fault:
        return SensorCounts(name, {}, READINGS_SCHEMA.empty_table(), ((fault.context, fault.problem),))
    faults = [(fault.context, fault.problem) for fault in found.faults]
    static = Static()
    if series.static:
        try:
            static = read_static(series.static, files.read(series.static))
        except VadoseError as fault:
            faults.append((fault.context, fault.problem))
    row = {"sensor": number, **asdict(sensor), **static.at(sensor.depth_from_m, sensor.depth_to_m)}
    row[FRM_CLASS] = series.frm_class or None
    counts = {**_counts(found.table), "out_of_order": found.out_of_order}
    return SensorCounts(name, row | counts, _table(number, series, found.table), tuple(faults))


def counted(sensors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return counts over sensors.

    Args:
        sensors: rows from `read_sensor`.

    Returns:
        Counts of networks, stations, sensors and readings; of readings by flag; of sensors and readings by depth and by
        station; of readings with a doubtful order, time or value; the sensors with doubtful units.
    """
    flags: Counter[str] = Counter()
    for row in sensors:
        flags.update(row["flags"])
    doubtful = ("out_of_order", "repeated", "conflicting", "missing", "outside_range")
    return {
        "networks": len({row["network"] for row in sensors}),
        "stations": len({(row["network"], row["station"]) for row in sensors}),
        "sensors": len(sensors),
        "readings": sum(row["readings"] for row in sensors),
        "readings_by_flag": dict(sorted(flags.items())),
        "by_depth": _grouped(sensors, "{depth_from_m:g}-{depth_to_m:g} m"),
        "by_station": _grouped(sensors, "{network}/{station}"),
        "doubtful_readings": {name: sum(row[name] for row in sensors) for name in doubtful},
        "doubtful_units": [
            {"sensor": row["sensor"], "station": f"{row['network']}/{row['station']}", "median": row["median"]}
            for row in sensors
            if row["median"] is not None and not _in_range(row["median"])
        ],
    }


def _grouped(sensors: Sequence[Mapping[str, Any]], label: str) -> dict[str, dict[str, int]]:
    groups: dict[str, Counter[str]] = {}
    for row in sensors:
        counts = {"sensors": 1, "readings": row["readings"], "good": row["flags"].get("G", 0)}
        groups.setdefault(label.format_map(row), Counter()).update(counts)
    return {group: dict(counts) for group, counts in sorted(groups.items())}


def _counts(readings: pd.DataFrame) -> dict[str, Any]:
    """Return counts of the readings of a sensor.

    A repeated reading agrees in time, value and flag with an earlier one; conflicting ones agree only in time.
    """
    times, value = readings.index, readings["soil_moisture"]
    flags = readings["flag"].value_counts(sort=False)
    again = times.duplicated(keep=False)
    several = readings[again].reset_index().astype({"flag": str})
    different = several.drop_duplicates()
    low, high = SOIL_MOISTURE.valid_range
    median = value.median()
    return {
        "readings": len(readings),
        "first_time": int(times[0].value),
        "last_time": int(times[-1].value),
        "flags": {str(flag): int(count) for flag, count in sorted(flags.items()) if count},
        "repeated": len(several) - len(different),
        "conflicting": int(different.duplicated("time", keep=False).sum()),
        "missing": int(value.isna().sum()),
        "outside_range": int(((value < low) | (value > high)).sum()),
        "median": None if pd.isna(median) else float(median),
    }


def _in_range(value: float) -> bool:
    low, high = SOIL_MOISTURE.valid_range
    return low <= value <= high


def _table(number: int, series: Series, readings: pd.DataFrame) -> pa.Table:
    """Return readings as READINGS_SCHEMA; constant columns are dictionaries of one value."""
    sensor, size = series.sensor, len(readings)
    flags = readings["flag"].cat
    columns = {
        "sensor": pa.repeat(pa.scalar(number, pa.int32()), size),
        "station": pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), size), [sensor.station]),
        "depth_from_m": pa.repeat(sensor.depth_from_m, size),
        "depth_to_m": pa.repeat(sensor.depth_to_m, size),
        "time": pa.array(readings.index.to_numpy()),
        "soil_moisture": pa.array(readings["soil_moisture"].to_numpy(), from_pandas=True),
        "flag": pa.DictionaryArray.from_arrays(
            pa.array(flags.codes.to_numpy(), pa.int32()), pa.array(flags.categories.to_list(), pa.string())
        ),
        "soil_temperature": pa.array(readings["soil_temperature"].to_numpy(), from_pandas=True),
    }
    return pa.table(columns, schema=READINGS_SCHEMA)
