"""Sources taken away in training, so that the network knows how to do without them."""

import torch
from torch import Tensor

from vadose.fusion import Needs
from vadose.models import Batch
from vadose.variables import source_of


def drop_sources(batch: Batch, needs: Needs, probability: float, generator: torch.Generator) -> Batch:
    """Make each source missing, as a whole, in each sample with a probability; one source always stays.

    Args:
        batch: physical units, NaN where missing.
        needs: whose order the batch follows.
        probability: of losing one source, 0..1.
        generator: of the random numbers.
    """
    sources = sorted({source_of(name) for name in needs.names})
    lost = torch.rand((batch.cells.shape[0], len(sources)), generator=generator) < probability
    kept = torch.randint(len(sources), (batch.cells.shape[0],), generator=generator)
    lost[torch.arange(len(lost)), kept] = False
    return Batch(
        _without(batch.pixels, needs.pixels, sources, lost, 1),
        _without(batch.cells, needs.cells, sources, lost, 1),
        _without(batch.history, needs.history.variables, sources, lost, 2),
    )


def _without(values: Tensor, names: tuple[str, ...], sources: list[str], lost: Tensor, axis: int) -> Tensor:
    if not names:
        return values
    gone = lost[:, [sources.index(source_of(name)) for name in names]]
    shape = [1] * values.ndim
    shape[0], shape[axis] = gone.shape
    return values.masked_fill(gone.reshape(shape), torch.nan)
