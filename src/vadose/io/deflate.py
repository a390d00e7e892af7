"""Checksums and inflation by the fastest installed library: the same bytes, and the same damage is noticed."""

import zlib
from typing import Any

try:
    from isal import isal_zlib
except ImportError:  # the extra "published" is not installed
    isal_zlib = None  # type: ignore[assignment]

_codec: Any = isal_zlib or zlib
DAMAGE: tuple[type[Exception], ...] = (zlib.error, _codec.error)
"""Errors of damaged or truncated content."""


def decompress(content: bytes) -> bytes:
    """Inflate zlib's format (RFC 1950), its checksum included.

    Raises:
        DAMAGE: the content is damaged or truncated.
    """
    inflated: bytes = _codec.decompress(content)
    return inflated


def crc32(content: bytes) -> int:
    """Return the CRC-32 of some bytes."""
    checksum: int = _codec.crc32(content)
    return checksum
