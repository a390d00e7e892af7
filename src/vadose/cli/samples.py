"""Commands on sample stores."""

from pathlib import Path
from typing import Annotated

import typer

import vadose
from vadose.cli.console import CORES, AllowUnread, Config, Out, Workers, echo, progress

app = typer.Typer(no_args_is_help=True, help="Sample stores: predictors and readings per sensor and time.")
Store = Annotated[Path, typer.Argument(help="Sample store: a folder that 'vadose samples' wrote.")]
Shards = Annotated[Path, typer.Argument(help="Folder of the published shards, named …-00000-of-00500.tfrecord.gz.")]


@app.command("build")
def build(config: Config, out: Out = None, workers: Workers = CORES, allow_unread: AllowUnread = False) -> None:
    """Build the sample store of an experiment: sensors collocated with an archive, or a point table.

    An interrupted build resumes with the remaining sensors.
    """
    with progress("samples") as report:
        vadose.build_samples(config, out, workers=workers, allow_unread=allow_unread, progress=report, echo=echo)


@app.command("import-table")
def import_table_(
    table: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet: one row per sensor and time.")],
    columns: Annotated[Path, typer.Option(help="YAML file of the column mapping; configs/tables has examples.")],
    out: Annotated[Path, typer.Option(help="Folder of the new store.")],
) -> None:
    """Import a matched point table, with or without readings, into a sample store."""
    vadose.import_table(table, columns, out, echo=echo)


@app.command("convert-ismn")
def convert_ismn(
    archive: Annotated[Path, typer.Argument(help="ISMN archive: a zip file, or a folder with its files.")],
    out: Annotated[Path, typer.Option(help="New folder of tables, which can be given in place of the archive.")],
    workers: Workers = CORES,
) -> None:
    """Convert an ISMN archive to Parquet tables; an interrupted run resumes."""
    with progress("sensors") as report:
        vadose.convert_ismn(archive, out, workers=workers, progress=report, echo=echo)


@app.command("append")
def append_(
    store: Store, other: Annotated[Path, typer.Argument(help="Store whose samples are appended to the first.")]
) -> None:
    """Append the samples of another store; duplicates are left out."""
    with progress("samples") as report:
        vadose.append_samples(store, other, progress=report, echo=echo)


@app.command("verify")
def verify_(store: Store) -> None:
    """Verify every byte of a store: checksums, ranges, duplicates. Exit status 1 on a fault."""
    with progress("arrays") as report:
        found = vadose.verify_samples(store, progress=report)
    echo(str(found))
    if found.faults:
        raise typer.Exit(1)


@app.command("describe")
def describe_(
    store: Store, out: Annotated[Path | None, typer.Option(help="PNG of places, times and readings.")] = None
) -> None:
    """Describe a store: sensors by network and year, readings, and missing values."""
    echo(vadose.describe_samples(store, out))


@app.command("import-batchu2022")
def import_batchu2022(
    folder: Shards,
    out: Annotated[Path, typer.Option(help="Folder of the new store.")],
    ismn: Annotated[Path | None, typer.Option(help="ISMN archive or its tables, for unpublished readings.")] = None,
    units: Annotated[
        Path | None, typer.Option(help="Calibrations from 'vadose samples fit-units'; by default, assumed ranges.")
    ] = None,
    halo: Annotated[int, typer.Option(min=0, max=4, help="Cells around the sensor's cell in each chip.")] = 4,
    simulated: Annotated[bool, typer.Option("--simulated", help="The shards are simulated.")] = False,
    workers: Workers = CORES,
) -> None:
    """Import the published shards of Batchu et al. (2022) into a sample store; an interrupted import resumes."""
    with progress("shards") as report:
        vadose.import_batchu2022(
            folder,
            out,
            ismn=ismn,
            units=units,
            halo=halo,
            simulated=simulated,
            workers=workers,
            progress=report,
            echo=echo,
        )


@app.command("fit-units")
def fit_units_(
    folder: Shards,
    archive: Annotated[Path, typer.Argument(help="Folder of real products over the sensors of the shards.")],
    out: Annotated[Path, typer.Option(help="JSON file of the fits.")],
    examples: Annotated[int, typer.Option(min=1, help="Largest number of examples.")] = 200,
) -> None:
    """Calibrate the published 0-255 numbers against real products of the same places and times."""
    with progress("examples") as report:
        echo(str(vadose.fit_batchu2022_units(folder, archive, out, examples=examples, progress=report)))
