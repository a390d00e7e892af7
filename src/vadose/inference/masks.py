"""Quality flags of masks: frozen soil, water and towns."""

import numpy as np
from numpy.typing import NDArray

from vadose.fusion import FeatureCube, InputSpec
from vadose.registry import QualityFlag, masks

Flags = NDArray[np.uint32]
"""Bits of `Quality`."""


def mask_spec() -> InputSpec:
    """Return the input specification of `mask_flags`."""
    return InputSpec(cells=tuple(masks()))


def mask_flags(inputs: FeatureCube) -> Flags:
    """Return frozen, water and urban cells, (y, x), bits of `Quality`; no flag without data.

    Args:
        inputs: inputs of a tile, assembled to `mask_spec`.
    """
    flags = np.zeros(tuple(inputs.tile.cells.shape), np.uint32)
    for name, mask in masks().items():
        flags |= flag_where(inputs.cells[name].values >= mask.share, mask.flag)
    return flags


def flag_where(there: NDArray[np.bool_], flag: QualityFlag) -> Flags:
    """Return a flag where a condition is met."""
    return np.where(there, int(flag), 0).astype(np.uint32)
