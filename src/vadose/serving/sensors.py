"""In-situ sensors beside the estimates of their cells."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vadose.errors import NoDataError, VadoseError
from vadose.grid import nanoseconds, nearest_in_time
from vadose.insitu import Ismn, Sensor
from vadose.insitu.flags import explained
from vadose.serving.catalogue import ServedMap, time_text
from vadose.serving.limits import RequestError
from vadose.serving.series import cell_at

DEEPEST_M = 0.1
"""Depth to which sensors are shown, m."""
APART = np.timedelta64(1, "h")
"""Time within which a reading is beside an estimate."""
_SCORES = ("product", "n", "r", "bias", "rmse", "ubrmse", "coverage_90")
_KEY = ("network", "station", "sensor")


@dataclass(frozen=True, eq=False)
class Sensors:
    """The sensors of an archive, and their scores.

    Attributes:
        path: ISMN archive, or tables made from one.
        scorecard: folder of a scorecard, or of a run with one; None for none.
    """

    path: Path
    scorecard: Path | None = None
    _readings: dict[Sensor, pd.DataFrame] = field(default_factory=dict)

    @cached_property
    def archive(self) -> Ismn:
        """The archive."""
        return Ismn(self.path, skip_malformed=True)

    @cached_property
    def scores(self) -> Mapping[tuple[str, ...], dict[str, Any]]:
        """Scores by network, station and sensor: those of the first product."""
        if self.scorecard is None:
            return {}
        file = self.scorecard / "scorecard.csv" if self.scorecard.is_dir() else self.scorecard
        try:
            table = pd.read_csv(file, dtype=dict.fromkeys(_KEY, str))
            table = table[table["product"] == table["product"].iloc[0]]
            rows = table[[*_KEY, *_SCORES]].to_dict("records")
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise VadoseError(
                f"serve: the scorecard {file}", f"It cannot be read ({error})", "Give the folder of a scorecard"
            ) from error
        return {
            tuple(str(row[key]) for key in _KEY): {
                name: None if isinstance(row[name], float) and not np.isfinite(row[name]) else row[name]
                for name in _SCORES
            }
            for row in rows
        }

    @lru_cache(maxsize=16)  # noqa: B019 (one object for the life of the server)
    def within(self, served: ServedMap) -> Mapping[str, Sensor]:
        """Return the sensors in the cells of a map, by identifier."""
        try:
            found = self.archive.sensors(deepest_m=DEEPEST_M)
        except NoDataError:
            return {}
        return {identifier(sensor): sensor for sensor in found if _is_within(served, sensor)}

    def features(self, served: ServedMap) -> dict[str, Any]:
        """Return the sensors in the cells of a map as GeoJSON, with their scores."""
        return {
            "type": "FeatureCollection",
            "features": [self.feature(name, sensor) for name, sensor in self.within(served).items()],
        }

    def feature(self, name: str, sensor: Sensor) -> dict[str, Any]:
        """Return a sensor as GeoJSON."""
        scores = self.scores.get(tuple(sensor.identity.values()))
        return {
            "type": "Feature",
            "id": name,
            "geometry": {"type": "Point", "coordinates": [sensor.lon, sensor.lat]},
            "properties": {
                **sensor.identity,
                "depth_from_m": sensor.depth_from_m,
                "depth_to_m": sensor.depth_to_m,
            }
            | ({"scores": scores} if scores else {}),
        }

    def readings(self, served: ServedMap, name: str) -> pd.DataFrame:
        """Return all readings of a sensor in a map.

        Raises:
            RequestError: there is no such sensor (404).
        """
        sensor = self.sensor(served, name)
        if sensor not in self._readings:
            self._readings[sensor] = self.archive.read(sensor)
        return self._readings[sensor]

    def sensor(self, served: ServedMap, name: str) -> Sensor:
        """Return a sensor of a map.

        Raises:
            RequestError: there is none such (404).
        """
        known = self.within(served)
        if name not in known:
            raise RequestError(404, "serve: a sensor", f"The map {served.id} has none such", "See the list of sensors")
        return known[name]

    def beside(self, served: ServedMap, name: str, times: Sequence[np.datetime64]) -> dict[str, list[Any]]:
        """Return the reading nearest to each time, within an hour, with ISMN's flag and its meaning."""
        held = self.readings(served, name)
        columns: dict[str, list[Any]] = {key: [] for key in ("datetime", "time_read", "reading", "flag", "meaning")}
        known = nanoseconds(held.index.to_numpy())
        if not known.size:
            return columns
        asked = nanoseconds(np.array(times))
        for moment, at in zip(asked, nearest_in_time(known, asked), strict=True):
            if abs(known[at] - moment) > APART:
                continue
            value, flag = float(held["soil_moisture"].iloc[at]), str(held["flag"].iloc[at])
            row = (
                time_text(moment),
                time_text(known[at]),
                value if np.isfinite(value) else None,
                flag,
                explained(flag),
            )
            for column, cell in zip(columns.values(), row, strict=True):
                column.append(cell)
        return columns


def identifier(sensor: Sensor) -> str:
    """Return the identifier of a sensor in addresses."""
    return hashlib.sha256(sensor.id.encode()).hexdigest()[:16]


def _is_within(served: ServedMap, sensor: Sensor) -> bool:
    try:
        cell_at(served, sensor.lon, sensor.lat)
    except RequestError:
        return False
    return True
