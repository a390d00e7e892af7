"""Lists of tiles of SoilGrids: what ISRIC's VRT says, the windows that are written of it, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from real_archive import Layer, write_raster
from vadose.catalogues import soilgrids_tiles
from vadose.catalogues.demand import Target
from vadose.catalogues.soilgrids_pieces import windows_around
from vadose.catalogues.soilgrids_tiles import TileMosaic, parse_mosaic, write_window
from vadose.errors import VadoseError
from vadose.grid import AreaOfInterest
from vadose.sources.raster import Grid
from vadose.sources.window import Window

HOMOLOSINE = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"
NODATA, SIZE = -32768, 50
ROWS, COLUMNS = 170, 220
GRID = Affine(250, 0, -8_000_000, 0, -250, 4_000_000)
SIDE_BY_SIDE = {"1-1": (0, 0), "1-2": (0, 50), "2-1": (50, 0), "2-3": (50, 100)}
"""Row and column of each tile; the others are sea."""


def file_of(name: str) -> str:
    return f"sand_0-5cm_mean/tileSG-001-002/tileSG-001-002_{name}.tif"


def tile(row: int, column: int, shape: tuple[int, int] = (SIZE, SIZE), step: tuple[int, int] = (1, 1)) -> Layer:
    """A tile in which no two pixels are alike, with holes."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    values = (row + rows * step[0]) * 100 + column + columns * step[1]
    values[(rows * 3 + columns * 5) % 11 == 0] = NODATA
    transform = GRID @ Affine.translation(column, row) @ Affine.scale(step[1], step[0])
    return Layer(values.astype(np.int16), HOMOLOSINE, transform, NODATA)


def element(name: str, row: float, column: float, shape: tuple[int, int], place: tuple[float, float], **of: Any) -> str:
    source = f'xOff="0" yOff="0" xSize="{shape[1]}" ySize="{shape[0]}"'
    return f"""    <ComplexSource{of.get("said", "")}>
      <SourceFilename relativeToVRT="{of.get("relative", 1)}">{name}</SourceFilename>
      <SourceBand>1</SourceBand>
      <SourceProperties RasterXSize="{shape[1]}" RasterYSize="{shape[0]}" DataType="Int16" />
      <SrcRect {of.get("source", source)} />
      <DstRect xOff="{column}" yOff="{row}" xSize="{place[1]}" ySize="{place[0]}" />
      <NODATA>{NODATA}</NODATA>
    </ComplexSource>"""


def document(*elements: str, head: str = "", band: str = 'dataType="Int16" band="1"', more: str = "") -> bytes:
    wkt = CRS.from_user_input(HOMOLOSINE).to_wkt("WKT1_GDAL").replace('"', "&quot;")
    return f"""{head}<VRTDataset rasterXSize="{COLUMNS}" rasterYSize="{ROWS}">
  <SRS dataAxisToSRSAxisMapping="1,2">{wkt}</SRS>
  <GeoTransform> {GRID.c:.16e},  2.5e+02,  0.0, {GRID.f:.16e},  0.0, -2.5e+02</GeoTransform>
  <Metadata><MDI key="TIFFTAG_SOFTWARE">x</MDI></Metadata>
  <VRTRasterBand {band}>
    <NoDataValue>{NODATA}</NoDataValue>
    <ColorInterp>Gray</ColorInterp>
{chr(10).join(elements)}
  </VRTRasterBand>{more}
  <OverviewList resampling="nearest">2 4 8</OverviewList>
</VRTDataset>""".encode()


def plain(name: str = "1-1", row: float = 0, column: float = 0) -> str:
    return element("./" + file_of(name), row, column, (SIZE, SIZE), (SIZE, SIZE))


def write_map(folder: Path, coarse: bool = False) -> Path:
    """Write a VRT and its tiles; if asked, with two tiles of coarser pixels, one of them off the map's by a half."""
    elements = []
    for name, (row, column) in SIDE_BY_SIDE.items():
        write_raster(folder / file_of(name), tile(row, column))
        elements.append(plain(name, row, column))
    if coarse:
        write_raster(folder / file_of("3-1"), tile(110, 30, (2, 20), (15, 1)))
        elements.append(element("./" + file_of("3-1"), 110, 30, (2, 20), (30, 20)))
        off = tile(90, 120, (1, 2), (12, 12))
        moved = Layer(off.values * 0 + 7, HOMOLOSINE, off.transform @ Affine.translation(0.5 / 12, 0.5 / 12), NODATA)
        write_raster(folder / file_of("3-3"), moved)
        elements.insert(0, element("./" + file_of("3-3"), 90, 120, (1, 2), (12, 24)))
    path = folder / "sand_0-5cm_mean.vrt"
    path.write_bytes(document(*elements))
    return path


