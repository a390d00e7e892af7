"""What the simulated world costs: processor seconds a km2 and year, and peak memory, at two areas.

python benchmarks/world.py
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vadose.simulation import WorldConfig, make
from vadose.simulation.config import REGIONS

SIDES = (16, 32)
"""Of a region, in cells of 320 m: one block, and four."""
PERIOD, DAYS = "2021-05-01/2021-07-31", 92
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def make_one(side: int, folder: str) -> None:
    """Make a world of one region, and print what it cost."""
    region = REGIONS[0].model_copy(update={"side_cells": side, "sensors": 4})
    begun = time.process_time()
    make(WorldConfig(regions=(region,), period=PERIOD, model_hours=24, radiometer_km=(36,)), Path(folder) / "world")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.process_time() - begun, "peak_mb": peak}))


def measured(side: int) -> tuple[float, float]:
    """Processor seconds and peak memory, MB, of a world that a process of its own makes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, str(side), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | ONE_THREAD)
    told = json.loads(done.stdout.splitlines()[-1])
    return told["seconds"], told["peak_mb"]


def main() -> None:
    """Make the worlds and print a table; the last row is what more area adds."""
    print("| km² | processor s | s a km²·year | peak MB |\n|---|---|---|---|", flush=True)
    years, rows = DAYS / 365.25, []
    for side in SIDES:
        area, (seconds, peak) = (side * 0.32) ** 2, measured(side)
        rows.append((area, seconds, peak))
        print(f"| {area:.0f} | {seconds:.1f} | {seconds / area / years:.2f} | {peak:.0f} |", flush=True)
    area, seconds, peak = (large - small for small, large in zip(*rows, strict=True))
    print(f"| + {area:.0f} | + {seconds:.1f} | {seconds / area / years:.2f} | {peak:+.0f} |")


if __name__ == "__main__":
    make_one(int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 1 else main()
