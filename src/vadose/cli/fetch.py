"""Commands on catalogues: fetch from them, and check them."""

from pathlib import Path
from typing import Annotated

import typer

import vadose
from vadose.cli.console import echo, progress

app = typer.Typer(no_args_is_help=True, help="Catalogues that archives and maps are fetched from.")
CatalogueNames = Annotated[
    list[str] | None,
    typer.Option("--catalogue", help="Catalogue to ask, by name, or a YAML file that adds some; repeatable."),
]
Require = Annotated[
    str | None, typer.Option(help="Sources without which nothing is made, such as sentinel1,smap.", metavar="SOURCES")
]
MaxBytes = Annotated[float | None, typer.Option(min=0, help="Largest download of this run, MB.", metavar="MB")]
NOT_COMPLETE = 3
"""Exit status where a source is missing that was not required."""


def fetch(
    out: Annotated[Path, typer.Option(help="Folder of the archive; one that was fetched before is updated.")],
    area: Annotated[
        str | None, typer.Option(help="west,south,east,north in degrees; or a GeoJSON, GeoPackage or shapefile.")
    ] = None,
    date: Annotated[str | None, typer.Option(help="Day, 2021-06-10; time; or two days with a /.")] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of a run: only its inputs are fetched.")] = None,
    sensors: Annotated[Path | None, typer.Option(help="ISMN archive: windows around its sensors, not an area.")] = None,
    catalogue: CatalogueNames = None,
    require: Require = None,
    locked: Annotated[bool, typer.Option("--locked", help="Restore the versions of the archive's lock.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print requests and bytes by source only.")] = False,
    max_bytes: MaxBytes = None,
    max_requests: Annotated[int | None, typer.Option(min=1, help="Largest number of requests of this run.")] = None,
) -> None:
    """Fetch what estimates of an area or of sensors need, from open catalogues, into an archive.

    A repeated call fetches what is new or was processed again. Exit status 3 where a source is missing or incomplete.
    """
    with progress("items") as report:
        done = vadose.fetch(
            out,
            area,
            date,
            model=model,
            sensors=sensors,
            catalogues=catalogue or (),
            require=listed(require),
            locked=locked,
            dry_run=dry_run,
            max_bytes=None if max_bytes is None else round(max_bytes * 1e6),
            max_requests=max_requests,
            progress=report,
        )
    echo(*done.lines(), *done.changed[:20])
    if len(done.changed) > 20:
        echo(f"... and {len(done.changed) - 20} more")
    if any(one.missing for one in done.sources):
        raise typer.Exit(NOT_COMPLETE)


@app.command("check")
def check(
    catalogue: Annotated[
        list[str] | None,
        typer.Option(help="Catalogue to check, by name, or a YAML file whose catalogues are checked; repeatable."),
    ] = None,
) -> None:
    """Search each catalogue, and read the header of one file of each source, with the credentials of this machine.

    Exit status 1 where one does not answer or denies access.
    """
    states = vadose.check_catalogues(catalogue or (), report=lambda state: echo(str(state)))
    if any(one.state != "ok" for one in states):
        raise typer.Exit(1)


@app.command("download-ismn")
def download_ismn(
    out: Annotated[Path, typer.Argument(help="Zip file to write; it must not exist.")],
    catalogue: CatalogueNames = None,
) -> None:
    """Download the whole archive of the International Soil Moisture Network, some gigabytes, with your account.

    The account is ISMN_USERNAME and ISMN_PASSWORD, or the entry of ismn.earth in your netrc file.
    """
    with progress("MB") as report:
        done = vadose.download_ismn(out, catalogues=catalogue or (), progress=report)
    echo(f"{done}: {done.stat().st_size / 1e6:,.1f} MB")


def listed(names: str | None) -> tuple[str, ...]:
    """Split a list of names with commas."""
    return tuple(name.strip() for name in names.split(",") if name.strip()) if names else ()
