"""Earthdata tokens reach data archives alone, are renewed once when denied, and are shown nowhere."""

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vadose.catalogues.earthdata import EarthdataSigner
from vadose.catalogues.http import Denied, HttpClient, Limits, Unavailable
from vadose.errors import VadoseError

USER, PASSWORD, TOKEN, ISSUED = "canary-user", "canary-pass:wörd", "canary-token", "canary-issued"
DAY = 86400.0


class Handler(BaseHTTPRequestHandler):
    """The login and a data archive, by path; `/elsewhere` redirects to the same server by another name."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"{}", **headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        server = self.server
        server.log.append((self.headers["Host"], self.path, self.headers.get("Authorization")))
        status, body, headers = server.login(len(server.posts))
        self.reply(status, body, **headers)

    def do_GET(self):
        server = self.server
        authorization = self.headers.get("Authorization")
        server.log.append((self.headers["Host"], self.path, authorization))
        if self.path == "/elsewhere":
            self.reply(302, Location=f"http://localhost:{server.server_port}/open")
        elif self.path == "/open" or authorization in {f"Bearer {token}" for token in server.valid}:
            self.reply(200, b"data", Content_Type="application/octet-stream")
        else:
            self.reply(403 if self.path == "/forbidden" else 401)


class Server(ThreadingHTTPServer):
    """What the tests see of it: requests, valid tokens, and the answer of the login."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.log, self.valid, self.expiry = [], {TOKEN}, "01/31/2100"
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.login = lambda n: self.issue(f"{ISSUED}-{n}")

    def issue(self, token):
        self.valid.add(token)
        return 200, f'{{"access_token":"{token}","expiration_date":"{self.expiry}","token_type":"Bearer"}}'.encode(), {}

    @property
    def posts(self):
        return [one for one in self.log if one[1] == "/api/users/find_or_create_token"]


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def client_of(server: Server, environment, now=lambda: 1.7e9) -> HttpClient:
    signer = EarthdataSigner(server.url, environment, now)
    # The archive is the same server by its address and port; the login has none of the archive's hosts.
    signer.endpoint = server.url.replace("127.0.0.1", "localhost")
    limits = Limits(attempts=2, backoff_s=0.0)
    return HttpClient(frozenset({"127.0.0.1", "localhost"}), {"127.0.0.1": signer}, limits, pause=lambda _: None)


ACCOUNT = {"EARTHDATA_USERNAME": USER, "EARTHDATA_PASSWORD": PASSWORD}


def test_a_token_of_the_environment_is_sent_as_it_is(server: Server) -> None:
    client = client_of(server, {"EARTHDATA_TOKEN": f" {TOKEN}\n", **ACCOUNT})
    assert client.get(f"{server.url}/a.h5").body == b"data"
    assert [(path, authorization) for _, path, authorization in server.log] == [("/a.h5", f"Bearer {TOKEN}")]


def test_a_token_is_issued_once_for_a_user(server: Server) -> None:
    client = client_of(server, ACCOUNT)
    for _ in range(3):
        assert client.get(f"{server.url}/a.h5").body == b"data"
    ((_, _, basic),) = server.posts
    assert basic.startswith("Basic ")
    assert [one[2] for one in server.log if one[1] == "/a.h5"] == [f"Bearer {ISSUED}-1"] * 3


def netrc_of(folder: Path, host="localhost", mode=0o600, text=None) -> Path:
    path = folder / "netrc"
    path.write_text(text or f"machine {host}\nlogin {USER}\npassword canary-netrc\n")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("stated", [True, False])
def test_a_netrc_file_names_the_user(server: Server, tmp_path: Path, stated: bool) -> None:
    path = netrc_of(tmp_path)
    if not stated:
        path = path.rename(tmp_path / ".netrc")
    client = client_of(server, {"NETRC": str(path)} if stated else {})
    assert client.get(f"{server.url}/a.h5").body == b"data"
    assert len(server.posts) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_netrc_file_that_others_may_read_is_refused(server: Server, tmp_path: Path, mode: int) -> None:
    path = netrc_of(tmp_path, mode=mode)
    with pytest.raises(Denied, match=r"chmod 600"):
        client_of(server, {"NETRC": str(path)}).get(f"{server.url}/a.h5")
    assert not server.log


@pytest.mark.parametrize(
    "environment",
    [{}, {"EARTHDATA_TOKEN": " "}, {"EARTHDATA_USERNAME": USER}, {"NETRC": "/nowhere"}, {"NETRC": "/"}],
)
def test_missing_credentials_are_named_and_nothing_is_asked(server: Server, environment) -> None:
    with pytest.raises(Denied, match=r"Register at .*/users/new.* set EARTHDATA_TOKEN"):
        client_of(server, environment).get(f"{server.url}/a.h5")
    assert not server.log


def test_the_default_entry_of_a_netrc_file_is_not_sent(server: Server, tmp_path: Path) -> None:
    path = netrc_of(tmp_path, text=f"default login {USER} password canary-netrc\n")
    with pytest.raises(Denied, match=r"Credentials are missing"):
        client_of(server, {"NETRC": str(path)}).get(f"{server.url}/a.h5")


