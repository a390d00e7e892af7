"""Quality flags of estimates."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vadose.fusion import FeatureCube, InputSpec, TemporalPolicy
from vadose.fusion.regrid import blocks
from vadose.fusion.slope import SLOPE
from vadose.grid import PIXELS_PER_CELL
from vadose.inference.masks import flag_where
from vadose.models import Batch, FusionNetwork, Model
from vadose.registry import SOURCES, SPECS, Quality, source_of

Flags = NDArray[np.uint32]
Presence = NDArray[np.bool_]
Layer = tuple[str, Presence]
Ages = Mapping[str, NDArray[np.float32]]

STEEP_DEGREES = 15.0
"""Mean slope of a cell above which its backscatter depends on the relief more than on the soil."""
CLEAR = 0.5
"""Fraction of a cell that a source which clouds obscure should observe."""


def missing_source_flags(batch: Batch, needs: InputSpec) -> Flags:
    """Return which of the needed sources are missing in each cell, (batch, y, x), bits of `Quality`.

    A source is missing if none of its needed variables was observed in the cell at the time itself; a source that is
    needed only as history, if none was ever observed. The history is short if fewer than half of its steps have an
    observation.
    """
    now = _by_source(_layers_now(batch, needs))
    flags = _missing(batch, _by_source(_layers_before(batch, needs)) | now)
    if needs.history.variables:
        steps = _observed(batch.history).any(axis=2).mean(axis=1)
        flags |= np.where(steps < 0.5, int(Quality.HISTORY_SHORT), 0).astype(np.uint32)
    return flags


def out_of_distribution(models: Sequence[Model], batch: Batch) -> Flags:
    """Return where most networks read inputs far from their training samples, (batch, y, x), bits of `Quality`."""
    flagged = [model.out_of_distribution(batch) for model in models if isinstance(model, FusionNetwork)]
    shape = (batch.cells.shape[0], *batch.cells.shape[2:])
    most = np.mean(flagged, axis=0) > 0.5 if flagged else np.zeros(shape, bool)
    return flag_where(most, Quality.OUT_OF_DOMAIN)


def ages_of(inputs: FeatureCube, sources: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Return the observation age of each cell, days, (y, x), by source; NaN where there is none."""
    names = {source: f"{source}_age" for source in sources}
    return {source: inputs.cells[name].values for source, name in names.items() if name in inputs.cells}


def cell_flags(inputs: FeatureCube, ages: Ages, windows: TemporalPolicy) -> Flags:
    """Return stale, cloudy and steep cells, (y, x), bits of `Quality`, from the cell alone.

    Args:
        inputs: inputs of a tile.
        ages: observation ages by source.
        windows: temporal policy with the maximum ages.
    """
    flags = np.zeros(tuple(inputs.tile.cells.shape), np.uint32)
    for source, age in ages.items():
        flags |= flag_where(age > windows.of(source) / 2, Quality.STALE)
    for source in ages:
        obscured = SPECS[source].obscured
        if obscured is not None:
            seen = inputs.cells[f"{source}_valid_fraction"].values
            flags |= flag_where((seen > 0) & (seen < CLEAR), obscured)
    if SLOPE in inputs.cells:
        flags |= flag_where(inputs.cells[SLOPE].values >= STEEP_DEGREES, Quality.STEEP)
    return flags


def absent(batch: Batch, needs: InputSpec) -> Flags:
    """Return which needed sources are observed neither at the time nor in the history, (batch, y, x)."""
    return _missing(batch, presence(batch, needs))


def presence(batch: Batch, needs: InputSpec) -> dict[str, Presence]:
    """Return by source where any needed variable was observed, at the time or in the history, (batch, y, x)."""
    return _by_source([*_layers_now(batch, needs), *_layers_before(batch, needs)])


def any_observed(batch: Batch, needs: InputSpec) -> Presence:
    """Return where a model has any input, (batch, y, x): everywhere, if it needs no source."""
    found = list(presence(batch, needs).values())
    shape = (batch.cells.shape[0], *batch.cells.shape[2:])
    return np.asarray(np.logical_or.reduce(found)) if found else np.ones(shape, bool)


def _missing(batch: Batch, there: Mapping[str, Presence]) -> Flags:
    flags = np.zeros((batch.cells.shape[0], *batch.cells.shape[2:]), np.uint32)
    for source, present in there.items():
        if source in SOURCES:
            flags |= np.where(present, 0, int(Quality.missing(source))).astype(np.uint32)
    return flags


def _layers_now(batch: Batch, needs: InputSpec) -> list[Layer]:
    layers: list[Layer] = list(zip(needs.cells, _observed(batch.cells).swapaxes(0, 1), strict=True))
    if needs.pixels:
        inner = _any_pixel(_observed(batch.pixels), needs.halo)
        layers += zip(needs.pixels, inner.swapaxes(0, 1), strict=True)
    return layers


def _layers_before(batch: Batch, needs: InputSpec) -> list[Layer]:
    past = np.asarray(_observed(batch.history).any(axis=1))
    return list(zip(needs.history.variables, past.swapaxes(0, 1), strict=True))


def _by_source(layers: Sequence[Layer]) -> dict[str, Presence]:
    found: dict[str, Presence] = {}
    for name, layer in layers:
        found[source_of(name)] = found.get(source_of(name), np.zeros_like(layer)) | layer
    return found


def _observed(values: Tensor) -> Presence:
    return np.asarray(np.isfinite(values.numpy()))


def _any_pixel(observed: Presence, halo: int) -> Presence:
    edge, side = halo * PIXELS_PER_CELL, PIXELS_PER_CELL
    inner = observed[..., edge : observed.shape[-2] - edge, edge : observed.shape[-1] - edge]
    return np.asarray(blocks(inner, side).any(axis=(-3, -1)))
