"""What the simulated world costs: processor seconds a km2 and year, and peak memory, as its area grows.

python benchmarks/world.py
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vadose.world import WorldConfig, make
from vadose.world.config import REGIONS

SIDES = (16, 32, 64)
"""Of a region, in cells of 320 m."""
PERIOD, DAYS = "2021-05-01/2021-07-31", 92


def make_one(side: int, folder: str) -> None:
    """Make a world of one region, and print what it cost."""
    region = REGIONS[0].model_copy(update={"side_cells": side, "sensors": 4})
    begun = time.process_time()
    make(WorldConfig(regions=(region,), period=PERIOD, model_hours=24, radiometer_km=(36,)), Path(folder) / "world")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"side": side, "seconds": time.process_time() - begun, "peak_mb": peak}))


def main() -> None:
    """Make worlds of growing area, each in a process of its own."""
    print("| km² | processor s | s a km²·year | peak MB |\n|---|---|---|---|")
    for side in SIDES:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, str(side), folder]
            told = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            )
        area = (side * 0.32) ** 2
        cost = told["seconds"] / area / (DAYS / 365.25)
        print(f"| {area:.0f} | {told['seconds']:.1f} | {cost:.2f} | {told['peak_mb']:.0f} |")


if __name__ == "__main__":
    make_one(int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 1 else main()
