"""Faults of a server, planned with `LoopbackServer.fail`: each is done instead of, or around, the usual answer."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from catalogue_servers.bodies import Content, send_content, send_reply
from catalogue_servers.loopback import App, Message, Receive, Scope, Send

HTML_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form>Please log in</form></body></html>\n"
)


@dataclass(frozen=True)
class Reply:
    """A fixed answer, whatever was asked."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        await send_reply(send, self.status, self.body, {"content-type": self.content_type, **self.headers})


def down(retry_after: int | str | None = None) -> Reply:
    """Answer 503."""
    return Reply(503, b"Service Unavailable", headers=_retry(retry_after))


def too_many_requests(retry_after: int | str | None = 1) -> Reply:
    """Answer 429; `retry_after` in seconds or as an HTTP date."""
    return Reply(429, b'{"code":"TooManyRequests"}', "application/json", _retry(retry_after))


def html_page() -> Reply:
    """Answer 200 with a page to log in, as gateways do."""
    return Reply(200, HTML_PAGE, "text/html; charset=utf-8")


def broken_json() -> Reply:
    return Reply(200, b'{"type": "FeatureCollection", "features": [{"type": "Feat', "application/geo+json")


def no_items() -> Reply:
    return Reply(200, b'{"type":"FeatureCollection","features":[],"links":[]}', "application/geo+json")


def redirect(to: str, status: int = 302) -> Reply:
    return Reply(status, headers={"location": to})


def _retry(after: int | str | None) -> dict[str, str]:
    return {} if after is None else {"retry-after": str(after)}


@dataclass(frozen=True)
class Stall:
    """Say nothing for a while, then answer; with `share`, fall silent within the body."""

    seconds: float = 60.0
    share: float | None = None

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        if self.share is None:
            if not await _gone(receive, self.seconds):
                await app(scope, receive, send)
            return

        async def silent() -> None:
            await _gone(receive, self.seconds)
            await _hang_up(scope, receive, abruptly=False)

        await _cut(self.share, app, scope, receive, send, silent)


@dataclass(frozen=True)
class Truncate:
    """Announce the whole body, send a share of it, and end the connection."""

    share: float = 0.5

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        await _cut(self.share, app, scope, receive, send, lambda: _hang_up(scope, receive, abruptly=False))


@dataclass(frozen=True)
class Reset:
    """Reset the connection (RST): before any answer, or within the body if `share` is given."""

    share: float | None = None

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        if self.share is None:
            await _hang_up(scope, receive, abruptly=True)
        else:
            await _cut(self.share, app, scope, receive, send, lambda: _hang_up(scope, receive, abruptly=True))


@dataclass(frozen=True)
class Slow:
    """Send the usual answer at a limited rate."""

    bytes_per_second: float
    first_byte: float = 0.0
    """Delay of the answer's head, seconds."""

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        async def slowly(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(self.first_byte)
                await send(message)
                return
            body, more = message.get("body", b""), message.get("more_body", False)
            step = max(1, int(self.bytes_per_second / 20))
            for start in range(0, len(body), step):
                part = body[start : start + step]
                await asyncio.sleep(len(part) / self.bytes_per_second)
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": more})

        await app(scope, receive, slowly)


@dataclass(frozen=True)
class IgnoreRange:
    """Answer a range request with 200 and the whole file."""

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await app({**scope, "headers": headers}, receive, send)


@dataclass(frozen=True)
class Swap:
    """Serve other bytes, with an ETag of their own, under the same address: a reprocessed file."""

    content: bytes

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        await send_content(Content.of_bytes(self.content), scope, send)


@dataclass(frozen=True)
class WrongRange:
    """Answer a range request with 206 and the bytes of another range, as a confused cache does."""

    shift: int = 1

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        def shifted(value: bytes) -> bytes:
            first, _, last = value.removeprefix(b"bytes=").partition(b"-")
            return b"bytes=%d-%d" % (int(first) + self.shift, int(last) + self.shift)

        headers = [(name, shifted(value) if name == b"range" else value) for name, value in scope["headers"]]
        await app({**scope, "headers": headers}, receive, send)


async def _cut(
    share: float, app: App, scope: Scope, receive: Receive, send: Send, end: Callable[[], Awaitable[None]]
) -> None:
    """Pass on a share of the body, then do what ends the connection."""
    left: int | None = None

    async def partly(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            announced = int(dict(message["headers"])[b"content-length"])
            left = int(announced * share)
            await send(message)
        elif left is not None:
            part = message.get("body", b"")[:left]
            left -= len(part)
            await send({"type": "http.response.body", "body": part, "more_body": True})
            if left == 0:
                left = None
                await end()

    await app(scope, receive, partly)


async def _hang_up(scope: Scope, receive: Receive, *, abruptly: bool) -> None:
    transport = scope["state"]["transport"]
    if abruptly:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    await _gone(receive, 10)


async def _gone(receive: Receive, seconds: float) -> bool:
    """Wait until the other side is gone, at most some seconds; whether it is."""

    async def disconnected() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(disconnected(), seconds)
    except TimeoutError:
        return False
    return True
