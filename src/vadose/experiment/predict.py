"""Estimates from a run: of any sample store, and of any area on a day."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.estimate import AS_STATED, Calibration, TileEstimate, blank, estimate_tile
from vadose.experiment.published import lines_of_run, require_alike
from vadose.experiment.run import NETWORK, Run, write_estimates
from vadose.experiment.unseen import Member, estimate_unseen
from vadose.fusion import Windows, assemble
from vadose.grid import Area, Tile
from vadose.models import Model
from vadose.refusal import NothingFound, Refusal
from vadose.samples import SampleStore
from vadose.sources import Source


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


def predict_area(
    models: Sequence[Model],
    sources: Sequence[Source],
    tiles: Sequence[Tile],
    time: np.datetime64,
    windows: Windows,
    as_of: np.datetime64 | None = None,
    calibration: Calibration = AS_STATED,
) -> Iterator[tuple[TileEstimate, tuple[str, ...]]]:
    """Estimate tile after tile, each with the identifiers of the items that it was made from.

    With `as_of`, nothing is read that was published later; `calibration` is of the spread.

    Raises:
        Refusal: a file cannot be read.
        NothingFound: no source covers any of the tiles.
    """
    needs = models[0].needs
    nothing: NothingFound | None = None
    covered = False
    for tile in tiles:
        try:
            inputs = assemble(sources, tile, time, needs, windows, as_of)
        except NothingFound as reason:
            nothing = reason
            yield blank(tile, needs), ()
        else:
            covered = True
            yield estimate_tile(models, inputs, calibration), inputs.items
    if nothing and not covered:
        raise nothing


def read_area(where: str) -> Area:
    """An area from the command line: "west,south,east,north" in degrees, or a GeoJSON file.

    Raises:
        Refusal: it is neither.
    """
    if Path(where).suffix.lower() in {".geojson", ".json"}:
        try:
            return Area.from_geojson(json.loads(Path(where).read_text()), name=Path(where).stem)
        except (OSError, ValueError) as error:
            if isinstance(error, Refusal):
                raise
            raise Refusal(f"map: the area {where}", f"It cannot be read ({error})", "Give a GeoJSON file") from error
    try:
        west, south, east, north = (float(part) for part in where.split(","))
    except ValueError as error:
        raise Refusal(
            f"map: the area '{where}'", "It is no GeoJSON file and not four numbers", "Write west,south,east,north"
        ) from error
    return Area.from_bbox(west, south, east, north)
