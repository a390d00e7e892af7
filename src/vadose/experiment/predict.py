"""Estimates from a run: of any sample store."""

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

    A sensor is estimated by those networks, as one, that have not learned from its place; see `estimate_held_out`,
    whose column `seen_in_training` says where there is none and all of them spoke. A predictor that the store lacks
    counts as missing, as one that an archive lacks.

    Args:
        folder: of the run.
        store: of samples; labels are not needed.
        out: of the table.
        report: told how many are done, of how many.
        tell: told what the samples have otherwise than the networks learned it.

    Raises:
        VadoseError: no run, one that was interrupted, no store, or a store that has nothing of what the networks need,
            or its history in other steps, or published numbers in other units than they learned from; or `out` cannot
            be written, or is something else than an earlier result of the same.
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
        The estimates, and how the inputs differ from those of the training, one line each.
    """
    experiment, members = run.experiment(), [Member.load(path) for path in run.networks()]
    require_same(run.input_calibrations(), samples, members[0].model.needs.names)
    needs, held = members[0].model.needs, samples.holds.names
    inputs = differences(needs, products_of_run(run.networks()), held, samples.products, "the store")
    wide = samples.padded_to(needs.met_by(held))
    table = estimate_held_out(members, wide, experiment.split.grouping, report, run.calibration())
    for line in (*inputs, shares_text(_coverage(table["quality"], needs), "samples")):
        tell(line)
    return table, inputs


def _coverage(quality: pd.Series, needs: InputSpec) -> dict[str, float]:
    """Part of the estimates that each source of the networks was observed for, 0..1, by its name."""
    sources = sorted({source_of(name) for name in needs.names})
    return {source: float((quality & int(Quality.missing(source)) == 0).mean()) for source in sources}
