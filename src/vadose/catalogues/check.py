"""Whether catalogues answer, and whether their files can be read with the credentials of this machine."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from vadose.catalogues.cache import BlockCache
from vadose.catalogues.credentials import client_of
from vadose.catalogues.demand import Demand, around, everything
from vadose.catalogues.finders import FINDERS
from vadose.catalogues.http import Denied, Limits, Unavailable
from vadose.catalogues.ismn_portal import IsmnPortal
from vadose.catalogues.lock import Lock
from vadose.catalogues.pieces import Context
from vadose.catalogues.settings import Catalogue, Catalogues
from vadose.errors import VadoseError
from vadose.fusion import TemporalPolicy
from vadose.grid import Period, earlier
from vadose.registry import SPECS

PLACE = ("a field in Franconia", 10.0, 49.5)
"""Where catalogues are searched; all of them cover it."""
_DAYS_AFTER_LATENCY = 10.0
"""Time before the present for which every product should be published, days, besides its latency."""
_LIMITS = Limits(max_requests=60, max_bytes=64 << 20, attempts=2, read_s=20.0)


@dataclass(frozen=True)
class CatalogueState:
    """The state of a catalogue, for one source.

    Attributes:
        catalogue, source: their names.
        state: "ok", "down", "denied", "empty" or "refused".
        seconds: that the check took.
        requests: that it needed.
        detail: first item that was read, or the reason.
    """

    catalogue: str
    source: str
    state: str
    seconds: float
    requests: int
    detail: str

    def __str__(self) -> str:
        """One line of a table."""
        return (
            f"{self.catalogue:<20} {self.source:<12} {self.state:<8} {self.seconds:>6.1f} s {self.requests:>4} "
            f"requests  {self.detail}"
        )


def check_catalogues(
    catalogues: Catalogues,
    place: tuple[str, float, float] = PLACE,
    now: np.datetime64 | None = None,
    report: Callable[[CatalogueState], None] = lambda _: None,
    names: Collection[str] | None = None,
) -> tuple[CatalogueState, ...]:
    """Search each catalogue for each of its sources, and read the header of the first file.

    Args:
        catalogues: to be checked.
        place: name, longitude and latitude, degrees.
        now: the time, UTC; by default the present.
        report: called with each state.
        names: of those that are checked; by default all.
    """
    present = np.datetime64("now", "ns") if now is None else now
    states = []
    with TemporaryDirectory() as folder:
        for name in sorted(catalogues.catalogues if names is None else names):
            catalogue = catalogues.catalogues[name]
            for source in sorted(catalogue.collections):
                state = _state(name, catalogue, source, place, present, Path(folder))
                report(state)
                states.append(state)
    return tuple(states)


def _state(
    name: str, catalogue: Catalogue, source: str, place: tuple[str, float, float], now: np.datetime64, folder: Path
) -> CatalogueState:
    client = client_of(catalogue, _LIMITS)
    context = Context(name, catalogue, client, BlockCache(folder / "cache"), Lock(folder))
    started = time.monotonic()
    try:
        state, detail = _probe(context, source, place, now)
    except (Unavailable, Denied) as error:
        state, detail = "denied" if isinstance(error, Denied) else "down", str(error)
    except VadoseError as error:
        state, detail = "refused", str(error)
    return CatalogueState(name, source, state, time.monotonic() - started, client.spent.requests.total(), detail)


def _probe(context: Context, source: str, place: tuple[str, float, float], now: np.datetime64) -> tuple[str, str]:
    """Return state and detail of a catalogue that answers.

    Raises:
        VadoseError: it does not.
    """
    if context.catalogue.kind == "ismn":
        IsmnPortal(context.catalogue, _LIMITS, spent=context.client.spent).login()
        return "ok", "logged in"
    last = earlier(now, _latency_days(source) + _DAYS_AFTER_LATENCY)
    whole = Demand.of(around([place], 0), Period.before(last, 1.0), everything(), TemporalPolicy())
    found = FINDERS[context.catalogue.kind](context, whole, source)
    if found.pieces:
        found.pieces[-1].cost()
        return "ok", found.pieces[-1].id
    return "empty", str(found.left_out[0].reason) if found.left_out else "It has nothing there"


def _latency_days(source: str) -> float:
    """Return the latency of the latest stream of a source, days."""
    granules = SPECS[source].granules
    return max((stream.latency_days for stream in granules.streams), default=0.0) if granules else 0.0
