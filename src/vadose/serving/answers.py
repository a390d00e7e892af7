"""Answers to requests: content, errors, compression."""

import gzip
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from vadose.io.files import parse_json
from vadose.serving import formats
from vadose.serving.guards import RETRIED, RETRY_SECONDS, error_body
from vadose.serving.limits import RequestError

_GZIP_FROM = 1_000


def problem(error: RequestError) -> Response:
    """Return an error."""
    headers = {"retry-after": RETRY_SECONDS} if error.status in RETRIED else {}
    return Response(error_body(error), error.status, headers, "application/problem+json")


def answer(request: Request, content: bytes, media: str, name: str = "") -> Response:
    """Return content, compressed if it is large and the client can read that."""
    headers = {"content-disposition": f'attachment; filename="{name}"'} if name else {}
    packed = "gzip" in request.headers.get("accept-encoding", "") and len(content) > _GZIP_FROM
    if packed and not media.startswith("image/"):
        content, headers = gzip.compress(content, 5), headers | {"content-encoding": "gzip"}
    return Response(content, media_type=media, headers=headers)


def json_answer(request: Request, content: Any, media: str = "application/json") -> Response:
    """Return content as JSON."""
    return answer(request, formats.json_bytes(content), media)


def base(request: Request) -> str:
    """Return the address of this server, with a slash at its end."""
    return str(request.base_url)


def body(content: bytes) -> Mapping[str, Any]:
    """Return the JSON object of a request's body.

    Raises:
        RequestError: it is none, or nested too deeply (400).
    """
    held = parse_json(content, "serve: the body", "Send a JSON object")
    if not isinstance(held, dict):
        raise RequestError(400, "serve: the body", "It is no JSON object", "Send one")
    return held
