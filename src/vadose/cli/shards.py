"""The commands of the published shards. Heavy rooms are imported by the command that needs them."""
# ruff: noqa: PLC0415

from pathlib import Path
from typing import Annotated

import typer

from vadose.cli import CORES, Workers, progress, say

Shards = Annotated[Path, typer.Argument(help="Folder of the published shards, named …-00000-of-00500.tfrecord.gz.")]


def published(
    folder: Shards,
    out: Annotated[Path, typer.Option(help="Folder of the new store.")],
    ismn: Annotated[Path | None, typer.Option(help="ISMN archive or its tables, for labels not published.")] = None,
    units: Annotated[Path | None, typer.Option(help="Fits of 'vadose samples units'; nominal lines without.")] = None,
    halo: Annotated[int, typer.Option(min=0, max=4, help="Cells around the sensor's cell that chips keep.")] = 4,
    simulated: Annotated[bool, typer.Option("--simulated", help="Say that the shards are simulated.")] = False,
    workers: Workers = CORES,
) -> None:
    """Import the published shards into a sample store, or go on with an import that was stopped."""
    from vadose.batchu2022.commands import import_published

    with progress("shards") as report:
        say(import_published(folder, out, ismn, units, halo, simulated, report, workers))


def units(
    folder: Shards,
    archive: Annotated[Path, typer.Argument(help="Folder of real products over the sensors of the shards.")],
    out: Annotated[Path, typer.Option(help="JSON file of the fits.")],
    examples: Annotated[int, typer.Option(min=1, help="Published examples that are paired, at most.")] = 200,
) -> None:
    """Fit the units of published numbers to real products of the same places and times."""
    from vadose.batchu2022.commands import fit_units

    with progress("examples") as report:
        say(str(fit_units(folder, archive, out, examples, report)))
