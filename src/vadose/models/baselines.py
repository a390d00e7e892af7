"""Baselines of the network: single products and boosted trees, with the same interface."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from vadose.fusion import InputSpec
from vadose.models.batch import Batch, Estimate
from vadose.models.feature_columns import feature_columns
from vadose.models.feature_extractor import FeatureExtractor
from vadose.models.pixel_scaler import is_decibel

if TYPE_CHECKING:
    import lightgbm

Reads = Literal["steps", "columns", "both"]
"""Inputs of trees: every step of the history, the columns of the network's heads, or both."""


@dataclass(frozen=True)
class Product:
    """An uncorrected product, such as SMAP or GLDAS, or a linearly rescaled one.

    Attributes:
        variable: name of the soil moisture predictor.
        spread: standard deviation of its error over the training samples, m3 m-3.
        intercept: intercept of the line, m3 m-3.
        slope: slope of the line.
    """

    variable: str
    spread: float
    intercept: float = 0.0
    slope: float = 1.0

    @property
    def needs(self) -> InputSpec:
        """Return the predictor of the product."""
        return InputSpec(cells=(self.variable,))

    def estimate(self, batch: Batch) -> Estimate:
        """Return the rescaled value of the product; NaN where missing."""
        mean = np.asarray(self.intercept + self.slope * batch.cells[:, 0].numpy(), np.float32)
        return Estimate(mean, np.where(np.isfinite(mean), np.float32(self.spread), np.float32(np.nan)))


@dataclass(frozen=True, eq=False)
class Trees:
    """Gradient-boosted trees on cell values and their history (LightGBM: Ke et al., NeurIPS 2017).

    Attributes:
        needs: cells and history; no pixels.
        booster: the fitted trees.
        spread: root mean square error at training places that the trees were not fitted on, m3 m-3.
        reads: inputs from the history.
    """

    needs: InputSpec
    booster: "lightgbm.Booster"
    spread: float
    reads: Reads = "steps"

    def estimate(self, batch: Batch) -> Estimate:
        """Return the mean of every cell, with the same standard deviation for all."""
        samples, _, height, width = batch.cells.shape
        mean = np.asarray(self.booster.predict(table_of(batch, self.needs, self.reads)), np.float32)
        mean = mean.clip(0, 1).reshape(samples, height, width)
        return Estimate(mean, np.full_like(mean, self.spread))


def table_of(batch: Batch, needs: InputSpec, reads: Reads = "steps") -> NDArray[np.float32]:
    """Return the inputs of trees, one row per cell, (batch y x, column), NaN where missing."""
    if reads == "both":
        return np.concatenate([_steps(batch, needs), _columns(batch, needs)], axis=1)
    return _steps(batch, needs) if reads == "steps" else _columns(batch, needs)


def _steps(batch: Batch, needs: InputSpec) -> NDArray[np.float32]:
    """Return cell values, then every step of the history; backscatter in decibel."""
    samples, steps, variables = batch.history.shape[:3]
    history = batch.history.reshape(samples, steps * variables, *batch.history.shape[3:])
    cells, past = batch.cells.numpy(), history.numpy()
    names = (*needs.cells, *(needs.history.variables * steps))
    values = np.concatenate([cells, past], axis=1) if past.shape[1] else cells
    rows = np.moveaxis(values, 1, -1).reshape(-1, len(names)).copy()
    for column in (index for index, name in enumerate(names) if is_decibel(name)):
        power = rows[:, column]
        rows[:, column] = 10 * np.log10(power, where=power > 0, out=np.full_like(power, np.nan))
    return rows


def _columns(batch: Batch, needs: InputSpec) -> NDArray[np.float32]:
    """Return the columns of the network's heads: current values, filtered history, season."""
    columns = feature_columns(needs, season=True)
    values = FeatureExtractor.of(batch, needs).columns(columns).numpy()
    return np.moveaxis(values, 1, -1).reshape(-1, len(columns))
