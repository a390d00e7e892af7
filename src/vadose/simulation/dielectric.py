"""Permittivity of wet soil at microwaves, and Fresnel reflectivity."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]
ICE = 3.19
"""Relative permittivity of ice at microwaves, just below its melting point (Maetzler & Wegmueller, Journal of Physics D
20:1623-1630, 1987)."""
ICE_PER_WATER = 1 / 0.917
"""Volume of the ice from a unit volume of water."""


def permittivity(liquid: ArrayLike, ice: ArrayLike = 0.0) -> Floats:
    """Return the real relative permittivity of soil from its water content.

    Liquid water by Topp, Davis & Annan, Electromagnetic determination of soil water content: measurements in coaxial
    transmission lines, Water Resources Research 16(3):574-582, 1980. Ice takes the place of air in the pores and adds
    to the refractive index by its volume (Birchak, Gardner, Hipp & Victor, Proceedings of the IEEE 62(1):93-98, 1974).

    Args:
        liquid: m3 m-3, 0..0.55.
        ice: frozen water, as its volume when liquid, m3 m-3.
    """
    water, frozen = np.asarray(liquid, float), np.asarray(ice, float)
    thawed = 3.03 + 9.3 * water + 146.0 * water**2 - 76.7 * water**3
    return np.asarray((np.sqrt(thawed) + (np.sqrt(ICE) - 1) * ICE_PER_WATER * frozen) ** 2)


def reflectivities(permittivity: ArrayLike, angle_deg: ArrayLike) -> tuple[Floats, Floats]:
    """Return the power reflectivity of a smooth surface, horizontal and vertical polarisation (Ulaby & Long 2014, ch.
    2).

    Args:
        permittivity: relative, of the soil, real.
        angle_deg: incidence, degrees.
    """
    eps, angle = np.asarray(permittivity, float), np.radians(angle_deg)
    cosine, root = np.cos(angle), np.sqrt(eps - np.sin(angle) ** 2)
    horizontal = ((cosine - root) / (cosine + root)) ** 2
    vertical = ((eps * cosine - root) / (eps * cosine + root)) ** 2
    return horizontal, vertical
