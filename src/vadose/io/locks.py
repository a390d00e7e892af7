"""One process at a time on what is written.

Locks are the kernel's (`flock`): what a process held that was killed is free at once, on one machine and, where the
file system carries locks, across machines. `filelock` rests on the same call, but does not tell who holds a lock, and
its older versions, which PyTorch allows, follow links.
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
"""How long a reader waits for a folder that is being replaced."""
_UNABLE = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""What a file system says that has no locks: there the word of the file alone counts."""


@contextmanager
def exclusive_lock(folder: Path, read_only: Collection[str] = ()) -> Iterator[Path]:
    """Hold a folder that is filled step by step: its lock is the file `lock` in it, which tells who holds it.

    What dead runs left half written in it is removed first, and what this one leaves when it ends by an error. A folder
    that was made for the lock and stays empty is removed.

    Args:
        folder: to be filled; a link to one stands for it.
        read_only: names in it that may be links to what lies elsewhere, as they are only read.

    Yields:
        The folder, without links.

    Raises:
        VadoseError: another process holds the folder, or it holds a link that leads out of it.
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
    """Hold a folder in which a few files are written, whatever else may lie there.

    Args:
        folder: of the files; a link to one stands for it.
        names: of the files.

    Yields:
        The folder, without links.

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
    """Hold a path that is replaced as a whole, a file or a folder: its lock lies beside it, as `.NAME.lock`.

    What dead runs left beside it is removed first; what was there before a run that died while it replaced it is put
    back.

    Args:
        path: to be written; a link to a folder stands for the folder.

    Yields:
        The path, without links.

    Raises:
        VadoseError: another process holds it.
    """
    path = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    with _made(path.parent), _held(path.with_name(f".{path.name}.{LOCK}"), path):
        recover(path)
        yield path


def wait_for_replacement(path: Path) -> None:
    """Before a folder is read that may just be replaced: wait for it, or put back what a dead run took away."""
    until = time.monotonic() + PATIENCE_S
    while not path.exists() and is_replaced(path) and time.monotonic() < until:
        with suppress(VadoseError, OSError), alone_at(path):
            return
        time.sleep(0.05)


def is_vacant(folder: Path) -> bool:
    """Whether a folder is not there, or holds nothing but its lock and what dead runs left half written."""
    return not folder.exists() or (
        folder.is_dir() and all(entry.name == LOCK or is_leftover(entry.name) for entry in folder.iterdir())
    )


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Yield a folder with those above it; those that were made for this and stay empty are removed again."""
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
    """Return the open file of a lock that this process holds now."""
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
        os.close(descriptor)  # the one who held it removed it meanwhile


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
    return VadoseError(f"lock: {lock}", "It is no lock of vadose, or a link", "Remove it, or name another place")


def _take(descriptor: int, holder: dict[str, Any], target: Path, lock: Path) -> None:
    here = holder.get("host", socket.gethostname()) == socket.gethostname()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _at_work(target, _holder(descriptor, lock), "Wait until it is done, or give another --out") from error
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
        if holder and (not here or _lives(int(holder["pid"]))):
            raise _at_work(target, holder, f"If it is no more, remove {lock} and run again") from error
    if not here:
        raise _at_work(target, holder, f"If it is no more, remove {lock} and run again")


def _at_work(target: Path, holder: dict[str, Any], remedy: str) -> VadoseError:
    return VadoseError(
        f"lock: {target}",
        f"Process {holder.get('pid', 'unknown')} on {holder.get('host', 'an unknown machine')} is at work on it",
        remedy,
    )


def _holder(descriptor: int, lock: Path) -> dict[str, Any]:
    """Who holds a lock, or held it and was killed; a file that tells of something else is none, and is left alone."""
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
    """Whether a path still names an open file."""
    try:
        return os.path.samestat(os.lstat(lock), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _tell(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _require_no_way_out(folder: Path, read_only: Collection[str]) -> None:
    """Make sure that whatever is written below a folder stays in it."""
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
