"""Ground of a region: terrain, soil, land cover and roughness, at any of its places."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from vadose.simulation.climates import Climate
from vadose.simulation.fields import Field, Floats, Locations, Patch, Patches, random_field
from vadose.simulation.soil import Hydraulics, hydraulics

FIELD_M = 40
"""Size of a pixel of the ground."""
PER_CELL = 8
"""Pixels of the ground per cell side."""
COVERS = ("crops", "grass", "forest", "bare", "urban", "water")
CROPS, GRASS, FOREST, BARE, URBAN, WATER = range(6)
PARCEL_M = 300.0
"""Spacing of fields and other patches of the same land cover."""
HILL_M = 250.0
"""Shortest wavelength of the terrain in the topographic wetness."""


@dataclass(frozen=True, eq=False)
class Land:
    """A region's ground, each of the shape of its places.

    Attributes:
        elevation: m.
        wetness: topographic wetness, approximately standard normal: high in hollows.
        sand, clay: mass fractions.
        organic_percent: organic matter by mass.
        water: hydraulic properties.
        cover: index in `COVERS`.
        patch: the parcels.
        vigour: vigour of the vegetation, about 1.
    """

    elevation: Floats
    wetness: Floats
    sand: Floats
    clay: Floats
    organic_percent: Floats
    water: Hydraulics
    cover: NDArray[np.intp]
    patch: Patch
    vigour: Floats

    @cached_property
    def draw(self) -> Floats:
        """Return the strength of lateral inflow from the neighbourhood."""
        return np.asarray(np.exp(0.6 * self.wetness))

    @cached_property
    def ease(self) -> Floats:
        """Return the drainage rate of the root zone: lower in hollows, above wet ground."""
        return np.asarray(np.exp(-0.7 * self.wetness))

    @property
    def soil(self) -> NDArray[np.bool_]:
        """Return where there is open soil: neither open water nor sealed."""
        return np.asarray((self.cover != WATER) & (self.cover != URBAN))


@dataclass(frozen=True, eq=False)
class Terrain:
    """Random ground of a region; `at` evaluates it at places."""

    climate: Climate
    mean_elevation_m: float
    height: Field
    texture: Field
    sandiness: Field
    organic: Field
    mosaic: Field
    patches: Patches

    @classmethod
    def random(cls, climate: Climate, rng: np.random.Generator) -> "Terrain":
        """Return random ground of a climate."""
        return cls(
            climate=climate,
            mean_elevation_m=float(rng.uniform(50, 600)),
            height=random_field(rng, 12_000, 80, 2.2),
            texture=random_field(rng, 16_000, 200, 1.6),
            sandiness=random_field(rng, 16_000, 200, 1.6),
            organic=random_field(rng, 8_000, 200, 1.6),
            mosaic=random_field(rng, 6_000, 600, 1.5),
            patches=Patches(PARCEL_M, int(rng.integers(2**31))),
        )

    def at(self, where: Locations) -> Land:
        """Return the ground at places."""
        height, hills, patch = self.height.at(where), self.height.longer_than(HILL_M), self.patches.of(where)
        texture = 0.85 * self.texture.at(where) - 0.5 * height
        clay = np.clip(self.climate.clay * np.exp(0.30 * texture), 0.03, 0.55).astype(np.float32)
        sandy = self.climate.sand * np.exp(-0.25 * texture + 0.10 * self.sandiness.at(where))
        sand = np.clip(sandy, 0.04, 0.95 - clay).astype(np.float32)
        organic = np.clip(2.5 * np.exp(0.3 * self.organic.at(where)), 0.8, 6.0).astype(np.float32)
        return Land(
            elevation=self._elevation(height),
            wetness=(0.8 * hills.curvature(where) / hills.curvature_spread - 0.6 * height).astype(np.float32),
            sand=sand,
            clay=clay,
            organic_percent=organic,
            water=hydraulics(sand, clay, organic),
            cover=self._cover(patch),
            patch=patch,
            vigour=np.exp(0.3 * patch.normal("vigour")),
        )

    def elevation(self, where: Locations) -> Floats:
        """Return the elevation at places, m."""
        return self._elevation(self.height.at(where))

    def _elevation(self, height: Floats) -> Floats:
        return self.mean_elevation_m + self.climate.relief_m * height

    def _cover(self, patch: Patch) -> NDArray[np.intp]:
        """Return the cover of parcels: water in the lowest places; towns and crops low, woods high, in loose groups."""
        _, first, member = np.unique(patch.ids, return_index=True, return_inverse=True)
        seeds = Locations.points(patch.eastings.ravel()[first], patch.northings.ravel()[first])
        height, group = self.height.at(seeds)[member], self.mosaic.at(seeds)[member]
        shares = dict(zip(range(6), self.climate.covers.shares, strict=True))
        rank = 0.4 * height + 0.5 * group + 0.77 * patch.normal("cover")
        cover = np.full(patch.ids.shape, FOREST)
        dry, below = 1 - shares[WATER], 0.0
        for kind in (URBAN, CROPS, GRASS, BARE, FOREST):
            upper = min(below + shares[kind] / dry, 1.0)
            cover = np.where((rank > ndtri(below)) & (rank <= ndtri(upper)), kind, cover)
            below = upper
        lowest = 0.9 * height + 0.44 * patch.normal("pond") < ndtri(shares[WATER])
        return np.asarray(np.where(lowest, WATER, cover), dtype=np.intp)
