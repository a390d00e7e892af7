"""The service of the documentation: several workers that answer alike, are replaced when they die, and end together."""

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import typer

import served_maps
from served_maps import TIMES, WEST, Client
from vadose.cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "serve.md"
MAP = "collections/border-country"
PATIENCE_S = 120


def block(language: str) -> str:
    """The block of the deployment page in a language."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (own,) = found
    return str(own)


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(block("ini"))
    return parser


def commands() -> Iterator[list[str]]:
    """The commands of the page that start a server."""
    yield shlex.split(unit()["Service"]["ExecStart"])
    (line,) = (line for line in block("dockerfile").splitlines() if line.startswith("CMD "))
    yield json.loads(line.removeprefix("CMD "))


def test_the_commands_of_the_page_are_those_of_the_command_line():
    for command in commands():
        at = command.index("serve")
        assert Path(command[0]).name == "vadose"
        group = typer.main.get_command(app)
        context = group.commands["serve"].make_context("serve", command[at + 1 :])
        assert context.params["maps"] and context.params["workers"] == 2
        group.make_context("vadose", command[1 : at + 1])


def test_the_service_can_write_where_it_must_and_the_proxy_sends_what_is_believed():
    service = unit()["Service"]
    assert service["Environment"] == "XDG_CACHE_HOME=/var/cache"
    assert (service["LogsDirectory"], service["CacheDirectory"]) == ("vadose", "vadose")
    assert "/var/log/vadose/" in service["ExecStart"] and service["ReadOnlyPaths"] in service["ExecStart"]
    proxy = block("nginx")
    assert proxy.count("{") == proxy.count("}") == 2
    assert all(line.rstrip().endswith(("{", "}", ";")) for line in proxy.splitlines())
    assert "proxy_pass http://127.0.0.1:8320;" in proxy and "proxy_set_header Host $host;" in proxy


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
def test_the_unit_is_one_of_systemd(tmp_path):
    path = tmp_path / "vadose-serve.service"
    path.write_text(block("ini").replace("/opt/vadose/bin/vadose", "/bin/true"))
    command = ["systemd-analyze", "verify", path]
    checked = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE_S)
    assert checked.returncode == 0 and path.name not in checked.stderr, checked.stderr


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Client, Path, subprocess.Popen[bytes]]]:
    """The service of the page on a free port, its folders elsewhere."""
    folder = served_maps.write(tmp_path / "maps", TIMES[:1], (WEST,))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "serve.log"
    _, *words = next(commands())
    moved = {"/srv/maps": str(folder), "/var/log/vadose/serve.log": str(log)}
    command = [sys.executable, "-c", "from vadose.cli.main import main; main()", *(moved.get(w, w) for w in words)]
    with subprocess.Popen(
        [*command, "--port", str(port)], env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    ) as started:
        try:
            client = Client(f"http://127.0.0.1:{port}/")
            until(lambda: answers(client))
            yield client, log, started
        finally:
            started.terminate()
            started.wait(PATIENCE_S)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def answers(client: Client) -> bool:
    try:
        return client.get("health", host="maps.example.org").status == 200
    except OSError:
        return False


def workers(log: Path) -> set[int]:
    """Processes that answered, by the access log."""
    lines = log.read_text().splitlines() if log.exists() else []
    return {int(line.split()[1]) for line in lines if "vadose.serving.access" in line}


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_workers_answer_alike_and_are_replaced_and_end_together(service):
    client, log, started = service
    tile = f"{MAP}/layers/soil_moisture/tiles/WebMercatorQuad/9/273/178"
    series = f"{MAP}/position?coords=POINT(11.9 47.62)&f=CSV".replace(" ", "%20")

    def asked() -> bool:
        with ThreadPoolExecutor(8) as pool:
            found.update(
                {(one.status, one.headers.get("etag"), one.body) for one in pool.map(client.get, 4 * (tile, series))}
            )
        return len(workers(log)) >= 2

    found: set[tuple[int, str, bytes]] = set()
    until(asked)
    assert len(found) == 2 and {status for status, *_ in found} == {200}, "both workers give the same answers"
    first = workers(log)
    os.kill(min(first), signal.SIGKILL)
    until(lambda: answers(client) and bool(workers(log) - first))
    started.send_signal(signal.SIGTERM)
    assert started.wait(PATIENCE_S) in {0, -signal.SIGTERM}
    until(lambda: not any(map(alive, workers(log))))
    assert not answers(client)
