"""The commands. Each reads its arguments, asks one room, and prints what came of it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from vadose.console import epochs, fail_in_words, progress, say

app = typer.Typer(
    name="vadose",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Soil moisture of the top 5 cm at 320 m, from Sentinel-1, Sentinel-2, elevation, SoilGrids, SMAP and GLDAS, "
    "judged by in-situ sensors.\n\nThe usual way: **world make** (or your own archive) → **samples build** → "
    "**train** → **score** → **map**. `vadose demo` walks all of it on a simulated world.",
)
world = typer.Typer(no_args_is_help=True, help="The simulated Earth: products, sensors and the known truth.")
samples = typer.Typer(no_args_is_help=True, help="Sample stores: what was known at each sensor and time.")
app.add_typer(world, name="world")
app.add_typer(samples, name="samples")

Config = Annotated[Path, typer.Argument(help="Experiment, a YAML file such as configs/conus_10day.yaml.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder of a run that 'vadose train' made.")]
Out = Annotated[Path | None, typer.Option(help="Where to write; by default runs/<name of the experiment>.")]


@world.command("make")
def world_make(
    folder: Annotated[Path, typer.Argument(help="New folder of the archive.")],
    preset: Annotated[str, typer.Option(help="Size of the world: tiny or small.")] = "small",
    seed: Annotated[int, typer.Option(help="Another seed is another world.")] = 0,
) -> None:
    """Make a simulated Earth: six products in their real formats, STAC items, ISMN sensors, and the truth."""
    from vadose.world import WorldConfig, make

    with progress("simulated world") as report:
        make(WorldConfig.preset(preset).model_copy(update={"seed": seed}), folder, report)
    say(f"Simulated world in {folder}")


@samples.command("build")
def samples_build(config: Config, out: Out = None) -> None:
    """Build the sample store of an experiment: sensors collocated with an archive, or a point table."""
    from vadose.experiment import read_experiment
    from vadose.experiment.gather import gather

    experiment = read_experiment(config)
    with progress("samples") as report:
        say(str(gather(experiment, out or Path("runs") / experiment.name / "samples", report)))


@samples.command("table")
def samples_table(
    table: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet: one row a sensor and a time.")],
    mapping: Annotated[Path, typer.Option(help="YAML: which column is what; configs/tables has examples.")],
    out: Annotated[Path, typer.Option(help="Folder of the new store.")],
) -> None:
    """Import a matched point table, with labels or without, into a sample store."""
    from vadose.samples import TableMapping, import_table

    say(str(import_table(table, TableMapping.read(mapping), out)))


@app.command()
def train(
    config: Config,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
) -> None:
    """Train the network and its rivals, and judge them on sensors that none of them has seen."""
    from vadose.experiment import read_experiment
    from vadose.experiment.train import train_in

    experiment = read_experiment(config)
    folder = out or Path("runs") / experiment.name
    with progress("samples") as samples_report, epochs() as report:
        scorecard = train_in(experiment, folder, resume, samples_report, report)
    say(scorecard.summary, f"Scorecard: {scorecard.path}")


@app.command()
def estimate(
    run: RunFolder,
    store: Annotated[Path, typer.Argument(help="Sample store; labels are not needed.")],
    out: Annotated[Path, typer.Option(help="Parquet file of the estimates.")],
) -> None:
    """Estimate every sample of a store: mean, spread and quality flags.

    A sensor is estimated by the networks that have not learned from its place; where all have, the column
    seen_in_training says so.
    """
    from vadose.experiment.predict import predict_store

    with progress("estimates") as report:
        table = predict_store(run, store, out, report)
    blank, seen = int(table["mean"].isna().sum()), int(table["seen_in_training"].sum())
    say(f"{len(table)} estimates in {out}; {blank} without any source to go by, {seen} at places seen in training")


@app.command()
def score(
    predictions: Annotated[list[Path], typer.Argument(help="Parquet files of estimates, one a product.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the scorecard; none is written without it.")] = None,
    min_samples: Annotated[int, typer.Option(help="Samples that a sensor needs to be scored.")] = 20,
) -> None:
    """Score estimates against their sensors: R, ubRMSE, RMSE and bias, a sensor at a time."""
    from vadose.experiment.judge import judge

    say(judge(predictions, out, min_samples))


@app.command("map")
def map_(
    run: RunFolder,
    archive: Annotated[Path, typer.Argument(help="Folder of the products.")],
    area: Annotated[str, typer.Option(help="west,south,east,north in degrees, or a GeoJSON file.")],
    date: Annotated[str, typer.Option(help="Day of the map, 2021-06-10, or moment, 2021-06-10T18:00 (UTC).")],
    out: Annotated[Path, typer.Option(help="Folder of the map.")] = Path("map"),
) -> None:
    """Map an area on a day: COGs of mean, spread and quality on cells of 320 m, and a picture."""
    from vadose.experiment.mapping import MapRequest, make_map

    with progress("tiles") as report:
        written = make_map(MapRequest(run, archive, area, date, out), report)
    say(*map(str, written))


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where everything is written.")] = Path("demo"),
    preset: Annotated[str, typer.Option(help="Size of the simulated world: tiny or small.")] = "small",
) -> None:
    """Walk the whole way on a simulated world: make it, build samples, train, score, map."""
    from vadose.experiment.demo import demonstrate

    with progress("demo") as report, epochs() as epoch_report:
        shown = demonstrate(folder, preset, report, epoch_report)
    say(*shown)


def main() -> None:
    """Run a command; what cannot be met is told in words, with exit status 2."""
    sys.exit(fail_in_words(app))
