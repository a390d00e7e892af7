"""Commands for models: those that come with vadose, their cards, and models to give away."""

from pathlib import Path
from typing import Annotated

import typer

import vadose
from vadose.cli.console import RunFolder, echo, output_of
from vadose.report.text import number, plain_table

app = typer.Typer(no_args_is_help=True, help="Released models: list them, read their cards, make one of a run.")


@app.command("list")
def list_() -> None:
    """List the models that come with vadose, with their scores at held-out sensors, means over places."""
    header = ("model", "trained on", "sensors", "places", "R", "ubRMSE", "RMSE")
    rows = [
        (
            row["name"],
            "a simulated Earth" if row["simulated"] else "real sensors",
            f"{row['sensors']:,}",
            f"{row['places']:,}",
            *(number(row[score]) for score in ("r", "ubrmse", "rmse")),
        )
        for _, row in vadose.released_models().iterrows()
    ]
    echo(plain_table(header, rows))


@app.command()
def show(run: RunFolder) -> None:
    """Print the card of a model: data, scores, domain, limits and licence."""
    echo(vadose.load_model(run).card)


@app.command()
def release(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder of the model.", callback=output_of("models release", folder=True))],
    notes: Annotated[
        Path | None, typer.Option(help="Markdown file that is added to the card, such as scores at other places.")
    ] = None,
) -> None:
    """Write a finished run as a model to give away: without samples and readings, with its card."""
    text = notes.read_text(encoding="utf-8") if notes else ""
    echo(f"Model: {vadose.load_model(run).release(out, text)}")
