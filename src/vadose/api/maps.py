"""Maps: making, opening, and reading at points and over polygons."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

import vadose.api.serve  # noqa: F401 (gives trees their `.vadose`)
from vadose.api.archive import Archive
from vadose.api.callbacks import Echo, Progress, silent
from vadose.api.inputs import Area, Time, area_request, time_request, time_text
from vadose.api.model import TrainedModel
from vadose.experiment.run import Run
from vadose.io.paths import StrPath
from vadose.mapping import Executor, MapRequest
from vadose.mapping.cost import CostEstimate, estimate_cost
from vadose.mapping.daily import DailyReport, hold
from vadose.mapping.daily import make_daily_maps as _make_daily_maps
from vadose.mapping.make import make_map as _make_map
from vadose.mapping.points import series_of
from vadose.maps.opening import open_maps

if TYPE_CHECKING:
    from vadose.catalogues.fetch import FetchReport


def make_map(
    model: TrainedModel | Run | StrPath,
    archive: Archive | StrPath | None,
    area: Area,
    time: Time,
    out: StrPath,
    *,
    every: int | str | None = None,
    as_of: Time | None = None,
    catalogues: Sequence[StrPath] = (),
    require: Iterable[str] = (),
    offline: bool = False,
    max_bytes: int | None = None,
    formats: Sequence[str] = ("cog",),
    pictures: bool = True,
    allow_unread: bool = False,
    scheduler: str = "threads",
    workers: int = 1,
    device: str = "cpu",
    truth: Sequence[xr.DataArray] = (),
    progress: Progress = silent,
    echo: Echo = silent,
) -> tuple[Path, ...]:
    """Map an area at one or many times; an interrupted map resumes.

    Args:
        model: model of `load_model`, a run or its folder.
        archive: archive of `open_archive`, or its folder; None to fetch what is needed from catalogues into the cache.
        area: as in `vadose.api.inputs.as_area`.
        time: as in `vadose.api.inputs.time_request`.
        out: folder of the map.
        every: interval of a range, days, or "pass": the times of Sentinel-1.
        as_of: products published later are not read.
        catalogues, require, max_bytes: of a map without an archive, as in `vadose.fetch`.
        offline: whether a map without an archive is made from files fetched before.
        formats: any of "cog", "zarr", "netcdf".
        pictures: whether a picture of each time is drawn.
        allow_unread: whether a source whose files are all unreadable is left out.
        scheduler: "threads", "processes", or the address of a Dask scheduler.
        workers: tiles estimated at once on this machine.
        device: "cpu" or "cuda".
        truth: soil moisture to draw beside the map.
        progress: called with the number of finished tasks, their total, and a name.
        echo: called with each remark on inputs and on files that were not read.

    Returns:
        The soil moisture files, the files of all times together, and the pictures.

    Raises:
        VadoseError: the run, the area or the time is missing, or `out` contains another map.
        TilesFailed: some tiles failed; a repeated call resumes.
    """
    executor, past = Executor(scheduler, workers, device), as_of is not None
    source = _archive_of(model, archive, area, time, every, catalogues, require, offline, max_bytes, past, progress)
    with source as (held, report):
        for line in report.lines() if report else ():
            echo(line)
        request = _request(model, held, area, time, out, every, as_of, formats, pictures, allow_unread)
        return _make_map(request, progress, truth, executor, echo)


def make_daily_maps(
    model: TrainedModel | Run | StrPath,
    archive: Archive | StrPath | None,
    area: Area,
    time: Time,
    out: StrPath,
    *,
    every: int | str | None = None,
    as_of: Time | None = None,
    catalogues: Sequence[StrPath] = (),
    require: Iterable[str] = (),
    offline: bool = False,
    max_bytes: int | None = None,
    formats: Sequence[str] = ("cog",),
    pictures: bool = True,
    allow_unread: bool = False,
    scheduler: str = "threads",
    workers: int = 1,
    device: str = "cpu",
    progress: Progress = silent,
    echo: Echo = silent,
) -> DailyReport:
    """Map each time of a range in a folder of its own; a repeated call makes what is new, and what has changed.

    A map whose inputs, model or formats changed since it was made is made again, and replaces the older one when it is
    complete; a map of which nothing changed is left alone. `open_map` opens all times together.

    Args:
        model, archive, area, every, as_of: as in `make_map`.
        time: as in `vadose.api.inputs.time_request`, such as "today-10/today".
        out: folder of the maps, one folder for each time in it, and `daily.json`, the list of what was done.
        catalogues, require, offline, max_bytes: as in `make_map`.
        formats, pictures, allow_unread, scheduler, workers, device, progress, echo: as in `make_map`.

    Returns:
        What was done for each time and why, and which sources are missing.

    Raises:
        VadoseError: no run, no such area, or `out` holds other maps. An error of one time is reported with that time.
    """
    executor, past = Executor(scheduler, workers, device), as_of is not None
    time, every = time_request(time, every)
    source = _archive_of(model, archive, area, time, every, catalogues, require, offline, max_bytes, past, progress)
    with hold(Path(out)), source as (held, report):
        sources = report.sources if report else ()
        absent = {one.source: f"{one.source} is {one.state}: {one.reason}" for one in sources if one.missing}
        request = _request(model, held, area, time, out, every, as_of, formats, pictures, allow_unread)
        return _make_daily_maps(request, progress, executor, echo, absent)


def estimate_map_cost(
    model: TrainedModel | Run | StrPath,
    archive: Archive | StrPath,
    area: Area,
    time: Time,
    out: StrPath = "map",
    *,
    every: int | str | None = None,
    as_of: Time | None = None,
    scheduler: str = "threads",
    workers: int = 1,
    device: str = "cpu",
) -> CostEstimate:
    """Estimate the inputs, computing time and memory of a map, without writing anything.

    Args:
        model, archive, area, time, out, every, as_of, scheduler, workers, device: as in `make_map`.
    """
    request = _request(model, archive, area, time, out, every, as_of, ("cog",), False, True)
    return estimate_cost(request, Executor(scheduler, workers, device))


def open_map(path: StrPath) -> xr.DataTree:
    """Open a map.

    Args:
        path: folder that `make_map` or `make_daily_maps` wrote, or one of its Zarr stores, NetCDF files or GeoTIFFs.

    Returns:
        One node for each UTM zone, such as `utm32n`: soil_moisture and soil_moisture_std (m3 m-3), quality (bits of
        `Quality`; 4294967295 outside the area) and the ages of the observations (days), (time, y, x).

    Raises:
        VadoseError: the map is missing or unreadable.
    """
    tree = xr.DataTree.from_dict({_zone(epsg): dataset for epsg, dataset in open_maps(Path(path)).items()})
    tree.encoding["source"] = str(Path(path).absolute())
    return tree


def extract_series(
    maps: StrPath,
    out: StrPath | None = None,
    *,
    locations: Iterable[Sequence[float] | str] = (),
    points: StrPath | pd.DataFrame | None = None,
    polygons: StrPath | pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Extract time series at points, or means over polygons.

    Args:
        maps: folder of a map, or one of its files.
        out: CSV, Parquet or NetCDF file; by default none is written.
        locations: points, (lon, lat) in degrees.
        points: CSV file or DataFrame with columns lon, lat and optionally place.
        polygons: file of polygons or GeoDataFrame.

    Returns:
        One row per place and time.

    Raises:
        VadoseError: there are no places, or none is within the map.
    """
    pairs = [one if isinstance(one, str) else ",".join(f"{degrees:.15g}" for degrees in one) for one in locations]
    places, shapes = (one if one is None or isinstance(one, pd.DataFrame) else Path(one) for one in (points, polygons))
    return series_of(Path(maps), None if out is None else Path(out), pairs, places, shapes)


