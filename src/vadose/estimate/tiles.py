"""Estimates of the cells of a tile."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.estimate.calibration import AS_STATED, Calibration
from vadose.estimate.combine import combine
from vadose.estimate.quality import absent, quality_of, something, strange
from vadose.fusion import Inputs, Needs
from vadose.grid import Tile
from vadose.models import Batch, Model
from vadose.variables import SOURCES, Quality, source_of


@dataclass(frozen=True, eq=False)
class TileEstimate:
    """Soil moisture of a tile's cells, halo excluded, each (y, x).

    Attributes:
        tile: the ground.
        mean, spread: m3 m-3; NaN where no needed source had anything to say, neither for the moment nor in the history.
        quality: bits of `vadose.variables.Quality`.
    """

    tile: Tile
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    quality: NDArray[np.uint16]


def estimate_tile(models: Sequence[Model], inputs: Inputs, calibration: Calibration = AS_STATED) -> TileEstimate:
    """Estimate a tile by one model, or by several as one.

    Args:
        models: with the same needs.
        inputs: assembled to those needs, with a halo of exactly what they ask.
        calibration: of the spread.
    """
    needs = models[0].needs
    batch = Batch.of_inputs(inputs, needs)
    estimate, quality = combine(models, batch), quality_of(batch, needs) | strange(models, batch)
    wider = estimate.spread * calibration.factor(absent(batch, needs))
    nothing = ~something(batch, needs)
    mean, spread = (np.where(nothing, np.float32(np.nan), part)[0] for part in (estimate.mean, wider))
    return TileEstimate(inputs.tile, mean, spread, quality[0])


def blank(tile: Tile, needs: Needs) -> TileEstimate:
    """A tile of which no source said anything: no estimate, and every needed source flagged as missing."""
    shape = tuple(tile.cells.shape)
    missing = {Quality.missing(source_of(name)) for name in needs.names if source_of(name) in SOURCES}
    flags = sum(missing) | (Quality.HISTORY_SHORT if needs.history.variables else 0)
    nothing = np.full(shape, np.nan, np.float32)
    return TileEstimate(tile, nothing, nothing.copy(), np.full(shape, flags, np.uint16))
