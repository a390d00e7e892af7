"""Calibration of standard deviations on held-out sensors, and the cost of a missing source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.dataset import SampleStore
from vadose.dataset.layout import IDENTITY, LABEL
from vadose.evaluation import Bootstrap, per_sensor, reliability, summary
from vadose.evaluation.sensors import coverage_by, figures
from vadose.inference import UNCALIBRATED, Calibration, conformal_scale, estimate_points
from vadose.models import Model, sources_of
from vadose.registry import SOURCES
from vadose.report.text import interval, markdown_table, number

MOST = 5000
"""Largest number of samples of a fold that are estimated without each source in turn."""
HEADER = (
    *("missing", "places", "sensors", "samples", "R over places", "ubRMSE over places", "RMSE over places"),
    *("R over sensors", "90 % interval holds", "places under 70 %"),
)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Estimates of held-out sensors by the networks of a fold, with uncalibrated standard deviations.

    Attributes:
        whole: estimates from all sources.
        lacking: estimates without one source, by its name.
    """

    whole: pd.DataFrame
    lacking: Mapping[str, pd.DataFrame]

    def calibrated_by(self, calibration: Calibration) -> "HeldOut":
        """Return the estimates with calibrated standard deviations."""
        lacking = {source: calibrated(table, calibration) for source, table in self.lacking.items()}
        return HeldOut(calibrated(self.whole, calibration), lacking)


def held_out(models: Sequence[Model], store: SampleStore, rows: NDArray[np.intp]) -> HeldOut:
    """Estimate held-out samples, from all sources and without each in turn.

    Args:
        models: models of one fold.
        store: meets their needs.
        rows: rows of the samples; without a source at most `MOST` of them, evenly chosen.
    """
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST)).round().astype(int)]
    sources = [source for source in sources_of(models[0].needs) if source in SOURCES]
    lacking = {source: estimate_points(models, store, some, lacking=source) for source in sources}
    return HeldOut(estimate_points(models, store, rows), lacking if len(sources) > 1 else {})


def calibrations(folds: Sequence[HeldOut]) -> tuple[Calibration, tuple[Calibration, ...]]:
    """Return, from the held-out sensors of the folds, one calibration for all networks, and one for each fold.

    The calibration of a fold uses only the other folds, so that it is evaluated on sensors without a part in it; a
    single fold remains uncalibrated.
    """
    others = [[fold for fold in folds if fold is not own] for own in folds]
    return _of(folds), tuple(_of(rest) if rest else UNCALIBRATED for rest in others)


def calibrated(table: pd.DataFrame, calibration: Calibration) -> pd.DataFrame:
    """Return calibrated estimates; the column `absent` contains the missing sources."""
    factor = calibration.factor(table["absent"].to_numpy(np.uint32))
    return table.assign(soil_moisture_std=(table["soil_moisture_std"].to_numpy() * factor).astype(np.float32))


def missing_source_cost(folds: Sequence[HeldOut], min_samples: int) -> pd.DataFrame:
    """Return skill and interval coverage from all sources and without each in turn, on the same samples.

    Args:
        folds: folds with calibrated standard deviations.
        min_samples: smallest number of samples of a scored sensor.

    Returns:
        The columns of `HEADER`, as text, one row per source; empty if no sensor can be scored.
    """
    rows = []
    for source in ["", *folds[0].lacking]:
        table = pd.concat([fold.lacking[source] if source else _same(fold) for fold in folds], ignore_index=True)
        sensors = per_sensor(table, min_samples)
        there = sensors[sensors["left_out"] == ""]
        if len(there):
            skill, coverage = figures(summary(sensors)), figures(reliability(sensors))["coverage_90"]
            cells = [_cell(skill[name], "over_places") for name in ("r", "ubrmse", "rmse")]
            cells += [_cell(skill["r"], "mean"), _cell(coverage, "mean")]
            places = figures(coverage_by(sensors))["place"]
            counts = (f"{skill['r']['places']:,.0f}", f"{len(there):,}", f"{there['n'].sum():,}")
            rows.append((source or "nothing", *counts, *cells, number(places["under_70"], 2)))
    return pd.DataFrame(rows, columns=list(HEADER))


def _cell(row: Mapping[str, float], name: str) -> str:
    return interval(row, name, f"{name}_low", f"{name}_high")


def missing_source_chapter(cost: pd.DataFrame) -> str:
    """Return the table in Markdown."""
    said = "Estimates of held-out samples by the same networks, with all data of one source removed."
    return f"{said}\n\n{markdown_table(HEADER, [tuple(row) for row in cost.itertuples(index=False)])}"


def _same(fold: HeldOut) -> pd.DataFrame:
    """Return the complete-input estimates of the samples that were also estimated without each source."""
    lacking = next(iter(fold.lacking.values()), fold.whole)
    keys = [*IDENTITY, "time"]
    return fold.whole[fold.whole.set_index(keys).index.isin(lacking.set_index(keys).index)]


def _of(folds: Sequence[HeldOut]) -> Calibration:
    whole = pd.concat([fold.whole for fold in folds], ignore_index=True)
    lacking = {source: pd.concat([fold.lacking[source] for fold in folds]) for source in folds[0].lacking}
    sensors = len(whole[list(IDENTITY)].drop_duplicates())
    return Calibration(_factor(whole), {source: _factor(table) for source, table in lacking.items()}, sensors)


def _factor(table: pd.DataFrame) -> float:
    mean, std, truth = (table[name].to_numpy(np.float64) for name in ("soil_moisture", "soil_moisture_std", LABEL))
    sensor = table.groupby(list(IDENTITY), sort=False).ngroup().to_numpy()
    place = Bootstrap().blocks(*(table[axis].to_numpy(np.float64) for axis in ("lat", "lon")))
    return conformal_scale(mean, std, truth, sensor.astype(np.intp), place)
