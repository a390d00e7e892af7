"""Derived variables of a network: variables unchanged or in decibel, and ratios sensitive to water."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vadose.models.pixel_scaler import is_decibel
from vadose.models.spectral_indices import INDICES, formed

SMALLEST = 1e-3
"""Smallest reflectance of a ratio."""


def _difference(first: Tensor, second: Tensor) -> Tensor:
    total = first + second
    return torch.where(total > SMALLEST, (first - second) / total, torch.nan).clamp(-1, 1)


def _log_ratio(first: Tensor, second: Tensor) -> Tensor:
    return torch.log(first.clamp(min=SMALLEST) / second.clamp(min=SMALLEST))


_FORMULAS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_ratio": torch.sub,
    "ndvi": _difference,
    "ndmi": _difference,
    "swir_ratio": _log_ratio,
}
"""Of the two variables of each index."""


def read(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs from variables, with all indices that can be computed.

    Args:
        values: values by name, physical units, NaN where missing.

    Returns:
        By name, of the same shapes: 10 log10 of a linear power, other variables unchanged, and the indices.
    """
    readings = {name: in_decibel(value) if is_decibel(name) else value for name, value in values.items()}
    pairs = {name: INDICES[name] for name in formed(values)}
    return readings | {name: _FORMULAS[name](*(readings[one] for one in i.of)) for name, i in pairs.items()}


def in_decibel(power: Tensor) -> Tensor:
    """Return 10 log10 of a linear power; NaN where it is not positive."""
    return 10 * torch.log10(torch.where(power > 0, power, torch.nan))
