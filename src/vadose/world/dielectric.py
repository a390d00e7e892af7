"""How well wet soil conducts and mirrors microwaves: its permittivity, and Fresnel's reflectivities."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]


def permittivity(moisture: ArrayLike) -> Floats:
    """Real relative permittivity of soil by its liquid water.

    Topp, Davis & Annan, Electromagnetic determination of soil water content: measurements in coaxial transmission
    lines, Water Resources Research 16(3):574-582, 1980.

    Args:
        moisture: m3 m-3, 0..0.55.
    """
    water = np.asarray(moisture, float)
    return np.asarray(3.03 + 9.3 * water + 146.0 * water**2 - 76.7 * water**3)


def reflectivities(permittivity: ArrayLike, angle_deg: ArrayLike) -> tuple[Floats, Floats]:
    """Power reflected by a smooth surface, horizontal and vertical polarisation (Ulaby & Long 2014, ch. 2).

    Args:
        permittivity: relative, of the soil, real.
        angle_deg: incidence, degrees.
    """
    eps, angle = np.asarray(permittivity, float), np.radians(angle_deg)
    cosine, root = np.cos(angle), np.sqrt(eps - np.sin(angle) ** 2)
    horizontal = ((cosine - root) / (cosine + root)) ** 2
    vertical = ((eps * cosine - root) / (eps * cosine + root)) ** 2
    return horizontal, vertical
