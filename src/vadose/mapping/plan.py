"""Plan of a map: inputs, times and tiles, by value, in a file of its folder."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from vadose.errors import VadoseError
from vadose.experiment.kind_weights import WEIGHTS
from vadose.experiment.run import CALIBRATION, Run
from vadose.grid import AreaOfInterest, Tile
from vadose.io import files
from vadose.mapping.request import MapRequest
from vadose.mapping.tile_files import Task

NAME = "plan.json"
MOMENTS_A_TASK = 16
"""Times of a tile that are estimated together, so that common inputs are read once."""
_SHOWN = 3
_REMEDY = "Remove the folder and map again"


@dataclass(frozen=True)
class Plan:
    """Everything about a map that is known before it is made.

    Attributes:
        area: area to be mapped.
        moments: times of the map, UTC, in order.
        tiles: cover the area, with the halo that the networks need.
        made_from: provenance: run, checkpoints and their checksums, archive, items.
    """

    area: AreaOfInterest
    moments: tuple[np.datetime64, ...]
    tiles: tuple[Tile, ...]
    made_from: Mapping[str, Any]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return the tasks: every tile at every span of times."""
        spans = range(0, len(self.moments), MOMENTS_A_TASK)
        return tuple(
            Task(tile, self.moments[first : first + MOMENTS_A_TASK], first) for tile in self.tiles for first in spans
        )

    @property
    def content(self) -> dict[str, Any]:
        """Return the content of the plan file."""
        made_from = dict(self.made_from) | {
            "area": {"name": self.area.name, "wkt": shapely.to_wkt(self.area.geometry, rounding_precision=-1)},
            "moments": [f"{np.datetime_as_string(moment, 's')}Z" for moment in self.moments],
            "tiles": [list(asdict(tile).values()) for tile in self.tiles],
        }
        content: dict[str, Any] = json.loads(json.dumps(files.metadata("map plan", made_from), default=str))
        return content

    @property
    def digest(self) -> str:
        """Return the checksum of the content."""
        return _digest(self.content)

    def changed_since(self, folder: Path) -> list[str]:
        """Return the differences from the plan of a folder, one line each.

        Raises:
            VadoseError: the plan of the folder is missing or unreadable.
        """
        return _differences(_read(folder / NAME), self.content)

    def write_or_verify(self, folder: Path) -> None:
        """Write the plan into a folder, or verify the existing one.

        Raises:
            VadoseError: the folder contains the plan of another map; all differences are named.
        """
        path = folder / NAME
        if not path.exists():
            files.write_json(path, self.content)
            return
        changed = self.changed_since(folder)
        if changed:
            raise VadoseError(
                f"map: {folder}",
                f"It contains a map of another plan: {'; '.join(changed)}",
                "Give another --out, or remove the folder",
            )


def made_from(request: MapRequest, run: Run, items: Sequence[str], as_of: np.datetime64 | None) -> dict[str, Any]:
    """Return the provenance of a map, besides area, times and tiles: by value where it may change."""
    return {
        "run": str(run.folder.absolute()),
        "archive": str(request.archive.absolute()),
        "as_of": None if as_of is None else f"{np.datetime_as_string(as_of, 's')}Z",
        "checkpoints": {str(path.relative_to(run.folder)): _checksum(path) for path in run.networks()},
        "calibration": _checksum(run.folder / CALIBRATION),
        **({"weights": _checksum(run.folder / WEIGHTS)} if (run.folder / WEIGHTS).exists() else {}),
        "items": list(items),
    }


def digest_in(folder: Path) -> str | None:
    """Return the checksum of the plan of a map; None if there is no map.

    Raises:
        VadoseError: the plan is unreadable.
    """
    path = folder / NAME
    return _digest(files.read_json(path, f"map: the plan {path}", _REMEDY)) if path.is_file() else None


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _checksum(path: Path) -> str | None:
    """Return the checksum of a file, or of a folder of files with their names; None if missing."""
    if not path.exists():
        return None
    if path.is_file():
        return files.sha256(path)
    parts = [f"{part.name} {files.sha256(part)}" for part in sorted(path.iterdir()) if part.is_file()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    asked = f"map: the plan {path}"
    content = files.read_json(path, asked, _REMEDY)
    try:
        return {"vadose_version": content["vadose_version"], "made_from": dict(content["made_from"])}
    except (ValueError, KeyError, TypeError) as error:
        raise VadoseError(asked, f"It is not the plan of a map ({type(error).__name__}: {error})", _REMEDY) from error


def _differences(held: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Return the differences, one line each."""
    found = []
    if held["vadose_version"] != asked["vadose_version"]:
        found.append(f"vadose {held['vadose_version']}, now {asked['vadose_version']}")
    before, now = held["made_from"], asked["made_from"]
    for key in sorted({*before, *now}):
        one, other = before.get(key), now.get(key)
        if one != other:
            found.append(f"{key}: {_change(one, other)}")
    return found


def _change(one: Any, other: Any) -> str:
    if isinstance(one, list) and isinstance(other, list):
        was, is_now = ({json.dumps(part) for part in parts} for parts in (one, other))
        return f"{_some(was - is_now, 'removed')}, {_some(is_now - was, 'added')}"
    if isinstance(one, dict) and isinstance(other, dict):
        return ", ".join(sorted(key for key in {*one, *other} if one.get(key) != other.get(key)))
    return f"{one}, now {other}"


def _some(parts: set[str], what: str) -> str:
    shown = sorted(parts)[:_SHOWN]
    return f"{len(parts)} {what} ({', '.join(shown)})" if shown else f"none {what}"
