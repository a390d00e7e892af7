"""Augmentation: rotated and mirrored chips."""

import numpy as np
from numpy.typing import NDArray

from vadose.dataset.store import Floats, Rows

WAYS = 8
"""Symmetries of the square: four rotations, and the same of its mirror image."""


def ways(rows: Rows, seed: int, epoch: int) -> NDArray[np.intp]:
    """Return the symmetry of each row in an epoch, 0..7, random by row, independent of its batch."""
    mixed = rows.astype(np.uint64)
    for number in (seed, epoch, WAYS):
        mixed = _mixed(mixed + np.uint64(number))
    return (mixed % np.uint64(WAYS)).astype(np.intp)


def augment(chips: Floats, way: NDArray[np.intp]) -> Floats:
    """Rotate and mirror chips.

    This is valid for predictors that are values of their pixel and not directions: backscatter, reflectance and
    elevation move with the ground, and so does the incidence angle, whose value at each pixel is unchanged. Relations
    to the compass are lost: shadows fall, and slopes face the radar, from other sides. The central cell remains the
    central cell.

    Args:
        chips: (sample, channel, y, x), y and x of the same length.
        way: (sample,), from `ways`; 0 leaves a chip unchanged.
    """
    out = np.empty_like(chips)
    for number in np.unique(way):
        these = way == number
        quarter, mirrored = number % 4, number >= 4
        part = chips[these][..., ::-1] if mirrored else chips[these]
        out[these] = np.rot90(part, int(quarter), axes=(-2, -1))
    return out


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash numbers so that every bit depends on all input bits (SplitMix64, Steele et al. 2014, doi
    10.1145/2714064.2660195).
    """
    with np.errstate(over="ignore"):
        numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: NDArray[np.uint64] = numbers ^ (numbers >> np.uint64(31))
        return mixed
