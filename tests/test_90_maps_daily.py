"""Daily maps over a month in which observations come late, are replaced and processed again, and the run changes."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import real_archive
import small_map
import vadose
from test_20_sources_gldas import write_subset
from test_20_sources_smap import write as write_smap
from test_40_samples_killed import AFRESH, contents, die_at, started
from vadose.api.inputs import time_request
from vadose.catalogues.lock import Entry, Lock
from vadose.cli.main import app
from vadose.errors import VadoseError
from vadose.fusion import HistorySpec, InputSpec
from vadose.mapping import MapRequest, tasks
from vadose.mapping.daily import DailyReport, DateState, hold, make_daily_maps
from vadose.mapping.make import make_map
from vadose.mapping.timestamps import absolute_date

AFRESH.set_forkserver_preload(["vadose.dataset.collocate", "vadose.fusion", "vadose.mapping.daily", "rioxarray"])
PLACE = (9.19, 55.437)
AREA = "9.191,55.438,9.203,55.444"
"""A box within one tile, north-east of the corner of four."""
NEEDS = InputSpec((), ("vv", "smap", "gldas", "B04", "elevation"), HistorySpec(("vv",), 3, 6.0), 0)
WINDOWS = {"max_age_days": {"smap": 40.0, "gldas": 40.0, "sentinel2": 40.0}}
"""So long that one observation of each serves for the whole month."""
EARLY, MAIN = (f"GLDAS_NOAH025_3H{kind}.A20210603.0300.021.nc4" for kind in ("_EP", ""))
DAYS_BACK = 4
States = dict[int, DateState]
MADE, AGAIN, SAME, NONE = DateState.MADE, DateState.MADE_AGAIN, DateState.UNCHANGED, DateState.NO_DATA


def quiet(*_: object) -> None:
    pass


def june(day: int) -> str:
    return f"2021-06-{day:02}"


def gldas(archive: Path, name: str, times: float) -> None:
    rows, columns = np.arange(456, 468), np.arange(750, 762)
    write_subset(archive / "gldas", name, rows, columns, times=times)


def radar(archive: Path, day: int, seed: int) -> None:
    layers = {"vv": small_map.layer(0.02, 0.2, seed), "vh": small_map.layer(0.004, 0.04, seed + 1)}
    real_archive.write_item(archive, "sentinel-1-rtc", f"pass{day}", f"{june(day)}T05:30:00Z", layers)


def optics(archive: Path, day: int, seed: int) -> None:
    red = small_map.whole(small_map.layer(300, 3000, seed, step=20))
    classes = real_archive.Layer(np.full(red.values.shape, 4, np.uint8), red.crs, red.transform, 0)
    properties = {"s2:processing_baseline": "02.06"}
    layers = {"B04": red, "SCL": classes}
    real_archive.write_item(archive, "sentinel-2-l2a", f"optical{day}", f"{june(day)}T10:30:00Z", layers, properties)


def catalogued(archive: Path, day: int, updated: str) -> None:
    """The entry of a pass in the lock of a fetched archive."""
    original = {"id": f"pass{day}", "properties": {"updated": updated}}
    Lock(archive).keep(Entry("sentinel1", "planetary", "sentinel-1-rtc", f"pass{day}", updated, "", (), original))


def smap(archive: Path, day: int) -> None:
    write_smap(archive / "smap", place=PLACE, day=june(day), hours=(6, 18))


@dataclass(frozen=True)
class Arrival:
    """What happens before the run of a day.

    Attributes:
        change: of archive and run.
        states: of the dates of the run that are not as they were, besides the new one, which is made.
        words: of the reason of those that are made again.
    """

    change: Callable[[Path, Path], object]
    states: States
    words: tuple[str, ...] = ()


def again(*days: int) -> States:
    return dict.fromkeys(days, AGAIN)


def first_observations(archive: Path, _: Path) -> None:
    radar(archive, 3, 10)
    optics(archive, 3, 20)
    gldas(archive, EARLY, 1.0)


def second_pass(archive: Path, _: Path) -> None:
    radar(archive, 9, 30)
    catalogued(archive, 9, "2021-06-09T12:00:00Z")


def processed_again(archive: Path, _: Path) -> None:
    radar(archive, 9, 40)
    catalogued(archive, 9, "2021-06-16T07:00:00Z")


def trained_again(_: Path, run: Path) -> None:
    small_map.save(
        small_map.network(7, NEEDS), run / "fold-0" / "network-0", {"products": {}}, small_map.scaling(NEEDS)
    )


NOTHING: States = {1: NONE, 2: NONE}
JUNE: Mapping[int, Arrival] = {
    1: Arrival(quiet, {1: NONE}),
    2: Arrival(quiet, NOTHING),
    3: Arrival(first_observations, NOTHING),
    4: Arrival(quiet, NOTHING),
    5: Arrival(
        lambda archive, _: smap(archive, 3),
        NOTHING | again(3, 4),
        ("items: none removed, 1 added .*smap SMAP_L3_SM_P_20210603_R19240_001.h5",),
    ),
    6: Arrival(quiet, {2: NONE}),
    9: Arrival(second_pass, {}),
    12: Arrival(
        lambda archive, _: gldas(archive, MAIN, 0.5),
        again(8, 9, 10, 11),
        (f"removed .*gldas {re.escape(EARLY)}.*, 1 added .*gldas {re.escape(MAIN)}",),
    ),
    15: Arrival(lambda archive, _: radar(archive, 15, 50), {}),
    16: Arrival(
        processed_again,
        again(12, 13, 14, 15),
        (r"items: 1 removed \(\"sentinel1 pass9 [0-9a-f]{12}\"\), 1 added \(\"sentinel1 pass9 [0-9a-f]{12}\"\)",),
    ),
    21: Arrival(lambda archive, _: radar(archive, 21, 60), {}),
    22: Arrival(
        lambda archive, _: smap(archive, 20), again(19, 20, 21), ("added .*SMAP_L3_SM_P_20210620_R19240_001.h5",)
    ),
    25: Arrival(trained_again, again(21, 22, 23, 24), ("checkpoints: fold-0/network-0",)),
    27: Arrival(lambda archive, _: radar(archive, 27, 70), {}),
    28: Arrival(lambda archive, _: optics(archive, 26, 80), again(26, 27), ("added .*sentinel2 optical26",)),
}


@dataclass(frozen=True)
class World:
    """Archive, run and folder of maps.

    Attributes:
        folder: that holds the three.
    """

    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def out(self) -> Path:
        return self.folder / "maps"

    def request(self, date: str, out: Path | None = None) -> MapRequest:
        return MapRequest(self.run, self.archive, AREA, date, out or self.out, pictures=False)

    def map_until(self, day: int) -> DailyReport:
        """Run as every day, on a day."""
        now = np.datetime64(f"{june(day)}T20:00", "ns")
        request = self.request(absolute_date(f"today-{DAYS_BACK}/today", now))
        with hold(self.out):
            return make_daily_maps(request, quiet, now=now)


def begun(folder: Path, **keys: object) -> World:
    """Ground, and a run that needs each source."""
    world = World(folder)
    ground = small_map.layer(50.0, 50.5, 60, step=20)
    real_archive.write_item(world.archive, "nasadem", "ground", "2000-02-20T00:00:00Z", {"elevation": ground})
    small_map.write_run(world.run, 1, NEEDS, **keys)
    return world


def stamps(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def days_of(day: int) -> Iterator[int]:
    return (one for one in range(day - DAYS_BACK, day + 1) if one > 0)


@dataclass(frozen=True)
class Day:
    """The run of a day.

    Attributes:
        report: what it did.
        before, after: bytes and times of the files of each date.
        names: in the folder of maps, after it.
    """

    report: DailyReport
    before: Mapping[str, object]
    after: Mapping[str, object]
    names: frozenset[str]


@dataclass(frozen=True)
class Month:
    """The world at the end of a month, and what happened on each day."""

    world: World
    days: Mapping[int, Day]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    world = begun(tmp_path_factory.mktemp("month"), windows=WINDOWS)
    days = {}
    for day in range(1, 31):
        if day in JUNE:
            JUNE[day].change(world.archive, world.run)
        before = {one: stamps(world.out / one) for one in map(june, range(1, day))}
        report = world.map_until(day)
        after = {one: stamps(world.out / one) for one in map(june, range(1, day))}
        names = frozenset(path.name for path in world.out.iterdir()) if world.out.exists() else frozenset()
        days[day] = Day(report, before, after, names)
    return Month(world, days)


def test_exactly_the_new_dates_are_made_and_those_whose_inputs_changed_again(month):
    for day, done in month.days.items():
        states = JUNE[day].states if day in JUNE else {}
        expected = {june(one): states.get(one, MADE if one == day else SAME) for one in days_of(day)}
        found = {one.name: one.state for one in done.report.dates if one.name >= june(1)}
        assert found == expected, f"day {day}: {done.report.lines()}"


def test_dates_of_which_nothing_changed_are_left_alone_to_the_byte_and_the_second(month):
    for day, done in month.days.items():
        redone = {one.name for one in done.report.dates if one.state is AGAIN}
        touched = {name for name, held in done.before.items() if done.after[name] != held}
        assert touched == redone, f"day {day}"
        assert done.names == {"daily.json", *map(june, range(3, day + 1))}, f"day {day}: no map is half there"


def test_the_reason_is_told_for_each_date_that_is_made_again(month):
    for day, arrival in JUNE.items():
        for one in month.days[day].report.dates:
            assert bool(one.reasons) == (one.state in (AGAIN, NONE))
            if one.state is AGAIN:
                assert all(re.search(words, str(one)) for words in arrival.words), one
        shown = [line for line in month.days[day].report.lines()[:-1] if line >= june(1)]
        assert [line[:10] for line in shown] == [
            one.name for one in month.days[day].report.dates if one.name >= june(1) and str(one) in shown
        ], "a line for each date that is not as it was"


def test_the_status_tells_dates_without_data_and_missing_sources_from_complete_ones(month):
    assert {day: done.report.status for day, done in month.days.items()} == {
        day: 3 if day <= 6 else 0 for day in range(1, 31)
    }
    missing = {day: {name for one in done.report.dates for name in one.missing} for day, done in month.days.items()}
    assert missing == {day: {"smap"} if day in (3, 4) else set() for day in range(1, 31)}
    assert month.days[7].report.lines() == (
        "2021-06-07  made",
        f"5 dates in {month.world.out}: 1 made, 4 unchanged",
    )


def test_the_list_names_each_version_of_each_date(month):
    listed = json.loads((month.world.out / "daily.json").read_text())["dates"]
    assert set(listed) == {one.name for done in month.days.values() for one in done.report.dates}
    for name, entry in listed.items():
        made = [one for done in month.days.values() for one in done.report.dates if one.name == name]
        versions = [list(one.reasons) for one in made if one.state in (MADE, AGAIN)]
        assert [version["changed"] for version in entry["versions"]] == versions
        assert entry["state"] == ("complete" if versions else "no data")


def test_daily_maps_are_those_of_the_same_dates_made_alone(month, tmp_path):
    for day in (27, 30):
        make_map(month.world.request(june(day), tmp_path / june(day)), quiet)
        alone, held = (
            {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
            for folder in (tmp_path / june(day), month.world.out / june(day))
        )
        assert held == alone


def test_all_dates_open_as_one_map_and_give_one_series(month, tmp_path):
    (zone,) = vadose.open_map(month.world.out).children.values()
    days = [f"{june(day)}T23:59:59" for day in range(3, 31)]
    np.testing.assert_array_equal(zone["time"].values, np.array(days, "datetime64[ns]"))
    alone = vadose.open_map(month.world.out / june(12))["utm32n"].to_dataset()
    together = zone.to_dataset().sel(time=alone["time"])
    np.testing.assert_array_equal(together["soil_moisture"].values, alone["soil_moisture"].values)
    table = vadose.extract_series(month.world.out, tmp_path / "series.csv", locations=[(9.197, 55.441)])
    assert len(table) == 28 and table["soil_moisture"].notna().all()


def vadose_map(world: World, date: str, *options: str) -> tuple[int, list[str]]:
    words = ["map", world.run, world.archive, "--area", AREA, "--date", date, "--out", world.out, "--no-pictures"]
    told = CliRunner().invoke(app, [*map(str, words), *options])
    return told.exit_code, told.stdout.splitlines()


def test_the_command_ends_with_the_status(month):
    assert vadose_map(month.world, "2021-06-28/2021-06-30", "--daily") == (
        0,
        [f"3 dates in {month.world.out}: 3 unchanged"],
    )
    status, lines = vadose_map(month.world, "2021-06-02/2021-06-02", "--daily")
    assert (status, lines[0]) == (3, "2021-06-02  no data: nothing was observed")


def test_maps_of_other_kinds_and_of_other_areas_are_refused(month, tmp_path):
    out = month.world.out
    with pytest.raises(VadoseError, match=r"It contains daily\.json, a result of 'vadose map --daily'"):
        make_map(month.world.request(june(28)), quiet)
    before = stamps(out)
    with hold(out), pytest.raises(VadoseError, match="daily maps of another area"):
        make_daily_maps(replace(month.world.request(june(28)), area="9.191,55.438,9.203,55.447"), quiet)
    make_map(month.world.request(june(28), tmp_path / "one"), quiet)
    with pytest.raises(VadoseError, match=r"It contains plan\.json"), hold(tmp_path / "one"):
        pytest.fail("it is the folder of one map")
    assert stamps(out) == before


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The map of a day, and an observation of that day that came after it; GLDAS is not published yet."""
    world = begun(tmp_path_factory.mktemp("world"))
    radar(world.archive, 3, 10)
    smap(world.archive, 3)
    run(world, world.out, june(3))
    optics(world.archive, 3, 20)
    return world


