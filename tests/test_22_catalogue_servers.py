"""The catalogues on loopback do what they say: ranges, tokens, faults, pages."""

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pystac_client
import pytest

from catalogue_servers import AssetServer, Container, StacServer, faults
from catalogue_servers.plain_http import Answer

DATA = bytes(range(256)) * 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AssetServer]:
    folder = tmp_path_factory.mktemp("assets")
    (folder / "deep").mkdir()
    (folder / "deep" / "a.tif").write_bytes(DATA)
    (folder / "b.tif").write_bytes(DATA[:100])
    (folder / "empty.tif").write_bytes(b"")
    (folder.parent / "secret.txt").write_text("outside")
    containers = [
        Container("open", "files", folder, signed=False),
        Container("store", "files", folder, collections=("sentinel-2-l2a",)),
    ]
    with AssetServer(containers) as started:
        yield started


@pytest.fixture
def assets(server: AssetServer) -> AssetServer:
    server.mend()
    server.reset()
    server.tokens.life = 3600.0
    return server


@pytest.fixture
def file(assets: AssetServer) -> str:
    return assets.address("open", "files", "deep/a.tif")


def test_whole_file(file: str, assets: AssetServer) -> None:
    answer = Answer(file, headers={"X-Canary": "kept"})
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["Accept-Ranges"] == "bytes" and answer.headers["Content-Type"] == "image/tiff"
    assert answer.headers["ETag"].startswith('"') and answer.headers["Last-Modified"].endswith("GMT")
    (seen,) = assets.requests
    assert (seen.method, seen.path, seen.range, seen.status) == ("GET", "/open/files/deep/a.tif", None, 200)
    assert seen.headers["x-canary"] == "kept"
    assert assets.totals().bytes == len(DATA)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("0-9", (0, 9)),
        ("255990-", (255_990, 255_999)),
        ("-5", (255_995, 255_999)),
        ("255998-300000", (255_998, 255_999)),
    ],
)
def test_one_range(file: str, asked: str, expected: tuple[int, int]) -> None:
    first, last = expected
    answer = Answer(file, headers={"Range": f"bytes={asked}"})
    assert (answer.status, answer.body) == (206, DATA[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(DATA)}"
    assert answer.headers["ETag"] == Answer(file).headers["ETag"]


def test_ranges_that_give_the_whole_file_or_nothing(file: str, assets: AssetServer) -> None:
    assert Answer(file, headers={"Range": "bytes=0-1,4-5"}).status == 200
    assert Answer(file, headers={"Range": "bytes=9-3"}).status == 416
    beyond = Answer(file, headers={"Range": f"bytes={len(DATA)}-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")
    assert Answer(assets.address("open", "files", "empty.tif"), headers={"Range": "bytes=0-1"}).status == 416
    assert Answer(assets.address("open", "files", "empty.tif")).body == b""


def test_head_sends_no_body(file: str, assets: AssetServer) -> None:
    answer = Answer(file, "HEAD")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", str(len(DATA)))
    assert assets.totals().bytes == 0


def test_conditions(file: str) -> None:
    etag = Answer(file).headers["ETag"]
    assert Answer(file, headers={"If-Match": etag, "Range": "bytes=0-1"}).status == 206
    assert Answer(file, headers={"If-Match": '"other"', "Range": "bytes=0-1"}).status == 412
    assert Answer(file, headers={"If-Range": '"other"', "Range": "bytes=0-1"}).status == 200
    assert Answer(file, headers={"If-None-Match": etag}).status == 304


@pytest.mark.parametrize(
    "path", ["none.tif", "deep", "../secret.txt", "deep/%2e%2e/%2e%2e/secret.txt", "/etc/hostname"]
)
def test_nothing_outside_the_folder(assets: AssetServer, path: str) -> None:
    answer = Answer(f"{assets.url}/open/files/{path}")
    assert answer.status == 404 and b"BlobNotFound" in answer.body


def signed(assets: AssetServer, of: str = "store/files") -> str:
    token = Answer(f"{assets.url}/sas/v1/token/{of}").json["token"]
    return f"{assets.address('store', 'files', 'b.tif')}?{token}"


def test_signature_opens_its_container_only(assets: AssetServer, tmp_path: Path) -> None:
    bare = Answer(assets.address("store", "files", "b.tif"))
    assert bare.status == 403 and b"<Code>AuthenticationFailed</Code>" in bare.body
    assert bare.headers["Content-Type"] == "application/xml"
    assert Answer(signed(assets)).body == DATA[:100]
    assert Answer(signed(assets, "sentinel-2-l2a")).status == 200
    assert Answer(signed(assets, "open/files")).status == 403
    assert Answer(signed(assets).replace("sp=rl", "sp=rw")).status == 403
    assert Answer(f"{assets.url}/sas/v1/token/store/none").status == 404


def test_token_expires(assets: AssetServer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.time()]
    monkeypatch.setattr(assets.tokens, "clock", lambda: now[0])
    assets.tokens.life = 2.5
    address = signed(assets)
    now[0] += 2.4
    assert Answer(address).status == 200
    now[0] += 0.2
    late = Answer(address)
    assert late.status == 403 and b"not valid in the specified time frame" in late.body
    assert Answer(signed(assets)).status == 200


def test_token_of_whole_seconds_says_when_it_ends(assets: AssetServer) -> None:
    assets.tokens.life = 2
    said = Answer(f"{assets.url}/sas/v1/token/store/files").json
    expiry = time.strptime(said["msft:expiry"], "%Y-%m-%dT%H:%M:%SZ")
    assert 1.9 <= time.mktime(expiry) - time.timezone - time.time() <= 3
    assert urlencode({"se": said["msft:expiry"]}) in said["token"]


def test_revoked_tokens(assets: AssetServer) -> None:
    address = signed(assets)
    assets.tokens.revoke()
    assert Answer(address).status == 403
    assert Answer(signed(assets)).status == 200
    assert len(assets.tokens.issued) == 2
    assets.reset()
    assert not assets.tokens.issued


def test_statuses_as_planned(assets: AssetServer, file: str) -> None:
    assets.fail(faults.too_many_requests(7), "*/a.tif", times=2, after=1)
    assets.fail(faults.down(), "*/b.tif")
    answers = [Answer(file) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "7"
    assert [request.fault for request in assets.requests] == ["", "Reply", "Reply", ""]
    assert [Answer(assets.address("open", "files", "b.tif")).status for _ in range(2)] == [503, 503]
    assets.mend()
    assert Answer(assets.address("open", "files", "b.tif")).status == 200


def test_pages_instead_of_files(assets: AssetServer, file: str) -> None:
    assets.fail(faults.html_page(), times=1)
    page = Answer(file)
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html") and b"<form>" in page.body
    assets.fail(faults.redirect("http://127.0.0.2:9/elsewhere"), times=1)
    elsewhere = Answer(file)
    assert (elsewhere.status, elsewhere.headers["Location"]) == (302, "http://127.0.0.2:9/elsewhere")


def test_truncated_body(assets: AssetServer, file: str) -> None:
    assets.fail(faults.Truncate(0.25), times=1)
    with pytest.raises(http.client.IncompleteRead) as raised:
        Answer(file)
    assert raised.value.partial == DATA[: len(DATA) // 4]
    assert assets.totals().bytes == len(DATA) // 4
    assert Answer(file).body == DATA


@pytest.mark.parametrize("share", [None, 0.5])
def test_connection_reset(assets: AssetServer, file: str, share: float | None) -> None:
    assets.fail(faults.Reset(share), times=1)
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        Answer(file)
    assert Answer(file).status == 200


@pytest.mark.parametrize("share", [None, 0.5])
def test_stall(assets: AssetServer, file: str, share: float | None) -> None:
    assets.fail(faults.Stall(30, share), times=1)
    with pytest.raises(TimeoutError):
        Answer(file, timeout=0.2)
    assert Answer(file).status == 200


def test_stall_that_ends(assets: AssetServer, file: str) -> None:
    assets.fail(faults.Stall(0.2), times=1)
    start = time.monotonic()
    assert Answer(file).body == DATA
    assert time.monotonic() - start >= 0.2


def test_slow_answer(assets: AssetServer, file: str) -> None:
    assets.fail(faults.Slow(len(DATA) / 0.4), times=1)
    start = time.monotonic()
    assert Answer(file).body == DATA
    assert time.monotonic() - start >= 0.35


def test_ranges_ignored_or_mistaken(assets: AssetServer, file: str) -> None:
    assets.fail(faults.IgnoreRange(), times=1)
    whole = Answer(file, headers={"Range": "bytes=10-19"})
    assert (whole.status, whole.body) == (200, DATA)
    assets.fail(faults.WrongRange(5), times=1)
    wrong = Answer(file, headers={"Range": "bytes=10-19"})
    assert (wrong.status, wrong.body, wrong.headers["Content-Range"][:11]) == (206, DATA[15:25], "bytes 15-24")


def test_file_swapped_from_a_moment_on(assets: AssetServer, file: str) -> None:
    assets.fail(faults.Swap(b"x" * 50), "*/a.tif", after=1)
    before, after = Answer(file, headers={"Range": "bytes=0-9"}), Answer(file, headers={"Range": "bytes=0-9"})
    assert before.body == DATA[:10] and after.body == b"x" * 10
    assert before.headers["ETag"] != after.headers["ETag"] and after.headers["Content-Range"].endswith("/50")
    assert Answer(file, headers={"Range": "bytes=0-9", "If-Match": before.headers["ETag"]}).status == 412


def test_rewritten_file_has_another_etag(assets: AssetServer, tmp_path: Path) -> None:
    (tmp_path / "f.tif").write_bytes(b"one")
    with AssetServer([Container("a", "c", tmp_path, signed=False)]) as own:
        first = Answer(own.address("a", "c", "f.tif")).headers["ETag"]
        (tmp_path / "f.tif").write_bytes(b"two")
        os.utime(tmp_path / "f.tif", (1, 1))
        assert Answer(own.address("a", "c", "f.tif")).headers["ETag"] != first


def test_stop_cuts_what_still_runs(tmp_path: Path) -> None:
    (tmp_path / "f.tif").write_bytes(b"one")
    own = AssetServer([Container("a", "c", tmp_path, signed=False)]).start()
    own.fail(faults.Stall(60))
    with socket.create_connection(("127.0.0.1", own.port), timeout=5) as waiting:
        waiting.sendall(b"GET /a/c/f.tif HTTP/1.1\r\nHost: x\r\n\r\n")
        start = time.monotonic()
        while not own.requests and time.monotonic() - start < 5:
            time.sleep(0.005)
        assert own.requests
        own.stop()
        assert time.monotonic() - start < 3
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", own.port), timeout=1)


def item(number: int, collection: str = "sentinel-2-l2a", **properties: Any) -> dict[str, Any]:
    """Item of a degree cell and a day, both by its number."""
    west, south = float(number % 10), 40.0
    ring = [[west, south], [west + 1, south], [west + 1, south + 1], [west, south + 1], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"item-{number:03}",
        "collection": collection,
        "bbox": [west, south, west + 1, south + 1],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"datetime": f"2022-01-{number % 28 + 1:02}T10:00:00Z", **properties},
        "links": [{"rel": "derived_from", "href": f"https://example.org/x/v1/collections/grd/items/raw-{number}"}],
        "assets": {"data": {"href": f"https://example.org/{number}.tif"}},
    }


@pytest.fixture(scope="module")
def catalogue() -> Iterator[StacServer]:
    span = {"datetime": None, "start_datetime": "2021-01-01T00:00:00Z", "end_datetime": "2021-12-31T23:59:59Z"}
    world = {**item(500, "esa-worldcover"), "bbox": [170.0, -10.0, -170.0, 10.0]}
    items = [*(item(number) for number in range(23)), item(400, "nasadem", **span), world]
    with StacServer(items, page_size=4) as started:
        yield started


@pytest.fixture
def stac(catalogue: StacServer) -> StacServer:
    catalogue.mend()
    catalogue.reset()
    catalogue.next_style, catalogue.seed = "body", 0
    return catalogue


def pages(stac: StacServer, body: dict[str, Any]) -> list[list[str]]:
    """Ids of all pages, by POST at first."""
    found, answer = [], Answer(f"{stac.root}/search", "POST", body)
    while True:
        assert answer.status == 200 and answer.headers["Content-Type"] == "application/geo+json"
        found.append([feature["id"] for feature in answer.json["features"]])
        (link,) = [link for link in answer.json["links"] if link["rel"] == "next"] or [None]
        if link is None:
            return found
        if link["method"] == "GET":
            answer = Answer(link["href"])
        else:
            answer = Answer(link["href"], "POST", {**body, **link["body"]} if link["merge"] else link["body"])


@pytest.mark.parametrize("style", ["body", "merge", "get"])
def test_pages_are_complete(stac: StacServer, style: Any) -> None:
    stac.next_style = style
    found = pages(stac, {"collections": ["sentinel-2-l2a"], "limit": 1000})
    assert [len(page) for page in found] == [4, 4, 4, 4, 4, 3]
    assert sorted(chain(*found)) == [f"item-{number:03}" for number in range(23)]
    assert stac.searches == 6


def test_order_is_that_of_the_seed(stac: StacServer) -> None:
    first, again = ([*chain(*pages(stac, {}))] for _ in range(2))
    stac.seed = 1
    other = [*chain(*pages(stac, {}))]
    assert first == again != other
    assert sorted(first) == sorted(other) and first != sorted(first)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"bbox": [2.5, 40.2, 3.5, 40.4]}, [2, 3, 12, 13, 22]),
        ({"bbox": [2.5, 40.2, 0.0, 2.6, 40.4, 9.0]}, [2, 12, 22]),
        ({"intersects": {"type": "Point", "coordinates": [5.5, 40.5]}}, [5, 15]),
        ({"datetime": "2022-01-20T10:00:00Z"}, [19]),
        ({"datetime": "2022-01-22T00:00:00Z/.."}, [21, 22, 500]),
        ({"datetime": "../2022-01-02T10:00:00Z", "collections": ["sentinel-2-l2a"]}, [0, 1]),
        ({"datetime": "2021-06-01T00:00:00Z/2021-07-01T00:00:00Z"}, [400]),
        ({"ids": ["item-003", "item-007"]}, [3, 7]),
        ({"bbox": [-175.0, 0.0, -174.0, 1.0]}, [500]),
        ({"bbox": [175.0, 0.0, 176.0, 1.0]}, [500]),
        ({"bbox": [179.0, 0.0, -179.0, 1.0]}, [500]),
        ({"bbox": [100.0, 0.0, 101.0, 1.0]}, []),
    ],
)
def test_searches_choose(stac: StacServer, wanted: dict[str, Any], numbers: list[int]) -> None:
    assert sorted(chain(*pages(stac, wanted))) == [f"item-{number:03}" for number in numbers]
    fields = {
        name: json.dumps(value) if name == "intersects" else ",".join(map(str, value)) if name != "datetime" else value
        for name, value in wanted.items()
    }
    answer = Answer(f"{stac.root}/search?{urlencode({**fields, 'limit': 4})}").json
    assert {feature["id"] for feature in answer["features"]} <= {f"item-{number:03}" for number in numbers}
    assert bool(answer["features"]) == bool(numbers)


