"""Bytes, requests and seconds of windows of full-size scenes on a loopback server: vadose beside rasterio and odc-stac.

Needs odc-stac for its row (pip install odc-stac); without it the row is left out. Scenes are SIMULATED noise.
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
import tifffile
from rasterio.transform import from_origin

SIDE, STEP = 10_980, 10.0
WEST, NORTH = 600_000.0, 5_000_040.0
SCENES = {"sentinel2": ("uint16", 1024, 2), "sentinel1": ("float32", 512, 3)}
WINDOWS_KM = (2.6, 10.0, 25.6)
VADOSE = """
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.cog import RemoteRaster
from vadose.catalogues.http import HttpClient
from vadose.catalogues.remote import RemoteFile
from vadose.sources.window import Window
client = HttpClient(frozenset({"127.0.0.1"}))
def work(url, row, column, side, folder):
    raster = RemoteRaster.open(RemoteFile(client, url, BlockCache(folder / "cache")))
    raster.copy(Window(row, row + side, column, column + side), folder / "window.tif")
def spent():
    return client.spent.received.total(), client.spent.requests.total()
"""
RASTERIO = """
import rasterio
from rasterio.windows import Window
def work(url, row, column, side, folder):
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", VSI_CACHE=False):
        with rasterio.open(f"/vsicurl/{url}") as file:
            window = Window(column, row, side, side)
            values, profile = file.read(1, window=window), file.profile
            keep(values, profile | dict(transform=file.window_transform(window)), folder)
def spent():
    return None, None
"""
ODC_STAC = """
sys.path.append(ODC)
import odc.stac, pystac, datetime
from odc.geo.geobox import GeoBox
from affine import Affine
RING = [[10.2, 44.1], [11.7, 44.1], [11.7, 45.2], [10.2, 45.2], [10.2, 44.1]]
def work(url, row, column, side, folder):
    item = pystac.Item("scene", {"type": "Polygon", "coordinates": [RING]}, [10.2, 44.1, 11.7, 45.2],
        datetime.datetime(2021, 6, 1), {"proj:code": "EPSG:32632", "proj:shape": [SIDE, SIDE],
        "proj:transform": [10, 0, WEST, 0, -10, NORTH]},
        stac_extensions=["https://stac-extensions.github.io/projection/v2.0.0/schema.json"])
    item.add_asset("band", pystac.Asset(url, media_type="image/tiff; application=geotiff", roles=["data"]))
    box = GeoBox((side, side), Affine(10, 0, WEST + 10 * column, 0, -10, NORTH - 10 * row), "EPSG:32632")
    values = odc.stac.load([item], bands=["band"], geobox=box, chunks={}).compute()["band"].values[0]
    profile = dict(driver="GTiff", count=1, dtype=values.dtype, crs="EPSG:32632", transform=box.affine)
    keep(values, profile, folder)
def spent():
    return None, None
"""
IN_MEMORY = """
def keep(values, profile, folder):
    pass
"""
ON_DISK = """
import rasterio
def keep(values, profile, folder):
    shape = dict(height=values.shape[0], width=values.shape[1], tiled=True, blockxsize=512, blockysize=512)
    with rasterio.open(folder / "window.tif", "w", **(profile | shape | dict(compress="deflate", predictor=2))) as file:
        file.write(values, 1)
"""
CODE = {
    "vadose, kept on disk": VADOSE,
    "rasterio, in memory": IN_MEMORY + RASTERIO,
    "rasterio, kept on disk": ON_DISK + RASTERIO,
    "odc-stac, in memory": IN_MEMORY + ODC_STAC,
    "odc-stac, kept on disk": ON_DISK + ODC_STAC,
}
FRAME = """
import json, resource, sys, time
from pathlib import Path
SIDE, WEST, NORTH, ODC = {side}, {west}, {north}, {odc!r}
{code}
url, folder = sys.argv[1], Path(sys.argv[2])
work(url, 0, 0, 64, folder / "warm")  # imports and the first use of libraries do not count
before, cpu, started = spent(), time.process_time(), time.perf_counter()
for number, (row, column, size) in enumerate(json.loads(sys.argv[3])):
    (folder / str(number)).mkdir(parents=True, exist_ok=True)
    work(url, row, column, size, folder / str(number))
