"""An ablation at work: row after row, or several side by side; what is done stays done."""

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
    """Train an experiment and the same without each of its parts, and set them side by side.

    All rows see the same samples, folds and seeds. A row that is finished is not trained again.

    Args:
        experiment: the full model.
        folder: of the ablation: `samples`, `rows/<name>` with a run each, and the tables.
        resume: whether a folder that holds an ablation is gone on with.
        samples_report: is told of the samples as they are gathered.
        report: is told of every epoch, or, of several workers, of every row.
        workers: processes that train side by side.
        samples: that were gathered before, to be used instead of those in the folder.
        only: names of rows beside the full model; all of them when there are none.

    Returns:
        The table, `ablation.md`; beside it are `ablation.json` and `ablation.png`.

    Raises:
        VadoseError: the folder holds an ablation and `resume` was not asked, or one of another experiment; or as
            `train`.
    """
    rows = rows_of(experiment, only)
    with Request.of("ablate", folder).folder(folder, ["ablation.json"], ["samples"]) as held:
        return _ablate(experiment, rows, held, resume, samples_report, report, workers, samples)


def _ablate(
    experiment: Experiment,
    rows: Sequence[Row],
    folder: Path,
    resume: bool,
    samples_report: SamplesProgress,
    report: Reporter,
    workers: int,
    samples: Path | None,
) -> Path:
    if (folder / "rows").exists() and not resume:
        raise VadoseError(
            f"ablation: a new one in {folder}", "It holds one already", "Add --resume to go on with it, or give --out"
        )
    store = store_of(experiment, samples or folder / "samples", samples_report, workers)
    runs = {row: Run(folder / "rows" / row.run) for row in rows}
    for row, run in runs.items():
        run.declare(row.experiment)
    lacking = list({row.run: row for row, run in runs.items() if not _finished(run)}.values())
    LOGGER.info("%d of %d variants are trained already", len(runs) - len(lacking), len(runs))
    for done, name in enumerate(_trained(lacking, store, runs, report, workers), start=1):
        report(f"row {name}", {"rows": done, "of": len(lacking)})
    return write_ablation(folder, experiment, runs)


def _trained(
    rows: Sequence[Row], store: SampleStore, runs: Mapping[Row, Run], report: Reporter, workers: int
) -> Iterator[str]:
    """Train some rows; the name of each when it is done."""
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
    """Train a row in a process of its own."""
    torch.set_num_threads(threads)
    with exclusive_lock(folder):
        train(row.experiment, SampleStore.open(store), Run(folder), lambda *_: None)
    return row.name


def _finished(run: Run) -> bool:
    """Return the scorecard is the last that a run writes."""
    return (run.folder / "scorecard.json").is_file()
