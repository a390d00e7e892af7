"""Samples of a thousand sensors, fetched from catalogues on loopback: throughput, memory over time, requests, bytes.

python benchmarks/fetch_scale.py FOLDER [--regions 100] [--networks 100] [--kill 0.5] [--build-minutes 60]

About 100 SIMULATED regions of 10 stations, 30 passes of Sentinel-1 each. `vadose samples build` fetches the archive,
windows around each sensor, and builds the store. It is killed once while it fetches, after a share of the scenes, and
resumed; what was built when the minutes are over is told. FOLDER holds the world, which is made once, the archive and
the cache, which a further run extends by the stations of more networks.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from catalogue_servers import World
from vadose.catalogues.lock import NAME as LOCK
from vadose.catalogues.lock import Lock
from vadose.io.files import read_json
from vadose.simulation import WorldConfig, make
from vadose.simulation.config import scattered

PERIOD, PASSES, SENSORS, SIDE = "2021-06-01/2021-07-04", 30, 10, 12
NEEDS = {
    "cells": [
        *("vv", "vh", "incidence_angle", "B02", "B03", "B04", "B08", "B11", "B12", "elevation"),
        *("sand", "silt", "clay", "bulk_density", "smap", "gldas"),
    ]
}
"""Predictors of `configs/simulated/4_all.yaml`: those of the paper, without a history."""
RUN = "from vadose.cli.main import main; main()"
EVERY_S = 1.0


def world_of(regions: int) -> WorldConfig:
    """Return a world of small dense networks, evenly over the climates."""
    places = scattered(-(-regions // 8), SENSORS, SIDE)
    chosen = (places[number * len(places) // regions] for number in range(regions))
    return WorldConfig(
        regions=tuple(one.model_copy(update={"side_cells": SIDE, "sensors": SENSORS}) for one in chosen),
        period=PERIOD,
        radar_days=2,
        sentinel2_revisit_days=6,
        model_hours=24,
        radiometer_km=(36,),
    )


def experiment(folder: Path, settings: Path) -> Path:
    """Write the configuration of the samples."""
    content = {
        "name": "scale",
        "simulated": True,
        "samples": {
            "archive": "archive",
            "in_situ": "ismn",
            "period": PERIOD,
            "sample_times": "sentinel1",
            "max_samples_per_sensor": PASSES,
            "fetch": {"catalogues": [str(settings)], "require": ["sentinel1"]},
        },
        "needs": NEEDS,
        "split": {"grouping": {"by": "network"}, "folds": 4},
    }
    path = folder / "scale.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@dataclass
class Watched:
    """What a command used: memory of it and of its workers, MB, and requests and bytes, at moments in seconds."""

    at: list[float] = field(default_factory=list)
    mb: list[float] = field(default_factory=list)
    phase: list[str] = field(default_factory=list)
    seconds: Counter[str] = field(default_factory=Counter)

    def quarters(self, phase: str) -> str:
        """Peak memory in each quarter of a phase."""
        held = [mb for mb, named in zip(self.mb, self.phase, strict=True) if named == phase]
        size = -(-len(held) // 4)
        return " / ".join(f"{max(held[start : start + size]):.0f}" for start in range(0, len(held), max(size, 1)))


def memory_mb(pid: int) -> float:
    """Memory of a process and of those that it began, MB."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            status = Path(f"/proc/{one}/status").read_text()
            waiting += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
        except (OSError, ValueError):
            continue
        total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0) / 1024
    return total


def build(
    folder: Path, config: Path, workers: int, kill_at: int | None = None, most_s: float = 0.0
) -> tuple[int, Watched]:
    """Build samples and watch.

    Args:
        folder, config, workers: of the samples.
        kill_at: scenes in the archive at which it is killed.
        most_s: of the part after fetching, seconds; then it is ended.
    """
    environment = os.environ | {"VADOSE_CACHE": str(folder / "cache"), "EARTHDATA_TOKEN": "scale"}
    watched, scenes = Watched(), folder / "archive" / "sentinel-1-rtc"
    lock_before = _changed_at(folder / "archive" / "vadose.lock")
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, "samples", "build", str(config), "--out", str(folder / "samples"),
             "--workers", str(workers)],
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        started = before = time.monotonic()
        while process.poll() is None:
            time.sleep(EVERY_S)
            now = time.monotonic()
            phase = "fetch" if _changed_at(folder / "archive" / "vadose.lock") == lock_before else "build"
            watched.at.append(now - started)
            watched.mb.append(memory_mb(process.pid))
            watched.phase.append(phase)
            watched.seconds[phase] += now - before
            before = now
            if kill_at is not None and scenes.is_dir() and sum(1 for _ in scenes.iterdir()) >= kill_at:
                process.send_signal(signal.SIGKILL)
                process.wait()
            if most_s and watched.seconds["build"] > most_s:
                process.terminate()
                process.wait()
    return process.returncode, watched


