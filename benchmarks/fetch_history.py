"""Bytes and requests of the inputs of one 20 x 20 km date with a history, full and sparse, from loopback servers.

Sentinel-1 passes twice in 6 days, Sentinel-2 every 5 days; all scenes have the files of one SIMULATED scene
(full size: 10,980 x 10,980 pixels of noise, blocks of 1,024 and 512, overviews with blocks of 512).
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from catalogue_servers import AssetServer, Container, StacServer
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.demand import Demand, Target
from vadose.catalogues.fetch import FetchOptions, FetchReport, estimate_fetch, fetch
from vadose.catalogues.settings import Catalogue, Catalogues
from vadose.fusion import FeatureBuilder, HistorySpec, InputSpec, TemporalPolicy
from vadose.grid import Period, Tile, tile_around
from vadose.sources import open_sources

SIDE, WEST, NORTH = 10_980, 600_000, 5_000_000
TIME = np.datetime64("2021-06-30T12:00", "ns")
PAST = ("vv", "vh", "B04", "B08", "B11", "B12")
BANDS = {"B04": "fine", "B08": "fine", "B11": "coarse", "B12": "coarse", "SCL": "classes"}
FILES = {
    "radar": ("float32", 10, 512, 3),
    "fine": ("uint16", 10, 1024, 2),
    "coarse": ("uint16", 20, 512, 2),
    "classes": ("uint8", 20, 512, 1),
}
COLLECTIONS = {"sentinel1": ("sentinel-1-rtc",), "sentinel2": ("sentinel-2-l2a",)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[12, 108])
    parser.add_argument("--scratch", help="folder of the files, 2 GB")
    parser.add_argument("--world", type=Path, help="compare the features of a simulated archive instead")
    asked = parser.parse_args()
    if asked.world:
        compare(asked.world, asked.steps[0])
        return
    with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
        folder = Path(name)
        for kind, (dtype, step, block, predictor) in FILES.items():
            write(folder / "files" / f"{kind}.tif", dtype, step, block, predictor)
        with AssetServer([Container("a", "b", folder / "scenes", signed=False)]) as assets:
            items = list(scenes(folder, assets, max(asked.steps) * 10 + 40))
            with StacServer(items, page_size=250) as stac:
                options = FetchOptions(catalogues(stac.root), BlockCache(folder / "none"))
                for steps in asked.steps:
                    measure(folder, options, steps)


def write(path: Path, dtype: str, step: int, block: int, predictor: int) -> None:
    """Write a scene whose neighbouring pixels are alike, with averaged overviews."""
    rng, side, part = np.random.default_rng(0), SIDE * 10 // step, 1098
    smooth = np.kron(rng.normal(size=(part // 18, part // 18)), np.ones((18, 18)))
    values = np.exp(0.5 * smooth + 0.2 * rng.normal(size=(part, part)))
    scaled = {"float32": 0.1 * values, "uint16": 1000 * values, "uint8": 4 + 3.9 * rng.random((part, part))}[dtype]
    values = np.tile(scaled.astype(dtype), (side // part, side // part))
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff", "height": side, "width": side, "count": 1, "dtype": dtype, "crs": "EPSG:32632", "nodata": 0,
        "transform": from_origin(WEST, NORTH, step, step), "tiled": True, "blockxsize": block, "blockysize": block,
        "compress": "deflate", "predictor": predictor, "zlevel": 1,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(values, 1)
    averaged = Resampling.nearest if dtype == "uint8" else Resampling.average
    with (
        rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE=512, COMPRESS_OVERVIEW="DEFLATE", PREDICTOR_OVERVIEW=predictor),
        rasterio.open(path, "r+") as file,
    ):
        file.build_overviews([2, 4, 8, 16], averaged)


def scenes(folder: Path, assets: AssetServer, days: int) -> list[dict]:
    """Describe all scenes; their files are links to those of one."""
    rng, found = np.random.default_rng(0), []
    west, south, east, north = transform_bounds("EPSG:32632", "EPSG:4326", WEST, NORTH - 109_800, WEST + 109_800, NORTH)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    times = {"sentinel-1-rtc": [0.3, 2.8], "sentinel-2-l2a": [0.1]}
    for collection, starts in times.items():
        every = 6 if collection == "sentinel-1-rtc" else 5
        bands = dict.fromkeys(("vv", "vh"), "radar") if every == 6 else BANDS
        for age in sorted(start + every * number for start in starts for number in range(days // every)):
            time_ = TIME - np.timedelta64(round(age * 86_400), "s")
            name = f"{collection[:10]}-{np.datetime_as_string(time_, 's').replace(':', '')}"
            place = folder / "scenes" / name
            place.mkdir(parents=True)
            for band, kind in bands.items():
                os.link(folder / "files" / f"{kind}.tif", place / f"{band}.tif")
            about = {"s2:processing_baseline": "02.14", "eo:cloud_cover": float(rng.uniform(0, 100))}
            found.append(
                {
                    "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": collection, "links": [],
                    "bbox": [west, south, east, north], "geometry": {"type": "Polygon", "coordinates": [ring]},
                    "properties": {
                        "datetime": f"{np.datetime_as_string(time_, 's')}Z", "proj:epsg": 32632,
                        **(about if every == 5 else {}),
                    },
                    "assets": {
                        band: {"href": assets.address("a", "b", f"{name}/{band}.tif"), "type": "image/tiff"}
                        for band in bands
                    },
                }
            )  # fmt: skip
    return found


def catalogues(endpoint: str) -> Catalogues:
    held = Catalogue(title="loopback", kind="stac", endpoint=endpoint, hosts=("127.0.0.1",), collections=COLLECTIONS)
    return Catalogues(catalogues={"loopback": held}, precedence=dict.fromkeys(COLLECTIONS, ("loopback",)))


def measure(folder: Path, options: FetchOptions, steps: int) -> None:
    tile = Tile(32632, WEST // 320 + 120, NORTH // 320 - 100, 62, 62)
    for present in ((), PAST):
        for sparse_m in (None, 80.0, 160.0):
            needs = InputSpec(cells=present, history=HistorySpec(PAST, steps, 10.0, sparse_m))
            span = Period(TIME, TIME + np.timedelta64(1, "ns"))
            demand = Demand.of([Target.of_tiles("a", [tile])], span, needs, TemporalPolicy(), masks=False)
            name = f"{steps}-{len(present)}-{sparse_m}"
            told = estimate_fetch(demand, folder / name, replace(options, cache=BlockCache(folder / f"{name}-told")))
            line = {"steps": steps, "present": bool(present), "sparse_m": sparse_m, "dry run": summed(told)}
            if sparse_m is not None:
                started = time.perf_counter()
                spent = fetch(demand, folder / name, replace(options, cache=BlockCache(folder / f"{name}-cache")))
                line |= {"fetched": summed(spent), "s": round(time.perf_counter() - started, 1)}
            print(json.dumps(line), flush=True)


def compare(archive: Path, steps: int) -> None:
    """Compare history columns of all regions of an archive, full and sparse."""
    sources = [source for source in open_sources(archive) if source.name in COLLECTIONS]
    records = [record for record, _ in sources[1].index.records]
    boxes = sorted({tuple(round(side, 3) for side in record.bbox) for record in records})
    time_ = max(record.time for record in records) + np.timedelta64(1, "h")
    found: dict[tuple[str, float | None], list[np.ndarray]] = {}
    for west, south, east, north in boxes:
        tile = tile_around((west + east) / 2, (south + north) / 2, 0)
        tile = replace(tile, west=tile.west - 8, north=tile.north + 8, columns=16, rows=16)
        for sparse_m in (None, 80.0, 160.0):
            needs = InputSpec(history=HistorySpec(PAST, steps, 10.0, sparse_m))
            period = Period(time_, time_ + np.timedelta64(1, "ns"))
            past = FeatureBuilder.open(sources, tile, period, needs).at(time_).history
            for name in PAST:
                found.setdefault((name, sparse_m), []).append(past[name].values)
    print(f"{archive}: {len(boxes)} regions, {steps} steps of 10 days before {time_}")
    for name in PAST:
        full = np.stack(found[name, None])
        for sparse_m in (80.0, 160.0):
            sparse = np.stack(found[name, sparse_m])
            both = np.isfinite(full) & np.isfinite(sparse)
            line = {
                "name": name, "sparse_m": sparse_m, "R": round(float(np.corrcoef(full[both], sparse[both])[0, 1]), 3),
                "mean difference": float(f"{(sparse[both] - full[both]).mean():.3g}"),
                "std of full": float(f"{full[both].std():.3g}"),
                "observed, full": round(float(np.isfinite(full).mean()), 3),
                "observed, sparse": round(float(np.isfinite(sparse).mean()), 3),
            }  # fmt: skip
            print(json.dumps(line))


def summed(report: FetchReport) -> dict[str, float]:
    return {
        "items": sum(one.items for one in report.sources),
        "MB": round(sum(one.bytes for one in report.sources) / 1e6, 1),
        "requests": sum(one.requests for one in report.sources),
    }


if __name__ == "__main__":
    main()
