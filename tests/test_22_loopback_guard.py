"""Tests cannot reach another machine."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import loopback_guard
from loopback_guard import LeftLoopback, is_loopback


@pytest.fixture
def reached() -> Iterator[list[str]]:
    """Hosts that a guard of this test's own saw."""
    with pytest.MonkeyPatch.context() as patch:
        yield loopback_guard.keep_on_loopback(patch)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1", "localhost", socket.gethostname()]
)
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "10.0.0.1", "169.254.169.254", "2001:db8::1", "example.org", "127.0.0.1.org"]
)
def test_other_machines(host: str) -> None:
    assert not is_loopback(host)


def test_connections_are_refused_at_once(reached: list[str], beyond_loopback: list[str]) -> None:
    with socket.socket() as tcp:
        with pytest.raises(LeftLoopback):
            tcp.connect(("192.0.2.1", 80))
        with pytest.raises(LeftLoopback):
            tcp.connect_ex(("192.0.2.2", 80))
    with socket.socket(type=socket.SOCK_DGRAM) as udp, pytest.raises(LeftLoopback):
        udp.sendto(b"x", ("192.0.2.3", 53))
    with socket.socket(socket.AF_INET6) as tcp6, pytest.raises(LeftLoopback):
        tcp6.connect(("2001:db8::1", 80))
    with pytest.raises(LeftLoopback):
        socket.create_connection(("example.invalid", 80))
    assert reached == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "example.invalid"]
    assert beyond_loopback == []  # the inner guard refused first


def test_loopback_and_unix_sockets_work(reached: list[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        with socket.socket() as client:
            assert client.connect_ex(server.getsockname()) == 0
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
    assert reached == []


def test_a_test_that_catches_the_refusal_fails_too(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import socket\n"
        "def test_reaches():\n"
        "    try:\n"
        "        socket.create_connection(('192.0.2.1', 80))\n"
        "    except AssertionError:\n"
        "        pass\n"
        "def test_stays():\n"
        "    pass\n"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "loopback_guard", "test_it.py"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed, 1 error" in ended.stdout and "reached for 192.0.2.1" in ended.stdout
