"""Epoch after epoch: a readable loop that a killed run takes up where it stood."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pydantic
import torch
from pydantic import Field
from torch import Tensor

from vadose import files
from vadose.models import Batch, FusionNetwork
from vadose.refusal import Refusal
from vadose.training.dropout import drop_sources
from vadose.training.objective import objective

Labelled = tuple[Batch, Tensor, Tensor]
Epochs = Callable[[int], Iterable[Labelled]]
"""Batches with their labels (batch,) and numbers of their sensors (batch,), by epoch."""


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid"))
class Schedule:
    """How a network is trained.

    Attributes:
        epochs: at most.
        batch_size: samples.
        learning_rate: the highest, reached after a tenth of the epochs and brought to zero along a cosine.
        weight_decay: of AdamW (Loshchilov & Hutter, ICLR 2019).
        patience: epochs without a better validation loss after which training ends.
        per_sensor: samples of one sensor that stand together in a batch, so that its bias can be told from the rest.
        bias_weight: of a sensor's lasting error beside its error in time; see `objective`.
        source_dropout: probability that a source is taken from a sample.
        seed: of everything random.
    """

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    patience: int = Field(default=8, ge=1)
    per_sensor: int = Field(default=16, ge=1)
    bias_weight: float = Field(default=0.3, ge=0)
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
    """Train `network` in place; it ends with the weights of the epoch that validates best.

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
    while progress.epoch < schedule.epochs and progress.epoch - progress.best_epoch <= schedule.patience:
        began = time.perf_counter()
        torch.manual_seed(schedule.seed * 100_003 + progress.epoch)
        train_loss, samples = _train(network, training(progress.epoch), optimizer, schedule, progress.epoch)
        loss, rmse = _validate(network, validation(0), schedule.bias_weight)
        seconds = time.perf_counter() - began
        row = {"epoch": progress.epoch, "train_loss": train_loss, "loss": loss, "rmse": rmse, "seconds": seconds}
        progress.journal.append(row)
        if loss < progress.best_loss:
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
    for whole, label, sensor in batches:
        batch = drop_sources(whole, network.needs, schedule.source_dropout, generator)
        mean, spread = network(batch)
        loss = objective(mean[:, 0, 0], spread[:, 0, 0], label, sensor, schedule.bias_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        total, samples = total + float(loss.detach()) * len(label), samples + len(label)
    return total / max(samples, 1), samples


@torch.no_grad()
def _validate(network: FusionNetwork, batches: Iterable[Labelled], bias_weight: float) -> tuple[float, float]:
    network.eval()
    parts = []
    for batch, label, sensor in batches:
        mean, spread = network(batch)
        parts.append(torch.stack([mean[:, 0, 0], spread[:, 0, 0], label, sensor.to(label.dtype)]))
    mean, spread, label, sensor = torch.cat(parts, dim=1)
    loss = objective(mean, spread, label, sensor, bias_weight)
    return float(loss), float(((mean - label) ** 2).mean().sqrt())


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
