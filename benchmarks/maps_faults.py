"""Kill a map at random moments, go on with it, and compare every file with that of a map that was never stopped.

python benchmarks/maps_faults.py RUN ARCHIVE AREA DATE [--kills 20] [--scheduler threads]
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VADOSE = str(Path(sys.executable).with_name("vadose"))


def command(told: argparse.Namespace, out: Path) -> list[str]:
    """Return the command of the map, all formats of it."""
    asked = ["map", str(told.run), str(told.archive), f"--area={told.area}", "--date", told.date, "--out", str(out)]
    formats = [part for form in ("cog", "zarr", "netcdf") for part in ("--format", form)]
    return [VADOSE, *asked, *formats, "--scheduler", told.scheduler, "--workers", "2"]


def contents(folder: Path) -> dict[str, str]:
    """Checksum of every product, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file() and "tiles" not in path.parts and path.name != "lock")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def killed(told: argparse.Namespace, out: Path, after: float) -> bool:
    """Whether the run was still at work when it was killed."""
    process = subprocess.Popen(command(told, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("run", Path), ("archive", Path), ("area", str), ("date", str)):
        parser.add_argument(name, type=kind)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--scheduler", default="threads")
    told = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        begun = time.perf_counter()
        subprocess.run(command(told, whole), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took, expected = time.perf_counter() - begun, contents(whole)
        at_work = 0
        for number in range(told.kills):
            out = Path(folder) / f"killed{number}"
            after = rng.uniform(0.1, 0.98) * took
            at_work += killed(told, out, after)
            subprocess.run(command(told, out), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            same = contents(out) == expected
            print(
                f"killed after {after:.1f} of {took:.1f} s: {'the same bytes' if same else 'OTHER BYTES'}", flush=True
            )
            if not same:
                raise SystemExit(1)
    print(f"{told.kills} maps of {len(expected)} files, {at_work} killed at work, all the same bytes when resumed")


if __name__ == "__main__":
    main()
