"""The map grid: cells of 320 m over pixels of 10 m in every UTM zone, tiles with a halo, areas and periods.

A cell has 32 x 32 pixels, with its corners at multiples of 320 m of easting and northing. A cell belongs to the
6-degree UTM zone that contains its centre (plain zones, without the exceptions around Norway and Svalbard).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache, partial
from math import floor
from typing import Any, Literal

import numpy as np
import shapely
import shapely.affinity
import shapely.errors
import shapely.geometry
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from vadose.errors import VadoseError

PIXEL_M = 10
CELL_M = 320
PIXELS_PER_CELL = CELL_M // PIXEL_M
SOUTHERNMOST, NORTHERNMOST = -80.0, 84.0
"""Latitude limits of UTM."""
EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth, IUGG."""
MOST_TILES = 200_000
"""Largest number of tiles of one area: 21 million square kilometres in tiles of 32 x 32 cells, more than South
America.
"""
FIRST, LAST = date(1678, 1, 1), date(2262, 1, 1)
"""First and last day of nanoseconds since 1970 in 64 bits, in whole years."""
_FIRST_NS = int(np.datetime64(FIRST).astype("datetime64[ns]").astype(np.int64))
_LAST_NS = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Tile:
    """A rectangle of cells in one UTM zone, with a halo of cells that are read but not estimated.

    Attributes:
        epsg: 32601..32660 north, 32701..32760 south.
        west: easting of the left edge, in cells.
        north: northing of the upper edge, in cells.
        columns, rows: size without the halo, in cells.
        halo: width of the halo, in cells.
    """

    epsg: int
    west: int
    north: int
    columns: int
    rows: int
    halo: int = 0

    @cached_property
    def cells(self) -> GeoBox:
        """Grid of the tile's cells, halo excluded."""
        affine = Affine(CELL_M, 0, self.west * CELL_M, 0, -CELL_M, self.north * CELL_M)
        return GeoBox((self.rows, self.columns), affine, f"EPSG:{self.epsg}")

    @cached_property
    def pixels(self) -> GeoBox:
        """Grid of the tile's 10 m pixels, halo included."""
        west, north = (self.west - self.halo) * CELL_M, (self.north + self.halo) * CELL_M
        shape = ((self.rows + 2 * self.halo) * PIXELS_PER_CELL, (self.columns + 2 * self.halo) * PIXELS_PER_CELL)
        return GeoBox(shape, Affine(PIXEL_M, 0, west, 0, -PIXEL_M, north), f"EPSG:{self.epsg}")

    def with_halo(self, halo: int) -> "Tile":
        """Return the same cells with another halo."""
        return replace(self, halo=halo)

    @property
    def name(self) -> str:
        """Return a name of the tile's position, suitable for a file."""
        return f"{self.epsg}_{self.west}_{self.north}_{self.columns}x{self.rows}"

    def __str__(self) -> str:
        return f"{self.columns} x {self.rows} cells at {self.west * CELL_M} E {self.north * CELL_M} N, EPSG:{self.epsg}"


