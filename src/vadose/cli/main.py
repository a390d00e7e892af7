"""The command line of vadose."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import vadose
from vadose.cli import evaluate, fetch, maps, models, samples, serve, simulate, train
from vadose.cli.console import CORES, echo, epochs, log_to, progress, report_errors
from vadose.io.gdal import shut_gdal
from vadose.io.memory import tune_malloc

app = typer.Typer(
    name="vadose",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Soil moisture of the top 5 cm at 320 m, from Sentinel-1, Sentinel-2, elevation, SoilGrids, SMAP and GLDAS, "
    "evaluated at in-situ sensors.\n\nThe usual order: **fetch** (or your own archive) → **samples build** → "
    "**train** → **evaluate** → **map**. `vadose demo` runs all of it on a simulated Earth.",
)
app.add_typer(simulate.app, name="simulate")
app.add_typer(samples.app, name="samples")
app.add_typer(fetch.app, name="catalogues")
app.add_typer(models.app, name="models")
app.command("fetch")(fetch.fetch)
app.command("train")(train.train)
app.command("ablate")(train.ablate_)
app.command("estimate")(train.estimate)
app.command("evaluate")(evaluate.evaluate)
app.command("map")(maps.map_)
app.command("series")(maps.series)
app.command("serve")(serve.serve)
app.command("export")(train.export_)


def _print_version(asked: bool) -> None:
    if asked:
        echo(vadose.__version__)
        raise typer.Exit


@app.callback()
def _globally(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log to the terminal what is done and why.")] = False,
    log_file: Annotated[Path | None, typer.Option(help="Append the log of all processes to this file.")] = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    log_to(log_file, verbose, shlex.join(sys.argv[1:]))


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Output folder.")] = Path("demo"),
    preset: Annotated[Literal["tiny", "small", "medium"], typer.Option(help="Size of the simulated Earth.")] = "small",
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of its random numbers.")] = 0,
) -> None:
    """Run the whole workflow on a simulated Earth: simulate, build samples, fine-tune a model, evaluate, map."""
    with progress("demo") as report, epochs() as epoch_report:
        shown = vadose.run_demo(folder, preset, seed=seed, workers=CORES, progress=report, epochs=epoch_report)
    echo(*shown)


def main() -> None:
    """Run a command; errors are printed, with exit status 2."""
    tune_malloc()
    shut_gdal()
    sys.exit(report_errors(app))
