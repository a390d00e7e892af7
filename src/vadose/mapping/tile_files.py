"""Files of finished tiles: arrays of one tile at some times, and a record with their checksum."""

import io
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vadose.grid import Tile
from vadose.inference import TileEstimate
from vadose.io.files import atomic_write, parse_json, read_json, sha256, write_json

FOLDER = "tiles"
_AGE = "age_"


@dataclass(frozen=True)
class Task:
    """A tile at some times: one task of a worker.

    Attributes:
        tile: cells, with the halo.
        moments: times of the map, UTC, in order.
        first: index of the first of them among all times of the map.
    """

    tile: Tile
    moments: tuple[np.datetime64, ...]
    first: int

    @property
    def name(self) -> str:
        """Return the name of its files."""
        return f"{self.tile.name}_{self.first:05d}"

    def __str__(self) -> str:
        days = sorted({str(np.datetime_as_string(moment, "D")) for moment in (self.moments[0], self.moments[-1])})
        return f"{self.tile}, {'..'.join(days)}"


@dataclass(frozen=True)
class TaskRecord:
    """Record of a finished task, without its arrays.

    Attributes:
        sha256: of the file of arrays.
        seconds: duration of the task.
        peak_mb: peak memory of its process until then.
    """

    sha256: str
    seconds: float
    peak_mb: float


@dataclass(frozen=True, eq=False)
class TaskResult:
    """Estimates of a task.

    Attributes:
        estimates: one per time.
        items: identifiers of the inputs of each.
    """

    estimates: tuple[TileEstimate, ...]
    items: tuple[tuple[str, ...], ...]


def write(folder: Path, task: Task, finished: TaskResult, seconds: float, peak_mb: float) -> TaskRecord:
    """Write the arrays of a task, then its record, each atomically.

    Raises:
        OSError: writing failed, for example on a full disk.
    """
    path = arrays_of(folder, task)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(_encoded(finished))
        file.flush()
        os.fsync(file.fileno())
    receipt = TaskRecord(sha256(path), seconds, peak_mb)
    write_json(task_record_of(folder, task), asdict(receipt))
    return receipt


def finished(folder: Path, task: Task) -> TaskRecord | None:
    """Return the record of a task with intact arrays; None if they are missing or changed."""
    try:
        receipt = TaskRecord(**read_json(task_record_of(folder, task)))
        return receipt if sha256(arrays_of(folder, task)) == receipt.sha256 else None
    except (OSError, ValueError, TypeError):
        return None


def read(folder: Path, task: Task, number: int) -> tuple[TileEstimate, tuple[str, ...]]:
    """Return the estimate of a finished task at one of its times, and its inputs."""
    with np.load(arrays_of(folder, task)) as held:
        layers = {name: held[name][number] for name in held.files if name != "items"}
        items = parse_json(held["items"].tobytes(), f"map: the items of {arrays_of(folder, task)}")[number]
    ages = {name.removeprefix(_AGE): layers[name] for name in layers if name.startswith(_AGE)}
    estimate = TileEstimate(task.tile, layers["mean"], layers["std"], layers["quality"], ages)
    return estimate, tuple(items)


def arrays_of(folder: Path, task: Task) -> Path:
    """Return the path of the arrays of a task."""
    return folder / FOLDER / f"{task.name}.npz"


def task_record_of(folder: Path, task: Task) -> Path:
    """Return the path of the record of a task."""
    return folder / FOLDER / f"{task.name}.json"


def _encoded(finished: TaskResult) -> bytes:
    estimates = finished.estimates
    layers: dict[str, Any] = {
        name: np.stack([getattr(estimate, name) for estimate in estimates]) for name in ("mean", "std", "quality")
    }
    layers |= {_AGE + source: np.stack([one.ages[source] for one in estimates]) for source in estimates[0].ages}
    layers["items"] = np.frombuffer(json.dumps(finished.items).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **layers)
    return buffer.getvalue()
