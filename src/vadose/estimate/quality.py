"""What an estimate had to go by."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vadose.fusion import Needs
from vadose.grid import PIXELS_PER_CELL
from vadose.models import Batch
from vadose.variables import SOURCES, Quality, source_of

Flags = NDArray[np.uint16]
Presence = NDArray[np.bool_]


def quality_of(batch: Batch, needs: Needs) -> Flags:
    """Which of the needed sources had nothing to say of each cell, (batch, y, x), bits of `Quality`.

    A source is missing where none of its needed variables was observed in the cell itself. The history is short
    where fewer than half of its steps hold an observation.
    """
    seen = presence(batch, needs)
    flags = np.zeros((batch.cells.shape[0], *batch.cells.shape[2:]), np.uint16)
    for source, present in seen.items():
        if source in SOURCES:
            flags |= np.where(present, 0, int(Quality.missing(source))).astype(np.uint16)
    if needs.history.variables:
        steps = _observed(batch.history).any(axis=2).mean(axis=1)
        flags |= np.where(steps < 0.5, int(Quality.HISTORY_SHORT), 0).astype(np.uint16)
    return flags


def presence(batch: Batch, needs: Needs) -> dict[str, Presence]:
    """By source, where any of its needed variables was observed, (batch, y, x); of those read as history, ever."""
    past, cells = np.asarray(_observed(batch.history).any(axis=1)), _observed(batch.cells)
    layers = dict(zip(needs.history.variables, past.swapaxes(0, 1), strict=True))
    layers |= dict(zip(needs.cells, cells.swapaxes(0, 1), strict=True))
    if needs.pixels:
        inner = _any_pixel(_observed(batch.pixels), needs.halo)
        layers |= dict(zip(needs.pixels, inner.swapaxes(0, 1), strict=True))
    found: dict[str, Presence] = {}
    for name, layer in layers.items():
        found[source_of(name)] = found.get(source_of(name), np.zeros_like(layer)) | layer
    return found


def _observed(values: Tensor) -> Presence:
    return np.asarray(np.isfinite(values.numpy()))


def _any_pixel(observed: Presence, halo: int) -> Presence:
    edge, side = halo * PIXELS_PER_CELL, PIXELS_PER_CELL
    inner = observed[..., edge : observed.shape[-2] - edge, edge : observed.shape[-1] - edge]
    *lead, height, width = inner.shape
    return np.asarray(inner.reshape(*lead, height // side, side, width // side, side).any(axis=(-3, -1)))
