"""HTTP server on an ephemeral port of loopback, in a thread of the test process: log of requests, faults on demand."""

import asyncio
import fnmatch
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import parse_qs

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HOST = "127.0.0.1"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Fault(Protocol):
    """What is done instead of, or around, the answer of a server."""

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None: ...


@dataclass
class Request:
    """One request as the server saw it, and what was sent for it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """By lower-case name."""
    at: float = field(default_factory=time.monotonic)
    """When it came, seconds of `time.monotonic`."""
    status: int | None = None
    """None as long as nothing was answered."""
    sent: int = 0
    """Bytes of body handed to the connection."""
    fault: str = ""
    """Name of the fault that the request met."""

    @property
    def range(self) -> str | None:
        return self.headers.get("range")

    @property
    def parameters(self) -> dict[str, list[str]]:
        return parse_qs(self.query, keep_blank_values=True)


@dataclass
class _Planned:
    """A fault that waits for the requests it is meant for."""

    fault: Fault
    path: str
    times: int | None
    after: int

    def meets(self, request: Request) -> bool:
        """Count a request of this path; whether the fault is due."""
        if self.times == 0 or not fnmatch.fnmatchcase(request.path, self.path):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Totals:
    """Requests and bytes of bodies since the last reset."""

    requests: int = 0
    bytes: int = 0


class _Connection(H11Protocol):
    """Connection that gives each request's scope its transport, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class LoopbackServer:
    """ASGI application served on loopback; a context manager, or `start` and `stop`.

    A client in the same process must release the interpreter's lock while it waits. GDAL's `/vsicurl/` does not always:
    it waits for ever; use it from another process.

    Attributes:
        port: Port, known before the start.
        url: Address without a slash at its end.
        requests: Log of the requests, in the order in which they arrived.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self.requests: list[Request] = []
        self._faults: list[_Planned] = []
        self._socket = socket.create_server((HOST, 0))
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://{HOST}:{self.port}"
        config = uvicorn.Config(
            self._answer,
            http=_Connection,
            ws="none",
            interface="asgi3",
            lifespan="off",
            proxy_headers=False,
            log_config=None,
            access_log=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def start(self) -> Self:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("The server ended before it had started")
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Cut all connections and end the thread."""
        for connection in list(self._server.server_state.connections):
            connection.loop.call_soon_threadsafe(connection.transport.abort)
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def fail(self, fault: Fault, path: str = "*", times: int | None = None, after: int = 0) -> None:
        """Plan a fault for the paths that match a glob.

        Args:
            fault: One of `faults`.
            path: Glob of paths; `*` matches slashes too.
            times: Number of requests that meet it; None for all until `mend`.
            after: Number of matching requests that are answered as usual before.
        """
        self._faults.append(_Planned(fault, path, times, after))

    def mend(self) -> None:
        """Drop all planned faults."""
        self._faults.clear()

    def reset(self) -> None:
        """Forget the requests seen so far."""
        self.requests.clear()

    def totals(self, path: str = "*") -> Totals:
        """Sum the requests whose path matches a glob."""
        seen = self.seen(path)
        return Totals(len(seen), sum(request.sent for request in seen))

    def seen(self, path: str = "*") -> list[Request]:
        return [request for request in list(self.requests) if fnmatch.fnmatchcase(request.path, path)]

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = Request(scope["method"], scope["path"], scope["query_string"].decode(), headers)
        self.requests.append(request)

        async def logged(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
            elif request.method != "HEAD":
                request.sent += len(message.get("body", b""))
            await send(message)

        planned = next((planned for planned in self._faults if planned.meets(request)), None)
        if planned is None:
            await self.app(scope, receive, logged)
        else:
            request.fault = type(planned.fault).__name__
            await planned.fault(self.app, scope, receive, logged)


def start_all(servers: Iterable[LoopbackServer]) -> None:
    for server in servers:
        server.start()


def stop_all(servers: Iterable[LoopbackServer]) -> None:
    """Stop servers side by side."""
    threads = [threading.Thread(target=server.stop) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
