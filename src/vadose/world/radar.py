"""What a C-band radar sees of soil and vegetation, in linear power."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vadose.world.dielectric import permittivity, reflectivities

Floats = NDArray[np.floating]
WAVENUMBER = 2 * np.pi * 5.405e9 / 299_792_458
"""Of Sentinel-1, rad m-1."""
LOOKS = 4.4
"""Equivalent number of looks of a Sentinel-1 IW GRD product at high resolution (ESA product specification)."""
CLOUD = {"vv": (0.0012, 0.091), "vh": (0.0030, 0.080)}
"""Scattering and attenuation of vegetation: VV as in Bindlish & Barros, RSE 76:130-137, 2001, table 2 (all land uses);
VH is ours."""


def bare_soil(moisture: ArrayLike, angle_deg: ArrayLike, roughness_m: ArrayLike) -> tuple[Floats, Floats]:
    """Backscatter of bare soil, sigma naught of VV and VH.

    Oh, Sarabandi & Ulaby, An empirical model and an inversion technique for radar scattering from bare soil surfaces,
    IEEE TGRS 30(2):370-381, 1992; the permittivity is Topp's.

    Args:
        moisture: m3 m-3.
        angle_deg: incidence, degrees.
        roughness_m: root mean square height, m.
    """
    eps, angle = permittivity(moisture), np.radians(angle_deg)
    ks = WAVENUMBER * np.asarray(roughness_m, float)
    nadir = reflectivities(eps, 0.0)[0]
    horizontal, vertical = reflectivities(eps, angle_deg)
    root_p = 1 - (2 * angle / np.pi) ** (1 / (3 * nadir)) * np.exp(-ks)
    q = 0.23 * np.sqrt(nadir) * (1 - np.exp(-ks))
    g = 0.7 * (1 - np.exp(-0.65 * ks**1.8))
    vv = g * np.cos(angle) ** 3 / root_p * (vertical + horizontal)
    return vv, q * vv


def vegetated(soil: tuple[Floats, Floats], water_kg_m2: ArrayLike, angle_deg: ArrayLike) -> tuple[Floats, Floats]:
    """Backscatter through vegetation, sigma naught of VV and VH.

    Attema & Ulaby, Vegetation modeled as a water cloud, Radio Science 13(2):357-364, 1978.

    Args:
        soil: VV and VH of the bare soil.
        water_kg_m2: water of the vegetation.
        angle_deg: incidence, degrees.
    """
    water, cosine = np.asarray(water_kg_m2, float), np.cos(np.radians(angle_deg))
    seen = []
    for power, (scatter, attenuation) in zip(soil, CLOUD.values(), strict=True):
        through = np.exp(-2 * attenuation * water / cosine)
        seen.append(scatter * water * cosine * (1 - through) + through * power)
    return seen[0], seen[1]


def gamma_naught(sigma_naught: Floats, angle_deg: ArrayLike) -> Floats:
    """Backscatter by area across the beam, as radiometrically terrain corrected products have it.

    Small, Flattening gamma: radiometric terrain correction for SAR imagery, IEEE TGRS 49(8):3081-3093, 2011; on an
    ellipsoid.
    """
    return np.asarray(sigma_naught / np.cos(np.radians(angle_deg)))


def speckle(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Multiplicative noise of unit mean: gamma, with `LOOKS` looks (Ulaby & Long 2014, ch. 5)."""
    return rng.standard_gamma(LOOKS, shape, dtype=np.float32) / np.float32(LOOKS)
