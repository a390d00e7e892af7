"""Serve a simulated world by its catalogues on loopback until the input ends.

python benchmarks/catalogues.py WORLD SETTINGS [--token-life 3600]

SETTINGS is written for --catalogue; the Earthdata token is TOKEN, and so are the name and the password at ISMN.
"""

import argparse
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

TOKEN = "canary-3d9e7b42"


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from catalogue_servers import World  # noqa: PLC0415
    from catalogue_servers.ismn import IsmnServer  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("settings", type=Path)
    parser.add_argument("--token-life", type=float, default=3600.0)
    asked = parser.parse_args()
    with (
        World(asked.world, asked.token_life, page_size=50) as world,
        IsmnServer(_zipped(asked.world / "ismn"), {TOKEN: TOKEN}) as portal,
    ):
        world.login.users.tokens.add(TOKEN)
        settings = world.settings()
        settings["catalogues"]["ismn"] = {
            "title": "simulated ISMN",
            "kind": "ismn",
            "endpoint": portal.url,
            "hosts": ["127.0.0.1"],
            "collections": {"in_situ": ["archive"]},
        }
        asked.settings.write_text(yaml.safe_dump(settings))
        print("ready", flush=True)
        sys.stdin.read()


def _zipped(folder: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for path in sorted(folder.rglob("*")):
            written.write(path, path.relative_to(folder))
    return file.getvalue()


@contextmanager
def served(world: Path, settings: Path) -> Iterator[None]:
    """Serve a world from another process."""
    command = [sys.executable, __file__, str(world), str(settings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError("the catalogues could not be started")
            yield
        finally:
            process.stdin.close()


if __name__ == "__main__":
    main()