def test_invalid_searches(stac: StacServer) -> None:
    assert Answer(f"{stac.root}/search?bbox=a,b").status == 400
    assert Answer(f"{stac.root}/search", "POST", {"datetime": "yesterday"}).status == 400


def test_items_and_collections_by_name(stac: StacServer) -> None:
    one = Answer(f"{stac.root}/collections/sentinel-2-l2a/items/item-003").json
    links = {link["rel"]: link["href"] for link in one["links"]}
    assert links["self"] == f"{stac.root}/collections/sentinel-2-l2a/items/item-003"
    assert links["derived_from"] == f"{stac.root}/collections/grd/items/raw-3"
    assert Answer(f"{stac.root}/collections/sentinel-2-l2a/items/none").status == 404
    assert Answer(f"{stac.root}/collections/none").status == 404
    names = [collection["id"] for collection in Answer(f"{stac.root}/collections").json["collections"]]
    assert names == ["esa-worldcover", "nasadem", "sentinel-2-l2a"]
    assert Answer(stac.root).json["conformsTo"] == Answer(f"{stac.root}/conformance").json["conformsTo"]


def test_replaced_and_removed_items(stac: StacServer) -> None:
    stac.add(item(600, "late", **{"s2:processing_baseline": "05.00"}))
    stac.add(item(600, "late", **{"s2:processing_baseline": "05.10"}))
    (feature,) = Answer(f"{stac.root}/search?collections=late").json["features"]
    assert feature["properties"]["s2:processing_baseline"] == "05.10"
    stac.remove("late", "item-600")
    assert not Answer(f"{stac.root}/search?collections=late").json["features"]


def test_faults_of_a_catalogue(stac: StacServer) -> None:
    stac.fail(faults.down(3), "*/search", times=1)
    stac.fail(faults.broken_json(), "*/search", times=1)
    stac.fail(faults.no_items(), "*/search", times=1)
    down, broken, empty = (Answer(f"{stac.root}/search") for _ in range(3))
    assert (down.status, down.headers["Retry-After"]) == (503, "3")
    with pytest.raises(json.JSONDecodeError):
        _ = broken.json
    assert empty.json["features"] == []
    assert Answer(f"{stac.root}/search").json["features"]


def test_pystac_client_reads_it(stac: StacServer) -> None:
    client = pystac_client.Client.open(stac.root)
    found = client.search(collections=["sentinel-2-l2a"], datetime="2022-01-01/2022-01-10", limit=3)
    assert sorted(entry.id for entry in found.items()) == [f"item-{number:03}" for number in range(10)]
