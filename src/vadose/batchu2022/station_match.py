"""Matching of published sensors to an ISMN archive, by complete names and by depth."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vadose.dataset.labels import at_top
from vadose.insitu.headers import Sensor


@dataclass(frozen=True)
class SensorId:
    """A published sensor: NETWORK__STATION__SENSOR.

    Attributes:
        network, station, instrument: its parts.
    """

    network: str
    station: str
    instrument: str

    @classmethod
    def of(cls, text: str) -> "SensorId":
        """Return the parts of a published identifier.

        Raises:
            Unmatched: it does not have three.
        """
        parts = text.split("__")
        if len(parts) != 3 or not all(parts):
            raise Unmatched(f"sensor id '{text}' is not NETWORK__STATION__SENSOR")
        return cls(*parts)


class Unmatched(ValueError):
    """An example without a label; the message contains the reason."""


def matching(wanted: SensorId, sensors: Iterable[Sensor], deepest_m: float) -> Sensor:
    """Return the archive's sensor of a published one.

    Names match if they are equal, or, without such a match, if their letters and digits are: published names lack some
    of ISMN's characters. Parts of names do not match. Of the sensors of the station within the top soil, that of the
    published instrument is chosen, else one at 0-0.05 m, then at 0.05 m, in the order of the published labels.

    Raises:
        Unmatched: there is none, or more than one.
    """
    network = _named(wanted.network, sensors, lambda sensor: sensor.network, "network")
    station = _named(wanted.station, network, lambda sensor: sensor.station, f"station of {wanted.network}")
    top = [sensor for sensor in station if at_top(sensor.depth_from_m, sensor.depth_to_m, deepest_m)]
    if not top:
        depths = ", ".join(sorted(f"{one.depth_from_m:g}-{one.depth_to_m:g} m" for one in station))
        raise Unmatched(f"no sensor of {wanted.network} {wanted.station} within 0-{deepest_m:g} m, only at {depths}")
    own = [sensor for sensor in top if is_instrument(wanted, sensor)]
    best = min(map(_preference, own or top))
    found = [sensor for sensor in own or top if _preference(sensor) == best]
    if len(found) > 1:
        names = ", ".join(sorted(sensor.id for sensor in found))
        raise Unmatched(f"several sensors could be '{wanted.instrument}': {names}")
    return found[0]


def is_instrument(wanted: SensorId, sensor: Sensor) -> bool:
    """Return whether a sensor is of the published instrument."""
    return _signs(sensor.instrument) == _signs(wanted.instrument)


def _named(name: str, sensors: Iterable[Sensor], of: Callable[[Sensor], str], what: str) -> list[Sensor]:
    held = list(sensors)
    found = [one for one in held if of(one) == name] or [one for one in held if _signs(of(one)) == _signs(name)]
    names = sorted({of(one) for one in found})
    if not names:
        raise Unmatched(f"no {what} named '{name}' in the archive")
    if len(names) > 1:
        raise Unmatched(f"the {what} named '{name}' could be {' or '.join(names)}")
    return found


def _preference(sensor: Sensor) -> tuple[int, float, float]:
    layer = (round(sensor.depth_from_m, 2), round(sensor.depth_to_m, 2))
    order = {(0.0, 0.05): 0, (0.05, 0.05): 1}
    return order.get(layer, 2), sensor.depth_to_m, sensor.depth_from_m


def _signs(name: str) -> str:
    return re.sub(r"[\W_]+", "", name)
