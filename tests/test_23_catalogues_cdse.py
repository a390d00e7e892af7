"""Sentinel-2 from the Copernicus Data Space Ecosystem: the same reflectance as in the source archive, with a key."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vadose
from catalogue_servers import Cdse, StacServer, faults
from catalogue_servers.cdse import ACCESS, SECRET
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.check import check_catalogues
from vadose.catalogues.demand import Demand, Target, everything, span_of
from vadose.catalogues.fetch import FetchOptions, FetchReport, fetch, restore
from vadose.catalogues.http import Limits
from vadose.catalogues.settings import Catalogue, Catalogues, read_catalogues
from vadose.fusion import TemporalPolicy
from vadose.grid import AreaOfInterest
from vadose.sources.stac import parse

TILE = "54SAB"
TIME = np.datetime64("2022-02-10T12:00", "ns")
NAMES = ["B02", "B03", "B04", "B08", "B11", "B12"]
PATIENCE = Limits(attempts=2, backoff_s=0.001, read_s=5.0)


@pytest.fixture(scope="module")
def started(tiny_world: Path) -> Iterator[Cdse]:
    with Cdse(tiny_world, TILE) as servers:
        yield servers


@pytest.fixture
def cdse(started: Cdse, monkeypatch: pytest.MonkeyPatch) -> Cdse:
    for server in (started.stac, started.eodata):
        server.mend()
        server.reset()
    started.eodata.clock = time.time
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", ACCESS)
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", SECRET)
    monkeypatch.setenv("NETRC", "/nonexistent")
    return started


def area_of(cdse: Cdse) -> AreaOfInterest:
    west, south, east, north = next(iter(cdse.stac.items.values()))["bbox"]
    lon, lat = (west + east) / 2, (south + north) / 2
    return AreaOfInterest.from_bbox(lon - 0.004, lat - 0.004, lon + 0.004, lat + 0.004)


def demand_of(cdse: Cdse) -> Demand:
    target = Target.of_tiles("area", area_of(cdse).tiles(32, 4))
    whole = Demand.of([target], span_of([TIME]), everything(), TemporalPolicy())
    return Demand(whole.targets, {"sentinel2": whole.periods["sentinel2"]}, {"sentinel2": whole.bands["sentinel2"]})


def options_of(cdse: Cdse, cache: Path, **others: Catalogue) -> FetchOptions:
    held = Catalogues(
        catalogues={**others, "cdse": Catalogue(**cdse.settings())}, precedence={"sentinel2": (*others, "cdse")}
    )
    return FetchOptions(held, BlockCache(cache), PATIENCE)


def fetched(cdse: Cdse, tmp_path: Path, **others: Catalogue) -> FetchReport:
    return fetch(demand_of(cdse), tmp_path / "archive", options_of(cdse, tmp_path / "cache", **others))


def features(archive: Path, cdse: Cdse) -> Any:
    return vadose.open_archive(archive).load(area_of(cdse), TIME, NAMES)


def test_reflectance_equals_that_of_the_source_archive(cdse, tiny_world, tmp_path, capsys, caplog):
    caplog.set_level(logging.DEBUG)
    (report,) = fetched(cdse, tmp_path).sources
    assert (report.state, report.catalogue) == ("fetched", "cdse"), report.reason
    held, expected = features(tmp_path / "archive", cdse), features(tiny_world, cdse)
    for name in NAMES:
        np.testing.assert_array_equal(held[name], expected[name], err_msg=name)
        assert np.isfinite(held[name]).any()
    items = [json.loads(path.read_text()) for path in (tmp_path / "archive").glob("sentinel-2-l2a/*/*/*.json")]
    assert {item["properties"]["processing:version"] for item in items} >= {"03.01", "04.00"}
    assert {asset["type"] for item in items for asset in item["assets"].values()} == {"image/tiff; application=geotiff"}
    assert not any("alternate" in asset or "auth:refs" in asset for item in items for asset in item["assets"].values())
    output = capsys.readouterr()
    assert SECRET not in output.out + output.err + caplog.text and ACCESS not in output.out + output.err + caplog.text
    kept = [path for folder in ("archive", "cache") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert kept and not any(word.encode() in path.read_bytes() for path in kept for word in (SECRET, ACCESS))
    assert not any(SECRET in str(request) for server in (cdse.stac, cdse.eodata) for request in server.requests)
    assert not any("authorization" in request.headers for request in cdse.stac.requests)


def test_a_locked_archive_is_restored_byte_by_byte(cdse, tmp_path):
    fetched(cdse, tmp_path)
    archive = tmp_path / "archive"
    before = {path.relative_to(archive): path.read_bytes() for path in archive.rglob("*.tif")}
    for path in before:
        (archive / path).unlink()
    restore(archive, options_of(cdse, tmp_path / "other"))
    assert {path.relative_to(archive): path.read_bytes() for path in archive.rglob("*.tif")} == before


def test_without_a_key_nothing_is_searched_and_the_source_is_denied(cdse, tmp_path, monkeypatch):
    monkeypatch.delenv("CDSE_S3_SECRET_KEY")
    (report,) = fetched(cdse, tmp_path).sources
    assert report.state == "denied"
    assert "CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY are not set" in report.reason
    assert not cdse.stac.requests and not cdse.eodata.requests


@pytest.mark.parametrize(
    ("fault", "state"), [(None, "empty"), (faults.down(), "down")], ids=["another is empty", "another is down"]
)
def test_without_a_key_the_state_is_that_of_the_catalogues_before(cdse, tmp_path, monkeypatch, fault, state):
    monkeypatch.delenv("CDSE_S3_ACCESS_KEY")
    with StacServer([]) as other:
        if fault:
            other.fail(fault)
        first = Catalogue(
            title="first", kind="stac", endpoint=other.root, hosts=("127.0.0.1",), collections={"sentinel2": ("x",)}
        )
        (report,) = fetched(cdse, tmp_path, first=first).sources
    assert report.state == state


def test_a_wrong_key_is_denied(cdse, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", "canary-wrong")
    (report,) = fetched(cdse, tmp_path).sources
    assert report.state == "denied" and "SignatureDoesNotMatch" in report.reason
    assert "canary" not in report.reason + caplog.text


def test_a_wrong_clock_is_denied_with_the_reason(cdse, tmp_path):
    cdse.eodata.clock = lambda: time.time() + 7200
    (report,) = fetched(cdse, tmp_path).sources
    assert report.state == "denied" and "clock of this machine" in report.reason


def test_a_truncated_file_is_left_out_and_the_other_scenes_are_kept(cdse, tmp_path):
    scenes = sorted(cdse.folder.rglob("*20220202*_B04_10m.jp2"))
    (path,) = scenes
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    try:
        (report,) = fetched(cdse, tmp_path).sources
    finally:
        path.write_bytes(whole)
    assert report.items > 0
    assert any("20220202" in one.name and "truncated" in str(one.reason) for one in report.left_out)
    assert not list((tmp_path / "archive").rglob("*20220202*.tif"))


def test_it_is_asked_last_and_its_hosts_four_times_at_once():
    held = read_catalogues()
    assert [name for name, _ in held.of("sentinel2")][-1] == "cdse"
    cdse = held.catalogues["cdse"]
    assert cdse.concurrency == {"*.dataspace.copernicus.eu": 4}
    assert cdse.located("s3://eodata/Sentinel-2/a b.jp2") == (
        "https://eodata.dataspace.copernicus.eu/eodata/Sentinel-2/a%20b.jp2"
    )
    assert held.catalogues["earth-search"].located("s3://a/b") == "s3://a/b"


def test_the_real_items_have_the_addresses_and_offsets_that_are_read(real):
    paths = sorted((real / "stac_items" / "cdse" / "sentinel-2-l2a").glob("*.json"))
    assert paths
    for path in paths:
        record = parse(json.loads(path.read_text()))
        assert {asset.band for asset in record.assets} == {*NAMES, "scl"}
        for asset in record.assets:
            assert asset.href.startswith("s3://eodata/Sentinel-2/MSI/")
            if asset.band != "scl":
                assert (asset.scale, asset.offset, asset.nodata) == (1e-4, -0.1, 0.0)


@pytest.mark.parametrize(("key", "state"), [(SECRET, "ok"), ("wrong", "denied"), ("", "denied")])
def test_check_reads_a_header_with_the_key(cdse, monkeypatch, key, state):
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", key)
    west, south, east, north = area_of(cdse).bbox
    held = Catalogues(catalogues={"cdse": Catalogue(**cdse.settings())})
    place = ("field", (west + east) / 2, (south + north) / 2)
    (found,) = check_catalogues(held, place, now=TIME + np.timedelta64(12, "D"))
    assert (found.catalogue, found.source, found.state) == ("cdse", "sentinel2", state), found.detail
