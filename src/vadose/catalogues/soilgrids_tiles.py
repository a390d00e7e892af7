"""Maps of SoilGrids as ISRIC publishes them: a GDAL VRT that lists tiles, read here without GDAL's own VRT driver.

A VRT may name any file and any address. Only what ISRIC's maps need is accepted: one band of whole numbers or floats,
and tiles named relative to the VRT that lie side by side, in the VRT's projection, on its grid of pixels. A few of
ISRIC's tiles have pixels that are whole multiples of the map's.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import floor, isfinite
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from rasterio.errors import RasterioError

from vadose.errors import VadoseError
from vadose.io.atomic import atomic_write
from vadose.sources.crs import horizontal_wkt
from vadose.sources.raster import Grid
from vadose.sources.window import Window

LARGEST_BYTES, MOST_TILES, MOST_PIXELS = 64 << 20, 200_000, 10**8
"""Of a VRT, of the tiles in it (ISRIC's maps have about 25,000), and of a window."""
_LONGEST, _DEEPEST = 10**6, 12
_DTYPES = {
    **{"Byte": "uint8", "Int8": "int8", "UInt16": "uint16", "Int16": "int16"},
    **{"UInt32": "uint32", "Int32": "int32", "Float32": "float32", "Float64": "float64"},
}
_PART = r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*"
_NAME = re.compile(rf"(\./)?(?P<name>({_PART}/){{0,6}}{_PART}\.tif)")
_PLAIN = frozenset({"Metadata", "MDI", "OverviewList", "ColorInterp", "Description", "UnitType", "CategoryNames"})
"""Elements that say nothing of pixels, with all that they hold."""
_SOURCES = ("SimpleSource", "ComplexSource")
_KNOWN: Mapping[str, frozenset[str]] = {
    "": frozenset({"VRTDataset"}),
    "VRTDataset": frozenset({"SRS", "GeoTransform", "VRTRasterBand", "BlockXSize", "BlockYSize"}),
    "VRTRasterBand": frozenset({"NoDataValue", *_SOURCES}),
    **{
        name: frozenset({"SourceFilename", "SourceBand", "SourceProperties", "SrcRect", "DstRect"}) for name in _SOURCES
    },
}
_NEAR = 0.01
"""Pixels that a tile may be off its place; a tile of coarser pixels half a pixel more, by which some of ISRIC's are."""
_PROBES = ((-100.0, 40.0), (-60.0, -15.0), (20.0, 5.0), (25.0, -25.0), (80.0, 50.0), (140.0, -30.0))
"""Longitude and latitude of places, one in each lobe of the Homolosine projection."""


@dataclass(frozen=True)
class MosaicTile:
    """A tile of a map.

    Attributes:
        name: of its file, relative to the VRT.
        row, column, rows, columns: that it fills in the mosaic.
        source: of its own pixels those that fill them.
        shape: of its file, rows and columns; None where the VRT does not say.
        nodata: number of its pixels that leave what lies below; None where all of them count.
    """

    name: str
    row: int
    column: int
    rows: int
    columns: int
    source: Window
    shape: tuple[int, int] | None
    nodata: float | None

    @property
    def window(self) -> Window:
        """Pixels of the mosaic that it fills."""
        return Window(self.row, self.row + self.rows, self.column, self.column + self.columns)

    @property
    def step(self) -> tuple[float, float]:
        """Pixels of the mosaic in one of its own, down and across."""
        height, width = self.source.shape
        return self.rows / height, self.columns / width


@dataclass(frozen=True, eq=False)
class TileMosaic:
    """A map as a list of tiles; of tiles that overlap the later one counts, where it has a value.

    Attributes:
        name: of the VRT.
        grid: of the map.
        nodata: number for missing, which no tile covers either (the sea).
        dtype: of the numbers, in numpy's words.
        tiles: in the order of the VRT.
    """

    name: str
    grid: Grid
    nodata: float
    dtype: str
    tiles: tuple[MosaicTile, ...]

    @cached_property
    def _edges(self) -> NDArray[np.int64]:
        edges = [(one.row, one.row + one.rows, one.column, one.column + one.columns) for one in self.tiles]
        return np.array(edges, np.int64).reshape(-1, 4).T

    def tiles_over(self, window: Window) -> tuple[MosaicTile, ...]:
        """Return the tiles with a pixel in a window, in their order."""
        top, bottom, left, right = self._edges
        met = (top < window.bottom) & (bottom > window.top) & (left < window.right) & (right > window.left)
        return tuple(self.tiles[number] for number in np.flatnonzero(met))


def parse_mosaic(text: bytes, name: str) -> TileMosaic:
    """Read a VRT.

    Args:
        text: of the file.
        name: of the file, for messages.

    Raises:
        VadoseError: it is too large, no VRT, holds a document type or entities, or says anything but a list of tiles
            beside it that lie within it.
    """
    asked = f"soilgrids: {name}"
    if len(text) > LARGEST_BYTES:
        raise _refused(asked, f"It has {len(text):,} bytes; such lists have {LARGEST_BYTES:,} at most")
    reader = _Reader(asked)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reader.document_type
    parser.ExternalEntityRefHandler = reader.document_type
    try:
        parser.Parse(text, True)
        return reader.mosaic(name)
    except expat.ExpatError as error:
        raise _refused(asked, f"It is no whole XML ({error})") from error
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _refused(asked, f"It is no list of tiles ({type(error).__name__}: {error})") from error


def write_window(
    mosaic: TileMosaic, window: Window, read_tile: Callable[[str], Path | None], out: Path
) -> tuple[str, ...]:
    """Write the pixels of a window as a GeoTIFF.

    Args:
        mosaic: of the map.
        window: of its grid.
        read_tile: gives the file of a tile by name; None for one that its server does not have, whose pixels are
            missing.
        out: file that is written.

    Returns:
        Names of the tiles that their server does not have.

    Raises:
        VadoseError: the window lies beyond the map or is too large, or a tile contradicts the map.
    """
    whole = Window(0, mosaic.grid.height, 0, mosaic.grid.width)
    rows, columns = window.shape
    if rows <= 0 or columns <= 0 or window.shared(whole) != window or rows * columns > MOST_PIXELS:
        raise VadoseError(
            f"soilgrids: rows {window.top}..{window.bottom} and columns {window.left}..{window.right} of {mosaic.name}",
            f"The map has {mosaic.grid.height} rows and {mosaic.grid.width} columns; a window holds "
            f"{MOST_PIXELS:,} pixels at most",
            "Choose a window within it",
        )
    values = np.full(window.shape, mosaic.nodata, mosaic.dtype)
    absent = []
    for tile in mosaic.tiles_over(window):
        path = read_tile(tile.name)
        if path is None:
            absent.append(tile.name)
            continue
        part = tile.window.shared(window)
        numbers = _pixels(mosaic, tile, part, path)
        held = values[part.within(window)]
        np.copyto(held, numbers, where=numbers != tile.nodata if tile.nodata is not None else np.True_)
    with atomic_write(out) as temporary, rasterio.open(temporary, "w", **_profile(mosaic, window)) as file:
        file.write(values, 1)
    return tuple(absent)


class _Reader:
    """Takes the elements of a VRT one by one."""

    def __init__(self, asked: str) -> None:
        self.asked = asked
        self.path: list[str] = []
        self.skipped = 0
        self.said: dict[str, str] = {}
        self.held: dict[str, Any] = {}
        self.size: dict[str, str] = {}
        self.dtypes: list[str] = []
        self.tiles: list[MosaicTile] = []
        self.letters: list[str] = []

    def document_type(self, *_: Any) -> int:
        raise _refused(self.asked, "It holds a document type or entities")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self.skipped or name in _PLAIN:
            self.skipped += 1
            if self.skipped > _DEEPEST:
                raise _refused(self.asked, "Its elements are nested too deeply")
            return
        inside = self.path[-1] if self.path else ""
        if name not in _KNOWN.get(inside, frozenset()) and (name, inside) != ("NODATA", "ComplexSource"):
            raise _refused(self.asked, f"It holds the element {name} in {inside or 'the document'}")
        if attributes.get("resampling", "nearest").lower() != "nearest" or "subClass" in attributes:
            raise _refused(self.asked, f"Its {name} computes pixels ({attributes})"[:300])
        self.path.append(name)
        self.letters = []
        if name == "VRTDataset":
            self.size = attributes
        elif name == "VRTRasterBand":
            self.dtypes.append(attributes.get("dataType", "Byte"))
            if len(self.dtypes) > 1:
                raise _refused(self.asked, "It has several bands")
        elif name in _SOURCES:
            self.held = {}
        elif inside in _SOURCES:
            self.held[name] = attributes

    def text(self, letters: str) -> None:
        if not self.skipped and self.path:
            self.letters.append(letters)

    def end(self, name: str) -> None:
        if self.skipped:
            self.skipped -= 1
            return
        self.path.pop()
        inside, text = self.path[-1] if self.path else "", "".join(self.letters).strip()
        self.letters = []
        if inside in _SOURCES:
            self.held[f"{name} text"] = text
        elif name in _SOURCES:
            if len(self.tiles) >= MOST_TILES:
                raise _refused(self.asked, f"It lists more than {MOST_TILES:,} tiles")
            self.tiles.append(self._tile())
        else:
            self.said[name] = text

    def _tile(self) -> MosaicTile:
        if self.held["SourceFilename"].get("relativeToVRT") != "1":
            raise _refused(self.asked, f"Its tile {self.held['SourceFilename text'][:200]!r} is not relative to it")
        match = _NAME.fullmatch(self.held["SourceFilename text"])
        if match is None or len(match["name"]) > 200:
            raise _refused(
                self.asked, f"It names {self.held['SourceFilename text'][:200]!r}, which is no tile beside it"
            )
        if self.held.get("SourceBand text", "1") != "1":
            raise _refused(self.asked, f"Its tile {match['name']} is of the band {self.held['SourceBand text']}")
        stated = self.held.get("SourceProperties")
        shape = None if stated is None else (_size(stated["RasterYSize"]), _size(stated["RasterXSize"]))
        source, place = (_rectangle(self.held[name]) for name in ("SrcRect", "DstRect"))
        if shape is not None and (source.bottom > shape[0] or source.right > shape[1]):
            raise _refused(self.asked, f"Of its tile {match['name']} more pixels are read than it has")
        if place.bottom > _size(self.size["rasterYSize"]) or place.right > _size(self.size["rasterXSize"]):
            raise _refused(self.asked, f"Its tile {match['name']} lies beyond it")
        text = self.held.get("NODATA text")
        nodata = None if text is None else float(text)
        return MosaicTile(match["name"], place.top, place.left, *place.shape, source, shape, nodata)

    def mosaic(self, name: str) -> TileMosaic:
        height, width = (_size(self.size[key]) for key in ("rasterYSize", "rasterXSize"))
        numbers = [float(number) for number in self.said["GeoTransform"].split(",")]
        (dtype,) = self.dtypes
        if dtype not in _DTYPES:
            raise _refused(self.asked, f"Its numbers are {dtype}")
        transform = Affine.from_gdal(*numbers)
        if not all(map(isfinite, numbers)) or transform.b or transform.d or transform.a <= 0 or transform.e >= 0:
            raise _refused(self.asked, f"Its GeoTransform is {self.said['GeoTransform'][:200]}")
        try:
            crs = horizontal_wkt(CRS.from_wkt(self.said["SRS"]).to_wkt())
        except CRSError as error:
            raise _refused(self.asked, f"Its SRS is no WKT ({error})"[:300]) from error
        nodata = float(self.said["NoDataValue"])
        whole = "float" in _DTYPES[dtype] or (nodata.is_integer() and _fits(int(nodata), _DTYPES[dtype]))
        if not whole:
            raise _refused(self.asked, f"Its number for missing is {nodata:g}, its numbers are {dtype}")
        return TileMosaic(name, Grid(crs, transform, height, width), nodata, _DTYPES[dtype], tuple(self.tiles))


def _refused(asked: str, found: str) -> VadoseError:
    return VadoseError(asked, found, "Take the list of tiles from ISRIC again, or report it if that does not help")


def _size(text: str) -> int:
    size = int(text)
    if not 0 < size <= _LONGEST:
        raise ValueError(f"a size of {size}")
    return size


def _fits(number: int, dtype: str) -> bool:
    return int(np.iinfo(dtype).min) <= number <= int(np.iinfo(dtype).max)


def _rectangle(attributes: Mapping[str, str]) -> Window:
    """Return the rows and columns of a rectangle; fractions, of tiles that lie off the map's pixels, are rounded."""
    left, top, width, height = (float(attributes[name]) for name in ("xOff", "yOff", "xSize", "ySize"))
    if not all(0 <= number <= _LONGEST for number in (left, top, width, height)):
        raise ValueError(f"a rectangle of {left:g}, {top:g}, {width:g}, {height:g}")
    column, row = floor(left + 0.5), floor(top + 0.5)
    return Window(row, row + _size(str(floor(height + 0.5))), column, column + _size(str(floor(width + 0.5))))


def _pixels(mosaic: TileMosaic, tile: MosaicTile, part: Window, path: Path) -> NDArray[Any]:
    """Read some pixels of the mosaic from a tile that covers them."""
    asked = f"soilgrids: tile {tile.name} of {mosaic.name}"
    try:
        with rasterio.open(path, driver="GTiff") as file:
            for found in _contradictions(mosaic, tile, file):
                raise VadoseError(asked, found, "Fetch it again; if that does not help, report it to ISRIC")
            steps = tile.step
            rows, columns = (
                np.floor((np.arange(start, end) - origin + 0.5) / step).astype(int) + first
                for start, end, origin, step, first in (
                    (part.top, part.bottom, tile.row, steps[0], tile.source.top),
                    (part.left, part.right, tile.column, steps[1], tile.source.left),
                )
            )
            (top, bottom), (left, right) = ((int(at[0]), int(at[-1]) + 1) for at in (rows, columns))
            numbers = file.read(1, window=((top, bottom), (left, right)))
    except (RasterioError, OSError) as error:
        raise VadoseError(asked, f"It is no whole GeoTIFF ({error})", "Fetch it again") from error
    return np.asarray(numbers[np.ix_(rows - top, columns - left)])


def _contradictions(mosaic: TileMosaic, tile: MosaicTile, file: rasterio.DatasetReader) -> Iterator[str]:
    """Yield what of the file of a tile is not as its map says."""
    if file.count != 1 or file.dtypes[0] != mosaic.dtype:
        yield f"It holds {file.count} bands of {file.dtypes[0]}; the map has one of {mosaic.dtype}"
    if tile.shape is not None and file.shape != tile.shape:
        yield f"It has {file.shape[0]} x {file.shape[1]} pixels; the map says {tile.shape[0]} x {tile.shape[1]}"
    if tile.source.bottom > file.height or tile.source.right > file.width:
        yield f"It has {file.height} x {file.width} pixels; the map reads {tile.source.bottom} x {tile.source.right}"
    if file.crs is None or not _same_projection(file.crs.to_wkt(), mosaic.grid.crs):
        yield "It lies in another projection than the map"
    if not _on_its_place(mosaic.grid.transform, tile, file.transform):
        numbers = ", ".join(f"{number:.10g}" for number in file.transform[:6])
        yield f"Its pixels lie at {numbers}, which are not those of the map there"


def _on_its_place(grid: Affine, tile: MosaicTile, own: Affine) -> bool:
    down, across = tile.step
    axes = (
        (grid.a, grid.c, tile.column, across, own.a, own.c, tile.source.left),
        (grid.e, grid.f, tile.row, down, own.e, own.f, tile.source.top),
    )
    for size, origin, place, step, own_size, own_origin, first in axes:
        off = (own_origin + first * own_size - origin) / size - place
        if abs(own_size / size - step) > 1e-3 * step or abs(off) > _NEAR + (0.5 if step > 1 else 0.0):
            return False
    return not (own.b or own.d)


@lru_cache(maxsize=64)
def _same_projection(one: str, other: str) -> bool:
    """Whether two projections put places on Earth to the same coordinates, whatever they are called."""
    if one == other:
        return True
    lon, lat = np.array(_PROBES).T
    try:
        found = [np.array(Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)) for crs in (one, other)]
    except (CRSError, ProjError):
        return False
    return bool(np.isfinite(found).all() and np.abs(found[0] - found[1]).max() < 0.01)  # m


def _profile(mosaic: TileMosaic, window: Window) -> dict[str, Any]:
    rows, columns = window.shape
    return {
        "driver": "GTiff",
        "height": rows,
        "width": columns,
        "count": 1,
        "dtype": mosaic.dtype,
        "crs": mosaic.grid.crs,
        "transform": mosaic.grid.transform @ Affine.translation(window.left, window.top),
        "nodata": mosaic.nodata,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 3 if mosaic.dtype.startswith("float") else 2,
    }
