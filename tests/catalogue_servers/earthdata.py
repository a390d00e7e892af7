"""Data archive behind the Earthdata Login: bearer tokens, or the dance of redirects with a password and cookies."""

import base64
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlencode

from catalogue_servers.assets import Tokens
from catalogue_servers.bodies import Content, send_content, send_reply
from catalogue_servers.granules import archive_path, collection_of
from catalogue_servers.loopback import LoopbackServer, Receive, Scope, Send

HTML = {"content-type": "text/html; charset=utf-8"}
JSON = {"content-type": "application/json"}
LOGIN_PAGE = b"<!DOCTYPE html>\n<html><head><title>Earthdata Login</title></head><body><form></form></body></html>\n"


@dataclass
class Users:
    """Who may log in, and what was given to them."""

    passwords: dict[str, str] = field(default_factory=lambda: {"user": "password"})
    tokens: set[str] = field(default_factory=lambda: {"bearer-token"})
    codes: set[str] = field(default_factory=set)
    """Codes that the login gave and the archive has not yet exchanged."""
    cookies: set[str] = field(default_factory=set)

    def knows(self, authorization: str) -> bool:
        """Whether a header `Basic …` names a user and the right password."""
        kind, _, text = authorization.partition(" ")
        if kind.lower() != "basic":
            return False
        name, _, password = base64.b64decode(text).decode().partition(":")
        return self.passwords.get(name) == password


class LoginServer(LoopbackServer):
    """Login host.

    `/oauth/authorize` with a right password gives a code and sends back to where the user came from. Without
    credentials it answers 401 with a challenge if asked to by `app_type=401`, else 200 with a page to log in.
    `POST /api/users/find_or_create_token` gives a bearer token.
    """

    def __init__(self, users: Users) -> None:
        self.users = users
        super().__init__(self._serve)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        authorization = _headers(scope).get("authorization", "")
        fields = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        if scope["path"] == "/oauth/authorize":
            await self._authorize(authorization, fields, send)
        elif scope["path"] == "/api/users/find_or_create_token" and scope["method"] == "POST":
            await self._token(authorization, send)
        else:
            await send_reply(send, 404, b"Not found", HTML)

    async def _authorize(self, authorization: str, fields: dict[str, str], send: Send) -> None:
        if self.users.knows(authorization):
            code = secrets.token_hex(16)
            self.users.codes.add(code)
            query = urlencode({"code": code, "state": fields.get("state", "")})
            await send_reply(send, 302, b"", {"location": f"{fields['redirect_uri']}?{query}"})
        elif authorization or fields.get("app_type") == "401":
            challenge = 'Basic realm="Please enter your Earthdata Login credentials."'
            await send_reply(send, 401, b"HTTP Basic: Access denied.\n", {**HTML, "www-authenticate": challenge})
        else:
            await send_reply(send, 200, LOGIN_PAGE, HTML)

    async def _token(self, authorization: str, send: Send) -> None:
        if not self.users.knows(authorization):
            await send_reply(send, 401, b'{"error":"invalid_credentials"}', JSON)
            return
        token = secrets.token_urlsafe(24)
        self.users.tokens.add(token)
        body = f'{{"access_token":"{token}","token_type":"Bearer","expiration_date":"01/01/2100"}}'
        await send_reply(send, 200, body.encode(), JSON)


class DataArchive(LoopbackServer):
    """Data host: granules below their `archive_path`, for whoever has a bearer token or a cookie of the login.

    Attributes:
        challenge: Whether the login is asked to answer 401 instead of a page (`app_type=401`).
        storage: Whether a file is answered with a redirect (303) to a signed address at the host `store`, as the
            archives in the cloud do. That host refuses requests that bring a second authorization.
    """

    def __init__(
        self, files: Callable[[], Iterable[Path]], login: LoginServer, *, challenge: bool = True, storage: bool = False
    ) -> None:
        """Serve granules.

        Args:
            files: Gives the granules there are now.
            login: Login host.
            challenge: See the class.
            storage: See the class.
        """
        self.files, self.login, self.challenge, self.storage = files, login, challenge, storage
        self.store = LoopbackServer(self._stored)
        self._tokens = Tokens(life=60)
        super().__init__(self._serve)

    def start(self) -> Self:
        self.store.start()
        super().start()
        return self

    def stop(self) -> None:
        super().stop()
        self.store.stop()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/login":
            await self._login(scope, send)
            return
        file = self._file(scope["path"])
        access = self._access(_headers(scope))
        if access == "unknown":
            where = {"client_id": "loopback", "response_type": "code", "redirect_uri": f"{self.url}/login"}
            query = urlencode({**where, "state": scope["path"], **({"app_type": "401"} if self.challenge else {})})
            await send_reply(send, 302, b"", {"location": f"{self.login.url}/oauth/authorize?{query}"})
        elif access == "refused":
            await send_reply(send, 401, b'{"error":"invalid_token"}', {**JSON, "www-authenticate": "Bearer"})
        elif file is None:
            await send_reply(send, 404, b"<html><body>File not found</body></html>", HTML)
        elif self.storage:
            token = self._tokens.issue(scope["path"])["token"]
            await send_reply(send, 303, b"", {"location": f"{self.store.url}{scope['path']}?{token}"})
        else:
            await send_content(Content.of_file(file), scope, send)

    def _access(self, headers: dict[str, str]) -> str:
        """Whether a request is granted, refused, or unknown and has to log in."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return "granted" if token in self.login.users.tokens else "refused"
        cookie = SimpleCookie(headers.get("cookie", "")).get("asf-urs")
        return "granted" if cookie and cookie.value in self.login.users.cookies else "unknown"

    async def _login(self, scope: Scope, send: Send) -> None:
        fields = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        users = self.login.users
        if fields.get("code") not in users.codes:
            await send_reply(send, 401, b"<html><body>Invalid code</body></html>", HTML)
            return
        users.codes.remove(fields["code"])
        cookie = secrets.token_hex(16)
        users.cookies.add(cookie)
        headers = {"location": fields["state"], "set-cookie": f"asf-urs={cookie}; Path=/; HttpOnly"}
        await send_reply(send, 302, b"", headers)

    async def _stored(self, scope: Scope, receive: Receive, send: Send) -> None:
        file = self._file(scope["path"])
        refusal = self._tokens.refusal(scope["path"], scope["query_string"].decode())
        if "authorization" in _headers(scope):
            await send_reply(send, 400, b"<Error><Code>InvalidArgument</Code></Error>", {"content-type": "text/xml"})
        elif refusal or file is None:
            await send_reply(send, 403, b"<Error><Code>AccessDenied</Code></Error>", {"content-type": "text/xml"})
        else:
            await send_content(Content.of_file(file), scope, send)

    def _file(self, path: str) -> Path | None:
        name = path.rpartition("/")[2]
        if collection_of(name) is None or path != f"/{archive_path(name)}":
            return None
        return next((file for file in self.files() if file.name == name), None)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
