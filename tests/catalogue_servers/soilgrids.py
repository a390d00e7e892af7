"""SoilGrids as ISRIC serves it: one VRT a map over tiles of 450 × 450 pixels."""

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import rasterio
import tifffile
from rasterio.windows import Window

from catalogue_servers.files import FileServer

ROOT = "/soilgrids/latest/data"
TILE = 450
"""Pixels of a tile."""
GROUP = 4
"""Tiles of a group of tiles, along and across."""


class SoilGridsServer(FileServer):
    """Maps at `/soilgrids/latest/data/{property}/{layer}.vrt`, such as `sand/sand_0-5cm_mean.vrt`, and their tiles.

    Attributes:
        root: Address of the folder of properties.
    """

    def __init__(self, maps: Path, work: Path) -> None:
        """Cut maps into tiles.

        Args:
            maps: Folder of GeoTIFFs on the grid of SoilGrids, such as `sand_0-5cm_mean.tif`, sparse where unknown.
            work: Folder that receives VRTs and tiles.
        """
        for source in sorted(maps.glob("*_*cm_mean.tif")):
            cut(source, work / source.name.partition("_")[0])
        super().__init__({ROOT: work})
        self.root = f"{self.url}{ROOT}"


def cut(source: Path, folder: Path) -> None:
    """Write the VRT of a map and those of its tiles that hold a value."""
    layer = source.name.removesuffix(".tif")
    with rasterio.open(source) as dataset:
        entries = []
        for row, column in _tiles(source):
            window = Window(column * TILE, row * TILE, TILE, TILE).intersection(
                Window(0, 0, dataset.width, dataset.height)
            )
            values = dataset.read(1, window=window)
            if (values == dataset.nodata).all():
                continue
            name = _name(layer, row, column)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            profile = {
                **dataset.profile,
                "width": window.width,
                "height": window.height,
                "transform": dataset.window_transform(window),
                "predictor": 2,
            }
            with rasterio.open(folder / name, "w", **profile) as tile:
                tile.write(values, 1)
            entries.append(_entry(name, window, dataset.nodata))
        (folder / f"{layer}.vrt").write_text(_vrt(dataset, entries))


def _tiles(source: Path) -> Iterator[tuple[int, int]]:
    """Rows and columns of the tiles that a stored block of a sparse GeoTIFF meets."""
    with tifffile.TiffFile(source) as file:
        page = file.pages[0]
        across = -(-page.imagewidth // page.tilewidth)
        blocks = [divmod(number, across) for number, count in enumerate(page.databytecounts) if count]
        found = {
            (row, column)
            for down, right in blocks
            for row in range(down * page.tilelength // TILE, ((down + 1) * page.tilelength - 1) // TILE + 1)
            for column in range(right * page.tilewidth // TILE, ((right + 1) * page.tilewidth - 1) // TILE + 1)
            if row * TILE < page.imagelength and column * TILE < page.imagewidth
        }
    yield from sorted(found)


def _name(layer: str, row: int, column: int) -> str:
    group = f"tileSG-{row // GROUP + 1:03}-{column // GROUP + 1:03}"
    return f"{layer}/{group}/{group}_{row % GROUP + 1}-{column % GROUP + 1}.tif"


def _entry(name: str, window: Window, nodata: float) -> str:
    size = f'xSize="{window.width}" ySize="{window.height}"'
    return f"""    <ComplexSource>
      <SourceFilename relativeToVRT="1">./{name}</SourceFilename>
      <SourceBand>1</SourceBand>
      <SourceProperties RasterXSize="{window.width}" RasterYSize="{window.height}" DataType="Int16" \
BlockXSize="256" BlockYSize="256" />
      <SrcRect xOff="0" yOff="0" {size} />
      <DstRect xOff="{window.col_off}" yOff="{window.row_off}" {size} />
      <NODATA>{nodata:g}</NODATA>
    </ComplexSource>
"""


def _vrt(dataset: rasterio.DatasetReader, entries: list[str]) -> str:
    numbers = ", ".join(f"{number: .16e}" for number in dataset.transform.to_gdal())
    return f"""<VRTDataset rasterXSize="{dataset.width}" rasterYSize="{dataset.height}">
  <SRS dataAxisToSRSAxisMapping="1,2">{escape(dataset.crs.to_wkt())}</SRS>
  <GeoTransform>{numbers}</GeoTransform>
  <VRTRasterBand dataType="Int16" band="1">
    <NoDataValue>{dataset.nodata:g}</NoDataValue>
    <ColorInterp>Gray</ColorInterp>
{"".join(entries)}  </VRTRasterBand>
</VRTDataset>
"""