def read(path: Path) -> TileMosaic:
    return parse_mosaic(path.read_bytes(), path.name)


def by_gdal(path: Path, window: Window) -> NDArray[np.int16]:
    """Pixels as GDAL's own VRT driver gives them, in a process that has it."""
    code = (
        "import rasterio, sys, json; f = rasterio.open(sys.argv[1]); (a, b), (c, d) = json.loads(sys.argv[2]);"
        "print(json.dumps(f.read(1, window=((a, b), (c, d))).tolist()))"
    )
    place = json.dumps([[window.top, window.bottom], [window.left, window.right]])
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), place], capture_output=True, check=True, env={"PATH": ""}, text=True
    )
    return np.array(json.loads(done.stdout), np.int16)


def test_the_list_says_what_the_document_says(tmp_path: Path) -> None:
    mosaic = read(write_map(tmp_path, coarse=True))
    assert (mosaic.grid.height, mosaic.grid.width, mosaic.nodata, mosaic.dtype) == (ROWS, COLUMNS, NODATA, "int16")
    assert mosaic.grid.transform == GRID
    assert [(one.name, one.row, one.column) for one in mosaic.tiles[1:5]] == [
        (file_of(name), *place) for name, place in SIDE_BY_SIDE.items()
    ]
    assert [one.step for one in mosaic.tiles] == [(12, 12), (1, 1), (1, 1), (1, 1), (1, 1), (15, 1)]


@pytest.mark.parametrize(
    ("window", "names"),
    [
        (Window(0, 50, 0, 50), ["1-1"]),
        (Window(49, 51, 49, 51), ["1-1", "1-2", "2-1"]),
        (Window(50, 60, 50, 100), []),
        (Window(0, ROWS, 0, COLUMNS), list(SIDE_BY_SIDE)),
        (Window(60, 61, 99, 101), ["2-3"]),
    ],
)
def test_tiles_over_a_window(tmp_path: Path, window: Window, names: list[str]) -> None:
    mosaic = read(write_map(tmp_path))
    assert [one.name for one in mosaic.tiles_over(window)] == [file_of(name) for name in names]


@pytest.mark.parametrize(
    "window",
    [
        Window(10, 90, 20, 130),
        Window(0, ROWS, 0, COLUMNS),
        Window(88, 104, 118, 150),
        Window(105, 145, 25, 55),
        Window(140, 160, 160, 200),
    ],
)
def test_a_window_has_the_pixels_that_gdal_reads(tmp_path: Path, window: Window) -> None:
    path = write_map(tmp_path, coarse=True)
    mosaic, out = read(path), tmp_path / "out" / "sand.tif"
    assert write_window(mosaic, window, lambda name: tmp_path / name, out) == ()
    with rasterio.open(out, driver="GTiff") as file:
        np.testing.assert_array_equal(file.read(1), by_gdal(path, window))
        assert file.transform == GRID @ Affine.translation(window.left, window.top)
        assert (file.nodata, file.block_shapes, file.compression.name) == (NODATA, [(256, 256)], "deflate")
        assert soilgrids_tiles._same_projection(file.crs.to_wkt(), mosaic.grid.crs)


def test_only_tiles_under_the_window_are_asked_for(tmp_path: Path) -> None:
    mosaic, asked = read(write_map(tmp_path)), list[str]()

    def read_tile(name: str) -> Path:
        asked.append(name)
        return tmp_path / name

    write_window(mosaic, Window(40, 60, 0, 40), read_tile, tmp_path / "out.tif")
    assert asked == [file_of("1-1"), file_of("2-1")]


