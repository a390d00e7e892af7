"""Requests to catalogues: hosts, retries, budgets, tokens, ranges, and errors without secrets."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogue_servers import AssetServer, Container, faults
from vadose.catalogues.cache import BlockCache
from vadose.catalogues.credentials import SasSigner
from vadose.catalogues.http import Absent, Denied, HttpClient, Limits, OverBudget, Unavailable, bare
from vadose.catalogues.remote import Changed, RangeReader, RemoteFile, Version
from vadose.errors import VadoseError

DATA = bytes(range(256)) * 4096
HOSTS = frozenset({"127.0.0.1"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AssetServer]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.tif").write_bytes(DATA)
    (folder / "b.tif").write_bytes(DATA[::-1])
    containers = [Container("open", "files", folder, signed=False), Container("signed", "files", folder)]
    with AssetServer(containers, token_life=2) as started:
        yield started


@pytest.fixture
def assets(server: AssetServer) -> AssetServer:
    server.mend()
    server.reset()
    return server


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(pauses: list[float]) -> HttpClient:
    return HttpClient(HOSTS, limits=Limits(attempts=4, read_s=1.0), pause=pauses.append)


def remote(
    client: HttpClient, assets: AssetServer, tmp_path: Path, account: str = "open", **more: object
) -> RemoteFile:
    return RemoteFile(client, assets.address(account, "files", "a.tif"), BlockCache(tmp_path / "cache"), **more)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.tif",
        "http://example.org/a.tif",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.tif",
        "/vsicurl/http://127.0.0.1/a.tif",
        "http://user:secret@127.0.0.1/a.tif",
        "http://127.0.0.1.example.org/a.tif",
        "https://[::1/a.tif",
    ],
)
def test_only_allowed_hosts_are_asked_over_https(client, url):
    with pytest.raises(VadoseError) as error:
        client.get(url)
    assert "secret" not in str(error.value)
    assert client.spent.requests.total() == 0


def test_a_redirect_to_another_host_is_not_followed(assets, client):
    assets.fail(faults.redirect("http://localhost:1/elsewhere"), times=1)
    with pytest.raises(VadoseError, match="localhost"):
        client.get(assets.address("open", "files", "a.tif"))


@pytest.mark.parametrize("fault", [faults.down(), faults.Reset(), faults.Truncate(0.3), faults.too_many_requests(3)])
def test_transient_faults_are_survived(assets, client, pauses, tmp_path, fault):
    assets.fail(fault, times=2)
    assert remote(client, assets, tmp_path).read([(10, 5000)]) == [DATA[10:5000]]
    assert len(pauses) == 2
    assert "too_many" not in fault.__class__.__name__ or pauses == [3.0, 3.0]


def test_retry_after_is_honoured_and_a_long_one_is_not_waited_for(assets, client, pauses):
    assets.fail(faults.down(7), times=1)
    client.get(assets.address("open", "files", "b.tif"))
    assert pauses == [7.0]
    assets.fail(faults.too_many_requests(3600), times=1)
    with pytest.raises(Unavailable, match="3600 s"):
        client.get(assets.address("open", "files", "b.tif"))
    assert pauses == [7.0]


def test_pauses_grow_and_differ(assets, client, pauses):
    assets.fail(faults.down())
    with pytest.raises(Unavailable, match="4 attempts"):
        client.get(assets.address("open", "files", "a.tif"))
    assert len(pauses) == 3
    assert all(0.5 * 2**n <= pause <= 2**n for n, pause in enumerate(pauses))


def test_other_refusals_are_not_repeated(assets, client, pauses):
    with pytest.raises(Absent):
        client.get(assets.address("open", "files", "none.tif"))
    assert (len(assets.requests), pauses) == (1, [])


def test_a_stalling_server_is_given_up(assets, tmp_path):
    assets.fail(faults.Stall(5.0))
    impatient = HttpClient(HOSTS, limits=Limits(attempts=2, read_s=0.2), pause=lambda _: None)
    with pytest.raises(Unavailable, match="2 attempts"):
        remote(impatient, assets, tmp_path).read([(0, 10)])


def test_a_web_page_is_no_file(assets, client, tmp_path):
    assets.fail(faults.html_page())
    with pytest.raises(Denied, match="web page"):
        remote(client, assets, tmp_path).read([(0, 10)])


def test_a_file_that_is_replaced_while_it_is_read_is_refused(assets, client, tmp_path):
    file = remote(client, assets, tmp_path)
    assert file.version.size == len(DATA)
    assets.fail(faults.Swap(DATA[::-1]))
    with pytest.raises(Changed):
        file.read([(500_000, 500_010)])


def test_another_version_than_the_expected_one_is_refused(assets, client, tmp_path):
    known = remote(client, assets, tmp_path).version
    assert remote(client, assets, tmp_path, expected=known).read([(0, 3)]) == [DATA[:3]]
    with pytest.raises(Changed):
        _ = remote(client, assets, tmp_path, expected=Version(known.size, '"other"')).version


def test_a_server_without_ranges_is_read_once(assets, client, tmp_path):
    assets.fail(faults.IgnoreRange())
    file = remote(client, assets, tmp_path)
    assert file.read([(700_000, 700_010), (5, 9)]) == [DATA[700_000:700_010], DATA[5:9]]
    assert len(assets.requests) == 1


def test_a_server_that_sends_other_bytes_is_refused(assets, client, tmp_path):
    file = remote(client, assets, tmp_path)
    assert file.version
    assets.fail(faults.WrongRange())
    with pytest.raises(Unavailable):
        file.read([(500_000, 500_010)])


def test_blocks_are_asked_for_once_and_neighbours_together(assets, client, tmp_path):
    ranges = [(100_000, 110_000), (110_000, 120_000), (900_000, 900_100)]
    file = remote(client, assets, tmp_path)
    assert file.read(ranges) == [DATA[start:stop] for start, stop in ranges]
    assert len(assets.requests) == 3
    again = remote(client, assets, tmp_path)
    assert again.read(ranges) == [DATA[start:stop] for start, stop in ranges]
    assert len(assets.requests) == 4


def test_a_damaged_block_of_the_cache_is_fetched_again(assets, client, tmp_path):
    remote(client, assets, tmp_path).read([(100_000, 110_000)])
    (block,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name.startswith("100000"))
    content = bytearray(block.read_bytes())
    content[50] ^= 1
    block.write_bytes(content)
    assert remote(client, assets, tmp_path).read([(100_000, 110_000)]) == [DATA[100_000:110_000]]


def test_the_cache_removes_what_was_used_longest_ago(assets, client, tmp_path):
    cache = BlockCache(tmp_path / "cache", most=150_000)
    with cache.in_use():
        for name in ("a.tif", "b.tif"):
            RemoteFile(client, assets.address("open", "files", name), cache).read([(100_000, 200_000)])
    kept = list((tmp_path / "cache").rglob("100000-*"))
    assert len(kept) == 1


def test_a_remote_file_is_a_seekable_file(assets, client, tmp_path):
    reader = RangeReader(remote(client, assets, tmp_path))
    reader.seek(-300, 2)
    assert reader.read(10) == DATA[-300:-290]
    reader.seek(70_000)
    assert reader.read(200_000) == DATA[70_000:270_000]
    reader.seek(len(DATA))
    assert reader.read(5) == b""


@pytest.mark.parametrize(("limit", "word"), [({"max_requests": 2}, "requests"), ({"max_bytes": 40_000}, "bytes")])
def test_a_budget_ends_the_run(assets, tmp_path, limit, word):
    frugal = HttpClient(HOSTS, limits=Limits(**limit))
    with pytest.raises(OverBudget, match=word):
        remote(frugal, assets, tmp_path).read([(100_000, 101_000), (500_000, 600_000)])


def test_tokens_are_renewed_early_and_after_a_refusal(assets, client, tmp_path, monkeypatch):
    now = [time.time()]
    signer = SasSigner(f"{assets.url}/sas/v1/token", lambda: now[0])
    monkeypatch.setattr(assets.tokens, "clock", lambda: now[0])
    client.signers["127.0.0.1"] = signer
    file = remote(client, assets, tmp_path, "signed")
    assert file.read([(0, 5)]) == [DATA[:5]]
    file.read([(200_000, 200_005)])
    assert len(assets.tokens.issued) == 1
    now[0] += 2.95
    file.read([(300_000, 300_005)])
    assert len(assets.tokens.issued) == 2, "a token is renewed before its end"
    assets.tokens.revoke()
    assert file.read([(400_000, 400_005)]) == [DATA[400_000:400_005]]


def test_an_expired_token_leaves_no_trace(assets, client, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "uvicorn.access")  # of the server, not of the client
    client.signers["127.0.0.1"] = SasSigner(f"{assets.url}/sas/v1/token")
    file = remote(client, assets, tmp_path, "signed")
    assert file.version
    secrets = [part.split("=", 1)[1] for token in assets.tokens.issued for part in token.split("&") if "sig=" in part]
    assets.fail(faults.Reset())
    with pytest.raises(Unavailable) as error:
        file.read([(500_000, 500_010)])
    shown = f"{error.value!r} {error.value} {error.getrepr()} {caplog.text} {client.signers} {file}"
    assert secrets
    assert not any(secret in shown for secret in secrets)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert not any(secret.encode() in kept for secret in secrets)


def test_addresses_are_shown_without_queries_and_users():
    assert bare("https://me:word@host/a/b.tif?sig=abc#x") == "https://host/a/b.tif"
