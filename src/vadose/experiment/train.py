"""A run from samples to scorecard; what is done stays done."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.estimate import estimate_points
from vadose.evaluation import SEEN_IN_TRAINING, console_summary, write_scorecard
from vadose.experiment.config import Experiment
from vadose.experiment.fitted import Fitting, Reporter
from vadose.experiment.folds import check_observed, folds_of
from vadose.experiment.gather import store_of
from vadose.experiment.run import NETWORK, Run
from vadose.refusal import Refusal
from vadose.samples import Fold, SampleStore
from vadose.training import Places

SIMULATED = "SIMULATED: sensors, satellites and truth come from a simulated world, not from the Earth."


@dataclass(frozen=True)
class Judged:
    """A run that is done.

    Attributes:
        path: its scorecard.
        summary: the headline of it, for a terminal.
    """

    path: Path
    summary: str


def train_in(
    experiment: Experiment,
    folder: Path,
    resume: bool,
    samples_report: Callable[[int, int, str], None],
    report: Reporter,
    workers: int = 1,
    samples: Path | None = None,
) -> Judged:
    """Gather the samples of an experiment, with so many processes, and train on them, in one folder.

    Samples that were gathered before may be given; they may hold more than the experiment needs.

    Raises:
        Refusal: as `train`; or the folder holds a run and `resume` was not asked.
    """
    run = Run(folder)
    if run.declaration.exists() and not resume:
        raise Refusal(
            f"train: a new run in {folder}", "It holds a run already", "Add --resume to go on with it, or give --out"
        )
    scorecard = train(experiment, store_of(experiment, samples or run.store, samples_report, workers), run, report)
    return Judged(scorecard, console_summary(scorecard))


def train(experiment: Experiment, store: SampleStore, run: Run, report: Reporter) -> Path:
    """Fit every model of an experiment on every fold and judge it on the sensors held out.

    Returns:
        The scorecard.

    Raises:
        Refusal: the run is of another experiment, or the samples cannot serve it: before any model is fitted.
    """
    store.check(experiment.store_needs)
    folds = folds_of(experiment.split, store)
    check_observed(experiment.network_needs, store, folds)
    run.declare(experiment)
    estimates: dict[str, list[pd.DataFrame]] = {}
    for number, fold in enumerate(folds):
        fitting = Fitting(experiment, run, number, Places(store, fold.train, fold.validation), report)
        models = {NETWORK: fitting.network()} | {rival: fitting.rival(rival) for rival in experiment.rivals}
        for name, members in models.items():
            if members:
                estimates.setdefault(name, []).append(estimate_points(members, store, fold.test))
    products = {name: pd.concat(parts, ignore_index=True) for name, parts in estimates.items()}
    for name, table in products.items():
        table[SEEN_IN_TRAINING] = False
        run.write_estimates(name, table)
    title = f"{experiment.name}: sensors held out"
    notes = notes_of(experiment, store, folds)
    return write_scorecard(
        run.folder,
        products,
        title=title,
        notes=notes,
        min_samples=experiment.min_samples,
        notice=SIMULATED if experiment.simulated else "",
    )


def notes_of(experiment: Experiment, store: SampleStore, folds: list[Fold]) -> list[str]:
    """What a reader of the scorecard must know."""
    plan = experiment.split
    tested = np.concatenate([fold.test for fold in folds])
    sensors = len(store.index.iloc[tested][["network", "station", "sensor"]].drop_duplicates())
    way = f"{plan.folds}-fold cross-validation" if plan.folds else f"{plan.test_fraction:.0%} of the samples held out"
    apart = f"{plan.places.block_degrees:g} degree block" if plan.places.by == "block" else plan.places.by
    notes = [
        f"Split: {way} by {apart}; {len(tested)} samples of {sensors} sensors that no model below has seen.",
        f"Sensors with fewer than {experiment.min_samples} samples are counted but not scored.",
    ]
    absent = [rival for rival in experiment.rivals if not experiment.rival_needs(rival).names]
    if absent:
        notes.append(f"Not judged, as their predictors are not all among those of the samples: {', '.join(absent)}.")
    return notes
