"""From catalogues to an archive: features as from the source archive, resumable, locked, honest about outages."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vadose
from catalogue_servers import AssetServer, Container, StacServer, faults
from vadose.catalogues import lock as lock_module
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.demand import Demand, Target, around, everything, span_of
from vadose.catalogues.fetch import FetchOptions, FetchReport, estimate_fetch, fetch, restore
from vadose.catalogues.http import Limits, OverBudget
from vadose.catalogues.lock import Lock, read_lock
from vadose.catalogues.remote import Changed
from vadose.catalogues.settings import Catalogue, Catalogues, Credential
from vadose.errors import VadoseError
from vadose.fusion import TemporalPolicy
from vadose.grid import AreaOfInterest, cell_centres, tile_around
from vadose.io.outputs import Request

COLLECTIONS = {
    "sentinel1": ("sentinel-1-rtc",),
    "sentinel2": ("sentinel-2-l2a",),
    "dem": ("nasadem",),
    "worldcover": ("esa-worldcover",),
}
PATIENCE = Limits(attempts=2, backoff_s=0.001, read_s=2.0)


@dataclass
class Earth:
    """Simulated Earth behind a catalogue."""

    archive: Path
    assets: AssetServer
    stac: StacServer
    items: list[dict[str, Any]]

    @property
    def catalogues(self) -> Catalogues:
        signed = Credential(
            kind="sas", endpoint=f"{self.assets.url}/sas/v1/token", hosts=(f"127.0.0.1:{self.assets.port}",)
        )
        held = Catalogue(
            title="loopback",
            kind="stac",
            endpoint=self.stac.root,
            hosts=("127.0.0.1",),
            credential=signed,
            collections=COLLECTIONS,
        )
        return Catalogues(catalogues={"loopback": held}, precedence=dict.fromkeys(COLLECTIONS, ("loopback",)))

    @property
    def area(self) -> AreaOfInterest:
        west, south, east, north = self._scene["bbox"]
        lon, lat = (west + east) / 2, (south + north) / 2
        return AreaOfInterest.from_bbox(lon - 0.01, lat - 0.01, lon + 0.01, lat + 0.01)

    @property
    def time(self) -> np.datetime64:
        return np.datetime64(self._scene["properties"]["datetime"][:19], "ns") + np.timedelta64(1, "h")

    @property
    def _scene(self) -> dict[str, Any]:
        scenes = [item for item in self.items if item["collection"] == "sentinel-1-rtc"]
        return max(scenes, key=lambda item: (item["properties"]["datetime"], item["id"]))

    @property
    def height_model(self) -> dict[str, Any]:
        lon, lat = self.area.bbox[:2]
        held = (item for item in self.items if item["collection"] == "nasadem")
        return next(
            one for one in held if one["bbox"][0] < lon < one["bbox"][2] and one["bbox"][1] < lat < one["bbox"][3]
        )

    def demand(self, sources: tuple[str, ...] = tuple(COLLECTIONS)) -> Demand:
        target = Target.of_tiles("area", self.area.tiles(32, 4))
        whole = Demand.of([target], span_of([self.time]), everything(), TemporalPolicy())
        return Demand(
            whole.targets,
            {name: whole.periods[name] for name in sources},
            {name: whole.bands[name] for name in sources},
        )

    def fetch(self, folder: Path, **more: Any) -> FetchReport:
        demand = more.pop("demand", None) or self.demand()
        cache = BlockCache(more.pop("cache", folder.parent / "cache"))
        return fetch(demand, folder, FetchOptions(self.catalogues, cache, more.pop("limits", PATIENCE), **more))


@pytest.fixture(scope="module")
def started(tiny_world: Path) -> Iterator[Earth]:
    with AssetServer([Container("store", "files", tiny_world)]) as assets:
        items = []
        for path in sorted(tiny_world.rglob("*.json")):
            item = json.loads(path.read_text())
            if item.get("collection") in {name for names in COLLECTIONS.values() for name in names}:
                for asset in item["assets"].values():
                    file = (path.parent / asset["href"]).relative_to(tiny_world)
                    asset["href"] = assets.address("store", "files", str(file))
                items.append(item)
        with StacServer(items, page_size=7) as stac:
            yield Earth(tiny_world, assets, stac, items)


@pytest.fixture
def earth(started: Earth) -> Earth:
    for server in (started.assets, started.stac):
        server.mend()
        server.reset()
    return started


def features(archive: Path, earth: Earth) -> Any:
    names = ["vv", "vh", "incidence_angle", "B02", "B04", "B08", "B11", "elevation"]
    dataset = vadose.open_archive(archive).load(earth.area, earth.time, names)
    return dataset.drop_vars("frozen", errors="ignore")


def items_of(dataset: Any) -> list[str]:
    return list(json.loads(dataset.attrs["declaration"])["made_from"]["items"])


def test_features_equal_those_of_the_source_archive(earth, tmp_path):
    report = earth.fetch(tmp_path / "archive")
    assert {one.source: one.state for one in report.sources} == dict.fromkeys(COLLECTIONS, "fetched")
    held, expected = features(tmp_path / "archive", earth), features(earth.archive, earth)
    assert held.drop_attrs().equals(expected.drop_attrs())
    assert items_of(held) == [name for name in items_of(expected) if not name.startswith("SMAP")]
    assert int(held["vv"].count()) > 0
    assert vadose.open_archive(tmp_path / "archive").simulated


def test_two_runs_write_one_lock_whatever_the_order_of_the_answers(earth, tmp_path, monkeypatch):
    earth.fetch(tmp_path / "a" / "archive")
    monkeypatch.setattr(earth.stac, "page_size", 3)
    monkeypatch.setattr(earth.stac, "seed", 5)
    monkeypatch.setattr(earth.stac, "next_style", "get")
    earth.fetch(tmp_path / "b" / "archive")
    locks = [(tmp_path / name / "archive" / "vadose.lock").read_bytes() for name in "ab"]
    assert locks[0] == locks[1]
    assert b"sig=" not in locks[0]
    files = [
        sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name / "archive").rglob("*")) for name in "ab"
    ]
    assert files[0] == files[1]


def test_a_second_run_asks_for_no_file(earth, tmp_path):
    earth.fetch(tmp_path / "archive")
    before = (tmp_path / "archive" / "vadose.lock").read_bytes()
    earth.assets.reset()
    report = earth.fetch(tmp_path / "archive")
    assert earth.assets.totals("*.tif*").requests == 0
    assert [one.new for one in report.sources] == [0, 0, 0, 0]
    assert report.changed == ()
    assert (tmp_path / "archive" / "vadose.lock").read_bytes() == before


@pytest.fixture
def entries_read(monkeypatch) -> list[str]:
    """Names of the files of entries that were read."""
    read: list[str] = []
    original = lock_module.read_json

    def counted(path: Path, *more: Any, **options: Any) -> Any:
        read.append(path.name)
        return original(path, *more, **options)

    monkeypatch.setattr(lock_module, "read_json", counted)
    return read


def age(archive: Path, seconds: float) -> None:
    """Make the entries older, as if they had been fetched some time ago."""
    for path in (archive / ".vadose-lock").glob("*/*.json"):
        stamp = path.stat().st_mtime - seconds
        os.utime(path, (stamp, stamp))


def aged_archive(earth: Earth, folder: Path) -> Path:
    """Return an archive whose entries are not of this moment, with its index."""
    earth.fetch(folder)
    age(folder, 60)
    earth.fetch(folder)
    return folder


def rewritten(archive: Path) -> bytes:
    """Return the lock as it is written without an index."""
    lock, stated = Lock(archive), json.loads((archive / "vadose.lock").read_text())
    (archive / ".vadose-lock" / "index.jsonl").unlink()
    lock.write(stated["sources"], stated["asked"])
    return (archive / "vadose.lock").read_bytes()


def test_entries_that_did_not_change_are_not_read_again(earth, tmp_path, entries_read):
    archive = aged_archive(earth, tmp_path / "archive")
    before, held = (archive / "vadose.lock").read_bytes(), len(list(Lock(archive)))
    other = earth.demand(("dem",))
    entries_read.clear()
    report = earth.fetch(archive, demand=other)
    of_dem = len([entry for entry in Lock(archive) if entry.source == "dem"])
    assert report.changed == ()
    assert len(entries_read) - held == of_dem, "each entry of the demand once, no other"
    assert [line for line in before.splitlines() if line.startswith(b"{")] == [
        line for line in (archive / "vadose.lock").read_bytes().splitlines() if line.startswith(b"{")
    ]
    changed = sorted((archive / ".vadose-lock").glob("*/*.json"))[0]
    changed.write_text(changed.read_text())
    entries_read.clear()
    Lock(archive).index()
    assert entries_read == [changed.name]


@pytest.mark.parametrize("change", ["one window more", "one entry less", "damaged index", "another lock", "none"])
def test_a_lock_made_of_the_one_before_has_the_bytes_of_one_made_anew(earth, tmp_path, change):
    archive = aged_archive(earth, tmp_path / "archive")
    if change == "one window more":
        west, south, _, north = earth.area.bbox
        moved = AreaOfInterest.from_bbox(west - 0.02, south, west - 0.01, north)
        target = Target.of_tiles("moved", moved.tiles(32, 0))
        earth.fetch(archive, demand=replace(earth.demand(), targets=(*earth.demand().targets, target)))
    elif change == "one entry less":
        sorted((archive / ".vadose-lock").glob("*/*.json"))[1].unlink()
        earth.fetch(archive, demand=earth.demand(("worldcover",)))
    elif change == "damaged index":
        index = archive / ".vadose-lock" / "index.jsonl"
        index.write_bytes(index.read_bytes()[:-40])
        earth.fetch(archive)
    elif change == "another lock":
        (archive / "vadose.lock").write_text("{}")
        earth.fetch(archive)
    made = (archive / "vadose.lock").read_bytes()
    assert rewritten(archive) == made
    assert read_lock(archive / "vadose.lock") == tuple(sorted(Lock(archive), key=lambda one: one.key))


def test_a_lock_whose_index_a_killed_run_left_behind_is_written_whole(earth, tmp_path, monkeypatch):
    archive = aged_archive(earth, tmp_path / "archive")
    index = (archive / ".vadose-lock" / "index.jsonl").read_bytes()
    path = sorted((archive / ".vadose-lock").glob("*/*.json"))[0]
    path.unlink()
    earth.fetch(archive, demand=earth.demand(("dem",)))
    age(archive, 60)
    (archive / ".vadose-lock" / "index.jsonl").write_bytes(index)
    earth.fetch(archive)
    made = (archive / "vadose.lock").read_bytes()
    assert rewritten(archive) == made


def test_a_lost_archive_is_made_of_the_cache(earth, tmp_path):
    earth.fetch(tmp_path / "archive")
    full = earth.assets.totals().bytes
    shutil.rmtree(tmp_path / "archive")
    earth.assets.reset()
    earth.fetch(tmp_path / "archive")
    assert earth.assets.totals().bytes < 0.7 * full, "headers alone are read again"


def test_a_scene_that_was_processed_again_replaces_the_old_one(earth, tmp_path):
    earth.fetch(tmp_path / "archive")
    lock = Lock(tmp_path / "archive")
    (old,) = [entry for entry in lock if entry.source == "dem"]
    item = next(item for item in earth.items if item["id"] == old.id)
    again = {**item, "properties": {**item["properties"], "updated": "2026-01-01T00:00:00Z"}}
    earth.stac.add(again)
    try:
        report = earth.fetch(tmp_path / "archive")
    finally:
        earth.stac.add(item)
    assert [line for line in report.changed if "catalogued again" in line and old.id in line]
    assert {one.source: one.new for one in report.sources}["dem"] == 1
    (new,) = [entry for entry in lock if entry.source == "dem"]
    assert new.updated == "2026-01-01T00:00:00Z"
    assert lock.holds(new)


def test_a_locked_archive_is_restored_byte_by_byte(earth, tmp_path):
    earth.fetch(tmp_path / "archive")
    archive = tmp_path / "archive"
    before = {path.relative_to(archive): path.read_bytes() for path in archive.rglob("*.tif")}
    shutil.copy(archive / "vadose.lock", tmp_path / "vadose.lock")
    shutil.rmtree(archive)
    archive.mkdir()
    shutil.copy(tmp_path / "vadose.lock", archive / "vadose.lock")
    earth.stac.reset()
    restore(archive, FetchOptions(earth.catalogues, BlockCache(tmp_path / "other"), PATIENCE))
    assert {path.relative_to(archive): path.read_bytes() for path in archive.rglob("*.tif")} == before
    assert earth.stac.searches == 0


def test_a_locked_archive_names_what_was_replaced(earth, tmp_path):
    earth.fetch(tmp_path / "archive")
    shutil.rmtree(tmp_path / "archive" / "nasadem")
    earth.assets.fail(faults.Swap(b"II*\0" + bytes(60_000)), path="*nasadem*")
    with pytest.raises(Changed, match="NASADEM"):
        restore(tmp_path / "archive", FetchOptions(earth.catalogues, BlockCache(tmp_path / "other"), PATIENCE))


@pytest.mark.parametrize("source", COLLECTIONS)
def test_a_source_whose_files_cannot_be_had_is_missing_and_the_others_are_not(earth, tmp_path, source):
    earth.assets.fail(faults.down(), path=f"*{COLLECTIONS[source][0]}*")
    report = earth.fetch(tmp_path / "archive")
    states = {one.source: one for one in report.sources}
    assert states[source].state == "down"
    assert "503" in states[source].reason
    assert {one.state for one in report.sources if one.source != source} == {"fetched"}
    with pytest.raises(VadoseError, match=source):
        earth.fetch(tmp_path / "archive", require=frozenset({source}))
    earth.assets.mend()
    assert {one.state for one in earth.fetch(tmp_path / "archive").sources} == {"fetched"}


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (faults.down(), "down"),
        (faults.html_page(), "denied"),
        (faults.broken_json(), "down"),
        (faults.no_items(), "empty"),
    ],
)
def test_an_outage_is_told_from_an_empty_answer(earth, tmp_path, fault, state):
    earth.stac.fail(fault, path="*search")
    report = earth.fetch(tmp_path / "archive", demand=earth.demand(("dem",)))
    assert [one.state for one in report.sources] == [state]
    earth.stac.mend()
    assert [one.state for one in earth.fetch(tmp_path / "archive", demand=earth.demand(("dem",))).sources] == [
        "fetched"
    ]


def test_a_second_catalogue_is_asked_when_the_first_is_down(earth, tmp_path):
    with StacServer(earth.items) as other:
        both = Earth(earth.archive, earth.assets, other, earth.items).catalogues.catalogues["loopback"]
        held = Catalogues(
            catalogues={**earth.catalogues.catalogues, "second": both}, precedence={"dem": ("loopback", "second")}
        )
        earth.stac.fail(faults.down())
        options = FetchOptions(held, BlockCache(tmp_path / "cache"), PATIENCE)
        (report,) = fetch(earth.demand(("dem",)), tmp_path / "archive", options).sources
    assert (report.state, report.catalogue) == ("fetched", "second")


class InFlight:
    """Requests that a server answers at the same time."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def __call__(self, app: Any, scope: Any, receive: Any, send: Any) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.05)
        await app(scope, receive, send)
        self.now -= 1


