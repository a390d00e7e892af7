"""From catalogues to an archive: what a demand needs, fetched, locked, resumable."""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, Queue

import numpy as np

from vadose.catalogues import SIMULATED_MARK
from vadose.catalogues.absence import Absence, AbsenceKind, explain_absence
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.credentials import client_of
from vadose.catalogues.demand import Demand
from vadose.catalogues.finders import FINDERS, restore_entry
from vadose.catalogues.http import Absent, Denied, HttpClient, Limits, OverBudget, Spent, Unavailable
from vadose.catalogues.lock import NAME, Lock, differences, read_lock
from vadose.catalogues.lock_index import EntryVersion
from vadose.catalogues.pieces import Context, Cost, Found, Piece
from vadose.catalogues.remote import Changed, Version
from vadose.catalogues.settings import Catalogues
from vadose.errors import VadoseError
from vadose.io.files import closest, write_json
from vadose.io.outputs import Request
from vadose.io.progress import Step
from vadose.registry import LATENCY_DAYS, SPECS
from vadose.sources.left_out import LeftOut
from vadose.sources.published import NAME as DATES

LOGGER = logging.getLogger(__name__)
FETCH = Request("fetch", "")
THREADS = 8
_LEAVE_OUT = "Leave the source out of --require"
_NAMED = 5
"""Most items that a reason names."""
SEARCHED, KEPT = "sources searched", "archive items"
"""What the steps of a fetch count."""
_EVERY_S = 5.0
"""Pause between two reports while no piece is finished."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class SourceReport:
    """What became of a source.

    Attributes:
        source: its name.
        catalogue: that answered, or the last one that was asked.
        state: "fetched", "found" in an estimate, "incomplete", or why there is nothing: see `AbsenceKind`.
        items: pieces in the archive that the demand needs.
        new: of them those that were fetched now.
        bytes: that were received for it; in a dry run, an estimate of what would be.
        requests: likewise.
        reason: of an absence, or of what is incomplete; empty otherwise.
        left_out: items of the catalogue that were not fetched.
        final: whether the same command would find the same missing, as files cannot be read.
    """

    source: str
    catalogue: str
    state: str
    items: int = 0
    new: int = 0
    bytes: int = 0
    requests: int = 0
    reason: str = ""
    left_out: tuple[LeftOut, ...] = ()
    final: bool = False

    @property
    def missing(self) -> bool:
        """Whether nothing, or not all, of the source is there."""
        return self.state not in ("fetched", "found")


@dataclass(frozen=True)
class FetchReport:
    """What a fetch did.

    Attributes:
        folder: of the archive.
        sources: one for each source.
        changed: entries of the archive that are new, or that a later version replaced, a line each.
    """

    folder: Path
    sources: tuple[SourceReport, ...]
    changed: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """One line for each source, then the reasons."""
        width = max((len(one.source) for one in self.sources), default=0)
        rows = [
            f"{one.source:<{width}}  {one.state:<10}  {one.items:>5} items  {one.new:>5} new  "
            f"{one.bytes / 1e6:>9.1f} MB  {one.requests:>6} requests  {one.catalogue}"
            for one in self.sources
        ]
        return (*rows, *(f"{one.source}: {one.reason}" for one in self.sources if one.reason))


@dataclass(frozen=True, eq=False)
class FetchOptions:
    """How a fetch is done.

    Attributes:
        catalogues: that are asked.
        cache: of blocks.
        limits: requests, bytes and patience.
        require: sources without which nothing is accepted.
        now: the time, UTC; by default the present.
    """

    catalogues: Catalogues
    cache: BlockCache
    limits: Limits = field(default_factory=Limits)
    require: frozenset[str] = frozenset()
    now: np.datetime64 | None = None


def fetch(demand: Demand, folder: Path, options: FetchOptions, progress: Progress = lambda *_: None) -> FetchReport:
    """Fetch what a demand needs into an archive; what is there already, in its present version, is not fetched again.

    Args:
        demand: places, times and bands.
        folder: of the archive.
        options: catalogues, cache and limits.
        progress: called with the number of searched sources and their total, then of pieces in the archive and theirs,
            and every few seconds with the bytes received.

    Raises:
        OverBudget: more requests or bytes would be needed than allowed; what was fetched is kept.
        VadoseError: a required source is missing.
    """
    FETCH.require_place(folder, folder=True)
    _require_known(options.require)
    with FETCH.folder(folder, [NAME]) as held, options.cache.in_use():
        lock = Lock(held)
        before, spent = lock.index(), Spent()
        searched = _search(demand, lock, options, progress, spent)
        reports = _fetch_all(searched, lock, progress, spent)
        states = {one.source: {"state": one.state, "reason": one.reason} for one in reports}
        now = lock.write(states, _described(demand))
        versions = now.versions().values()
        _write_dates(held, versions)
        _mark_simulated(held, versions)
        changed = tuple(differences(before, now))
    report = FetchReport(folder, reports, changed)
    _require(report, options.require)
    return report


def estimate_fetch(
    demand: Demand, folder: Path, options: FetchOptions, progress: Progress = lambda *_: None, sample: int = 3
) -> FetchReport:
    """Estimate the requests and bytes of `fetch`: the catalogues are searched, and a few headers are read.

    Args:
        demand, folder, options, progress: as in `fetch`; nothing is written but the cache.
        sample: pieces of each source and kind whose headers are read.
    """
    lock = Lock(folder)
    reports = []
    for one in _search(demand, lock, options, progress, Spent()):
        waiting = [piece for piece in one.pieces if not _kept(lock, piece)]
        kinds = sorted({piece.kind for piece in waiting})
        alike = ([piece for piece in waiting if piece.kind == kind] for kind in kinds)
        whole = sum((_estimated(pieces, one.client_spent, sample) for pieces in alike), Cost())
        reports.append(
            replace(
                one.report,
                state="found" if one.pieces else one.report.state,
                items=len(one.pieces),
                new=len(waiting),
                bytes=whole.bytes,
                requests=whole.requests,
            )
        )
    return FetchReport(folder, tuple(reports))


def _estimated(pieces: Sequence[Piece], spent: Spent, sample: int) -> Cost:
    """Return the cost of pieces of one kind, by that of some of them."""
    picked = pieces[:: max(len(pieces) // sample, 1)][:sample]
    before = spent.requests.total(), spent.received.total()
    left = sum(map(_cost, picked), Cost())
    headers = Cost(spent.received.total() - before[1], spent.requests.total() - before[0])
    share = len(pieces) / max(len(picked), 1)
    return Cost(round((left + headers).bytes * share), round((left + headers).requests * share))


def restore(folder: Path, options: FetchOptions, progress: Progress = lambda *_: None) -> FetchReport:
    """Restore the files of an archive from its lock: the same bytes, or an error that lists what changed.

    Raises:
        Changed: remote files changed or vanished; the others are restored.
        VadoseError: there is no lock, or as `fetch`.
    """
    entries = read_lock(folder / NAME)
    clients = _clients(options, Spent())
    failed: list[str] = []
    with FETCH.folder(folder, [NAME]) as held, options.cache.in_use():
        lock = Lock(held)
        for done, entry in enumerate(entries):
            progress(done, len(entries), Step(f"{entry.source} {entry.id}", KEPT))
            if lock.read(entry.key) == entry and lock.holds(entry, verified=True):
                continue
            expected = {one.address: Version(one.size, one.etag) for one in entry.files if one.address}
            expected |= {name: Version(size, etag) for one in entry.files for name, size, etag in one.parts}
            if entry.catalogue not in clients:
                failed.append(f"{entry.id}: the catalogue {entry.catalogue} is unknown")
                continue
            catalogue, client = options.catalogues.catalogues[entry.catalogue], clients[entry.catalogue]
            try:
                restored = restore_entry(
                    Context(entry.catalogue, catalogue, client, options.cache, lock, expected), entry
                )
                if restored.files != entry.files:
                    raise Changed(f"lock: {entry.id}", "Its files have other contents than locked", "Fetch again")
                lock.keep(restored)
            except (Changed, Absent) as error:
                failed.append(str(error))
        _write_dates(held, (entry.version for entry in entries))
        progress(len(entries), len(entries), Step("", KEPT))
    if failed:
        shown = "; ".join(failed[:5])
        raise Changed(
            f"fetch: {folder} as locked",
            f"{len(failed)} of {len(entries)} entries cannot be restored: {shown}",
            "Fetch without --locked to take the present versions",
        )
    return FetchReport(folder, ())


@dataclass(frozen=True, eq=False)
class _Searched:
    """The answer of the catalogues on one source."""

    report: SourceReport
    pieces: tuple[Piece, ...]
    client_spent: Spent


def _search(
    demand: Demand, lock: Lock, options: FetchOptions, progress: Progress, total: Spent
) -> tuple[_Searched, ...]:
    """Ask the catalogues of each source one after another until one answers."""
    clients = _clients(options, total)

    def searched(source: str) -> _Searched:
        return _searched(demand, source, lock, options, clients, Spent(total))

    sources = sorted(demand.bands)
    with ThreadPoolExecutor(max(len(sources), 1)) as pool:
        waiting = {pool.submit(searched, source): source for source in sources}
        with _ending(total):
            progress(0, len(sources), Step("", SEARCHED))
            for done, future in enumerate(as_completed(waiting), start=1):
                future.result()
                progress(done, len(sources), Step(waiting[future], SEARCHED))
            return tuple(future.result() for future in waiting)


@contextmanager
def _ending(spent: Spent) -> Iterator[None]:
    """End the requests of other threads where this one is interrupted or fails."""
    try:
        yield
    except BaseException:
        spent.ended.set()
        raise


def _clients(options: FetchOptions, spent: Spent) -> dict[str, HttpClient]:
    """Return one client for each catalogue: all that asks a host shares its limits and its tokens."""
    return {
        name: client_of(catalogue, options.limits, spent) for name, catalogue in options.catalogues.catalogues.items()
    }


def _searched(
    demand: Demand,
    source: str,
    lock: Lock,
    options: FetchOptions,
    clients: Mapping[str, HttpClient],
    spent: Spent,
) -> _Searched:
    trouble: Absence | None = None
    name = ""
    for name, catalogue in options.catalogues.of(source):
        context = Context(name, catalogue, clients[name].counted_by(spent), options.cache, lock)
        try:
            found = FINDERS[catalogue.kind](context, demand, source)
        except OverBudget:
            raise
        except VadoseError as error:
            kind = AbsenceKind.DENIED if isinstance(error, Denied) else AbsenceKind.DOWN
            trouble = trouble or Absence(kind, str(error))
            LOGGER.warning("%s: %s is %s: %s", source, name, kind, error)
            continue
        if not found.pieces and trouble is None:
            trouble = _absence(demand, source, found, options.now)
            continue
        if found.pieces:
            report = SourceReport(source, name, "fetched", len(found.pieces), left_out=found.left_out)
            return _Searched(report, found.pieces, spent)
    if trouble is None:
        trouble = Absence(AbsenceKind.EMPTY, f"{source}: No catalogue of those that may be asked holds it.")
    reason = trouble.reason.removeprefix(f"{source}: ")
    return _Searched(SourceReport(source, name, str(trouble.kind), reason=reason), (), spent)


def _cost(piece: Piece) -> Cost:
    """Return the cost of a piece; nothing if its file does not exist, such as a tile at sea."""
    try:
        return piece.cost()
    except Absent:
        return Cost()


def _absence(demand: Demand, source: str, found: Found, now: np.datetime64 | None) -> Absence:
    period = demand.periods[source]
    if found.left_out:
        first = found.left_out[0]
        reason = f"{source}: None of its {len(found.left_out)} items can be read, such as {first.name}: {first.reason}"
        return Absence(AbsenceKind.UNREADABLE, reason)
    if period is None:
        return Absence(AbsenceKind.EMPTY, f"{source}: The catalogue has nothing there.")
    present = now if now is not None else np.datetime64("now", "ns")
    return explain_absence(source, period, present, LATENCY_DAYS[source])


def _fetch_all(searched: Sequence[_Searched], lock: Lock, progress: Progress, spent: Spent) -> tuple[SourceReport, ...]:
    """Fetch all pieces, several at once."""
    total = sum(len(one.pieces) for one in searched)
    done = 0
    failed: dict[str, list[tuple[str, VadoseError]]] = {one.report.source: [] for one in searched}
    new = dict.fromkeys(failed, 0)
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: dict[Future[bool], Piece] = {
            pool.submit(_fetch_piece, lock, piece): piece for one in searched for piece in one.pieces
        }
        try:
            with _ending(spent):
                for future in _finished(waiting):
                    if future is None:
                        progress(done, total, Step(_received(spent), KEPT))
                        continue
                    piece = waiting.pop(future)
                    try:
                        new[piece.source] += future.result()
                    except OverBudget:
                        raise
                    except VadoseError as error:
                        LOGGER.warning("%s %s: %s", piece.source, piece.id, error)
                        failed[piece.source].append((piece.id, error))
                    done += 1
                    progress(done, total, Step(f"{_received(spent)}, {piece.source}", KEPT))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return tuple(_reported(one, new[one.report.source], failed[one.report.source]) for one in searched)


def _finished(waiting: Iterable[Future[bool]]) -> Iterator[Future[bool] | None]:
    """Yield futures as they finish, and None every few seconds in which none does."""
    done: Queue[Future[bool]] = Queue()
    for one in (held := list(waiting)):
        one.add_done_callback(done.put)
    left = len(held)
    while left:
        try:
            yield done.get(timeout=_EVERY_S)
            left -= 1
        except Empty:
            yield None


def _received(spent: Spent) -> str:
    return f"{spent.received.total() / 1e6:.1f} MB received"


def _reported(one: _Searched, new: int, failed: Sequence[tuple[str, VadoseError]]) -> SourceReport:
    spent = one.client_spent
    report = replace(one.report, new=new, bytes=spent.received.total(), requests=spent.requests.total())
    if not failed:
        return report
    name, error = min(failed, key=lambda entry: entry[0])
    transient = [entry for entry in failed if isinstance(entry[1], Unavailable | Denied | Changed)]
    left_out = tuple(LeftOut.of(report.source, item, report.catalogue, reason) for item, reason in failed)
    reason = f"{len(failed)} of {report.items} items could not be fetched, such as {name}: {error}"
    if not transient:
        names = sorted(item for item, _ in failed)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        reason = f"{reason.rstrip('.')}. No repetition would read {', '.join(names[:_NAMED])}{more}"
    state = "incomplete"
    if len(failed) == report.items:
        transient_kind = AbsenceKind.DENIED if isinstance(error, Denied) else AbsenceKind.DOWN
        state = transient_kind if transient else AbsenceKind.UNREADABLE
    return replace(
        report,
        state=str(state),
        items=report.items - len(failed),
        reason=reason,
        left_out=(*report.left_out, *left_out),
        final=not transient,
    )


def _fetch_piece(lock: Lock, piece: Piece) -> bool:
    """Fetch a piece unless its present version is there; return whether it was fetched."""
    if _kept(lock, piece):
        return False
    before = lock.entries_of(*piece.key)
    entries = piece.fetch()
    for entry in before:
        if entry.digest != piece.digest:
            lock.drop(entry)
    for entry in entries:
        lock.keep(entry)
    places = {one.path for entry in lock.entries_of(*piece.key) for one in entry.files}
    for entry in before:
        for one in entry.files:
            if one.path not in places:
                _remove(lock.folder, one.path)
    return True


def _kept(lock: Lock, piece: Piece) -> bool:
    """Whether the archive holds the present version of a piece, for these places and bands."""
    held = lock.entries_of(*piece.key)
    return bool(held) and all(
        entry.digest == piece.digest and lock.holds(entry) for entry in held
    ) and any(entry.asked == piece.asked for entry in held)  # fmt: skip


def _remove(folder: Path, path: str) -> None:
    """Remove a file that no entry names, and its folder when that is empty."""
    target = folder / path
    target.unlink(missing_ok=True)
    parent = target.parent
    if parent != folder and parent.is_dir() and not any(parent.iterdir()):
        shutil.rmtree(parent, ignore_errors=True)


def _write_dates(folder: Path, entries: Iterable[EntryVersion]) -> None:
    """Write the catalogue's dates of granules, for their readers; items state their own."""
    dates = {name: entry.published for entry in entries if entry.published for name in entry.names}
    if dates:
        write_json(folder / DATES, dict(sorted(dates.items())))


