"""Number of samples with an observation of each source."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vadose.fusion import InputSpec
from vadose.registry import PREDICTORS, source_of

if TYPE_CHECKING:
    from vadose.dataset.writer import Samples


def observed(samples: "Samples", holds: InputSpec) -> Counter[str]:
    """Count the samples that have a value of each source, at their time or in their history.

    Args:
        samples: samples of the arrays named by `holds`.
        holds: contents of each sample.

    Returns:
        A count for every source of `holds`, possibly 0.
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
    """Add counts by source, including those of 0."""
    counts: dict[str, int] = {}
    for part in parts:
        for source, count in part.items():
            counts[source] = counts.get(source, 0) + count
    return counts


def shares(counts: Mapping[str, int], samples: int) -> dict[str, float]:
    """Return the fraction of all samples with an observation, 0..1, by source."""
    return {source: count / samples for source, count in sorted(counts.items())}


def shares_text(coverage: Mapping[str, float], of: str) -> str:
    """Return the observed fractions of a result as text.

    Args:
        coverage: 0..1 by source.
        of: what the result consists of, such as "samples".
    """
    return f"Observed, of all {of}: " + ", ".join(f"{source} {share:.0%}" for source, share in coverage.items())