def _changed_at(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def spent(world: World) -> Counter[str]:
    """Return requests and bytes by server, since the last reset."""
    found: Counter[str] = Counter()
    for name in ("stac", "assets", "earth_search", "open_data", "cmr", "archive", "login", "soilgrids", "buckets"):
        totals = getattr(world, name).totals()
        found[f"{name} requests"] += totals.requests
        found[f"{name} bytes"] += totals.bytes
    return found


def tell(what: str, status: int, watched: Watched, used: Counter[str]) -> None:
    """Print what a command used."""
    requests, size = (
        sum(count for name, count in used.items() if name.endswith(unit)) for unit in ("requests", "bytes")
    )
    print(f"{what}: status {status}, {requests:,} requests, {size / 1e6:,.1f} MB", flush=True)
    for phase, seconds in watched.seconds.items():
        print(f"  {phase}: {seconds:,.0f} s, peak memory by quarters {watched.quarters(phase)} MB", flush=True)
    print("  " + ", ".join(f"{name} {count:,}" for name, count in used.items() if count), flush=True)


def lock_seconds(archive: Path) -> str:
    """Write the lock of an archive twice, without and with its index, and say what each took.

    Entries that changed in the last two seconds are read in any case, so the archive must be older.
    """
    stated, told = read_json(archive / LOCK, largest=1 << 32), []
    (archive / ".vadose-lock" / "index.jsonl").unlink(missing_ok=True)
    for what in ("read anew", "from its index"):
        wall, cpu, lock = time.perf_counter(), time.process_time(), Lock(archive)
        lock.index()
        held = lock.write(stated["sources"], stated["asked"])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        told.append(f"{what} {wall:.1f} s, processor {cpu:.1f} s")
    return f"lock of {len(held.entries):,} entries: {'; '.join(told)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--regions", type=int, default=100)
    parser.add_argument("--networks", type=int, help="Of which samples are built; by default all.")
    parser.add_argument("--build-minutes", type=float, default=60.0)
    parser.add_argument("--kill", type=float, default=0.5, help="Share of the scenes after which it is killed.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="Forget the archive and the cache first.")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    make(world_of(asked.regions), folder / "world", workers=asked.workers)
    for name in ("samples", "samples.building", *(("archive", "cache") if asked.fresh else ())):
        shutil.rmtree(folder / name, ignore_errors=True)
    chosen = [one.name for one in world_of(asked.regions).regions[: asked.networks]]
    shutil.rmtree(folder / "ismn", ignore_errors=True)
    for name in chosen:
        shutil.copytree(folder / "world" / "ismn" / f"SIM-{name}", folder / "ismn" / f"SIM-{name}")
    with World(folder / "world", page_size=250) as world:
        world.login.users.tokens.add("scale")
        settings = folder / "catalogues.yaml"
        settings.write_text(yaml.safe_dump(world.settings()))
        config = experiment(folder, settings)
        scenes = len(chosen) * PASSES
        print(f"{len(chosen)} networks, {len(chosen) * SENSORS} stations, {scenes} scenes of Sentinel-1", flush=True)
        tell("killed", *build(folder, config, asked.workers, round(asked.kill * scenes)), spent(world))
        world.reset()
        done = build(folder, config, asked.workers, most_s=60 * asked.build_minutes)
        tell("resumed", *done, spent(world))
    print(lock_seconds(folder / "archive"), flush=True)
    told = [line for line in (folder / "log.txt").read_text().splitlines() if not line.startswith("Warning")]
    print(*told[-3:], sep="\n")


if __name__ == "__main__":
    main()
