"""Guard of sockets: a test that reaches beyond loopback fails."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost", "0.0.0.0", "::"})


class LeftLoopback(AssertionError):
    """A test tried to reach another machine."""


@pytest.fixture(scope="session", autouse=True)
def beyond_loopback() -> Iterator[list[str]]:
    """Refuse whatever leaves this machine, in this process; programs that a test starts are not guarded."""
    with pytest.MonkeyPatch.context() as patch:
        yield keep_on_loopback(patch)


@pytest.fixture(autouse=True)
def stays_on_loopback(beyond_loopback: list[str]) -> Iterator[None]:
    """Fail a test that reached for another machine, even if it caught the refusal."""
    beyond_loopback.clear()
    yield
    assert not beyond_loopback, f"The test reached for {', '.join(beyond_loopback)}: tests stay on loopback"


def keep_on_loopback(patch: pytest.MonkeyPatch) -> list[str]:
    """Refuse connections, datagrams and look-ups of names that lead beyond loopback or a Unix socket.

    This process alone is guarded: programs that a test starts are not.

    Returns:
        Hosts that were reached for, also where the refusal was caught.
    """
    hosts: list[str] = []

    def require(host: Any) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if not is_loopback(name):
            hosts.append(name)
            raise LeftLoopback(f"A test reached for {name}: tests stay on loopback")

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, *given: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                require(given[-1][0])
            return method(self, *given)

        return call

    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        if host is not None:
            require(host)
        return look_up(host, *rest, **named)

    look_up = socket.getaddrinfo
    for name in ("connect", "connect_ex", "sendto"):
        patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    return hosts


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its own word: a loopback address, or a name of it."""
    if host.lower() in NAMES or host.lower() == socket.gethostname().lower():
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
