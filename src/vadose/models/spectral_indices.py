"""Spectral indices and the cross-ratio of backscatter, inputs of networks in place of the variables that they compare.

The normalised differences are NDVI (Tucker, Remote Sens. Environ. 8:127-150, 1979) and NDMI (Gao, Remote Sens. Environ.
58:257-266, 1996); the ratio of the two bands of the short-wave infrared follows the water of bare ground (Sadeghi et
al., Remote Sens. Environ. 198:52-68, 2017); the cross-ratio of backscatter follows the vegetation (Vreugdenhil et al.,
Remote Sens. 10:1396, 2018).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SpectralIndex:
    """An index of two variables.

    Attributes:
        of: the two.
        instead_of: which of the two the index replaces as an input.
        usual: mean and standard deviation over land, until they are fitted.
    """

    of: tuple[str, str]
    instead_of: tuple[str, ...]
    usual: tuple[float, float]


INDICES: Mapping[str, SpectralIndex] = {
    "cross_ratio": SpectralIndex(("vh", "vv"), (), (-7.0, 3.0)),
    "ndvi": SpectralIndex(("B08", "B04"), ("B08", "B04"), (0.4, 0.25)),
    "ndmi": SpectralIndex(("B08", "B11"), ("B08",), (0.1, 0.25)),
    "swir_ratio": SpectralIndex(("B12", "B11"), (), (-0.4, 0.3)),
}
"""Indices by name; the cross-ratio in dB."""


def formed(names: Iterable[str]) -> tuple[str, ...]:
    """Return the indices that can be computed from some variables."""
    there = set(names)
    return tuple(name for name, index in INDICES.items() if there.issuperset(index.of))


def derived_variables(names: Iterable[str]) -> tuple[str, ...]:
    """Return the inputs from some variables: the indices, and the variables that no index replaces."""
    there = dict.fromkeys(names)
    indices = formed(there)
    spoken_for = {name for index in indices for name in INDICES[index].instead_of}
    return (*(name for name in there if name not in spoken_for), *indices)
