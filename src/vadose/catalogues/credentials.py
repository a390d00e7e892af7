"""Credentials of catalogues: short-lived tokens, renewed early, never shown."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from urllib.parse import urlsplit

import numpy as np

from vadose.catalogues.earthdata import EarthdataSigner
from vadose.catalogues.http import LOOPBACK, HttpClient, Limits, Signer, Spent, Unavailable, bare
from vadose.catalogues.s3 import S3Signer
from vadose.catalogues.settings import Catalogue, Credential
from vadose.errors import VadoseError
from vadose.grid import nanosecond
from vadose.io.files import parse_json

_EARLY_S = 60.0
"""How long before its end a token is renewed, s; of a short-lived one a tenth of its life."""


@dataclass(frozen=True)
class _Token:
    """A signature.

    Attributes:
        query: that signs an address.
        until: when it is to be renewed, s since 1970.
    """

    query: str = field(repr=False)
    until: float


@dataclass(eq=False)
class SasSigner:
    """Anonymous shared access signatures of the Planetary Computer, one for each storage container.

    Attributes:
        endpoint: that issues them.
        now: the time, s since 1970.
    """

    endpoint: str
    now: Callable[[], float] = time.time
    _tokens: dict[str, _Token] = field(default_factory=dict, repr=False)
    _locks: dict[str, Lock] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def sign(self, client: HttpClient, url: str) -> tuple[str, Mapping[str, str]]:
        """Return the address with a valid signature; the address of the issuer is returned unchanged."""
        if url.startswith(f"{self.endpoint}/"):
            return url, {}
        container = _container(url)
        with self._lock:
            lock = self._locks.setdefault(container, Lock())
        with lock:
            token = self._tokens.get(container)
            if token is None or self.now() >= token.until:
                token = self._tokens[container] = self._issued(client, container)
        return f"{bare(url)}?{token.query}", {}

    def renew(self, client: HttpClient, url: str) -> bool:  # noqa: ARG002 (of a signer)
        """Discard the token of an address."""
        return self._tokens.pop(_container(url), None) is not None

    def _issued(self, client: HttpClient, container: str) -> _Token:
        url = f"{self.endpoint}/{container}"
        asked = f"catalogues: a token of {url}"
        reply = parse_json(client.get(url, largest=1 << 20).body, asked, "Repeat the command later")
        try:
            query, expiry = str(reply["token"]), nanosecond(str(reply["msft:expiry"]).removesuffix("Z"))
        except (KeyError, TypeError, ValueError, VadoseError):
            raise Unavailable(asked, "The answer holds no token", "Repeat the command later") from None
        left = float((expiry - np.datetime64(0, "s")) / np.timedelta64(1, "s")) - self.now()
        return _Token(query.lstrip("?"), self.now() + left - min(_EARLY_S, left / 10))


def client_of(catalogue: Catalogue, limits: Limits, spent: Spent | None = None) -> HttpClient:
    """Return a client that may ask the hosts of a catalogue, with its credentials."""
    credential = catalogue.credential
    signers: dict[str, Signer] = {}
    own = urlsplit(catalogue.endpoint).hostname or ""
    issuer = urlsplit(credential.endpoint).hostname or "" if credential else own
    if credential is not None:
        signer = _signer(credential)
        signers = dict.fromkeys(credential.hosts, signer)
    by_host = {**limits.by_host, **catalogue.concurrency}
    return HttpClient(
        frozenset({*catalogue.hosts, own, issuer}),
        signers,
        replace(limits, by_host=by_host),
        spent=spent,
    )


def _signer(credential: Credential) -> Signer:
    if credential.kind == "sas":
        return SasSigner(credential.endpoint)
    if credential.kind == "s3":
        return S3Signer(credential.endpoint, credential.variables, credential.region)
    return EarthdataSigner(credential.endpoint)


def _container(url: str) -> str:
    """Return storage account and container of an address; both are in the path of one of an emulator on loopback."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path.lstrip("/").split("/")
    return "/".join(path[:2]) if host in LOOPBACK else f"{host.partition('.')[0]}/{path[0]}"
