"""Commands that make and read maps."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer

import vadose
from vadose.cli.console import CORES, RunFolder, echo, progress
from vadose.cli.fetch import CatalogueNames, MaxBytes, Require, listed
from vadose.report.text import counted


class MapFormat(StrEnum):
    """File formats of a map."""

    COG = "cog"
    ZARR = "zarr"
    NETCDF = "netcdf"


def map_(
    run: RunFolder,
    area: Annotated[str, typer.Option(help="west,south,east,north in degrees; or a GeoJSON, GeoPackage or shapefile.")],
    date: Annotated[
        str, typer.Option(help="Day, 2021-06-10 or today-1; time, 2021-06-10T18:00 (UTC); or first/last day.")
    ],
    archive: Annotated[
        Path | None, typer.Argument(help="Folder of the products; by default, fetched from catalogues.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the map.")] = Path("map"),
    as_of: Annotated[str | None, typer.Option(help="Day or time (UTC); products published later are not read.")] = None,
    every: Annotated[str | None, typer.Option(help="Interval of a range in days, or pass: Sentinel-1 passes.")] = None,
    form: Annotated[list[MapFormat] | None, typer.Option("--format", help="By default cog alone.")] = None,
    scheduler: Annotated[
        str, typer.Option(help="threads, processes, or a Dask scheduler, tcp://host:port.")
    ] = "threads",
    workers: Annotated[
        int, typer.Option(min=1, show_default="all processors", help="Parallel tiles on this machine.")
    ] = CORES,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Device of the networks.")] = "cpu",
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw a picture of each time.")] = True,
    allow_unread: Annotated[
        bool, typer.Option("--allow-unread", help="Continue without a source whose files are all unreadable.")
    ] = False,
    catalogue: CatalogueNames = None,
    require: Require = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Without an archive: map what was fetched before.")
    ] = False,
    max_bytes: MaxBytes = None,
    daily: Annotated[
        bool, typer.Option("--daily", help="One folder per time; make what is new or has changed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the cost estimate only.")] = False,
) -> None:
    """Map soil moisture, its standard deviation, quality flags and observation ages of an area on 320 m cells.

    An interrupted map resumes with the remaining tiles. With --daily, the same command is repeated, such as every day
    with --date today-10/today: it adds new dates and remakes those whose inputs have changed.

    Exit status: 0 complete; 1 tiles failed; 2 error; 3 with --daily, a date has no data, or a source is missing, late
    or incomplete.
    """
    if dry_run and archive is None:
        with TemporaryDirectory() as folder:
            estimate = vadose.fetch(folder, area, date, model=run, catalogues=catalogue or (), dry_run=True)
        echo(*estimate.lines())
        return
    if dry_run and archive is not None:
        cost = vadose.estimate_map_cost(
            run, archive, area, date, out, every=every, as_of=as_of, scheduler=scheduler, workers=workers, device=device
        )
        echo(str(cost))
        return
    notes: list[str] = []
    try:
        with progress("tiles") as report:
            make: Callable[..., vadose.DailyReport | tuple[Path, ...]] = (
                vadose.make_daily_maps if daily else vadose.make_map
            )
            done = make(
                run,
                archive,
                area,
                date,
                out,
                every=every,
                as_of=as_of,
                catalogues=catalogue or (),
                require=listed(require),
                offline=offline,
                max_bytes=None if max_bytes is None else round(max_bytes * 1e6),
                formats=tuple(map(str, form or ("cog",))),
                pictures=pictures,
                allow_unread=allow_unread,
                scheduler=scheduler,
                workers=workers,
                device=device,
                progress=report,
                echo=notes.append,
            )
    except vadose.TilesFailed as failed:
        for name, reason in failed.reasons.items():
            typer.echo(f"failed: {name}: {' '.join(reason.split())}", err=True)
        typer.echo(f"{failed.context} {len(failed.reasons)} of them failed. {failed.hint}", err=True)
        raise typer.Exit(1) from failed
    if isinstance(done, vadose.DailyReport):
        echo(*notes, *done.lines())
        raise typer.Exit(done.status)
    echo(*notes, *map(str, done))


def series(
    maps: Annotated[Path, typer.Argument(help="Folder of a map or of daily maps, or one of its files.")],
    out: Annotated[Path, typer.Option(help="File of the series: .csv, .parquet or .nc.")],
    point: Annotated[list[str] | None, typer.Option(help="Point, lon,lat in degrees; repeatable.")] = None,
    points: Annotated[Path | None, typer.Option(help="CSV file with columns lon, lat and optionally place.")] = None,
    polygons: Annotated[Path | None, typer.Option(help="GeoJSON, GeoPackage or shapefile of polygons.")] = None,
) -> None:
    """Write time series of soil moisture at points, or means over polygons, from maps."""
    table = vadose.extract_series(maps, out, locations=point or (), points=points, polygons=polygons)
    echo(f"{counted(len(table), 'rows')} of {counted(table['place'].nunique(), 'places')} in {out}")
