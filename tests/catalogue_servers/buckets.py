"""Open buckets of the Copernicus DEM and of ESA WorldCover: one file a tile, none at sea."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import rasterio
from affine import Affine
from rasterio.warp import Resampling, reproject, transform_bounds
from rasterio.windows import Window

from catalogue_servers.files import FileServer

DEM, WORLDCOVER = "/copernicus-dem-30m", "/esa-worldcover"
CRS = "EPSG:4326"
SECOND = 1 / 3600
COVER_PIXELS, COVER_DEGREES = 12_000, 3
"""WorldCover: pixels of a degree, degrees of a tile."""
COLUMNS = ((50, 3600), (60, 2400), (70, 1800), (80, 1200), (85, 720), (91, 360))
"""Copernicus DEM: columns of a tile up to an absolute latitude."""


class BucketServer(FileServer):
    """Tiles at the paths they have in their buckets.

    - `/copernicus-dem-30m/tileList.txt`, `/copernicus-dem-30m/{tile}/{tile}.tif` with tiles such as
      `Copernicus_DSM_COG_10_N45_00_E012_00_DEM`;
    - `/esa-worldcover/v200/2021/map/ESA_WorldCover_10m_2021_v200_N45E012_Map.tif`.

    Attributes:
        dem: Address of the bucket of the DEM.
        worldcover: Address of the bucket of WorldCover.
    """

    def __init__(self, elevations: Iterable[Path], covers: Iterable[Path], work: Path) -> None:
        """Paint windows of elevation and land cover onto whole tiles; the rest of a tile is 0.

        Args:
            elevations: GeoTIFFs, resampled bilinearly.
            covers: GeoTIFFs, taken pixel by pixel where they lie on the grid of WorldCover.
            work: Folder that receives the tiles.
        """
        dem, cover = work / "copernicus-dem-30m", work / "esa-worldcover"
        names = sorted({name for path in sorted(elevations) for name in _paint_elevation(path, dem)})
        dem.mkdir(parents=True, exist_ok=True)
        (dem / "tileList.txt").write_text("".join(f"{name}\n" for name in names))
        for path in sorted(covers):
            _paint_cover(path, cover / "v200" / "2021" / "map")
        super().__init__({DEM: dem, WORLDCOVER: cover})
        self.dem, self.worldcover = f"{self.url}{DEM}", f"{self.url}{WORLDCOVER}"


def dem_name(south: int, west: int) -> str:
    return f"Copernicus_DSM_COG_10_{_axis(south, 'NS', 2)}_00_{_axis(west, 'EW', 3)}_00_DEM"


def worldcover_name(south: int, west: int) -> str:
    return f"ESA_WorldCover_10m_2021_v200_{_axis(south, 'NS', 2)}{_axis(west, 'EW', 3)}_Map.tif"


def dem_grid(south: int, west: int) -> tuple[Affine, int]:
    """Geotransform and columns of a tile: pixels lie on whole seconds with their centres."""
    lowest = min(abs(south), abs(south + 1))
    columns = next(count for latitude, count in COLUMNS if lowest < latitude)
    width = 1 / columns
    return Affine(width, 0, west - width / 2, 0, -SECOND, south + 1 + SECOND / 2), columns


def _axis(degree: int, letters: str, digits: int) -> str:
    return f"{letters[degree < 0]}{abs(degree):0{digits}}"


def _corners(path: Path, step: int) -> Iterator[tuple[int, int]]:
    """South-west corners of the tiles that a raster touches, whole degrees."""
    west, south, east, north = _bounds(path)
    for row in range(math.floor(south / step), math.ceil(north / step)):
        for column in range(math.floor(west / step), math.ceil(east / step)):
            yield row * step, column * step


def _bounds(path: Path) -> tuple[float, float, float, float]:
    with rasterio.open(path) as dataset:
        return transform_bounds(dataset.crs, CRS, *dataset.bounds)


def _paint_elevation(path: Path, folder: Path) -> Iterator[str]:
    for south, west in _corners(path, 1):
        name = dem_name(south, west)
        transform, columns = dem_grid(south, west)
        tile = _Tile((3600, columns), transform, "float32", None)
        _paint(path, folder / name / f"{name}.tif", tile, Resampling.bilinear)
        yield name


def _paint_cover(path: Path, folder: Path) -> None:
    size, pixel = COVER_PIXELS * COVER_DEGREES, 1 / COVER_PIXELS
    for south, west in _corners(path, COVER_DEGREES):
        transform = Affine(pixel, 0, west, 0, -pixel, south + COVER_DEGREES)
        _paint(path, folder / worldcover_name(south, west), _Tile((size, size), transform, "uint8", 0))


@dataclass(frozen=True)
class _Tile:
    """Grid and type of a tile."""

    shape: tuple[int, int]
    transform: Affine
    dtype: str
    nodata: float | None

    def window(self, bounds: tuple[float, float, float, float]) -> Window:
        """Whole pixels that a box covers, rows and columns."""
        west, south, east, north = bounds
        left, top = (math.floor(round(number, 6)) for number in ~self.transform * (west, north))
        right, bottom = (math.ceil(round(number, 6)) for number in ~self.transform * (east, south))
        whole = Window(left, top, right - left, bottom - top)
        return whole.intersection(Window(0, 0, self.shape[1], self.shape[0]))

    def create(self, path: Path) -> None:
        """Write an empty tile: its blocks take no room."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=self.shape[0],
            width=self.shape[1],
            count=1,
            dtype=self.dtype,
            crs=CRS,
            transform=self.transform,
            nodata=self.nodata,
            tiled=True,
            blockxsize=1024,
            blockysize=1024,
            compress="deflate",
            sparse_ok=True,
        ).close()


def _paint(source: Path, path: Path, tile: _Tile, resampling: Resampling = Resampling.nearest) -> None:
    """Write a raster into a tile, which is made where there is none."""
    if not path.exists():
        tile.create(path)
    window = tile.window(_bounds(source))
    with rasterio.open(path, "r+") as target, rasterio.open(source) as dataset:
        values = target.read(1, window=window)
        reproject(
            rasterio.band(dataset, 1),
            values,
            dst_transform=target.window_transform(window),
            dst_crs=CRS,
            resampling=resampling,
            init_dest_nodata=False,
        )
        target.write(values, 1, window=window)
