"""Clouds over a region, their shadows, and the classes that Sentinel-2's processor gives its pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.world.land import fractal

Floats = NDArray[np.floating]
SHADOW, VEGETATION, BARE, LIKELY_CLOUD, CLOUD, SNOW = 3, 4, 5, 8, 9, 11
"""Classes of the scene classification of level 2A."""
SHADOW_SHIFT = (3, 5)
"""From a cloud to its shadow, in pixels of 40 m to the south and to the east."""


@dataclass(frozen=True, eq=False)
class Sky:
    """What lies between a satellite and the ground, each (y, x) on pixels of 40 m.

    Attributes:
        thickness: of cloud, about 0 at its edge and 1 in its middle; 0 or less where there is none.
        shadow: where a cloud shades ground that is seen.
    """

    thickness: Floats
    shadow: NDArray[np.bool_]

    @property
    def cloud(self) -> NDArray[np.bool_]:
        """Where there is cloud."""
        return self.thickness > 0

    def over(self, reflectance: Floats) -> Floats:
        """What is seen of a ground through this sky: clouds are white, shadows dim."""
        shaded = np.where(self.shadow, 0.4 * reflectance, reflectance)
        return np.where(self.cloud, 0.3 + 0.4 * np.clip(self.thickness, 0, 1), shaded)

    def classes(self, ground: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Scene classification of a ground of given classes under this sky."""
        shaded = np.where(self.shadow, SHADOW, ground)
        clouded = np.where(self.thickness > 0.3, CLOUD, LIKELY_CLOUD)
        return np.where(self.cloud, clouded, shaded).astype(np.uint8)


def make_sky(side: int, mean_cover: float, rng: np.random.Generator) -> Sky:
    """A sky by chance: often nearly clear or nearly closed, patchy between.

    Args:
        side: pixels of 40 m along the region.
        mean_cover: over many skies, 0..1.
        rng: of the chance.
    """
    cover = rng.beta(0.6, 0.6 * (1 / mean_cover - 1))
    field = fractal(side, 1.7, rng)
    thickness = field - np.quantile(field, 1 - cover)
    shadow = np.roll(thickness > 0, SHADOW_SHIFT, (0, 1)) & (thickness <= 0)
    return Sky(thickness, shadow)
