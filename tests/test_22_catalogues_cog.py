"""Windows of remote GeoTIFFs: the same pixels, grid and tags as the whole file, whatever its compression."""

import errno
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin

from catalogue_servers import AssetServer, Container, faults
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.cog import RemoteRaster
from vadose.catalogues.http import Denied, HttpClient
from vadose.catalogues.remote import RemoteFile
from vadose.errors import VadoseError
from vadose.sources.window import Window

HEIGHT, WIDTH = 700, 900
KINDS = {
    "deflate-2": {"dtype": "uint16", "compress": "deflate", "predictor": 2, "blockxsize": 256, "blockysize": 256},
    "deflate-3": {"dtype": "float32", "compress": "deflate", "predictor": 3, "blockxsize": 128, "blockysize": 256},
    "lzw": {"dtype": "int16", "compress": "lzw", "blockxsize": 256, "blockysize": 128},
    "zstd": {"dtype": "float32", "compress": "zstd", "blockxsize": 256, "blockysize": 256},
    "lerc": {"dtype": "float32", "compress": "lerc", "blockxsize": 256, "blockysize": 256},
    "plain": {"dtype": "uint8", "blockxsize": 256, "blockysize": 256},
    "big-endian": {"dtype": "uint16", "compress": "deflate", "blockxsize": 256, "blockysize": 256, "endianness": "big"},
    "bigtiff": {"dtype": "uint16", "compress": "deflate", "blockxsize": 256, "blockysize": 256, "bigtiff": "yes"},
    "strips": {"dtype": "int16", "compress": "deflate", "tiled": False, "blockysize": 64},
    "sparse": {"dtype": "uint16", "compress": "deflate", "blockxsize": 256, "blockysize": 256, "sparse_ok": True},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rasters")
    rng = np.random.default_rng(0)
    for name, kind in KINDS.items():
        values = rng.integers(0, 200, (HEIGHT, WIDTH)).astype(kind["dtype"])
        if name == "sparse":
            values[:300] = 0
        profile = {"driver": "GTiff", "height": HEIGHT, "width": WIDTH, "count": 1, "tiled": True, "nodata": 0, **kind}
        with rasterio.open(
            folder / f"{name}.tif", "w", crs="EPSG:32632", transform=from_origin(5e5, 5e6, 10, 10), **profile
        ) as file:
            if name == "sparse":
                file.write(values[300:], 1, window=rasterio.windows.Window(0, 300, WIDTH, HEIGHT - 300))
            else:
                file.write(values, 1)
            file.scales, file.offsets, file.units = (0.5,), (1.0,), ("m",)
    with rasterio.open(
        folder / "two.tif", "w", driver="GTiff", height=8, width=8, count=2, dtype="uint8", crs="EPSG:32632"
    ) as file:
        file.write(np.zeros((2, 8, 8), np.uint8))
    plain = (folder / "plain.tif").read_bytes()
    start = int.from_bytes(plain[4:8], "little")
    directory = plain[start : start + 6 + 12 * int.from_bytes(plain[start : start + 2], "little")]
    (folder / "directory-last.tif").write_bytes(plain[:4] + len(plain).to_bytes(4, "little") + plain[8:] + directory)
    (folder / "text.tif").write_text("no raster at all" * 100)
    whole = (folder / "deflate-2.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) // 2])
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 64] = bytes(64)
    (folder / "damaged.tif").write_bytes(damaged)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[AssetServer]:
    with AssetServer([Container("a", "b", folder, signed=False)]) as started:
        yield started


def opened(server: AssetServer, name: str, cache: Path) -> RemoteRaster:
    client = HttpClient(frozenset({"127.0.0.1"}))
    return RemoteRaster.open(RemoteFile(client, server.address("a", "b", f"{name}.tif"), BlockCache(cache)))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=5)
@given(
    rows=st.tuples(st.integers(0, HEIGHT - 1), st.integers(1, 400)),
    columns=st.tuples(st.integers(0, WIDTH - 1), st.integers(1, 400)),
)
def test_a_window_has_the_pixels_and_the_grid_of_the_file(server, folder, tmp_path_factory, name, rows, columns):
    tmp_path = tmp_path_factory.mktemp("window")
    raster = opened(server, name, tmp_path / "cache")
    asked = Window(rows[0], min(rows[0] + rows[1], HEIGHT), columns[0], min(columns[0] + columns[1], WIDTH))
    window = raster.aligned(asked)
    assert window.top <= asked.top < asked.bottom <= window.bottom
    assert window.left <= asked.left < asked.right <= window.right
    raster.copy(asked, tmp_path / "out.tif")
    with rasterio.open(folder / f"{name}.tif") as whole, rasterio.open(tmp_path / "out.tif") as cut:
        expected = whole.read(1)[window.top : window.bottom, window.left : window.right]
        assert np.array_equal(cut.read(1), expected)
        assert cut.transform.almost_equals(whole.transform @ whole.transform.translation(window.left, window.top))
        for attribute in ("crs", "nodata", "scales", "offsets", "units", "dtypes"):
            assert getattr(cut, attribute) == getattr(whole, attribute)
        assert raster.grid.transform == whole.transform
        assert (raster.grid.height, raster.grid.width) == whole.shape


def test_only_the_blocks_of_a_window_are_read(server, tmp_path):
    server.reset()
    raster = opened(server, "zstd", tmp_path / "cache")
    window = Window(300, 310, 300, 310)
    raster.copy(window, tmp_path / "out.tif")
    assert server.totals().bytes <= sum(stop - start for start, stop in raster.ranges(window)) + 3 * 65_536
    assert server.totals().requests <= 4


@pytest.mark.parametrize("name", ["zstd", "plain", "strips"])
def test_no_byte_of_a_small_band_is_read_twice(server, folder, tmp_path, name):
    server.reset()
    raster = opened(server, name, tmp_path / "cache")
    whole = Window(0, HEIGHT, 0, WIDTH)
    cost = raster.file.cost(raster.ranges(whole))
    before = server.totals()
    raster.copy(whole, tmp_path / "out.tif")
    after = server.totals()
    assert (after.bytes - before.bytes, after.requests - before.requests) == cost
    asked = [request.headers["range"].removeprefix("bytes=").split("-") for request in server.requests]
    spans = sorted((int(start), int(stop)) for start, stop in asked)
    assert len(spans) <= 4  # the header, a page of its tags at the end of the file, the blocks
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    assert after.bytes <= (folder / f"{name}.tif").stat().st_size


@pytest.mark.parametrize("name", ["two", "text", "cut", "damaged"])
def test_what_is_no_whole_raster_of_one_band_is_refused(server, tmp_path, name):
    with pytest.raises(VadoseError, match=name):
        opened(server, name, tmp_path / "cache").copy(Window(0, HEIGHT, 0, WIDTH), tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()


def test_a_header_that_cannot_be_fetched_whole_is_no_fault_of_the_file(server, tmp_path):
    server.fail(faults.Reply(403), path="*directory-last*", times=1, after=1)
    with pytest.raises(Denied):
        opened(server, "directory-last", tmp_path)
    assert opened(server, "directory-last", tmp_path).height == HEIGHT


def test_a_full_cache_is_no_fault_of_the_file(server, tmp_path, monkeypatch):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(*_: object) -> None:
        raise full

    monkeypatch.setattr(BlockCache, "write", write)
    with pytest.raises(OSError, match="No space") as caught:
        opened(server, "directory-last", tmp_path)
    assert caught.value is full
