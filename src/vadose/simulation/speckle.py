"""Speckle: multiplicative noise of a radar image, correlated between neighbouring pixels, independent of the block.

White noise at each pixel's position is smoothed as by the radar, and transformed to the distribution of multilooked
power.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtr, ndtri

from vadose.grid import PIXEL_M, PIXELS_PER_CELL, Tile

LOOKS = 4.4
"""Equivalent number of looks of a Sentinel-1 IW GRD product at high resolution (ESA product specification)."""
RESOLUTION_M = (22, 20)
"""Resolution of that product along and across the track (ESA product specification), here to the north and to the east:
the
degrees between track and meridian are neglected."""
REACH = 3
"""Radius of the smoothing, pixels."""
WORDS = 4
"""Random numbers generated at once."""
LARGEST, FINENESS = 6.0, 1024
"""Range and number of steps of tabulated standard normal numbers."""
Noise = NDArray[np.float32]


def speckle(block: Tile, key: NDArray[np.uint64]) -> tuple[Noise, Noise]:
    """Return multiplicative noise of unit mean on the pixels of a block, of VV and of VH, (y, x) each.

    Each value is gamma distributed with `LOOKS` looks (Ulaby & Long 2014, ch. 5). A point's image has Gaussian power of
    the width `RESOLUTION_M`; the power at a distance d then has approximately the correlation exp(-d^2 / 4 s^2), with s
    the width divided by sqrt(8 log 2): 0.7, 0.25 and 0.05 at one, two and three pixels, as in even parts of real
    scenes.

    Args:
        block: the same places have the same noise in every block.
        key: key of the image, (2,).
    """
    words = _words(block, key)
    vv, vh = (_looked(_smeared(_normals()[words >> np.uint64(shift) & np.uint64(0xFFFF)])) for shift in (48, 32))
    return vv, vh


def _words(block: Tile, key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return random words of the block's pixels and of `REACH` around them: each row has a counter, each pixel a
    word.
    """
    height, width = (PIXELS_PER_CELL * cells + 2 * REACH for cells in (block.rows, block.columns))
    top, left = PIXELS_PER_CELL * block.north + REACH, PIXELS_PER_CELL * block.west - REACH
    first, last = left // WORDS, -(-(left + width) // WORDS)
    words = np.empty((height, WORDS * (last - first)), np.uint64)
    for row in range(height):
        source = np.random.Philox(key=key, counter=np.array([first, top - row, 0, 0], np.uint64))
        words[row] = source.random_raw(words.shape[1])
    return words[:, left - WORDS * first :][:, :width]


def _smeared(noise: Noise) -> Noise:
    """Return noise smoothed as by the radar, of unit variance, without the `REACH` around it."""
    along, across = (_kernel(width) for width in RESOLUTION_M)
    height, width = (size - 2 * REACH for size in noise.shape)
    rows = sum(tap * noise[shift : shift + height] for shift, tap in enumerate(along))
    return np.asarray(sum(tap * rows[:, shift : shift + width] for shift, tap in enumerate(across)))


def _looked(normal: Noise) -> Noise:
    """Return power of unit mean with `LOOKS` looks at the quantiles of these standard normal numbers."""
    place = np.clip((normal + np.float32(LARGEST)) * np.float32(FINENESS), 0, 2 * LARGEST * FINENESS)
    return np.asarray(_quantiles()[np.rint(place).astype(np.intp)])


@lru_cache
def _kernel(width_m: float) -> Noise:
    """Return the kernel of the smoothing, which preserves unit variance."""
    sigma = width_m / PIXEL_M / np.sqrt(8 * np.log(2))
    taps = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / sigma) ** 2)
    return np.asarray(taps / np.sqrt((taps**2).sum()), np.float32)


@lru_cache
def _normals() -> Noise:
    """Return a standard normal number for each word of 16 bits."""
    return np.asarray(ndtri((np.arange(2**16) + 0.5) / 2**16), np.float32)


@lru_cache
def _quantiles() -> Noise:
    normal = np.arange(2 * LARGEST * FINENESS + 1) / FINENESS - LARGEST
    return np.asarray(gammaincinv(LOOKS, ndtr(normal)) / LOOKS, np.float32)
