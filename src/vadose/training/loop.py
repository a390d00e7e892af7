"""Training loop; a killed run resumes at its last state."""

import io
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

from vadose.errors import VadoseError
from vadose.io import files
from vadose.models import FusionNetwork
from vadose.training.batch_io import Labelled
from vadose.training.compute import DEFAULT, ComputeConfig
from vadose.training.config import TrainingConfig
from vadose.training.distributed import Report, Row, Share, launch, share
from vadose.training.trainer import BEGINNING, EpochPosition, Trainer
from vadose.training.training_log import tensorboard_of, training_log, write_tensorboard, write_training_log

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Weights = dict[str, Tensor]


class DataModule(Protocol):
    """Batches with labels; training and validation have different sensors.

    Must be picklable for several processes.
    """

    @property
    def samples(self) -> int:
        """Return the number of samples in one epoch of all processes."""
        ...

    def training(self, epoch: int, share: Share, start: int) -> Iterable[Labelled]:
        """Return the batches of an epoch from one of them on, the part of one process of each."""
        ...

    def validation(self, share: Share) -> Iterable[Labelled]:
        """Return the validation batches, the part of one process of each."""
        ...


@dataclass
class Progress:
    """Progress after an epoch: written with each state, read on resuming."""

    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = -1
    journal: list[Row] = field(default_factory=list)


def fit(
    network: FusionNetwork,
    lessons: DataModule,
    schedule: TrainingConfig,
    state: Path,
    report: Report = lambda _: None,
    machine: ComputeConfig = DEFAULT,
) -> Progress:
    """Train `network` in place; it ends with the weights of the best validation epoch, without patience the last.

    The state after each epoch is written to `state`, with a log beside it; of a single process also the state within an
    epoch, every few minutes. If the state exists, training resumes from it, with the same results as without the
    interruption. The random numbers of an epoch depend on the seed, the epoch and the process alone.

    Args:
        network: network to be trained.
        lessons: training and validation batches.
        schedule: training configuration.
        state: file of the state.
        report: called after each epoch.
        machine: compute configuration.

    Raises:
        VadoseError: a device is missing, the state is unreadable, or the validation loss was never finite.
    """
    fabric = machine.fabric()
    job = partial(_trained, lessons=lessons, schedule=schedule, state=state, machine=machine)
    if machine.devices == 1:
        job(fabric, network, report)
    else:
        launch(fabric, job, network, report)
    content = _read(state)
    network.cpu().load_state_dict(content["best"])
    return Progress(**content["progress"])


def _trained(
    fabric: "Fabric",
    network: FusionNetwork,
    report: Report,
    lessons: DataModule,
    schedule: TrainingConfig,
    state: Path,
    machine: ComputeConfig,
) -> None:
    """Train in one process; all processes end with the same weights, and the first writes them."""
    trainer = Trainer(fabric, network, schedule, machine)
    progress, best, within = _taken_up(state, trainer)
    part = share(fabric)
    while progress.epoch < schedule.epochs and not _tired(progress, schedule):
        began = time.perf_counter()
        keeper = _Checkpointer(state, trainer, progress, best, machine.save_minutes)
        train_loss, samples = trainer.train_epoch(
            lessons.training(progress.epoch, part, within.batches),
            progress.epoch,
            lessons.samples,
            within,
            keeper.after,
        )
        fresh, within = samples - within.samples, BEGINNING
        loss, rmse = trainer.validate(lessons.validation(part))
        seconds = time.perf_counter() - began
        row = {"epoch": progress.epoch, "train_loss": train_loss, "loss": loss, "rmse": rmse, "seconds": seconds}
        progress.journal.append(row)
        if loss < progress.best_loss or (schedule.patience is None and isfinite(loss)):
            progress.best_loss, progress.best_epoch = loss, progress.epoch
            best = _copy(trainer.eval_model)
        progress.epoch += 1
        if fabric.is_global_zero:
            _write(state, progress, machine)
            _write_state(state, trainer.state() | {"progress": asdict(progress), "best": best})
        report(row | {"samples_per_second": fresh / seconds})
    if progress.best_epoch < 0:
        raise VadoseError(
            f"training: a network of {progress.epoch} epochs",
            "Its validation loss was never finite",
            "Lower the learning rate",
        )


def _tired(progress: Progress, schedule: TrainingConfig) -> bool:
    return schedule.patience is not None and progress.epoch - progress.best_epoch > schedule.patience


def _copy(network: FusionNetwork) -> Weights:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _write(state: Path, progress: Progress, machine: ComputeConfig) -> None:
    write_training_log(training_log(state), progress.journal)
    if machine.tensorboard:
        write_tensorboard(tensorboard_of(state), progress.journal[-1])


@dataclass
class _Checkpointer:
    """Checkpointer within a long epoch of one process; several processes have separate random numbers."""

    state: Path
    trainer: Trainer
    progress: Progress
    best: Weights
    minutes: float
    last: float = field(default_factory=time.monotonic)

    def after(self, within: EpochPosition) -> None:
        """Write the state if the interval has passed."""
        if self.trainer.fabric.world_size == 1 and time.monotonic() - self.last >= 60 * self.minutes:
            between = self.trainer.state() | {"progress": asdict(self.progress), "best": self.best}
            _write_state(self.state, between | {"within": asdict(within), "drawn": self.trainer.rng_state()})
            self.last = time.monotonic()


def _write_state(state: Path, content: Mapping[str, Any]) -> None:
    with files.atomic_write(state) as temporary:
        memory = io.BytesIO()  # PyTorch's writer ends the process on a full disk
        torch.save(dict(content), memory)
        temporary.write_bytes(memory.getbuffer())


def _read(state: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(state, weights_only=True, map_location="cpu")
    return content


def _taken_up(state: Path, trainer: Trainer) -> tuple[Progress, Weights, EpochPosition]:
    if not state.exists():
        return Progress(), _copy(trainer.eval_model), BEGINNING
    try:
        content = _read(state)
        trainer.resume(content)
        if "within" not in content:
            return Progress(**content["progress"]), content["best"], BEGINNING
        trainer.restore_rng(content["drawn"])
        return Progress(**content["progress"]), content["best"], EpochPosition(**content["within"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, UnpicklingError) as error:
        raise VadoseError(
            f"training: resuming from {state}",
            f"It cannot be read ({error})",
            "Remove it to train this model from the start",
        ) from error
