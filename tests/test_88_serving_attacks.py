"""Hostile requests: each is refused within the limits, and nothing outside the maps is read."""

import json
import socket
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from urllib.parse import quote

import pytest

import served_maps
from served_maps import Client
from vadose.serving import guards, run, series
from vadose.serving.limits import LIMITS, Limits

SECRET = "SECRET-OF-ANOTHER-FOLDER"
MAP = "collections/border-country"
TILES = "tiles/WebMercatorQuad"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "secret.tif").write_text(SECRET)
    (folder / "secret.json").write_text(json.dumps({"secret": SECRET}))
    with served_maps.server(served_maps.write(folder / "map", times=served_maps.TIMES[:2])) as started:
        yield started


PATHS = [
    "../secret.json",
    "collections/../../secret.json",
    "collections/..%2f..%2fsecret.json",
    "collections/%2e%2e/items",
    "collections/border-country%00/items",
    f"{MAP}/items/..%2f..%2fsecret",
    f"{MAP}/items/%2e%2e%2fsecret/assets/soil_moisture",
    f"{MAP}/items/soil_moisture_20200610T053000_32632/assets/..%2f..%2fsecret",
    f"{MAP}/items/soil_moisture_20200610T053000_32632/assets/secret",
    "viewer/../secret.json",
    "viewer/..%2f..%2f..%2fpyproject.toml",
    "viewer/%2e%2e/app.py",
    "viewer//etc/passwd",
    "viewer/",
    f"{MAP}/layers/..%2fsecret/{TILES}/0/0/0",
    f"{MAP}/layers/soil_moisture/tiles/..%2f..%2fx/0/0/0",
    f"collections/{'a' * 5000}",
    "collections/%F0%28%8C%28",
]
QUERIES = [
    f"{MAP}/layers/soil_moisture/{TILES}/25/0/0",
    f"{MAP}/layers/soil_moisture/{TILES}/3/99/0",
    f"{MAP}/layers/soil_moisture/{TILES}/-1/0/0",
    f"{MAP}/layers/soil_moisture/{TILES}/0/0/0?tilesize=100000",
    f"{MAP}/layers/soil_moisture/{TILES}/0/0/0?rescale=nan,inf",
    f"{MAP}/layers/soil_moisture/{TILES}/0/0/0?rescale=1,0",
    f"{MAP}/layers/soil_moisture/{TILES}/0/0/0?datetime=../../secret",
    f"{MAP}/layers/soil_moisture/{TILES}/0/0/0?hide={'frozen,' * 50}x",
    f"{MAP}/layers/soil_moisture/{TILES}/0/0/0?hide=unknown",
    f"{MAP}/layers/soil_moisture/{TILES}/0/0/0?minus=2020-06-10T05:30:00Z",
    f"{MAP}/layers/difference/{TILES}/0/0/0",
    f"{MAP}/layers/nothing/{TILES}/0/0/0",
    f"{MAP}/position",
    f"{MAP}/position?coords=POINT(nan%20nan)",
    f"{MAP}/position?coords=POINT(1e308%201e308)",
    f"{MAP}/position?coords=POINT%20EMPTY",
    f"{MAP}/position?coords={quote('<script>alert(1)</script>')}",
    f"{MAP}/position?coords=LINESTRING(0%200,1%201)",
    f"{MAP}/position?coords=POINT(12.1%2047.6)&f=VRT",
    f"{MAP}/position?coords=POINT(12.1%2047.6)&datetime=9999-99-99",
    f"{MAP}/position?coords=POINT(12.1%2047.6)&datetime=2021-01-02/2021-01-01",
    f"{MAP}/position?coords=POINT(12.1%2047.6)&parameter-name=__class__",
    f"{MAP}/area?coords={quote('GEOMETRYCOLLECTION(' * 60 + 'POINT(0 0)' + ')' * 60)}",
    f"{MAP}/area?coords=POLYGON((0%200,1%201))",
    f"{MAP}/cube?bbox=1,2,3",
    f"{MAP}/cube?bbox=a,b,c,d",
    f"{MAP}/cube?bbox=nan,nan,nan,nan",
    f"{MAP}/cube?bbox=11.9,47.6,11.95,47.62&zone=1&f=COG",
    f"{MAP}/cube?bbox=11.9,47.6,11.95,47.62&f=COG",
    "search?limit=-1",
    "search?bbox=1,2",
    "search?intersects={}",
    f"search?intersects={quote('[' * 1000)}",
    "search?datetime=yesterday",
    "search?page=../..",
    "search?limit=ten",
]


