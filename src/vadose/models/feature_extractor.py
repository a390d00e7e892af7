"""Extraction of the heads' columns from a batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import tau

import torch
from torch import Tensor

from vadose.fusion import InputSpec
from vadose.grid import PIXELS_PER_CELL
from vadose.models.batch import Batch
from vadose.models.derived_variables import read
from vadose.models.feature_columns import Column, Kind
from vadose.models.history_filters import HistoryFilters

YEAR_DAYS = 365.25
SMALLEST_RANGE = 1e-3
"""Added to the range of the history, in the units of its quantity, so that a constant has a position in it."""


@dataclass(frozen=True, eq=False)
class FeatureExtractor:
    """Values of the cells of a batch.

    Attributes:
        now: current quantities, (batch, y, x).
        past: their history.
        day: of the year, (batch, y, x).
    """

    now: Mapping[str, Tensor]
    past: Mapping[str, HistoryFilters]
    day: Tensor

    @classmethod
    def of(cls, batch: Batch, needs: InputSpec) -> "FeatureExtractor":
        """Read a batch: missing current cell values come from the pixels, or else from the latest step."""
        past = read({name: batch.history[:, :, i] for i, name in enumerate(needs.history.variables)})
        latest = {name: batch.history[:, 0, i] for i, name in enumerate(needs.history.variables)}
        means = dict(zip(needs.pixels, cell_means(batch.pixels, needs.halo).unbind(1), strict=False))
        cells = dict(zip(needs.cells, batch.cells.unbind(1), strict=True))
        now = read(latest | means | cells)
        like = next(iter(now.values()))
        day = batch.day_of_year.to(like)[:, None, None].expand_as(like)
        return cls(now, {name: HistoryFilters(steps, needs.history.step_days) for name, steps in past.items()}, day)

    def columns(self, columns: tuple[Column, ...]) -> Tensor:
        """Return the columns, (batch, column, y, x); NaN where missing."""
        return torch.stack([self._value(column) for column in columns], dim=1)

    def steps(self, columns: tuple[Column, ...]) -> Tensor:
        """Return columns of each step of the history, (batch, step, column, y, x); NaN where missing."""
        return torch.stack([self.past[column.quantity].each(column) for column in columns], dim=2)

    def _value(self, column: Column) -> Tensor:
        match column.kind:
            case Kind.NOW | Kind.STATIC:
                return self.now[column.quantity]
            case Kind.SINE:
                return torch.sin(tau * self.day / YEAR_DAYS)
            case Kind.COSINE:
                return torch.cos(tau * self.day / YEAR_DAYS)
        return _of_past(self.past[column.quantity], self.now[column.quantity], column)


def _of_past(past: HistoryFilters, now: Tensor, column: Column) -> Tensor:
    match column.kind:
        case Kind.DEPARTURE:
            return now - past.mean
        case Kind.WITHIN:
            return (now - past.lowest) / (past.highest - past.lowest + SMALLEST_RANGE)
        case Kind.FILTERED:
            return past.filtered(column.span)
        case Kind.FILTERED_DEPARTURE:
            return past.filtered(column.span) - past.mean
        case Kind.LAG | Kind.CHANGE:
            earlier = past.before(int(column.span))
            return earlier if column.kind is Kind.LAG else now - earlier
    statistics = {Kind.MEAN: past.mean, Kind.STD: past.std, Kind.LOWEST: past.lowest, Kind.HIGHEST: past.highest}
    return statistics[column.kind]


def cell_means(pixels: Tensor, halo: int) -> Tensor:
    """Return the mean of the observed pixels of each cell within the halo: (batch, channel, y, x), from 10 m to 320
    m.
    """
    side, edge = PIXELS_PER_CELL, halo * PIXELS_PER_CELL
    inner = pixels[..., edge : pixels.shape[-2] - edge, edge : pixels.shape[-1] - edge]
    batch, channels, height, width = inner.shape
    blocks = inner.reshape(batch, channels, height // side, side, width // side, side)
    return blocks.nanmean(dim=(3, 5))
