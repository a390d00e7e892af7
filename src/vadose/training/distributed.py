"""Several processes that train one network, each on its share of every batch."""

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
"""The number of a process, and how many there are."""
Row = dict[str, float]
Report = Callable[[Row], None]
Job = Callable[["Fabric", FusionNetwork, Report], None]


def share(fabric: "Fabric") -> Share:
    """Which part of a batch this process has."""
    return fabric.global_rank, fabric.world_size


def gathered(fabric: "Fabric", values: Tensor) -> Tensor:
    """Return the (row, sample) of this process beside those of all others, in the order of the processes.

    Those of this process keep their gradient. The gradient of a loss of all samples is then, in each process, that of
    the weights by way of its own samples, and its sum over the processes is the whole of it.
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
    """Do a job in all processes of a machine that has several.

    Args:
        fabric: of the machine.
        job: can be pickled; what it reports in the first process is reported here.
        network: of which each process has a copy.
        report: is told here.

    Raises:
        VadoseError: of the job.
    """
    rows: SimpleQueue[Row | None] = get_context("spawn").SimpleQueue()
    teller = Thread(target=_tell, args=(rows, report))
    teller.start()
    try:
        with ending_with_this():
            refusal: VadoseError | None = fabric.launch(partial(_process, job=job, network=network, rows=rows))
    finally:
        rows.put(None)
        teller.join()
    if refusal:
        raise refusal


def _process(fabric: "Fabric", job: Job, network: FusionNetwork, rows: "SimpleQueue[Row | None]") -> VadoseError | None:
    log_in_worker()
    own = deepcopy(network)  # the tensors that processes are given lie in memory that they share
    try:
        job(fabric, own, rows.put if fabric.global_rank == 0 else _silent)
    except VadoseError as refusal:
        return refusal
    return None


def _everyone(fabric: "Fabric", values: Tensor) -> list[Tensor]:
    found = [torch.empty_like(values) for _ in range(fabric.world_size)]
    torch.distributed.all_gather(found, values.contiguous())
    return found


def _tell(rows: "SimpleQueue[Row | None]", report: Report) -> None:
    while (row := rows.get()) is not None:
        report(row)


def _silent(_: Row) -> None:
    pass
