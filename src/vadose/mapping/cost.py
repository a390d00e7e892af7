"""Cost estimate of a map before it is made."""

import math
import time
from collections import Counter
from dataclasses import dataclass

from vadose.io.memory import peak_mb
from vadose.mapping import tile_files
from vadose.mapping.executors import Executor
from vadose.mapping.make import Prepared, prepare
from vadose.mapping.request import MapRequest
from vadose.mapping.tasks import estimate_times
from vadose.mapping.tile_files import Task, TaskRecord

_MB = 1e6


@dataclass(frozen=True)
class CostEstimate:
    """Remaining work of a map, with its inputs, time and memory.

    Attributes:
        tiles, moments, tasks: numbers of the whole map; a task is a tile at some times.
        cells: of 320 m in the tiles, at one time.
        left: number of unfinished tasks.
        bytes_by_source: sizes of the input files, each once.
        seconds: estimated duration of the unfinished tasks.
        memory_mb: memory of each process, MB.
        measured: task from which time and memory are estimated.
        inputs: differences between the archive and the training samples, one line each.
    """

    tiles: int
    moments: int
    tasks: int
    cells: int
    left: int
    bytes_by_source: dict[str, int]
    seconds: float
    memory_mb: float
    measured: str
    inputs: tuple[str, ...] = ()

    def __str__(self) -> str:
        read = ", ".join(f"{source} {size / _MB:,.1f} MB" for source, size in self.bytes_by_source.items())
        total = sum(self.bytes_by_source.values()) / _MB
        return "\n".join(
            (
                f"Tiles     {self.tiles:,} with {self.cells:,} cells, {self.moments:,} times, {self.tasks:,} tasks, "
                f"{self.left:,} of them unfinished",
                f"To read   {total:,.1f} MB ({read})",
                f"Time      about {_span(self.seconds)}",
                f"Memory    about {self.memory_mb:,.0f} MB per process",
                f"Measured  {self.measured}",
                *(f"Inputs    {line}" for line in self.inputs),
            )
        )


def estimate_cost(request: MapRequest, executor: Executor) -> CostEstimate:
    """Return the cost estimate of a map; nothing is written.

    Time and memory come from the finished tasks in the folder, if there are any; otherwise one tile in the middle of
    the map is estimated at one time, and its result is discarded.

    Raises:
        VadoseError: as `make_map`, for what is known in advance.
    """
    prepared = prepare(request)
    plan = prepared.plan
    tasks = plan.tasks
    records = {task: tile_files.finished(request.out, task) for task in tasks}
    done = {task: record for task, record in records.items() if record is not None}
    left = [task for task in tasks if task not in done]
    seconds_a_cell, memory_mb, measured = _of_finished(done) if done else _of_one_tile(prepared)
    work = seconds_a_cell * sum(map(_size, left)) / executor.workers
    sizes = Counter[str]()
    for file in prepared.held:
        sizes[file.source] += file.size
    return CostEstimate(
        tiles=len(plan.tiles),
        moments=len(plan.moments),
        tasks=len(tasks),
        cells=sum(tile.columns * tile.rows for tile in plan.tiles),
        left=len(left),
        bytes_by_source=dict(sizes),
        seconds=work,
        memory_mb=memory_mb,
        measured=f"{measured}; {executor.workers} workers",
        inputs=prepared.inputs,
    )


def _of_finished(done: dict[Task, TaskRecord]) -> tuple[float, float, str]:
    seconds = sum(record.seconds for record in done.values()) / sum(map(_size, done))
    return seconds, max(record.peak_mb for record in done.values()), f"{len(done)} finished tasks"


def _of_one_tile(prepared: Prepared) -> tuple[float, float, str]:
    plan = prepared.plan
    task = Task(plan.tiles[len(plan.tiles) // 2], plan.moments[-1:], 0)
    begun = time.perf_counter()
    estimate_times(prepared.tools, task.tile, task.moments, prepared.spec.as_of)
    seconds = (time.perf_counter() - begun) / _size(task)
    return seconds, peak_mb(), f"{task}, now"


def _size(task: Task) -> int:
    return task.tile.columns * task.tile.rows * len(task.moments)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{math.ceil(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