@pytest.fixture
def out(world: World, tmp_path: Path) -> Path:
    """A copy of the maps of the world."""
    return Path(shutil.copytree(world.out, tmp_path / "maps"))


def run(world: World, out: Path, date: str, **options: object) -> DailyReport:
    with hold(out):
        return make_daily_maps(world.request(date, out), quiet, now=np.datetime64("2021-06-05", "ns"), **options)


BOTH = "2021-06-03/2021-06-04"
KILLS = [
    ("within the first tile", "vadose.mapping.tile_files.write", 1),
    ("between the making and the swap", "vadose.mapping.daily.atomic_write", 1),
    ("before the two maps are exchanged", "vadose.io.atomic.exchange", 1),
    ("after the swap, before the list names it", "vadose.mapping.daily._Date._settled", 1),
    ("within the second date", "vadose.maps.stac._save", 3),
    ("after all", "vadose.mapping.daily._Date._settled", 2),
]


def killed_at(world: World, out: Path, where: str, call: int) -> None:
    die_at(where, call)
    run(world, out, BOTH)


def lasting(folder: Path) -> dict[str, bytes | None]:
    """All files but the receipts of tiles, which tell how long each took."""
    return {name: held for name, held in contents(folder).items() if not re.search(r"tiles/.*\.json", name)}


