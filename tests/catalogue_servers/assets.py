"""Asset server: files by ranges, and containers that ask for a signature as those of Azure do."""

import base64
import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode

from catalogue_servers.bodies import Content, error_xml, send_content, send_reply
from catalogue_servers.files import inside
from catalogue_servers.loopback import LoopbackServer, Receive, Scope, Send

TOKEN_PATH = "/sas/v1/token/"
XML = {"content-type": "application/xml"}


@dataclass(frozen=True)
class Container:
    """Folder served below `/{account}/{name}/`, as a storage emulator addresses containers."""

    account: str
    name: str
    folder: Path
    signed: bool = True
    """Whether a token is asked for."""
    collections: tuple[str, ...] = ()
    """STAC collections whose token is that of this container."""

    @property
    def path(self) -> str:
        return f"/{self.account}/{self.name}"


class Tokens:
    """Shared access signatures: made for a container, valid for a while.

    Attributes:
        life: Validity of a new token, seconds. A whole number gives expiry times in whole seconds, rounded up, as the
            Planetary Computer's are.
        issued: Tokens given out.
        clock: Tells the time, seconds since 1970.
    """

    def __init__(self, life: float = 3600.0) -> None:
        self.life = life
        self.clock: Callable[[], float] = time.time
        self.issued: list[str] = []
        self._key = secrets.token_bytes(32)

    def issue(self, container: str) -> dict[str, str]:
        now = datetime.fromtimestamp(self.clock(), UTC)
        until = now + timedelta(seconds=self.life)
        if float(self.life).is_integer():
            until = datetime.fromtimestamp(math.ceil(until.timestamp()), UTC)
        start, end = _stamp(now - timedelta(hours=1)), _stamp(until)
        fields = {"st": start, "se": end, "sp": "rl", "sv": "2024-05-04", "sr": "c"}
        token = urlencode({**fields, "sig": self._signature(container, fields)}, quote_via=quote)
        self.issued.append(token)
        return {"msft:expiry": end, "token": token}

    def refusal(self, container: str, query: str) -> str | None:
        """Why a query does not open a container; None if it does."""
        fields = dict(parse_qsl(query))
        signature = fields.pop("sig", None)
        if signature is None:
            return "Missing signature"
        if not hmac.compare_digest(signature, self._signature(container, fields)):
            return "Signature did not match"
        if self.clock() >= datetime.fromisoformat(fields["se"]).timestamp():
            return f"Signature not valid in the specified time frame: Start [{fields['st']}] - Expiry [{fields['se']}]"
        return None

    def revoke(self) -> None:
        """Make all tokens issued so far invalid, whatever their expiry."""
        self._key = secrets.token_bytes(32)

    def _signature(self, container: str, fields: Mapping[str, str]) -> str:
        text = "\n".join([container, *(f"{name}={fields[name]}" for name in sorted(fields))])
        return base64.b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode()


class AssetServer(LoopbackServer):
    """Containers below `/{account}/{container}/`, and their tokens below `/sas/v1/token/`.

    `GET /sas/v1/token/{account}/{container}` and `GET /sas/v1/token/{collection}` answer
    `{"token": "st=…&se=…&sig=…", "msft:expiry": "…Z"}`.
    """

    def __init__(self, containers: tuple[Container, ...] | list[Container], token_life: float = 3600.0) -> None:
        self.containers = tuple(containers)
        self.tokens = Tokens(token_life)
        super().__init__(self._serve)

    def reset(self) -> None:
        """Forget the requests seen and the tokens given out so far; these stay valid."""
        super().reset()
        self.tokens.issued.clear()

    def address(self, account: str, container: str, path: str = "") -> str:
        return f"{self.url}/{account}/{container}/{quote(path)}"

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            await send_reply(send, 405, b"", {"allow": "GET, HEAD"})
        elif path.startswith(TOKEN_PATH):
            await self._token(path.removeprefix(TOKEN_PATH), send)
        else:
            await self._file(path, scope, send)

    async def _token(self, asked: str, send: Send) -> None:
        for container in self.containers:
            if asked in (container.path[1:], *container.collections):
                body = self.tokens.issue(container.path)
                text = f'{{"msft:expiry":"{body["msft:expiry"]}","token":"{body["token"]}"}}'
                await send_reply(send, 200, text.encode(), {"content-type": "application/json"})
                return
        await send_reply(send, 404, b'{"detail":"No such container"}', {"content-type": "application/json"})

    async def _file(self, path: str, scope: Scope, send: Send) -> None:
        container = next((found for found in self.containers if path.startswith(f"{found.path}/")), None)
        if container is None:
            await send_reply(send, 404, error_xml("ResourceNotFound", "The specified resource does not exist."), XML)
            return
        reason = self.tokens.refusal(container.path, scope["query_string"].decode()) if container.signed else None
        if reason:
            await send_reply(send, 403, error_xml("AuthenticationFailed", reason), XML)
            return
        file = inside(container.folder, path.removeprefix(f"{container.path}/"))
        if file is None:
            await send_reply(send, 404, error_xml("BlobNotFound", "The specified blob does not exist."), XML)
            return
        await send_content(Content.of_file(file), scope, send)


def _stamp(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
