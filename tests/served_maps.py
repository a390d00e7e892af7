"""Finished maps of many dates, painted instead of estimated, and a real server over them on loopback."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
import uvicorn
import xarray as xr

from vadose.grid import AreaOfInterest, Tile, cell_centres
from vadose.maps import NODATA, Scene, cubes, map_dataset, write_catalogue, write_map
from vadose.registry import Quality
from vadose.serving import run
from vadose.serving.app import create_app
from vadose.serving.service import ServeSettings
from vadose.simulation.ismn_files import Series, Soil, Station, write_station

WEST, EAST = Tile(32632, 2215, 16520, 64, 60), Tile(32633, 848, 16520, 64, 60)
"""On either side of the border of two zones, 12 degrees east; each has cells beyond it, which are outside the map."""
NOTICE = "SIMULATED: painted for tests."
TIMES = tuple(np.array(["2020-06-10T05:30:00", "2021-06-05T17:10:00", "2021-06-12T05:30:00"], "datetime64[ns]"))


def painted(tile: Tile, number: int) -> xr.Dataset:
    """Return smooth layers that differ by cell and time; a lake without estimates, flags in the corners."""
    lon, lat = cell_centres(tile)
    own = AreaOfInterest.from_bbox(11.7, 40.0, 12.3, 60.0).contains_cells(tile)
    wave = 0.22 + 0.1 * np.sin(40 * lon + number) * np.cos(60 * lat)
    quality = np.zeros(lon.shape, np.uint32)
    quality[:20, :30] |= np.uint32(Quality.FROZEN)
    quality[10:30, 20:50] |= np.uint32(Quality.OUT_OF_DOMAIN)
    quality[40:, :25] |= np.uint32(Quality.URBAN)
    quality[40:, -9:] |= np.uint32(Quality.SENTINEL2_MISSING)
    lake = np.hypot(lon - lon.mean(), lat - lat.mean()) < 0.01
    quality[lake] |= np.uint32(Quality.WATER)
    mean, std = np.where(lake, np.nan, wave), np.where(lake, np.nan, 0.03 + 0.02 * np.abs(np.sin(50 * lat)))
    mean, std = (np.where(own, values, np.nan) for values in (mean, std))
    age = np.where(own, 0.3 + number + 0 * lon, np.nan)
    return map_dataset(tile.cells, mean, std, np.where(own, quality, NODATA), {"sentinel1": age, "smap": age / 2})


def write(
    folder: Path,
    times: Sequence[np.datetime64] = TIMES,
    tiles: Sequence[Tile] = (WEST, EAST),
    form: str = "cog",
    name: str = "Border Country",
) -> Path:
    """Write a finished map, as `vadose map` does."""
    folder.mkdir(parents=True, exist_ok=True)
    made_from = {"experiment": "painted", "items": ["sentinel1 A"]}
    zones = [[painted(tile, number) for tile in tiles] for number in range(len(times))]
    area = AreaOfInterest(name, shapely.box(11.75, 47.5, 12.25, 47.9))
    scenes, together = [], []
    if form == "cog":
        for moment, zone in zip(times, zones, strict=True):
            paths = write_map(folder, zone, time=moment, made_from=made_from, notice=NOTICE)
            scenes += [Scene(path, moment, one) for path, one in zip(paths, zone, strict=True)]
    else:
        with cubes(folder, times, form, made_from, NOTICE) as whole:
            for moment, zone in zip(times, zones, strict=True):
                whole.put(moment, zone)
        together = whole.paths
    write_catalogue(folder, area, times, scenes, together, made_from=made_from, notice=NOTICE)
    return folder


def with_sensors(folder: Path) -> tuple[Path, Path, dict[str, tuple[float, float]]]:
    """Write an ISMN archive of two sensors, and a scorecard of one; return both, and the places of the sensors."""
    lon, lat = cell_centres(WEST)
    places = {name: (float(lon[at]), float(lat[at])) for name, at in {"Hill": (45, 50), "Vale": (50, 52)}.items()}
    readings, flags = np.array([0.21, 0.34, 0.18]), np.array(["G", "D01", "G"])
    for name, place in places.items():
        station = Station("SIM", name, *place, 500.0, Soil(0.45, 0.2, 0.4, 1.0), (130, "Grassland"), "Dfb")
        times = pd.DatetimeIndex(TIMES) + pd.Timedelta(30, "min")
        write_station(station, [Series("sm", (0.0, 0.05), "Probe", times, readings, flags)], folder / "ismn")
    score = {"product": "network", "network": "SIM", "station": "Hill", "sensor": "Probe_0_0.05", "n": 120}
    score |= {"r": 0.8125, "bias": -0.0125, "rmse": 0.05, "ubrmse": 0.0475, "coverage_90": 0.875}
    (folder / "card").mkdir(parents=True, exist_ok=True)
    pd.DataFrame([score]).to_csv(folder / "card" / "scorecard.csv", index=False)
    return folder / "ismn", folder / "card", places


def daily_times(count: int) -> tuple[np.datetime64, ...]:
    """Return times of consecutive days."""
    return tuple(np.datetime64("2021-01-01T05:30:00", "ns") + np.arange(count) * np.timedelta64(1, "D"))


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """A client of a server on loopback."""

    address: str

    def get(self, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Return the answer to GET, or to POST with a body."""
        asked = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.address + path.lstrip("/"), data=body, headers=asked)
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=60) as answer:
                return Answer(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, _lower(error.headers), error.read())


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def server(*maps: Path, **settings: Any) -> Iterator[Client]:
    """Serve maps by a real uvicorn on loopback."""
    held = ServeSettings(maps, **settings)
    run.prepare(held)
    app = create_app(run.with_hosts(held, "127.0.0.1"))
    with running(app) as address:
        yield Client(address)


@contextmanager
def running(app: Any) -> Iterator[str]:
    """Run an application by a real uvicorn on loopback; yield its address."""
    started = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, **run.options()))
    thread = threading.Thread(target=started.run, name="event loop", daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not started.started and time.monotonic() < until:
        time.sleep(0.01)
    port = started.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        started.should_exit = True
        thread.join(timeout=20)