@pytest.fixture(scope="module")
def whole(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes | None]:
    """Maps of a run that nothing interrupts."""
    out = Path(shutil.copytree(world.out, tmp_path_factory.mktemp("whole") / "maps"))
    report = run(world, out, BOTH)
    assert [one.state for one in report.dates] == [AGAIN, MADE]
    return lasting(out)


@pytest.mark.parametrize(("where", "call"), [kill[1:] for kill in KILLS], ids=[kill[0] for kill in KILLS])
def test_a_run_killed_at_a_place_ends_with_the_same_bytes(world, whole, out, where, call):
    old = lasting(out / june(3))
    process = started(killed_at, world, out, where, call)
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    there = lasting(out / june(3))
    assert there == old or there == {
        name.removeprefix(f"{june(3)}/"): held for name, held in whole.items() if name.startswith(f"{june(3)}/")
    }, "the old map, or the new one"
    run(world, out, BOTH)
    assert lasting(out) == whole


def test_two_runs_on_one_folder_exclude_each_other(world, out):
    holding = (
        "import sys, time; from pathlib import Path; from vadose.mapping.daily import hold\n"
        "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    before = contents(out)
    with subprocess.Popen([sys.executable, "-c", holding, out], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        with pytest.raises(VadoseError, match=f"Process {other.pid} on .* is writing to it"):
            run(world, out, BOTH)
        other.kill()
    assert {name: held for name, held in contents(out).items() if name != "lock"} == before
    assert [one.state for one in run(world, out, BOTH).dates] == [AGAIN, MADE]


def test_failed_tiles_leave_the_old_map_and_the_other_dates_are_made(world, whole, out, monkeypatch):
    old, real = lasting(out / june(3)), tasks.estimate_times

    def failing(tools, tile, moments, as_of=None):
        if moments[0] < np.datetime64("2021-06-04"):
            raise VadoseError("disk", "A file\nis broken", "Mend it")
        return real(tools, tile, moments, as_of)

    monkeypatch.setattr(tasks, "estimate_times", failing)
    report = run(world, out, BOTH)
    assert ([one.state for one in report.dates], report.status) == ([DateState.TILES_FAILED, MADE], 1)
    assert "disk. A file is broken. Mend it." in report.lines()[0]
    assert lasting(out / june(3)) == old
    monkeypatch.undo()
    assert [one.state for one in run(world, out, BOTH).dates] == [AGAIN, SAME]
    assert lasting(out) == whole


def test_a_date_that_cannot_be_made_is_an_error_and_the_others_are_made(world, out):
    (out / june(4)).mkdir()
    (out / june(4) / "notes.txt").write_text("mine")
    report = run(world, out, BOTH)
    assert ([one.state for one in report.dates], report.status) == ([AGAIN, DateState.ERROR], 2)
    assert "It is no map that daily.json lists" in report.lines()[1]
    assert (out / june(4) / "notes.txt").read_text() == "mine"


def test_why_a_source_is_missing_is_told_each_time(world, out):
    late = {"gldas": "late: Observations of"}
    for _ in range(2):
        report = run(world, out, june(3))
        assert report.status == 3
        assert {source: reason[: len(late[source])] for source, reason in report.dates[0].missing.items()} == late
    down = run(world, out, june(3), absent={"gldas": "gldas is down: The server does not answer."})
    assert down.lines()[:2] == (
        "2021-06-03  unchanged: without gldas (gldas is down: The server does not answer.)",
        "gldas is down: The server does not answer.",
    )


def test_a_map_whose_observations_are_gone_stays(world, out, tmp_path):
    bare = begun(tmp_path / "bare")
    before = stamps(out / june(3))
    report = run(bare, out, june(3))
    assert str(report.dates[0]).startswith("2021-06-03  unchanged: its observations are gone, the map stays")
    assert stamps(out / june(3)) == before


def test_other_formats_are_a_change(world, out):
    run(world, out, june(3))
    with hold(out):
        report = make_daily_maps(replace(world.request(june(3), out), formats=("cog", "zarr")), quiet)
    assert report.dates[0].reasons == ("files: cog, now cog, zarr",)
    assert list((out / june(3)).glob("*.zarr"))


def test_a_time_within_a_day_has_a_folder_of_its_own(world, tmp_path):
    report = run(world, tmp_path / "maps", "2021-06-03T18:00")
    assert [(one.name, one.state) for one in report.dates] == [("2021-06-03T180000", MADE)]
    assert vadose.open_map(tmp_path / "maps")["utm32n"].sizes["time"] == 1


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("today", "2021-03-01"),
        ("yesterday", "2021-02-28"),
        ("today-10/today", "2021-02-19/2021-03-01"),
        ("yesterday-1/today", "2021-02-27/2021-03-01"),
        ("today-1T18:00", "2021-02-28T18:00"),
        ("2021-06-10", "2021-06-10"),
    ],
)
def test_relative_days_are_those_of_utc(text, date):
    assert absolute_date(text, np.datetime64("2021-03-01T23:59", "ns")) == date


def test_relative_days_are_taken_wherever_a_time_is():
    today = np.datetime64("now").astype("datetime64[D]")
    asked, _ = time_request(slice("today-3", "today"))
    assert asked in {f"{day - 3}/{day}" for day in (today, today + 1)}
