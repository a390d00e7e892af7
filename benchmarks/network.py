"""Samples a second of the fusion network with chips, and the share of the machine's measured convolution peak.

Usage: OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/network.py [DEVICE] [PRECISION]

The peak is the fastest of some plain convolutions of the same library in the same precision. Operations are counted by
PyTorch (a multiplication and an addition are two); a step of training counts three times the estimate. Inputs are
random numbers: the time does not depend on them. The encoder has no padding, so that a tile trains all of its cells in
one pass: cells a second, against chips in the same run. The Xception of the paper's size is a preset, for comparison.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vadose.dataset import ScalingStats
from vadose.fusion import HistorySpec, InputSpec
from vadose.grid import PIXELS_PER_CELL
from vadose.io.memory import tune_malloc
from vadose.models import ENCODERS, Batch, EncoderShape, FusionNetwork, NetworkShape
from vadose.registry import PREDICTORS
from vadose.training import TrainingConfig
from vadose.training.compute import ComputeConfig
from vadose.training.objective import Labels, negative_log_likelihood
from vadose.training.trainer import Trainer

PIXELS = ("vv", "vh", "incidence_angle", "B04", "B03", "B02", "B08", "B11", "B12", "elevation")
CELLS = ("sand", "silt", "clay", "bulk_density", "smap", "gldas")
PAST = HistorySpec(("smap", "gldas"), 30, 1.0)
PEAKS = ((16, 64, 128), (8, 128, 64), (8, 256, 32), (4, 512, 32))
"""Batch, channels and side of the convolutions of 3 x 3 that are tried for the peak."""
SECONDS = 4.0
TILE = 32
"""Cells along each side of a tile."""


def seconds(run: Callable[[], object], device: str) -> float:
    """Median time of a run, s, the first left out."""
    found: list[float] = []
    begun = time.perf_counter()
    while len(found) < 4 or time.perf_counter() - begun < SECONDS:
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return float(np.median(found[1:]))


def peak(device: str, dtype: torch.dtype) -> float:
    """Operations a second of the fastest convolution."""
    rates = []
    for batch, channels, side in PEAKS:
        layer = nn.Conv2d(channels, channels, 3).to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        image = torch.randn(batch, channels, side, side, device=device, dtype=dtype)
        image = image.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            took = seconds(lambda layer=layer, image=image: layer(image), device)  # type: ignore[misc]
        rates.append(2 * batch * (side - 2) ** 2 * channels**2 * 9 / took)
    return max(rates)


def network_of(shape: EncoderShape) -> FusionNetwork:
    names = (*PIXELS, *CELLS, "soil_moisture")
    middle = {name: 0.2 if name not in PREDICTORS else sum(PREDICTORS[name].valid_range) / 2 for name in names}
    needs = InputSpec(PIXELS, CELLS, PAST, shape.halo)
    network = FusionNetwork(needs, NetworkShape(shape), ScalingStats(middle, dict.fromkeys(names, 1.0)))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def inputs(needs: InputSpec, count: int, cells: int = 1) -> Batch:
    """Chips, or tiles of several cells along each side."""
    side = (cells + 2 * needs.halo) * PIXELS_PER_CELL
    return Batch(
        torch.rand(count, len(PIXELS), side, side),
        torch.rand(count, len(CELLS), cells, cells),
        torch.rand(count, PAST.steps, len(PAST.variables), cells, cells),
        torch.full((count,), 100.0),
    )


def operations(network: FusionNetwork) -> float:
    """Of one chip."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network.eval()(inputs(network.needs, 1))
    return float(counter.get_total_flops())


def truth_of(count: int) -> Labels:
    number = torch.arange(count)
    return Labels(torch.rand(count), number // 8, torch.ones(count), number % 8 * 10.0, number)


def measured(name: str, shape: EncoderShape, machine: ComputeConfig, best: float, count: int) -> None:
    network, device = network_of(shape), machine.kind
    work = operations(network)
    batch, truth = inputs(network.needs, count).to(torch.device(device)), truth_of(count)
    student = Trainer(machine.fabric(), network, TrainingConfig(batch_size=count, epochs=1000), machine)
    learning = count / seconds(lambda: student.train_epoch([(batch, truth)], 0, count), device)
    speaking = count / seconds(lambda: _told(network, batch, machine), device)
    parts = (
        f"{rate:9.1f} a second, {rate * cost / best:4.0%}" for rate, cost in ((speaking, work), (learning, 3 * work))
    )
    print(f"{name:12s}{work / 1e9:7.3f} GFLOP a chip   estimates {next(parts)}   training {next(parts)}", flush=True)
    whole = inputs(network.needs, 1, TILE).to(torch.device(device))
    dense = TILE**2 / seconds(_dense_step(network, whole, machine), device)
    rate = f"{dense:9.1f} a second, {dense / learning:.1f} x chips"
    print(f"{'':12s}a tile of {TILE} x {TILE} cells: training {rate}", flush=True)


def _dense_step(network: FusionNetwork, whole: Batch, machine: ComputeConfig) -> Callable[[], None]:
    """Return a step of training in which every cell of a tile has a label."""
    optimizer = torch.optim.AdamW(network.train().parameters())
    label = torch.rand(1, TILE, TILE, device=whole.cells.device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with _precision(machine):
            mean, std = network(whole)
        negative_log_likelihood(mean.float(), std.float(), label).backward()
        optimizer.step()

    return step


def _precision(machine: ComputeConfig) -> torch.autocast:
    kinds = {"32": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    return torch.autocast(machine.kind, kinds[machine.precision], enabled=machine.precision != "32")


@torch.inference_mode()
def _told(network: FusionNetwork, batch: Batch, machine: ComputeConfig) -> Tensor:
    with _precision(machine):
        return network.eval()(batch)[0]  # type: ignore[no-any-return]


def main() -> None:
    tune_malloc()
    device, precision = [*sys.argv[1:], *("cpu", "32")[len(sys.argv) - 1 :]]
    machine = ComputeConfig.asked(device, 1, precision, 1, False, False)
    dtype = torch.float32 if precision == "32" else torch.bfloat16
    best = peak(machine.kind, dtype)
    print(f"{machine.kind}, {precision}, {torch.get_num_threads()} threads: convolution peak {best / 1e9:.0f} GFLOP/s")
    for name, shape in ENCODERS.items():
        measured(name, shape, machine, best, 16 if machine.kind == "cpu" else 256)


if __name__ == "__main__":
    main()
