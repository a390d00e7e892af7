"""HTTP of catalogues and of their files: allowed hosts, retries, limits, and errors without secrets."""

import copy
import logging
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from fnmatch import fnmatch
from typing import Protocol, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError

from vadose import __version__
from vadose.errors import VadoseError

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which a request is repeated."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that may be asked without TLS."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 8
_PIECE = 1 << 16
_SKEW_S = 240.0
"""Difference of clocks that counts, s; storage denies access from 15 minutes on."""
_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
_HINTS = {
    "InvalidAccessKeyId": "The access key is unknown or expired: create another one",
    "SignatureDoesNotMatch": "The secret key does not fit the access key: copy both again",
}
"""Of error codes of S3 storage."""
_T = TypeVar("_T")


class _WithoutQueries(logging.Filter):
    """Removes queries, which may hold signatures, from the records of urllib3."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        record.args = tuple(one.partition("?")[0] if isinstance(one, str) else one for one in arguments) or record.args
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQueries())


class Unavailable(VadoseError):
    """A catalogue or a file that does not answer, or answers with an error of the server."""


class Denied(VadoseError):
    """A catalogue or a file that refuses the credentials, or asks for some."""


class Absent(VadoseError):
    """A file that does not exist at its address."""


class OverBudget(VadoseError):
    """More requests or bytes than a run may spend, or one that was ended."""


class Signer(Protocol):
    """Adds a credential to requests."""

    def sign(self, client: "HttpClient", url: str) -> tuple[str, Mapping[str, str]]:
        """Return the address and the headers to ask with."""
        ...

    def renew(self, client: "HttpClient", url: str) -> bool:
        """Discard the credential of an address that was denied; return whether another one can be had."""
        ...


@dataclass(frozen=True)
class Limits:
    """What one client may spend, and how patient it is.

    Attributes:
        max_requests, max_bytes: of all hosts together; None for no limit.
        attempts: requests for one answer, the first one included.
        backoff_s: pause after the first failure, s; doubled after each further one, with jitter.
        max_pause_s: longest pause, s; a server that asks for a longer one (Retry-After) counts as unavailable.
        connect_s, read_s: longest wait for a connection and for the next bytes, s.
        concurrency: requests to one host at once.
        by_host: concurrency of hosts that allow fewer, by pattern.
    """

    max_requests: int | None = None
    max_bytes: int | None = None
    attempts: int = 5
    backoff_s: float = 0.5
    max_pause_s: float = 60.0
    connect_s: float = 10.0
    read_s: float = 30.0
    concurrency: int = 8
    by_host: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end.

    Attributes:
        status: 2xx.
        headers: by name in lower case.
        body: bytes.
        address: of the last redirect, without its query.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: str


@dataclass(eq=False)
class Spent:
    """Requests and bytes by host.

    Attributes:
        whole: counts what this counts, with others.
        requests, received: number of requests, and bytes of answers, by host.
        ended: whether nothing more is to be spent, as the run was interrupted.
    """

    whole: "Spent | None" = None
    requests: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, host: str, requests: int = 0, received: int = 0) -> None:
        """Count what was spent on a host."""
        with self._lock:
            self.requests[host] += requests
            self.received[host] += received
        if self.whole is not None:
            self.whole.add(host, requests, received)


class HttpClient:
    """Requests to allowed hosts; safe to use from several threads.

    Args:
        hosts: patterns of the hosts that may be asked, such as "*.blob.core.windows.net"; a port may follow.
        signers: credentials by pattern of host; none is sent to another host.
        limits: requests, bytes and patience.
        pause: sleeps for some seconds; by default until the run is ended, at most.
        spent: counts what several clients spend together.
    """

    def __init__(
        self,
        hosts: frozenset[str],
        signers: Mapping[str, Signer] | None = None,
        limits: Limits | None = None,
        pause: Callable[[float], object] | None = None,
        spent: Spent | None = None,
    ) -> None:
        self.hosts, self.signers, self.limits = hosts, dict(signers or {}), limits or Limits()
        self.spent = spent or Spent()
        self._pause = pause or (self.spent.whole or self.spent).ended.wait
        self._pool = urllib3.PoolManager(num_pools=32, maxsize=32, headers={"User-Agent": f"vadose/{__version__}"})
        self._gates: dict[str, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()

    def counted_by(self, spent: Spent) -> "HttpClient":
        """Return this client with another count; connections, credentials and limits of hosts stay shared."""
        client = copy.copy(self)
        client.spent = spent
        return client

    def get(self, url: str, headers: Mapping[str, str] | None = None, largest: int = 64 << 20) -> Reply:
        """Request an address and read the whole answer.

        Args:
            url: https; http of a loopback host.
            headers: besides the credential.
            largest: body that is accepted, bytes.

        Raises:
            Unavailable: no complete answer after all attempts.
            Denied: the credential, or its absence, is refused; or the answer is a web page.
            Absent: status 404 or 410.
            OverBudget: the run may not spend more.
            VadoseError: the host is not allowed, the body is larger, or the server refuses the request.
        """
        return self._request("GET", url, headers or {}, None, largest)

    def post(
        self, url: str, content: bytes, headers: Mapping[str, str] | None = None, largest: int = 64 << 20
    ) -> Reply:
        """Send a body to an address, as `get`."""
        return self._request("POST", url, headers or {}, content, largest)

    def require_allowed(self, url: str) -> None:
        """Refuse an address that is not https (http of a loopback host), or whose host is not allowed.

        Raises:
            VadoseError: it is.
        """
        try:
            parts = urlsplit(url)
            host, user = parts.hostname or "", parts.username
        except ValueError:
            parts, host, user = urlsplit(""), "", None
        secure = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
        if not secure or user is not None or _matching(dict.fromkeys(self.hosts, True), url) is None:
            raise VadoseError(
                f"catalogues: {bare(url)}",
                f"{host or 'No host'} over {parts.scheme or 'no scheme'} is not among the hosts of the catalogue",
                "Take the item from another catalogue, or add the host to the catalogue's settings if you trust it",
            )

    def sign(self, url: str) -> tuple[str, Mapping[str, str]]:
        """Return the address and the headers to ask with: with the credential of the host, if it has one.

        Raises:
            VadoseError: as `Signer.sign`, such as `Denied` if the credential is missing.
        """
        signer = _matching(self.signers, url)
        return signer.sign(self, url) if signer else (url, {})

    def _request(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, largest: int) -> Reply:
        renewed, trouble = False, ""
        attempt = 0
        while attempt < self.limits.attempts:
            attempt += 1
            after: str | None = None
            try:
                reply = self._follow(method, url, headers, content, largest)
            except LocationParseError:
                raise VadoseError(f"catalogues: {bare(url)}", "It is no address", "Mend the catalogue") from None
            except (HTTPError, OSError) as error:  # its text may hold a signature
                trouble = f"the connection failed ({type(error).__name__})"
            else:
                if reply.status < 300:
                    return reply
                if reply.status in (401, 403) and not renewed and self._renew(url):
                    renewed, attempt = True, attempt - 1
                    continue
                if reply.status not in TRANSIENT:
                    raise _refusal(url, reply)
                trouble, after = f"status {reply.status}", reply.headers.get("retry-after")
            pause = _pause_s(after, attempt, self.limits.backoff_s)
            if pause > self.limits.max_pause_s:
                trouble += f", with a request to wait {pause:.0f} s"
                break
            if attempt < self.limits.attempts:
                self._pause(pause)
        raise Unavailable(
            f"catalogues: {bare(url)}",
            f"No answer after {attempt} attempts: {trouble}",
            "Repeat the command later; what was fetched is kept",
        ) from None

    def _follow(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, largest: int) -> Reply:
        """Request an address and those that it redirects to."""
        for _ in range(_MOST_REDIRECTS):
            self.require_allowed(url)
            reply, onward = self._once(method, url, headers, content, largest)
            if onward is None:
                return reply
            url = urljoin(url, onward)
            method, content = ("GET", None) if reply.status == 303 else (method, content)
        raise VadoseError(
            f"catalogues: {bare(url)}", f"More than {_MOST_REDIRECTS} redirects", "Report it to the catalogue"
        )

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, largest: int
    ) -> tuple[Reply, str | None]:
        """Send one request; the second value is the address of a redirect."""
        host = urlsplit(url).hostname or ""
        signed, extra = self.sign(url)
        with self._gate(host, url):
            self._spend(host, requests=1)
            response = self._pool.request(
                method,
                signed,
                body=content,
                headers={**headers, **extra},
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=True,
                timeout=urllib3.Timeout(connect=self.limits.connect_s, read=self.limits.read_s),
            )
            try:
                known = {name.lower(): value for name, value in response.headers.items()}
                if response.status in _REDIRECTS and known.get("location"):
                    return Reply(response.status, known, b"", bare(url)), known["location"]
                body = self._read(response, host, url, largest)
            finally:
                response.close() if response.length_remaining else response.release_conn()
        if response.status < 300 and "html" in known.get("content-type", ""):
            raise Denied(
                f"catalogues: {bare(url)}",
                "The answer is a web page, such as a login page",
                "Log in and accept the terms of the data there, or look at the address in a browser",
            )
        return Reply(response.status, known, body, bare(url)), None

    def _read(self, response: urllib3.BaseHTTPResponse, host: str, url: str, largest: int) -> bytes:
        pieces: list[bytes] = []
        received = 0
        for piece in response.stream(_PIECE):
            received += len(piece)
            self._spend(host, received=len(piece))
            if received > largest:
                raise VadoseError(
                    f"catalogues: {bare(url)}",
                    f"The answer is larger than {largest:,} bytes",
                    "Report it to the catalogue",
                )
            pieces.append(piece)
        return b"".join(pieces)

    def _renew(self, url: str) -> bool:
        signer = _matching(self.signers, url)
        return signer is not None and signer.renew(self, url)

    def _gate(self, host: str, url: str) -> threading.BoundedSemaphore:
        with self._lock:
            if host not in self._gates:
                self._gates[host] = threading.BoundedSemaphore(
                    _matching(self.limits.by_host, url) or self.limits.concurrency
                )
            return self._gates[host]

    def _spend(self, host: str, requests: int = 0, received: int = 0) -> None:
        self.spent.add(host, requests, received)
        limits, whole = self.limits, self.spent.whole or self.spent
        if whole.ended.is_set():
            raise OverBudget(
                f"catalogues: a request to {host}", "The run was ended", "Repeat the command; what was fetched is kept"
            )
        for name, spent, most in (
            ("requests", whole.requests, limits.max_requests),
            ("bytes", whole.received, limits.max_bytes),
        ):
            if most is not None and spent.total() > most:
                raise OverBudget(
                    f"catalogues: a request to {host}",
                    f"The run may spend {most:,} {name}",
                    f"Raise --max-{name}, or choose a smaller area; what was fetched is kept",
                )


def bare(url: str) -> str:
    """Return an address without query, fragment and user: what may be shown and kept."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "an address that cannot be read"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _refusal(url: str, reply: Reply) -> VadoseError:
    asked, status = f"catalogues: {bare(url)}", reply.status
    if status in (401, 403):
        return Denied(asked, *_denial(reply))
    if status in (404, 410):
        return Absent(asked, f"It does not exist (status {status})", "Search the catalogue again")
    return VadoseError(asked, f"The request is refused (status {status})", "Check the catalogue's settings")


