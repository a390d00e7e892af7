"""Conversion of an ISMN archive, in parallel, to Parquet tables that `insitu.Ismn` reads like the archive.

Readings are unchanged and in order of time: repeated or conflicting readings are counted here and dropped where labels
are made (`dataset.labels`). Unreadable files are left out and listed.
"""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from vadose.errors import VadoseError
from vadose.insitu.archive import ArchiveReader
from vadose.insitu.counts import Fault, SensorCounts, counted, read_sensor
from vadose.insitu.flags import explained
from vadose.insitu.index import IsmnIndex, Series
from vadose.insitu.parquet import DECLARATION, KIND, READINGS, READINGS_SCHEMA, SENSORS, SENSORS_SCHEMA
from vadose.io.atomic import sweep
from vadose.io.files import atomic_write, metadata, read_json, write_json
from vadose.io.locks import alone_at
from vadose.io.outputs import Request
from vadose.io.processes import processes

Progress = Callable[[int, int, str], None]
"""Called after each sensor with the number of finished sensors, their total, and a name."""

PLAN, NETWORK = "plan.json", "_network.json"
"""Plan of unfinished tables, and contents of a network (readers of Parquet ignore names with _)."""
INSITU = Request("samples convert-ismn", "")


@dataclass(frozen=True)
class InsituReport:
    """Result of a conversion.

    Attributes:
        path: the folder of tables.
        sensors, readings: their numbers.
        unreadable: left-out files with the reason.
    """

    path: Path
    sensors: int
    readings: int
    unreadable: tuple[Fault, ...]

    def __str__(self) -> str:
        lost = f"; {len(self.unreadable)} files could not be read" if self.unreadable else ""
        return f"{self.readings} readings of {self.sensors} sensors in {self.path}{lost}"


def archive_to_parquet(archive: Path, out: Path, workers: int = 1, report: Progress | None = None) -> InsituReport:
    """Convert an ISMN archive to tables: `out`/insitu.json, sensors.parquet and readings/network=NAME/readings.parquet.

    The tables are made beside `out`, network by network, and appear when they are complete. An interrupted run resumes
    with the remaining networks, and gives the same bytes.

    Args:
        archive: a zip file, or a folder with its files at any depth.
        out: folder of the tables, which must not exist.
        workers: number of processes.
        report: called after each sensor.

    Raises:
        VadoseError: the archive is unreadable or has no readable sensor, `out` exists, or other tables were interrupted
            there; nothing is left at `out`.
    """
    INSITU.require_place(out, folder=True)
    if out.exists():
        raise VadoseError(
            f"samples: in-situ tables at {out}", "Something exists there already", "Remove it, or name another"
        )
    with alone_at(out) as held:
        return _tables(archive, held, workers, report)


def _tables(archive: Path, out: Path, workers: int, report: Progress | None) -> InsituReport:
    files = ArchiveReader(archive)
    held = IsmnIndex.of(files, skip_malformed=True)
    origin = metadata(KIND, {"archive": archive.name, "files": len(files.data), "digest": files.digest})
    staging = _begin(out, origin)
    numbered = list(enumerate(held.series[sensor] for sensor in sorted(held.series)))
    done = 0
    with _Readers.open(files, workers) as readers:
        for network, group in groupby(numbered, key=lambda pair: pair[1].sensor.network):
            series = list(group)
            folder = staging / READINGS / f"network={quote(network, safe=' ')}"
            if not (folder / NETWORK).exists():
                _write_network(folder, readers.read(series), report, (done, len(numbered)))
            done += len(series)
            if report:
                report(done, len(numbered), network)
    unnamed = [(str(fault.context), str(fault.problem)) for fault in held.malformed]
    return _finish(staging, out, origin, unnamed)


def _begin(out: Path, origin: Mapping[str, Any]) -> Path:
    """Return the staging folder, new or from an earlier run, whose unfinished files are removed."""
    staging = out.with_name(f"{out.name}.building")
    begun = _read(staging / PLAN) or _read(staging / DECLARATION)
    if not begun:
        shutil.rmtree(staging, ignore_errors=True)
        write_json(staging / PLAN, origin)
        return staging
    if any(begun.get(key) != value for key, value in origin.items()):
        raise VadoseError(
            f"samples: in-situ tables at {out}",
            f"{staging} contains unfinished ones of another archive",
            f"Finish those with their own archive, or remove {staging}",
        )
    sweep(staging)
    return staging


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content


