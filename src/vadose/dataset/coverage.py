"""How many samples each source was observed for."""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from vadose.dataset.writer import Samples
from vadose.fusion import InputSpec
from vadose.registry import PREDICTORS, source_of


def observed(samples: Samples, holds: InputSpec) -> Counter[str]:
    """Count the samples that have a value of each source, at their time or in their history.

    Args:
        samples: of the arrays that `holds` names.
        holds: what each sample has.

    Returns:
        A count for every source of `holds`, 0 for one that no sample has.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    groups = (
        (holds.cells, samples.cells[:, np.newaxis]),
        (holds.history.variables, samples.history),
        (holds.pixels, None if samples.pixels is None else np.moveaxis(samples.pixels, 1, -1)),
    )
    for names, values in groups:
        for place, name in enumerate(names):
            if name in PREDICTORS and values is not None:
                there = np.asarray(np.isfinite(values[..., place]).reshape(len(samples.index), -1).any(axis=1))
                source = source_of(name)
                found[source] = found[source] | there if source in found else there
    return Counter({source: int(there.sum()) for source, there in found.items()})


def total(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add counts by source, those of 0 included."""
    counts: dict[str, int] = {}
    for part in parts:
        for source, count in part.items():
            counts[source] = counts.get(source, 0) + count
    return counts


def shares(counts: Mapping[str, int], samples: int) -> dict[str, float]:
    """Part of all samples that each source was observed for, 0..1, by the name of the source."""
    return {source: count / samples for source, count in sorted(counts.items())}


def shares_text(coverage: Mapping[str, float], of: str) -> str:
    """Name how much of a result each source was observed for.

    Args:
        coverage: 0..1 by source.
        of: what the result consists of, such as "samples".
    """
    return f"Observed, of all {of}: " + ", ".join(f"{source} {share:.0%}" for source, share in coverage.items())
