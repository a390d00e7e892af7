"""A run, from samples to scorecard; finished steps are kept."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.dataset import Fold, SampleStore
from vadose.dataset.calibrations import calibrations_of, units_note
from vadose.errors import VadoseError
from vadose.evaluation import SEEN_IN_TRAINING
from vadose.experiment.build_samples import store_of
from vadose.experiment.calibrate import calibrations, held_out, missing_source_chapter, missing_source_cost
from vadose.experiment.config import PRODUCTS_JUDGED, RESCALED, SIMULATED, Experiment, MemberKind
from vadose.experiment.coverage_filter import coverage_filter, note_of
from vadose.experiment.fold_trainer import FoldTrainer, Reporter, needs_met
from vadose.experiment.folds import check_observed, folds_of, learned_from, way_of
from vadose.experiment.mixture import ensemble_of, weights_notes, weights_of_folds
from vadose.experiment.run import NETWORK, Run
from vadose.experiment.split_table import save_or_verify, table_of
from vadose.inference import Calibration, estimate_points
from vadose.io.outputs import Request
from vadose.models import Model
from vadose.registry import PRODUCTS, distinct_roles
from vadose.report.headline import console_summary
from vadose.report.scorecard import write_scorecard
from vadose.report.text import counted
from vadose.training import DEFAULT, ComputeConfig, TrainingRows
from vadose.variables import IDENTITY

LOGGER = logging.getLogger(__name__)

MISSING_SOURCE = "What a missing source costs"
RESULTS_OF_A_RUN = ("experiment.json", "scorecard.json")
READ_ONLY = ("samples",)
"""Folders of a run that may be links, as they are only read once they exist."""


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        path: path of its scorecard.
        summary: summary of the scorecard, for a terminal.
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
    machine: ComputeConfig = DEFAULT,
) -> TrainResult:
    """Build the samples of an experiment in parallel, and train on them, in one folder.

    Samples that were built before may be given; they may contain more than the experiment needs.

    Raises:
        VadoseError: as `train`; or a device is missing, or the folder contains a run and `resume` was not given.
    """
    machine.check()
    with Request.of("train", folder).folder(folder, RESULTS_OF_A_RUN, READ_ONLY) as held:
        run = Run(held)
        if run.declaration.exists() and not resume:
            raise VadoseError(
                f"train: a new run in {run.folder}",
                "It contains a run already",
                "Add --resume to resume it, or give another --out",
            )
        store = store_of(experiment, samples or run.store, samples_report, workers)
        scorecard = train(experiment, store, run, report, machine)
    return TrainResult(scorecard, console_summary(scorecard))


def train(
    experiment: Experiment, store: SampleStore, run: Run, report: Reporter, machine: ComputeConfig = DEFAULT
) -> Path:
    """Fit every model of an experiment on every fold and evaluate it on the held-out sensors or years.

    Returns:
        The scorecard.

    Raises:
        VadoseError: the run is of another experiment, or the samples do not fit it; raised before any model is fitted.
    """
    store.check(experiment.store_needs)
    past = experiment.needs.history
    folds = folds_of(experiment.split, store, past.steps * past.step_days)
    check_observed(experiment.network_needs, store, folds)
    run.declare(experiment)
    LOGGER.info("%d samples, %d folds", len(store.index), len(folds))
    save_or_verify(table_of(folds, store.index), run.split)
    products, weights, calibration, cost = _judged(experiment, store, run, folds, report, machine)
    for name, table in products.items():
        run.write_estimates(name, table)
    if len(weights) > 1:
        run.write_weights(weights)
    run.write_calibration(calibration)
    title = f"{experiment.name}: {'years' if experiment.split.by_year else 'sensors'} held out"
    dense, sparse = coverage_filter(products)
    least = experiment.min_samples
    apart = [note_of(name, table, NETWORK, products[NETWORK], least) for name, table in sparse.items()]
    return write_scorecard(
        run.folder,
        dense,
        title=title,
        notes=notes_of(experiment, store, folds) + weights_notes(experiment, weights) + apart,
        min_samples=least,
        notice=SIMULATED if experiment.simulated else "",
        chapters={MISSING_SOURCE: missing_source_chapter(cost)} if len(cost) > 1 else {},
    )


def _judged(
    experiment: Experiment, store: SampleStore, run: Run, folds: list[Fold], report: Reporter, machine: ComputeConfig
) -> tuple[dict[str, pd.DataFrame], dict[str, float], Calibration, pd.DataFrame]:
    """Return held-out estimates of every model, the weights of the ensemble's kinds of members, its calibration, and
    the cost of a missing source.
    """
    members: list[dict[MemberKind, list[Model]]] = []
    estimates: dict[str, list[pd.DataFrame]] = {NETWORK: []}
    for number, fold in enumerate(folds):
        sizes = len(fold.train), len(fold.validation), len(fold.test)
        LOGGER.info("fold %d: %d training, %d validation and %d held-out samples", number, *sizes)
        fitting = FoldTrainer(
            experiment, run, number, TrainingRows(store, fold.train, fold.validation), report, machine
        )
        members.append(fitting.members())
        for baseline in experiment.scored_baselines:
            if models := fitting.baseline(baseline):
                estimates.setdefault(baseline, []).append(estimate_points(models, store, fold.test))
            else:
                LOGGER.info("fold %d: %s left out, as the samples lack its predictors", number, baseline)
    weights = weights_of_folds(members, store, folds, experiment.min_samples)
    network = [
        held_out(ensemble_of(one, own), store, fold.test)
        for one, own, fold in zip(members, weights.of_folds, folds, strict=True)
    ]
    calibration, of_folds = calibrations(network)
    network = [fold.calibrated_by(own) for fold, own in zip(network, of_folds, strict=True)]
    estimates[NETWORK] = [fold.whole for fold in network]
    seen = np.concatenate([learned_from(store.index, fold) for fold in folds])
    products = {name: pd.concat(parts, ignore_index=True) for name, parts in estimates.items()}
    products = {name: table.assign(**{SEEN_IN_TRAINING: seen}) for name, table in products.items()}
    return products, weights.of_all, calibration, missing_source_cost(network, experiment.min_samples)


def notes_of(experiment: Experiment, store: SampleStore, folds: list[Fold]) -> list[str]:
    """Return notes for the reader of the scorecard."""
    plan = experiment.split
    tested = np.concatenate([fold.test for fold in folds])
    sensors = len(store.index.iloc[tested][list(IDENTITY)].drop_duplicates())
    held_out = "of times that" if plan.by_year else "that"
    notes = [
        f"Split: {way_of(plan)}; {counted(len(tested), 'samples')} of {counted(sensors, 'sensors')}, "
        f"{held_out} no model below was trained on.",
        f"Sensors with fewer than {experiment.min_samples} samples are counted but not scored.",
        "The network's standard deviation is calibrated in each fold by the sensors of the other folds."
        if len(folds) > 1
        else "The network's standard deviation is uncalibrated: a single fold cannot calibrate its own evaluation.",
    ]
    if experiment.start_from is not None:
        notes.append(
            f"The networks start from those of {experiment.start_from.name}, none trained at a held-out place."
        )
    units = units_note(calibrations_of(store), experiment.store_needs.names)
    notes += [units] if units else []
    met = {baseline for baseline in experiment.scored_baselines if needs_met(experiment, baseline, store) is not None}
    notes += [
        f"{name} is {PRODUCTS[name][0]}, uncorrected; {name}{RESCALED} is {PRODUCTS[name][0]}, linearly rescaled on "
        "the training stations: a + b x by least squares in each fold."
        for name in experiment.scored_baselines
        if name in met and name in PRODUCTS_JUDGED
    ]
    replaced = {name for role in distinct_roles() if role & met for name in role}
    absent = [baseline for baseline in experiment.baselines if baseline not in met | replaced]
    if absent:
        notes.append(f"Not evaluated, as the samples lack some of their predictors: {', '.join(absent)}.")
    return notes
