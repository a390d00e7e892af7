"""Blocks of remote files that were fetched before: bounded, shared by processes, least recently used go first."""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vadose.errors import VadoseError
from vadose.io.atomic import atomic_write
from vadose.io.deflate import crc32

DEFAULT_BYTES = 20 << 30
_ENVIRONMENT = "VADOSE_CACHE"
_SIZE = "VADOSE_CACHE_SIZE"
_CHECK = 4
"""Bytes of the checksum behind each block: a block torn by a crash is fetched again."""


@dataclass(frozen=True)
class BlockCache:
    """A folder of byte ranges of remote files, by address, version and range.

    Attributes:
        folder: of the cache.
        most: bytes that are kept after a run; more may be held while one is at work.
    """

    folder: Path
    most: int = DEFAULT_BYTES

    @classmethod
    def default(cls) -> "BlockCache":
        """Return the user's cache: `$VADOSE_CACHE`, else `vadose` in the user's cache folder.

        Raises:
            VadoseError: `$VADOSE_CACHE_SIZE` is no number of gigabytes.
        """
        stated = os.environ.get(_ENVIRONMENT)
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
        size = os.environ.get(_SIZE, "")
        try:
            most = round(float(size) * 1e9) if size else DEFAULT_BYTES
            if most < 0:
                raise ValueError(size)
        except (ValueError, OverflowError):
            raise VadoseError(
                f"cache: {_SIZE}", f"{size!r} is no positive number", "Write gigabytes, such as 20"
            ) from None
        return cls(Path(stated) if stated else home / "vadose", most)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep other processes from removing blocks, and remove the least recently used afterwards."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._evict()
        finally:
            os.close(descriptor)

    def read(self, file: str, start: int, stop: int) -> bytes | None:
        """Return a range of a file, if it is held whole."""
        try:
            content = (self._folder(file) / f"{start}-{stop}").read_bytes()
        except OSError:
            return None
        body, stored = content[:-_CHECK], content[-_CHECK:]
        whole = len(body) == stop - start and crc32(body).to_bytes(_CHECK, "big") == stored
        return body if whole else None

    def write(self, file: str, start: int, content: bytes) -> None:
        """Keep a range of a file."""
        folder = self._folder(file)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / f"{start}-{start + len(content)}") as temporary:
            temporary.write_bytes(content + crc32(content).to_bytes(_CHECK, "big"))

    def touch(self, file: str) -> None:
        """Count a file as used now."""
        with contextlib.suppress(OSError):
            os.utime(self._folder(file))

    def _folder(self, file: str) -> Path:
        name = hashlib.sha256(file.encode()).hexdigest()[:40]
        return self.folder / "blocks" / name[:2] / name

    def _evict(self) -> None:
        held: list[tuple[float, int, Path]] = []
        for folder in (self.folder / "blocks").glob("*/*"):
            with contextlib.suppress(OSError):
                size = sum(entry.stat().st_size for entry in os.scandir(folder))
                held.append((folder.stat().st_mtime, size, folder))
        excess = sum(size for _, size, _ in held) - self.most
        for _, size, folder in sorted(held):
            if excess <= 0:
                return
            shutil.rmtree(folder, ignore_errors=True)
            excess -= size
