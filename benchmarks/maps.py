"""What a map costs: by area, by workers, against cell by cell, and as a share of the peak of convolution.

python benchmarks/maps.py RUN ARCHIVE LON LAT DATE [--sides 10 25 50 100] [--schedulers threads processes]

ARCHIVE holds products over a square around LON, LAT that is as large as the largest side; benchmarks/README.md tells
how such a world is made. Every map is made by the command in a process of its own, without pictures.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from network import peak
from vadose.dataset import ScalingStats
from vadose.experiment import Experiment
from vadose.fusion import build_features
from vadose.grid import CELL_M, Tile, cell_centres, tile_around, to_lonlat
from vadose.inference import estimate_tile
from vadose.io.memory import tune_malloc
from vadose.mapping import MapRequest
from vadose.mapping.make import Prepared, prepare
from vadose.mapping.request import TILE_CELLS
from vadose.models import Batch, EncoderShape, FusionNetwork, NetworkShape

CHIPS = 24
"""Cells that are estimated one by one."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | ONE_THREAD
BANDS = ["vv", "vh", "incidence_angle", "B04", "B03", "B02", "B08", "B11", "B12", "elevation"]


@dataclass(frozen=True)
class Asked:
    """Where and when maps are made."""

    run: Path
    archive: Path
    lon: float
    lat: float
    date: str

    @classmethod
    def arguments(cls) -> argparse.ArgumentParser:
        """Return a parser of these arguments, for more of them."""
        parser = argparse.ArgumentParser()
        parser.add_argument("run", type=Path)
        parser.add_argument("archive", type=Path)
        parser.add_argument("lon", type=float)
        parser.add_argument("lat", type=float)
        parser.add_argument("date")
        return parser

    @classmethod
    def of(cls, told: argparse.Namespace) -> "Asked":
        """Return what was asked for."""
        return cls(told.run, told.archive, told.lon, told.lat, told.date)

    def tile(self, side_km: float) -> Tile:
        """Return a square of cells around the middle."""
        cells = round(side_km * 1000 / CELL_M)
        middle = tile_around(self.lon, self.lat, 0)
        return Tile(middle.epsg, middle.west - cells // 2, middle.north + cells // 2, cells, cells)

    def request(self, side_km: float, out: Path) -> MapRequest:
        """Return a map of a square, by its outline."""
        outline = out.with_suffix(".geojson")
        box = self.tile(side_km).cells.boundingbox
        corners = [(box.left, box.bottom), (box.right, box.bottom), (box.right, box.top), (box.left, box.top)]
        ring = [list(to_lonlat(self.tile(1).epsg).transform(*corner)) for corner in (*corners, corners[0])]
        outline.write_text(f'{{"type": "Polygon", "coordinates": [{ring}]}}')
        return MapRequest(self.run, self.archive, str(outline), self.date, out, pictures=False)


@dataclass(frozen=True)
class Spent:
    """What a command took: seconds of wall and processor, and the most memory of one of its processes."""

    cells: int
    wall: float
    processor: float
    peak_mb: float


def mapped(asked: Asked, side_km: float, *options: str) -> Spent:
    with tempfile.TemporaryDirectory() as folder:
        request = asked.request(side_km, Path(folder) / "map")
        command = [
            Path(sys.executable).with_name("vadose"),
            "map",
            request.run,
            request.archive,
            "--area",
            request.area,
        ]
        command += ["--date", request.date, "--out", request.out, "--no-pictures", *options]
        begun, quiet = time.perf_counter(), {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([*map(str, command)], env=ENVIRONMENT, **quiet)
        ended, peak = 0, 0.0
        while not ended:
            peak = max(peak, _peak_mb(process.pid))
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            time.sleep(0.05)
        wall = time.perf_counter() - begun
    if status:
        raise SystemExit(f"the map of {side_km:g} km ended with status {status}")
    tile = asked.tile(side_km)
    return Spent(tile.columns * tile.rows, wall, usage.ru_utime + usage.ru_stime, peak)


def _peak_mb(pid: int) -> float:
    """Most memory that a process has held; the kernel's figure at its end would hold that of this process too."""
    told = Path(f"/proc/{pid}/status").read_text()
    held = [line.split()[1] for line in told.splitlines() if line.startswith("VmHWM")]
    return int(held[0]) / 1024 if held else 0.0


def by_area(asked: Asked, sides: list[float]) -> dict[float, Spent]:
    print(
        "| side km | cells | wall s | processor s | cells/s of wall | peak MB |\n|---|---|---|---|---|---|", flush=True
    )
    told = {}
    for side in sides:
        told[side] = one = mapped(asked, side, "--workers", "1")
        print(
            f"| {side:g} | {one.cells} | {one.wall:.1f} | {one.processor:.1f} | {one.cells / one.wall:.0f} "
            f"| {one.peak_mb:.0f} |",
            flush=True,
        )
    least, *others = told.values()
    more = np.log([(one.cells - least.cells, one.processor - least.processor) for one in others])
    if len(others) > 1:
        slope = np.polyfit(*more.T, 1)[0]
        print(f"log-log slope of processor time with area, both beyond those of the least map: {slope:.3f}")
    print(f"peak memory, largest to least: {list(told.values())[-1].peak_mb / next(iter(told.values())).peak_mb:.2f}")
    return told


def by_workers(asked: Asked, side: float, schedulers: list[str]) -> None:
    for scheduler in schedulers:
        one, two = (mapped(asked, side, "--scheduler", scheduler, "--workers", str(n)).wall for n in (1, 2))
        print(f"{scheduler}, {side:g} km: 1 worker {one:.1f} s, 2 workers {two:.1f} s: {one / two:.2f} x", flush=True)


def chip_by_chip(prepared: Prepared, date: np.datetime64, whole: Spent) -> None:
    """Cells per second of the road by chips: each cell's inputs read and estimated alone."""
    tools, tile = prepared.tools, prepared.plan.tiles[len(prepared.plan.tiles) // 2]
    needs = tools.models[0].needs
    lon, lat = (values.ravel() for values in cell_centres(tile))
    chosen = np.random.default_rng(0).choice(lon.size, CHIPS + 1, replace=False)
    for number, cell in enumerate(chosen):
        if number == 1:
            begun = time.perf_counter()
        chip = tile_around(lon[cell], lat[cell], needs.halo)
        estimate_tile(tools.models, build_features(tools.sources, chip, date, needs, tools.windows), tools.calibration)
    speed, command = CHIPS / (time.perf_counter() - begun), whole.cells / whole.wall
    print(
        f"whole road: {speed:.2f} cells/s by chips, {command:.0f} by the command: {command / speed:.0f} x", flush=True
    )
    networks = [model for model in tools.models if isinstance(model, FusionNetwork)]
    work = len(networks) * operations_a_cell(networks[0], TILE_CELLS)
    best = peak("cpu", torch.float32)
    print(
        f"{len(networks)} networks of {work / len(networks) / 1e6:.2f} MFLOP a cell: the command reaches "
        f"{command * work / best:.2%} of the peak of convolution, {best / 1e9:.0f} GFLOP/s",
        flush=True,
    )


def operations_a_cell(network: FusionNetwork, cells: int) -> float:
    """Of a tile, by the count of PyTorch: a multiplication and an addition are two."""
    needs, side = network.needs, (cells + 2 * network.needs.halo) * 32
    past = torch.rand(1, needs.history.steps, len(needs.history.variables), cells, cells)
    pixels, inner = torch.rand(1, len(needs.pixels), side, side), torch.rand(1, len(needs.cells), cells, cells)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network.eval()(Batch(pixels, inner, past, torch.full((1,), 100.0)))
    return float(counter.get_total_flops()) / cells**2


def network_alone(cells_a_side: int = TILE_CELLS) -> None:
    """Cells per second of the default network with pixels: chips one by one, 32 chips a batch, and a tile."""
    content = {
        "name": "speed",
        "samples": {"table": "-", "columns": "-"},
        "needs": {"pixels": BANDS},
        "split": {"folds": 2},
    }
    needs = Experiment.model_validate(content).network_needs
    names = (*BANDS, "soil_moisture")
    shape = NetworkShape(EncoderShape())
    network = FusionNetwork(needs, shape, ScalingStats(dict.fromkeys(names, 0.2), dict.fromkeys(names, 0.1))).eval()
    chip = 2 * needs.halo + 1
    speeds = {
        "chips, batch 1": _speed(network, needs.halo, 1, 1),
        "chips, batch 32": _speed(network, needs.halo, 32, 1),
        f"tile of {cells_a_side} x {cells_a_side}": _speed(network, needs.halo, 1, cells_a_side),
    }
    one, batched, tile = speeds.values()
    for name, speed in speeds.items():
        print(f"network alone, {name} (chip of {chip} x {chip} cells): {speed:.1f} cells/s")
    print(
        f"network alone: tile {tile / one:.0f} x chips of batch 1, {tile / batched:.0f} x chips of batch 32", flush=True
    )
    work, best = operations_a_cell(network, cells_a_side), peak("cpu", torch.float32)
    print(f"network alone, tile: {work / 1e6:.2f} MFLOP a cell, {tile * work / best:.0%} of {best / 1e9:.0f} GFLOP/s")


def _speed(network: FusionNetwork, halo: int, batch: int, cells: int) -> float:
    side = (cells + 2 * halo) * 32
    pixels = torch.rand(batch, len(BANDS), side, side) + 0.1
    empty = torch.zeros(batch, 0, cells, cells)
    inputs = Batch(pixels, empty, empty[:, None])
    rounds, begun = 0, time.perf_counter()
    while rounds < 2 or time.perf_counter() - begun < 5:
        network.estimate(inputs)
        rounds += 1
    return rounds * batch * cells**2 / (time.perf_counter() - begun)


def main() -> None:
    parser = Asked.arguments()
    parser.add_argument("--sides", type=float, nargs="+", default=[10, 25, 50, 100])
    parser.add_argument("--schedulers", nargs="*", default=["threads", "processes"])
    told = parser.parse_args()
    asked = Asked.of(told)
    torch.set_num_threads(1)
    tune_malloc()
    network_alone()
    spent = by_area(asked, told.sides)
    by_workers(asked, told.sides[-1], told.schedulers)
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(asked.request(told.sides[0], Path(folder) / "map"))
        chip_by_chip(prepared, prepared.plan.moments[0], spent[told.sides[-1]])


if __name__ == "__main__":
    main()
