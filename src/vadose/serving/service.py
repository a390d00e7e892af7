"""What the routes of the server share: settings, maps, sensors."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vadose import __version__
from vadose.errors import VadoseError
from vadose.grid import bbox_of
from vadose.serving.catalogue import Catalogue, ServedMap, time_text
from vadose.serving.limits import RequestError
from vadose.serving.sensors import Sensors
from vadose.serving.series import MapReader
from vadose.serving.styles import styles_of


@dataclass(frozen=True)
class ServeSettings:
    """What is served, and to whom.

    Attributes:
        maps: folders of maps or of daily maps, or cubes.
        sensors: ISMN archive or its tables; None for none.
        scorecard: folder with the scores of the sensors; None for none.
        export_sensors: whether raw readings may be downloaded, which ISMN's terms leave to the user.
        hosts: names by which requests may call the server; empty for any.
        token: that every request must bear; empty for none.
        rate: requests per second of a client; 0 for no limit.
        basemap: template of online tiles, https://…/{z}/{x}/{y}.png; empty for the bundled coastlines alone.
    """

    maps: tuple[Path, ...]
    sensors: Path | None = None
    scorecard: Path | None = None
    export_sensors: bool = False
    hosts: frozenset[str] = frozenset()
    token: str = ""
    rate: float = 0.0
    basemap: str = ""

    def to_json(self) -> str:
        """Return the settings as text."""
        return json.dumps(
            {key: sorted(value) if isinstance(value, frozenset) else value for key, value in vars(self).items()},
            default=str,
        )

    @classmethod
    def from_json(cls, text: str) -> "ServeSettings":
        """Return the settings of `to_json`."""
        held = json.loads(text)
        held |= {"maps": tuple(map(Path, held["maps"])), "hosts": frozenset(held["hosts"])}
        held |= {key: Path(held[key]) for key in ("sensors", "scorecard") if held[key]}
        return cls(**held)


@dataclass(eq=False)
class Service:
    """What the routes share."""

    settings: ServeSettings
    catalogue: Catalogue
    reader: MapReader = field(default_factory=MapReader)

    @classmethod
    def of(cls, settings: ServeSettings) -> "Service":
        """Open the maps.

        Raises:
            VadoseError: one of them is no map, or the base map is no template of https.
        """
        parts = urlsplit(settings.basemap)
        if settings.basemap and (parts.scheme not in {"https", "http"} or "{z}" not in settings.basemap):
            raise VadoseError(
                f"serve: the base map {settings.basemap}",
                "It is no template of tiles",
                "Write https://…/{z}/{x}/{y}.png",
            )
        return cls(settings, Catalogue(settings.maps))

    @cached_property
    def sensors(self) -> Sensors | None:
        """The sensors, if any are served."""
        held = self.settings
        return Sensors(held.sensors, held.scorecard) if held.sensors else None

    def require_sensors(self) -> Sensors:
        """Return the sensors.

        Raises:
            RequestError: none are served (404).
        """
        if self.sensors is None:
            raise RequestError(404, "serve: sensors", "This server has none", "Start it with --sensors")
        return self.sensors

    def config(self) -> dict[str, Any]:
        """Return what the viewer must know."""
        return {
            "version": __version__,
            "basemap": self.settings.basemap,
            "export_sensors": self.settings.export_sensors,
            "sensors": self.sensors is not None,
            "maps": [map_config(served) for served in self.catalogue.maps],
        }


def map_config(served: ServedMap) -> dict[str, Any]:
    """Return what the viewer must know of a map."""
    return {
        "id": served.id,
        "title": served.title,
        "notice": served.notice,
        "version": served.version,
        "bbox": list(served.bbox),
        "times": [time_text(moment) for moment in served.times],
        "sources": list(served.ages),
        "layers": [style.legend() for style in styles_of(served).values()],
        "zones": [{"epsg": epsg, "bbox": list(bbox_of(outline))} for epsg, outline in sorted(served.outlines.items())],
    }
