"""Training and ablation of an experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vadose.api.callbacks import Epochs, Progress, silent
from vadose.api.inputs import as_experiment
from vadose.dataset import SampleStore
from vadose.experiment.ablation import ablate as _ablate
from vadose.experiment.config import Experiment
from vadose.experiment.located import placed
from vadose.experiment.run import Run
from vadose.experiment.train import train_in
from vadose.io.paths import StrPath
from vadose.training import DEFAULT, ComputeConfig


def train(
    experiment: Experiment | StrPath | Mapping[str, Any],
    store: SampleStore | StrPath | None = None,
    out: StrPath | None = None,
    *,
    start_from: StrPath | None = None,
    resume: bool = False,
    compute: ComputeConfig = DEFAULT,
    workers: int = 1,
    allow_unread: bool = False,
    progress: Progress = silent,
    epochs: Epochs = silent,
) -> Run:
    """Train the network and the baselines of an experiment, and evaluate them at sensors that none was trained on.

    Args:
        experiment: configuration, its YAML file or its keys.
        store: samples that were built before; by default they are built in the folder of the run.
        out: folder of the run; by default runs/<name of the experiment>.
        start_from: run or name of a released model whose networks are trained further on these samples. None of them
            may have been trained at a held-out place; a fold takes those that were not.
        resume: whether an interrupted run resumes.
        compute: device, precision and layout of a step.
        workers: processes that build samples.
        allow_unread: as in `build_samples`.
        progress: called while samples are built.
        epochs: called after each epoch with the model and its figures.

    Raises:
        VadoseError: the samples do not fit the experiment, the device is missing, or `out` contains a run.
    """
    start = {} if start_from is None else {"start_from": placed(Path(start_from), Path.cwd())}
    chosen = as_experiment(experiment, **start).allowing_unread(allow_unread)
    folder = Path(out) if out is not None else Path("runs") / chosen.name
    samples = store.path if isinstance(store, SampleStore) else store
    train_in(chosen, folder, resume, progress, epochs, workers, None if samples is None else Path(samples), compute)
    return Run(folder)


def ablate(
    experiment: Experiment | StrPath | Mapping[str, Any],
    out: StrPath,
    *,
    store: SampleStore | StrPath | None = None,
    variants: Sequence[str] = (),
    resume: bool = False,
    workers: int = 1,
    allow_unread: bool = False,
    progress: Progress = silent,
    epochs: Epochs = silent,
) -> Path:
    """Train variants of the network without each of its parts, on the same folds and seeds.

    Args:
        experiment: configuration, its YAML file or its keys.
        out: folder of the samples, of a run for each variant, and of the tables.
        store: samples that were built before.
        variants: variants besides the full model; by default all.
        resume: whether an interrupted ablation resumes.
        workers: processes that build samples.
        allow_unread: as in `build_samples`.
        progress, epochs: as in `train`.

    Returns:
        The table of scores, Markdown; ablation.json and ablation.png are written beside it.
    """
    samples = store.path if isinstance(store, SampleStore) else store
    return _ablate(
        as_experiment(experiment).allowing_unread(allow_unread),
        Path(out),
        resume,
        progress,
        epochs,
        workers,
        None if samples is None else Path(samples),
        variants,
    )


def open_run(folder: StrPath) -> Run:
    """Open the folder of a run.

    Raises:
        VadoseError: the folder contains no run.
    """
    run = Run(Path(folder))
    run.experiment()
    return run
