"""When products could be had: by the dates of their catalogue where these tell it, else by latency."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from vadose.errors import VadoseError
from vadose.grid import earlier, nanosecond
from vadose.io.files import read_json

LATE_DAYS = 30.0
"""Days after the nominal publication until which a catalogue's date is that of a product's publication. A later one is
that of a reprocessed product, or of a catalogue that was filled afterwards: the first product of the observation could
be had before, and counts by its latency."""
NAME = ".vadose-published.json"
"""File of a fetched archive with the dates of its granules, by file name: items state their own."""


def by_catalogue(stated: np.datetime64 | None, observed: np.datetime64, nominal: np.datetime64) -> np.datetime64 | None:
    """Return the date of a catalogue if it tells when a product could be had; None otherwise.

    Args:
        stated: earliest date of the product in the catalogue, UTC; later ones are of changes.
        observed: time of the observation.
        nominal: publication by the latency of the source.
    """
    if stated is None or np.isnat(stated) or stated < observed or earlier(stated, LATE_DAYS) > nominal:
        return None
    return nanosecond(stated)


def read_dates(folder: Path) -> dict[str, np.datetime64]:
    """Return the catalogue's dates of the granules of an archive, by file name; without those that are unreadable."""
    path = folder / NAME
    try:
        held = read_json(path, f"archive: {path}", "Fetch again") if path.is_file() else {}
    except VadoseError:
        return {}
    found = {}
    for name, text in held.items() if isinstance(held, Mapping) else ():
        try:
            found[str(name)] = nanosecond(str(text).removesuffix("Z"))
        except (VadoseError, ValueError):
            continue
    return found


def earliest(dates: Iterable[str | None]) -> str | None:
    """Return the first of some times, text that sorts."""
    return min((date for date in dates if date), default=None)
