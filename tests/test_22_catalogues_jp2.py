"""Windows of remote JPEG 2000 files: the same pixels and grid as the whole file, for the bytes of their tiles."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from catalogue_servers.cdse import write_jp2
from catalogue_servers.files import FileServer
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.http import HttpClient
from vadose.catalogues.jp2 import RemoteJp2
from vadose.catalogues.remote import RemoteFile
from vadose.errors import VadoseError
from vadose.sources.window import Window

HEIGHT, WIDTH, TILE = 700, 900, 128
KINDS = ("table", "walk", "classes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rasters")
    rng = np.random.default_rng(0)
    for name in KINDS:
        dtype, most = ("uint8", 12) if name == "classes" else ("uint16", 30_000)
        profile = {"driver": "GTiff", "height": HEIGHT, "width": WIDTH, "count": 1, "dtype": dtype}
        grid = {"crs": "EPSG:32632", "transform": from_origin(5e5, 5e6, 10, 10)}
        with rasterio.open(folder / f"{name}.tif", "w", **profile, **grid) as file:
            file.write(rng.integers(0, most, (HEIGHT, WIDTH)).astype(dtype), 1)
        write_jp2(folder / f"{name}.tif", folder / f"{name}.jp2", name == "table", TILE)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[FileServer]:
    with FileServer({"/files": folder}) as server:
        yield server


def opened(server: FileServer, name: str, cache: Path) -> RemoteJp2:
    server.reset()
    client = HttpClient(frozenset({"127.0.0.1"}))
    return RemoteJp2.open(RemoteFile(client, f"{server.url}/files/{name}", BlockCache(cache)))


def parts_of(content: bytes) -> list[tuple[int, int]]:
    """First byte and number of bytes of each tile-part, found from the last main marker on."""
    place, found = content.index(b"\xff\x90\x00\x0a"), []
    while content[place : place + 2] == b"\xff\x90":
        (size,) = struct.unpack(">I", content[place + 6 : place + 10])
        found.append((place, size))
        place += size
    return found


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "window",
    [Window(0, 1, 0, 1), Window(200, 300, 130, 520), Window(690, 700, 890, 900), Window(0, HEIGHT, 0, WIDTH)],
)
def test_a_window_has_the_pixels_of_the_file(
    folder: Path, server: FileServer, tmp_path: Path, name: str, window: Window
) -> None:
    raster = opened(server, f"{name}.jp2", tmp_path / "cache")
    whole = raster.aligned(window)
    assert whole.top % TILE == whole.left % TILE == 0 and whole.bottom >= window.bottom and whole.right >= window.right
    raster.copy(window, tmp_path / "out.tif")
    with rasterio.open(folder / f"{name}.tif") as source, rasterio.open(tmp_path / "out.tif") as copied:
        expected = source.read(1)[whole.top : whole.bottom, whole.left : whole.right]
        np.testing.assert_array_equal(copied.read(1), expected)
        assert copied.dtypes == source.dtypes
        assert copied.crs == source.crs and copied.crs.to_epsg() == 32632
        assert copied.transform == source.transform @ source.transform.translation(whole.left, whole.top)
    assert (raster.grid.height, raster.grid.width) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("name", ["table", "walk"])
def test_a_window_costs_the_bytes_of_its_tiles(folder: Path, server: FileServer, tmp_path: Path, name: str) -> None:
    raster = opened(server, f"{name}.jp2", tmp_path / "cache")
    raster.copy(Window(300, 301, 300, 301), tmp_path / "out.tif")
    number = 300 // TILE * -(-WIDTH // TILE) + 300 // TILE
    parts = parts_of((folder / f"{name}.jp2").read_bytes())
    spent = server.totals()
    before = 12 * (number + 1) if name == "walk" else 0
    assert spent.bytes <= 1.01 * parts[number][1] + (1 << 15) + before
    assert spent.requests <= 2 + (number + 1 if name == "walk" else 0)


def test_a_window_is_read_again_from_the_cache(server: FileServer, tmp_path: Path) -> None:
    for out in ("a.tif", "b.tif"):
        raster = opened(server, "walk.jp2", tmp_path / "cache")
        raster.copy(Window(300, 301, 300, 301), tmp_path / out)
    assert server.totals().requests == 1, "the header"
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def changed(name: str, content: bytes) -> bytes:
    """A file that is damaged in one way."""
    parts = parts_of(content)
    box = content.index(b"jp2c") - 4
    endless = content[:box] + struct.pack(">I", 0) + content[box + 4 :]
    place = parts[9][0]
    return {
        "truncated": content[: len(content) // 2],
        "truncated, of unknown length": endless[: parts[9][0] + 40],
        "ends before the tile": endless[: parts[9][0]],
        "in its header": content[: content.index(b"\xff\x52")],
        "not in its place": content[:place] + b"\0\0" + content[place + 2 :],
        "of another tile": content[: place + 4] + b"\0\1" + content[place + 6 :],
        "of two bands": content.replace(content[content.index(b"\xff\x51") :][:40], _of_two(content)),
        "no codestream": content[:box] + content[:box],
    }[name]


def _of_two(content: bytes) -> bytes:
    segment = content[content.index(b"\xff\x51") :][:40]
    return segment[:38] + b"\0\2"


@pytest.mark.parametrize("kind", ["table", "walk"])
@pytest.mark.parametrize(
    "name",
    [
        "truncated",
        "truncated, of unknown length",
        "ends before the tile",
        "in its header",
        "not in its place",
        "of another tile",
        "of two bands",
        "no codestream",
    ],
)
def test_a_damaged_file_is_refused(folder: Path, tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "x.jp2").write_bytes(changed(name, (folder / f"{kind}.jp2").read_bytes()))
    with FileServer({"/files": tmp_path / "files"}) as server, pytest.raises(VadoseError, match="catalogues: http"):
        opened(server, "x.jp2", tmp_path / "cache").copy(Window(150, 151, 150, 151), tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()
