"""The ground of a region: terrain, soil, what grows on it and how rough it is, on pixels of 40 m."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from vadose.world.climates import Climate
from vadose.world.soil import Hydraulics, hydraulics

Floats = NDArray[np.floating]
FIELD_M = 40
"""Size of a pixel of the ground."""
PER_CELL = 8
"""Pixels of the ground along a cell."""


@dataclass(frozen=True, eq=False)
class Land:
    """A region's ground, each (y, x) on pixels of 40 m.

    Attributes:
        elevation: m.
        wetness: topographic wetness, standardised: high in hollows.
        sand, clay: mass fractions.
        water: how the soil holds water.
        cover: 0 crops, 1 grass, 2 bare or sparse.
        vigour: of the vegetation, about 1.
        roughness_m: root mean square height of the surface.
    """

    elevation: Floats
    wetness: Floats
    sand: Floats
    clay: Floats
    water: Hydraulics
    cover: NDArray[np.intp]
    vigour: Floats
    roughness_m: Floats


def make_land(side_cells: int, climate: Climate, mean_elevation_m: float, rng: np.random.Generator) -> Land:
    """Ground of a climate, by chance."""
    side = side_cells * PER_CELL
    height = fractal(side, 2.2, rng)
    texture = 0.6 * fractal(side, 1.6, rng) - 0.4 * height
    clay = np.clip(climate.clay * np.exp(0.30 * texture), 0.03, 0.55)
    sand = np.clip(climate.sand * np.exp(-0.25 * texture + 0.10 * fractal(side, 1.6, rng)), 0.04, 0.92 - clay)
    cover = _fields(side, rng)
    rough = np.where(cover == 0, 0.014, 0.008) * np.exp(0.2 * _patchwork(side, rng))
    return Land(
        elevation=mean_elevation_m + climate.relief_m * height,
        wetness=_standard(_hollowness(height)),
        sand=sand,
        clay=clay,
        water=hydraulics(sand, clay),
        cover=cover,
        vigour=np.exp(0.25 * _patchwork(side, rng)),
        roughness_m=rough,
    )


def fractal(side: int, exponent: float, rng: np.random.Generator) -> Floats:
    """A random field of zero mean and unit spread with a power-law spectrum, (side, side).

    Args:
        side: pixels.
        exponent: amplitude falls as frequency to this power; natural terrain has about 2 (Turcotte 1997, ch. 7).
        rng: of the noise.
    """
    padded = 2 * side
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(padded), np.fft.rfftfreq(padded), indexing="ij"))
    frequency[0, 0] = np.inf
    noise = np.fft.rfft2(rng.standard_normal((padded, padded)))
    return _standard(np.fft.irfft2(noise * frequency**-exponent, s=(padded, padded))[:side, :side])


def _hollowness(height: Floats) -> Floats:
    """Curvature of the terrain over some 200 m: positive in hollows, where water gathers."""
    around = sum(np.roll(height, shift, axis) for shift in (-5, 5) for axis in (0, 1)) / 4
    return np.asarray(around - height - 0.05 * height)


def _fields(side: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.digitize(_patchwork(side, rng), [0.1, 1.0])


def _patchwork(side: int, rng: np.random.Generator) -> Floats:
    """Fields of about 300 m, each of one random number."""
    count = (side * FIELD_M // 300) ** 2
    seeds = rng.random((count, 2)) * side
    values = rng.standard_normal(count)
    y, x = np.mgrid[:side, :side]
    return np.asarray(values[cKDTree(seeds).query(np.stack([y, x], axis=-1))[1]])


def _standard(field: Floats) -> Floats:
    return np.asarray((field - field.mean()) / field.std())
