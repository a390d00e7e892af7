"""Import of published shards into a sample store: streamed, resumable by shard, every rejection with its reason."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vadose.batchu2022 import calibration as read_by
from vadose.batchu2022.crop import MOST_HALO, RawChips
from vadose.batchu2022.label_match import LabelMatcher
from vadose.batchu2022.resumable import REJECTED_COLUMNS, Shards
from vadose.batchu2022.shards import absent
from vadose.batchu2022.to_samples import held, packings, samples_of
from vadose.batchu2022.units import UnitFit
from vadose.dataset.calibrations import CALIBRATIONS, LinearCalibration, to_dict
from vadose.dataset.coverage import observed, shares, shares_text, total
from vadose.dataset.layout import DECLARATION, IDENTITY, LISTS
from vadose.dataset.rejections import RejectionCounts, Report
from vadose.dataset.resumable import ResumableBuild
from vadose.dataset.writer import SampleWriter, check_free
from vadose.errors import VadoseError
from vadose.io.outputs import Request
from vadose.io.processes import processes

Progress = Callable[[int, int, str], None]
"""Called after each shard with the number of finished shards, their total, and a name."""
UNLABELLED, REPEATED = "example without a label or a place", "example that repeats a sensor and time"
DAMAGED = "damaged record"
FAULTS = ["shard", "record", "offset", "reason", "ends"]


def import_shards(
    paths: Sequence[Path],
    path: Path,
    labels: LabelMatcher | None = None,
    units: Mapping[str, UnitFit] | None = None,
    halo: int = MOST_HALO,
    simulated: bool = False,
    progress: Progress | None = None,
    workers: int = 1,
) -> Report:
    """Write a store of the labelled examples of some shards, in order.

    Chips keep the published whole numbers, packed by their calibration. Beside the index are `unmatched.parquet`, one
    row per rejected example (shard, record, sensor_id, time, reason), and `faults.parquet`, one row per damaged record.
    An interrupted import resumes with the remaining shards, and gives the same bytes.

    Args:
        paths: paths of the shards.
        path: path of the store.
        labels: finds unpublished labels; without it only examples with a published one are used.
        units: fits of published units, by feature; the others have assumed ranges.
        halo: cells around the sensor's cell in a chip, 0 to 4.
        simulated: whether the shards are simulated.
        progress: called after each shard.
        workers: number of processes, with one shard each.

    Raises:
        VadoseError: the halo or a fit is invalid, there is no labelled example, something else exists at `path`, or
            another import was interrupted there; no store is written.
    """
    _check(halo)
    lines = read_by.lines(units)
    asked = {
        "shards": [{"name": shard.name, "size": shard.stat().st_size} for shard in paths],
        "absent": list(absent(paths)),
        "halo": halo,
        "labels": _label_provenance(labels),
    }
    request = Request.of("samples import-batchu2022", path, published=asked, lines=to_dict(lines))
    with request.store(path, DECLARATION) as store:
        check_free(store)
        staging = ResumableBuild.open(store, {"published": asked})
        shards = Shards(staging.folder, labels, halo)
        _stage(shards, paths, progress, workers)
        origin = {"request": request.mark, "published": asked}
        report = _Import(shards, len(paths), lines).write(store, origin, simulated)
        staging.remove()
    return report


def _check(halo: int) -> None:
    if not 0 <= halo <= MOST_HALO:
        raise VadoseError(
            f"published: chips with a halo of {halo} cells",
            f"An image always covers {MOST_HALO} cells around the cell of its sensor",
            f"Ask for 0 to {MOST_HALO}",
        )


def _label_provenance(labels: LabelMatcher | None) -> dict[str, Any] | None:
    if labels is None:
        return None
    rule = labels.rule.model_dump(mode="json")
    return {"archive": labels.archive.path.name, "rule": rule, "farthest_km": labels.farthest_km}


def _stage(shards: Shards, paths: Sequence[Path], progress: Progress | None, workers: int) -> None:
    lacking = [number for number in range(len(paths)) if not shards.has(number)]
    for done, number in enumerate(_through(shards, paths, lacking, workers), start=len(paths) - len(lacking) + 1):
        if progress:
            progress(done, len(paths), paths[number].name)


def _through(shards: Shards, paths: Sequence[Path], numbers: Sequence[int], workers: int) -> Iterator[int]:
    if workers == 1 or len(numbers) < 2:
        for number in numbers:
            yield shards.stage(number, paths[number])
        return
    with processes(workers) as pool:
        together = max(len(numbers) // (8 * workers), 1)  # a worker reads a sensor once for all of its shards
        yield from pool.map(shards.stage, numbers, [paths[number] for number in numbers], chunksize=together)


@dataclass(eq=False)
class _Import:
    """Assembly of a store from staged shards."""

    shards: Shards
    count: int
    lines: Mapping[str, LinearCalibration]
    repeated: list[pd.DataFrame] = field(default_factory=list)
    _seen: set[tuple[Any, ...]] = field(default_factory=set)

    def write(self, path: Path, origin: Mapping[str, Any], simulated: bool) -> Report:
        halo, numbers = self.shards.halo, range(self.count)
        tallies = [self.shards.tally(number) for number in numbers]
        unlabelled = pd.concat([self.shards.left_out(number) for number in numbers], ignore_index=True)
        faults = pd.DataFrame([asdict(fault) for tally in tallies for fault in tally.faults], columns=FAULTS)
        if len(unlabelled) == sum(tally.read for tally in tallies):
            raise _nothing(path, unlabelled, len(faults))
        made_from: dict[str, Any] = dict(origin) | {CALIBRATIONS: to_dict(self.lines)}
        samples, holds, counts = 0, held(halo), list[Mapping[str, int]]()
        with SampleWriter.open(path, holds, made_from, simulated, packings=packings(self.lines)) as writer:
            for part in self._fresh():
                physical = samples_of(part, self.lines, halo)
                writer.append(physical)
                counts.append(observed(physical, holds))
                samples += len(part.index)
            made_from["coverage"] = shares(total(counts), max(samples, 1))
            left_out = pd.concat([unlabelled, *self.repeated], ignore_index=True)
            dropped = RejectionCounts.of(
                {UNLABELLED: len(unlabelled), REPEATED: len(left_out) - len(unlabelled), DAMAGED: len(faults)}
            )
            made_from["left_out"] = dict(dropped.counts)
            for name, table in zip(LISTS, (left_out, faults), strict=True):
                writer.put_list(name, table)
        return Report(path, samples, dropped, notes=(shares_text(made_from["coverage"], "samples"),))

    def _fresh(self) -> Iterator[RawChips]:
        """Yield the samples of all shards, without repetitions of a sensor and time."""
        for number in range(self.count):
            for part in self.shards.parts(number):
                keys = list(part.index[[*IDENTITY, "time"]].itertuples(index=False, name=None))
                new = np.array([self._is_new(key) for key in keys], bool)
                if not new.all():
                    repeated = part.index[~new].assign(reason="it repeats a sensor and time of an earlier example")
                    self.repeated.append(repeated[REJECTED_COLUMNS])
                if new.any():
                    yield part if new.all() else part.of(np.flatnonzero(new))

    def _is_new(self, key: tuple[Any, ...]) -> bool:
        known = key in self._seen
        self._seen.add(key)
        return not known


def _nothing(path: Path, unlabelled: pd.DataFrame, damaged: int) -> VadoseError:
    reasons = Counter(unlabelled["reason"]).most_common(3)
    counts = "; ".join(f"{count} x {reason}" for reason, count in reasons)
    return VadoseError(
        f"published: a store at {path}",
        f"None of the {len(unlabelled)} examples has a label{f': {counts}' if counts else ''}; "
        f"{damaged} records are damaged",
        "Give the ISMN archive of the same sensors with --ismn, or other shards",
    )
