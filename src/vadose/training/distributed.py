"""Distributed training: several processes, each with its part of every batch."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vadose.errors import VadoseError
from vadose.io.logs import log_in_worker
from vadose.io.processes import ending_with_this
from vadose.models import FusionNetwork

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Share = tuple[int, int]
"""Rank of a process, and number of processes."""
Row = dict[str, float]
Report = Callable[[Row], None]
Job = Callable[["Fabric", FusionNetwork, Report], None]


def share(fabric: "Fabric") -> Share:
    """Return the part of a batch of this process."""
    return fabric.global_rank, fabric.world_size


def gathered(fabric: "Fabric", values: Tensor) -> Tensor:
    """Gather the (row, sample) tensors of all processes, in the order of their ranks.

    The part of this process keeps its gradient. In each process, the gradient of a loss of all samples is then the part
    that its own samples contribute; the sum over the processes is complete.
    """
    if fabric.world_size == 1:
        return values
    own = values.shape[1]
    counts = [int(count) for count in _everyone(fabric, torch.tensor(own, device=values.device))]
    padded = torch.nn.functional.pad(values.detach(), (0, max(counts) - own))
    pieces = [part[:, :count] for part, count in zip(_everyone(fabric, padded), counts, strict=True)]
    pieces[fabric.global_rank] = values
    return torch.cat(pieces, dim=1)


def launch(fabric: "Fabric", job: Job, network: FusionNetwork, report: Report) -> None:
    """Run a job in all processes of a machine.

    Args:
        fabric: fabric of the machine.
        job: picklable; the reports of the first process are passed on.
        network: copied to each process.
        report: called with them.

    Raises:
        VadoseError: raised by the job.
    """
    rows: SimpleQueue[Row | None] = get_context("spawn").SimpleQueue()

    def forward() -> None:
        while (row := rows.get()) is not None:
            report(row)

    forwarder = Thread(target=forward)
    forwarder.start()
    try:
        with ending_with_this():
            refusal: VadoseError | None = fabric.launch(partial(_process, job=job, network=network, rows=rows))
    finally:
        rows.put(None)
        forwarder.join()
    if refusal:
        raise refusal


def _process(fabric: "Fabric", job: Job, network: FusionNetwork, rows: "SimpleQueue[Row | None]") -> VadoseError | None:
    log_in_worker()
    own = deepcopy(network)  # tensors passed to processes are in shared memory
    try:
        job(fabric, own, rows.put if fabric.global_rank == 0 else lambda _: None)
    except VadoseError as refusal:
        return refusal
    return None


def _everyone(fabric: "Fabric", values: Tensor) -> list[Tensor]:
    found = [torch.empty_like(values) for _ in range(fabric.world_size)]
    torch.distributed.all_gather(found, values.contiguous())
    return found
