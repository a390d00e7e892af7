"""What Sentinel-2 sees of soil and vegetation: surface reflectance."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]
BANDS = ("B02", "B03", "B04", "B08", "B11", "B12")
DRY_SOIL = (0.10, 0.14, 0.19, 0.27, 0.36, 0.32)
"""Reflectance of dry loam, of the order of the ECOSTRESS spectral library."""
WET_SHARE = (0.50, 0.50, 0.50, 0.52, 0.42, 0.38)
"""Of it that remains when the pores are full."""
LEAVES = (0.03, 0.06, 0.035, 0.42, 0.20, 0.09)
"""Reflectance of a closed green canopy."""
SNOW = (0.80, 0.80, 0.78, 0.70, 0.10, 0.08)
"""Reflectance of old snow, dark beyond 1.4 micrometres; after Warren, Rev. Geophys. 20:67-89, 1982."""
DARKENING = 4.0
"""How fast soil darkens with the share of its pores that is full."""


def reflectance(band: str, moisture: ArrayLike, saturation: ArrayLike, leaf_area: ArrayLike) -> Floats:
    """Reflectance of soil under leaves, 0..1.

    Soil darkens exponentially with its water (Lobell & Asner, SSSAJ 66:722-727, 2002); the canopy covers
    1 - exp(-0.5 LAI) of it (Beer-Lambert, spherical leaves).

    Args:
        band: of Sentinel-2.
        moisture: m3 m-3.
        saturation: of the soil, m3 m-3.
        leaf_area: leaf area index, m2 m-2.
    """
    place = BANDS.index(band)
    full = np.asarray(moisture, float) / np.asarray(saturation, float)
    wet = DRY_SOIL[place] * WET_SHARE[place]
    soil = wet + (DRY_SOIL[place] - wet) * np.exp(-DARKENING * full)
    open_share = np.exp(-0.5 * np.asarray(leaf_area, float))
    return np.asarray(soil * open_share + LEAVES[place] * (1 - open_share))


def snow(band: str) -> float:
    """Reflectance of snow in a band of Sentinel-2."""
    return SNOW[BANDS.index(band)]
