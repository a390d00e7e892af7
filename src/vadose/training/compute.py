"""Compute configuration: device, precision and layout of a step, without effect on results except rounding."""

import os
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import pydantic
import torch
from pydantic import Field

from vadose.errors import VadoseError

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Precision = Literal["32", "bf16-mixed", "16-mixed"]
ASKED = "training: a machine with"


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", allow_inf_nan=False))
class ComputeConfig:
    """Devices of a training, and the layout of a step.

    Attributes:
        device: `auto` is a CUDA device if there is one.
        devices: CUDA devices, or processes of the CPU, that share each batch.
        precision: 32 bits, or less in suitable layers; the objective and the validation always have 32.
        accumulate: micro-batches per batch and device, to save memory.
        compile: whether the network is compiled.
        readers: number of threads that read chips ahead.
        save_minutes: interval of checkpoints within an epoch, minutes.
        tensorboard: whether a TensorBoard log is written too.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(default=1, ge=1, le=4096)
    precision: Precision = "32"
    accumulate: int = Field(default=1, ge=1, le=1_000_000)
    compile: bool = False
    readers: int = Field(default=2, ge=1, le=1024)
    save_minutes: float = Field(default=10.0, ge=0, le=1e6)
    tensorboard: bool = False

    @classmethod
    def asked(
        cls, device: str, devices: int, precision: str, accumulate: int, compiled: bool, tensorboard: bool
    ) -> "ComputeConfig":
        """Return a configuration from the user's options, checked.

        Raises:
            VadoseError: the device or the precision is unknown; or as `check`.
        """
        words = {"device": device, "precision": precision}
        numbers = {"devices": devices, "accumulate": accumulate, "compile": compiled, "tensorboard": tensorboard}
        try:
            machine = pydantic.TypeAdapter(cls).validate_python(words | numbers)
        except pydantic.ValidationError as error:
            found = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())
            raise VadoseError(
                f"{ASKED} device {device}, precision {precision}", found, "Choose one of these"
            ) from error
        machine.check()
        return machine

    @property
    def kind(self) -> Literal["cpu", "cuda"]:
        """Return the device that `auto` selects."""
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.device

    def check(self) -> None:
        """Verify that this machine has the requested resources.

        Raises:
            VadoseError: a requested device, precision or program is missing.
        """
        if self.kind == "cuda" and not torch.cuda.is_available():
            raise VadoseError(f"{ASKED} CUDA", "PyTorch finds no CUDA device", "Ask for device cpu or auto")
        there = torch.cuda.device_count() if self.kind == "cuda" else processors()
        if self.devices > there:
            what = "CUDA devices" if self.kind == "cuda" else "processors"
            raise VadoseError(
                f"{ASKED} {self.devices} {what}", f"There are {there}", f"Ask for {there} devices or fewer"
            )
        if self.kind == "cpu" and self.precision == "16-mixed":
            raise VadoseError(f"{ASKED} precision 16-mixed", "It is a CPU", "Ask for precision 32 or bf16-mixed")
        if self.kind == "cpu" and self.compile and not _compiler():
            raise VadoseError(f"{ASKED} a C++ compiler", "It is missing", "Install g++, or train without compile")
        if self.tensorboard and find_spec("tensorboard") is None:
            raise VadoseError(f"{ASKED} TensorBoard", "It is not installed", "Install vadose[tensorboard]")

    def fabric(self) -> "Fabric":
        """Return Lightning Fabric for this configuration.

        Raises:
            VadoseError: as `check`.
        """
        self.check()
        from lightning.fabric import Fabric  # noqa: PLC0415 - slow to import, and not needed by other commands

        strategy = "auto" if self.devices == 1 else "ddp_spawn"
        return Fabric(accelerator=self.kind, devices=self.devices, strategy=strategy, precision=self.precision)


DEFAULT = ComputeConfig()
"""One device, in 32 bits."""


def processors() -> int:
    """Return the number of processors of this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _compiler() -> str | None:
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))), None)