def test_all_sources_of_a_catalogue_share_the_limits_of_its_hosts_and_its_tokens(earth, tmp_path):
    catalogue = earth.catalogues.catalogues["loopback"]
    limited = catalogue.model_copy(update={"concurrency": {f"127.0.0.1:{earth.stac.port}": 1}})
    held = Catalogues(catalogues={"loopback": limited}, precedence=dict.fromkeys(COLLECTIONS, ("loopback",)))
    searches = InFlight()
    earth.stac.fail(searches)
    report = fetch(earth.demand(), tmp_path / "archive", FetchOptions(held, BlockCache(tmp_path / "cache"), PATIENCE))
    assert {one.state for one in report.sources} == {"fetched"}
    assert searches.most == 1
    assert len(earth.assets.tokens.issued) == 1
    assert sum(one.requests for one in report.sources) == len(earth.stac.requests) + len(earth.assets.requests)


def test_an_area_without_a_cell_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("VADOSE_CACHE", str(tmp_path))
    for call in (
        lambda: vadose.fetch(tmp_path / "archive", (9.0, 55.0, 9.0001, 55.0001), "2021-06-10"),
        lambda: vadose.open_archive(catalogue="all").load((9.0, 55.0, 9.0001, 55.0001), "2021-06-10"),
    ):
        with pytest.raises(VadoseError, match="No cell"):
            call()


