"""Limits of one request, and the errors of requests beyond them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from vadose.errors import VadoseError

_DEADLINE: ContextVar[float] = ContextVar("deadline", default=float("inf"))


@dataclass(frozen=True)
class Limits:
    """Limits of one request.

    Attributes:
        values: cells times dates of a series, an area or a cube.
        cells: cells of one window.
        vertices: vertices of a polygon.
        body_bytes: size of a request's body.
        query_bytes: size of an address.
        seconds: time of computation.
        read_seconds: time within which a client must send its request.
        items: items of one page of a search.
    """

    values: int = 4_000_000
    cells: int = 2_000_000
    vertices: int = 5_000
    body_bytes: int = 1_000_000
    query_bytes: int = 16_000
    seconds: float = 30.0
    read_seconds: float = 10.0
    items: int = 1_000


LIMITS = Limits()


class RequestError(VadoseError):
    """A request that is refused.

    Args:
        status: HTTP status, 4xx or 503.
        context, problem, hint: as of `VadoseError`.
    """

    def __init__(self, status: int, context: str, problem: str, hint: str) -> None:
        super().__init__(context, problem, hint)
        self.status = status


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let `check_time` refuse the request after some seconds."""
    token = _DEADLINE.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def check_time() -> None:
    """Verify that the request is within its time.

    Raises:
        RequestError: it is not (503).
    """
    if time.monotonic() > _DEADLINE.get():
        raise RequestError(
            503, "serve: the request", f"It took longer than {LIMITS.seconds:g} seconds", "Ask for fewer dates or cells"
        )


def require_few(count: int, most: int, what: str, hint: str) -> None:
    """Verify the size of a request.

    Raises:
        RequestError: it is larger than the limit (413).
    """
    if count > most:
        raise RequestError(413, f"serve: {count:,} {what}", f"The limit of one request is {most:,}", hint)
