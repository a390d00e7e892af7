"""Byte flips over every kind of file that vadose reads, and hostile inputs: what comes of each.

    python benchmarks/hostile.py WORLD [--flips 500] [--seed 0]

WORLD is a simulated world (`vadose simulate make WORLD --preset tiny`). A flip turns one byte of one file, chosen at
random, into another; the file is then read as commands read it. Its outcome is `same` (the same values), `told` (a
clear error, or the file is left out), `differs` (other values, nothing said) or `traceback` (an error that is no
VadoseError). Formats without a checksum cannot know that a byte differs; their `differs` are counted apart.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from vadose import models
from vadose.dataset import SampleStore, TableMapping, import_table
from vadose.errors import VadoseError
from vadose.evaluation import predictions
from vadose.experiment import read_experiment
from vadose.grid import AreaOfInterest, Period, tile_around
from vadose.inference import TileEstimate
from vadose.insitu.ismn import Ismn
from vadose.mapping import plan, tile_files
from vadose.mapping.area_files import read_area
from vadose.mapping.executors import Executor
from vadose.mapping.points import read_points
from vadose.mapping.tile_files import Task, TaskResult
from vadose.mapping.timestamps import Passes, timestamp_of, timestamps_of
from vadose.products import Product, gathered
from vadose.simulation import WorldConfig
from vadose.sources.gldas import Gldas
from vadose.sources.sentinel1 import Sentinel1
from vadose.sources.smap import Smap
from vadose.training import load, save

PATIENCE_S = 60


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: of the kind.
        folder: in which one file is changed.
        targets: the files, relative to it.
        read: gives the checksum of what is read from such a folder.
        guarded: whether the format, or what lies beside it, carries a checksum of all its values.
    """

    name: str
    folder: Path
    targets: tuple[str, ...]
    read: Callable[[Path], str]
    guarded: bool


