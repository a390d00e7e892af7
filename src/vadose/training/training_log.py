"""Training log: a CSV file, and TensorBoard event files."""

import csv
from collections.abc import Sequence
from pathlib import Path

from vadose.io import files

Row = dict[str, float]


def training_log(state: Path) -> Path:
    """Return the path of the log beside the state of a training."""
    return state.with_suffix(".journal.csv")


def tensorboard_of(state: Path) -> Path:
    """Return the folder of the event files, likewise; `tensorboard --logdir` finds it from any parent folder."""
    return state.with_suffix(".tensorboard")


def write_training_log(path: Path, rows: Sequence[Row]) -> None:
    """Write all epochs, one per row, replacing the file."""
    with files.atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def write_tensorboard(folder: Path, row: Row) -> None:
    """Append one epoch to a folder of event files; events of an earlier attempt from this epoch on are superseded."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra

    epoch = int(row["epoch"])
    with SummaryWriter(str(folder), purge_step=epoch) as writer:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name, value, epoch)
