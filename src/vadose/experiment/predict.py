"""Estimates of a sample store by a run."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from vadose.dataset import SampleStore
from vadose.dataset.calibrations import require_same
from vadose.dataset.coverage import shares_text
from vadose.experiment.product_identity import differences, products_of_run
from vadose.experiment.run import NETWORK, Run, write_estimates
from vadose.fusion import InputSpec
from vadose.inference.held_out import Member, estimate_held_out
from vadose.io.outputs import Request
from vadose.registry import Quality, source_of


def predict_store(
    folder: Path,
    store: Path,
    out: Path,
    report: Callable[[int, int], None],
    tell: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Estimate every sample of a store by the networks of a run, and write the table as Parquet.

    A sensor is estimated by the ensemble of the networks that were not trained on its place; see `estimate_held_out`,
    whose column `seen_in_training` is true where all networks were. A predictor that the store lacks counts as missing,
    as one that an archive lacks.

    Args:
        folder: folder of the run.
        store: store of samples; labels are not needed.
        out: path of the table.
        report: called with the number of finished samples and their total.
        tell: called with differences between the samples and the training samples.

    Raises:
        VadoseError: the run is missing or incomplete; the store is missing, has none of the needed predictors, other
            history steps, or published numbers in other units than the training samples; or `out` is not writable, or
            is not an earlier result of the same request.
    """
    request = Request.of("estimate", out, run=folder, store=store)
    run = Run(folder)
    with request.file(out) as held:
        table, inputs = estimate_store(run, SampleStore.open(store), report, tell)
        write_estimates(held, table, run.experiment(), NETWORK, inputs, request.mark)
        return table


def estimate_store(
    run: Run,
    samples: SampleStore,
    report: Callable[[int, int], None],
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Estimate every sample of a store as `predict_store` does; nothing is written.

    Returns:
        The estimates, and the differences between the inputs and the training samples, one line each.
    """
    experiment, members = run.experiment(), members_of(run)
    require_same(run.input_calibrations(), samples, members[0].model.needs.names)
    needs, held = members[0].model.needs, samples.holds.names
    inputs = differences(needs, products_of_run(run.networks()), held, samples.products, "the store")
    wide = samples.padded_to(needs.met_by(held))
    table = estimate_held_out(members, wide, experiment.split.grouping, report, run.calibration())
    for line in (*inputs, shares_text(_coverage(table["quality"], needs), "samples")):
        tell(line)
    return table, inputs


def members_of(run: Run) -> list[Member]:
    """Return the members of a run, with their training sensors and weights.

    Raises:
        VadoseError: the run is incomplete or unreadable.
    """
    paths = run.networks()
    return [Member.load(path, weight) for path, weight in zip(paths, run.weights(paths), strict=True)]


def _coverage(quality: pd.Series, needs: InputSpec) -> dict[str, float]:
    """Return the fraction of estimates with an observation of each source, 0..1, by its name."""
    sources = sorted({source_of(name) for name in needs.names})
    return {source: float((quality & int(Quality.missing(source)) == 0).mean()) for source in sources}
