"""Commands on the simulated Earth. Heavy modules are imported by the command that needs them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from vadose.cli.console import CORES, Workers, echo, progress

app = typer.Typer(no_args_is_help=True, help="The simulated Earth: products, sensors and the known truth.")


@app.command("make")
def make_(
    folder: Annotated[Path, typer.Argument(help="New folder of the archive, or an interrupted one.")],
    preset: Annotated[Literal["tiny", "small", "medium", "large"], typer.Option(help="Size of the world.")] = "small",
    config: Annotated[Path | None, typer.Option(help="A YAML file as in configs/worlds, instead of a preset.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="Seed of the world.")] = None,
    workers: Workers = CORES,
) -> None:
    """Make a simulated Earth: six products in their real formats, STAC items, ISMN sensors, and the truth."""
    from vadose.simulation import WorldConfig, make

    chosen = WorldConfig.read(config) if config else WorldConfig.preset(preset)
    seeded = chosen if seed is None else chosen.model_copy(update={"seed": seed})
    with progress("simulated world") as report:
        make(seeded, folder, report, workers)
    echo(f"Simulated world in {folder}")


@app.command("compare")
def compare(
    folder: Annotated[Path, typer.Argument(help="Folder of a simulated world.")],
    out: Annotated[Path, typer.Option(help="Markdown page; its pictures go to images/ beside it.")],
    real: Annotated[Path | None, typer.Option(help="Folder of real data; without it recorded figures serve.")] = None,
) -> None:
    """Compare a simulated world with real data: histograms and statistics, where they differ and why."""
    from vadose.studies.realism import compare_with_real

    compare_with_real(folder, real, out)
    echo(f"Page: {out}")


@app.command("evaluate")
def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run on samples of the simulated world.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the simulated world.")],
    out: Annotated[Path, typer.Option(help="Markdown file of the tables.")],
) -> None:
    """Evaluate maps of a run against the truth of its simulated world: in space, in time, and an upper bound on skill.

    Each region is mapped by networks that were not trained on its sensors.
    """
    from vadose.studies.truth import evaluate_against_truth

    with progress("regions") as report:
        text = evaluate_against_truth(run, folder, out, report)
    echo(text, f"Tables: {out}")
