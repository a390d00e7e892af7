"""NASA Earthdata Login: bearer tokens for data archives."""

import base64
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock, local
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from vadose.catalogues.accounts import Account, from_netrc, from_variables
from vadose.catalogues.http import Denied, HttpClient
from vadose.errors import VadoseError
from vadose.io.files import parse_json

LOGIN = "https://urs.earthdata.nasa.gov"
_TOKEN, _USER, _PASSWORD = "EARTHDATA_TOKEN", "EARTHDATA_USERNAME", "EARTHDATA_PASSWORD"
_ISSUE = "/api/users/find_or_create_token"
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_DATE = re.compile(r"(\d{2})/(\d{2})/(\d{4})")
_DAY_S = 86400.0
_LEAST_S = 3600.0
"""Time for which an issued token is used in any case, s: the login returns one token until it expires."""
_ASKED = "catalogues: NASA Earthdata Login"


@dataclass(frozen=True)
class _Token:
    """A bearer token.

    Attributes:
        value: that is sent.
        until: time of renewal, s since 1970.
    """

    value: str = field(repr=False)
    until: float = float("inf")


@dataclass(eq=False)
class EarthdataSigner:
    """Bearer tokens of NASA Earthdata.

    The token is `EARTHDATA_TOKEN`, or one issued for `EARTHDATA_USERNAME` and `EARTHDATA_PASSWORD`, or for the entry of
    the login's host in the netrc file (`NETRC`, else `~/.netrc`). The password is sent to the login alone.

    Attributes:
        endpoint: address of the login.
        environment: variables.
        now: returns the time, s since 1970.
    """

    endpoint: str = LOGIN
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    now: Callable[[], float] = field(default=time.time, repr=False)
    _token: _Token | None = field(default=None, repr=False)
    _final: str = field(default="", repr=False)
    _used: local = field(default_factory=local, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def sign(self, client: HttpClient, url: str) -> tuple[str, Mapping[str, str]]:
        """Return the address, and the header with the token; the login itself is sent none.

        Raises:
            Denied: credentials are missing or refused.
            VadoseError: the login does not answer, or others may read the netrc file.
        """
        if urlsplit(url)[:2] == urlsplit(self.endpoint)[:2]:
            return url, {}
        with self._lock:
            token = self._token or self._from_environment()
            if token is None or self.now() >= token.until:
                token = self._issue(client)
            self._token = token
        self._used.token = token.value
        return url, {"Authorization": f"Bearer {token.value}"}

    def renew(self, client: HttpClient, url: str) -> bool:  # noqa: ARG002 (of a signer)
        """Replace the token that this thread used last; return whether there is another one."""
        used = getattr(self._used, "token", "")
        with self._lock:
            if self._token is not None and self._token.value != used:
                return True
            if used == self._final:
                return False
            self._final = used
            try:
                self._token = self._issue(client)
            except Denied:
                return False
            return self._token.value != used

    def _issue(self, client: HttpClient) -> _Token:
        account = self._account()
        if account is None:
            raise _missing(self.endpoint)
        return _issue(client, self.endpoint, account, self.now())

    def _from_environment(self) -> _Token | None:
        stated = self.environment.get(_TOKEN, "").strip()
        if stated and _VISIBLE.fullmatch(stated) is None:
            raise Denied(_ASKED, f"{_TOKEN} holds blanks, or letters that no token has", "Copy the token again")
        return _Token(stated) if stated else None

    def _account(self) -> Account | None:
        host = urlsplit(self.endpoint).hostname or ""
        return from_variables(self.environment, _USER, _PASSWORD) or from_netrc(self.environment, host)


def _issue(client: HttpClient, endpoint: str, account: Account, now: float) -> _Token:
    """Request the token of an account, by a client that may ask the login alone.

    Raises:
        Denied: the account is refused, or the answer holds no token.
        VadoseError: as `HttpClient.post`.
    """
    parts = urlsplit(endpoint)
    login = HttpClient(frozenset({parts.netloc}), None, client.limits, spent=client.spent)
    basic = base64.b64encode(f"{account.user}:{account.password}".encode()).decode()
    try:
        reply = login.post(f"{endpoint}{_ISSUE}", b"", {"Authorization": f"Basic {basic}"}, largest=1 << 16)
    except Denied:
        hint = f"Correct {account.origin}, or log in at {endpoint}"
        raise Denied(_ASKED, f"User name or password of {account.origin} are refused", hint) from None
    try:
        content = parse_json(reply.body, _ASKED)
        return _Token(_text(content, "access_token"), max(_expiry(content) - _DAY_S, now + _LEAST_S))
    except (VadoseError, KeyError, TypeError, ValueError):  # their text may hold the token
        raise Denied(_ASKED, "The answer holds no token", f"Generate one at {endpoint} and set {_TOKEN}") from None


def _text(content: Any, name: str) -> str:
    value = content[name]
    if not isinstance(value, str) or _VISIBLE.fullmatch(value) is None:
        raise ValueError(name)
    return value


def _expiry(content: Any) -> float:
    """Return the start of the day on which a token expires, s since 1970."""
    match = _DATE.fullmatch(_text(content, "expiration_date"))
    if match is None:
        raise ValueError
    return float(np.datetime64(f"{match[3]}-{match[1]}-{match[2]}", "s").astype(np.int64))


def _missing(endpoint: str) -> Denied:
    return Denied(
        _ASKED,
        f"Credentials are missing: neither {_TOKEN} nor {_USER} and {_PASSWORD} are set, and the netrc file has no "
        f"entry for {urlsplit(endpoint).hostname}",
        f"Register at {endpoint}/users/new, generate a token there, and set {_TOKEN}",
    )
