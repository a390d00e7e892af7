"""Remote files, read by ranges of bytes through the cache."""

import io
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from vadose.catalogues.cache import BlockCache
from vadose.catalogues.http import HttpClient, Unavailable, bare
from vadose.errors import VadoseError

HEAD = 1 << 15
"""Bytes of the first request of a file: the header of most Cloud Optimized GeoTIFFs."""
GAP = 1 << 14
"""Unneeded bytes that are read between two ranges rather than asking twice."""
LONGEST = 8 << 20
"""Bytes of one request."""
_MOST_PAGES = 8
"""Small parts of a file, read before, that are held for further reads."""
_LONGEST_HEAD = 1 << 20
"""Bytes from the start of a file that are held for further reads."""
WHOLE = 64 << 20
"""Bytes of the largest file that is read from a server that knows no ranges."""
PAGE = HEAD
"""Bytes that are read at once of a file whose layout is not known; the first page is the header."""
WIDE = 1 << 16
"""As `GAP`, for files of many small parts or small levels of an image: requests cost more than bytes there."""
NEAR = 1 << 20
"""Bytes between two reads of one object that belong to it, most likely."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_FOREIGN = (b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML", b"<?xml")


class Changed(VadoseError):
    """A remote file that became another one while it was read, or since it was locked."""


@dataclass(frozen=True)
class Version:
    """A content of a remote file.

    Attributes:
        size: bytes.
        etag: by which the server tells it from others; its time of modification where it has none, or "".
    """

    size: int
    etag: str


@dataclass(eq=False)
class RemoteFile:
    """A file at an address.

    Attributes:
        client: requests it.
        url: without a signature; the client's signers add one.
        cache: keeps its blocks.
        expected: version that it must have; None for whichever it has.
    """

    client: HttpClient
    url: str
    cache: BlockCache
    expected: Version | None = None
    _version: Version | None = None
    _head: bytes = b""
    _pages: tuple[tuple[int, bytes], ...] = ()
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def version(self) -> Version:
        """Size and ETag, asked for once.

        Raises:
            Changed: it is not the expected version.
            VadoseError: as `HttpClient.get`, or the answer is no file.
        """
        with self._lock:
            if self._version is None:
                self._version, self._head = self._get(0, HEAD)
                if self._head.lstrip()[:9].startswith(_FOREIGN) and not self.url.endswith(".xml"):
                    raise VadoseError(
                        f"catalogues: {bare(self.url)}",
                        "It holds a web page instead of data",
                        "Look at it in a browser",
                    )
                if self.expected is not None and self._version != self.expected:
                    raise _changed(self.url, self.expected, self._version)
                self.cache.touch(self._name)
            return self._version

    def read(self, ranges: Sequence[tuple[int, int]], threads: int = 8, gap: int = GAP) -> list[bytes]:
        """Return ranges (start, stop) of bytes, from the cache if possible, neighbouring ones by one request.

        Args:
            ranges: of bytes.
            threads: requests at once.
            gap: unneeded bytes that are read between two ranges rather than asking twice.

        Raises:
            Changed: the file became another one meanwhile.
            VadoseError: a range lies beyond the end, or as `HttpClient.get`.
        """
        size = self.version.size
        for start, stop in ranges:
            if not 0 <= start <= stop <= size:
                raise VadoseError(
                    f"catalogues: {bare(self.url)}",
                    f"Its header names the bytes {start:,} to {stop:,} of {size:,}",
                    "It is truncated or damaged: report it to the catalogue",
                )
        found = {one: self._held(*one) for one in dict.fromkeys(ranges)}
        runs = list(joined((one for one, content in found.items() if content is None), gap))
        if len(runs) > 1 and threads > 1:
            with ThreadPoolExecutor(min(threads, len(runs))) as pool:
                fetched = list(pool.map(self._fetch, runs))
        else:
            fetched = [self._fetch(run) for run in runs]
        for run in fetched:
            found |= run
        return [found[one] or b"" for one in ranges]

    def cost(self, ranges: Sequence[tuple[int, int]], gap: int = GAP) -> tuple[int, int]:
        """Return the bytes and the requests that `read` takes."""
        size = self.version.size
        wanted = {one for one in ranges if one[1] <= size and self._held(*one) is None}
        runs = list(joined(wanted, gap))
        return sum(map(self._unread, runs)), len(runs)

    def _unread(self, run: Sequence[tuple[int, int]]) -> int:
        """Return the bytes of a run that are not held from before."""
        first, last = max(run[0][0], len(self._head)), max(stop for _, stop in run)
        return last - first - len(self._behind(first, last))

    def _behind(self, first: int, last: int) -> bytes:
        """Return the end of a range, as far as it was read before: tags may lie behind the blocks."""
        ends = (page[: last - start] for start, page in self._pages if first < start < last <= start + len(page))
        return max(ends, key=len, default=b"")

    @property
    def _name(self) -> str:
        version = self._version
        return f"{bare(self.url)} {version.size} {version.etag}" if version else ""

    def _held(self, start: int, stop: int) -> bytes | None:
        if stop <= len(self._head):
            return self._head[start:stop]
        return self.cache.read(self._name, start, stop)

    def _fetch(self, run: list[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        first, last = run[0][0], max(stop for _, stop in run)
        head = self._head
        held = head[first:last]
        behind = self._behind(first + len(held), last)
        now, rest = self._get(first + len(held), last - len(behind))
        if now != self._version:
            raise _changed(self.url, self.version, now)
        content = held + rest + behind
        if first <= len(head) and last <= _LONGEST_HEAD:
            self._head = max(self._head, head[:first] + content, key=len)
        elif len(content) <= HEAD:
            self._pages = (*self._pages[-_MOST_PAGES:], (first, content))
        parts = {(start, stop): content[start - first : stop - first] for start, stop in run}
        for (start, stop), part in parts.items():
            if stop > start:
                self.cache.write(self._name, start, part)
        return parts

    def _get(self, start: int, stop: int) -> tuple[Version, bytes]:
        """Request a range; the whole content is returned of a server that knows no ranges, if the range starts it."""
        reply = self.client.get(self.url, {"Range": f"bytes={start}-{stop - 1}"}, stop - start + WHOLE)
        etag = reply.headers.get("etag") or reply.headers.get("last-modified") or ""
        if reply.status == 200:
            return Version(len(reply.body), etag), reply.body[start : None if start == 0 else stop]
        match = _RANGE.fullmatch(reply.headers.get("content-range", ""))
        if match is not None:
            first, end, size = int(match[1]), int(match[2]) + 1, int(match[3])
            if (first, end) == (start, min(stop, size)) and len(reply.body) == end - first:
                return Version(size, etag), reply.body
        raise Unavailable(
            f"catalogues: {bare(self.url)}",
            f"The server sends other bytes than {start:,} to {stop:,}",
            "Repeat the command later, or take another catalogue",
        )


class RangeReader(io.RawIOBase):
    """A remote file as a seekable file object; it is read in pages through the cache, each page once.

    Attributes:
        file: the file.
        page: bytes that are read at once.
        ahead: whether what lies between two reads that are near each other is read too, and more behind the second:
            for files of which all of an object is wanted.
        fetched: bytes that were read so far.
        failed: error of the last read: libraries that parse the file may raise one of their own instead.
    """

    def __init__(self, file: RemoteFile, page: int = PAGE) -> None:
        self.file, self.page = file, page
        self.ahead = False
        self.fetched = 0
        self.failed: Exception | None = None
        self._place = 0
        self._pages: dict[int, bytes] = {}
        self._last, self._window = 0, 1

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the current position."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.file.version.size}[whence]
        self._place = start + offset
        return self._place

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fill a buffer from the current position."""
        try:
            size = self.file.version.size
            start, stop = min(self._place, size), min(self._place + len(buffer), size)
            self.require(start, stop)
        except (VadoseError, OSError) as error:
            self.failed = error
            raise
        buffer[: stop - start] = self.held(start, stop) or b""
        self._place = stop
        return stop - start

    def require(self, start: int, stop: int) -> None:
        """Read a range, unless its pages were read before."""
        if stop > start:
            if self.held(start, stop) is None:
                self._fetch_near(start // self.page, -(-stop // self.page))
            self._last = -(-stop // self.page)

    def held(self, start: int, stop: int) -> bytes | None:
        """Return a range, if its pages were read before."""
        pages = [self._pages.get(page) for page in range(start // self.page, -(-stop // self.page))]
        if any(page is None for page in pages):
            return None
        offset = start - start // self.page * self.page
        return b"".join(page for page in pages if page is not None)[offset : offset + stop - start]

    def fetch(self, places: Iterable[int]) -> None:
        """Read the pages at some places, those behind them and few that lie between them, at the same time."""
        last = -(-self.file.version.size // self.page)
        first = {place // self.page for place in places if place >= 0}
        pages = {page for one in first for page in (one, one + 1) if page < last} - self._pages.keys()
        runs = joined(((page, page + 1) for page in pages), 2 * WIDE // self.page)
        self._keep([(run[0][0], run[-1][1]) for run in runs])

    def _fetch_near(self, first: int, last: int) -> None:
        """Read pages; where they follow the last ones closely also those between, and each time twice as many."""
        gap, near = first - self._last, NEAR // self.page
        self._window = min(2 * self._window, near // 2) if self.ahead and 0 <= gap <= near else 1
        start = self._last if self._window > 1 else first
        start = next(page for page in range(start, last) if page not in self._pages)
        self._keep([(start, last if gap > 0 else max(last, start + self._window))])

    def _keep(self, spans: Sequence[tuple[int, int]]) -> None:
        size = self.file.version.size
        for (first, last), content in zip(
            spans,
            self.file.read([(a * self.page, min(b * self.page, size)) for a, b in spans], gap=self.page),
            strict=True,
        ):
            for page in range(first, last):
                self._pages[page] = content[(page - first) * self.page : (page + 1 - first) * self.page]
            self.fetched += len(content)


def _changed(url: str, before: Version, now: Version) -> Changed:
    return Changed(
        f"catalogues: {bare(url)}",
        f"It was {before.size:,} bytes ({before.etag}) and is {now.size:,} bytes ({now.etag})",
        "The catalogue replaced it: search again without --locked",
    )


def joined(ranges: Iterable[tuple[int, int]], gap: int = GAP) -> Iterable[list[tuple[int, int]]]:
    """Group ranges that are read by one request."""
    run: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if run and (start > run[-1][1] + gap or stop - run[0][0] > LONGEST):
            yield run
            run = []
        run.append((start, stop))
    if run:
        yield run
