"""Source dropout: removal of sources in training, so that the network works without them."""

import torch
from torch import Tensor

from vadose.fusion import InputSpec
from vadose.models import Batch, mask_sources, sources_of
from vadose.models.pixel_scaler import is_decibel
from vadose.registry import source_of


def drop_sources(
    batch: Batch, needs: InputSpec, probability: float, generator: torch.Generator, sensor: Tensor | None = None
) -> Batch:
    """Mask each source, as a whole, in each sample with a probability; at least one observed source remains.

    The remaining source is drawn, in each sample, among the sources observed there. The samples of one sensor share
    their random numbers.

    Args:
        batch: physical units, NaN where missing.
        needs: order of the batch.
        probability: probability of masking one source, 0..1.
        generator: random numbers on the CPU, so that they are the same on every device.
        sensor: (sample,), sensor numbers; by default each sample has its own random numbers.
    """
    sources = sources_of(needs)
    samples = batch.cells.shape[0]
    device = batch.cells.device
    own = torch.arange(samples, device=device) if sensor is None else torch.unique(sensor, return_inverse=True)[1]
    lost = (torch.rand((samples, len(sources)), generator=generator) < probability).to(device)[own]
    rank = torch.rand((samples, len(sources)), generator=generator).to(device)[own]
    kept = (rank + _observed(batch, needs, sources)).argmax(dim=1, keepdim=True)
    lost.scatter_(1, kept, False)
    return mask_sources(batch, needs, sources, lost)


def _observed(batch: Batch, needs: InputSpec, sources: list[str]) -> Tensor:
    """Return whether a source was observed, (sample, source)."""
    seen = torch.zeros(batch.cells.shape[0], len(sources), dtype=torch.bool, device=batch.cells.device)
    parts = (
        (batch.pixels, needs.pixels, 1),
        (batch.cells, needs.cells, 1),
        (batch.history, needs.history.variables, 2),
    )
    for values, names, axis in parts:
        for number, name in enumerate(names):
            of = values.select(axis, number).flatten(1)
            there = torch.isfinite(of) & (of > 0) if is_decibel(name) else torch.isfinite(of)
            seen[:, sources.index(source_of(name))] |= there.any(dim=1)
    return seen
