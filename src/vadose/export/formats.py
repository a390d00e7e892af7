"""Trained networks as ONNX or as a torch.export program, verified against the networks."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from vadose.errors import VadoseError
from vadose.export.module import OUTPUTS, ExportModule
from vadose.grid import PIXELS_PER_CELL
from vadose.io import files
from vadose.registry import PREDICTORS

Format = Literal["onnx", "pt2"]
Inputs = tuple[Tensor, ...]
Graph = Callable[[Inputs], Inputs]
SAME = 1e-5
"""Largest difference between a written graph and the networks, m3 m-3."""
TRACED, TRIED = (2, 3, 4), (3, 2, 5)
"""Batch, y and x of the tracing inputs, and of the test inputs."""
PROGRAMS: dict[Format, tuple[str, ...]] = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "pt2": ()}
"""Packages required besides PyTorch."""


def format_of(name: str) -> Format:
    """Return the format of a name.

    Raises:
        VadoseError: the format is unknown, or its packages are not installed.
    """
    for known in get_args(Format):
        if known == name:
            missing = [program for program in PROGRAMS[known] if find_spec(program) is None]
            if missing:
                raise VadoseError(
                    f"export: format {name}", f"Not installed: {', '.join(missing)}", "Install vadose[onnx]"
                )
            return known  # type: ignore[no-any-return]
    raise VadoseError(f"export: format {name}", f"Known are {', '.join(get_args(Format))}", "Choose one of these")


def write_graph(released: ExportModule, path: Path, form: Format) -> float:
    """Write a graph with dynamic batch, y and x; it is read again and tested on random values before it is kept.

    Args:
        released: the networks.
        path: path of the file.
        form: form of the file.

    Returns:
        The largest difference found between the graph and the networks, m3 m-3.

    Raises:
        VadoseError: they differ by more than 1e-5 m3 m-3.
    """
    with files.atomic_write(path) as temporary:
        with _quietly():
            program = _program(released)
            graph = _onnx(program, released, temporary) if form == "onnx" else _pt2(program, temporary)
        found = _difference(released, graph, TRIED)
        if not found <= SAME:
            raise VadoseError(
                f"export: {path.name} that agrees with the networks to {SAME:g} m3 m-3",
                f"They differ by {found:g}",
                "Choose the other format, and report this as a fault",
            )
    return found


def examples(released: ExportModule, size: tuple[int, int, int], seed: int = 0) -> Inputs:
    """Return random inputs within the physical range of each variable; every fifth value is missing.

    Args:
        released: the networks.
        size: batch, y and x.
        seed: seed of the values.
    """
    generator, needs = torch.Generator().manual_seed(seed), released.needs
    batch, *cells = size
    pixels = (PIXELS_PER_CELL * (side + 2 * needs.halo) for side in cells)
    lengths = dict(zip(("batch", "y", "x", "pixel_y", "pixel_x"), (batch, *cells, *pixels), strict=True))
    names = {"pixels": needs.pixels, "cells": needs.cells, "history": needs.history.variables}
    inputs = []
    for name, axes in released.inputs.items():
        values = torch.rand([axis if isinstance(axis, int) else lengths[axis] for axis in axes], generator=generator)
        if name in names:
            ranges = torch.tensor([PREDICTORS[variable].valid_range for variable in names[name]])
            low, high = (end.reshape(-1, 1, 1) for end in ranges.T)
            lost = torch.rand(values.shape, generator=generator) < 0.2
            inputs.append((low + values * (high - low)).masked_fill(lost, torch.nan))
        else:
            inputs.append(1 + 365 * values)
    return tuple(inputs)


def _program(released: ExportModule) -> ExportedProgram:
    y, x = Dim("y"), Dim("x")
    edge = 2 * released.needs.halo * PIXELS_PER_CELL
    free = {"batch": Dim("batch"), "y": y, "x": x}
    free |= {"pixel_y": PIXELS_PER_CELL * y + edge, "pixel_x": PIXELS_PER_CELL * x + edge}
    shapes = [{n: free[axis] for n, axis in enumerate(axes) if axis in free} for axes in released.inputs.values()]
    with torch.no_grad():
        program = torch.export.export(released, examples(released, TRACED), dynamic_shapes=(tuple(shapes),))
    program.graph.eliminate_dead_code()  # torch.export.load fails on a node without results
    program.graph_module.recompile()
    return program


def _pt2(program: ExportedProgram, path: Path) -> Graph:
    memory = io.BytesIO()  # the writer of PyTorch ends the process when a disk is full
    torch.export.save(program, memory)
    path.write_bytes(memory.getbuffer())
    module = torch.export.load(path).module()
    return lambda inputs: module(*inputs)


def _onnx(program: ExportedProgram, released: ExportModule, path: Path) -> Graph:
    written = torch.onnx.export(
        program, (), input_names=list(released.inputs), output_names=list(OUTPUTS), verbose=False
    )
    written.save(path)  # type: ignore[union-attr]
    session = import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def graph(inputs: Inputs) -> Inputs:
        named: dict[str, Any] = {name: part.numpy() for name, part in zip(released.inputs, inputs, strict=True)}
        return tuple(map(torch.from_numpy, session.run(list(OUTPUTS), named)))

    return graph


@torch.no_grad()
def _difference(released: ExportModule, graph: Graph, size: tuple[int, int, int]) -> float:
    inputs = examples(released, size, seed=1)
    pairs = zip(released(*inputs), graph(inputs), strict=True)
    apart = [torch.where(one.isnan() & other.isnan(), 0.0, (one - other).abs()) for one, other in pairs]
    return float(torch.stack(apart).nan_to_num(torch.inf).max())


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence the messages of the exporters."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
