"""Surface reflectance of soil and vegetation in the bands of Sentinel-2."""

from dataclasses import dataclass

import numpy as np

from vadose.simulation.fields import Floats
from vadose.simulation.land import FOREST, URBAN, WATER, Land
from vadose.simulation.state import SurfaceState

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")
DRY_SOIL = (0.10, 0.14, 0.19, 0.22, 0.24, 0.26, 0.28, 0.39, 0.32)
"""Reflectance of dry loam; this and the other surfaces are similar to typical profiles of Sentinel-2 images
(Esri, Sentinel-2 Explorer, 2025: bare soil, healthy and dry vegetation, trees, paved surface, water, snow)."""
WET_SHARE = (0.50, 0.50, 0.50, 0.50, 0.51, 0.51, 0.52, 0.42, 0.38)
"""Fraction of it that remains with full pores."""
DARKENING = (6.5, 6.5, 6.5, 6.5, 6.5, 6.5, 6.0, 3.5, 3.0)
"""Rate at which soil darkens with the filled fraction of its pores; similar to Lobell & Asner's curves: visible and
near infrared change little beyond 0.2 m3 m-3, the short-wave infrared continues to darken."""
LEAVES = (0.03, 0.06, 0.035, 0.09, 0.30, 0.39, 0.42, 0.20, 0.09)
"""Reflectance of a closed green canopy."""
STRAW = (0.08, 0.12, 0.17, 0.20, 0.24, 0.26, 0.30, 0.36, 0.26)
"""Reflectance of dry plants: no red edge, bright in the short-wave infrared."""
NEEDLES = (0.018, 0.035, 0.020, 0.05, 0.16, 0.20, 0.22, 0.09, 0.04)
"""Reflectance of a closed forest, with the shadows among its crowns."""
ROOFS = (0.11, 0.12, 0.13, 0.15, 0.17, 0.18, 0.19, 0.21, 0.20)
LAKE = (0.05, 0.05, 0.03, 0.03, 0.02, 0.02, 0.015, 0.008, 0.005)
SNOW = (0.80, 0.80, 0.78, 0.76, 0.74, 0.72, 0.70, 0.10, 0.08)
"""Reflectance of old snow, dark beyond 1.4 micrometres; after Warren, Rev. Geophys. 20:67-89, 1982."""
STRAW_SHARE = (0.40, 0.60, 0.0, 0.10, 0.15, 0.0)
"""Ground hidden by dry plants without green leaves, by land cover; a forest floor is in shadow."""
LIGHTEST, DARKEST = 2.0, 0.45
"""Limits of the brightness of dry soil, relative to loam."""
CROWN_SNOW = 0.4
"""Fraction of a snow-covered forest that is white: crowns shed snow and hide the ground."""
SNOW_MM = 8.0
"""Water equivalent of snow that hides most of the ground."""


@dataclass(frozen=True)
class Spectrum:
    """Reflectance of all surfaces, in one band."""

    dry_soil: float
    wet_share: float
    darkening: float
    leaves: float
    straw: float
    needles: float
    roofs: float
    lake: float
    snow: float


SPECTRA = {
    band: Spectrum(*values)
    for band, *values in zip(
        BANDS, DRY_SOIL, WET_SHARE, DARKENING, LEAVES, STRAW, NEEDLES, ROOFS, LAKE, SNOW, strict=True
    )
}


def bare(band: str, moisture: Floats, saturation: Floats, brightness: Floats | float = 1.0) -> Floats:
    """Return the reflectance of bare soil, 0..1: it darkens exponentially with water (Lobell & Asner, SSSAJ 66:722-727,
    2002).

    Args:
        band: of Sentinel-2.
        moisture: m3 m-3.
        saturation: saturation of the soil, m3 m-3.
        brightness: brightness of the dry soil, relative to loam.
    """
    spectrum = SPECTRA[band]
    dry = spectrum.dry_soil * np.asarray(brightness)
    wet = dry * spectrum.wet_share
    return np.asarray(wet + (dry - wet) * np.exp(-spectrum.darkening * moisture / saturation))


def reflectance(band: str, now: SurfaceState, land: Land) -> Floats:
    """Return the reflectance of the ground at one time, 0..1.

    Plants cover 1 - exp(-0.5 LAI) of the soil (Beer-Lambert, spherical leaves); withered plants leave straw.

    Args:
        band: of Sentinel-2.
        now: the state of the places.
        land: the ground.
    """
    spectrum, woods = SPECTRA[band], land.cover == FOREST
    plants = np.where(woods, spectrum.needles, spectrum.leaves)
    open_share = np.exp(-0.5 * now.leaf_area)
    grown = _ground(band, now, land) * open_share + plants * (1 - open_share)
    roofs = spectrum.roofs * np.exp(0.2 * land.patch.normal("town"))
    towns = 0.65 * roofs + 0.35 * grown
    seen = np.select([land.cover == URBAN, land.cover == WATER], [towns, np.full_like(grown, spectrum.lake)], grown)
    white = np.clip(now.snow_mm / SNOW_MM, 0, 1) * np.where(woods, CROWN_SNOW, 1.0)
    return np.asarray(seen + (spectrum.snow - seen) * white)


def _ground(band: str, now: SurfaceState, land: Land) -> Floats:
    """Return the reflectance under the green leaves: soil and straw, more straw with fewer leaves."""
    soil = bare(band, now.moisture, land.water.saturation, brightness(land))
    straw = np.array(STRAW_SHARE)[land.cover] * np.exp(-now.leaf_area)
    return np.asarray(soil + (SPECTRA[band].straw - soil) * straw)


def brightness(land: Land) -> Floats:
    """Return brightness of dry soil relative to loam: sand is bright, organic matter dark, each field different; our
    choice.
    """
    texture = np.exp(0.9 * (land.sand - 0.4) - 0.08 * (land.organic_percent - 2.5))
    return np.asarray(np.clip(texture * np.exp(0.25 * land.patch.normal("soil colour")), DARKEST, LIGHTEST))
