"""What is written of each epoch: a CSV file, and what TensorBoard reads."""

import csv
from collections.abc import Sequence
from pathlib import Path

from vadose.io import files

Row = dict[str, float]


def training_log(state: Path) -> Path:
    """Where the journal lies beside the state of a training."""
    return state.with_suffix(".journal.csv")


def tensorboard_of(state: Path) -> Path:
    """Folder of the event files, likewise; `tensorboard --logdir` finds it in any folder above."""
    return state.with_suffix(".tensorboard")


def write_training_log(path: Path, rows: Sequence[Row]) -> None:
    """Write all epochs, one a row, over what was written before."""
    with files.atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def write_tensorboard(folder: Path, row: Row) -> None:
    """Add one epoch to a folder of event files; what an earlier try wrote from this epoch on is superseded."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra

    epoch = int(row["epoch"])
    with SummaryWriter(str(folder), purge_step=epoch) as writer:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name, value, epoch)
