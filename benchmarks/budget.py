"""Processor time of a map by step, with what each must cost at least; and the command beside the script of a user.

python benchmarks/budget.py RUN ARCHIVE LON LAT DATE [--side 30] [--script] [--odc FOLDER]

One core. The least of decoding is the time of the same pixels at the rate of one large read of each file; that of other
steps is one pass of memory over the arrays that come in and go out. With --script, `odc_stac_means.py` reads the same
square; it needs odc-stac, from a folder if it is not installed.
"""

import functools
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from rasterio.windows import Window

from maps import ENVIRONMENT, Asked, mapped
from vadose.io.memory import tune_malloc
from vadose.mapping.make import make_map

STEPS = {
    "prepare": ("mapping.make:prepare",),
    "open": ("fusion.feature_builder:_open",),
    "decode": ("sources.raster:Raster.read",),
    "scale": ("sources.raster:Raster._physical",),
    "mask": ("sources.layers:Layers.values",),
    "transform": ("fusion.regrid:centres",),
    "gather": ("fusion.scene:_on", "fusion.scene:resample_to"),
    "composite": ("fusion.scene:Scene.on", "fusion.tile_source:latest_valid", "fusion.tile_source:PixelSource.at"),
    "cells of coarse sources": ("fusion.tile_source:CellSource.at", "fusion.tile_source:CellSeries.of"),
    "means": ("fusion.tile_source:block_mean", "fusion.feature_builder:mean_slope"),
    "history": ("fusion.tile_source:PixelSource.lags", "fusion.tile_source:CellSource.lags"),
    "cube": ("fusion.feature_builder:FeatureBuilder.at",),
    "network": ("mapping.tasks:estimate_tile",),
    "write": ("mapping.tile_files:write", "mapping.make:write_products"),
}
"""Functions of each step, module:name; the time of one within another counts for the inner one alone."""
FUSION = ("open", "decode", "scale", "mask", "transform", "gather", "composite", "cells of coarse sources", "means")
FUSION += ("history", "cube")
SIDE = 2048


@dataclass
class Budget:
    """Seconds, calls and bytes by step, and the pixels that were read of each file."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: Counter[str] = field(default_factory=Counter)
    moved: Counter[str] = field(default_factory=Counter)
    pixels: Counter[Path] = field(default_factory=Counter)
    inner: list[float] = field(default_factory=list)

    def watch(self) -> None:
        """Time the functions of all steps; those that this version does not have are left out."""
        for step, places in STEPS.items():
            for place in places:
                module, _, name = place.partition(":")
                holder = importlib.import_module(f"vadose.{module}")
                *parents, last = name.split(".")
                for parent in parents:
                    holder = getattr(holder, parent, None)
                plain = vars(holder).get(last) if holder is not None else None
                if isinstance(plain, classmethod):
                    setattr(holder, last, classmethod(self._timed(step, plain.__func__)))
                elif plain is not None:
                    setattr(holder, last, self._timed(step, plain))

    def _timed(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def timed(*given: Any, **named: Any) -> Any:
            self.inner.append(0.0)
            begun = time.process_time()
            found = work(*given, **named)
            spent = time.process_time() - begun
            self.seconds[step] += spent - self.inner.pop()
            if self.inner:
                self.inner[-1] += spent
            self.calls[step] += 1
            self.moved[step] += _bytes(given) + _bytes(found)
            if step == "decode":
                self.pixels[given[0].path] += found.size
            return found

        return timed

    def print(self, total: float) -> None:
        """Print the steps of a map that took `total` seconds."""
        rate, least = memory_rate(), sum(count * seconds_a_pixel(path) for path, count in self.pixels.items())
        print("| step | processor s | share | calls | at least s |\n|---|---|---|---|---|")
        for step in STEPS:
            floor = least if step == "decode" else self.moved[step] / rate
            row = f"| {step} | {self.seconds[step]:.2f} | {self.seconds[step] / total:.0%} | {self.calls[step]} |"
            print(row, f"{floor:.2f} |")
        rest = total - sum(self.seconds.values())
        print(f"| rest | {rest:.2f} | {rest / total:.0%} | | |\n| all | {total:.2f} | 100% | | |", flush=True)


def _bytes(values: Any) -> int:
    """Count the bytes of the arrays among some values."""
    if isinstance(values, np.ndarray):
        return values.nbytes
    if isinstance(values, dict):
        return sum(map(_bytes, values.values()))
    return sum(map(_bytes, values)) if isinstance(values, tuple | list) else 0


def memory_rate() -> float:
    """Return the bytes a second that are read and written by a copy."""
    source = np.ones(16 << 20, np.float32)
    target = np.empty_like(source)
    begun = time.process_time()
    for _ in range(8):
        np.copyto(target, source)
    return 16 * source.nbytes / (time.process_time() - begun)


def seconds_a_pixel(path: Path) -> float:
    """Return the time of a pixel in one large read, from its first block on."""
    with rasterio.open(path) as file:
        side = min(SIDE, *file.shape)
        begun = time.process_time()
        file.read(1, window=Window(0, 0, side, side))
        return (time.process_time() - begun) / side**2


def script(asked: Asked, side: float, odc: str) -> tuple[float, float]:
    """Return processor seconds of the user's script: of its work, and of its process."""
    box = asked.tile(side).cells.boundingbox
    place = [str(edge) for edge in (asked.archive, box.left, box.bottom, box.right, box.top)]
    command = [sys.executable, str(Path(__file__).with_name("odc_stac_means.py")), *place, f"{asked.date}T23:59:59"]
    paths = os.pathsep.join(filter(None, [odc, ENVIRONMENT.get("PYTHONPATH")]))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=ENVIRONMENT | {"PYTHONPATH": paths}, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout)["processor_s"], whole


def main() -> None:
    parser = Asked.arguments()
    parser.add_argument("--side", type=float, default=30, help="of the square, km")
    parser.add_argument("--script", action="store_true")
    parser.add_argument("--odc", default="", help="folder with odc-stac, if it is not installed")
    told = parser.parse_args()
    asked, budget = Asked.of(told), Budget()
    torch.set_num_threads(1)
    tune_malloc()
    budget.watch()
    with tempfile.TemporaryDirectory() as folder:
        request = asked.request(told.side, Path(folder) / "map")
        begun = time.process_time()
        make_map(request, lambda *_: None)
        total = time.process_time() - begun
    budget.print(total)
    if told.script:
        fusion = sum(budget.seconds[step] for step in FUSION)
        work, process = script(asked, told.side, told.odc)
        command = mapped(asked, told.side, "--workers", "1").processor
        print(f"fusion {fusion:.1f} s, script {work:.1f} s: {fusion / work:.2f} x")
        print(f"command {command:.1f} s, script with its imports {process:.1f} s: {command / process:.2f} x")


if __name__ == "__main__":
    main()
