"""How fast an ISMN archive is read on one core, beside the ismn package's `read_data()`, station by station.

Usage: OMP_NUM_THREADS=1 python benchmarks/ismn_archive.py [ARCHIVE]

The archive is a zip file (by default the real one of 49 stations in ../shared/data). Every way is run in turn, several
times over, and the best of each is told, by processor time: reading every series, opening the archive (the list of its
sensors) and reading every series, and reading every series from Parquet tables that were made of it before. The
ismn package caches its list of sensors in a file; it is removed before each run.
"""

import contextlib
import io
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from ismn.interface import ISMN_Interface

from vadose.insitu import Ismn
from vadose.insitu.conversion import archive_to_parquet

REPEATS = 5
ARCHIVE = Path(__file__).parents[2] / "shared" / "data" / "ismn_uscrn.zip"


def theirs(archive: Path) -> ISMN_Interface:
    """Return the archive as the ismn package opens it."""
    silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, silent[0], silent[1]:
        return ISMN_Interface(archive, meta_path=folder, temp_root=tempfile.gettempdir(), parallel=False)


def read_theirs(archive: ISMN_Interface) -> int:
    """Return readings of every station's sensors, one by one."""
    stations = (station for network in archive.collection.iter_networks() for station in network.iter_stations())
    return sum(len(sensor.read_data()) for station in stations for sensor in station.iter_sensors())


def read_ours(archive: Ismn) -> int:
    """Return readings of every sensor, one by one."""
    return sum(len(archive.read(sensor)) for sensor in archive.sensors())


def seconds(run: Callable[[], object]) -> float:
    """Processor time of one run, so that what else runs on the machine counts little."""
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable()
    archive = Path(sys.argv[1]) if len(sys.argv) > 1 else ARCHIVE
    with tempfile.TemporaryDirectory() as folder:
        opened, package = Ismn(archive), theirs(archive)
        tables = Path(folder) / "tables"
        print(archive_to_parquet(archive, tables))
        stored = Ismn(tables)
        if not read_ours(opened) == read_ours(stored) == read_theirs(package):
            raise SystemExit("The ways do not give as many readings")
        ways = {
            "ismn: read_data() station by station": lambda: read_theirs(package),
            "vadose: the archive": lambda: read_ours(opened),
            "vadose: Parquet tables": lambda: read_ours(stored),
            "ismn: open and read": lambda: read_theirs(theirs(archive)),
            "vadose: open and read the archive": lambda: read_ours(Ismn(archive)),
            "vadose: open and read Parquet tables": lambda: read_ours(Ismn(tables)),
        }
        runs = [{name: seconds(way) for name, way in ways.items()} for _ in range(REPEATS)]
    best = {name: min(run[name] for run in runs) for name in ways}
    readings = read_ours(opened)
    for names in (list(best)[:3], list(best)[3:]):
        for name in names:
            rate, ratio = readings / best[name] / 1e6, best[names[0]] / best[name]
            print(f"{name:40s} {best[name]:7.3f} s  {rate:6.2f} M readings/s  {ratio:5.1f} x")


if __name__ == "__main__":
    main()
