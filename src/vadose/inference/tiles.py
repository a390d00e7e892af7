"""Estimates of the cells of a tile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vadose.fusion import FeatureCube, InputSpec, TemporalPolicy
from vadose.grid import Tile
from vadose.inference.calibration import UNCALIBRATED, Calibration
from vadose.inference.ensemble import combine
from vadose.inference.quality import (
    absent,
    ages_of,
    any_observed,
    cell_flags,
    missing_source_flags,
    out_of_distribution,
)
from vadose.models import Batch, Model, by_own_record
from vadose.registry import (
    LATENCY_DAYS,
    SOURCES,
    Quality,
    source_of,
)


@dataclass(frozen=True, eq=False)
class TileEstimate:
    """Soil moisture of a tile's cells, halo excluded, each (y, x).

    Attributes:
        tile: position of the cells.
        mean, std: m3 m-3; NaN where no needed source was observed, neither at the time nor in the history.
        quality: bits of `vadose.registry.Quality`.
        ages: observation ages by needed dynamic source, days; NaN where there is no observation.
    """

    tile: Tile
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    quality: NDArray[np.uint32]
    ages: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def flagged(self, flags: NDArray[np.uint32]) -> "TileEstimate":
        """Return the estimate with further quality bits, (y, x)."""
        return replace(self, quality=self.quality | flags)


def estimate_tile(
    models: Sequence[Model],
    inputs: FeatureCube,
    calibration: Calibration = UNCALIBRATED,
    windows: TemporalPolicy | None = None,
) -> TileEstimate:
    """Estimate a tile by one model or by an ensemble.

    Args:
        models: models with the same needs.
        inputs: assembled to those needs, as named by `InputSpec.met_by`, with a halo of exactly the needed size.
        calibration: calibration of the standard deviation.
        windows: temporal policy of the inputs, for the flag of stale cells.
    """
    needs = models[0].needs
    held = needs.met_by(set(map(str, inputs.history.data_vars)))
    batch = by_own_record(Batch.of_inputs(inputs, held), needs)
    estimate, quality = combine(models, batch), missing_source_flags(batch, needs) | out_of_distribution(models, batch)
    wider = estimate.std * calibration.factor(absent(batch, needs))
    nothing = ~any_observed(batch, needs)
    mean, std = (np.where(nothing, np.float32(np.nan), part)[0] for part in (estimate.mean, wider))
    ages = ages_of(inputs, changing(needs))
    flags = quality[0] | cell_flags(inputs, ages, windows or TemporalPolicy())
    return TileEstimate(inputs.tile, mean, std, flags, ages)


def empty_estimate(tile: Tile, needs: InputSpec) -> TileEstimate:
    """Return a tile without any observation: no estimate, and every needed source flagged as missing."""
    shape = tuple(tile.cells.shape)
    missing = {Quality.missing(source_of(name)) for name in needs.names if source_of(name) in SOURCES}
    flags = sum(missing) | (Quality.HISTORY_SHORT if needs.history.variables else 0)
    nothing = np.full(shape, np.nan, np.float32)
    ages = {source: nothing.copy() for source in changing(needs)}
    return TileEstimate(tile, nothing, nothing.copy(), np.full(shape, flags, np.uint32), ages)


def changing(needs: InputSpec) -> tuple[str, ...]:
    """Return the needed dynamic sources, in the order of the vocabulary."""
    needed = {source_of(name) for name in needs.names}
    return tuple(source for source in SOURCES if source in needed & LATENCY_DAYS.keys())