def test_a_budget_ends_the_run_and_the_next_one_goes_on(earth, tmp_path):
    with pytest.raises(OverBudget, match="bytes"):
        earth.fetch(tmp_path / "archive", limits=Limits(max_bytes=600_000))
    assert not (tmp_path / "archive" / "vadose.lock").exists()
    report = earth.fetch(tmp_path / "archive")
    assert {one.state for one in report.sources} == {"fetched"}
    assert features(tmp_path / "archive", earth).equals(features(earth.archive, earth))


def test_an_estimate_is_near_what_is_spent(earth, tmp_path):
    options = FetchOptions(earth.catalogues, BlockCache(tmp_path / "cache"), PATIENCE)
    planned = estimate_fetch(earth.demand(), tmp_path / "archive", options)
    assert not (tmp_path / "archive").exists()
    done = earth.fetch(tmp_path / "archive", cache=tmp_path / "another")
    for before, after in zip(planned.sources, done.sources, strict=True):
        assert before.new == after.new
    expected, spent = (sum(one.bytes for one in report.sources) for report in (planned, done))
    assert abs(expected - spent) < 0.2 * spent


def test_two_processings_of_one_scene_are_fetched_once_unless_the_past_is_asked(earth, tmp_path):
    demand = earth.demand(("sentinel2",))
    earth.fetch(tmp_path / "first" / "archive", demand=demand)
    name = max(entry.id for entry in Lock(tmp_path / "first" / "archive"))
    scene = next(item for item in earth.items if item["id"] == name)
    older = json.loads(json.dumps(scene))
    older["id"] = scene["id"] + "_OLD"
    newer = {**scene, "properties": {**scene["properties"], "s2:generation_time": "2026-01-01T00:00:00Z"}}
    older["properties"]["s2:generation_time"] = "2022-03-05T00:00:00Z"
    earth.stac.add(newer)
    earth.stac.add(older)
    try:
        report = earth.fetch(tmp_path / "a" / "archive", demand=demand)
        past = Demand(demand.targets, demand.periods, demand.bands, replaced=True)
        both = earth.fetch(tmp_path / "b" / "archive", demand=past)
    finally:
        earth.stac.remove(older["collection"], older["id"])
        earth.stac.add(scene)
    assert both.sources[0].items == report.sources[0].items + 1
    assert [one.name for one in report.sources[0].left_out] == [older["id"]]