def test_a_denied_token_is_renewed_once(server: Server) -> None:
    client = client_of(server, {"EARTHDATA_TOKEN": "canary-expired", **ACCOUNT})
    assert client.get(f"{server.url}/a.h5").body == b"data"
    assert client.get(f"{server.url}/b.h5").body == b"data"
    assert len(server.posts) == 1
    server.valid.clear()
    assert client.get(f"{server.url}/c.h5").body == b"data"
    assert len(server.posts) == 2


@pytest.mark.parametrize("path", ["/a.h5", "/forbidden"])
def test_a_login_that_returns_the_denied_token_is_not_asked_again(server: Server, path: str) -> None:
    def again(_):
        answer = server.issue(f"{ISSUED}-same")
        server.valid.clear()
        return answer

    server.login = again
    client = client_of(server, ACCOUNT)
    for _ in range(3):
        with pytest.raises(Denied):
            client.get(f"{server.url}{path}")
    assert len(server.posts) == 2
    assert sum(one[1] == path for one in server.log) == 3


def test_many_threads_that_are_denied_renew_once(server: Server) -> None:
    client = client_of(server, {"EARTHDATA_TOKEN": "canary-expired", **ACCOUNT})
    found = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(client.get(f"{server.url}/{n}.h5").body)) for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"data"] * 12
    assert len(server.posts) == 1


def test_a_token_is_renewed_a_day_before_it_expires(server: Server) -> None:
    server.expiry = "11/15/2023"  # 1700006400 s
    at = [1.7e9 - 2 * DAY]
    client = client_of(server, ACCOUNT, lambda: at[0])
    client.get(f"{server.url}/a.h5")
    client.get(f"{server.url}/a.h5")
    assert len(server.posts) == 1
    at[0] = 1_700_006_400 - DAY + 1
    client.get(f"{server.url}/a.h5")
    client.get(f"{server.url}/a.h5")
    assert len(server.posts) == 2


def test_without_a_user_a_denied_token_is_an_error(server: Server) -> None:
    with pytest.raises(Denied, match="status 401"):
        client_of(server, {"EARTHDATA_TOKEN": "canary-expired"}).get(f"{server.url}/a.h5")
    assert not server.posts


def test_a_redirect_to_another_host_carries_no_token(server: Server) -> None:
    client = client_of(server, {"EARTHDATA_TOKEN": TOKEN})
    assert client.get(f"{server.url}/elsewhere").body == b"data"
    (first, second) = server.log
    assert (first[1], first[2]) == ("/elsewhere", f"Bearer {TOKEN}")
    assert (second[0].split(":")[0], second[2]) == ("localhost", None)


def test_the_password_follows_no_redirect(server: Server) -> None:
    server.login = lambda _: (307, b"", {"Location": f"{server.url}/api/users/find_or_create_token"})
    with pytest.raises(VadoseError):
        client_of(server, ACCOUNT).get(f"{server.url}/a.h5")
    assert {one[0].split(":")[0] for one in server.log} == {"localhost"}


ANSWERS = {
    "wrong password": (401, b'{"error":"invalid_credentials"}', {}),
    "page": (200, b"<html>log in</html>", {"Content_Type": "text/html"}),
    "no JSON": (200, f"access_token={ISSUED}".encode(), {}),
    "no token": (200, b'{"error":"max_token_limit"}', {}),
    "a list": (200, b"[]", {}),
    "no date": (200, f'{{"access_token":"{ISSUED}","expiration_date":"2100-01-31"}}'.encode(), {}),
    "no such date": (200, f'{{"access_token":"{ISSUED}","expiration_date":"13/45/2100"}}'.encode(), {}),
    "a line break": (200, f'{{"access_token":"{ISSUED}\\r\\nX: y","expiration_date":"01/31/2100"}}'.encode(), {}),
    "down": (503, b"", {}),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_no_secret_is_shown(server: Server, answer: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.login = lambda _: ANSWERS[answer]
    server.valid.clear()
    kind = Unavailable if answer == "down" else Denied
    bad = netrc_of(tmp_path, text=f"machine localhost\nlogin {USER}\npassword canary-netrc canary-junk\n")
    shown = []
    for environment in (
        ACCOUNT,
        {"EARTHDATA_TOKEN": TOKEN},
        {"EARTHDATA_TOKEN": f"{TOKEN}\r\nX: y", **ACCOUNT},
        {"NETRC": str(bad)},
    ):
        client = client_of(server, environment)
        with pytest.raises((kind, Denied)) as caught:
            client.get(f"{server.url}/a.h5")
        error: BaseException | None = caught.value
        while error is not None:
            shown += [str(error), repr(error), repr(error.args), repr(vars(error))]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        shown += [repr(signer) for signer in client.signers.values()] + [repr(client), repr(vars(client))]
    shown += [record.getMessage() for record in caplog.records]
    assert "canary" not in "\n".join(shown)


def test_a_signer_with_a_token_shows_none(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_of(server, ACCOUNT)
    client.get(f"{server.url}/a.h5")
    (signer,) = client.signers.values()
    assert "canary" not in repr(signer) + repr(vars(signer)["_token"]) + caplog.text
