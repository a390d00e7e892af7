"""Derived variables of a network: variables unchanged or in decibel, and ratios sensitive to water.

The normalised differences are NDVI (Tucker, Remote Sens. Environ. 8:127-150, 1979) and NDMI (Gao, Remote Sens. Environ.
58:257-266, 1996); the ratio of the two bands of the short-wave infrared follows the water of bare ground (Sadeghi et
al., Remote Sens. Environ. 198:52-68, 2017); the cross-ratio of backscatter follows the vegetation (Vreugdenhil et al.,
Remote Sens. 10:1396, 2018).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vadose.models.pixel_scaler import is_decibel

SMALLEST = 1e-3
"""Smallest reflectance of a ratio."""


@dataclass(frozen=True)
class SpectralIndex:
    """An index of two variables.

    Attributes:
        of: the two.
        formula: formula of their values.
        instead_of: which of the two the index replaces as an input.
        usual: mean and standard deviation over land, until they are fitted.
    """

    of: tuple[str, str]
    formula: Callable[[Tensor, Tensor], Tensor]
    instead_of: tuple[str, ...]
    usual: tuple[float, float]


def _difference(first: Tensor, second: Tensor) -> Tensor:
    total = first + second
    return torch.where(total > SMALLEST, (first - second) / total, torch.nan).clamp(-1, 1)


def _log_ratio(first: Tensor, second: Tensor) -> Tensor:
    return torch.log(first.clamp(min=SMALLEST) / second.clamp(min=SMALLEST))


INDICES: Mapping[str, SpectralIndex] = {
    "cross_ratio": SpectralIndex(("vh", "vv"), torch.sub, (), (-7.0, 3.0)),
    "ndvi": SpectralIndex(("B08", "B04"), _difference, ("B08", "B04"), (0.4, 0.25)),
    "ndmi": SpectralIndex(("B08", "B11"), _difference, ("B08",), (0.1, 0.25)),
    "swir_ratio": SpectralIndex(("B12", "B11"), _log_ratio, (), (-0.4, 0.3)),
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


def read(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs from variables, with all indices that can be computed.

    Args:
        values: values by name, physical units, NaN where missing.

    Returns:
        By name, of the same shapes: 10 log10 of a linear power, other variables unchanged, and the indices.
    """
    readings = {name: in_decibel(value) if is_decibel(name) else value for name, value in values.items()}
    pairs = {name: INDICES[name] for name in formed(values)}
    return readings | {name: i.formula(readings[i.of[0]], readings[i.of[1]]) for name, i in pairs.items()}


def in_decibel(power: Tensor) -> Tensor:
    """Return 10 log10 of a linear power; NaN where it is not positive."""
    return 10 * torch.log10(torch.where(power > 0, power, torch.nan))