@pytest.mark.parametrize(
    "change",
    [
        {"href": "file:///etc/passwd"},
        {"href": "/vsicurl/http://127.0.0.1/a.tif"},
        {"href": "http://localhost:9/a.tif"},
        {"href": "https://example.org/a.tif"},
        {"id": "../../../outside"},
        {"id": "x" * 300},
        {"key": "../../outside"},
    ],
)
def test_a_hostile_item_reaches_no_other_file_and_no_other_host(earth, tmp_path, change):
    item = json.loads(json.dumps(earth.height_model))
    if "href" in change:
        item["assets"]["elevation"]["href"] = change["href"]
    if "key" in change:
        item["assets"] = {change["key"]: {**item["assets"]["elevation"], "title": "elevation"}}
    item["id"] = change.get("id", item["id"])
    others = [one for one in earth.items if one["collection"] != "nasadem"]
    with StacServer([*others, item]) as stac:
        hostile = Earth(earth.archive, earth.assets, stac, earth.items)
        (tmp_path / "inner").mkdir()
        (report,) = hostile.fetch(tmp_path / "inner" / "archive", demand=earth.demand(("dem",))).sources
    if "id" in change:
        assert report.state == "fetched", report.reason
    else:
        assert report.state in ("unreadable", "empty")
        assert report.left_out or report.reason
    outside = [path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "inner")]
    assert outside == [tmp_path / "inner"] or {path.name for path in outside} <= {"inner", "cache"}


