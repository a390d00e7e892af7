"""Commands that train networks and apply them to samples."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

import vadose
from vadose.cli.console import CORES, AllowUnread, Config, Out, RunFolder, Workers, echo, epochs, output_of, progress


class ModelFormat(StrEnum):
    """Formats of an exported model."""

    ONNX = "onnx"
    PT2 = "pt2"


def train(
    config: Config,
    out: Out = None,
    start_from: Annotated[
        Path | None, typer.Option("--from", help="Run or released model whose networks are trained further.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted run.")] = False,
    workers: Workers = CORES,
    samples: Annotated[Path | None, typer.Option(help="Sample store built before from the same archive.")] = None,
    allow_unread: AllowUnread = False,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Device of the training.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="CUDA devices, or CPU processes, that share a batch.")] = 1,
    precision: Annotated[
        Literal["32", "bf16-mixed", "16-mixed"], typer.Option(help="Numerical precision of the training.")
    ] = "32",
    accumulate: Annotated[int, typer.Option(min=1, help="Micro-batches per batch, to save memory.")] = 1,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the network.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write a TensorBoard log.")] = False,
) -> None:
    """Train the network and its baselines, and evaluate them at held-out sensors."""
    compute = vadose.ComputeConfig.asked(device, devices, precision, accumulate, compiled, tensorboard)
    with progress("samples") as samples_report, epochs() as report:
        run = vadose.train(
            config,
            samples,
            out,
            start_from=start_from,
            resume=resume,
            compute=compute,
            workers=workers,
            allow_unread=allow_unread,
            progress=samples_report,
            epochs=report,
        )
    echo(run.headline_text, f"Scorecard: {run.scorecard}")


def ablate_(
    config: Config,
    out: Annotated[Path, typer.Option(help="Folder of the ablation: samples, one run per variant, tables.")],
    workers: Workers = CORES,
    resume: Annotated[bool, typer.Option("--resume", help="Resume; finished variants are kept.")] = False,
    samples: Annotated[Path | None, typer.Option(help="Sample store built before from the same archive.")] = None,
    allow_unread: AllowUnread = False,
    variant: Annotated[list[str] | None, typer.Option(help="One variant, repeatable; by default all.")] = None,
) -> None:
    """Train variants of the network without each of its parts, on the same folds and seeds; write a table and a
    figure.
    """
    with progress("samples") as samples_report, epochs() as report:
        table = vadose.ablate(
            config,
            out,
            store=samples,
            variants=variant or (),
            resume=resume,
            workers=workers,
            allow_unread=allow_unread,
            progress=samples_report,
            epochs=report,
        )
    echo(table.read_text(encoding="utf-8"), f"Table: {table}")


def estimate(
    run: RunFolder,
    store: Annotated[Path, typer.Argument(help="Sample store, with or without readings.")],
    out: Annotated[
        Path, typer.Option(help="Parquet file of the estimates.", callback=output_of("estimate", folder=False))
    ],
) -> None:
    """Estimate soil moisture, its standard deviation and quality flags for every sample of a store.

    Each sensor is estimated by the networks that were not trained on its place; where all were, the column
    seen_in_training is true.
    """
    notes: list[str] = []
    with progress("estimates") as report:
        table = vadose.load_model(run).predict(store, out, progress=report, echo=notes.append)
    blank, seen = int(table["soil_moisture"].isna().sum()), int(table["seen_in_training"].sum())
    echo(
        *notes,
        f"{len(table)} estimates in {out}; {blank} without any source, {seen} at places seen in training",
    )


def export_(
    run: RunFolder,
    out: Annotated[
        Path, typer.Option(help="Folder of the model and its card.", callback=output_of("export", folder=True))
    ],
    form: Annotated[list[ModelFormat] | None, typer.Option("--format", help="By default onnx alone.")] = None,
) -> None:
    """Export the ensemble of a run as one model, scaling included, with its model card."""
    echo(*map(str, vadose.load_model(run).export(out, [*map(str, form or ("onnx",))])))
