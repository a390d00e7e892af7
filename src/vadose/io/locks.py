"""Locks: one process at a time writes to a path.

Locks are the kernel's (`flock`): the lock of a killed process is released at once, on one machine and, where the file
system supports locks, across machines. `filelock` uses the same call, but does not report the holder of a lock, and its
older versions, which PyTorch allows, follow links.
"""

import errno
import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vadose.errors import VadoseError
from vadose.io.atomic import is_leftover, is_replaced, put_back, recover, sweep
from vadose.io.files import Unreadable, parse_json

LOCK = "lock"
PATIENCE_S = 5.0
"""Seconds that a reader waits for a folder that is being replaced."""
_UNABLE = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""Errors of a file system without locks: there, only the content of the lock file counts."""


@contextmanager
def exclusive_lock(folder: Path, read_only: Collection[str] = ()) -> Iterator[Path]:
    """Lock a folder that is filled step by step: its lock is the file `lock` in it, which names the holder.

    Unfinished leftovers of killed processes are removed first, and those of this process if it ends by an error. A
    folder that was created for the lock and remains empty is removed.

    Args:
        folder: folder to be filled; a link to a folder is resolved.
        read_only: names in it that may be links to other places, as they are only read.

    Yields:
        The folder, links resolved.

    Raises:
        VadoseError: another process holds the folder, or the folder contains a link that leads out of it.
    """
    folder = folder.resolve()
    with _made(folder), _held(folder / LOCK, folder):
        _require_no_way_out(folder, read_only)
        sweep(folder)
        try:
            yield folder
        except BaseException:
            sweep(folder)
            raise


@contextmanager
def alone_in(folder: Path, names: Collection[str]) -> Iterator[Path]:
    """Lock a folder in which a few files are written, among any others.

    Args:
        folder: folder of the files; a link to a folder is resolved.
        names: names of the files.

    Yields:
        The folder, links resolved.

    Raises:
        VadoseError: another process holds the folder.
    """
    folder = folder.resolve()
    put_back(folder)
    with _made(folder), _held(folder / LOCK, folder):
        recover(folder)
        for name in names:
            recover(folder / name)
        yield folder


@contextmanager
def alone_at(path: Path) -> Iterator[Path]:
    """Lock a path that is replaced as a whole, a file or a folder: its lock is beside it, `.NAME.lock`.

    Leftovers of killed processes beside `path` are removed first; content that a killed process was replacing is
    restored.

    Args:
        path: path to be written; a link to a folder is resolved.

    Yields:
        The path, links resolved.

    Raises:
        VadoseError: another process holds it.
    """
    path = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    with _made(path.parent), _held(path.with_name(f".{path.name}.{LOCK}"), path):
        recover(path)
        yield path


def wait_for_replacement(path: Path) -> None:
    """Before reading a folder that may be being replaced: wait for it, or restore what a killed process moved aside."""
    until = time.monotonic() + PATIENCE_S
    while not path.exists() and is_replaced(path) and time.monotonic() < until:
        with suppress(VadoseError, OSError), alone_at(path):
            return
        time.sleep(0.05)


def is_vacant(folder: Path) -> bool:
    """Return whether a folder is missing, or contains only its lock and leftovers of killed processes."""
    return not folder.exists() or (
        folder.is_dir() and all(entry.name == LOCK or is_leftover(entry.name) for entry in folder.iterdir())
    )


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Yield a folder with its parents; those created for this that remain empty are removed again."""
    lacking = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for one in lacking:
            with suppress(OSError):
                one.rmdir()


@contextmanager
def _held(lock: Path, target: Path) -> Iterator[None]:
    descriptor = _taken(lock, target)
    try:
        _tell(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        yield
    finally:
        if _is_at(lock, descriptor):
            lock.unlink(missing_ok=True)
        os.close(descriptor)


def _taken(lock: Path, target: Path) -> int:
    """Return the open lock file that this process now holds."""
    while True:
        descriptor = _opened(lock)
        try:
            holder = _holder(descriptor, lock)
            _take(descriptor, holder, target, lock)
            if _is_at(lock, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder removed it in the meantime


def _opened(lock: Path) -> int:
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise _no_lock(lock) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_lock(lock)
    return descriptor


def _no_lock(lock: Path) -> VadoseError:
    return VadoseError(f"lock: {lock}", "It is not a lock of vadose, or a link", "Remove it, or name another place")


def _take(descriptor: int, holder: dict[str, Any], target: Path, lock: Path) -> None:
    here = holder.get("host", socket.gethostname()) == socket.gethostname()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _at_work(
            target, _holder(descriptor, lock), "Wait until it has finished, or give another --out"
        ) from error
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
        if holder and (not here or _lives(int(holder["pid"]))):
            raise _at_work(target, holder, f"If it no longer exists, remove {lock} and run again") from error
    if not here:
        raise _at_work(target, holder, f"If it no longer exists, remove {lock} and run again")


def _at_work(target: Path, holder: dict[str, Any], remedy: str) -> VadoseError:
    return VadoseError(
        f"lock: {target}",
        f"Process {holder.get('pid', 'unknown')} on {holder.get('host', 'an unknown machine')} is writing to it",
        remedy,
    )


def _holder(descriptor: int, lock: Path) -> dict[str, Any]:
    """Return the present or former holder of a lock; a file with other content is not a lock, and is kept."""
    content = os.pread(descriptor, 4096, 0)
    if not content.strip():
        return {}
    try:
        holder = parse_json(content, f"lock: {lock}")
    except Unreadable:
        holder = None
    if not isinstance(holder, dict) or not holder.keys() <= {"pid", "host"}:
        raise _no_lock(lock)
    return holder


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_at(lock: Path, descriptor: int) -> bool:
    """Return whether a path still refers to an open file."""
    try:
        return os.path.samestat(os.lstat(lock), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _tell(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _require_no_way_out(folder: Path, read_only: Collection[str]) -> None:
    """Verify that whatever is written below a folder remains in it."""
    for where, folders, files in os.walk(folder):
        for entry in (Path(where) / name for name in (*folders, *files)):
            if entry.is_symlink() and entry.relative_to(folder).parts[0] not in read_only and _leads_out(entry, folder):
                raise VadoseError(
                    f"files: {folder}, to be written into",
                    f"{entry.relative_to(folder)} in it is a link to {entry.readlink()}",
                    "Remove the link: nothing is written through links that lead out of the folder",
                )


def _leads_out(link: Path, folder: Path) -> bool:
    try:
        return not link.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):
        return True