def test_sensors_of_one_block_share_its_bytes(earth, tmp_path):
    west, south, east, north = earth.area.bbox
    places = [("a", west, south), ("b", west + 0.008, south + 0.004), ("c", east, north)]
    sets = []
    for number in (1, 3):
        demand = Demand.of(
            around(places[:number], 0), span_of([earth.time]), everything(), TemporalPolicy(), masks=False
        )
        demand = Demand(
            demand.targets, {"sentinel1": demand.periods["sentinel1"]}, {"sentinel1": demand.bands["sentinel1"]}
        )
        earth.assets.reset()
        earth.fetch(tmp_path / str(number) / "archive", demand=demand)
        sets.append(earth.assets.totals("*.tif*"))
    assert sets[1].requests <= sets[0].requests + 4
    held = vadose.open_archive(tmp_path / "3" / "archive")
    for _, lon, lat in places:
        tile = tile_around(lon, lat, 0)
        (x, y) = cell_centres(tile)
        box = (float(x.min()) - 1e-4, float(y.min()) - 1e-4, float(x.max()) + 1e-4, float(y.max()) + 1e-4)
        assert np.isfinite(held.load(box, earth.time, ["vv"])["vv"].values).all()


def test_each_step_names_what_it_counts(earth, tmp_path):
    told: list[tuple[str, int, int, str]] = []
    options = FetchOptions(earth.catalogues, BlockCache(tmp_path / "cache"), PATIENCE)
    demand = earth.demand()
    report = fetch(demand, tmp_path / "archive", options, lambda *now: told.append((now[2].counted, *now)))
    searched = [one for one in told if one[0] == "sources searched"]
    kept = [one for one in told if one[0] == "archive items"]
    assert told == searched + kept
    assert [(done, total) for _, done, total, _ in searched] == [(done, 4) for done in range(5)]
    items = sum(one.items for one in report.sources)
    assert (kept[-1][1], kept[-1][2]) == (items, items)
    received = sum(one.bytes for one in report.sources) / 1e6
    assert kept[-1][3].startswith(f"{received:.1f} MB received")


