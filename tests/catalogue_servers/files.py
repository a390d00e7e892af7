"""Open server of folders, as a plain web server or a public bucket."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from catalogue_servers.bodies import Content, error_xml, send_content, send_reply
from catalogue_servers.loopback import LoopbackServer, Receive, Scope, Send


class FileServer(LoopbackServer):
    """Folders below paths, by ranges; what is not there is answered as S3 does (404, `NoSuchKey`).

    Attributes:
        folders: Folder by path, such as `/copernicus-dem-30m`.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = dict(folders)
        super().__init__(self._serve)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        file = None
        if scope["method"] in ("GET", "HEAD"):
            roots = (root for root in self.folders if path.startswith(f"{root}/"))
            root = max(roots, key=len, default=None)
            file = inside(self.folders[root], path.removeprefix(f"{root}/")) if root else None
        if file is None:
            xml = error_xml("NoSuchKey", "The specified key does not exist.")
            await send_reply(send, 404, xml, {"content-type": "application/xml"})
        else:
            await send_content(Content.of_file(file), scope, send)


def inside(folder: Path, path: str) -> Path | None:
    """File of a folder by its path in an address; None where there is none, or the path leads out."""
    parts = PurePosixPath(path)
    file = folder / parts
    return file if ".." not in parts.parts and not parts.is_absolute() and file.is_file() else None