@contextmanager
def _archive_of(
    model: TrainedModel | Run | StrPath,
    archive: Archive | StrPath | None,
    area: Area,
    time: Time,
    every: int | str | None,
    catalogues: Sequence[StrPath],
    require: Iterable[str],
    offline: bool,
    max_bytes: int | None,
    replaced: bool,
    progress: Progress,
) -> Iterator["tuple[Archive | StrPath, FetchReport | None]"]:
    """Hold the archive of a map: the one that is given, or one of the cache that is filled from catalogues."""
    if archive is not None:
        yield archive, None
        return
    from vadose.api.fetch import fetched, inputs_of  # noqa: PLC0415 (seconds that maps of an archive need not wait)
    from vadose.catalogues.settings import read_catalogues  # noqa: PLC0415

    inputs = inputs_of(model.run if isinstance(model, TrainedModel) else model)
    known = read_catalogues([str(one) for one in catalogues])
    with fetched(
        area,
        time,
        every,
        inputs,
        known,
        require=require,
        offline=offline,
        max_bytes=max_bytes,
        replaced=replaced,
        progress=progress,
    ) as held:
        yield held


def _request(
    model: TrainedModel | Run | StrPath,
    archive: Archive | StrPath,
    area: Area,
    time: Time,
    out: StrPath,
    every: int | str | None,
    as_of: Time | None,
    formats: Sequence[str],
    pictures: bool,
    allow_unread: bool,
) -> MapRequest:
    date, interval = time_request(time, every)
    until = None if as_of is None else time_text(as_of)
    run = (
        model.run.folder if isinstance(model, TrainedModel) else model.folder if isinstance(model, Run) else Path(model)
    )
    folder = archive.folder if isinstance(archive, Archive) else Path(archive)
    return MapRequest(
        run, folder, area_request(area), date, Path(out), until, interval, tuple(formats), pictures, allow_unread
    )


def _zone(epsg: int) -> str:
    """Return the name of a UTM zone; of another CRS, its code."""
    utm = {326: "n", 327: "s"}.get(epsg // 100)
    return f"utm{epsg % 100:02d}{utm}" if utm and 1 <= epsg % 100 <= 60 else f"epsg{epsg}"
