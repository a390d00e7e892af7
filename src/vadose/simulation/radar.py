"""C-band backscatter of soil and vegetation, in linear power."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vadose.simulation.dielectric import permittivity, reflectivities
from vadose.simulation.land import FOREST, URBAN, WATER, Land
from vadose.simulation.state import SurfaceState

Floats = NDArray[np.floating]
WAVENUMBER = 2 * np.pi * 5.405e9 / 299_792_458
"""Wavenumber of Sentinel-1, rad m-1."""
DRIEST = 0.01
"""Residual liquid water of soil, m3 m-3."""
CLOUD = {"vv": (0.0950, 0.5513), "vh": (0.0413, 1.1662)}
"""Scattering and attenuation of crops and grass per unit of vegetation index.

After Baghdadi, El Hajj, Zribi & Bousbih, Calibration of the water cloud model at C-band for winter crop fields and
grasslands, Remote Sensing 9(9):969, 2017; the values were not compared with their table, and count as our choice.
"""
INDEX = (0.17, 0.85)
"""Normalised difference vegetation index of bare soil and of a closed canopy."""
WOODS, WOODS_DEPTH = (0.135, 0.036), 1.1
"""Gamma naught of VV and VH of a closed forest, the same at every angle, and its optical depth at nadir.

Our choice, between rain forest (about -6.5 and -12.5 dB, to which Sentinel-1 images are calibrated) and sparse
boreal woods.
"""
UNSTEADY_DB, ROWS_DB = 0.9, 0.7
"""Variation from pass to pass in each field, as by rain on leaves and dew, and from orbit to orbit by the direction of
its rows; our choice, so that the sensitivity to moisture does not exceed that of real data.
"""
TOWN, TOWN_SPREAD = (0.28, 0.045), 0.6
"""Sigma naught of a town, and the standard deviation of its logarithm between patches; our choice."""
LAKE, WIND_DB = (0.009, 0.0010), 2.0
"""Sigma naught of water in a moderate wind, and its variation with the wind of a pass; our choice."""
NESZ_DB = -27.0
"""Noise equivalent sigma naught of both polarisations: the receiver's own noise.

