"""Random fields without edges: the value at a place is independent of the requested window or point."""

import zlib
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.special import ndtri

Floats = NDArray[np.floating]
WAVES = 48
"""Number of plane waves per octave; enough for a Gaussian field by the central limit theorem."""

POINTS = 4096
"""Largest number of scattered places at which a field is evaluated at once."""


@dataclass(frozen=True, eq=False)
class Locations:
    """Places in metres of one UTM zone: a north-up grid, or scattered points.

    Attributes:
        eastings: (x,) of a grid from west to east, or (n,) of points.
        northings: (y,) of a grid from north to south, or (n,) of points.
        gridded: whether it is a grid.
    """

    eastings: Floats
    northings: Floats
    gridded: bool

    @classmethod
    def grid(cls, box: GeoBox) -> "Locations":
        """Return the pixel centres of a north-up grid."""
        y, x = (box.coords[name].values for name in box.dimensions)
        return cls(np.asarray(x), np.asarray(y), gridded=True)

    @classmethod
    def points(cls, eastings: Floats, northings: Floats) -> "Locations":
        """Return scattered places, (n,) each."""
        return cls(np.asarray(eastings, float), np.asarray(northings, float), gridded=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of a field here: (y, x) or (n,)."""
        return (len(self.northings), len(self.eastings)) if self.gridded else self.eastings.shape

    @property
    def mesh(self) -> tuple[Floats, Floats]:
        """Return easting and northing of every place, of `shape`."""
        if not self.gridded:
            return self.eastings, self.northings
        east, north = np.meshgrid(self.eastings, self.northings)
        return east, north

    def moved(self, east_m: float, north_m: float) -> "Locations":
        """Return the places shifted to the east and to the north."""
        return replace(self, eastings=self.eastings + east_m, northings=self.northings + north_m)


Arrays = TypeVar("Arrays")


def picked(value: Arrays, places: NDArray[np.integer]) -> Arrays:
    """Return a dataclass of arrays, (place,) each, or of such dataclasses, cut to some of the places."""
    parts = (getattr(value, field.name) for field in fields(value))  # type: ignore[arg-type]
    return type(value)(*(part[places] if isinstance(part, np.ndarray) else picked(part, places) for part in parts))


@dataclass(frozen=True, eq=False)
class Field:
    """A Gaussian random field: a sum of plane waves (Shinozuka & Jan, J. Sound Vib. 25:111-128, 1972).

    Attributes:
        east, north: wavenumbers, rad m-1, (wave,).
        amplitude: complex, (wave,).
    """

    east: Floats
    north: Floats
    amplitude: NDArray[np.complexfloating]

    def at(self, where: Locations) -> Floats:
        """Return the field at places, of their shape."""
        if not where.gridded and len(where.eastings) > POINTS:
            pieces = np.arange(POINTS, len(where.eastings), POINTS)
            parts = zip(np.split(where.eastings, pieces), np.split(where.northings, pieces), strict=True)
            return np.concatenate([self.at(Locations.points(east, north)) for east, north in parts])
        along = np.exp(1j * np.outer(where.eastings, self.east))
        across = np.exp(1j * np.outer(where.northings, self.north)) * self.amplitude
        if where.gridded:
            return np.asarray(across.real @ along.real.T - across.imag @ along.imag.T)
        return np.asarray(np.einsum("nw,nw->n", across, along).real)

    def derived(self, east: int, north: int) -> "Field":
        """Return its partial derivative, of given orders to the east and to the north."""
        return replace(self, amplitude=self.amplitude * (1j * self.east) ** east * (1j * self.north) ** north)

    def longer_than(self, wavelength_m: float) -> "Field":
        """Return its part of long waves."""
        kept = np.hypot(self.east, self.north) < 2 * np.pi / wavelength_m
        return Field(self.east[kept], self.north[kept], self.amplitude[kept])

    def slope(self, where: Locations) -> Floats:
        """Return the length of its gradient, m-1."""
        return np.asarray(np.hypot(self.derived(1, 0).at(where), self.derived(0, 1).at(where)))

    def curvature(self, where: Locations) -> Floats:
        """Return its Laplacian, m-2: positive in hollows."""
        return self.derived(2, 0).at(where) + self.derived(0, 2).at(where)

    @property
    def curvature_spread(self) -> float:
        """Return the standard deviation of its Laplacian."""
        return float(np.sqrt(0.5 * np.sum(np.abs(self.amplitude) ** 2 * np.hypot(self.east, self.north) ** 4)))


def random_field(rng: np.random.Generator, longest_m: float, shortest_m: float, exponent: float) -> Field:
    """Return a field of unit variance whose amplitude is proportional to wavenumber to the power `exponent`.

    Natural terrain has an exponent of about 2 in two dimensions (Turcotte, Fractals and Chaos in Geology and
    Geophysics, 2nd ed., 1997, ch. 7).

    Args:
        rng: rng of directions, lengths and phases.
        longest_m, shortest_m: range of wavelengths.
        exponent: exponent of the amplitude spectrum.
    """
    octaves = max(int(np.ceil(np.log2(longest_m / shortest_m))), 1)
    octave = np.repeat(np.arange(octaves), WAVES)
    wavelength = longest_m * (shortest_m / longest_m) ** ((octave + rng.random(octave.size)) / octaves)
    direction, phase = rng.uniform(0, 2 * np.pi, (2, octave.size))
    number = 2 * np.pi / wavelength
    variance = number ** (2 - 2 * exponent)
    amplitude = np.sqrt(2 * variance / variance.sum()) * np.exp(1j * phase)
    return Field(number * np.cos(direction), number * np.sin(direction), amplitude)


@dataclass(frozen=True, eq=False)
class Patch:
    """Patches of some places, each array of the places' shape.

    Attributes:
        ids: hashes of the patches.
        eastings, northings: of the patches' seeds, m.
    """

    ids: NDArray[np.uint64]
    eastings: Floats
    northings: Floats

    def normal(self, name: str) -> Floats:
        """Return a standard normal number per patch, independent for each name."""
        return np.asarray(ndtri(_uniform(_mixed(self.ids ^ np.uint64(zlib.crc32(name.encode()) * 0x9E3779B1)))))


@dataclass(frozen=True)
class Patches:
    """A division of the ground into fields: each place belongs to the nearest seed of a jittered lattice.

    Attributes:
        size_m: spacing of the lattice.
        seed: seed of the jitter.
    """

    size_m: float
    seed: int

    def of(self, where: Locations) -> Patch:
        """Return the patches of places."""
        east, north = where.mesh
        column, row = np.floor(east / self.size_m), np.floor(north / self.size_m)
        nearest, found = np.full(where.shape, np.inf), Patch(np.zeros(where.shape, np.uint64), east * 0, north * 0)
        for aside in (-1, 0, 1):
            for ahead in (-1, 0, 1):
                other = self._seeds(column + aside, row + ahead)
                distance = np.hypot(other.eastings - east, other.northings - north)
                closer = distance < nearest
                nearest = np.where(closer, distance, nearest)
                found = Patch(
                    np.where(closer, other.ids, found.ids),
                    np.where(closer, other.eastings, found.eastings),
                    np.where(closer, other.northings, found.northings),
                )
        return found

    def _seeds(self, column: Floats, row: Floats) -> Patch:
        key = (column.astype(np.int64) << 32 ^ (row.astype(np.int64) & 0xFFFFFFFF)).view(np.uint64)
        ids = _mixed(key ^ _mixed(np.array(self.seed, np.uint64)))
        east = (column + 0.1 + 0.8 * _uniform(_mixed(ids + np.uint64(1)))) * self.size_m
        north = (row + 0.1 + 0.8 * _uniform(_mixed(ids + np.uint64(2)))) * self.size_m
        return Patch(ids, east, north)


def _mixed(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of 64 bits: the finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        key = (key + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
        key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


def _uniform(hashes: NDArray[np.uint64]) -> Floats:
    return ((hashes >> np.uint64(11)).astype(float) + 0.5) / 2**53
