"""Inflation and checksums: the same bytes as the standard library's, and no damage is overlooked."""

import zlib

import numpy as np
import pytest

from vadose.io.deflate import DAMAGE, crc32, decompress

CONTENT = np.random.default_rng(0).normal(1000, 30, 20_000).astype(np.uint16).tobytes()
DEFLATED = zlib.compress(CONTENT)


def test_the_content_is_that_of_the_standard_library():
    assert decompress(DEFLATED) == CONTENT
    assert crc32(CONTENT) == zlib.crc32(CONTENT)


@pytest.mark.parametrize("start", ["head", "middle", "checksum"])
def test_each_flipped_bit_is_noticed(start):
    first = {"head": 0, "middle": len(DEFLATED) // 2, "checksum": len(DEFLATED) - 4}[start]
    for place in range(first, first + 4):
        for bit in range(8):
            damaged = bytearray(DEFLATED)
            damaged[place] ^= 1 << bit
            if zlib_reads(bytes(damaged)) != CONTENT:
                with pytest.raises(DAMAGE):
                    decompress(bytes(damaged))


@pytest.mark.parametrize("length", [0, 1, 100, len(DEFLATED) - 4, len(DEFLATED) - 1])
def test_a_truncated_block_is_noticed(length):
    with pytest.raises(DAMAGE):
        decompress(DEFLATED[:length])


def zlib_reads(content: bytes) -> bytes | None:
    """What the standard library reads; None of a damaged block."""
    try:
        return zlib.decompress(content)
    except zlib.error:
        return None
