"""Tiles, series and memory of `vadose serve`, beside plain titiler on the same files.

Makes painted maps in a folder, serves them by real servers on loopback, and prints what was measured. Times of the
server's processor are those of /proc, so that other work on the machine does not count; wall times are of one client.

    python benchmarks/serving.py FOLDER [--dates 365] [--tiles 300] [--requests 2000]
    python benchmarks/serving.py FOLDER --memory-seconds 360
    python benchmarks/serving.py FOLDER --scale

The second form asks for tiles and series for so long, and prints resident memory and the number of requests; the third
measures the first tile and the first series of 3 dates of 10⁶ km² and of 2,000 dates of 400 km².
"""

import argparse
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import numpy as np
import rasterio
from morecantile import tms

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import served_maps
from vadose.grid import Tile, cell_centres
from vadose.maps import map_dataset, read_map

MERCATOR = tms.get("WebMercatorQuad")
PLAIN = """
import sys, uvicorn, warnings
from fastapi import FastAPI
from titiler.core.factory import TilerFactory
app = FastAPI()
app.include_router(TilerFactory().router)
warnings.simplefilter("ignore")
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
"""
OURS = """
import sys
from pathlib import Path
from vadose.io.gdal import shut_gdal
shut_gdal()
from vadose.serving import run
from vadose.serving.service import ServeSettings
settings = ServeSettings(tuple(map(Path, sys.argv[2:])))
run.prepare(settings)
run.serve(settings, "127.0.0.1", int(sys.argv[1]), 1)
"""
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def started(code: str, port: int, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until it is no longer needed."""
    with subprocess.Popen([sys.executable, "-c", code, str(port), *arguments]) as process:
        try:
            for _ in range(6000):
                try:
                    get(f"http://127.0.0.1:{port}/openapi.json")
                    break
                except OSError:
                    time.sleep(0.1)
            yield process
        finally:
            process.terminate()


def get(address: str) -> bytes:
    """Return what an address of loopback answers."""
    with urllib.request.urlopen(address, timeout=120) as answer:
        return bytes(answer.read())


def processor_s(process: subprocess.Popen[bytes]) -> float:
    """Return the processor time of a process, seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    """Return the resident memory of a process, MB."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measured(process: subprocess.Popen[bytes], addresses: list[str]) -> tuple[float, float, list[float]]:
    """Return processor seconds, wall seconds, and the wall time of each request."""
    before, began, walls = processor_s(process), time.perf_counter(), []
    for address in addresses:
        start = time.perf_counter()
        get(address)
        walls.append(time.perf_counter() - start)
    return processor_s(process) - before, time.perf_counter() - began, walls


def report(name: str, count: int, found: tuple[float, float, list[float]]) -> float:
    """Print one line; return the processor milliseconds of a request."""
    processor, wall, walls = found
    p50, p99 = np.percentile(walls, [50, 99]) * 1000
    each = 1000 * processor / count
    print(f"{name:34} {each:8.2f} ms processor each, {count / wall:7.1f} /s, p50 {p50:7.1f} ms, p99 {p99:7.1f} ms")
    return each


def tiles_of(bbox: tuple[float, float, float, float], count: int) -> list[tuple[int, int, int]]:
    """Return distinct tiles of zooms 9 to 13 over the middle of a box: plain titiler fails beyond a file."""
    west, south, east, north = bbox
    across, up = (east - west) / 5, (north - south) / 5
    inner = west + across, south + up, east - across, north - up
    held = [(one.z, one.x, one.y) for one in MERCATOR.tiles(*inner, zooms=list(range(9, 14)))]
    rng = np.random.default_rng(0)
    return [held[at] for at in rng.permutation(len(held))[:count]]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dates", type=int, default=365)
    parser.add_argument("--tiles", type=int, default=300)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--memory-seconds", type=float, default=0.0)
    parser.add_argument("--scale", action="store_true")
    asked = parser.parse_args()
    if asked.memory_seconds:
        remembered(asked.folder / "remembered", asked.memory_seconds)
        return
    if asked.scale:
        for name, dates, grounds, form in SCALES:
            scale(asked.folder / name, dates, grounds, form)
        return
    ground = Tile(32633, 848, 16520, 312, 312)
    lon, lat = cell_centres(ground)
    folder = asked.folder / "map"
    served_maps.painted = _painter(ground)
    if not folder.exists():
        served_maps.write(folder, served_maps.daily_times(asked.dates), (ground,))
    files = sorted(folder.glob("soil_moisture_*_32633.tif"))
    box = float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())
    tiles = tiles_of(box, asked.tiles)
    began = time.perf_counter()
    with started(OURS, 8391, str(folder)) as ours, started(PLAIN, 8392) as plain:
        ready = time.perf_counter() - began
        print(f"{len(files)} dates of {ground.rows} x {ground.columns} cells; ready after {ready:.1f} s")
        layer = "http://127.0.0.1:8391/collections/border-country/layers/soil_moisture/tiles/WebMercatorQuad"
        times = [str(one)[:19] + "Z" for one in served_maps.daily_times(asked.dates)]
        start = time.perf_counter()
        get(f"{layer}/9/{MERCATOR.tile(box[0], box[1], 9).x}/{MERCATOR.tile(box[0], box[1], 9).y}")
        print(f"first tile {time.perf_counter() - start:.2f} s")
        start = time.perf_counter()
        get(_position(lon[100, 100], lat[100, 100]))
        print(f"first series {time.perf_counter() - start:.2f} s")
        for shown in (len(files), 10):
            own = [f"{layer}/{z}/{x}/{y}?datetime={times[at % shown]}" for at, (z, x, y) in enumerate(tiles)]
            theirs = [
                f"http://127.0.0.1:8392/tiles/WebMercatorQuad/{z}/{x}/{y}.png?url={quote(str(files[at % shown]))}"
                "&bidx=1&rescale=0,0.5&colormap_name=ylgnbu&resampling=nearest&reproject=nearest"
                for at, (z, x, y) in enumerate(tiles)
            ]
            print(f"{len(tiles)} distinct tiles of {min(shown, len(tiles))} dates")
            mine = report("  vadose serve", len(own), measured(ours, own))
            other = report("  plain titiler", len(theirs), measured(plain, theirs))
            print(f"  ratio {other / mine:.1f}; pixels alike {_alike(own, theirs):.4f}")
        rng = np.random.default_rng(1)
        cells = rng.integers(40, 312, (100, 2))  # those farther west are of the zone beside
        places = [_position(lon[row, column], lat[row, column]) for row, column in cells]
        series = report(f"series of {len(files)} dates", len(places), measured(ours, places))
        by_file = _processor_of(lambda: [read_map(file) for file in files])
        print(f"reading {len(files)} dates file by file {by_file:.2f} s; ratio {1000 * by_file / series:.0f}")
        memory = [resident_mb(ours)]
        for _ in range(4):
            measured(ours, [own[at % len(own)] for at in range(asked.requests // 4)])
            memory.append(resident_mb(ours))
        print(
            "resident MB after each quarter of", asked.requests, "requests:", " ".join(f"{one:.0f}" for one in memory)
        )


SCALES = (
    ("large", 3, (Tile(32632, 781, 17187, 1562, 3125), Tile(32633, 781, 17187, 1562, 3125)), "cog"),
    ("long", 2000, (Tile(32633, 848, 16520, 63, 63),), "zarr"),
)
"""Folder, dates, zones and form of the maps of which the first tile and series are measured."""


def scale(folder: Path, dates: int, grounds: tuple[Tile, ...], form: str) -> None:
    """Measure the first tiles and the first series of a map, each of a server that has just started."""
    served_maps.painted = _plain
    if not folder.exists():
        served_maps.write(folder, served_maps.daily_times(dates), grounds, form)
    lon, lat = (axis[len(axis) // 2, len(axis[0]) // 2] for axis in cell_centres(grounds[-1]))
    area = sum(one.rows * one.columns for one in grounds) * 0.32**2
    layer = "http://127.0.0.1:8391/collections/border-country/layers/soil_moisture/tiles/WebMercatorQuad"
    found = {}
    for what in ("tile of zoom 5", "tile of zoom 11", "series"):
        began = time.perf_counter()
        with started(OURS, 8391, str(folder)) as server:
            found["ready"] = time.perf_counter() - began
            zoom = int(what.split()[-1]) if what != "series" else 0
            place = MERCATOR.tile(lon, lat, zoom)
            address = _position(lon, lat) if what == "series" else f"{layer}/{zoom}/{place.x}/{place.y}"
            start, before = time.perf_counter(), processor_s(server)
            get(address)
            found[what] = time.perf_counter() - start
            found[f"{what}, processor"] = processor_s(server) - before
            found["resident MB"] = resident_mb(server)
    words = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    print(f"{dates} dates of {area:,.0f} km2 as {form}, seconds: {words}")


def remembered(folder: Path, seconds: float) -> None:
    """Ask for distinct tiles and series for some time, by several clients; print the memory of the server."""
    if not folder.exists():
        served_maps.write(folder, served_maps.daily_times(30))
    tiles = tiles_of((11.6, 47.5, 12.4, 47.8), 500)
    layers = "http://127.0.0.1:8391/collections/border-country/layers"
    times = [str(one)[:19] + "Z" for one in served_maps.daily_times(30)]
    rng = np.random.default_rng(2)

    def address(number: int) -> str:
        if number % 4 == 0:
            return _position(rng.uniform(11.8, 12.2), rng.uniform(47.56, 47.68))
        z, x, y = tiles[number % len(tiles)]
        layer = ("soil_moisture", "soil_moisture_std", "quality")[number % 3]
        return f"{layers}/{layer}/tiles/WebMercatorQuad/{z}/{x}/{y}?datetime={times[number % 30]}"

    with started(OURS, 8391, str(folder)) as server, ThreadPoolExecutor(4) as clients:
        end, done, bad = time.monotonic() + seconds, 0, 0
        print("requests, resident MB, processor seconds")
        while time.monotonic() < end:
            for status in clients.map(_status, map(address, range(done, done + 1000))):
                bad += status not in {200, 404}
            done += 1000
            if done in {1000, 2000, 5000} or done % 10_000 == 0:
                print(f"{done:7} {resident_mb(server):6.0f} {processor_s(server):7.1f}", flush=True)
        print(f"{done:7} {resident_mb(server):6.0f} {processor_s(server):7.1f}; {bad} failed")


def _status(address: str) -> int:
    try:
        get(address)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def _plain(tile: Tile, number: int) -> object:
    shape = tile.rows, tile.columns
    one = np.full(shape, np.float32(0.2 + 0.001 * (number % 50)))
    age = np.full(shape, np.float32(number % 6))
    return map_dataset(tile.cells, one, one / 5, np.zeros(shape, np.uint32), {"sentinel1": age})


def _painter(ground: Tile) -> Callable[[Tile, int], object]:
    lon, lat = cell_centres(ground)
    wave = np.sin(40 * lon) * np.cos(60 * lat)

    def painted(tile: Tile, number: int) -> object:
        noise = np.random.default_rng(number).normal(0, 0.02, lon.shape)
        age = np.full(lon.shape, number % 6, np.float32)
        quality = (noise > 0.03).astype(np.uint32) * 64
        ages = {"sentinel1": age, "sentinel2": age, "smap": age, "gldas": age}
        return map_dataset(tile.cells, 0.22 + 0.1 * wave + noise, 0.04 + np.abs(noise), quality, ages)

    return painted


def _position(lon: float, lat: float) -> str:
    return f"http://127.0.0.1:8391/collections/border-country/position?f=GeoJSON&coords=POINT({lon:.6f}%20{lat:.6f})"


def _alike(own: list[str], theirs: list[str]) -> float:
    """Return the share of pixels of some tiles that are alike."""
    shares = []
    for mine, other in list(zip(own, theirs, strict=True))[:20]:
        shares.append(float((_pixels(get(mine)) == _pixels(get(other))).all(axis=0).mean()))
    return float(np.mean(shares))


def _pixels(png: bytes) -> np.ndarray:
    with rasterio.MemoryFile(png) as file, file.open(driver="PNG") as raster:
        values = raster.read()
        if raster.count == 1:
            table = np.zeros((256, 4), np.uint8)
            for index, colour in raster.colormap(1).items():
                table[index] = colour
            values = np.moveaxis(table[values[0]], -1, 0)
    values[:3, values[3] == 0] = 0
    return values


def _processor_of(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


if __name__ == "__main__":
    main()
