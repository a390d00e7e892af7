"""Access keys of S3 storage: signatures, where keys are found, and what a refusal says."""

import logging
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalogue_servers.s3 import S3Server, refusal
from vadose.catalogues.accounts import Account
from vadose.catalogues.http import Denied, HttpClient, Limits
from vadose.catalogues.s3 import S3Signer, signed_headers

ACCESS, SECRET = "canary-access-71f3", "canary-secret-71f3"
EXAMPLE = Account("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "")
"""Of the examples in the reference of the Amazon S3 API, "Authenticating Requests: Using the Authorization Header"."""
THEN = datetime(2013, 5, 24, tzinfo=UTC)
KEYS = {"KEY": ACCESS, "SECRET": SECRET}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("bucket")
    (folder / "a b(1)+é").mkdir()
    for name in ("plain.jp2", "a b(1)+é/x~y.jp2"):
        (folder / name).write_bytes(bytes(range(256)) * 40)
    with S3Server({"eodata": folder}, {ACCESS: SECRET}) as server:
        yield server


@pytest.fixture
def server(started: S3Server) -> S3Server:
    started.reset()
    started.mend()
    started.clock = time.time
    return started


def client(server: S3Server, environment: dict[str, str], **changes: object) -> HttpClient:
    signer = S3Signer(server.url, ("KEY", "SECRET"), environment=environment, **changes)
    return HttpClient(frozenset({"127.0.0.1"}), {f"127.0.0.1:{server.port}": signer}, Limits(attempts=2, backoff_s=0))


def test_the_signature_is_that_of_the_published_example() -> None:
    headers = signed_headers(
        "https://examplebucket.s3.amazonaws.com/?lifecycle=", EXAMPLE, "us-east-1", THEN.timestamp()
    )
    assert headers["x-amz-date"] == "20130524T000000Z"
    assert headers["Authorization"].endswith(
        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )


def test_the_server_takes_the_published_example_and_nothing_else() -> None:
    scope = "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
    names = "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date"
    sign = "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "range": "bytes=0-9",
        "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-amz-date": "20130524T000000Z",
        "authorization": f"AWS4-HMAC-SHA256 {scope},{names},{sign}",
    }
    keys = {EXAMPLE.user: EXAMPLE.password}
    assert refusal("GET", "/test.txt", "", headers, keys, THEN) is None
    assert refusal("GET", "/other.txt", "", headers, keys, THEN) == "SignatureDoesNotMatch"
    assert refusal("GET", "/test.txt", "", headers | {"range": "bytes=0-8"}, keys, THEN) == "SignatureDoesNotMatch"
    assert refusal("GET", "/test.txt", "", headers, {EXAMPLE.user: "other"}, THEN) == "SignatureDoesNotMatch"
    assert refusal("GET", "/test.txt", "", headers, {"other": EXAMPLE.password}, THEN) == "InvalidAccessKeyId"
    assert refusal("GET", "/test.txt", "", headers, keys, THEN.replace(hour=1)) == "RequestTimeTooSkewed"


@pytest.mark.parametrize("path", ["plain.jp2", "a%20b%281%29%2B%C3%A9/x~y.jp2"])
def test_a_range_of_a_file_is_read_with_a_key(server: S3Server, path: str) -> None:
    reply = client(server, KEYS).get(f"{server.url}/eodata/{path}", {"Range": "bytes=256-511"})
    assert (reply.status, reply.body) == (206, bytes(range(256)))
    assert not any(SECRET in str(request) or request.query for request in server.requests)


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({"AWS_S3_ENDPOINT": "127.0.0.1:{port}"}, True),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:{port}"}, True),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:{port}/"}, True),
        ({"AWS_S3_ENDPOINT": "s3.example.org"}, False),
        ({}, False),
    ],
)
def test_the_usual_variables_count_if_they_are_of_this_endpoint(
    server: S3Server, tmp_path: Path, environment: dict[str, str], asked: bool
) -> None:
    held = {name: value.format(port=server.port) for name, value in environment.items()}
    held |= {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "NETRC": str(tmp_path / "none")}
    if asked:
        assert client(server, held).get(f"{server.url}/eodata/plain.jp2").status == 200
    else:
        with pytest.raises(Denied, match="Credentials are missing: KEY and SECRET are not set"):
            client(server, held).get(f"{server.url}/eodata/plain.jp2")
    assert bool(server.requests) == asked


def test_a_netrc_file_holds_the_key(server: S3Server, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text(f"machine 127.0.0.1 login {ACCESS} password {SECRET}\n")
    path.chmod(0o600)
    assert client(server, {"NETRC": str(path)}).get(f"{server.url}/eodata/plain.jp2").status == 200
    path.chmod(0o644)
    with pytest.raises(Denied, match="Others may read the passwords"):
        client(server, {"NETRC": str(path)}).get(f"{server.url}/eodata/plain.jp2")


@pytest.mark.parametrize(
    ("environment", "code", "hint"),
    [
        (KEYS | {"SECRET": "canary-wrong-0"}, "SignatureDoesNotMatch", "does not fit the access key"),
        (KEYS | {"KEY": "canary-unknown-0"}, "InvalidAccessKeyId", "unknown or expired"),
    ],
)
def test_a_wrong_key_is_refused_once_and_named_by_no_message(
    server: S3Server, caplog: pytest.LogCaptureFixture, environment: dict[str, str], code: str, hint: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Denied, match=rf"status 403, {code}\).*{hint}") as reason:
        client(server, environment).get(f"{server.url}/eodata/plain.jp2")
    assert "canary" not in f"{''.join(traceback.format_exception(reason.value))} {caplog.text}"
    assert [request.status for request in server.requests] == [403]


def test_a_key_with_a_line_break_is_refused_before_it_is_sent(server: S3Server) -> None:
    with pytest.raises(Denied, match="blanks"):
        client(server, KEYS | {"KEY": f"{ACCESS}\r\nX-Other: 1"}).get(f"{server.url}/eodata/plain.jp2")
    assert not server.requests


@pytest.mark.parametrize(("ahead", "side"), [(-3600.0, "behind"), (3600.0, "ahead of")])
def test_a_wrong_clock_is_named(server: S3Server, ahead: float, side: str) -> None:
    server.clock = lambda: time.time() - ahead
    with pytest.raises(Denied, match=rf"the clock of this machine is 3,[56]\d\d s {side} the server's"):
        client(server, KEYS).get(f"{server.url}/eodata/plain.jp2")


def test_a_signature_is_not_sent_to_a_host_that_one_redirects_to(server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "plain.jp2").write_bytes(b"x")
    with S3Server({"eodata": tmp_path}, {ACCESS: SECRET}) as other:

        async def elsewhere(app: object, scope: object, receive: object, send: object) -> None:
            from catalogue_servers.bodies import send_reply

            await send_reply(send, 302, b"", {"location": f"{other.url}/eodata/plain.jp2"})

        server.fail(elsewhere)
        with pytest.raises(Denied):
            client(server, KEYS).get(f"{server.url}/eodata/plain.jp2")
        assert "authorization" in server.requests[0].headers
        assert "authorization" not in other.requests[0].headers
