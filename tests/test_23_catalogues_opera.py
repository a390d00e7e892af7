"""OPERA RTC-S1 from CMR: bursts with the angle of their static layers, only where the catalogue is named."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

import vadose
from catalogue_servers import Opera
from real_archive import Layer, painted, write_item
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.check import check_catalogues
from vadose.catalogues.demand import Demand, Target, everything, span_of
from vadose.catalogues.fetch import FetchOptions, FetchReport, fetch
from vadose.catalogues.http import Limits
from vadose.catalogues.settings import Catalogue, Catalogues, read_catalogues
from vadose.fusion import TemporalPolicy
from vadose.grid import AreaOfInterest, Tile, tile_around
from vadose.sources.sentinel1 import Sentinel1
from vadose.sources.stac import ALLOWED
from vadose.variables import GAMMA0_OPERA

TILE = tile_around(15.0, 45.14, 1)
TIME = np.datetime64("2021-06-03T12:00", "ns")
WEST, NORTH, SIDE = (TILE.west - 3) * 320 // 30 * 30, (TILE.north + 3) * 320 // 30 * 30, 160
GRID = Affine(30, 0, WEST, 0, -30, NORTH)
NAME = "OPERA_L2_RTC-S1_T015-030804-IW{swath}_{start}Z_20210604T{made}Z_S1A_30_v1.0"
STATIC = "OPERA_L2_RTC-S1-STATIC_T015-030804-IW{swath}_20140403_S1A_30_v1.{minor}"
NAMES = ["vv", "vh", "incidence_angle"]
CANARY = "canary-8d21"
PATIENCE = Limits(attempts=2, backoff_s=0.001, read_s=5.0)


def layers(shift: float) -> dict[str, Layer]:
    """A burst in which no two pixels are alike, a part of it in shadow."""
    x, y = painted((SIDE, SIDE), GRID)
    power, crs = 0.1 + shift + (x - WEST + 2 * (NORTH - y)) / 1e5, f"EPSG:{TILE.epsg}"
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[40:44, 40:44] = 1
    return {
        "VV": Layer(power.astype(np.float32), crs, GRID, np.nan),
        "VH": Layer((power / 5).astype(np.float32), crs, GRID, np.nan),
        "mask": Layer(mask, crs, GRID, 255),
    }


def angle(shift: float) -> Layer:
    x, _ = painted((SIDE, SIDE), GRID)
    return Layer((35 + shift + (x - WEST) / 1e4).astype(np.float32), f"EPSG:{TILE.epsg}", GRID, np.nan)


def write(folder: Path, name: str, held: dict[str, Layer]) -> None:
    """Write the files of a granule as OPERA's: Cloud Optimized GeoTIFFs, in blocks."""
    (folder / name).mkdir(parents=True)
    for key, layer in held.items():
        profile = {"height": SIDE, "width": SIDE, "count": 1, "dtype": layer.values.dtype.name, "crs": layer.crs}
        blocks = {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "deflate"}
        with rasterio.open(
            folder / name / f"{name}_{key}.tif", "w", driver="GTiff", transform=GRID, nodata=layer.nodata,
            **profile, **blocks,
        ) as file:  # fmt: skip
            file.write(layer.values, 1)


