"""Maps that are made day by day in one folder: new dates are added, those whose inputs changed are made again."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from vadose.catalogues.absence import AbsenceKind, explain_absence
from vadose.errors import NoDataError, VadoseError
from vadose.experiment.unread import LIST
from vadose.grid import AreaOfInterest, Period
from vadose.inference.tiles import changing
from vadose.io.atomic import atomic_write
from vadose.io.files import metadata, read_json, write_json
from vadose.io.outputs import Request
from vadose.mapping.executors import Executor
from vadose.mapping.make import ALONE, Prepared, Progress, make_map, prepare
from vadose.mapping.plan import digest_in
from vadose.mapping.request import MapRequest, TilesFailed
from vadose.mapping.tasks import WorkerContext
from vadose.maps.opening import DAILY
from vadose.registry import LATENCY_DAYS

MAKING = ".making"
"""Folder of the maps that are not finished, in the folder of daily maps."""
_REQUEST = Request("map --daily", "")
_DAY_END = np.timedelta64(86_399, "s")


class DateState(StrEnum):
    """What was done for a date."""

    MADE = "made"
    MADE_AGAIN = "made again"
    UNCHANGED = "unchanged"
    NO_DATA = "no data"
    TILES_FAILED = "tiles failed"
    ERROR = "error"


@dataclass(frozen=True)
class DailyDate:
    """A date of daily maps.

    Attributes:
        name: of its folder: 2021-06-10 for the end of a day, else 2021-06-10T180000.
        state: what was done.
        reasons: what changed since the map was made, or why there is none, a line each.
        missing: why a source was not observed, by source.
    """

    name: str
    state: DateState
    reasons: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        missing = (f"without {source} ({reason})" for source, reason in self.missing.items())
        reasons = "; ".join((*self.reasons, *missing))
        return f"{self.name}  {self.state}" + (f": {reasons}" if reasons else "")


@dataclass(frozen=True)
class DailyReport:
    """What a run of daily maps did.

    Attributes:
        folder: of the maps.
        dates: one for each time of the range, in order.
        trouble: what else is missing or incomplete, a line each: sources that could not be fetched.
    """

    folder: Path
    dates: tuple[DailyDate, ...]
    trouble: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """Exit status: 0 complete, 1 tiles failed, 2 an error, 3 dates or sources are missing."""
        states = {one.state for one in self.dates}
        if DateState.ERROR in states:
            return 2
        if DateState.TILES_FAILED in states:
            return 1
        lacking = DateState.NO_DATA in states or any(one.missing for one in self.dates)
        return 3 if lacking or self.trouble else 0

    def lines(self) -> tuple[str, ...]:
        """Return one line for each date that is not as it was or lacks a source, then the trouble and the counts."""
        counts = {state: sum(one.state == state for one in self.dates) for state in DateState}
        summary = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none"
        shown = (str(one) for one in self.dates if one.state != DateState.UNCHANGED or one.reasons or one.missing)
        return (*shown, *self.trouble, f"{len(self.dates)} dates in {self.folder}: {summary}")


@contextmanager
def hold(out: Path) -> Iterator[Path]:
    """Hold a folder of daily maps: no other process makes maps in it.

    Raises:
        VadoseError: another process holds it, or another command made it.
    """
    with _REQUEST.folder(out, [DAILY]) as held:
        yield held


def make_daily_maps(
    request: MapRequest,
    report: Progress,
    executor: Executor = ALONE,
    tell: Callable[[str], None] = lambda _: None,
    absent: Mapping[str, str] | None = None,
    now: np.datetime64 | None = None,
) -> DailyReport:
    """Make the maps of a range that are not there, and those whose inputs changed; the others are left alone.

    Each is made in a hidden folder, and replaces the older one when it is complete.

    Args:
        request: range and folder; the folder is held, see `hold`.
        report: called with the number of tasks that are done, of all, and the date.
        executor: who computes the tiles.
        tell: called with each remark on inputs and on files that are not read.
        absent: why sources could not be fetched, by source.
        now: the time, UTC; by default the present.

    Raises:
        VadoseError: no run, no such area, or daily maps of another area.
    """
    trouble = tuple((absent or {}).values())
    try:
        prepared = prepare(request)
    except NoDataError as nothing:  # no pass of Sentinel-1 in the range
        return DailyReport(request.out, (), (*trouble, _on_one_line(nothing)))
    log = _Log.of(request.out, prepared.plan.area)
    reasons = _Reasons(prepared.tools, absent or {}, np.datetime64("now", "ns") if now is None else now)
    dates = [_Date(prepared.at(moment), log) for moment in prepared.plan.moments]
    done = {one.name: known for one in dates if (known := _known(one)) is not None}
    waiting = [one for one in dates if one.name not in done]
    for number, one in enumerate(waiting):
        done[one.name] = one.make(_part_of(report, number, len(waiting), one.name), executor, tell)
    log.write()
    with suppress(OSError):
        (request.out / MAKING).rmdir()
    return DailyReport(request.out, tuple(replace(done[one.name], missing=reasons.of(one)) for one in dates), trouble)


def name_of(moment: np.datetime64) -> str:
    """Return the name of the folder of a date: its day, and its time if that is not the end of the day."""
    day = moment.astype("datetime64[D]")
    text = np.datetime_as_string(moment, "s").replace(":", "")
    return str(day) if moment - day == _DAY_END else str(text)


def _known(date: "_Date") -> DailyDate | None:
    """Return what is known of a date without estimating it; None if it is to be made."""
    try:
        return date.known()
    except VadoseError as error:
        return DailyDate(date.name, DateState.ERROR, (_on_one_line(error),))


@dataclass
class _Entry:
    """A date in the log.

    Attributes:
        time: of the map, UTC.
        state: "waiting" for its first map, "making" while a map may or may not have taken its place, "complete",
            "incomplete" or "no data".
        missing: sources of which nothing was observed.
        versions: of the map: the checksum of its plan and its formats, and what changed since the version before.
        empty: checksum of the plan by which nothing was observed; it is not tried again.
    """

    time: str
    state: str = "waiting"
    missing: list[str] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    empty: str = ""


@dataclass
class _Log:
    """The list of what was done, `daily.json`; it is written before and after each change of the folder."""

    folder: Path
    area: Mapping[str, str]
    dates: dict[str, _Entry]

    @classmethod
    def of(cls, folder: Path, area: AreaOfInterest) -> "_Log":
        """Read the list of a folder, or begin it.

        Raises:
            VadoseError: it cannot be read, or is of another area.
        """
        path, remedy = folder / DAILY, "Name another --out"
        asked = {"name": area.name, "wkt": shapely.to_wkt(area.geometry, rounding_precision=-1)}
        if not path.exists():
            return cls(folder, asked, {})
        content = read_json(path, f"map: the list of daily maps {path}", remedy)
        try:
            held = {key: str(content["made_from"]["area"][key]) for key in asked}
            dates = {str(name): _Entry(**entry) for name, entry in content["dates"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise VadoseError(f"map: {path}", f"It is no list of daily maps ({error!r})", remedy) from error
        if held["wkt"] != asked["wkt"]:
            raise VadoseError(f"map: {folder}", f"It holds daily maps of another area, {held['name']}", remedy)
        return cls(folder, held, dates)

    def write(self) -> None:
        """Write the list, unless the same is there."""
        dates = {name: asdict(entry) for name, entry in sorted(self.dates.items())}
        content = metadata("daily maps", {"area": dict(self.area)}) | {"dates": dates}
        path = self.folder / DAILY
        if not path.exists() or read_json(path) != content:
            write_json(path, content)


@dataclass(eq=False)
class _Date:
    """A date, what is there of it and what is to be there.

    Attributes:
        prepared: its map.
        log: of all dates.
    """

    prepared: Prepared
    log: _Log

    @property
    def moment(self) -> np.datetime64:
        """Time of the map."""
        return self.prepared.plan.moments[0]

    @property
    def name(self) -> str:
        """Name of its folder."""
        return name_of(self.moment)

    @property
    def folder(self) -> Path:
        """Folder of the finished map."""
        return self.log.folder / self.name

    @property
    def entry(self) -> _Entry:
        """Its entry in the log."""
        return self.log.dates.setdefault(self.name, _Entry(f"{np.datetime_as_string(self.moment, 's')}Z"))

    @property
    def files(self) -> list[str]:
        """Formats of the files that are asked for."""
        request = self.prepared.request
        return [*request.formats, *(["pictures"] if request.pictures else [])]

    def known(self) -> DailyDate | None:
        """Return what is known without making the map; None if it is to be made.

        Raises:
            VadoseError: something else lies at its place.
        """
        there = digest_in(self.folder)
        if os.path.lexists(self.folder) and there not in {version["plan"] for version in self.entry.versions}:
            raise VadoseError(
                f"map: {self.folder}", f"It is no map that {DAILY} lists", "Move it elsewhere, and run again"
            )
        swapped = self.entry.state == "making" and there == self.entry.versions[-1]["plan"]
        settled = self._settled() if swapped else DailyDate(self.name, DateState.UNCHANGED)
        held = {one.source for one in self.prepared.held} & set(changing(self.prepared.tools.needs))
        if not held or self.entry.empty == self.prepared.plan.digest:
            return self._without_data()
        return settled if there is not None and not self._changed() else None

    def make(self, report: Progress, executor: Executor, tell: Callable[[str], None]) -> DailyDate:
        """Make the map in a hidden folder, and give it its place."""
        work, notes = self.log.folder / MAKING / self.name, list[str]()
        request = replace(self.prepared.request, out=work)
        try:
            if digest_in(work) != self.prepared.plan.digest:
                shutil.rmtree(work, ignore_errors=True)
            make_map(request, report, (), executor, notes.append)
        except NoDataError:
            return self._without_data()
        except TilesFailed as failed:
            reasons = (f"{name}: {' '.join(reason.split())}" for name, reason in failed.reasons.items())
            return DailyDate(self.name, DateState.TILES_FAILED, tuple(reasons))
        except VadoseError as error:
            return DailyDate(self.name, DateState.ERROR, (_on_one_line(error),))
        if not any(_observed(work).values()):
            shutil.rmtree(work)
            return self._without_data()
        self._replace(work)
        for line in notes:
            tell(f"{self.name}  {line}".replace(str(work), str(self.folder)))
        return self._settled()

    def _replace(self, work: Path) -> None:
        """Put a finished map at its place; the reason is in the log before."""
        entry, there = self.entry, digest_in(self.folder)
        if entry.state == "making" and entry.versions[-1]["plan"] != there:
            entry.versions.pop()
        changed = self._changed() if there is not None else []
        entry.versions.append({"plan": digest_in(work), "files": self.files, "changed": changed})
        entry.state, entry.empty = "making", ""
        self.log.write()
        with atomic_write(self.folder) as temporary:
            work.rename(temporary)

    def _settled(self) -> DailyDate:
        """Record a map that took its place."""
        entry = self.entry
        entry.missing = sorted(source for source, share in _observed(self.folder).items() if share == 0)
        entry.state = "incomplete" if entry.missing else "complete"
        self.log.write()
        state = DateState.MADE if len(entry.versions) == 1 else DateState.MADE_AGAIN
        return DailyDate(self.name, state, tuple(entry.versions[-1]["changed"]))

    def _without_data(self) -> DailyDate:
        """Record that nothing was observed; a map that is there stays."""
        self.entry.empty = self.prepared.plan.digest
        there = self.folder.exists()
        if not there:
            self.entry.state = str(DateState.NO_DATA)
        self.log.write()
        if there:
            return DailyDate(self.name, DateState.UNCHANGED, ("its observations are gone, the map stays",))
        return DailyDate(self.name, DateState.NO_DATA, ("nothing was observed",))

    def _changed(self) -> list[str]:
        """Return what is otherwise than when the map was made, a line each."""
        changed, there = self.prepared.plan.changed_since(self.folder), digest_in(self.folder)
        before = next(version["files"] for version in self.entry.versions if version["plan"] == there)
        return (
            [*changed, f"files: {', '.join(before)}, now {', '.join(self.files)}"] if before != self.files else changed
        )


@dataclass(frozen=True, eq=False)
class _Reasons:
    """Why sources are missing.

    Attributes:
        tools: of the maps; they tell how old an observation may be.
        absent: what catalogues said, by source.
        now: UTC.
    """

    tools: WorkerContext
    absent: Mapping[str, str]
    now: np.datetime64

    def of(self, date: _Date) -> dict[str, str]:
        """Return the reason for each source that a map was made without."""
        return {source: self._reason(source, date) for source in date.entry.missing}

    def _reason(self, source: str, date: _Date) -> str:
        if source in self.absent:
            return self.absent[source]
        unread = [entry for entry in read_json(date.folder / LIST)["left_out"] if entry["source"] == source]
        if unread:
            return f"{len(unread)} not read, such as {unread[0]['name']}: {unread[0]['kind']}"
        moment = date.moment
        days = self.tools.windows.of(source)
        period = Period(moment, moment + np.timedelta64(1, "ns")).extended_back(days)
        absence = explain_absence(source, period, self.now, LATENCY_DAYS[source])
        if absence.kind is AbsenceKind.EMPTY:
            return f"no observation within {days:g} days"
        return f"{absence.kind}: {absence.reason.removeprefix(f'{source}: ').rstrip('.')}"


def _observed(folder: Path) -> dict[str, float]:
    """Return the part of the cells of a map for which each source was observed."""
    return dict(read_json(folder / LIST)["observed"])


def _part_of(report: Progress, done: int, waiting: int, name: str) -> Progress:
    """Return the progress of one date as a part of that of all."""

    def report_part(tasks: int, total: int, _: str) -> None:
        report(done * total + tasks, waiting * total, name)

    return report_part


def _on_one_line(error: VadoseError) -> str:
    return " ".join(str(error).split())