def _mark_simulated(folder: Path, entries: Iterable[EntryVersion]) -> None:
    """Mark an archive that holds an item of a simulated Earth."""
    if any(entry.simulated for entry in entries):
        (folder / SIMULATED_MARK).write_text("This archive contains items of a SIMULATED Earth.\n")


def _require_known(names: Iterable[str]) -> None:
    for name in sorted(names):
        if name not in SPECS:
            raise VadoseError(
                f"fetch: the required source '{name}'",
                f"Known are {', '.join(sorted(SPECS))}",
                f"Name some of them{closest(name, SPECS)}",
            )


def _require(report: FetchReport, require: Iterable[str]) -> None:
    """Refuse a report without a required source; what is there of one whose other files cannot be read is accepted."""
    lacking = (one for one in report.sources if one.missing and not (one.final and one.items))
    missing = [one for one in lacking if one.source in set(require)]
    if missing:
        raise VadoseError(
            f"fetch: {report.folder} with {', '.join(sorted(require))}",
            "; ".join(f"{one.source} is {one.state}: {one.reason}" for one in missing),
            _LEAVE_OUT if all(one.final for one in missing) else f"Repeat the command later, or {_LEAVE_OUT.lower()}",
        )


def _described(demand: Demand) -> Mapping[str, object]:
    """Describe a demand, for the lock."""
    return {
        "places": len(demand.targets),
        "periods": {name: None if period is None else str(period) for name, period in sorted(demand.periods.items())},
        "bands": {name: sorted(bands) for name, bands in sorted(demand.bands.items())},
        **(
            {}
            if demand.sparse is None
            else {"sparse": {name: sorted(bands) for name, bands in sorted(demand.sparse.bands.items())}}
        ),
    }