wall, cpu, after = time.perf_counter() - started, time.process_time() - cpu, spent()
print(json.dumps([wall, cpu, *(None if one is None else now - one for one, now in zip(before, after))]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--places", type=int, default=3, help="windows of each size")
    parser.add_argument("--odc", default="", help="folder with odc-stac, if it is not installed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for scene, (kind, block, predictor) in SCENES.items():
            write_scene(folder / f"{scene}.tif", kind, block, predictor)
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        server = context.Process(target=serve, args=(folder, sender), daemon=True)
        server.start()
        root = receiver.recv()
        for scene in SCENES:
            for km in WINDOWS_KM:
                measure(folder, f"{root}/{scene}.tif", scene, km, asked)
        server.terminate()


def write_scene(path: Path, kind: str, block: int, predictor: int) -> None:
    """Write a scene whose neighbouring pixels are alike, as those of real scenes are."""
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.normal(size=(SIDE // 20 + 1, SIDE // 20 + 1)), np.ones((20, 20)))[:SIDE, :SIDE]
    values = 0.1 * np.exp(0.5 * smooth + 0.2 * rng.normal(size=(SIDE, SIDE)))
    values = (10_000 * values).astype(kind) if kind == "uint16" else values.astype(kind)
    profile = {
        "driver": "GTiff", "height": SIDE, "width": SIDE, "count": 1, "dtype": kind, "crs": "EPSG:32632",
        "transform": from_origin(WEST, NORTH, STEP, STEP), "tiled": True, "blockxsize": block, "blockysize": block,
        "compress": "deflate", "predictor": predictor, "num_threads": 2,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(values, 1)


def serve(folder: Path, sender: object) -> None:
    """Serve a folder with ranges, in a process of its own."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from catalogue_servers.assets import AssetServer, Container  # noqa: PLC0415

    with AssetServer([Container("scenes", "full", folder, signed=False)]) as server:
        sender.send(server.address("scenes", "full").rstrip("/"))  # type: ignore[attr-defined]
        while True:
            time.sleep(3600)


def measure(folder: Path, url: str, scene: str, km: float, asked: argparse.Namespace) -> None:
    size = round(km * 1000 / STEP)
    rng = np.random.default_rng(round(10 * km))
    places = [[int(one) for one in rng.integers(0, SIDE - size, 2)] + [size] for _ in range(asked.places)]
    covering = covering_bytes(folder / f"{scene}.tif", places)
    times: dict[str, list[list[float]]] = {}
    for number in range(asked.repeat):
        for tool, code in CODE.items():
            text = FRAME.format(code=code, side=SIDE, west=WEST, north=NORTH, odc=asked.odc)
            work = folder / f"{scene}-{km}-{tool}-{number}".replace(", ", "-").replace(" ", "-")
            (work / "warm").mkdir(parents=True)
            done = subprocess.run(
                [sys.executable, "-c", text, url, str(work), json.dumps(places)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                times.setdefault(tool, []).append(json.loads(done.stdout.splitlines()[-1]))
            elif number == 0:
                print(f"{tool}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    own = times["vadose, kept on disk"][0]
    print(
        f"{scene} {km:g} km: blocks {covering / 1e6:.1f} MB, "
        f"read {own[2] / 1e6:.1f} MB = {own[2] / covering:.3f} x, {own[3]} requests"
    )
    base = statistics.median(one[0] for one in times["vadose, kept on disk"])
    for tool, rows in times.items():
        wall, cpu = (statistics.median(one[column] for one in rows) for column in (0, 1))
        print(f"  {tool:<22} {wall:6.2f} s, processor {cpu:6.2f} s; vadose needs {base / wall:.2f} x")


def covering_bytes(path: Path, places: list[list[int]]) -> int:
    """Bytes of the blocks that hold some windows."""
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        block, across = page.tilewidth, -(-SIDE // page.tilewidth)
        total = 0
        for row, column, size in places:
            rows, columns = (
                range(row // block, (row + size - 1) // block + 1),
                range(column // block, (column + size - 1) // block + 1),
            )
            total += sum(page.databytecounts[one * across + other] for one in rows for other in columns)
        return total


if __name__ == "__main__":
    main()