Specified as -22 dB or better (ESA, Sentinel-1 technical guide, instrument performance); the value is our choice below
the darkest windows of 90 m in three real scenes, -25.8 dB of gamma naught in VH, an upper bound on the noise.
"""
WET_SNOW, WET_SNOW_MM = 0.4, 5.0
"""Fraction of the power that remains under wet snow, and its smallest water equivalent: 3 dB and more are lost (Nagler
& Rott, IEEE
TGRS 38:754-765, 2000). Dry snow is transparent."""
THAWING_C = 0.0
"""Air temperature above which snow melts and is wet."""


def backscatter(now: SurfaceState, land: Land, angle_deg: ArrayLike) -> tuple[Floats, Floats]:
    """Return the backscatter of the ground at one time, sigma naught of VV and VH, linear, without speckle.

    Args:
        now: the state of the places.
        land: the ground.
        angle_deg: incidence, degrees.
    """
    soil = bare_soil(now.liquid, angle_deg, now.roughness_m, now.moisture * now.frozen)
    fields = vegetated(soil, vegetation_index(now.leaf_area), angle_deg)
    cosine = np.cos(np.radians(angle_deg))
    through = np.exp(-2 * WOODS_DEPTH / cosine)
    town = np.exp(TOWN_SPREAD * land.patch.normal("town"))
    snow = np.where((now.snow_mm > WET_SNOW_MM) & (now.air_c > THAWING_C), WET_SNOW, 1.0)
    kinds = [land.cover == kind for kind in (FOREST, URBAN, WATER)]
    seen = []
    for bare, grown, woods, houses, lake in zip(soil, fields, WOODS, TOWN, LAKE, strict=True):
        under_trees = woods * cosine * (1 - through) + through * bare * snow
        powers = (under_trees, houses * town, np.full_like(bare, lake))
        seen.append(np.select(kinds, powers, grown * snow))
    return seen[0], seen[1]


def scene_noise(land: Land, orbit: int, day: int) -> tuple[Floats, Floats]:
    """Return factors on VV and VH of a place in one pass, besides its moisture and plants.

    Args:
        land: its parcels.
        orbit: relative number.
        day: any number of the pass's day.
    """
    persistent = ROWS_DB * land.patch.normal(f"rows {orbit}")
    wind = WIND_DB * np.random.default_rng([orbit, day]).standard_normal()
    factors = []
    for band in CLOUD:
        fields = persistent + UNSTEADY_DB * land.patch.normal(f"{band} {orbit} {day}")
        factors.append(10 ** (np.where(land.cover == WATER, wind, fields) / 10))
    return factors[0], factors[1]


def bare_soil(
    liquid: ArrayLike, angle_deg: ArrayLike, roughness_m: ArrayLike, ice: ArrayLike = 0.0
) -> tuple[Floats, Floats]:
    """Return the backscatter of bare soil, sigma naught of VV and VH.

    Oh, Sarabandi & Ulaby, An empirical model and an inversion technique for radar scattering from bare soil surfaces,
    IEEE TGRS 30(2):370-381, 1992; for heights of 0.1 to 6 times the inverse wavenumber.

    Args:
        liquid: water of the soil, m3 m-3.
        angle_deg: incidence, degrees.
        roughness_m: root mean square height, m.
        ice: frozen water of the soil, as its volume when liquid, m3 m-3.
    """
    eps, ks = permittivity(np.maximum(liquid, DRIEST), ice), WAVENUMBER * np.asarray(roughness_m, float)
    like, cross = oh_ratios(eps, angle_deg, ks)
    horizontal, vertical = reflectivities(eps, angle_deg)
    strength = 0.7 * (1 - np.exp(-0.65 * ks**1.8))
    vv = strength * np.cos(np.radians(angle_deg)) ** 3 / np.sqrt(like) * (vertical + horizontal)
    return vv, cross * vv


def oh_ratios(eps: ArrayLike, angle_deg: ArrayLike, ks: ArrayLike) -> tuple[Floats, Floats]:
    """Return ratios of the powers HH by VV and VH by VV of bare soil, p and q of Oh, Sarabandi & Ulaby 1992.

    Args:
        eps: relative permittivity.
        angle_deg: incidence, degrees.
        ks: root mean square height times wavenumber.
    """
    nadir, fading = reflectivities(eps, 0.0)[0], np.exp(-np.asarray(ks, float))
    like = (1 - (np.asarray(angle_deg) / 90) ** (1 / (3 * nadir)) * fading) ** 2
    return like, 0.23 * np.sqrt(nadir) * (1 - fading)


def vegetation_index(leaf_area: ArrayLike) -> Floats:
    """Return the normalised difference vegetation index: linear in the leaf-covered fraction.

    Gutman & Ignatov, International Journal of Remote Sensing 19(8):1533-1543, 1998; the share is 1 - exp(-0.5 LAI).
    """
    bare, closed = INDEX
    return np.asarray(closed - (closed - bare) * np.exp(-0.5 * np.asarray(leaf_area, float)))


def vegetated(soil: tuple[Floats, Floats], index: ArrayLike, angle_deg: ArrayLike) -> tuple[Floats, Floats]:
    """Return the backscatter through vegetation, sigma naught of VV and VH.

    Attema & Ulaby, Vegetation modeled as a water cloud, Radio Science 13(2):357-364, 1978.

    Args:
        soil: VV and VH of the bare soil.
        index: index of the vegetation, 0..1.
        angle_deg: incidence, degrees.
    """
    plants, cosine = np.asarray(index, float), np.cos(np.radians(angle_deg))
    seen = []
    for power, (scatter, attenuation) in zip(soil, CLOUD.values(), strict=True):
        through = np.exp(-2 * attenuation * plants / cosine)
        seen.append(scatter * plants * cosine * (1 - through) + through * power)
    return seen[0], seen[1]


def received(sigma_naught: Floats) -> Floats:
    """Return sigma naught with the receiver's noise, as in products without noise subtraction.

    Signal and noise fade together, so that speckle multiplies their sum. ESA's GRD products contain the noise and list
    it beside the image; terrain corrected products contain it too, as real scenes show: the relative variation within
    even windows is the same from -10 to -26 dB and no pixel is without power. Noise of this strength, subtracted, would
    double that variation in the darkest windows and leave some of their pixels negative.
    """
    return np.asarray(sigma_naught + 10 ** (NESZ_DB / 10))


def gamma_naught(sigma_naught: Floats, angle_deg: ArrayLike) -> Floats:
    """Return backscatter by area perpendicular to the beam, as in radiometrically terrain corrected products.

    Small, Flattening gamma: radiometric terrain correction for SAR imagery, IEEE TGRS 49(8):3081-3093, 2011; on an
    ellipsoid.
    """
    return np.asarray(sigma_naught / np.cos(np.radians(angle_deg)))