@pytest.mark.parametrize("path", PATHS)
def test_paths_and_identifiers_reach_no_other_file(path, client):
    answer = client.get(path)
    assert 400 <= answer.status < 500, (answer.status, answer.body[:200])
    assert SECRET.encode() not in answer.body and b"root:" not in answer.body
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("query", QUERIES)
def test_invalid_requests_are_refused_in_three_parts(query, client):
    answer = client.get(query)
    assert 400 <= answer.status < 500, (answer.status, answer.body[:200])
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json
    assert said["status"] == answer.status and all(said[part] for part in ("context", "problem", "hint"))
    assert "<script" not in answer.body.decode() and "/tmp/" not in answer.body.decode()


@pytest.mark.parametrize("name", ["url", "expression", "algorithm", "colormap", "bidx", "assets", "path"])
def test_nothing_of_a_request_names_a_file_an_address_or_code(name, client):
    """What plain titiler would open, it does not know: the tile is the same."""
    plain = client.get(f"{MAP}/layers/soil_moisture/{TILES}/9/273/178")
    for value in (
        "http://127.0.0.1:1/x.tif",
        "file:///etc/passwd",
        "/vsicurl/http://127.0.0.1:1/x",
        "b1*0",
        "<VRTDataset/>",
    ):
        answer = client.get(f"{MAP}/layers/soil_moisture/{TILES}/9/273/178?{name}={quote(value)}")
        assert (answer.status, answer.body) == (200, plain.body)


