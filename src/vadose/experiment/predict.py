"""Estimates from a run: of any sample store."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from vadose.experiment.published import lines_of_run, require_alike
from vadose.experiment.run import NETWORK, Run, write_estimates
from vadose.experiment.unseen import Member, estimate_unseen
from vadose.samples import SampleStore


def predict_store(folder: Path, store: Path, out: Path, report: Callable[[int, int], None]) -> pd.DataFrame:
    """Estimate every sample of a store by the networks of a run, and write the table as Parquet.

    A sensor is estimated by those networks, as one, that have not learned from its place; see `estimate_unseen`, whose
    column `seen_in_training` says where there is none and all of them spoke.

    Raises:
        Refusal: no run, one that was interrupted, no store, or a store that lacks what the networks need, with the full
            list, or has it in other units than the samples that they learned from.
    """
    run = Run(folder)
    experiment, members = run.experiment(), [Member.load(path) for path in run.networks()]
    samples = SampleStore.open(store)
    require_alike(lines_of_run(run.networks()), samples, members[0].model.needs.names)
    table = estimate_unseen(members, samples, experiment.split.places, report, run.calibration())
    write_estimates(out, table, experiment, NETWORK)
    return table
