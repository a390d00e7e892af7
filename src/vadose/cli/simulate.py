"""Commands on the simulated Earth."""

from pathlib import Path
from typing import Annotated, Literal

import typer

import vadose
from vadose.cli.console import CORES, Config, Workers, echo, output_of, progress

app = typer.Typer(no_args_is_help=True, help="The simulated Earth: products, sensors and the known truth.")


@app.command("make")
def make_(
    folder: Annotated[Path, typer.Argument(help="New folder of the archive, or an interrupted one.")],
    preset: Annotated[
        Literal["tiny", "small", "medium", "large"], typer.Option(help="Size of the simulated Earth.")
    ] = "small",
    config: Annotated[Path | None, typer.Option(help="YAML file as in configs/worlds, instead of a preset.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="Seed of the random numbers.")] = None,
    workers: Workers = CORES,
) -> None:
    """Make a simulated Earth: six products in their real formats, STAC items, ISMN sensors, and the truth."""
    with progress("simulated Earth") as report:
        vadose.simulate(folder, preset, config=config, seed=seed, workers=workers, progress=report)
    echo(f"Simulated Earth in {folder}")


@app.command("samples")
def samples(
    config: Config,
    out: Annotated[
        Path, typer.Option(help="Folder of the store.", callback=output_of("simulate samples", folder=True))
    ],
    cells: Annotated[int, typer.Option(min=1, max=1000, help="Cells along each side of a region.")] = 6,
    workers: Workers = CORES,
) -> None:
    """Build samples whose labels are the truth: many cells of each region, without sensors and their errors.

    Cell values and history at Sentinel-1 passes, as in the period of the experiment. An interrupted build resumes.
    """
    with progress("regions") as report:
        store = vadose.build_truth_samples(config, out, side=cells, workers=workers, progress=report)
    echo(f"{len(store)} samples in {out}")


@app.command("compare")
def compare(
    folder: Annotated[Path, typer.Argument(help="Folder of a simulated Earth.")],
    out: Annotated[Path, typer.Option(help="Markdown page; its figures are written to images/ beside it.")],
    real: Annotated[Path | None, typer.Option(help="Folder of real data; by default, recorded figures.")] = None,
) -> None:
    """Compare a simulated Earth with real data: histograms and statistics, with the differences and their reasons."""
    echo(f"Page: {vadose.compare_simulation(folder, out, real=real)}")


@app.command("evaluate")
def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run on samples of the simulated Earth.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the simulated Earth.")],
    out: Annotated[Path, typer.Option(help="Markdown file of the tables.")],
) -> None:
    """Evaluate maps of a run against the truth of its simulated Earth: in space, in time, and an upper bound on skill.

    Each region is mapped by networks that were not trained on its sensors.
    """
    with progress("regions") as report:
        text = vadose.evaluate_simulation(run, folder, out, progress=report)
    echo(text, f"Tables: {out}")
