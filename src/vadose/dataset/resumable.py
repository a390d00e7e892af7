"""Staging folder of a store: samples are built sensor by sensor, and an interrupted build resumes from it."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vadose.dataset.layout import needs_from
from vadose.dataset.packing import packing_of
from vadose.dataset.rejections import RejectionCounts
from vadose.dataset.writer import Samples
from vadose.errors import VadoseError
from vadose.fusion import InputSpec
from vadose.io.atomic import sweep
from vadose.io.files import atomic_write, metadata, read_json, write_json
from vadose.sources.left_out import LeftOut

PLAN, REPORT, UNREAD = "plan.json", "report.json", "unread.json"


@dataclass(frozen=True, eq=False)
class SampleChunk:
    """Some samples of a sensor.

    Attributes:
        samples: samples of the arrays named by `holds`.
        holds: contents of each sample.
        items: identifiers of their inputs.
    """

    samples: Samples
    holds: InputSpec
    items: frozenset[str]


@dataclass(frozen=True)
class ResumableBuild:
    """A folder beside the store, with a folder for each finished sensor."""

    folder: Path

    @classmethod
    def open(cls, store: Path, plan: Mapping[str, Any]) -> "ResumableBuild":
        """Start to build a store, or resume an interrupted build.

        Args:
            store: its path.
            plan: everything that determines the samples.

        Raises:
            VadoseError: another build was interrupted there.
        """
        staging = cls(store.with_name(f"{store.name}.building"))
        asked = json.loads(json.dumps(metadata("samples being built", plan), default=str))
        try:
            begun = read_json(staging.folder / PLAN, nan=True)
        except (OSError, ValueError):
            shutil.rmtree(staging.folder, ignore_errors=True)
            write_json(staging.folder / PLAN, asked)
            return staging
        if begun != asked:
            raise VadoseError(
                f"samples: a store at {store}",
                f"{staging.folder} contains the parts of another build that was interrupted",
                f"Finish that one with its own configuration, or remove {staging.folder}",
            )
        sweep(staging.folder)
        return staging

    def has(self, number: int) -> bool:
        """Return whether a sensor is finished."""
        return self._of(number).exists()

    def put(
        self,
        number: int,
        parts: Iterator[SampleChunk],
        dropped: Mapping[str, int] | RejectionCounts,
        unread: Callable[[], Sequence[LeftOut]] = tuple,
    ) -> None:
        """Write the samples of a sensor atomically.

        Args:
            number: number of the sensor.
            parts: parts of its samples.
            dropped: rejections; read after the parts.
            unread: unread files of the archive; read after the parts.
        """
        with atomic_write(self._of(number)) as folder:
            folder.mkdir()
            for place, part in enumerate(parts):
                _write(folder / str(place), part)
            counts = dict(dropped.counts) if isinstance(dropped, RejectionCounts) else dict(dropped)
            write_json(folder / REPORT, counts)
            write_json(folder / UNREAD, {"unread": [asdict(entry) for entry in unread()]})

    def parts(self, number: int) -> Iterator[SampleChunk]:
        """Yield the samples of a finished sensor."""
        folders = sorted(
            (path for path in self._of(number).iterdir() if path.is_dir()), key=lambda path: int(path.name)
        )
        return map(_read, folders)

    def dropped(self, number: int) -> RejectionCounts:
        """Return the rejections of a sensor."""
        return RejectionCounts.of(read_json(self._of(number) / REPORT))

    def unread(self, number: int) -> tuple[LeftOut, ...]:
        """Return the files of the archive that were unread when a sensor was finished."""
        path = self._of(number) / UNREAD
        return tuple(LeftOut(**entry) for entry in read_json(path)["unread"]) if path.exists() else ()

    def remove(self) -> None:
        """Remove the folder once the store is complete.

        The plan is removed first, so that a partly removed folder is not resumed.
        """
        (self.folder / PLAN).unlink(missing_ok=True)
        shutil.rmtree(self.folder)

    def _of(self, number: int) -> Path:
        return self.folder / f"sensor-{number:06d}"


def _write(folder: Path, part: SampleChunk) -> None:
    folder.mkdir()
    samples = part.samples
    samples.index.to_parquet(folder / "index.parquet")
    arrays: dict[str, Any] = {"cells": samples.cells, "history": samples.history}
    if samples.pixels is not None:
        channels = zip(part.holds.pixels, np.moveaxis(samples.pixels, 1, 0), strict=True)
        arrays |= {f"pixels {name}": packing_of(name).pack(chips) for name, chips in channels}
    np.savez_compressed(folder / "arrays.npz", **arrays)
    write_json(folder / "part.json", {"needs": asdict(part.holds), "items": sorted(part.items)})


def _read(folder: Path) -> SampleChunk:
    content = read_json(folder / "part.json", nan=True)
    holds = needs_from(content["needs"])
    with np.load(folder / "arrays.npz") as arrays:
        chips = [packing_of(name).unpack(arrays[f"pixels {name}"]) for name in holds.pixels]
        pixels = np.stack(chips, axis=1) if chips else None
        samples = Samples(pd.read_parquet(folder / "index.parquet"), arrays["cells"], arrays["history"], pixels)
    return SampleChunk(samples, holds, frozenset(content["items"]))
