"""Epoch after epoch: a readable loop that a killed run takes up where it stood."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from math import isfinite
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from vadose import files
from vadose.models import FusionNetwork
from vadose.refusal import Refusal
from vadose.training.journal import journal_of, tensorboard_of, write_journal, write_tensorboard
from vadose.training.machine import HERE, Machine
from vadose.training.ranks import Report, Row, Share, share, spread
from vadose.training.schedule import Schedule
from vadose.training.student import Student
from vadose.training.told import Labelled

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Weights = dict[str, Tensor]


class Lessons(Protocol):
    """Batches with what was measured; the sensors of training and validation lie apart.

    Can be pickled where several processes train.
    """

    @property
    def samples(self) -> int:
        """In one epoch of all processes."""
        ...

    def training(self, epoch: int, share: Share) -> Iterable[Labelled]:
        """The batches of an epoch, of each the part of one process."""
        ...

    def validation(self, share: Share) -> Iterable[Labelled]:
        """The part of one process of the batches that judge."""
        ...


@dataclass
class Progress:
    """Where training stands: written after each epoch, read when it is taken up again."""

    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = -1
    journal: list[Row] = field(default_factory=list)


def fit(
    network: FusionNetwork,
    lessons: Lessons,
    schedule: Schedule,
    state: Path,
    report: Report = lambda _: None,
    machine: Machine = HERE,
) -> Progress:
    """Train `network` in place; it ends with the weights of the epoch that validates best; without patience, the last.

    The state after each epoch is kept at `state`, and a journal beside it; when the state is there, training goes on
    from it and ends with the same numbers as if it had never stopped. The random numbers of an epoch depend on the
    seed, the epoch and the process alone.

    Args:
        network: to be trained.
        lessons: what it learns from.
        schedule: how.
        state: file of the state.
        report: is told of each epoch.
        machine: what trains.

    Raises:
        Refusal: the machine is not there, the state cannot be read, or the validation loss was never finite.
    """
    fabric = machine.fabric()
    job = partial(_trained, lessons=lessons, schedule=schedule, state=state, machine=machine)
    if machine.devices == 1:
        job(fabric, network, report)
    else:
        spread(fabric, job, network, report)
    content = _read(state)
    network.cpu().load_state_dict(content["best"])
    return Progress(**content["progress"])


def _trained(
    fabric: "Fabric",
    network: FusionNetwork,
    report: Report,
    lessons: Lessons,
    schedule: Schedule,
    state: Path,
    machine: Machine,
) -> None:
    """What one process does; all of them come to the same, and the first writes it."""
    student = Student(fabric, network, schedule, machine)
    progress, best = _taken_up(state, student)
    part = share(fabric)
    while progress.epoch < schedule.epochs and not _tired(progress, schedule):
        began = time.perf_counter()
        torch.manual_seed(schedule.seed * 100_003 + progress.epoch + fabric.global_rank * 1_000_003)
        train_loss, samples = student.learn(lessons.training(progress.epoch, part), progress.epoch, lessons.samples)
        loss, rmse = student.validate(lessons.validation(part))
        seconds = time.perf_counter() - began
        row = {"epoch": progress.epoch, "train_loss": train_loss, "loss": loss, "rmse": rmse, "seconds": seconds}
        progress.journal.append(row)
        if loss < progress.best_loss or (schedule.patience is None and isfinite(loss)):
            progress.best_loss, progress.best_epoch = loss, progress.epoch
            best = _copy(student.speaker)
        progress.epoch += 1
        if fabric.is_global_zero:
            _keep(state, student.state() | {"progress": asdict(progress), "best": best})
            _write(state, progress, machine)
        report(row | {"samples_per_second": samples / seconds})
    if progress.best_epoch < 0:
        raise Refusal(
            f"training: a network of {progress.epoch} epochs",
            "Its validation loss was never finite",
            "Lower the learning rate",
        )


def _tired(progress: Progress, schedule: Schedule) -> bool:
    return schedule.patience is not None and progress.epoch - progress.best_epoch > schedule.patience


def _copy(network: FusionNetwork) -> Weights:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _write(state: Path, progress: Progress, machine: Machine) -> None:
    write_journal(journal_of(state), progress.journal)
    if machine.tensorboard:
        write_tensorboard(tensorboard_of(state), progress.journal[-1])


def _keep(state: Path, content: Mapping[str, Any]) -> None:
    with files.replacing(state) as temporary:
        torch.save(dict(content), temporary)


def _read(state: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(state, weights_only=True, map_location="cpu")
    return content


def _taken_up(state: Path, student: Student) -> tuple[Progress, Weights]:
    if not state.exists():
        return Progress(), _copy(student.speaker)
    try:
        content = _read(state)
        student.resume(content)
        return Progress(**content["progress"]), content["best"]
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, UnpicklingError) as error:
        raise Refusal(
            f"training: going on from {state}", f"It cannot be read ({error})", "Remove it to begin this model again"
        ) from error