def utm_epsg(lon: float, lat: float) -> int:
    """Return the EPSG code of the 6-degree UTM zone that contains a place.

    Raises:
        VadoseError: the place is beyond the latitudes of UTM, or its longitude is invalid.
    """
    if not SOUTHERNMOST <= lat <= NORTHERNMOST:
        raise VadoseError(
            f"grid: a place at latitude {lat:g}",
            f"The cells of 320 m exist from {SOUTHERNMOST:g} to {NORTHERNMOST:g} degrees, the limits of UTM",
            "Choose a place between them",
        )
    if not -180 <= lon <= 180:
        raise VadoseError(
            f"grid: a place at longitude {lon:g}", "It is outside -180 to 180", "Give degrees of longitude"
        )
    zone = min(int((lon + 180) // 6) + 1, 60)
    return (32600 if lat >= 0 else 32700) + zone


def tile_around(lon: float, lat: float, halo: int) -> Tile:
    """Return the cell that contains a place, with `halo` cells on every side: a sensor's chip."""
    epsg = utm_epsg(lon, lat)
    x, y = from_lonlat(epsg).transform(lon, lat)
    return Tile(epsg, floor(x / CELL_M), floor(y / CELL_M) + 1, 1, 1, halo)


def enclosing_tile(tiles: Sequence[Tile]) -> Tile:
    """Return the smallest tile, without a halo, that contains the cells of some tiles of one zone."""
    west, north = min(tile.west for tile in tiles), max(tile.north for tile in tiles)
    columns = max(tile.west + tile.columns for tile in tiles) - west
    rows = north - min(tile.north - tile.rows for tile in tiles)
    return Tile(tiles[0].epsg, west, north, columns, rows)


def axis_attrs(axis: Literal["x", "y"], of: str = "cells") -> dict[str, str]:
    """Return CF attributes of the easting (x) or northing (y) of the centres of cells or pixels."""
    words = {"x": "easting", "y": "northing"}[axis]
    return {
        "standard_name": f"projection_{axis}_coordinate",
        "long_name": f"{words} of the centres of {of}",
        "units": "m",
        "axis": axis.upper(),
    }


def cell_centres(tile: Tile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return longitude and latitude of the centres of a tile's cells, each (y, x) in degrees."""
    x, y = np.meshgrid(tile.cells.coords["x"].values, tile.cells.coords["y"].values)
    lon, lat = to_lonlat(tile.epsg).transform(x, y)
    return np.asarray(lon), np.asarray(lat)


def bbox_of(geometry: shapely.Geometry) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a geometry within -180..180 degrees, in the order of RFC 7946, section 5.2.

    A geometry that touches the antimeridian from both sides crosses it if the box across it is the narrower one.
    """
    west, south, east, north = geometry.bounds
    parts = [part.bounds for part in shapely.get_parts(geometry)]
    east_half = [part[0] for part in parts if part[0] >= 0]
    west_half = [part[2] for part in parts if part[2] <= 0]
    apart = len(east_half) + len(west_half) == len(parts) and east_half and west_half
    if west > -180 or east < 180 or not apart:
        return west, south, east, north
    return min(east_half), south, max(west_half), north


def polygons_of(shape: shapely.Geometry) -> list[shapely.Polygon]:
    """Return the polygons of a shape, also within nested collections; lines and points have none."""
    if isinstance(shape, shapely.Polygon):
        return [] if shape.is_empty else [shape]
    return [part for one in getattr(shape, "geoms", ()) for part in polygons_of(one)]


def within_degrees(polygon: shapely.Polygon, asked: str = "grid: a polygon") -> shapely.Geometry:
    """Return a polygon within -180..180 degrees: cut at the antimeridian, and made valid where it crosses itself.

    It crosses the antimeridian if it continues beyond 180 degrees, or if two consecutive corners are more than 180
    degrees apart: the shorter way between them is meant.

    Raises:
        VadoseError: it encloses a pole, so that no longitudes bound it, or has non-finite corners.
    """
    rings = [_run_on(np.asarray(ring.coords)[:, :2], asked) for ring in (polygon.exterior, *polygon.interiors)]
    outer = rings[0]
    turns_off = [360 * np.round((outer[:, 0].mean() - ring[:, 0].mean()) / 360) for ring in rings[1:]]
    near = [ring + np.array([off, 0.0]) for ring, off in zip(rings[1:], turns_off, strict=True)]
    whole = shapely.make_valid(shapely.Polygon(outer, near))
    west, _, east, _ = whole.bounds
    if east - west > 360:
        raise VadoseError(
            asked, f"It spans {west:g} to {east:g} degrees of longitude", "Give a boundary within 360 degrees"
        )
    turns = range(floor((west + 180) / 360), floor((east + 180) / 360) + 1)
    if turns == range(0, 1) or (east == 180 and west >= -180):
        return whole
    cut = [shapely.intersection(whole, shapely.box(360 * n - 180, -90, 360 * n + 180, 90)) for n in turns]
    parts = [shapely.affinity.translate(one, -360 * n) for n, one in zip(turns, cut, strict=True)]
    return shapely.union_all([part for one in parts for part in polygons_of(one)])


def _run_on(ring: NDArray[np.float64], asked: str) -> NDArray[np.float64]:
    """Return the corners of a ring with longitudes that continue beyond 180 degrees instead of wrapping."""
    if not np.isfinite(ring).all():
        raise VadoseError(asked, "It has corners that are not finite", "Give degrees of longitude and latitude")
    if np.abs(ring[:, 1]).max() > 90 or np.abs(ring[:, 0]).max() > 720:
        beyond = ", ".join(f"{number:.10g}" for number in ring[np.argmax(np.abs(ring).max(axis=1))])
        raise VadoseError(
            asked, f"Its corner {beyond} is not in degrees", "Give degrees, or name its projection in the file"
        )
    leaps = np.diff(ring[:, 0])
    over = np.abs(leaps) > 180
    if not over.any() or _is_band(ring):
        return ring
    lon = ring[0, 0] + np.concatenate([[0], np.cumsum(leaps - 360 * np.where(over, np.round(leaps / 360), 0))])
    if abs(lon[-1] - lon[0]) > 1:
        raise VadoseError(asked, "Its boundary encloses a pole", "Give a box of west, south, east, north")
    return np.column_stack([lon, ring[:, 1]])


def _is_band(ring: NDArray[np.float64]) -> bool:
    """Return whether all corners of a ring are on the antimeridian, on both sides of it: a belt around the Earth."""
    return bool((np.abs(np.abs(ring[:, 0]) - 180) < 1e-9).all())


@dataclass(frozen=True)
class AreaOfInterest:
    """A region of the Earth: polygons in longitude and latitude that do not cross the antimeridian.

    Attributes:
        name: used in messages and files.
        geometry: polygon or multipolygon in degrees.
    """

    name: str
    geometry: shapely.Polygon | shapely.MultiPolygon

    def __post_init__(self) -> None:
        if self.geometry.is_empty or not self.geometry.is_valid or self.geometry.area == 0:
            raise VadoseError(
                f"grid: the area '{self.name}'",
                f"Its boundary is empty or crosses itself ({shapely.is_valid_reason(self.geometry)})",
                "Correct the boundary, or give a box of west, south, east, north",
            )
        west, south, east, north = self.geometry.bounds
        if west < -180 or east > 180 or south < SOUTHERNMOST or north > NORTHERNMOST:
            raise VadoseError(
                f"grid: the area '{self.name}'",
                f"It spans {west:g}..{east:g} E, {south:g}..{north:g} N; cells exist within -180..180 E, "
                f"{SOUTHERNMOST:g}..{NORTHERNMOST:g} N",
                "Give degrees of longitude and latitude, within these limits",
            )

    @classmethod
    def from_bbox(cls, west: float, south: float, east: float, north: float, name: str = "box") -> "AreaOfInterest":
        """Return a box in degrees; if `west` is greater than `east`, it crosses the antimeridian."""
        if not (np.isfinite([west, south, east, north]).all() and south < north and west != east):
            raise VadoseError(
                f"grid: the box {west:g} {south:g} {east:g} {north:g}",
                "It has no height or no width, or its numbers are not finite",
                "Give west south east north in degrees, south below north",
            )
        if west < east:
            return cls(name, shapely.box(west, south, east, north))
        if east + 360 - west > 180 and west <= 180 and east >= -180:
            raise VadoseError(
                f"grid: the box {west:g} {south:g} {east:g} {north:g}",
                f"From its west to its east it spans {east + 360 - west:g} degrees across the antimeridian",
                "Swap west and east, or give two boxes",
            )
        halves = [shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)]
        return cls(name, shapely.MultiPolygon([half for half in halves if half.area > 0]))

    @classmethod
    def from_geojson(cls, content: Mapping[str, Any], name: str = "area") -> "AreaOfInterest":
        """Return the polygons of a GeoJSON geometry, feature or feature collection, in degrees (RFC 7946).

        Features without a place (`geometry: null`) are ignored. Boundaries across the antimeridian are read as in
        `from_shapes`.
        """
        asked = f"grid: the GeoJSON '{name}'"
        held = content.get("features")
        features = held if isinstance(held, list) else [content]
        try:
            geometries = [part.get("geometry") if "geometry" in part else part for part in features]
            shapes = [shapely.geometry.shape(geometry) for geometry in geometries if geometry is not None]
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
            raise VadoseError(
                asked, f"It contains no readable geometry ({error})", "Give polygons (RFC 7946)"
            ) from error
        return cls.from_shapes(shapes, name, asked)

    @classmethod
    def from_shapes(cls, shapes: Iterable[shapely.Geometry], name: str = "area", asked: str = "") -> "AreaOfInterest":
        """Return the union of the polygons among some shapes in degrees, also within nested collections.

        A boundary that continues beyond 180 degrees, or jumps from one side of the Earth to the other between two
        corners, crosses the antimeridian and is cut there (RFC 7946, section 3.1.9). A boundary that crosses itself is
        read as the area that it encloses.

        Raises:
            VadoseError: there is no polygon, or one encloses a pole.
        """
        asked = asked or f"grid: the shapes of '{name}'"
        union = shapely.union_all([within_degrees(part, asked) for shape in shapes for part in polygons_of(shape)])
        if not isinstance(union, shapely.Polygon | shapely.MultiPolygon) or union.is_empty:
            raise VadoseError(asked, "It contains no polygon", "Give polygons, not points or lines")
        return cls(name, union)

    @classmethod
    def from_tile(cls, tile: Tile, name: str = "tile") -> "AreaOfInterest":
        """Return the area of a tile and its halo, slightly widened so that nothing at the edge is lost."""
        box = tile.pixels.boundingbox
        edge = shapely.box(box.left, box.bottom, box.right, box.top).buffer(PIXELS_PER_CELL).segmentize(5 * CELL_M)
        lon, lat = to_lonlat(tile.epsg).transform(*shapely.get_coordinates(edge).T)
        lon = np.asarray(lon)
        if np.ptp(lon) < 180:
            return cls.from_bbox(lon.min(), max(min(lat), SOUTHERNMOST), lon.max(), min(max(lat), NORTHERNMOST), name)
        return cls.from_bbox(lon[lon > 0].min(), min(lat), lon[lon < 0].max(), max(lat), name)

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        """Return west, south, east, north; `west` is greater than `east` across the antimeridian (RFC 7946, 5.2)."""
        return bbox_of(self.geometry)

    def tiles(self, size: int, halo: int) -> tuple[Tile, ...]:
        """Yield tiles of at most `size` cells that cover every cell with its centre in the area, each cell once.

        Tiles are aligned to multiples of `size`, each cut to the extent of the area. A cell outside the area, or of
        another zone than its tile, is masked by `contains_cells`.

        Raises:
            VadoseError: there are more than `MOST_TILES`.
        """
        whole: dict[Tile, bool] = {}
        for part in shapely.get_parts(self.geometry):
            for tile, inside in _tiles_of(part, size, halo):
                whole[tile] = inside or whole.get(tile, False)
                if len(whole) > MOST_TILES:
                    raise VadoseError(
                        f"grid: the area '{self.name}'",
                        f"It takes more than {MOST_TILES:,} tiles of {size} x {size} cells",
                        "Divide it, for example by country, and map the parts one by one",
                    )
        shapely.prepare(self.geometry)
        held = ((tile, None if inside else self.contains_cells(tile)) for tile, inside in whole.items())
        tiles = [tile if cells is None else _cut(tile, cells) for tile, cells in held if cells is None or cells.any()]
        return tuple(sorted(tiles, key=lambda t: (t.epsg, -t.north, t.west)))

    def contains_cells(self, tile: Tile) -> NDArray[np.bool_]:
        """Return which cells of a tile, (y, x), have their centre in the area and in the tile's own zone."""
        lon, lat = cell_centres(tile)
        number = np.minimum(np.floor((lon + 180) / 6).astype(int) + 1, 60)
        own = (number == tile.epsg % 100) & ((lat >= 0) == (tile.epsg < 32700))
        return np.asarray(own & shapely.contains_xy(self.geometry, lon, lat))


@dataclass(frozen=True)
class Period:
    """A period in UTC, including its start, excluding its end."""

    start: np.datetime64
    end: np.datetime64

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", nanosecond(self.start, "period"))
        object.__setattr__(self, "end", nanosecond(self.end, "period"))
        if not self.start < self.end:
            raise VadoseError(f"period: {self.start} to {self.end}", "It ends before it starts", "Swap the two")

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Read "2019-01-01/2019-12-31": two ISO dates, both days included; one date is that day."""
        first, _, last = text.partition("/")
        try:
            start, end = np.datetime64(first, "D"), np.datetime64(last or first, "D")
        except ValueError as error:
            raise VadoseError(
                f"period: '{text}'",
                "It is not an ISO date, nor two separated by a slash",
                "Write 2019-01-01/2019-12-31",
            ) from error
        return cls(start, end + np.timedelta64(1, "D"))

    @classmethod
    def before(cls, time: np.datetime64, days: float) -> "Period":
        """Return the `days` that end with `time`, including `time`."""
        end = nanosecond(time, "period") + np.timedelta64(1, "ns")
        return cls(earlier(end, days), end)

    def extended_back(self, days: float) -> "Period":
        """Return the period with `days` more at its start."""
        return Period(earlier(self.start, days), self.end)

    def __contains__(self, time: np.datetime64) -> bool:
        return bool(self.start <= time < self.end)

    def __str__(self) -> str:
        last = self.end - np.timedelta64(1, "ns")
        return f"{np.datetime_as_string(self.start, 'D')}..{np.datetime_as_string(last, 'D')}"


@lru_cache(maxsize=256)
def to_lonlat(epsg: int) -> Transformer:
    """Return the transformer from a projection's easting and northing to longitude and latitude."""
    return Transformer.from_crs(epsg, 4326, always_xy=True)


@lru_cache(maxsize=256)
def from_lonlat(epsg: int) -> Transformer:
    """Return the transformer from longitude and latitude to a projection's easting and northing."""
    return Transformer.from_crs(4326, epsg, always_xy=True)


def distances_km(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return great-circle distances, (first, second), of places given as (place, 2), lat and lon in degrees;
    haversine.
    """
    (lat, lon), (lat_2, lon_2) = (np.radians(np.asarray(places, np.float64)).T for places in (first, second))
    dlat, dlon = lat[:, np.newaxis] - lat_2, lon[:, np.newaxis] - lon_2
    chord = np.sin(dlat / 2) ** 2 + np.cos(lat)[:, np.newaxis] * np.cos(lat_2) * np.sin(dlon / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1))))


def nearest_in_time(known: NDArray[np.datetime64], asked: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Return the index of the known time nearest to each requested one; of two equally near, the earlier."""
    after = np.searchsorted(known, asked).clip(max=known.size - 1)
    before = (after - 1).clip(min=0)
    return np.where(abs(asked - known[before]) <= abs(known[after] - asked), before, after)


def nanoseconds(times: ArrayLike, asked: str = "a time") -> NDArray[np.datetime64]:
    """Return times as datetime64[ns]; numpy silently wraps times beyond its range into other centuries.

    Args:
        times: times of any unit, or ISO 8601 text; NaT is kept.
        asked: name of the times in messages.

    Raises:
        VadoseError: a time is outside `FIRST` to `LAST`.
    """
    given = np.asarray(times)
    given = given if given.dtype.kind == "M" else given.astype("datetime64")
    if given.dtype == "datetime64[ns]":
        return given
    years = given.astype("datetime64[Y]").astype(np.int64) + 1970
    beyond = ~np.isnat(given) & (
        (years < FIRST.year) | (years > LAST.year) | (given.astype("datetime64[D]") > np.datetime64(LAST, "D"))
    )
    if beyond.any():
        raise VadoseError(
            f"{asked}: {np.atleast_1d(given)[np.atleast_1d(beyond)][0]}",
            f"Times are stored in nanoseconds, from {FIRST} to {LAST}",
            "Give a time between them",
        )
    return given.astype("datetime64[ns]")


def nanosecond(time: ArrayLike, asked: str = "a time") -> np.datetime64:
    """Return one time as datetime64[ns]; see `nanoseconds`."""
    return np.datetime64(nanoseconds(np.asarray(time), asked).item(), "ns")


def earlier(time: np.datetime64, days: float) -> np.datetime64:
    """Return a time some days before another.

    Raises:
        VadoseError: the result is before `FIRST`.
    """
    ns = int(time.astype(np.int64)) - round(days * 86400e9)
    if ns < _FIRST_NS:
        raise VadoseError(
            f"period: {days:g} days before {np.datetime_as_string(time, 'D')}",
            f"Times are stored in nanoseconds, from {FIRST} to {LAST}",
            "Give fewer days",
        )
    return np.datetime64(ns, "ns")


def later(times: ArrayLike, days: float) -> NDArray[np.datetime64]:
    """Return times some days after others, limited to the last nanosecond in 64 bits. NaT is kept."""
    delay = np.timedelta64(round(days * 86400e9), "ns")
    return np.asarray(np.minimum(nanoseconds(times), np.datetime64(_LAST_NS, "ns") - delay) + delay)


def _tiles_of(part: shapely.Polygon, size: int, halo: int) -> Iterator[tuple[Tile, bool]]:
    """Return the tiles that a polygon touches, and whether it contains all of their cells and one more on every
    side.
    """
    for epsg, strip in _strips(part):
        edge = shapely.segmentize(strip, 0.05)
        x, y = from_lonlat(epsg).transform(*shapely.get_coordinates(edge).T)
        step = size * CELL_M
        columns = range(floor(min(x) / step), floor(max(x) / step) + 1)
        rows = range(floor(min(y) / step), floor(max(y) / step) + 1)
        ground = shapely.make_valid(shapely.transform(edge, partial(_projected, epsg)))
        shapely.prepare(ground)
        west, south = (axis.ravel() for axis in np.meshgrid(np.array(columns) * step, np.array(rows) * step))
        boxes = shapely.box(west - CELL_M, south - CELL_M, west + step + CELL_M, south + step + CELL_M)
        touched = np.flatnonzero(shapely.intersects(ground, boxes))
        inside = shapely.contains(ground, boxes[touched])
        for place, whole in zip(touched, inside, strict=True):
            left, top = int(west[place]) // CELL_M, (int(south[place]) + step) // CELL_M
            yield Tile(epsg, left, top, size, size, halo), bool(whole)


def _projected(epsg: int, places: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack(from_lonlat(epsg).transform(*places.T))


def _cut(tile: Tile, held: NDArray[np.bool_]) -> Tile:
    rows, columns = np.flatnonzero(held.any(axis=1)), np.flatnonzero(held.any(axis=0))
    west, north = tile.west + int(columns[0]), tile.north - int(rows[0])
    return Tile(tile.epsg, west, north, int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1, tile.halo)


def _strips(part: shapely.Polygon) -> Iterator[tuple[int, shapely.Geometry]]:
    west, _, east, _ = part.bounds
    for zone in range(int((west + 180) // 6) + 1, min(int((east + 180) // 6) + 1, 60) + 1):
        left = -180 + 6 * (zone - 1)
        for south, north, base in ((0.0, NORTHERNMOST, 32600), (SOUTHERNMOST, 0.0, 32700)):
            strip = part.intersection(shapely.box(left, south, left + 6, north))
            if strip.area > 0:
                yield base + zone, strip