def test_tiles_that_the_server_lacks_are_missing_and_named(tmp_path: Path) -> None:
    mosaic, out = read(write_map(tmp_path)), tmp_path / "out.tif"
    lost = file_of("1-2")
    told = write_window(mosaic, Window(0, 50, 0, 100), lambda name: None if name == lost else tmp_path / name, out)
    assert told == (lost,)
    with rasterio.open(out, driver="GTiff") as file:
        values = file.read(1)
    assert (values[:, 50:] == NODATA).all() and (values[:, :50] != NODATA).any()


def test_two_writes_of_one_window_are_the_same_bytes(tmp_path: Path) -> None:
    mosaic = read(write_map(tmp_path))
    for name in "ab":
        write_window(mosaic, Window(0, 90, 0, 90), lambda name: tmp_path / name, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


BAD_TILES: dict[str, tuple[Callable[[], Layer], str]] = {
    "size": (lambda: tile(0, 0, (SIZE, SIZE - 1)), "pixels; the map says"),
    "numbers": (
        lambda: Layer(tile(0, 0).values.astype(np.int32), HOMOLOSINE, tile(0, 0).transform, NODATA),
        "of int32",
    ),
    "projection": (lambda: Layer(tile(0, 0).values, "EPSG:32633", tile(0, 0).transform, NODATA), "another projection"),
    "no projection": (lambda: Layer(tile(0, 0).values, None, tile(0, 0).transform, NODATA), "another projection"),
    "place": (lambda: tile(0, 1), "not those of the map"),
    "phase": (
        lambda: Layer(tile(0, 0).values, HOMOLOSINE, tile(0, 0).transform @ Affine.translation(0.5, 0), NODATA),
        "not those of the map",
    ),
    "pixel": (
        lambda: Layer(tile(0, 0).values, HOMOLOSINE, tile(0, 0).transform @ Affine.scale(3, 3), NODATA),
        "not those of the map",
    ),
}


@pytest.mark.parametrize("fault", BAD_TILES)
def test_a_tile_that_contradicts_the_list_is_refused(tmp_path: Path, fault: str) -> None:
    mosaic = read(write_map(tmp_path))
    make, words = BAD_TILES[fault]
    write_raster(tmp_path / file_of("1-1"), make())
    with pytest.raises(VadoseError, match=words):
        write_window(mosaic, Window(0, 20, 0, 20), lambda name: tmp_path / name, tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", b"<VRTDataset/>"])
def test_a_tile_that_is_no_geotiff_is_refused(tmp_path: Path, content: bytes) -> None:
    mosaic = read(write_map(tmp_path))
    (tmp_path / file_of("1-1")).write_bytes(content)
    with pytest.raises(VadoseError, match="no whole GeoTIFF"):
        write_window(mosaic, Window(0, 20, 0, 20), lambda name: tmp_path / name, tmp_path / "out.tif")


@pytest.mark.parametrize(
    "window", [Window(0, ROWS + 1, 0, 5), Window(-1, 5, 0, 5), Window(5, 5, 0, 5), Window(0, 5, 0, COLUMNS + 1)]
)
def test_a_window_beyond_the_map_is_refused(tmp_path: Path, window: Window) -> None:
    with pytest.raises(VadoseError, match="a window holds"):
        write_window(read(write_map(tmp_path)), window, lambda name: tmp_path / name, tmp_path / "out.tif")


NAMES = [
    "/etc/passwd.tif",
    "../secret.tif",
    "./a/../../b.tif",
    "a/./b.tif",
    "a//b.tif",
    "/vsicurl/https://host/a.tif",
    "vsicurl/https://host/a.tif",
    "file:a.tif",
    "https://host/a.tif",
    "C:\\a.tif",
    "a\\..\\b.tif",
    "a.vrt",
    "a.tif?x=1",
    "a%2f..%2fb.tif",
    "&lt;VRTDataset/&gt;.tif",
    ".hidden/a.tif",
    "a..tif",
    "",
    "a" * 300 + ".tif",
    "a/" * 8 + "b.tif",
    "GTIFF_DIR:1:a.tif",
    "a\nb.tif",
    "a.tif\n/x.tif",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(VadoseError, match=r"no tile beside it|no list of tiles"):
        parse_mosaic(document(element(name, 0, 0, (SIZE, SIZE), (SIZE, SIZE))), "x.vrt")


LAUGHS = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
HOSTILE = {
    "billion laughs": document(plain(), head=LAUGHS),
    "document type": document(plain(), head="<!DOCTYPE VRTDataset>"),
    "external entity": document(plain(), head='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    "other encoding": document(plain(), head=LAUGHS).decode().encode("utf-16"),
    "absolute": document(element("a.tif", 0, 0, (SIZE, SIZE), (SIZE, SIZE), relative=0)),
    "negative rectangle": document(plain(row=-1)),
    "source outside the tile": document(
        element("a.tif", 0, 0, (SIZE, SIZE), (SIZE, SIZE), source='xOff="1" yOff="0" xSize="50" ySize="50"')
    ),
    "infinite rectangle": document(plain(row=float("inf"))),
    "no number": document(plain(row=float("nan"))),
    "beyond the map": document(plain(row=ROWS - SIZE + 1)),
    "empty rectangle": document(element("a.tif", 0, 0, (SIZE, SIZE), (0, SIZE))),
    "bilinear": document(element("a.tif", 0, 0, (SIZE, SIZE), (SIZE, SIZE), said=' resampling="bilinear"')),
    "derived band": document(plain(), band='dataType="Int16" band="1" subClass="VRTDerivedRasterBand"'),
    "pixel function": document(plain(), "<PixelFunctionType>python</PixelFunctionType>"),
    "two bands": document(
        plain(), more='<VRTRasterBand dataType="Int16" band="2"><NoDataValue>0</NoDataValue></VRTRasterBand>'
    ),
    "mask": document(plain(), more="<MaskBand></MaskBand>"),
    "overview elsewhere": document(plain(), "<Overview><SourceFilename>/a.tif</SourceFilename></Overview>"),
    "complex numbers": document(plain(), band='dataType="CFloat32" band="1"'),
    "huge": document(plain()).replace(b'rasterXSize="220"', b'rasterXSize="2200000000"'),
    "rotated": document(plain()).replace(b"2.5e+02,  0.0,", b"2.5e+02,  1.0,"),
    "upside down": document(plain()).replace(b"-2.5e+02<", b"2.5e+02<"),
    "no projection": document(plain()).replace(b"PROJCS", b"NONSENSE"),
    "no number for missing": document(plain()).replace(b"<NoDataValue>-32768</NoDataValue>", b""),
    "a number that does not fit": document(plain()).replace(b"<NoDataValue>-32768", b"<NoDataValue>99999"),
    "half a document": document(plain())[:-40],
    "not XML": b"<html><body>Sign in<br></body></html>",
    "nothing": b"",
    "deep": b"<VRTDataset>" + b"<Metadata>" * 10_000,
    "a link": document(plain(), "<Include>x</Include>"),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_document_is_refused(fault: str) -> None:
    with pytest.raises(VadoseError, match=r"soilgrids: x\.vrt") as refused:
        parse_mosaic(HOSTILE[fault], "x.vrt")
    assert "passwd" not in str(refused.value) and len(str(refused.value)) < 1000


def test_a_million_tiles_are_refused_before_they_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soilgrids_tiles, "MOST_TILES", 100)
    with pytest.raises(VadoseError, match="more than 100 tiles"):
        parse_mosaic(document(*[plain()] * 101), "x.vrt")
    monkeypatch.setattr(soilgrids_tiles, "LARGEST_BYTES", 10_000)
    with pytest.raises(VadoseError, match="10,000 at most"):
        parse_mosaic(document(*[plain()] * 100), "x.vrt")


def test_an_area_across_the_antimeridian_has_a_window_at_either_end_of_the_map():
    wkt = CRS("+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs").to_wkt()
    grid = Grid(wkt, Affine(250, 0, -19_949_750, 0, -250, 8_361_000), 58_034, 159_246)
    islands, inland = (
        Target.of_tiles("area", AreaOfInterest.from_bbox(*box).tiles(32, 0))
        for box in ((179.9, -16.6, -179.9, -16.4), (9.0, 48.0, 9.4, 48.2))
    )
    west, east = windows_around(grid, [islands])
    assert west.right < 200 and east.left > grid.width - 200
    (whole,) = windows_around(grid, [inland])
    assert 100 < whole.shape[1] < 300
