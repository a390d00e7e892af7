"""The portal of the International Soil Moisture Network: a login, and its whole archive in one file."""

import os
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from vadose import __version__
from vadose.catalogues.accounts import from_netrc, from_variables
from vadose.catalogues.http import TRANSIENT, Denied, HttpClient, Limits, Spent, Unavailable, bare
from vadose.catalogues.settings import Catalogue
from vadose.errors import VadoseError
from vadose.io.atomic import atomic_write
from vadose.io.locks import alone_at
from vadose.io.outputs import Request

DOWNLOAD = Request("catalogues download-ismn", "")
VARIABLES = ("ISMN_USERNAME", "ISMN_PASSWORD")
"""Environment variables of the account, as in the package `ismn`."""
_LOGIN, _ARCHIVE = "/en/accounts/login/", "/en/dataviewer/api/download_archive"
_FORM_TOKEN = "csrftoken"  # noqa: S105 (name of a cookie)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_PIECE = 1 << 20
_MOST_DOWNLOADS = 3
_LONGEST_WAIT_S = 600.0
"""For the next bytes: the archive may be packed before it is sent."""
_AS_IT_IS = {"accept-encoding": "identity"}
Progress = Callable[[int, int, str], None]


class IsmnPortal:
    """A session at the portal.

    Args:
        catalogue: settings of the portal; only its hosts are asked, and only its own is sent cookies.
        limits: patience.
        environment: variables.
        pause: sleeps for some seconds.
        spent: counts requests.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        limits: Limits | None = None,
        environment: Mapping[str, str] = os.environ,
        pause: Callable[[float], None] = time.sleep,
        spent: Spent | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._endpoint, self._environment, self._pause = catalogue.endpoint, environment, pause
        own = urlsplit(self._endpoint).hostname or ""
        self._hosts = HttpClient(frozenset({*catalogue.hosts, own}))
        self._pool = urllib3.PoolManager(headers={"User-Agent": f"vadose/{__version__}"})
        self._cookies: dict[str, str] = {}
        self._spent = spent or Spent()

    def login(self) -> None:
        """Log in with `ISMN_USERNAME` and `ISMN_PASSWORD`, or with the entry of the portal in the netrc file.

        Raises:
            Denied: the account is missing or refused.
            Unavailable: the portal does not answer, or its login is another one.
        """
        asked, host = f"catalogues: the login of {self._endpoint}", urlsplit(self._endpoint).hostname or ""
        account = from_variables(self._environment, *VARIABLES) or from_netrc(self._environment, host)
        if account is None:
            raise Denied(
                asked,
                f"Credentials are missing: {' and '.join(VARIABLES)} are not set, and the netrc file has no entry for "
                f"{host}",
                f"Register at {self._endpoint}, and set them",
            )
        url = f"{self._endpoint}{_LOGIN}"
        with self._answer("GET", url):
            token = self._cookies.get(_FORM_TOKEN)
        if token is None:
            raise Unavailable(asked, f"Its page sets no cookie {_FORM_TOKEN}", "Download the archive in a browser")
        form = {"csrfmiddlewaretoken": token, "login": account.user, "password": account.password}
        headers = {"Referer": url, "Content-Type": "application/x-www-form-urlencoded"}
        with self._answer("POST", url, urlencode(form), headers) as reply:
            if reply.status not in _REDIRECTS:
                raise Denied(asked, f"User name or password of {account.origin} are refused", "Correct them")

    def download(self, out: Path, progress: Progress = lambda *_: None) -> None:
        """Download the whole archive, after a login; `out` is there when it is complete, and not before.

        Raises:
            Denied: the portal sends a web page, as to users who have not accepted its terms.
            Unavailable: it does not answer, or the file is truncated.
            VadoseError: what is sent is no archive of ISMN.
        """
        attempts = min(self._limits.attempts, _MOST_DOWNLOADS)
        for attempt in range(1, attempts + 1):
            try:
                with atomic_write(out) as temporary:
                    self._receive(temporary, progress)
            except Unavailable:
                if attempt == attempts:
                    raise
                self._pause(self._limits.backoff_s * 2**attempt)
            else:
                return

    def _receive(self, out: Path, progress: Progress) -> None:
        with self._followed(f"{self._endpoint}{_ARCHIVE}") as reply:
            asked = f"catalogues: {self._endpoint}{_ARCHIVE}"
            if "html" in reply.headers.get("content-type", ""):
                raise Denied(asked, "The answer is a web page", "Log in at the portal and accept its terms")
            stated = reply.headers.get("content-length", "")
            total, received = int(stated) if stated.isdigit() else 0, 0
            with out.open("wb") as file:
                for piece in reply.stream(_PIECE):
                    file.write(piece)
                    received += len(piece)
                    progress(received // _PIECE, total // _PIECE, "MB")
        if total and received != total:
            raise Unavailable(asked, f"It sent {received:,} bytes of {total:,}", "Repeat the command later")
        _require_archive(out, asked)

    @contextmanager
    def _followed(self, url: str) -> Iterator[urllib3.BaseHTTPResponse]:
        """Request an address and those that it redirects to."""
        for _ in range(_MOST_REDIRECTS):
            with self._answer("GET", url) as reply:
                onward = reply.headers.get("location")
                if reply.status not in _REDIRECTS or not onward:
                    yield reply
                    return
                url = urljoin(url, onward)
        raise Unavailable(f"catalogues: {bare(url)}", "Too many redirects", "Download the archive in a browser")

    @contextmanager
    def _answer(
        self, method: str, url: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Send one request and keep its cookies."""
        self._hosts.require_allowed(url)
        asked, own = f"catalogues: {bare(url)}", urlsplit(url)[:2] == urlsplit(self._endpoint)[:2]
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())} if own else {}
        timeout = urllib3.Timeout(connect=self._limits.connect_s, read=self._limits.read_s)
        self._spent.add(urlsplit(url).hostname or "", requests=1)
        try:
            reply = self._pool.request(
                method,
                url,
                body=body,
                headers={**_AS_IT_IS, **(headers or {}), **cookies},
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=timeout,
            )
            try:
                if own:
                    self._keep(reply.headers.getlist("set-cookie"))
                _require_answer(reply.status, asked)
                yield reply
            finally:
                reply.close()
        except HTTPError as error:  # its text may hold the form
            raise Unavailable(
                asked, f"The connection failed ({type(error).__name__})", "Repeat the command later"
            ) from None

    def _keep(self, cookies: list[str]) -> None:
        for text in cookies:
            try:
                self._cookies |= {name: held.value for name, held in SimpleCookie(text).items()}
            except CookieError:
                continue


