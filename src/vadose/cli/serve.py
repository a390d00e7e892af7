"""The command that serves finished maps."""

from pathlib import Path
from typing import Annotated

import typer

import vadose
from vadose.cli.console import echo, progress
from vadose.report.text import counted


def serve(
    maps: Annotated[list[Path], typer.Argument(help="Folders of maps or of daily maps, or cubes.")],
    sensors: Annotated[
        Path | None, typer.Option(help="ISMN archive, or tables of 'vadose samples convert-ismn'.")
    ] = None,
    scorecard: Annotated[Path | None, typer.Option(help="Folder of a run or scorecard: scores of the sensors.")] = None,
    export_sensors: Annotated[
        bool, typer.Option("--export-sensors", help="Permit the download of readings; ISMN's terms leave it to you.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address; beyond this machine, give a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Number of the port.")] = 8320,
    token: Annotated[
        str, typer.Option(envvar="VADOSE_TOKEN", help="Word that every request must bear.", show_default="none")
    ] = "",
    rate: Annotated[float, typer.Option(min=0.0, help="Requests per second of a client; 0: no limit.")] = 0.0,
    name: Annotated[list[str] | None, typer.Option(help="Host name of a reverse proxy in front; repeatable.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    export: Annotated[
        Path | None, typer.Option(help="Write maps and viewer as files into this folder, and do not serve.")
    ] = None,
    basemap: Annotated[
        str, typer.Option(help="Online background, https://…/{z}/{x}/{y}.png.", show_default="none")
    ] = "",
) -> None:
    """Show finished maps in the browser: slider of dates, series with their 90 % interval, flags, sensors, download.

    The same address answers STAC, OGC API Tiles and OGC API EDR; see /docs there. It listens on this machine alone
    unless --host names another address. Ctrl+C ends it.
    """
    if export is not None:
        with progress("steps") as report:
            count = vadose.export_viewer(*maps, out=export, basemap=basemap, progress=report)
        echo(f"{counted(count, 'files')} in {export}")
        return
    where = f"[{host}]" if ":" in host else host
    echo(f"Maps at http://{where}:{port}/{'?token=' + token if token else ''}")
    with progress("blocks") as report:
        vadose.serve(
            *maps,
            sensors=sensors,
            scorecard=scorecard,
            export_sensors=export_sensors,
            host=host,
            port=port,
            token=token,
            rate=rate,
            workers=workers,
            basemap=basemap,
            names=name or (),
            progress=report,
        )