def _denial(reply: Reply) -> tuple[str, str]:
    """Return problem and hint of a denied request; of the body, which may hold a signature, the code alone is used."""
    ahead = time.time() - _sent(reply)
    if abs(ahead) > _SKEW_S:
        side = "ahead of" if ahead > 0 else "behind"
        return (
            f"Access is denied (status {reply.status}): the clock of this machine is {abs(ahead):,.0f} s {side} the "
            "server's",
            "Set the clock: signatures are valid for minutes",
        )
    code = _CODE.search(reply.body)
    name = code[1].decode() if code else ""
    shown = f"Access is denied (status {reply.status}{', ' if name else ''}{name})"
    return shown, _HINTS.get(name, "Check the credentials: vadose catalogues check")


def _sent(reply: Reply) -> float:
    """Return when a server answered, by its clock, s since 1970; the present if it does not say."""
    try:
        return parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return time.time()


def _pause_s(retry_after: str | None, attempt: int, backoff_s: float) -> float:
    """Return the pause after a failed attempt, s: as the server asks, else exponential, with jitter."""
    backoff = backoff_s * float(2 ** (attempt - 1)) * (1 + random.random())  # noqa: S311 (jitter)
    if retry_after is None:
        return backoff
    try:
        return max(float(urllib3.Retry().parse_retry_after(retry_after)), 0.0)
    except HTTPError:
        return backoff


def _matching(held: Mapping[str, _T], url: str) -> _T | None:
    """Return the value of the first pattern that the host of an address meets, with its port or without."""
    parts = urlsplit(url)
    names = (parts.hostname or "", parts.netloc.rpartition("@")[2])
    return next((value for pattern, value in held.items() if any(fnmatch(name, pattern) for name in names)), None)
