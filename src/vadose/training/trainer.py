"""Trainer: one epoch, one validation, and the state for resuming."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from vadose.models import FusionNetwork
from vadose.training import ema
from vadose.training.batch_io import Labelled, LossInputs, ModelInput, OneCell, rows_of, some
from vadose.training.compute import ComputeConfig
from vadose.training.config import TrainingConfig
from vadose.training.distributed import gathered
from vadose.training.objective import BatchTotals, Labels, objective
from vadose.training.source_dropout import drop_sources

if TYPE_CHECKING:
    from lightning.fabric import Fabric

LONGEST_GRADIENT = 1.0
"""Largest norm of a gradient."""


@dataclass(frozen=True)
class EpochPosition:
    """Position within an epoch, between two batches.

    Attributes:
        batches: number of finished batches.
        samples: samples in these, of all processes.
        loss: sum over these samples.
    """

    batches: int = 0
    samples: int = 0
    loss: float = 0.0


BEGINNING = EpochPosition()


class Trainer:
    """A network with its optimiser and averaged weights.

    Args:
        fabric: device and processes.
        network: network to be trained in place.
        schedule: training configuration.
        machine: compute configuration.
    """

    def __init__(
        self, fabric: "Fabric", network: FusionNetwork, schedule: TrainingConfig, machine: ComputeConfig
    ) -> None:
        self.fabric, self.network, self.schedule, self.accumulate = fabric, network, schedule, machine.accumulate
        if fabric.world_size > 1 and machine.kind == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        self.optimizer = torch.optim.AdamW(weight_groups(network, schedule.weight_decay), schedule.learning_rate)
        self.module, self.stepping = fabric.setup(OneCell(network, machine.compile), self.optimizer)
        self.average = ema.averaged(network, schedule.ema_decay) if schedule.ema_decay else None
        self.generator = torch.Generator()

    @property
    def eval_model(self) -> FusionNetwork:
        """Return the network for validation and checkpoints: averaged weights if there are any."""
        return cast(FusionNetwork, self.average.module) if self.average else self.network

    def train_epoch(
        self,
        batches: Iterable[Labelled],
        epoch: int,
        samples: int,
        within: EpochPosition = BEGINNING,
        after: Callable[[EpochPosition], None] = lambda _: None,
    ) -> tuple[float, int]:
        """Train on an epoch, or on the rest of it.

        Args:
            batches: remaining batches of the epoch.
            epoch: its number.
            samples: samples in the complete epoch.
            within: position; its state and random numbers have been restored.
            after: called after each batch.

        Returns:
            Mean loss, and the number of samples in all processes.
        """
        self.network.train()
        if not within.batches:
            self._draw_anew(epoch)
        device = self.fabric.device
        for there, measured in batches:
            whole, truth = there.to(device), measured.to(device)
            batch = drop_sources(whole, self.network.needs, self.schedule.source_dropout, self.generator, truth.sensor)
            loss, size = self._gradient((batch, truth))
            self._step((epoch + min((within.samples + size / 2) / samples, 1.0)) / self.schedule.epochs)
            within = EpochPosition(within.batches + 1, within.samples + size, within.loss + loss * size)
            after(within)
        return within.loss / max(within.samples, 1), within.samples

    def _draw_anew(self, epoch: int) -> None:
        """Seed the random numbers of an epoch, which depend on the seed, the epoch and the process alone."""
        process = self.fabric.global_rank * 1_000_003
        torch.manual_seed(self.schedule.seed * 100_003 + epoch + process)
        self.generator.manual_seed(self.schedule.seed * 7919 + epoch + process)

    @torch.no_grad()
    def validate(self, batches: Iterable[Labelled]) -> tuple[float, float]:
        """Return the loss of all samples together, and their root mean square error, m3 m-3."""
        model, device = OneCell(self.eval_model.eval(), compiled=False), self.fabric.device
        found = [_with_labels(model(ModelInput(batch.to(device), None)), truth.to(device)) for batch, truth in batches]
        inputs = LossInputs(*gathered(self.fabric, torch.cat(found, dim=1)))
        loss = objective(inputs.parts, inputs.truth, self.network.label_std, self.schedule.weights)
        return float(loss), float(((inputs.static + inputs.dynamic - inputs.label) ** 2).mean().sqrt())

    def state(self) -> dict[str, Any]:
        """Return the complete training state."""
        average = self.average
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "averaged": average
            and {"steps": int(average.n_averaged) - ema.BEGINNING, "weights": average.module.state_dict()},
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Restore a state."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        if self.average:
            self.average.n_averaged.fill_(ema.BEGINNING + int(state["averaged"]["steps"]))
            self.average.module.load_state_dict(state["averaged"]["weights"])

    def rng_state(self) -> list[Tensor]:
        """Return the states of the random number generators of this process."""
        device = self.fabric.device
        cuda = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
        return [self.generator.get_state(), torch.get_rng_state(), *cuda]

    def restore_rng(self, state: Sequence[Tensor]) -> None:
        """Restore the states of the random number generators."""
        own, common, *cuda = state
        self.generator.set_state(own)
        torch.set_rng_state(common)
        if cuda and self.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(cuda[0], self.fabric.device)

    def _gradient(self, batch: Labelled) -> tuple[float, int]:
        """Compute the gradient of the loss over a batch of all processes; return its loss and its samples."""
        self.stepping.zero_grad(set_to_none=True)
        parts, whole = self._micro_batches(batch[1])
        total, size = torch.zeros((), device=self.fabric.device), 0
        for number, part in enumerate(parts, start=1):
            given, truth = some(batch[0], part), batch[1].some(part)
            with self.fabric.no_backward_sync(self.module, enabled=number < len(parts)):
                said = _with_labels(self.module(ModelInput(given, truth.sensor)), truth)
                inputs = LossInputs(*gathered(self.fabric, said))
                loss = objective(inputs.parts, inputs.truth, self.network.label_std, self.schedule.weights, whole)
                self.fabric.backward(loss * self.fabric.world_size)  # the gradients of the processes are averaged
            total, size = total + loss.detach(), size + len(inputs.label)
        return float(total), size

    def _micro_batches(self, truth: Labels) -> tuple[list[Tensor | slice], BatchTotals | None]:
        """Return the samples of each micro-batch: in all processes the same sensors, each of them complete."""
        if self.accumulate == 1:
            return [slice(None)], None
        everyone = Labels(*gathered(self.fabric, rows_of(truth)))
        sensors = torch.unique(everyone.sensor)
        count = min(self.accumulate, len(sensors))
        lot = torch.searchsorted(sensors, truth.sensor.to(sensors.dtype)) * count // len(sensors)
        return [torch.nonzero(lot == number)[:, 0] for number in range(count)], BatchTotals.of(everyone)

    def _step(self, done: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(done)
        self.fabric.clip_gradients(self.module, self.stepping, max_norm=LONGEST_GRADIENT, error_if_nonfinite=False)
        self.stepping.step()
        if self.average:
            self.average.update_parameters(self.network)


def weight_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return parameters for an optimiser: with weight decay, and without (biases and weights of norms)."""
    norms = {weight for part in network.modules() if isinstance(part, nn.BatchNorm2d) for weight in part.parameters()}
    named = list(network.named_parameters())
    free = [weight for name, weight in named if weight in norms or name.rsplit(".", 1)[-1].startswith("bias")]
    held = set(free)
    return [
        {"params": [weight for _, weight in named if weight not in held], "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]


def _with_labels(said: Tensor, truth: Labels) -> Tensor:
    return torch.cat([said, rows_of(truth)])
