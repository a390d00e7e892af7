"""The commands. Each reads its arguments, asks one room, and prints what came of it."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from vadose.cli import CORES, RunFolder, Workers, epochs, fail_in_words, progress, say
from vadose.cli.maps import map_, series
from vadose.cli.scores import compare, score
from vadose.cli.shards import published, units
from vadose.io.gdal import shut_gdal
from vadose.io.memory import keep_freed

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


class ModelFormat(StrEnum):
    """Formats of an exported model."""

    ONNX = "onnx"
    PT2 = "pt2"


Config = Annotated[Path, typer.Argument(help="Experiment, a YAML file such as configs/conus_10day.yaml.")]
AllowUnread = Annotated[
    bool,
    typer.Option("--allow-unread", help="Go on without a source of which the archive holds only unreadable files."),
]
Out = Annotated[Path | None, typer.Option(help="Where to write; by default runs/<name of the experiment>.")]


@world.command("make")
def world_make(
    folder: Annotated[Path, typer.Argument(help="New folder of the archive, or one that was interrupted.")],
    preset: Annotated[Literal["tiny", "small", "medium", "large"], typer.Option(help="Size of the world.")] = "small",
    config: Annotated[Path | None, typer.Option(help="A YAML file as in configs/worlds, instead of a preset.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="Another seed is another world.")] = None,
    workers: Workers = CORES,
) -> None:
    """Make a simulated Earth: six products in their real formats, STAC items, ISMN sensors, and the truth."""
    from vadose.simulation import WorldConfig, make

    chosen = WorldConfig.read(config) if config else WorldConfig.preset(preset)
    seeded = chosen if seed is None else chosen.model_copy(update={"seed": seed})
    with progress("simulated world") as report:
        make(seeded, folder, report, workers)
    say(f"Simulated world in {folder}")


@world.command("compare")
def world_compare(
    folder: Annotated[Path, typer.Argument(help="Folder of a simulated world.")],
    out: Annotated[Path, typer.Option(help="Markdown page; its pictures go to images/ beside it.")],
    real: Annotated[Path | None, typer.Option(help="Folder of real data; without it recorded figures serve.")] = None,
) -> None:
    """Set a simulated world beside the real one: histograms and statistics, where they differ and why."""
    from vadose.studies.realism import compare_with_real

    compare_with_real(folder, real, out)
    say(f"Page: {out}")


@world.command("judge")
def world_judge(
    run: Annotated[Path, typer.Argument(help="Folder of a run on samples of the simulated world.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the simulated world.")],
    out: Annotated[Path, typer.Option(help="Markdown file of the tables.")],
) -> None:
    """Set maps of a run beside the truth of its simulated world: in space, in time, and what no estimate could better.

    Each region is mapped by networks that have not seen its sensors.
    """
    from vadose.studies.truth import judge_by_truth

    with progress("regions") as report:
        text = judge_by_truth(run, folder, out, report)
    say(text, f"Tables: {out}")


@samples.command("build")
def samples_build(config: Config, out: Out = None, workers: Workers = CORES, allow_unread: AllowUnread = False) -> None:
    """Build the sample store of an experiment: sensors collocated with an archive, or a point table.

    A build that was stopped goes on with the sensors that it lacks.
    """
    from vadose.experiment import read_experiment
    from vadose.experiment.build_samples import gather

    experiment = read_experiment(config).allowing_unread(allow_unread)
    with progress("samples") as report:
        folder = out or Path("runs") / experiment.name / "samples"
        say(str(gather(experiment, folder, report, workers)))


@samples.command("table")
def samples_table(
    table: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet: one row a sensor and a time.")],
    mapping: Annotated[Path, typer.Option(help="YAML: which column is what; configs/tables has examples.")],
    out: Annotated[Path, typer.Option(help="Folder of the new store.")],
) -> None:
    """Import a matched point table, with labels or without, into a sample store."""
    from vadose.dataset import TableMapping, import_table

    say(str(import_table(table, TableMapping.read(mapping), out, mapping)))


@samples.command("insitu")
def samples_insitu(
    archive: Annotated[Path, typer.Argument(help="ISMN archive: a zip file, or a folder with its files.")],
    out: Annotated[Path, typer.Option(help="New folder of tables, which serves wherever the archive does.")],
    workers: Workers = CORES,
) -> None:
    """Read an ISMN archive once, into Parquet tables; a run that was stopped goes on."""
    from vadose.insitu.conversion import archive_to_parquet

    with progress("sensors") as report:
        say(str(archive_to_parquet(archive, out, workers, report)))


Store = Annotated[Path, typer.Argument(help="Sample store: a folder that 'vadose samples' wrote.")]


samples.command("published")(published)
samples.command("units")(units)


@samples.command("append")
def samples_append(
    store: Store, other: Annotated[Path, typer.Argument(help="Store whose samples come behind those of the first.")]
) -> None:
    """Put the samples of another store behind those of the first; what it has already is left out."""
    from vadose.dataset import SampleStore, append

    with progress("samples") as report:
        say(str(append(store, SampleStore.open(other), report)))


@samples.command("verify")
def samples_verify(store: Store) -> None:
    """Read every byte of a store: checksums, ranges, doubled samples. Exit status 1 where there is a fault."""
    from vadose.dataset import SampleStore, verify

    with progress("arrays") as report:
        found = verify(SampleStore.open(store), report)
    say(str(found))
    if found.faults:
        raise typer.Exit(1)


@samples.command("describe")
def samples_describe(
    store: Store, out: Annotated[Path | None, typer.Option(help="Where to draw places, times and labels, PNG.")] = None
) -> None:
    """Tell what a store holds: sensors by network and year, labels, and what is missing."""
    from vadose.dataset import SampleStore, describe, picture

    held = SampleStore.open(store)
    say(describe(held))
    if out:
        picture(held, out)


@app.command()
def train(
    config: Config,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
    workers: Workers = CORES,
    samples: Annotated[Path | None, typer.Option(help="Samples that were built before, from the same archive.")] = None,
    allow_unread: AllowUnread = False,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="What trains.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="CUDA devices, or processes of the CPU, that share a batch.")] = 1,
    precision: Annotated[Literal["32", "bf16-mixed", "16-mixed"], typer.Option(help="Of the training.")] = "32",
    accumulate: Annotated[int, typer.Option(min=1, help="Parts in which a batch is taken, to save memory.")] = 1,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the network.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Keep a journal for TensorBoard too.")] = False,
) -> None:
    """Train the network and its rivals, and judge them on sensors that none of them has seen."""
    from vadose.experiment import read_experiment
    from vadose.experiment.train import train_in
    from vadose.training import Machine

    experiment = read_experiment(config).allowing_unread(allow_unread)
    machine = Machine.asked(device, devices, precision, accumulate, compiled, tensorboard)
    folder = out or Path("runs") / experiment.name
    with progress("samples") as samples_report, epochs() as report:
        scorecard = train_in(experiment, folder, resume, samples_report, report, workers, samples, machine)
    say(scorecard.summary, f"Scorecard: {scorecard.path}")


@app.command("ablate")
def ablate_(
    config: Config,
    out: Annotated[Path, typer.Option(help="Folder of the ablation: samples, a run for each row, the tables.")],
    workers: Workers = CORES,
    resume: Annotated[bool, typer.Option("--resume", help="Go on; rows that are finished stay.")] = False,
    samples: Annotated[Path | None, typer.Option(help="Samples that were built before, from the same archive.")] = None,
    allow_unread: AllowUnread = False,
    row: Annotated[list[str] | None, typer.Option(help="A row beside the full model; all when none is named.")] = None,
) -> None:
    """Train the network without each of its parts, on the same folds and seeds: one table, one picture."""
    from vadose.experiment import read_experiment
    from vadose.experiment.ablation import ablate

    experiment = read_experiment(config).allowing_unread(allow_unread)
    with progress("samples") as samples_report, epochs() as report:
        table = ablate(experiment, out, resume, samples_report, report, workers, samples, row or ())
    say(table.read_text(encoding="utf-8"), f"Table: {table}")


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

    told: list[str] = []
    with progress("estimates") as report:
        table = predict_store(run, store, out, report, told.append)
    blank, seen = int(table["mean"].isna().sum()), int(table["seen_in_training"].sum())
    say(
        *told,
        f"{len(table)} estimates in {out}; {blank} without any source to go by, {seen} at places seen in training",
    )


app.command("score")(score)
app.command("compare")(compare)


app.command("map")(map_)
app.command("series")(series)


@app.command("export")
def export_(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder of the model and its card.")],
    form: Annotated[list[ModelFormat] | None, typer.Option("--format", help="onnx alone by default.")] = None,
) -> None:
    """Write the networks of a run as one model with the scaling inside, and its model card."""
    from vadose.export.run import export_run

    say(*map(str, export_run(run, out, [*map(str, form or ("onnx",))])))


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where everything is written.")] = Path("demo"),
    preset: Annotated[Literal["tiny", "small", "medium"], typer.Option(help="Size of the world.")] = "small",
) -> None:
    """Walk the whole way on a simulated world: make it, build samples, train, score, map."""
    from vadose.studies.demo import demonstrate

    with progress("demo") as report, epochs() as epoch_report:
        shown = demonstrate(folder, preset, report, epoch_report, CORES)
    say(*shown)


def main() -> None:
    """Run a command; what cannot be met is told in words, with exit status 2."""
    keep_freed()
    shut_gdal()
    sys.exit(fail_in_words(app))
