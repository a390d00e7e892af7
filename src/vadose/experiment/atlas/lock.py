"""One run at a time on one folder."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vadose.files import Unreadable, parse_json
from vadose.refusal import Refusal

LOCK = "lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; what a process held that was killed is free again.

    The file `lock` tells who holds the folder, and is empty when nobody does. On one machine the kernel knows whether
    the holder lives; of a holder on another machine only the file tells.

    Raises:
        Refusal: another process holds the folder, or may hold it on another machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(file.fileno())
            raise _held(folder, holder, "Wait until it is done, or give another --out") from error
        holder = _holder(file.fileno())
        if holder.get("host", socket.gethostname()) != socket.gethostname():
            raise _held(folder, holder, f"If it is no more, empty {folder / LOCK} and run again")
        _tell(file.fileno(), json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        try:
            yield
        finally:
            _tell(file.fileno(), "")


def _held(folder: Path, holder: dict[str, Any], remedy: str) -> Refusal:
    return Refusal(
        f"map: {folder}",
        f"Process {holder.get('pid', 'unknown')} on {holder.get('host', 'an unknown machine')} is at work on it",
        remedy,
    )


def _holder(descriptor: int) -> dict[str, Any]:
    try:
        told = parse_json(os.pread(descriptor, 4096, 0), f"the holder of {LOCK}")
    except Unreadable:
        return {}
    return told if isinstance(told, dict) else {}


def _tell(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
