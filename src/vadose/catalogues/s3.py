"""Access keys of S3 storage: requests signed with AWS Signature Version 4."""

import hashlib
import hmac
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from vadose.catalogues.accounts import Account, from_netrc, from_variables
from vadose.catalogues.http import Denied, HttpClient

_USUAL = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_ENDPOINTS = ("AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Variables of GDAL and of AWS; the keys above belong to the endpoint that one of these names."""
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_NO_BODY = hashlib.sha256(b"").hexdigest()
_PORTS = {"https": 443, "http": 80}


@dataclass(eq=False)
class S3Signer:
    """Signatures of requests that read from S3 storage; the secret key is never sent.

    The access key is that of `variables`, else of `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` if `AWS_S3_ENDPOINT`,
    `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` names the endpoint, else the entry of its host in the netrc file.

    Attributes:
        endpoint: address of the storage.
        variables: two environment variables, of access key and secret key.
        region: that is part of the signature.
        environment: variables.
        now: returns the time, s since 1970.
    """

    endpoint: str
    variables: tuple[str, str] = _USUAL
    region: str = "default"
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    now: Callable[[], float] = field(default=time.time, repr=False)

    def sign(self, client: HttpClient, url: str) -> tuple[str, Mapping[str, str]]:  # noqa: ARG002 (of a signer)
        """Return the address, and the headers that sign a request to read it.

        Raises:
            Denied: the access key is missing or malformed.
        """
        return url, signed_headers(url, self._key(), self.region, self.now())

    def renew(self, client: HttpClient, url: str) -> bool:  # noqa: ARG002 (of a signer)
        """Return False: there is one key."""
        return False

    def _key(self) -> Account:
        host = urlsplit(self.endpoint).hostname or ""
        key = from_variables(self.environment, *self.variables)
        if key is None and any(_host(self.environment.get(name, "")) == host for name in _ENDPOINTS):
            key = from_variables(self.environment, *_USUAL)
        key = key or from_netrc(self.environment, host)
        asked, names = f"catalogues: S3 storage at {host}", " and ".join(self.variables)
        if key is None:
            raise Denied(
                asked,
                f"Credentials are missing: {names} are not set, and the netrc file has no entry for {host}",
                f"Create S3 keys in your account there, and set {names}",
            )
        if not (_VISIBLE.fullmatch(key.user) and _VISIBLE.fullmatch(key.password)):
            raise Denied(asked, f"{key.origin}: it holds blanks, or letters that no key has", "Copy the keys again")
        return key


def signed_headers(url: str, key: Account, region: str, now: float) -> dict[str, str]:
    """Return the headers of a signed request to read an address, which has no query.

    Args:
        url: its path percent-encoded as it is sent.
        key: access key and secret key.
        region: of the storage.
        now: s since 1970.
    """
    parts = urlsplit(url)
    port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": f"{parts.hostname}{port}", "x-amz-content-sha256": _NO_BODY, "x-amz-date": stamp}
    names = ";".join(headers)
    lines = (f"{name}:{value}" for name, value in headers.items())
    request = "\n".join(["GET", parts.path or "/", parts.query, *lines, "", names, _NO_BODY])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    secret = f"AWS4{key.password}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.digest(secret, text.encode(), "sha256").hex()
    del headers["host"]
    return headers | {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={key.user}/{scope}, SignedHeaders={names}, Signature={signature}"
    }


def _host(endpoint: str) -> str:
    """Return the host of an endpoint, which GDAL has without a scheme."""
    return urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}").hostname or ""
