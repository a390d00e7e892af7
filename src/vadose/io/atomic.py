"""Atomic writing of files and folders: complete or unchanged, however the process ends."""

import ctypes
import errno
import hashlib
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vadose.errors import VadoseError

OLD = ".old"
"""Suffix of a path that is being replaced where two names cannot be exchanged atomically."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LEAST_FREE = 1 << 16
"""Free bytes below which a disk counts as full when a library fails without a reason."""
_LONGEST_NAME = 255
_AT_CWD, _EXCHANGE = -100, 2
_HEX = "[0-9a-f]{8}"
_LEFTOVER = re.compile(rf"\..+\.{_HEX}(\.[^.]+)?(\{OLD})?")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on error it is removed.

    Works for files and folders. The old content of `path` remains until the new one is complete: a file is replaced
    atomically, a folder too where the file system can exchange two names. Where it cannot, a process killed between two
    renames leaves the old folder under a hidden name; `recover` restores it.

    Raises:
        VadoseError: a folder exists in place of a file, or anything else in place of a folder; it is kept.
        OSError: writing failed, for example on a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(path)
    try:
        yield temporary
        _swap(temporary, path)
    except Exception as error:
        if is_full(error, path.parent) and not isinstance(error, OSError):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        _remove(temporary)


@contextmanager
def renewing(folder: Path) -> Iterator[Path]:
    """Yield a folder for a few files; all of them enter `folder` atomically, or none.

    The other files of `folder` are kept. Where a folder cannot be exchanged (it contains folders or many files, is a
    mount point, or is the working directory of this process) `folder` itself is yielded: then only single files are
    atomic.

    Raises:
        OSError: a file cannot be written.
    """
    if not _can_be_exchanged(folder):
        yield folder
        return
    with atomic_write(folder) as new:
        new.mkdir()
        shutil.copystat(folder, new)
        for entry in folder.iterdir():
            if not is_leftover(entry.name):
                _link(entry, new / entry.name)
        yield new


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Yield a hidden folder beside `path`, removed at the end; remains after a killed process count as leftovers."""
    folder = _temporary_name(path)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        _remove(folder)


def recover(path: Path) -> None:
    """Remove leftovers of killed processes beside `path`; restore the old folder if a process died while replacing it.

    Only the holder of the lock of `path` may call this.
    """
    put_back(path)
    for entry in _left(path):
        _remove(entry)


def is_replaced(path: Path) -> bool:
    """Return whether a folder was moved aside for its replacement, now or by a killed process."""
    return any(entry.name.endswith(OLD) for entry in _left(path))


def put_back(path: Path) -> None:
    """Restore the name of a folder that a killed process moved aside and did not replace."""
    old = [entry for entry in _left(path) if entry.name.endswith(OLD)]
    if old and not os.path.lexists(path):
        with suppress(FileNotFoundError):  # another process was faster
            old[0].rename(path)


def sweep(folder: Path) -> None:
    """Recover all paths in a folder, at any depth; links are not followed."""
    for where, folders, files in os.walk(folder):
        for name in filter(is_leftover, (*folders, *files)):
            _put_back_or_remove(Path(where) / name)
        folders[:] = [name for name in folders if not is_leftover(name)]


def is_full(error: BaseException, folder: Path) -> bool:
    """Return whether an error was caused by a full disk; many libraries do not report it."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    if isinstance(error, VadoseError):
        return False
    try:
        return shutil.disk_usage(folder).free < _LEAST_FREE
    except OSError:
        return False


_REMEDIES = {
    **dict.fromkeys(FULL, "Free some disk space and run the same command again"),
    errno.EACCES: "Ask for write permission, or choose another path",
    errno.EPERM: "Ask for write permission, or choose another path",
    errno.EROFS: "Choose a path on a writable disk",
    errno.ENAMETOOLONG: "Give a shorter name",
    errno.ENOTDIR: "Choose a path whose parents are folders",
    errno.EISDIR: "Name a file",
    errno.ENOENT: "Check the path: a part of it is missing",
    errno.ELOOP: "Remove the link: nothing is written through links",
    errno.EMFILE: "Raise the number of open files (ulimit -n), or use fewer --workers",
    errno.ENOMEM: "Use fewer --workers, or a machine with more memory",
    errno.EIO: "Check the disk: it does not read or write",
}


def in_words(error: OSError) -> VadoseError:
    """Return a system error in three parts."""
    names = " and ".join(str(name) for name in (error.filename, error.filename2) if name)
    found = error.strerror or str(error) or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0, "Check it and its permissions, and run the same command again")
    return VadoseError(f"files: {names or 'reading or writing'}", found, remedy)


def is_leftover(name: str) -> bool:
    """Return whether a name is one that `atomic_write` gives to unfinished content."""
    return _LEFTOVER.fullmatch(name) is not None


def _temporary_name(path: Path) -> Path:
    return path.with_name(f"{_prefix(path)}{uuid.uuid4().hex[:8]}{path.suffix}")


def _prefix(path: Path) -> str:
    """Return the common prefix of the temporary files of a path."""
    longest = _LONGEST_NAME - 10 - len(os.fsencode(path.suffix + OLD))
    name = (
        path.name if len(os.fsencode(path.name)) <= longest else hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    )
    return f".{name}."


def _left(path: Path) -> list[Path]:
    pattern = re.compile(rf"{re.escape(_prefix(path))}{_HEX}({re.escape(path.suffix)})?(\{OLD})?")
    return [entry for entry in _entries(path.parent) if pattern.fullmatch(entry.name)]


def _put_back_or_remove(entry: Path) -> None:
    replaced = re.fullmatch(rf"\.(.+)\.{_HEX}(\.[^.]+)?\{OLD}", entry.name)
    if replaced and not os.path.lexists(entry.with_name(replaced[1])):
        entry.rename(entry.with_name(replaced[1]))
    else:
        _remove(entry)


def _swap(temporary: Path, path: Path) -> None:
    if not _is_folder(temporary):
        if path.is_dir():
            raise VadoseError(f"files: {path}, a file", "A folder exists there", "Name a file, or remove the folder")
        temporary.replace(path)
        return
    if not os.path.lexists(path):
        temporary.rename(path)
        return
    if not _is_folder(path):
        raise VadoseError(
            f"files: {path}, a folder", "A file or a link exists there", "Name a folder, or remove what is there"
        )
    if not exchange(temporary, path):
        old = temporary.with_name(f"{temporary.name}{OLD}")
        path.rename(old)
        temporary.rename(path)
        _remove(old)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names atomically; return False where the system or the file system cannot."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if call is None:
        return False
    sys.audit("os.rename", str(one), str(other), -1, -1)
    if call(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))


_MOST_FILES = 64


def _can_be_exchanged(folder: Path) -> bool:
    entries = list(_entries(folder))
    return (
        len(entries) <= _MOST_FILES
        and all(entry.is_file() and not entry.is_symlink() for entry in entries)
        and not folder.is_symlink()
        and not folder.is_mount()
        and os.access(folder.parent, os.W_OK)
        and not Path.cwd().is_relative_to(folder.resolve())
    )


def link(source: Path, target: Path) -> None:
    """Link a file or a tree of files under another name; copy it if the file system has no links."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link)
    else:
        _link(source, target)


def _link(source: Path | str, target: Path | str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