BURSTS = {
    NAME.format(swath=1, start="20210602T050000", made="010000"): 0.0,
    NAME.format(swath=2, start="20210601T170000", made="010000"): 0.2,
    NAME.format(swath=2, start="20210601T170000", made="020000"): 0.3,
    NAME.format(swath=3, start="20210528T050000", made="010000"): 0.4,
}
ANGLES = {1: 0.0, 2: 1.0}
"""By swath; the third has no static layers."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opera]:
    folder = tmp_path_factory.mktemp("granules")
    for name, shift in BURSTS.items():
        write(folder, name, layers(shift))
    for swath, shift in ANGLES.items():
        wrong = {"local_incidence_angle": angle(20.0), "number_of_looks": angle(0.0), "mask": layers(0.0)["mask"]}
        write(folder, STATIC.format(swath=swath, minor=0), {"incidence_angle": angle(10.0 + shift), **wrong})
        write(folder, STATIC.format(swath=swath, minor=1), {"incidence_angle": angle(shift), **wrong})
    with Opera(folder) as opera:
        yield opera


@pytest.fixture
def opera(started: Opera, monkeypatch: pytest.MonkeyPatch) -> Opera:
    for server in (started.cmr, started.login, started.archive):
        server.mend()
        server.reset()
    started.cmr.records = started.records()
    started.login.users.tokens.add(CANARY)
    monkeypatch.setenv("EARTHDATA_TOKEN", CANARY)
    monkeypatch.setenv("NETRC", "/nonexistent")
    return started


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bursts as an archive that was put together by hand."""
    archive = tmp_path_factory.mktemp("archive")
    for name, shift in BURSTS.items():
        swath, start = int(name.partition("-IW")[2][0]), name.split("_")[4]
        time = f"{start[:4]}-{start[4:6]}-{start[6:8]}T{start[9:11]}:{start[11:13]}:00Z"
        held = layers(shift) | ({"incidence_angle": angle(ANGLES[swath])} if swath in ANGLES else {})
        properties = {ALLOWED: True, "platform": "sentinel-1a", "sat:orbit_state": "ascending"}
        write_item(archive, "OPERA_L2_RTC-S1_V1", name, time, held, properties)
    return archive


def fetched(opera: Opera, tmp_path: Path, tile: Tile = TILE) -> FetchReport:
    area = AreaOfInterest.from_tile(tile)
    whole = Demand.of([Target.of_tiles("area", area.tiles(4, 0))], span_of([TIME]), everything(), TemporalPolicy())
    demand = Demand(whole.targets, {"sentinel1": whole.periods["sentinel1"]}, {"sentinel1": whole.bands["sentinel1"]})
    held = Catalogues(catalogues={"opera": Catalogue(**opera.settings())}, precedence={"sentinel1": ("opera",)})
    return fetch(demand, tmp_path / "archive", FetchOptions(held, BlockCache(tmp_path / "cache"), PATIENCE))


def features(archive: Path) -> Any:
    return vadose.open_archive(archive).load(AreaOfInterest.from_tile(TILE), TIME, NAMES)


def items_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("archive/OPERA*/*/*/*.json"))]


