"""Running of an ablation: row by row, or several in parallel; finished rows are kept."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from functools import partial
from pathlib import Path

import torch

from vadose.dataset import SampleStore
from vadose.errors import VadoseError
from vadose.experiment.ablation.rows import Row, rows_of
from vadose.experiment.ablation.table import write_ablation
from vadose.experiment.build_samples import store_of
from vadose.experiment.config import Experiment
from vadose.experiment.fold_trainer import Reporter
from vadose.experiment.run import Run
from vadose.experiment.train import train
from vadose.io.locks import exclusive_lock
from vadose.io.outputs import Request
from vadose.io.processes import processes

LOGGER = logging.getLogger(__name__)

FINISHED = "scorecard.json"
"""File that a run writes last."""
SamplesProgress = Callable[[int, int, str], None]


def ablate(
    experiment: Experiment,
    folder: Path,
    resume: bool,
    samples_report: SamplesProgress,
    report: Reporter,
    workers: int = 1,
    samples: Path | None = None,
    only: Sequence[str] = (),
) -> Path:
    """Train an experiment and the same without each of its parts, and compare them.

    All rows use the same samples, folds and seeds. A finished row is not trained again.

    Args:
        experiment: the full model.
        folder: folder of the ablation: `samples`, `rows/<name>` with one run each, and the tables.
        resume: whether a folder with an ablation is resumed.
        samples_report: called while the samples are built.
        report: called after every epoch, or, with several workers, after every row.
        workers: number of parallel trainings.
        samples: built before, to be used instead of those in the folder.
        only: names of rows besides the full model; by default all.

    Returns:
        The table, `ablation.md`, with `ablation.json` and `ablation.png` beside it.

    Raises:
        VadoseError: the folder contains an ablation and `resume` was not given, or one of another experiment; or as
            `train`.
    """
    rows = rows_of(experiment, only)
    with Request.of("ablate", folder).folder(folder, ["ablation.json"], ["samples"]) as held:
        if (held / "rows").exists() and not resume:
            raise VadoseError(
                f"ablation: a new one in {held}",
                "It contains one already",
                "Add --resume to resume it, or give another --out",
            )
        store = store_of(experiment, samples or held / "samples", samples_report, workers)
        runs = {row: Run(held / "rows" / row.run) for row in rows}
        for row, run in runs.items():
            run.declare(row.experiment)
        unfinished = {row.run: row for row, run in runs.items() if not (run.folder / FINISHED).is_file()}
        missing = list(unfinished.values())
        LOGGER.info("%d of %d variants are already trained", len(runs) - len(missing), len(runs))
        for done, name in enumerate(_trained(missing, store, runs, report, workers), start=1):
            report(f"row {name}", {"rows": done, "of": len(missing)})
        return write_ablation(held, experiment, runs)


def _trained(
    rows: Sequence[Row], store: SampleStore, runs: Mapping[Row, Run], report: Reporter, workers: int
) -> Iterator[str]:
    """Train some rows; yield the name of each when it is finished."""
    if workers == 1 or len(rows) < 2:
        for row in rows:
            with exclusive_lock(runs[row].folder):
                train(row.experiment, store, runs[row], partial(_report_row, report, row.name))
            yield row.name
        return
    together = min(workers, len(rows))
    threads = max((os.cpu_count() or 1) // together, 1)
    with processes(together) as pool:
        waiting = [pool.submit(_apart, row, store.path, runs[row].folder, threads) for row in rows]
        for future in as_completed(waiting):
            yield future.result()


def _report_row(report: Reporter, name: str, what: str, figures: dict[str, float]) -> None:
    report(f"{name}, {what}", figures)


def _apart(row: Row, store: Path, folder: Path, threads: int) -> str:
    """Train a row in a separate process."""
    torch.set_num_threads(threads)
    with exclusive_lock(folder):
        train(row.experiment, SampleStore.open(store), Run(folder), lambda *_: None)
    return row.name
