"""Opening a shard with the fastest decompressor that is installed; all of them give the same bytes."""

import gzip
import importlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from vadose.errors import VadoseError

NAMES = ("isal", "zlib-ng", "zlib")
"""Decompressors, the fastest first; the last is always there."""

_MODULES = {
    "isal": ("isal.igzip", "isal.isal_zlib"),
    "zlib-ng": ("zlib_ng.gzip_ng", "zlib_ng.zlib_ng"),
    "zlib": ("gzip", "zlib"),
}


@dataclass(frozen=True)
class Inflater:
    """A decompressor of gzip.

    Attributes:
        name: one of `NAMES`.
        module: what opens a file, with the interface of the standard library's gzip.
        damage: what it raises on truncated or corrupt data, and on a file that cannot be read.
    """

    name: str
    module: Any
    damage: tuple[type[Exception], ...]

    def open(self, path: Path) -> BinaryIO:
        """Return a stream of a file's bytes, inflated where its name ends in .gz."""
        return cast(BinaryIO, self.module.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def inflater(name: str) -> Inflater:
    """Return the decompressor of this name.

    Raises:
        VadoseError: it is not installed, or there is none of this name.
    """
    try:
        opener, codec = map(importlib.import_module, _MODULES[name])
    except (KeyError, ImportError) as error:
        raise VadoseError(
            f"published: the decompressor {name}", f"Installed are {', '.join(installed())}", "Take one, or install it"
        ) from error
    return Inflater(name, opener, (EOFError, OSError, zlib.error, gzip.BadGzipFile, codec.error))


def installed() -> tuple[str, ...]:
    """Names of the decompressors that are installed, the fastest first."""
    return tuple(name for name in NAMES if _imports(_MODULES[name][0]))


def fastest() -> Inflater:
    """Return the fastest decompressor that is installed."""
    return inflater(installed()[0])


def _imports(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True