def test_bursts_equal_those_of_an_archive_put_together_by_hand(opera, expected, tmp_path, capsys, caplog):
    (report,) = fetched(opera, tmp_path).sources
    assert (report.state, report.catalogue) == ("fetched", "opera"), report.reason
    held, by_hand = features(tmp_path / "archive"), features(expected)
    for name in NAMES:
        np.testing.assert_array_equal(held[name], by_hand[name], err_msg=name)
        assert np.isfinite(held[name]).any(), name
    assert Sentinel1(tmp_path / "archive").products["vv"] == GAMMA0_OPERA
    assert len(items_of(tmp_path)) == len(BURSTS) - 1, "of two processings of a burst the newer alone"
    output = capsys.readouterr()
    assert CANARY not in output.out + output.err + caplog.text
    assert not any(CANARY in str(request) for request in (*opera.cmr.requests, *opera.login.requests))
    assert any(CANARY in request.headers["authorization"] for request in opera.archive.requests)
    kept = [path for folder in ("archive", "cache") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert kept and not any(CANARY.encode() in path.read_bytes() for path in kept)


def test_each_item_says_that_it_may_be_read_and_whose_angle_it_has(opera, tmp_path):
    fetched(opera, tmp_path)
    found = {item["id"]: item for item in items_of(tmp_path)}
    assert found and all(item["properties"][ALLOWED] is True for item in found.values())
    for name, item in found.items():
        swath = int(name.partition("-IW")[2][0])
        layers = item["properties"].get("vadose:static_layers")
        assert (layers is None) == (swath not in ANGLES)
        assert ("incidence_angle" in item["assets"]) == (swath in ANGLES)
        assert layers is None or layers.startswith(STATIC.format(swath=swath, minor=1)), "the latest version"
        assert item["properties"]["sat:relative_orbit"] == 15
        assert item["properties"]["sat:orbit_state"] == "ascending"
    names = {path.name for path in (tmp_path / "archive").rglob("*.tif")}
    assert names == {"VV.tif", "VH.tif", "mask.tif", "incidence_angle.tif"}


def test_a_new_version_of_the_static_layers_replaces_the_angle(opera, tmp_path):
    fetched(opera, tmp_path)
    for record in opera.cmr.records:
        if record["umm"]["GranuleUR"] == STATIC.format(swath=1, minor=1):
            record["meta"]["revision-id"] = 2
    report = fetched(opera, tmp_path)
    assert [one.new for one in report.sources] == [1]
    assert fetched(opera, tmp_path).changed == ()


def test_it_is_asked_only_where_it_is_named():
    assert "opera" not in [name for name, _ in read_catalogues().of("sentinel1")]
    named = read_catalogues(["planetary-computer", "opera"])
    assert [name for name, _ in named.of("sentinel1")] == ["planetary-computer", "opera"]


def test_without_a_token_it_is_denied(opera, tmp_path, monkeypatch):
    monkeypatch.delenv("EARTHDATA_TOKEN")
    (report,) = fetched(opera, tmp_path).sources
    assert report.state == "denied" and "EARTHDATA_TOKEN" in report.reason


def without(record: dict[str, Any], ending: str) -> None:
    links = record["umm"]["RelatedUrls"]
    record["umm"]["RelatedUrls"] = [one for one in links if not one["URL"].endswith(ending)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda umm: umm.update(TemporalExtent={"SingleDateTime": "2021-06-02T05:00:00Z"}), "not of the form UMM-G"),
        (lambda umm: umm.update(AdditionalAttributes=3), "not of the form UMM-G"),
        (lambda umm: umm.update(GranuleUR="../../x"), "Its name is not read"),
        (lambda umm: umm.update(RelatedUrls=[]), "None of its assets"),
    ],
)
def test_an_odd_record_is_left_out_by_name_and_the_others_stay(opera, tmp_path, change, reason):
    (odd,) = (one for one in opera.cmr.records if "IW1_20210602" in one["umm"]["GranuleUR"])
    name = odd["umm"]["GranuleUR"]
    change(odd["umm"])
    (report,) = fetched(opera, tmp_path).sources
    assert report.state == "fetched"
    assert len(items_of(tmp_path)) == 2 and name not in {item["id"] for item in items_of(tmp_path)}
    assert [one for one in report.left_out if reason in one.reason], report.left_out


def test_a_mask_is_taken_from_the_static_layers_where_the_burst_has_none(opera, tmp_path):
    for record in opera.cmr.records:
        if "-STATIC" not in record["umm"]["GranuleUR"]:
            without(record, "_mask.tif")
    (report,) = fetched(opera, tmp_path).sources
    assert {item["id"].partition("-IW")[2][0] for item in items_of(tmp_path)} == {"1", "2"}
    assert any("no mask of layover and shadow" in one.reason for one in report.left_out)


def test_a_link_to_another_host_is_not_followed(opera, tmp_path):
    for record in opera.cmr.records:
        for link in record["umm"]["RelatedUrls"]:
            link["URL"] = link["URL"].replace("http://127.0.0.1", "https://evil.example")
    (report,) = fetched(opera, tmp_path).sources
    assert report.state == "unreadable" and not opera.archive.requests
    assert "not among the hosts" in report.reason


def test_check_reads_a_header(opera):
    held = Catalogues(catalogues={"opera": Catalogue(**opera.settings())})
    (state,) = check_catalogues(held, ("tile", 15.0, 45.14), now=np.datetime64("2021-06-15", "ns"))
    assert (state.catalogue, state.source, state.state) == ("opera", "sentinel1", "ok"), state.detail
