"""Opening of a shard with the fastest installed decompressor; all give the same bytes."""

import gzip
import importlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from vadose.errors import VadoseError

NAMES = ("isal", "zlib-ng", "zlib")
"""Decompressors, the fastest first; the last one is always available."""

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
        module: opens a file, with the interface of the standard library's gzip.
        damage: errors on truncated or corrupt data, and on an unreadable file.
    """

    name: str
    module: Any
    damage: tuple[type[Exception], ...]

    def open(self, path: Path) -> BinaryIO:
        """Return a stream of a file's bytes, inflated if its name ends in .gz."""
        return cast(BinaryIO, self.module.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def inflater(name: str) -> Inflater:
    """Return the decompressor of a name.

    Raises:
        VadoseError: it is not installed, or unknown.
    """
    try:
        opener, codec = map(importlib.import_module, _MODULES[name])
    except (KeyError, ImportError) as error:
        raise VadoseError(
            f"published: the decompressor {name}", f"Installed are {', '.join(installed())}", "Take one, or install it"
        ) from error
    return Inflater(name, opener, (EOFError, OSError, zlib.error, gzip.BadGzipFile, codec.error))


def installed() -> tuple[str, ...]:
    """Return the names of the installed decompressors, the fastest first."""
    return tuple(name for name in NAMES if _imports(_MODULES[name][0]))


def fastest() -> Inflater:
    """Return the fastest installed decompressor."""
    return inflater(installed()[0])


def _imports(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True