@dataclass(frozen=True)
class _Readers:
    """Readers of the sensors: this process, or a pool of others."""

    files: ArchiveReader
    pool: ProcessPoolExecutor | None
    at_once: int

    @classmethod
    @contextmanager
    def open(cls, files: ArchiveReader, workers: int) -> "Iterator[_Readers]":
        if workers == 1:
            yield cls(files, None, 1)
            return
        with processes(workers) as pool:
            yield cls(files, pool, 4 * workers)

    def read(self, series: Sequence[tuple[int, Series]]) -> Iterator[SensorCounts]:
        """Yield the sensors in order; few of them wait in memory."""
        if self.pool is None:
            yield from (read_sensor(self.files, number, one) for number, one in series)
            return
        waiting: deque[Future[SensorCounts]] = deque()
        for number, one in series:
            waiting.append(self.pool.submit(_read_sensor, self.files.archive, self.files.digest, number, one))
            if len(waiting) > self.at_once:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _read_sensor(archive: Path, digest: str, number: int, series: Series) -> SensorCounts:
    return read_sensor(_opened(archive, digest), number, series)


@lru_cache(maxsize=1)
def _opened(archive: Path, digest: str) -> ArchiveReader:  # noqa: ARG001 - another digest is another archive
    return ArchiveReader(archive)


def _write_network(
    folder: Path, gathered: Iterable[SensorCounts], report: Progress | None, place: tuple[int, int]
) -> None:
    """Write the readings of a network and the counts of its sensors, atomically."""
    sensors: list[dict[str, Any]] = []
    unreadable: list[Fault] = []
    with atomic_write(folder) as temporary:
        temporary.mkdir(parents=True)
        file = temporary / "readings.parquet"
        with pq.ParquetWriter(
            file, READINGS_SCHEMA, compression="zstd", use_dictionary=_REPEATED, column_encoding=_PACKED
        ) as writer:
            for done, one in enumerate(gathered, start=1):
                unreadable += one.unreadable
                if one.row:
                    where = {"file": f"{READINGS}/{folder.name}/{file.name}", "row_group": len(sensors)}
                    sensors.append(one.row | where)
                    writer.write_table(one.table, row_group_size=len(one.table))
                if report:
                    report(place[0] + done, place[1], one.name)
        if not sensors:
            file.unlink()
        write_json(temporary / NETWORK, {"sensors": sensors, "unreadable": unreadable})


_REPEATED = ["sensor", "station", "depth_from_m", "depth_to_m", "soil_moisture", "flag", "soil_temperature"]
_PACKED = {"time": "DELTA_BINARY_PACKED"}


def _finish(staging: Path, out: Path, origin: Mapping[str, Any], unreadable: list[Fault]) -> InsituReport:
    """Write the table of sensors and the metadata, from the contents of each network; move the tables into place."""
    networks = [_read(path) for path in sorted(staging.glob(f"{READINGS}/*/{NETWORK}"))]
    sensors = sorted((row for network in networks for row in network["sensors"]), key=lambda row: int(row["sensor"]))
    unreadable = sorted(
        {*unreadable, *((file, reason) for network in networks for file, reason in network["unreadable"])}
    )
    if not sensors:
        shutil.rmtree(staging)
        raise VadoseError(
            f"samples: in-situ tables at {out}",
            f"No sensor of soil moisture can be read; {len(unreadable)} files are malformed: {unreadable[:3]}",
            "Give a folder or a zip file downloaded from ISMN, with soil moisture in it",
        )
    table = pa.Table.from_pylist(
        [{name: row.get(name) for name in SENSORS_SCHEMA.names} for row in sensors], SENSORS_SCHEMA
    )
    pq.write_table(table, staging / SENSORS, compression="zstd")
    counts = counted(sensors)
    flags = {flag: explained(flag) for flag in counts["readings_by_flag"]}
    left_out = [{"file": file, "reason": reason} for file, reason in unreadable]
    write_json(staging / DECLARATION, {**origin} | counts | {"flags": flags, "unreadable": left_out})
    (staging / PLAN).unlink(missing_ok=True)
    staging.replace(out)
    return InsituReport(out, len(sensors), counts["readings"], tuple(unreadable))
