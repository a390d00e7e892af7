"""The server: uvicorn with limits on connections and slow clients."""

import os
import socket
from asyncio import Transport
from dataclasses import replace
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from vadose.errors import VadoseError
from vadose.io.logs import log_in_worker
from vadose.serving.app import create_app
from vadose.serving.catalogue import Catalogue
from vadose.serving.guards import App
from vadose.serving.limits import LIMITS
from vadose.serving.series_index import Report, build_series_index
from vadose.serving.service import ServeSettings

SETTINGS = "VADOSE_SERVE"
"""Environment variable by which worker processes learn the settings."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_CONNECTIONS = 512


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes connections whose first request does not come within `LIMITS.read_seconds`."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for the request."""
        super().connection_made(transport)
        self.loop.call_later(LIMITS.read_seconds, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def prepare(settings: ServeSettings, report: Report = lambda *_: None) -> tuple[str, ...]:
    """Open the maps once, and make the copies that fast series need.

    Returns:
        Identifiers of the maps.

    Raises:
        VadoseError: one of them is no map.
    """
    maps = Catalogue(settings.maps).maps
    for served in maps:
        build_series_index(served, report)
    return tuple(served.id for served in maps)


def with_hosts(settings: ServeSettings, host: str) -> ServeSettings:
    """Return settings that answer on loopback to its names and `hosts` alone; elsewhere, without `hosts`, to all."""
    return replace(settings, hosts=settings.hosts | LOOPBACK) if host in LOOPBACK or settings.hosts else settings


def serve(settings: ServeSettings, host: str, port: int, workers: int) -> None:
    """Serve until the process is ended.

    Raises:
        VadoseError: the address is taken.
    """
    _require_free(host, port)
    os.environ[SETTINGS] = with_hosts(settings, host).to_json()
    uvicorn.run("vadose.serving.run:app_of_worker", factory=True, workers=workers, host=host, port=port, **options())


def options() -> dict[str, Any]:
    """Return options of uvicorn."""
    return {
        "http": PatientProtocol,
        "ws": "none",
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 5,
        "limit_concurrency": _CONNECTIONS,
    }


def app_of_worker() -> App:
    """Return the application of the settings in the environment."""
    log_in_worker()
    return create_app(ServeSettings.from_json(os.environ[SETTINGS]))


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise VadoseError(
                f"serve: the address {host}:{port}",
                f"It cannot be used ({error.strerror or error})",
                "Give another --port",
            ) from error
