"""Portal of the International Soil Moisture Network: a login form with its token, and the archive behind it."""

import secrets
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

from catalogue_servers.bodies import Content, send_content, send_reply
from catalogue_servers.loopback import LoopbackServer, Receive, Scope, Send

LOGIN, ARCHIVE = "/en/accounts/login/", "/en/dataviewer/api/download_archive"
HTML = {"content-type": "text/html; charset=utf-8"}
FORM = b"<!DOCTYPE html>\n<html><body><form method='post'></form></body></html>\n"


class IsmnServer(LoopbackServer):
    """Portal: as a Django site with django-allauth, it answers a refused login with the form again, status 200.

    Attributes:
        archive: Bytes of the archive.
        passwords: By user name.
        elsewhere: Address to which the archive's is redirected; empty for none.
    """

    def __init__(self, archive: bytes, passwords: dict[str, str]) -> None:
        self.archive, self.passwords = archive, passwords
        self.elsewhere = ""
        self._tokens: set[str] = set()
        self._sessions: set[str] = set()
        super().__init__(self._serve)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        cookies = {name: held.value for name, held in SimpleCookie(headers.get("cookie", "")).items()}
        if scope["path"] == LOGIN and scope["method"] == "GET":
            token = secrets.token_urlsafe(24)
            self._tokens.add(token)
            await send_reply(send, 200, FORM, {**HTML, "set-cookie": f"csrftoken={token}; Path=/; SameSite=Lax"})
        elif scope["path"] == LOGIN:
            await self._login(headers, cookies, await _body(receive), send)
        elif scope["path"] == ARCHIVE and cookies.get("sessionid") not in self._sessions:
            await send_reply(send, 302, b"", {"location": f"{LOGIN}?next={ARCHIVE}"})
        elif scope["path"] == ARCHIVE and self.elsewhere:
            await send_reply(send, 302, b"", {"location": self.elsewhere})
        elif scope["path"] == ARCHIVE:
            await send_content(Content.of_bytes(self.archive, "application/zip"), scope, send)
        else:
            await send_reply(send, 404, b"", HTML)

    async def _login(self, headers: dict[str, str], cookies: dict[str, str], body: bytes, send: Send) -> None:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        token = form.get("csrfmiddlewaretoken")
        if token not in self._tokens or cookies.get("csrftoken") != token or not headers.get("referer"):
            await send_reply(send, 403, b"<html>CSRF verification failed</html>", HTML)
        elif self.passwords.get(form.get("login", "")) != form.get("password"):
            await send_reply(send, 200, FORM, HTML)
        else:
            session = secrets.token_urlsafe(24)
            self._sessions.add(session)
            cookie = f"sessionid={session}; HttpOnly; Path=/"
            await send_reply(send, 302, b"", {"location": "/en/", "set-cookie": cookie})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body
