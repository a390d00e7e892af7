"""FRM classes of ISMN sensors: how well each represents its surroundings, as ESA's FRM4SM project qualifies it.

An archive has them where `frm_classification.csv` is in it, which QA4SM's preprocessing writes, or where the ismn
package was given that table: then they are in its folder `python_metadata`.
"""

import csv
from collections.abc import Iterator, Mapping
from typing import Final

from vadose.insitu.headers import Sensor, decoded, malformed, without_mark
from vadose.variables import FRM_CLASS

TABLE: Final = "frm_classification.csv"
FOLDER: Final = "python_metadata"
Place = tuple[str, str, str, int, int]
"""Network, station, instrument, and depths in mm."""


def place_of(sensor: Sensor) -> Place:
    """Return the key of a sensor."""
    return _place(sensor.network, sensor.station, sensor.instrument, sensor.depth_from_m, sensor.depth_to_m)


def read_frm(file: str, content: bytes) -> dict[Place, str]:
    """Read the classes of the soil moisture sensors of a table.

    Args:
        file: its path, for messages and for its kind.
        content: its bytes.

    Returns:
        Classes in lower case, such as "very representative", without those of other sensors; none if the table has no
        such column.

    Raises:
        VadoseError: it is not such a table.
    """
    try:
        lines = decoded(without_mark(file, content)).splitlines()
        rows = list(_sensors(lines)) if file.endswith(TABLE) else list(_metadata(lines))
        return {
            _place(
                row["network"], row["station"], row["instrument"], float(row["depth_from"]), float(row["depth_to"])
            ): row[FRM_CLASS].strip().lower()
            for row in rows
            if row.get(FRM_CLASS) and row["variable"] == "soil_moisture"
        }
    except (KeyError, ValueError, StopIteration, csv.Error) as error:
        raise malformed(file, f"It is not a table of FRM classes: {error!r}") from error


def _sensors(lines: list[str]) -> Iterator[Mapping[str, str]]:
    return iter(csv.DictReader(lines, delimiter=";", restval=""))


def _metadata(lines: list[str]) -> Iterator[Mapping[str, str]]:
    """Yield rows of the ismn package's metadata, which has a value and two depths for each variable."""
    rows = csv.reader(lines)
    heads = list(zip(next(rows), next(rows), strict=True))
    names = [name if key == "val" else key if name == "instrument" else "" for name, key in heads]
    for row in rows:
        yield dict(zip(names, row, strict=False))


def _place(network: str, station: str, instrument: str, depth_from_m: float, depth_to_m: float) -> Place:
    return network, station, instrument, round(1000 * depth_from_m), round(1000 * depth_to_m)
