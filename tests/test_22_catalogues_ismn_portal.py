"""The whole archive of ISMN: with an account, complete or not there, and without a trace of the password."""

import io
import logging
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from catalogue_servers import faults
from catalogue_servers.files import FileServer
from catalogue_servers.ismn import ARCHIVE, FORM, LOGIN, IsmnServer
from vadose.catalogues.check import check_catalogues
from vadose.catalogues.http import Denied, Limits, Unavailable
from vadose.catalogues.ismn_portal import download_ismn
from vadose.catalogues.settings import Catalogue, Catalogues, read_catalogues
from vadose.cli.main import app
from vadose.errors import VadoseError
from vadose.io.locks import alone_at

USER, PASSWORD = "canary-user-33a0", "canary password+&=33a0"
PATIENCE = Limits(attempts=2, backoff_s=0.0, read_s=2.0)


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for name in names:
            written.writestr(name, np.random.default_rng(0).bytes(50_000))
    return file.getvalue()


WHOLE = archive("USCRN/Aberdeen/USCRN_USCRN_Aberdeen_sm_0.05_0.05_x_20200101_20201231.stm", "Readme.txt")


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[IsmnServer]:
    monkeypatch.setenv("ISMN_USERNAME", USER)
    monkeypatch.setenv("ISMN_PASSWORD", PASSWORD)
    monkeypatch.setenv("NETRC", "/nonexistent")
    with IsmnServer(WHOLE, {USER: PASSWORD}) as server:
        yield server


def settings(portal: IsmnServer) -> dict[str, Any]:
    return {
        "title": "ismn",
        "kind": "ismn",
        "endpoint": portal.url,
        "hosts": ["127.0.0.1"],
        "collections": {"in_situ": ["archive"]},
    }


def download(portal: IsmnServer, out: Path) -> None:
    download_ismn(Catalogue(**settings(portal)), out, PATIENCE)


def traces(caplog: pytest.LogCaptureFixture, error: BaseException | None = None) -> bool:
    shown = "".join(traceback.format_exception(error)) if error else ""
    return any(word in shown + caplog.text for word in (USER, PASSWORD, "canary+password", "canary-user"))


def test_the_command_writes_the_archive(portal, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    (tmp_path / "catalogues.yaml").write_text(yaml.safe_dump({"catalogues": {"ismn": settings(portal)}}))
    out = tmp_path / "ismn.zip"
    arguments = ["catalogues", "download-ismn", str(out), "--catalogue", str(tmp_path / "catalogues.yaml")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == WHOLE and "0.1 MB" in result.output
    assert USER not in result.output and PASSWORD not in result.output and not traces(caplog)
    assert [(request.method, request.path) for request in portal.requests] == [
        ("GET", LOGIN),
        ("POST", LOGIN),
        ("GET", ARCHIVE),
    ]
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code != 0 and len(portal.requests) == 3, "an existing file is kept, and nobody is asked"


def test_the_account_may_be_in_a_netrc_file(portal, tmp_path, monkeypatch):
    monkeypatch.delenv("ISMN_USERNAME")
    path = tmp_path / "netrc"
    path.write_text(f"machine 127.0.0.1 login {USER} password plain\n")
    path.chmod(0o600)
    portal.passwords[USER] = "plain"
    monkeypatch.setenv("NETRC", str(path))
    download(portal, tmp_path / "ismn.zip")
    assert (tmp_path / "ismn.zip").read_bytes() == WHOLE


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        (lambda _, patch: patch.delenv("ISMN_PASSWORD"), Denied, "Credentials are missing"),
        (lambda _, patch: patch.setenv("ISMN_PASSWORD", f"{PASSWORD}x"), Denied, "are refused"),
        (lambda portal, _: portal.fail(faults.html_page(), path=ARCHIVE), Denied, "web page"),
        (lambda portal, _: portal.fail(faults.down(), path=ARCHIVE), Unavailable, "status 503"),
        (lambda portal, _: portal.fail(faults.down(), path=LOGIN), Unavailable, "status 503"),
        (lambda portal, _: setattr(portal, "archive", WHOLE[: len(WHOLE) // 2]), Unavailable, "no complete zip"),
        (lambda portal, _: setattr(portal, "archive", FORM), Unavailable, "no complete zip"),
        (lambda portal, _: setattr(portal, "archive", archive("a.txt")), VadoseError, "no file of a station"),
        (lambda portal, _: setattr(portal, "elsewhere", "https://evil.example/a.zip"), VadoseError, "not among"),
    ],
)
def test_what_is_no_archive_is_refused_and_leaves_no_file(
    portal: IsmnServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[IsmnServer, pytest.MonkeyPatch], None],
    kind: type[VadoseError],
    reason: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    change(portal, monkeypatch)
    with pytest.raises(kind, match=reason) as error:
        download(portal, tmp_path / "ismn.zip")
    assert list(tmp_path.iterdir()) == []
    assert not traces(caplog, error.value)


@pytest.mark.parametrize("fault", [faults.Truncate(), faults.down()])
def test_a_transfer_that_breaks_is_repeated(portal, tmp_path, fault):
    portal.fail(fault, path=ARCHIVE, times=1)
    download(portal, tmp_path / "ismn.zip")
    assert (tmp_path / "ismn.zip").read_bytes() == WHOLE
    assert portal.totals(ARCHIVE).requests == 2


def test_the_session_is_not_sent_to_a_host_that_one_redirects_to(portal, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.zip").write_bytes(WHOLE)
    with FileServer({"/files": tmp_path / "files"}) as other:
        portal.elsewhere = f"{other.url}/files/a.zip"
        download(portal, tmp_path / "ismn.zip")
        assert "cookie" not in other.requests[0].headers
    assert (tmp_path / "ismn.zip").read_bytes() == WHOLE


@pytest.mark.parametrize(("password", "state"), [(PASSWORD, "ok"), ("wrong", "denied")])
def test_check_logs_in_and_downloads_nothing(portal, monkeypatch, password, state):
    monkeypatch.setenv("ISMN_PASSWORD", password)
    (found,) = check_catalogues(Catalogues(catalogues={"ismn": Catalogue(**settings(portal))}))
    assert (found.state, found.requests) == (state, 2), found.detail
    assert not portal.totals(ARCHIVE).requests


def test_the_portal_is_known():
    assert read_catalogues().catalogues["ismn"].endpoint == "https://ismn.earth"


def test_what_a_killed_download_left_is_removed_by_the_next(portal, tmp_path):
    left = tmp_path / ".ismn.zip.0a1b2c3d.zip"
    left.write_bytes(WHOLE[:1000])
    download(portal, tmp_path / "ismn.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["ismn.zip"]


def test_a_download_excludes_a_second_one(portal, tmp_path):
    with alone_at(tmp_path / "ismn.zip"), pytest.raises(VadoseError, match=r"ismn\.zip"):
        download(portal, tmp_path / "ismn.zip")
