"""What a C-band radar sees of soil and vegetation, in linear power."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]
WAVENUMBER = 2 * np.pi * 5.405e9 / 299_792_458
"""Of Sentinel-1, rad m-1."""
LOOKS = 4.4
"""Equivalent number of looks of a Sentinel-1 IW GRD product at high resolution (ESA product specification)."""
FROZEN_MOISTURE = 0.05
"""Liquid water of frozen soil as a radar sees it, m3 m-3."""


def bare_soil(moisture: ArrayLike, angle_deg: ArrayLike, roughness_m: ArrayLike) -> tuple[Floats, Floats]:
    """Backscatter of bare soil, VV and VH, linear power.

    Oh, Quantitative retrieval of soil moisture content and surface roughness from multipolarized radar observations of
    bare soil surfaces, IEEE TGRS 42(3):596-601, 2004, equations 1, 2 and 4.

    Args:
        moisture: m3 m-3.
        angle_deg: incidence, degrees.
        roughness_m: root mean square height, m.
    """
    mv, angle = np.asarray(moisture, float), np.radians(angle_deg)
    ks = WAVENUMBER * np.asarray(roughness_m, float)
    vh = 0.11 * mv**0.7 * np.cos(angle) ** 2.2 * (1 - np.exp(-0.32 * ks**1.8))
    q = 0.095 * (0.13 + np.sin(1.5 * angle)) ** 1.4 * (1 - np.exp(-1.3 * ks**0.9))
    return vh / q, vh


def vegetated(soil: tuple[Floats, Floats], water_kg_m2: ArrayLike, angle_deg: ArrayLike) -> tuple[Floats, Floats]:
    """Backscatter through vegetation, VV and VH, linear power.

    Attema & Ulaby, Vegetation modeled as a water cloud, Radio Science 13(2):357-364, 1978. For VV the coefficients of
    Bindlish & Barros, RSE 76:130-137, 2001, table 2 (all land uses); those of VH are ours.

    Args:
        soil: VV and VH of the bare soil.
        water_kg_m2: water of the vegetation.
        angle_deg: incidence, degrees.
    """
    water, cosine = np.asarray(water_kg_m2, float), np.cos(np.radians(angle_deg))
    seen = []
    for power, (scatter, attenuation) in zip(soil, ((0.0012, 0.091), (0.0030, 0.080)), strict=True):
        through = np.exp(-2 * attenuation * water / cosine)
        seen.append(scatter * water * cosine * (1 - through) + through * power)
    return seen[0], seen[1]


def speckle(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Multiplicative noise of unit mean: gamma, with `LOOKS` looks (Ulaby & Long 2014, section 5-7)."""
    return rng.standard_gamma(LOOKS, shape, dtype=np.float32) / np.float32(LOOKS)