def test_no_address_is_asked_by_the_server(client):
    """An address of ours in every field gets no visit."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        address = quote(f"http://127.0.0.1:{listener.getsockname()[1]}/x.tif")
        for path in (f"collections/{address}", f"{MAP}/items/{address}", f"{MAP}/position?coords={address}"):
            assert 400 <= client.get(path).status < 500
        client.get(f"{MAP}/layers/soil_moisture/WebMercatorQuad/tilejson.json?url={address}")
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_map_whose_files_lead_elsewhere_is_refused(tmp_path):
    """A link out of the folder, a VRT in place of a GeoTIFF, an item that names another folder."""
    from vadose.errors import VadoseError
    from vadose.serving.catalogue import read_served

    (tmp_path / "secret.tif").write_text(SECRET)
    folder = served_maps.write(tmp_path / "map", times=served_maps.TIMES[:1], tiles=(served_maps.WEST,))
    (file,) = folder.glob("*_32632.tif")
    held = file.read_bytes()
    file.unlink()
    file.symlink_to(tmp_path / "secret.tif")
    with pytest.raises(VadoseError, match="no item of a map"):
        read_served(folder)
    file.unlink()
    file.write_text(f"<VRTDataset><SourceFilename>{tmp_path / 'secret.tif'}</SourceFilename></VRTDataset>")
    with served_maps.server(folder) as client:
        answer = client.get(f"{MAP}/layers/soil_moisture/{TILES}/9/273/178")
        assert answer.status == 503 and SECRET.encode() not in answer.body
    file.write_bytes(held)
    item = folder / f"{file.stem}.json"
    item.write_text(item.read_text().replace(f"./{file.name}", "../secret.tif"))
    with pytest.raises(VadoseError, match="no item of a map"):
        read_served(folder)


def test_large_polygons_and_deep_or_compressed_bodies_are_refused(client):
    for count, status in ((LIMITS.vertices + 10, 413), (LIMITS.vertices - 10, 400)):
        ring = [[11.9 + 0.1 * (at % 2), 47.5 + at % 977 / 1e4] for at in range(count)]  # crosses itself a million times
        many = json.dumps({"type": "Polygon", "coordinates": [[*ring, ring[0]]]}).encode()
        assert client.get(f"{MAP}/area", many).status == status
        assert client.get("search", b'{"intersects":' + many + b"}").status == status
    deep = b'{"type":"Polygon","coordinates":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert client.get(f"{MAP}/area", deep).status == 400
    assert client.get("search", deep).status == 400
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("shape.geojson", b"0" * 50_000_000)
    assert client.get(f"{MAP}/area", bomb.getvalue()).status == 400
    assert b" 413 " in _declared(client, LIMITS.body_bytes + 1)
    assert client.get(f"{MAP}/area", b"[]").status == 400
    assert client.get(f"{MAP}/area", b'{"type":"Point","coordinates":[12,47.6]}').status == 400
    assert client.get(f"{MAP}/area?coords={'x' * LIMITS.query_bytes}").status == 414


def _declared(client: Client, size: int) -> bytes:
    """Return the beginning of the answer to a body that is declared but not sent."""
    host, port = client.address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port))) as sender:
        sender.sendall(f"POST /{MAP}/area HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n".encode())
        return sender.recv(100)


def test_what_is_too_much_for_one_request_is_refused(client, monkeypatch):
    monkeypatch.setattr(series, "LIMITS", Limits(values=100, cells=100))
    wkt = quote("POLYGON((11.8 47.5,12.2 47.5,12.2 47.7,11.8 47.7,11.8 47.5))")
    for path in (f"{MAP}/area?coords={wkt}", f"{MAP}/cube?bbox=11.8,47.5,12.2,47.7&f=CSV"):
        answer = client.get(path)
        assert answer.status == 413 and "The limit of one request is 100" in answer.json["problem"]


def test_a_request_that_takes_too_long_is_ended(client, monkeypatch):
    monkeypatch.setattr(guards, "LIMITS", Limits(seconds=0.0))
    answer = client.get(f"{MAP}/cube?bbox=11.85,47.6,11.9,47.62&datetime=2020-06-10T05:30:00Z")
    assert answer.status == 503 and answer.headers["retry-after"] == "5"


def test_slow_clients_are_left(client, monkeypatch):
    monkeypatch.setattr(run, "LIMITS", Limits(read_seconds=0.3))
    monkeypatch.setattr(guards, "LIMITS", Limits(read_seconds=0.3))
    host, port = client.address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port))) as silent:
        silent.sendall(b"GET /health HTTP/1.1\r\nHost: 127")
        silent.settimeout(10)
        assert silent.recv(100) == b""
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(f"POST /search HTTP/1.1\r\nHost: {host}\r\nContent-Length: 50\r\n\r\n{{".encode())
        slow.settimeout(10)
        began = time.monotonic()
        assert b" 408 " in slow.recv(1000)
        assert time.monotonic() - began < 5
    assert client.get("health").status == 200


def test_other_hosts_methods_and_origins_are_refused(client):
    assert client.get("health", host="evil.example").status == 421
    for host in ("localhost", "LOCALHOST:80", "127.0.0.1", "[::1]", "[::1]:8000", "::1"):
        assert client.get("health", host=host).status == 200, host
    for host in ("[::2]", "::2", "[::1", "localhost.evil.example", "::1.evil", "evil:127.0.0.1"):
        assert client.get("health", host=host).status == 421, host
    headers = client.get("", accept="text/html").headers
    assert "access-control-allow-origin" not in headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src 'self'" in policy


def test_a_token_is_asked_of_everything_but_health(tmp_path):
    folder = served_maps.write(tmp_path / "map", times=served_maps.TIMES[:1], tiles=(served_maps.WEST,))
    with served_maps.server(folder, token="open-sesame") as client:
        assert client.get("health").status == 200
        for path in ("", "collections", "viewer/config.json", "docs", "viewer/assets/x.js", f"{MAP}/cube?token=wrong"):
            assert client.get(path).status == 401
        assert client.get("collections", authorization="Bearer open-sesame").status == 200
        assert client.get("collections?token=open-sesame").status == 200
        signed = client.get("?token=open-sesame&x=1", accept="text/html")
        assert (signed.status, signed.headers["location"]) == (303, "/?x=1")
        assert "HttpOnly" in signed.headers["set-cookie"]
        cookie = signed.headers["set-cookie"].partition(";")[0]
        assert client.get("collections", cookie=cookie).headers["cache-control"].startswith("private")


def test_a_rate_limits_each_client(tmp_path):
    folder = served_maps.write(tmp_path / "map", times=served_maps.TIMES[:1], tiles=(served_maps.WEST,))
    with served_maps.server(folder, rate=0.1) as client:
        assert [client.get("health").status for _ in range(3)] == [200, 429, 429]


def test_readings_of_sensors_are_not_exported_unless_that_is_allowed(tiny_world, tmp_path):
    folder = served_maps.write(tmp_path / "map", times=served_maps.TIMES[:1], tiles=(served_maps.WEST,))
    with served_maps.server(folder, sensors=tiny_world / "ismn") as client:
        assert client.get(f"{MAP}/sensors").json["features"] == []
        assert client.get(f"{MAP}/sensors/0123456789abcdef/readings").status == 403
        assert client.get(f"{MAP}/sensors/0123456789abcdef").status == 404
    with served_maps.server(folder) as client:
        assert client.get(f"{MAP}/sensors").status == 404