def test_an_interrupted_fetch_ends_at_once_and_loses_nothing(earth, tmp_path):
    earth.fetch(tmp_path / "whole" / "archive")
    expected = (tmp_path / "whole" / "archive" / "vadose.lock").read_bytes()
    earth.assets.fail(faults.down(retry_after=50), path="*sentinel-2-l2a*")
    patient = Limits(attempts=5, backoff_s=50.0)

    def interrupt(done: int, _total: int, step: Any) -> None:
        if step.counted == "archive items" and done:
            raise KeyboardInterrupt

    folder, options = tmp_path / "archive", FetchOptions(earth.catalogues, BlockCache(tmp_path / "cache"), patient)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fetch(earth.demand(), folder, options, interrupt)
    assert time.monotonic() - begun < 40, "pauses between attempts end with the run"
    assert any(Lock(folder)) and not (folder / "vadose.lock").exists()
    earth.assets.mend()
    earth.fetch(folder)
    assert (folder / "vadose.lock").read_bytes() == expected


@pytest.mark.parametrize("suffix", [".tif", ".json"])
def test_an_edited_file_is_fetched_again(earth, tmp_path, suffix):
    demand, archive = earth.demand(("dem", "worldcover")), tmp_path / "archive"
    earth.fetch(archive, demand=demand)
    (edited,) = (archive / "nasadem").rglob(f"*{suffix}")
    before = edited.read_bytes()
    edited.write_bytes(before[:-2] + b"??")
    report = earth.fetch(archive, demand=demand)
    assert {one.source: one.new for one in report.sources} == {"dem": 1, "worldcover": 0}
    assert edited.read_bytes() == before


