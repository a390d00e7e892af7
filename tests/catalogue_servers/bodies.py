"""Bodies of answers: fixed bytes, and files or bytes by HTTP ranges (RFC 9110)."""

import email.utils
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from catalogue_servers.loopback import Scope, Send

STEP = 1 << 18
TYPES = {".tif": "image/tiff", ".tiff": "image/tiff", ".h5": "application/x-hdf5", ".nc4": "application/x-netcdf4"}


async def send_reply(send: Send, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
    fields = {"content-length": str(len(body)), **(headers or {})}
    await _send_head(send, status, fields)
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True)
class Content:
    """Bytes that are served, from a file or from memory."""

    size: int
    etag: str
    modified: float
    """Seconds since 1970."""
    content_type: str
    source: Path | bytes

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Describe a file; its ETag changes with its size and modification time."""
        stat = path.stat()
        etag = (
            f'"0x{hashlib.sha256(f"{path.name} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:15].upper()}"'
        )
        kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return cls(stat.st_size, etag, stat.st_mtime, kind, path)

    @classmethod
    def of_bytes(cls, data: bytes, content_type: str = "application/octet-stream") -> Self:
        etag = f'"0x{hashlib.sha256(data).hexdigest()[:15].upper()}"'
        return cls(len(data), etag, 1_700_000_000.0, content_type, data)

    def read(self, first: int, count: int) -> bytes:
        if isinstance(self.source, bytes):
            return self.source[first : first + count]
        with self.source.open("rb") as file:
            file.seek(first)
            return file.read(count)


async def send_content(content: Content, scope: Scope, send: Send) -> None:
    """Answer GET or HEAD of a content: 200, 206 for a single range, 304, 412 or 416."""
    asked = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    headers = {
        "content-type": content.content_type,
        "accept-ranges": "bytes",
        "etag": content.etag,
        "last-modified": email.utils.formatdate(content.modified, usegmt=True),
    }
    if asked.get("if-match", content.etag) not in (content.etag, "*"):
        await send_reply(send, 412, b"", {"etag": content.etag})
        return
    if asked.get("if-none-match") == content.etag:
        await _send_head(send, 304, headers)
        await send({"type": "http.response.body"})
        return
    status, first, last = 200, 0, content.size - 1
    if "range" in asked and asked.get("if-range", content.etag) in (content.etag, headers["last-modified"]):
        wanted = single_range(asked["range"], content.size)
        if wanted == ():
            await send_reply(send, 416, b"", {"content-range": f"bytes */{content.size}"})
            return
        if wanted is not None:
            status, (first, last) = 206, wanted
            headers["content-range"] = f"bytes {first}-{last}/{content.size}"
    headers["content-length"] = str(last + 1 - first)
    await _send_head(send, status, headers)
    if scope["method"] != "HEAD":
        for start in range(first, last + 1, STEP):
            part = content.read(start, min(STEP, last + 1 - start))
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


def single_range(header: str, size: int) -> tuple[int, int] | tuple[()] | None:
    """First and last byte of a single range; () where it lies beyond the end; None where it is no single range."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.replace(" ", ""))
    if not match or not (match[1] or match[2]):
        return None
    if not match[1]:
        count = min(int(match[2]), size)
        return (size - count, size - 1) if count else ()
    first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    return (first, last) if first <= last else ()


def error_xml(code: str, message: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code>'
        f"<Message>{message}\nTime:{datetime.now(UTC).isoformat()}</Message></Error>"
    ).encode()


async def _send_head(send: Send, status: int, headers: Mapping[str, str]) -> None:
    fields = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})