def _require_answer(status: int, asked: str) -> None:
    if status in TRANSIENT:
        raise Unavailable(asked, f"No answer: status {status}", "Repeat the command later")
    if status in (401, 403):
        raise Denied(asked, f"Access is denied (status {status})", "Check ISMN_USERNAME and ISMN_PASSWORD")
    if status >= 400:
        raise VadoseError(asked, f"The request is refused (status {status})", "Download the archive in a browser")


def _require_archive(path: Path, asked: str) -> None:
    """Refuse a file that is no zip archive with stations' files."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise Unavailable(asked, f"It is no complete zip archive ({type(error).__name__})", "Try again") from None
    if not any(name.endswith(".stm") for name in names):
        raise VadoseError(asked, "The archive holds no file of a station (.stm)", "Download it in a browser")


def download_ismn(
    catalogue: Catalogue, out: Path, limits: Limits | None = None, progress: Progress = lambda *_: None
) -> None:
    """Log in at the portal and download its whole archive.

    Raises:
        VadoseError: `out` exists, or as `IsmnPortal.login` and `IsmnPortal.download`.
    """
    DOWNLOAD.require_place(out, folder=False)
    with alone_at(out) as held:
        if os.path.lexists(held):
            raise VadoseError(f"ismn: {out}", "It exists", "Name another file, or remove it")
        portal = IsmnPortal(catalogue, limits or Limits(read_s=_LONGEST_WAIT_S))
        portal.login()
        portal.download(held, progress)
