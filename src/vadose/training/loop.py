"""Epoch after epoch: a readable loop that a killed run takes up where it stood."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pydantic
import torch
from pydantic import Field
from torch import Tensor

from vadose import files
from vadose.models import Batch, FusionNetwork
from vadose.models.shape import Parts
from vadose.refusal import Refusal
from vadose.training.dropout import drop_sources
from vadose.training.objective import Truth, Weights, objective

Labelled = tuple[Batch, Truth]
Epochs = Callable[[int], Iterable[Labelled]]
"""Batches with what was measured, by epoch."""


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid"))
class Schedule:
    """How a network is trained.

    Attributes:
        epochs: at most.
        batch_size: samples.
        learning_rate: the highest, reached after a tenth of the epochs and brought to zero along a cosine.
        weight_decay: of AdamW (Loshchilov & Hutter, ICLR 2019).
        patience: epochs without a better validation loss after which training ends with the weights that had the best;
            without a number, it runs through all epochs, on the samples of the validation as well, and keeps the last.
        per_sensor: samples of one sensor that stand together in a batch, so that its bias can be told from the rest:
            as many as memory allows. A batch then has batch_size // per_sensor sensors.
        weights: of the parts of the objective.
        block_degrees: side of the blocks in which the sensors share one voice on the level, degrees.
        source_dropout: probability that a source is taken from the samples of a sensor in a batch.
        seed: of everything random.
    """

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    patience: int | None = Field(default=8, ge=1)
    per_sensor: int = Field(default=16, ge=1)
    weights: Weights = Weights()
    block_degrees: float = Field(default=1.0, gt=0)
    source_dropout: float = Field(default=0.1, ge=0, le=1)
    seed: int = 0


@dataclass
class Progress:
    """Where training stands: written after each epoch, read when it is taken up again."""

    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = -1
    journal: list[dict[str, float]] = field(default_factory=list)


def fit(
    network: FusionNetwork,
    training: Epochs,
    validation: Epochs,
    schedule: Schedule,
    state: Path,
    report: Callable[[dict[str, float]], None] = lambda _: None,
) -> Progress:
    """Train `network` in place; it ends with the weights of the epoch that validates best; without patience, the last.

    The state after each epoch is kept at `state`; when it is there, training goes on from it and ends with the same
    numbers as if it had never stopped.

    Args:
        network: to be trained.
        training, validation: batches of one epoch; the sensors of the two lie apart.
        schedule: how.
        state: file of the state.
        report: is told of each epoch.

    Raises:
        Refusal: the state cannot be read, or the validation loss was never finite.
    """
    torch.manual_seed(schedule.seed)
    optimizer = torch.optim.AdamW(network.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay)
    progress, best = _taken_up(state, network, optimizer)
    while progress.epoch < schedule.epochs and not _tired(progress, schedule):
        began = time.perf_counter()
        torch.manual_seed(schedule.seed * 100_003 + progress.epoch)
        train_loss, samples = _train(network, training(progress.epoch), optimizer, schedule, progress.epoch)
        loss, rmse = _validate(network, validation(0), schedule.weights)
        seconds = time.perf_counter() - began
        row = {"epoch": progress.epoch, "train_loss": train_loss, "loss": loss, "rmse": rmse, "seconds": seconds}
        progress.journal.append(row)
        if loss < progress.best_loss or (schedule.patience is None and isfinite(loss)):
            progress.best_loss, progress.best_epoch = loss, progress.epoch
            best = {name: value.clone() for name, value in network.state_dict().items()}
        progress.epoch += 1
        _keep(state, network, optimizer, progress, best)
        report(row | {"samples_per_second": samples / seconds})
    if progress.best_epoch < 0:
        raise Refusal(
            f"training: a network of {progress.epoch} epochs",
            "Its validation loss was never finite",
            "Lower the learning rate",
        )
    network.load_state_dict(best)
    return progress


def _train(
    network: FusionNetwork, batches: Iterable[Labelled], optimizer: torch.optim.AdamW, schedule: Schedule, epoch: int
) -> tuple[float, int]:
    network.train()
    generator = torch.Generator().manual_seed(schedule.seed * 7919 + epoch)
    for group in optimizer.param_groups:
        group["lr"] = schedule.learning_rate * _rate(epoch, schedule.epochs)
    total, samples = 0.0, 0
    for whole, truth in batches:
        batch = drop_sources(whole, network.needs, schedule.source_dropout, generator, truth.sensor)
        loss = objective(_only_cell(network.parts(batch, truth.sensor)), truth, network.label_std, schedule.weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        total, samples = total + float(loss.detach()) * len(truth.label), samples + len(truth.label)
    return total / max(samples, 1), samples


@torch.no_grad()
def _validate(network: FusionNetwork, batches: Iterable[Labelled], weights: Weights) -> tuple[float, float]:
    network.eval()
    estimates, measured = [], []
    for batch, truth in batches:
        one = _only_cell(network.parts(batch))
        estimates.append(torch.stack([one.level, one.swing, one.spread]))
        measured.append((truth.label, truth.sensor, truth.alone))
    parts = Parts(*torch.cat(estimates, dim=1))
    truth = Truth(*(torch.cat(columns) for columns in zip(*measured, strict=True)))
    loss = objective(parts, truth, network.label_std, weights)
    return float(loss), float(((parts.level + parts.swing - truth.label) ** 2).mean().sqrt())


def _only_cell(parts: Parts) -> Parts:
    return Parts(parts.level[:, 0, 0], parts.swing[:, 0, 0], parts.spread[:, 0, 0])


def _tired(progress: Progress, schedule: Schedule) -> bool:
    return schedule.patience is not None and progress.epoch - progress.best_epoch > schedule.patience


def _rate(epoch: int, epochs: int) -> float:
    warm = max(epochs // 10, 1)
    if epoch < warm:
        return (epoch + 1) / (warm + 1)
    return float(0.5 * (1 + torch.cos(torch.tensor(torch.pi * (epoch - warm) / max(epochs - warm, 1)))))


def _keep(
    state: Path, network: FusionNetwork, optimizer: torch.optim.AdamW, progress: Progress, best: dict[str, Tensor]
) -> None:
    content = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": asdict(progress),
        "best": best,
    }
    with files.replacing(state) as temporary:
        torch.save(content, temporary)


def _taken_up(state: Path, network: FusionNetwork, optimizer: torch.optim.AdamW) -> tuple[Progress, dict[str, Any]]:
    if not state.exists():
        return Progress(), {name: value.clone() for name, value in network.state_dict().items()}
    try:
        content = torch.load(state, weights_only=True)
        network.load_state_dict(content["network"])
        optimizer.load_state_dict(content["optimizer"])
        return Progress(**content["progress"]), content["best"]
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, UnpicklingError) as error:
        raise Refusal(
            f"training: going on from {state}", f"It cannot be read ({error})", "Remove it to begin this model again"
        ) from error