def digest(*values: Any) -> str:
    told = hashlib.sha256()
    for value in values:
        told.update(np.ascontiguousarray(value).tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return told.hexdigest()


def of_datasets(datasets: tuple[xr.Dataset, ...]) -> str:
    return digest(*(part[name].values for part in datasets for name in sorted(map(str, part.data_vars))))


def of_table(table: pd.DataFrame) -> str:
    return hashlib.sha256(table.to_csv().encode()).hexdigest()


def copied(source: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(source, folder / source.name))


def rasters(world: Path, work: Path) -> list[Kind]:
    """Scenes and their item."""
    region = WorldConfig.model_validate(json.loads((world / "world.json").read_text())["made_from"]).regions[0]
    area = AreaOfInterest.from_tile(tile_around(region.lon, region.lat, 1))
    found = []

    items = sorted((world / "sentinel-1-rtc").glob("*/*.json"))
    item = next(one for one in items if _covers(one, region.lon, region.lat))
    day = pd.Timestamp(json.loads(item.read_text())["properties"]["datetime"]).tz_localize(None)
    period = Period(np.datetime64(day.floor("D")), np.datetime64(day.floor("D") + pd.Timedelta(days=1)))

    def radar(folder: Path) -> str:
        return of_datasets(Sentinel1(folder).open(area, period))

    for name, summed in (("GeoTIFF with file:checksum", True), ("GeoTIFF without", False)):
        folder = work / name.replace(" ", "-").replace(":", "-")
        shutil.copytree(item.parent, folder / item.parent.name)
        path = folder / item.parent.name / item.name
        content = json.loads(path.read_text())
        for asset in content["assets"].values():
            file = path.parent / asset["href"]
            for stated in ("file:checksum", "file:size"):
                asset.pop(stated, None)
            if summed and file.is_file():
                asset |= {"file:checksum": "1220" + hashlib.sha256(file.read_bytes()).hexdigest()}
        path.write_text(json.dumps(content))
        files = tuple(str(one.relative_to(folder)) for one in path.parent.rglob("*.tif*"))
        found.append(Kind(name, folder, files, radar, summed))
    found.append(Kind("STAC item (JSON)", found[-1].folder, (str(path.relative_to(found[-1].folder)),), radar, False))

    return found


def granules(world: Path, work: Path) -> list[Kind]:
    """Global files of one day."""
    area, found = _around(world), []
    noon = timestamp_of("2022-01-14T12:00")
    around = Period(noon - np.timedelta64(36, "h"), noon + np.timedelta64(36, "h"))
    for name, source, folder in (("SMAP L3 granule", Smap, "smap"), ("GLDAS granule", Gldas, "gldas")):
        granule = copied(next((world / folder).glob("*20220114*")), work / folder)

        def global_(place: Path, source: type[Smap | Gldas] = source) -> str:
            return of_datasets(source(place).open(area, around))

        found.append(Kind(name, work / folder, (granule.name,), global_, False))

    return found


def stations(world: Path, work: Path) -> list[Kind]:
    """Return readings of one sensor, packed and unpacked."""
    found = []
    text = next((world / "ismn").rglob("*_sm_*.stm"))
    inside = work / "ismn" / text.relative_to(world / "ismn").parent
    copied(text, inside)

    def readings(archive: Path) -> str:
        ismn = Ismn(archive)
        return digest(*(of_table(ismn.read(sensor)) + repr(sensor) for sensor in ismn.sensors()))

    relative = str((inside / text.name).relative_to(work / "ismn"))
    found.append(Kind("ISMN text", work / "ismn", (relative,), readings, False))
    (work / "zip").mkdir()
    with zipfile.ZipFile(work / "zip" / "ismn.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(inside / text.name, relative)
    found.append(Kind("ISMN zip", work / "zip", ("ismn.zip",), lambda f: readings(f / "ismn.zip"), True))

    return found


def learned(work: Path) -> list[Kind]:
    """Return a store of samples and a checkpoint."""
    found = []
    days = pd.date_range("2020-01-01", periods=40).astype(str)
    table = pd.DataFrame({"net": "N", "sta": "S", "lat": 40.0, "lon": 9.0, "when": days})
    table = table.assign(vv=0.1 + np.arange(40) / 1000, wet=np.linspace(0.1, 0.3, 40))
    table.to_csv(work / "table.csv", index=False)
    columns = {"network": "net", "station": "sta", "lat": "lat", "lon": "lon", "time": "when", "label": "wet"}
    mapping = {name: {"column": column} for name, column in columns.items()} | {"predictors": {"vv": {"column": "vv"}}}
    (work / "map.yaml").write_text(json.dumps(mapping))
    import_table(work / "table.csv", TableMapping.read(work / "map.yaml"), work / "store" / "s")
    parts = tuple(str(p.relative_to(work / "store")) for p in (work / "store").rglob("*") if p.is_file())

    def store(folder: Path) -> str:
        held = SampleStore.open(folder / "s")
        return digest(of_table(held.index), *(held._read(name, slice(None)) for name in sorted(held._arrays)))

    found.append(Kind("sample store", work / "store", parts, store, True))

    save(models.Product("smap", 0.05), work / "checkpoint" / "c", {"a": 1})
    parts = tuple(str(p.relative_to(work / "checkpoint")) for p in (work / "checkpoint").rglob("*") if p.is_file())
    found.append(Kind("checkpoint", work / "checkpoint", parts, lambda f: digest(load(f / "c")), True))
    return found


def results(work: Path) -> list[Kind]:
    """Tables of estimates and a finished tile of a map."""
    found = []
    rows = pd.DataFrame({"network": ["N"] * 30, "station": "S", "sensor": "s"})
    rows = rows.assign(
        lat=40.0, lon=9.0, time=pd.date_range("2020-01-01", periods=30), soil_moisture=np.linspace(0.1, 0.3, 30)
    )
    rows = rows.assign(soil_moisture_in_situ=np.linspace(0.12, 0.28, 30))
    for suffix, write in ((".parquet", rows.to_parquet), (".csv", rows.to_csv)):
        (work / f"estimates{suffix}").mkdir()
        write(work / f"estimates{suffix}" / f"p{suffix}", index=False)

        def scored(folder: Path, suffix: str = suffix) -> str:
            return of_table(predictions.read(folder / f"p{suffix}"))

        found.append(Kind(f"prediction table {suffix}", work / f"estimates{suffix}", (f"p{suffix}",), scored, False))

    tile = tile_around(9.0, 40.0, 0)
    task = Task(tile, (np.datetime64("2020-01-01", "ns"),), 0)
    one, flags = np.full((1, 1), 0.2, np.float32), np.zeros((1, 1), np.uint32)
    (work / "tile").mkdir()
    tile_files.write(work / "tile", task, TaskResult((TileEstimate(tile, one, one, flags, {}),), ((),)), 1.0, 100.0)
    parts = tuple(
        str(p.relative_to(work / "tile")) for p in (work / "tile").rglob("*") if p.suffix in (".npz", ".json")
    )

    def tiled(folder: Path) -> str:
        if tile_files.finished(folder, task) is None:
            raise VadoseError("tile", "It is not as it was written", "It is made again")
        return digest(tile_files.read(folder, task, 0)[0].mean)

    found.append(Kind("finished tile", work / "tile", parts, tiled, True))
    return found


def _around(world: Path) -> AreaOfInterest:
    region = WorldConfig.model_validate(json.loads((world / "world.json").read_text())["made_from"]).regions[-1]
    return AreaOfInterest.from_tile(tile_around(region.lon, region.lat, 1))


def _covers(item: Path, lon: float, lat: float) -> bool:
    west, south, east, north = json.loads(item.read_text())["bbox"]
    return bool(west < lon < east and south < lat < north)


def outcome(read: Callable[[], object], expected: object = None) -> str:
    """Return what comes of a reading: same, told, differs, traceback or hangs."""
    signal.alarm(PATIENCE_S)
    try:
        return "same" if read() == expected else "differs"
    except VadoseError:
        return "told"
    except TimeoutError:
        return "hangs"
    except Exception:  # noqa: BLE001 (that is what is counted)
        traceback.print_exc(limit=-2)
        return "traceback"
    finally:
        signal.alarm(0)


def flip(kind: Kind, rng: np.random.Generator, expected: str, place: Path) -> str:
    """Flip one byte of one file of a copy, and read it."""
    shutil.copytree(kind.folder, place)
    target = place / kind.targets[rng.integers(len(kind.targets))]
    content = bytearray(target.read_bytes())
    content[rng.integers(len(content))] ^= int(rng.integers(1, 256))
    target.write_bytes(content)
    try:
        return outcome(lambda: kind.read(place), expected)
    finally:
        shutil.rmtree(place)


def inputs(folder: Path) -> dict[str, Callable[[], object]]:
    """Hostile inputs: each is to end in a clear error."""
    texts = {
        "empty": b"",
        "nested": b"[" * 100_000,
        "nested mapping": b'{"a":' * 50_000,
        "null": b"null",
        "list": b"[]",
        "number": b"3",
        "not UTF-8": b"\xff\xfe{",
        "twice": b'{"a": 1, "a": 2}',
        "NaN": b'{"a": NaN}',
        "digits": b'{"a": ' + b"9" * 10_000 + b"}",
        "alias of itself": b"a: &a [*a]",
    }
    found: dict[str, Callable[[], object]] = {}
    readers: dict[str, tuple[str, Callable[[Path], object]]] = {
        "area": (".geojson", lambda path: read_area(str(path))),
        "experiment": (".yaml", read_experiment),
        "world": (".yaml", WorldConfig.read),
        "mapping": (".yaml", TableMapping.read),
        "plan": (".json", plan._read),
    }
    for reader, (suffix, read) in readers.items():
        for name, content in texts.items():
            path = folder / f"{reader} {name}{suffix}"
            path.write_bytes(content)
            found[f"{reader}: {name}"] = lambda read=read, path=path: read(path)
    for suffix in (".gpkg", ".shp", ".fgb", ".zip", ".parquet", ".nc", ".tif"):
        path = folder / f"bait{suffix}"
        path.write_text("<OGRVRTDataSource><OGRVRTLayer name='x'/></OGRVRTDataSource>")
        if suffix in (".nc", ".tif"):
            found[f"product: VRT as {suffix}"] = lambda path=path: gathered([Product(name="x", path=path)], None)
        else:
            found[f"area: VRT as {suffix}"] = lambda path=path: read_area(str(path))
    never = Passes(lambda: None, None)  # type: ignore[arg-type]
    for date in ("1500-01-01", "9999-12-31", "2020-01-01/2300-01-01", "2020", "NaT", "x" * 5000):
        found[f"date {date[:24]}"] = lambda date=date: timestamps_of(date, None, never)
    for every in ("0", "²", "9" * 30, "-1"):
        found[f"every {every}"] = lambda every=every: timestamps_of("2020-01-01/2020-02-01", every, never)
    for box in ("-180,-60,180,80", "nan,1,2,3", "1,2,3", "0,0,0,0", "inf,0,1,1", "0,-91,1,91"):
        found[f"area {box}"] = lambda box=box: read_area(box).tiles(32, 0)
    for address in ("ucx://host:1", "inproc://x", "http://127.0.0.1:1"):
        found[f"scheduler {address}"] = lambda address=address: Executor(address)
    fifo = folder / "fifo.geojson"
    os.mkfifo(fifo)
    found["area: FIFO"] = lambda: read_area(str(fifo))
    found["points: a folder"] = lambda: read_points(folder)
    return found


def _late(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("world", type=Path)
    parser.add_argument("--flips", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    signal.signal(signal.SIGALRM, _late)
    rng, bad = np.random.default_rng(asked.seed), 0
    with tempfile.TemporaryDirectory() as work:
        place = Path(work)
        every = [*rasters(asked.world, place), *granules(asked.world, place), *stations(asked.world, place)]
        every += [*learned(place), *results(place)]
        print("| file | flips | same | told | differs | traceback, hangs |\n|---|---|---|---|---|---|")
        for kind in every:
            expected, begun = kind.read(kind.folder), time.monotonic()
            count = -(-asked.flips // len(every))
            found = Counter(flip(kind, rng, expected, Path(work, "copy")) for _ in range(count))
            wrong = found["traceback"] + found["hangs"]
            bad += wrong + (found["differs"] if kind.guarded else 0)
            silent = f"{found['differs']}{'' if kind.guarded else ' (no checksum)'}"
            print(f"| {kind.name} | {count} | {found['same']} | {found['told']} | {silent} | {wrong} |", flush=True)
            print(f"{kind.name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
        hostile = Path(work, "inputs")
        hostile.mkdir()
        ended = {name: outcome(ask) for name, ask in inputs(hostile).items()}
        taken = [name for name, one in ended.items() if one != "told"]
        print(f"\n{len(ended)} hostile inputs: {len(ended) - len(taken)} told; others: {', '.join(taken) or 'none'}")
    return 1 if bad or taken else 0


if __name__ == "__main__":
    raise SystemExit(main())
