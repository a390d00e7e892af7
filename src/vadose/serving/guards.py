"""Guards around the application: hosts, token, rate, sizes and times of requests, headers, access log."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio.to_thread

from vadose import __version__
from vadose.serving.catalogue import Catalogue
from vadose.serving.limits import LIMITS, RequestError, time_limit

ACCESS = logging.getLogger("vadose.serving.access")
COOKIE = "vadose-token"
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_MOST_CLIENTS = 10_000
_CACHED_SECONDS = 300
RETRIED, RETRY_SECONDS = frozenset({429, 503}), "5"
"""Statuses after which a client may try again, and when."""
_OPEN = frozenset({"/health"})


def content_policy(basemap_origin: str = "") -> str:
    """Return the content security policy: nothing but this server, and the origin of a base map if there is one."""
    online = f" {basemap_origin}" if basemap_origin else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "worker-src 'self'",
            "style-src 'self'",
            f"img-src 'self' data: blob:{online}",
            f"connect-src 'self'{online}",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'self' http://localhost:* http://127.0.0.1:* vscode-webview:",
        )
    )


@dataclass(eq=False)
class Guard:
    """The guards of an application, in one place.

    Attributes:
        app: the application.
        catalogue: maps, whose versions are the entity tags.
        hosts: names of this server that a request may use; empty for any.
        token: that every request must bear; empty for none.
        rate: requests per second of a client; 0 for no limit.
        policy: content security policy.
    """

    app: App
    catalogue: Catalogue
    hosts: frozenset[str] = frozenset()
    token: str = ""
    rate: float = 0.0
    policy: str = field(default_factory=content_policy)
    _buckets: "OrderedDict[str, tuple[float, float]]" = field(default_factory=OrderedDict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        seen = {"status": 0, "bytes": 0}
        tag = ""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message["headers"] = [*message.get("headers", ()), *self._headers(scope, message["status"], tag)]
            else:
                seen["bytes"] += len(message.get("body", b""))
            await send(message)

        try:
            self._require(scope)
            if await self._signed_in(scope, answer):
                return
            tag = await self._tag(scope)
            if tag and tag in _header(scope, b"if-none-match").split(", "):
                await _respond(answer, 304, b"")
                return
            with time_limit(LIMITS.seconds):
                await self.app(scope, _bounded(receive), answer)
        except RequestError as error:
            await _respond(answer, error.status, error_body(error), retry=error.status in RETRIED)
        finally:
            self._log(scope, seen, time.perf_counter() - began)

    def _require(self, scope: Scope) -> None:
        if self.hosts and host_of(_header(scope, b"host")) not in self.hosts:
            raise RequestError(421, "serve: the host", "This server has another name", "Use the address it printed")
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            raise RequestError(405, "serve: the request", "Its method is none of this server's", "Use GET or POST")
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LIMITS.query_bytes:
            raise RequestError(414, "serve: the address", "It is too long", "Send a large polygon by POST")
        length = _header(scope, b"content-length")
        if length and (not length.isdigit() or int(length) > LIMITS.body_bytes):
            raise _too_large()
        if self.rate and not self._spend(str((scope.get("client") or ("",))[0])):
            raise RequestError(429, "serve: the request", "There were too many", f"Send at most {self.rate:g} a second")

    def _spend(self, client: str) -> bool:
        """Take one request from the bucket of a client, which holds ten seconds of them."""
        now = time.monotonic()
        left, at = self._buckets.pop(client, (10 * self.rate, now))
        left = min(10 * self.rate, left + (now - at) * self.rate)
        self._buckets[client] = (max(left - 1, 0.0), now)
        while len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return left >= 1

    async def _signed_in(self, scope: Scope, answer: Send) -> bool:
        """Verify the token; one in the address becomes a cookie. Return whether that answered the request."""
        if not self.token or scope["path"] in _OPEN:
            return False
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=50))
        bearer = _header(scope, b"authorization").removeprefix("Bearer ")
        cookies = dict(part.strip().partition("=")[::2] for part in _header(scope, b"cookie").split(";"))
        given = [bearer, cookies.get(COOKIE, ""), asked.get("token", "")]
        right = [hmac.compare_digest(one.encode(), self.token.encode()) for one in given]
        if not any(right):
            raise RequestError(401, "serve: the request", "It bears no valid token", "Use the address with the token")
        if not right[2] or scope["path"] != "/":
            return False
        rest = urlencode({key: value for key, value in asked.items() if key != "token"})
        cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Lax; Path=/"
        location = "/" + (f"?{rest}" if rest else "")
        await _respond(answer, 303, b"", extra=[(b"location", location.encode()), (b"set-cookie", cookie.encode())])
        return True

    async def _tag(self, scope: Scope) -> str:
        """Return the entity tag of an answer from the maps; empty for others."""
        path = scope["path"]
        if scope["method"] == "POST" or not path.startswith(("/collections", "/search")) or "/assets/" in path:
            return ""
        name = [*path.split("/"), ""][2] if path.startswith("/collections/") else ""
        try:
            versions = await self._versions(name)
        except RequestError:
            return ""
        asked = (path, scope["query_string"].decode("latin-1"), _header(scope, b"accept"), _header(scope, b"host"))
        return f'W/"{hashlib.sha256(json.dumps([__version__, versions, asked]).encode()).hexdigest()[:20]}"'

    async def _versions(self, name: str) -> list[str]:
        """Return the version of a map, or of all; files are read beside the event loop."""

        def held() -> list[str]:
            return [self.catalogue[name].version] if name else [one.version for one in self.catalogue.maps]

        return held() if self.catalogue.is_fresh() else await anyio.to_thread.run_sync(held)

    def _headers(self, scope: Scope, status: int, tag: str) -> list[tuple[bytes, bytes]]:
        headers = {
            "content-security-policy": self.policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "permissions-policy": "geolocation=(self), camera=(), microphone=()",
            "cross-origin-resource-policy": "same-origin",
        }
        kept = "private" if self.token else "public"
        if tag and status in {200, 304}:
            headers |= {"etag": tag, "cache-control": f"{kept}, max-age={_CACHED_SECONDS}", "vary": "accept"}
        elif not scope["path"].startswith("/viewer/"):
            headers |= {"cache-control": "no-cache"}
        return [(name.encode(), value.encode()) for name, value in headers.items()]

    def _log(self, scope: Scope, seen: Mapping[str, int], seconds: float) -> None:
        if not ACCESS.isEnabledFor(logging.INFO):
            return
        facts = {
            "client": (scope.get("client") or ("",))[0],
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode("latin-1")[:500] if not self.token else "",
            "status": seen["status"],
            "bytes": seen["bytes"],
            "ms": round(1000 * seconds, 1),
        }
        ACCESS.info(json.dumps(facts))


def error_body(error: RequestError) -> bytes:
    """Return the body of an error: its three parts and its status."""
    facts = {"status": error.status, "context": error.context, "problem": error.problem, "hint": error.hint}
    return json.dumps(facts).encode()


def _bounded(receive: Receive) -> Receive:
    """Return the body of a request within its limits of size and time."""
    read, until = 0, time.monotonic() + LIMITS.read_seconds

    async def bounded() -> Message:
        nonlocal read
        if read < 0:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(until - time.monotonic(), 0.001))
        except TimeoutError as error:
            raise RequestError(408, "serve: the body", "It came too slowly", "Send it again") from error
        read += len(message.get("body", b""))
        if read > LIMITS.body_bytes:
            raise _too_large()
        if not message.get("more_body"):
            read = -1  # what follows is the end of the connection
        return message

    return bounded


def _too_large() -> RequestError:
    return RequestError(413, "serve: the body", f"It is larger than {LIMITS.body_bytes:,} bytes", "Send less")


def host_of(header: str) -> str:
    """Return the name in a Host header, without port and brackets, in lower case; empty for an invalid one."""
    if header.count(":") > 1 and not header.startswith("["):
        return header.lower()
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def _respond(
    send: Send, status: int, body: bytes, *, retry: bool = False, extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [(b"content-length", str(len(body)).encode()), *(extra or [])]
    headers += [(b"content-type", b"application/problem+json")] if body else []
    headers += [(b"retry-after", RETRY_SECONDS.encode())] if retry else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
