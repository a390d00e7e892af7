"""From all catalogues to an archive: seven sources as in the simulated archive, from wherever they still are."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import vadose
from catalogue_servers import World, faults
from catalogue_servers.fixtures import catalogues, world_servers  # noqa: F401 -- fixtures
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.demand import Demand, around
from vadose.catalogues.fetch import FetchOptions, FetchReport
from vadose.catalogues.fetch import fetch as run_fetch
from vadose.catalogues.lock import NAME, read_lock
from vadose.catalogues.settings import read_catalogues
from vadose.grid import AreaOfInterest
from vadose.insitu import Ismn
from vadose.sources.gldas import Gldas
from vadose.sources.published import read_dates
from vadose.sources.smap import Smap

DATE = "2022-03-14"
CANARY = "canary-5c1f"


@pytest.fixture
def settings(catalogues: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """File of the catalogues on loopback; the Earthdata token is a canary."""
    catalogues.login.users.tokens.add(CANARY)
    monkeypatch.setenv("EARTHDATA_TOKEN", CANARY)
    path = tmp_path / "catalogues.yaml"
    path.write_text(yaml.safe_dump(catalogues.settings()))
    return path


def area_of(world: World) -> AreaOfInterest:
    """A square kilometre that Sentinel-1 passes on the date."""
    (scene, *_) = [
        item
        for (collection, _), item in sorted(world.stac.items.items())
        if collection == "sentinel-1-rtc" and item["properties"]["datetime"].startswith(DATE)
    ]
    west, south, east, north = scene["bbox"]
    lon, lat = (west + east) / 2, (south + north) / 2
    return AreaOfInterest.from_bbox(lon - 0.005, lat - 0.005, lon + 0.005, lat + 0.005)


def fetch(world: World, settings: Path, tmp_path: Path) -> FetchReport:
    return vadose.fetch(tmp_path / "archive", area_of(world), DATE, catalogues=[settings], cache=tmp_path / "cache")


def features(archive: Path, world: World) -> Any:
    return vadose.open_archive(archive).load(area_of(world), DATE)


def found_at(report: FetchReport) -> dict[str, str]:
    return {one.source: one.catalogue for one in report.sources if one.state == "fetched"}


PLANETARY, EARTHDATA = "planetary-computer", "earthdata"
USUAL = {
    "dem": PLANETARY,
    "gldas": EARTHDATA,
    "sentinel1": PLANETARY,
    "sentinel2": PLANETARY,
    "smap": EARTHDATA,
    "soilgrids": "soilgrids",
    "worldcover": PLANETARY,
}


def test_seven_sources_as_in_the_source_archive(catalogues, settings, tiny_world, tmp_path, capsys, caplog):  # noqa: F811
    report = fetch(catalogues, settings, tmp_path)
    assert found_at(report) == USUAL
    held, expected = features(tmp_path / "archive", catalogues), features(tiny_world, catalogues)
    assert held.drop_attrs().equals(expected.drop_attrs())
    for name in ("vv", "incidence_angle", "B04", "elevation", "smap", "gldas", "sand", "built_up"):
        assert int(np.isfinite(held[name]).sum()) > 0, name
    dates = read_dates(tmp_path / "archive")
    granules = [one for source in (Smap, Gldas) for one in source(tmp_path / "archive").index.granules]
    assert granules and {one.path.name for one in granules} == dates.keys()
    held = {Path(one.path).name: entry for entry in read_lock(tmp_path / "archive" / NAME) for one in entry.files}
    for one in granules:
        entry = held[one.path.name]
        assert (entry.available_by == "catalogue") == one.by_catalogue
        assert np.datetime64(entry.available_at[:-1], "ns") == one.available_at
    asked = [request for server in catalogues.servers for request in server.requests]
    assert {request.status for request in asked} <= {200, 206}
    beside = [server for server in catalogues.servers if server is not catalogues.archive]
    assert not any(CANARY in str(request) for server in beside for request in server.requests)
    assert any(CANARY in request.headers.get("authorization", "") for request in catalogues.archive.requests)
    output = capsys.readouterr()
    assert CANARY not in output.out + output.err + caplog.text
    kept = [path for folder in ("archive", "cache") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert kept and not any(CANARY.encode() in path.read_bytes() for path in kept)
    assert not any(b"sig=" in path.read_bytes() for path in kept)


def test_what_is_down_is_taken_elsewhere(catalogues, settings, tiny_world, tmp_path):  # noqa: F811
    catalogues.stac.fail(faults.down())
    report = fetch(catalogues, settings, tmp_path)
    elsewhere = {"sentinel2": "earth-search", "dem": "copernicus-dem", "worldcover": "worldcover"}
    assert found_at(report) == {name: at for name, at in {**USUAL, **elsewhere}.items() if name != "sentinel1"}
    held, expected = features(tmp_path / "archive", catalogues), features(tiny_world, catalogues)
    assert not np.isfinite(held["vv"]).any() and np.isfinite(expected["vv"]).any()
    for name in ("B02", "B04", "B12", "sentinel2_valid_fraction", "built_up", "smap", "gldas", "clay"):
        np.testing.assert_array_equal(held[name], expected[name], err_msg=name)
    np.testing.assert_allclose(held["elevation"], expected["elevation"], atol=3.0)  # of half a pixel, and of rounding


def test_windows_of_a_soil_map_share_their_tiles_and_are_kept_one_by_one(catalogues, settings, tiny_world, tmp_path):  # noqa: F811
    targets = around(((one.station, one.lon, one.lat) for one in Ismn(tiny_world / "ismn").sensors()), 0)
    demand = Demand(targets, {"soilgrids": None}, {"soilgrids": frozenset({"sand"})})
    options = FetchOptions(read_catalogues([settings]), BlockCache(tmp_path / "cache"))
    archive = tmp_path / "archive"
    run_fetch(demand, archive, options)
    asked = Counter((one.path, one.range) for one in catalogues.soilgrids.requests)
    tiles = {path for path, _ in asked if path.endswith(".tif")}
    windows = sorted((archive / "soilgrids").rglob("*.tif"))
    assert len(windows) > len(tiles) > 0 and set(asked.values()) == {1}
    lock = (archive / "vadose.lock").read_bytes()
    times = [path.stat().st_mtime_ns for path in windows[1:]]
    windows[0].unlink()
    run_fetch(demand, archive, options)
    assert windows[0].exists() and [path.stat().st_mtime_ns for path in windows[1:]] == times
    assert (archive / "vadose.lock").read_bytes() == lock
