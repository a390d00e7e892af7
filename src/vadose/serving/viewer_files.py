"""Files of the built viewer, which are held in memory: no path of a request reaches the disk."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from fastapi import Request, Response

from vadose.serving.limits import RequestError


@dataclass(frozen=True)
class ViewerFile:
    """A file of the viewer: as it is, compressed, its media type and its entity tag."""

    plain: bytes
    packed: bytes
    media: str
    tag: str


def viewer_files() -> Mapping[str, ViewerFile]:
    """Return the built viewer, by the names of its files."""
    root = files("vadose.serving") / "viewer"
    held: dict[str, ViewerFile] = {}
    waiting = [("", root)] if root.is_dir() else []
    while waiting:
        prefix, folder = waiting.pop()
        for entry in folder.iterdir():
            name = f"{prefix}{entry.name}"
            if entry.is_dir():
                waiting.append((f"{name}/", entry))
                continue
            content = entry.read_bytes()
            media = "text/javascript" if name.endswith((".js", ".mjs")) else mimetypes.guess_type(name)[0]
            held[name] = ViewerFile(
                content,
                gzip.compress(content, 6),
                media or "application/octet-stream",
                f'"{hashlib.sha256(content).hexdigest()[:20]}"',
            )
    return held


def file_answer(request: Request, viewer: Mapping[str, ViewerFile], name: str) -> Response:
    """Return a file of the viewer.

    Raises:
        RequestError: there is none such (404).
    """
    if name not in viewer:
        raise RequestError(404, "serve: a file of the viewer", "There is none such", "Open /")
    held = viewer[name]
    headers = {"etag": held.tag, "vary": "accept, accept-encoding"}
    headers["cache-control"] = "public, max-age=31536000, immutable" if "assets/" in name else "no-cache"
    if held.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(held.packed, media_type=held.media, headers=headers | {"content-encoding": "gzip"})
    return Response(held.plain, media_type=held.media, headers=headers)
