"""Serving of finished maps: the viewer and its interface over HTTP."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import xarray as xr

from vadose.api.callbacks import Progress, silent
from vadose.errors import VadoseError
from vadose.io.paths import StrPath

if TYPE_CHECKING:
    from vadose.serving.service import ServeSettings

_START_SECONDS = 20.0


def serve(
    *maps: StrPath,
    sensors: StrPath | None = None,
    scorecard: StrPath | None = None,
    export_sensors: bool = False,
    host: str = "127.0.0.1",
    port: int = 8320,
    token: str = "",
    rate: float = 0.0,
    workers: int = 1,
    basemap: str = "",
    names: Iterable[str] = (),
    progress: Progress = silent,
) -> None:
    """Serve finished maps, with the viewer, until the process is ended.

    Args:
        maps: folders that `make_map` or `make_daily_maps` wrote, or their cubes.
        sensors: ISMN archive, or the tables made from it; shown beside the estimates of their cells.
        scorecard: folder of a run or of a scorecard: the scores of the sensors.
        export_sensors: whether all readings may be downloaded; ISMN's terms leave this to you.
        host: address; beyond loopback, give a token or a reverse proxy.
        port: number of the port.
        token: that every request must bear; empty for none.
        rate: requests per second of a client; 0 for no limit.
        workers: processes.
        basemap: template of online tiles as background; by default the bundled coastlines.
        names: host names of a reverse proxy; on loopback, only its own names are answered otherwise.
        progress: called while copies for fast series are made.

    Raises:
        VadoseError: a map is missing or unreadable, the address is taken, or the extra `serve` is not installed.
    """
    settings = serve_settings(
        *maps,
        sensors=sensors,
        scorecard=scorecard,
        export_sensors=export_sensors,
        token=token,
        rate=rate,
        basemap=basemap,
        names=names,
    )
    from vadose.serving import run  # noqa: PLC0415 (an extra)

    run.prepare(settings, progress)
    run.serve(settings, host, port, workers)


def serve_settings(
    *maps: StrPath,
    sensors: StrPath | None = None,
    scorecard: StrPath | None = None,
    export_sensors: bool = False,
    token: str = "",
    rate: float = 0.0,
    basemap: str = "",
    names: Iterable[str] = (),
) -> "ServeSettings":
    """Return settings of a server, verified.

    Raises:
        VadoseError: there is no map, or the extra `serve` is not installed.
    """
    try:
        from vadose.serving.service import ServeSettings  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as error:
        raise VadoseError(
            "serve: the web server", f"The package {error.name} is missing", "Install vadose[serve]"
        ) from error
    if not maps:
        raise VadoseError("serve: maps", "There are none", "Give the folder that 'vadose map' wrote")
    return ServeSettings(
        tuple(Path(one) for one in maps),
        None if sensors is None else Path(sensors),
        None if scorecard is None else Path(scorecard),
        export_sensors,
        frozenset(name.lower() for name in names),
        token,
        rate,
        basemap,
    )


def export_viewer(*maps: StrPath, out: StrPath, basemap: str = "", progress: Progress = silent) -> int:
    """Write finished maps and the viewer as files, for any web server or bucket that answers ranges.

    Args:
        maps: as in `serve`.
        out: folder of the export; an older one is replaced.
        basemap: as in `serve`.
        progress: called with the number of finished steps, their total, and the map.

    Returns:
        The number of files.

    Raises:
        VadoseError: a map is missing or unreadable, `out` holds something else, or the extra `serve` is not installed.
    """
    settings = serve_settings(*maps, basemap=basemap)
    from vadose.serving.export import export  # noqa: PLC0415 (an extra)

    place = Path(out)
    if (
        place.exists()
        and not (place / "viewer" / "config.json").is_file()
        and (not place.is_dir() or any(place.iterdir()))
    ):
        raise VadoseError(f"serve: {place}", "It is no folder of an earlier export", "Name another --export")
    return export(settings, place, progress)


@dataclass(frozen=True)
class Exploration:
    """The viewer of a map in a notebook.

    Attributes:
        url: address of the viewer, on this machine.
        height: height of the frame, pixels.
    """

    url: str
    height: int = 640

    def _repr_html_(self) -> str:
        address = escape(self.url, quote=True)
        return (
            f'<iframe src="{address}" title="Soil moisture map" width="100%" height="{self.height}" '
            f'style="border:0"></iframe><p><a href="{address}" target="_blank">Open in a window</a></p>'
        )


def explore(maps: Iterable[StrPath], height: int = 640, **settings: StrPath | None) -> Exploration:
    """Show maps in a notebook: a server on loopback, in a thread of this process, and its viewer in a frame.

    Args:
        maps: as in `serve`.
        height: height of the frame, pixels.
        settings: sensors and scorecard, as in `serve`.

    Raises:
        VadoseError: a map is missing or unreadable, or the extra `serve` is not installed.
    """
    held = serve_settings(*maps, **settings)  # type: ignore[arg-type]
    import uvicorn  # noqa: PLC0415 (an extra)

    from vadose.serving import run  # noqa: PLC0415
    from vadose.serving.app import create_app  # noqa: PLC0415

    run.prepare(held)
    app = create_app(run.with_hosts(held, "127.0.0.1"))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, **run.options()))
    threading.Thread(target=server.run, name="vadose-viewer", daemon=True).start()
    until = time.monotonic() + _START_SECONDS
    while not server.started:
        if time.monotonic() > until:
            raise VadoseError("serve: the viewer", "Its server did not start", "Run 'vadose serve' in a terminal")
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    with urlopen(f"{address}health", timeout=_START_SECONDS):  # noqa: S310 (this server)
        return Exploration(address, height)


@xr.register_datatree_accessor("vadose")  # type: ignore[no-untyped-call]
class MapAccessor:
    """`open_map(...).vadose`: the viewer of an opened map."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def explore(self, height: int = 640, **settings: StrPath | None) -> Exploration:
        """Show the map in a notebook; see `vadose.explore`.

        Raises:
            VadoseError: the map was not opened by `open_map`.
        """
        path = self._tree.encoding.get("source")
        if path is None:
            raise VadoseError("serve: the map", "It was not opened by open_map", "Call vadose.explore with its folder")
        return explore([path], height, **settings)
