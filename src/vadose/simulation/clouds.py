"""Clouds over a region, their shadows, and Sentinel-2's scene classification."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from vadose.simulation.fields import Floats, Locations, random_field
from vadose.simulation.land import FOREST, URBAN, Land
from vadose.simulation.land import WATER as WATER_COVER
from vadose.simulation.state import SurfaceState
from vadose.simulation.sun import Sun

SHADOW: int = 3
VEGETATION: int = 4
BARE: int = 5
WATER: int = 6
UNCLASSIFIED: int = 7
LIKELY_CLOUD: int = 8
CLOUD: int = 9
CIRRUS: int = 10
SNOW: int = 11
"""Classes of the level 2A scene classification."""
CLOUD_M, CIRRUS_M = (60_000.0, 300.0), (150_000.0, 4_000.0)
"""Longest and shortest wavelengths of the clouds."""
CLUSTERING = 0.45
"""First shape parameter of the beta distribution of cloud cover (Falls, The beta distribution: a statistical model for
world
cloud cover, J. Geophys. Res. 79:1261-1264, 1974); below 1, skies are mostly nearly clear or nearly closed: our choice.
"""
CLOUD_HEIGHT_M = 1200.0
"""Height of the clouds that cast shadows, as of fair-weather cumulus; our choice."""
UNSEEN, SURE = 0.08, 0.3
"""Thicknesses below which a cloud, or its shadow, is classified as clear, and above which it is certainly a cloud.

Of the cloudy places about 4 %, at the edges of clouds, are classified as clear; our choice.
"""
CLOUD_WHITE, SHADE = (0.35, 0.35), 0.6
"""Reflectance of thin cloud, increment of thick cloud, and light removed by a shadow."""
FULL = 3.0
"""Fraction of the ground that a cloud of unit thickness hides or shades."""
CIRRUS_SHARE, CIRRUS_WHITE, CIRRUS_UNSEEN = 0.08, 0.10, 0.15
"""Fraction of the sky under cirrus, reflectance per unit of its thickness, and smallest detectable thickness: about a
fifth of it is not detected; our choice.
"""


@dataclass(frozen=True, eq=False)
class CloudField:
    """Clouds between a satellite and the ground, each of the shape of the places; 0 without clouds.

    Attributes:
        thickness: thickness of cloud, about 1 at its centre.
        shade: thickness of the cloud that shades the place.
        veil: thickness of thin cirrus.
    """

    thickness: Floats
    shade: Floats
    veil: Floats

    @property
    def cloud(self) -> NDArray[np.bool_]:
        """Return where there is cloud."""
        return self.thickness > 0

    def over(self, reflectance: Floats) -> Floats:
        """Return the observed reflectance of a ground under this sky: clouds are white and thin at their edges, shadows
        dim.
        """
        lit = reflectance * (1 - SHADE * np.clip(FULL * self.shade, 0, 1))
        veiled = lit + CIRRUS_WHITE * np.clip(self.veil, 0, 1) * (1 - lit)
        thin, more = CLOUD_WHITE
        white = thin + more * np.clip(self.thickness, 0, 1)
        return np.asarray(veiled + (white - veiled) * np.clip(FULL * self.thickness, 0, 1))

    def classes(self, now: SurfaceState, land: Land) -> NDArray[np.uint8]:
        """Return the scene classification under this sky, as a processor does: thin clouds are missed."""
        kinds = (
            self.thickness > SURE,
            self.thickness > UNSEEN,
            self.shade > UNSEEN,
            self.veil > CIRRUS_UNSEEN,
            land.cover == WATER_COVER,
            (now.snow_mm > 3) & (land.cover != FOREST),
            land.cover == URBAN,
            now.leaf_area > 1.0,
        )
        names = (CLOUD, LIKELY_CLOUD, SHADOW, CIRRUS, WATER, SNOW, UNCLASSIFIED, VEGETATION)
        return np.select(kinds, names, BARE).astype(np.uint8)


def make_cloud_field(where: Locations, mean_cover: float, sun: Sun, rng: np.random.Generator) -> CloudField:
    """Return a random sky: often nearly clear or nearly closed, patchy between; independent of the requested window.

    Args:
        where: the places below.
        mean_cover: over many skies, 0..1.
        sun: above the horizon; shadows fall away from it.
        rng: random number generator.
    """
    share = rng.beta(CLUSTERING, CLUSTERING * (1 / mean_cover - 1))
    edge, veil_edge = (-ndtri(np.clip(part, 1e-6, 1 - 1e-6)) for part in (share, CIRRUS_SHARE))
    clouds, veils = random_field(rng, *CLOUD_M, 1.5), random_field(rng, *CIRRUS_M, 1.8)
    sunward = where.moved(*sun.towards(CLOUD_HEIGHT_M))
    thickness, above = (np.maximum(clouds.at(places) - edge, 0) for places in (where, sunward))
    veil = np.maximum(veils.at(where) - veil_edge, 0)
    shade, veil = (np.where(thickness > 0, 0, part) for part in (above, veil))
    return CloudField(thickness, shade, veil)