def test_a_file_that_decayed_is_restored_from_the_lock(earth, tmp_path):
    demand, archive = earth.demand(("dem",)), tmp_path / "archive"
    earth.fetch(archive, demand=demand)
    (decayed,) = (archive / "nasadem").rglob("*.tif")
    before, times = decayed.read_bytes(), decayed.stat()
    decayed.write_bytes(before[:-2] + b"??")
    os.utime(decayed, ns=(times.st_atime_ns, times.st_mtime_ns))
    restore(archive, FetchOptions(earth.catalogues, BlockCache(tmp_path / "cache"), PATIENCE))
    assert decayed.read_bytes() == before


BROKEN_FOR_GOOD = {"absent": faults.Reply(404), "no GeoTIFF": faults.Reply(200, b"not a GeoTIFF" * 9, "image/tiff")}


@pytest.mark.parametrize("fault", BROKEN_FOR_GOOD)
def test_a_source_with_a_file_that_stays_unreadable_is_incomplete_and_says_which(earth, tmp_path, fault):
    demand, archive = earth.demand(("sentinel2", "dem")), tmp_path / "archive"
    earth.fetch(tmp_path / "whole" / "archive", demand=demand)
    names = sorted({entry.id for entry in Lock(tmp_path / "whole" / "archive") if entry.source == "sentinel2"})
    assert len(names) > 1
    earth.assets.fail(BROKEN_FOR_GOOD[fault], path=f"*{names[0]}*B04*")
    report = earth.fetch(archive, cache=tmp_path / "other", demand=demand, require=frozenset({"sentinel2"}))
    states = {one.source: one for one in report.sources}
    assert (states["dem"].state, states["sentinel2"].state) == ("fetched", "incomplete")
    assert states["sentinel2"].missing and states["sentinel2"].final
    assert states["sentinel2"].items == len(names) - 1
    assert f"1 of {len(names)} items" in states["sentinel2"].reason
    assert names[0] in states["sentinel2"].reason and "repetition" in states["sentinel2"].reason
    assert [one.name for one in states["sentinel2"].left_out] == [names[0]]
    stated = json.loads((archive / "vadose.lock").read_text())["sources"]["sentinel2"]
    assert (stated["state"], stated["reason"]) == ("incomplete", states["sentinel2"].reason)
    earth.assets.mend()
    assert {one.state for one in earth.fetch(archive, demand=demand).sources} == {"fetched"}


