"""Predictors relative to the place's own record, so that their product does not matter."""

from dataclasses import replace

import torch
from torch import Tensor

from vadose.fusion import InputSpec
from vadose.models.batch import Batch


def by_own_record(batch: Batch, needs: InputSpec) -> Batch:
    """Standardise some predictors by the history of each cell: (x - mean) / std over its observed steps.

    Products that are linearly related with a positive slope give the same result. The predictor is missing, at the time
    and in the history, if fewer steps than `min_steps` were observed or all were equal.

    Args:
        batch: physical units, NaN where missing, in the order of the needs.
        needs: names the predictors and their smallest number of steps.
    """
    cells, history = batch.cells, batch.history
    for name in needs.own_record.variables:
        place = needs.history.variables.index(name)
        steps = history[:, :, place]
        mean, std = _record(steps, needs.own_record.min_steps)
        history = _replaced(history, 2, place, (steps - mean) / std)
        if name in needs.cells:
            at = needs.cells.index(name)
            cells = _replaced(cells, 1, at, ((cells[:, at, None] - mean) / std)[:, 0])
    return replace(batch, cells=cells, history=history)


def _record(steps: Tensor, min_steps: int) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation over the steps, (batch, 1, y, x); NaN with too few steps or equal ones."""
    there = torch.isfinite(steps)
    count = there.sum(dim=1, keepdim=True)
    values = steps.double().nan_to_num(0.0)
    mean = values.sum(dim=1, keepdim=True) / count
    std = ((values - mean) ** 2 * there).sum(dim=1, keepdim=True).div(count).sqrt()
    lowest = torch.where(there, steps, torch.inf).amin(dim=1, keepdim=True)
    highest = torch.where(there, steps, -torch.inf).amax(dim=1, keepdim=True)
    return mean, torch.where((count >= min_steps) & (highest > lowest), std, torch.nan)


def _replaced(values: Tensor, axis: int, place: int, by: Tensor) -> Tensor:
    """Return the values with one variable replaced."""
    parts = list(values.unbind(axis))
    parts[place] = by.to(values.dtype)
    return torch.stack(parts, dim=axis)
