"""Verification of files against their item: size, checksum, and pixel grid."""

import hashlib
from functools import lru_cache
from pathlib import Path

from affine import Affine

from vadose.sources.left_out import Unfit
from vadose.sources.records import Asset

_HASHES = {
    0x11: "sha1",
    0x12: "sha256",
    0x13: "sha512",
    0x14: "sha3_512",
    0x15: "sha3_384",
    0x16: "sha3_256",
    0x17: "sha3_224",
    0x20: "sha384",
    0xD5: "md5",
    0x1013: "sha224",
    0xB240: "blake2b",
    0xB260: "blake2s",
}
"""Hash functions of the multihash table in hashlib, each at its full length."""


def check_file(asset: Asset) -> None:
    """Compare a file with `file:size` and `file:checksum` of its item, if stated.

    A checksum requires reading the complete file: about 0.5 s per GB with SHA-256, more with SHA3. It is cached per
    process, by size and time of the file.

    Raises:
        Unfit: they differ.
    """
    status = Path(asset.href).stat()
    if asset.size is not None and asset.size != status.st_size:
        raise Unfit(
            "file:size differs",
            f"{asset.href}: its size",
            f"It has {status.st_size} bytes; its item says {asset.size} (file:size)",
            "Get the file again, or correct file:size and file:checksum if you changed the file",
        )
    stated = multihash(asset.checksum) if asset.checksum else None
    if stated is None:
        return
    name, digest = stated
    found = _digest(asset.href, status.st_size, status.st_mtime_ns, name)
    if found != digest:
        raise Unfit(
            "file:checksum differs",
            f"{asset.href}: its {name} checksum",
            f"It is {found}; its item says {digest} (file:checksum)",
            "Get the file again, or correct file:checksum if you changed the file",
        )


def check_grid(asset: Asset, shape: tuple[int, int], transform: Affine) -> Unfit | None:
    """Compare the grid of a file with `proj:shape` and `proj:transform` of its item, if stated.

    Pixels of the same size with positions that differ by up to one pixel are accepted: some catalogues state centres,
    some corners. So is a file cut out of the stated grid along its pixels.

    Returns:
        A remark that the file is a cut of the stated grid, if it is.

    Raises:
        Unfit: they differ.
    """
    if _is_cut(asset, shape, transform):
        return Unfit(
            "file is a part of the stated grid",
            f"{asset.href}: its grid",
            f"It has {shape[0]} x {shape[1]} of the {asset.shape} pixels that its item states",
            "Nothing need be done if you cut it",
        )
    if asset.shape is not None and asset.shape != shape:
        raise Unfit(
            "proj:shape differs",
            f"{asset.href}: its grid",
            f"It has {shape[0]} x {shape[1]} pixels; its item says {asset.shape[0]} x {asset.shape[1]} (proj:shape)",
            "Get the file again, or correct proj:shape and proj:transform if you cut the file",
        )
    if asset.transform is not None and not _same_place(asset.transform, transform):
        found, said = (
            ", ".join(f"{number:.10g}" for number in numbers[:6]) for numbers in (transform, asset.transform)
        )
        raise Unfit(
            "proj:transform differs",
            f"{asset.href}: its grid",
            f"Its transform is {found}; its item says {said} (proj:transform)",
            "Get the file again, or correct proj:transform if you moved the file",
        )
    return None


def multihash(text: str) -> tuple[str, str] | None:
    """Return name in hashlib and hexadecimal digest of a multihash; None if hashlib cannot compute it."""
    try:
        code, digest = _varint(bytes.fromhex(text))
        length, digest = _varint(digest)
    except (ValueError, IndexError):
        return None
    name = _HASHES.get(code)
    if name is None or length != len(digest) or length != hashlib.new(name).digest_size:
        return None
    return name, digest.hex()


def _varint(data: bytes) -> tuple[int, bytes]:
    number, shift = 0, 0
    for place, byte in enumerate(data):
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, data[place + 1 :]
    raise ValueError("no varint")


@lru_cache(maxsize=1 << 16)
def _digest(path: str, _size: int, _modified: int, name: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, name).hexdigest()


def _is_cut(asset: Asset, shape: tuple[int, int], transform: Affine) -> bool:
    """Return whether a file contains pixels of the stated grid, and only those."""
    if asset.shape is None or asset.transform is None or asset.shape == shape:
        return False
    a, _, c, _, e, f = asset.transform
    sizes = abs(transform.a - a) <= 1e-6 * abs(a) and abs(transform.e - e) <= 1e-6 * abs(e)
    if not sizes:
        return False
    column, row = (transform.c - c) / a, (transform.f - f) / e
    on_pixels = max(abs(column - round(column)), abs(row - round(row))) <= 0.01
    inside = column >= -0.01 and row >= -0.01
    return (
        on_pixels and inside and row + shape[0] <= asset.shape[0] + 0.01 and column + shape[1] <= asset.shape[1] + 0.01
    )


def _same_place(stated: tuple[float, ...], found: Affine) -> bool:
    """Return whether a transform is that of a file, in the order of the projection extension or in GDAL's."""
    a, b, c, d, e, f = stated
    orders = ((a, b, c, d, e, f), (b, c, a, e, f, d))
    return any(_close(numbers, found) for numbers in orders)


def _close(stated: tuple[float, ...], found: Affine) -> bool:
    sizes = ((stated[0], found.a), (stated[4], found.e))
    places = ((stated[2], found.c, found.a), (stated[5], found.f, found.e))
    return all(abs(mine - theirs) <= 1e-3 * abs(theirs) for mine, theirs in sizes) and all(
        abs(mine - theirs) <= 1.001 * abs(size) for mine, theirs, size in places
    )