def test_a_source_of_which_nothing_can_be_read_is_not_called_empty(earth, tmp_path):
    earth.assets.fail(BROKEN_FOR_GOOD["absent"], path="*nasadem*")
    (report,) = earth.fetch(tmp_path / "archive", demand=earth.demand(("dem",))).sources
    assert (report.state, report.items, report.final) == ("unreadable", 0, True)
    with pytest.raises(VadoseError, match="unreadable"):
        earth.fetch(tmp_path / "archive", demand=earth.demand(("dem",)), require=frozenset({"dem"}))


@pytest.mark.parametrize("given", [["second"], ["file"], ["file", "loopback"]])
def test_a_check_asks_the_catalogues_that_are_named(earth, tmp_path, monkeypatch, given):
    known = earth.catalogues.catalogues["loopback"].model_dump(mode="json", exclude_none=True)
    everything_known, added = tmp_path / "known.yaml", tmp_path / "file.yaml"
    everything_known.write_text(json.dumps({"catalogues": {"loopback": known, "second": known, "third": known}}))
    added.write_text(json.dumps({"catalogues": {"fourth": known}}))
    monkeypatch.setenv("VADOSE_CATALOGUES", str(everything_known))
    states = vadose.check_catalogues([str(added) if one == "file" else one for one in given])
    expected = {"fourth" if one == "file" else one for one in given}
    assert {(one.catalogue, one.source) for one in states} == {
        (name, source) for name in expected for source in known["collections"]
    }


def test_an_unknown_source_cannot_be_required(earth, tmp_path):
    earth.stac.reset()
    with pytest.raises(VadoseError, match=r"sentinel9.*sentinel1"):
        earth.fetch(tmp_path / "archive", require=frozenset({"sentinel9"}))
    assert earth.stac.searches == 0 and not (tmp_path / "archive").exists()


@pytest.mark.parametrize("size", ["much", "nan", "inf", "-1"])
def test_a_size_of_the_cache_that_is_none_is_refused(monkeypatch, size):
    monkeypatch.setenv("VADOSE_CACHE_SIZE", size)
    with pytest.raises(VadoseError, match="no positive number"):
        BlockCache.default()


@pytest.mark.parametrize(
    "edit",
    [
        "truncated",
        "item stated by none",
        "path that leaves",
        "catalogue gone",
        "entries gone",
        "five edges",
        "no pixels",
    ],
)
def test_an_edited_lock_is_refused_in_three_parts_and_nothing_is_lost(earth, tmp_path, edit):
    archive = tmp_path / "archive"
    earth.fetch(archive, demand=earth.demand(("dem",)))
    lock = json.loads((archive / "vadose.lock").read_text())
    entry = lock["entries"][0]
    if edit == "item stated by none":
        entry["original"] = None
    elif edit == "path that leaves":
        entry["files"][0]["path"] = "../../elsewhere.tif"
    elif edit == "catalogue gone":
        entry["catalogue"] = "mars"
    elif edit == "address":
        entry["files"][0]["address"] = "https://elsewhere.example/elevation.tif"
    elif edit == "entries gone":
        del lock["entries"]
    elif edit in ("five edges", "no pixels"):
        entry["files"][0]["window"] = [-1, 0, 10, 0, 10] if edit == "five edges" else [0, 0, 0, 10]
    text = json.dumps(lock)
    (archive / "vadose.lock").write_text(text[: len(text) // 2] if edit == "truncated" else text)
    files = {path: path.read_bytes() for path in archive.rglob("*") if path.is_file()}
    with pytest.raises(VadoseError):
        restore(archive, FetchOptions(earth.catalogues, BlockCache(tmp_path / "cache"), PATIENCE))
    assert {path: path.read_bytes() for path in archive.rglob("*") if path.is_file()} == files


def test_no_other_command_writes_into_a_fetched_archive(earth, tmp_path):
    earth.fetch(tmp_path / "archive", demand=earth.demand(("dem",)))
    with pytest.raises(VadoseError, match=r"vadose.lock, a result of 'vadose fetch'"):
        Request("map", "").require_no_other(tmp_path / "archive", ["plan.json"])
