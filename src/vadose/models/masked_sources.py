"""Masking of sources in a batch."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from vadose.fusion import InputSpec
from vadose.models.batch import Batch
from vadose.registry import source_of


def sources_of(needs: InputSpec) -> list[str]:
    """Return the sources of some needs, by name."""
    return sorted({source_of(name) for name in needs.names})


def mask_sources(batch: Batch, needs: InputSpec, sources: Sequence[str], lost: Tensor) -> Batch:
    """Mask complete sources, at the time and in the history.

    Args:
        batch: physical units, NaN where missing.
        needs: order of the batch.
        sources: columns of `lost`, among them every source of the needs.
        lost: (sample or 1, source), whether it is masked.
    """

    def part(values: Tensor, names: tuple[str, ...], axis: int) -> Tensor:
        if not names:
            return values
        gone = lost[:, [sources.index(source_of(name)) for name in names]]
        shape = [1] * values.ndim
        shape[0], shape[axis] = gone.shape
        return values.masked_fill(gone.reshape(shape), torch.nan)

    return replace(
        batch,
        pixels=part(batch.pixels, needs.pixels, 1),
        cells=part(batch.cells, needs.cells, 1),
        history=part(batch.history, needs.history.variables, 2),
    )
