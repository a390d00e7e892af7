"""One request over a connection of its own, for tests of the servers themselves."""

import base64
import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


class Answer:
    """Answer to a request; redirects are not followed."""

    def __init__(
        self,
        url: str,
        method: str = "GET",
        body: Any = None,
        timeout: float = 5,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Ask.

        Args:
            url: Address.
            method: Method.
            body: Bytes, or what is sent as JSON.
            timeout: Of each step, seconds.
            headers: Fields of the request.
        """
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, f"{parts.path}?{parts.query}".rstrip("?"), content, dict(headers or {}))
        response = connection.getresponse()
        self.status, self.headers = response.status, response.headers
        self.body = response.read()
        connection.close()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def basic(name: str, password: str) -> str:
    """Value of the header `Authorization`."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
