"""Kills, two processes, short tokens and a full disk while an archive is fetched from catalogues on loopback.

Every ended archive must have the bytes of one that was fetched undisturbed. The Earth is SIMULATED (preset tiny).
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from catalogue_servers import World
from vadose.simulation import WorldConfig, make

PASSWORD = "canary-8f3a51c7"
RUN = "from vadose.cli.main import main; main()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", type=Path, help="archive of the preset tiny; made without it")
    parser.add_argument("--kills", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = asked.world or folder / "world"
        if asked.world is None:
            make(WorldConfig.preset("tiny"), archive)
        with World(archive, token_life=2.0) as world:
            world.login.users.passwords["canary-user"] = PASSWORD
            settings = folder / "catalogues.yaml"
            settings.write_text(yaml.safe_dump(world.settings()))
            run(world, archive, folder, settings, asked.kills)


def run(world: World, archive: Path, folder: Path, settings: Path, kills: int) -> None:
    box, date = place_of(archive)
    command = ["fetch", "--area", box, "--date", date, "--catalogue", str(settings)]
    started = time.monotonic()
    fetch(folder, "plain", command).wait()
    expected = contents(folder / "plain")
    whole = len(requests(world))
    print(f"undisturbed: {len(expected)} files, {whole} requests, {time.monotonic() - started:.1f} s")
    rng, killed, equal = random.Random(0), 0, 0
    for number in range(kills):
        world.reset()
        process = fetch(folder, f"killed-{number}", command)
        limit = rng.randrange(2, whole)
        while process.poll() is None and len(requests(world)) < limit:
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        before = len(requests(world))
        world.reset()
        status = fetch(folder, f"killed-{number}", command).wait()
        same = status == 0 and contents(folder / f"killed-{number}") == expected
        equal += same
        print(
            f"  killed after {before} of {whole} requests: resumed with {len(requests(world))}, "
            f"{'equal' if same else 'DIFFERS'}"
        )
        shutil.rmtree(folder / f"killed-{number}")
    print(f"{killed} kills of {kills}: {equal} of {kills} ended with the same bytes")
    pair = [fetch(folder, name, command, cache="shared") for name in ("one", "two")]
    statuses = [process.wait() for process in pair]
    same = all(contents(folder / name) == expected for name in ("one", "two"))
    print(f"two processes, one cache: statuses {statuses}, {'equal' if same else 'DIFFERS'}")
    secrets = [token.split("sig=")[-1] for token in world.assets.tokens.issued] + [PASSWORD, *world.login.users.tokens]
    print(f"{len(secrets)} secrets: found in {leaks(folder, secrets)} of {sum(1 for _ in folder.rglob('*'))} files")


def fetch(folder: Path, name: str, command: list[str], cache: str | None = None) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "VADOSE_CACHE": str(folder / (cache or name) / "cache"),
        "EARTHDATA_USERNAME": "canary-user",
        "EARTHDATA_PASSWORD": PASSWORD,
    }
    (folder / name).mkdir(exist_ok=True)
    with (folder / name / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", RUN, "--verbose", *command, "--out", str(folder / name / "archive")],
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip


def contents(folder: Path) -> dict[str, str]:
    """Return checksums of the files of an archive."""
    archive = folder / "archive"
    files = (path for path in archive.rglob("*") if path.is_file() and path.name != ".vadose.lock")
    return {str(path.relative_to(archive)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def requests(world: World) -> list[object]:
    return [request for server in world.servers for request in server.requests]


def leaks(folder: Path, secrets: list[str]) -> int:
    held = [secret.encode() for secret in secrets]
    return sum(any(one in path.read_bytes() for one in held) for path in folder.rglob("*") if path.is_file())


def place_of(archive: Path) -> tuple[str, str]:
    """Return box and day of the last Sentinel-1 scene."""
    import vadose  # noqa: PLC0415

    source = vadose.open_archive(archive).sources[0]
    record = source.index.records[-1][0]  # type: ignore[attr-defined]
    lon, lat = (record.bbox[0] + record.bbox[2]) / 2, (record.bbox[1] + record.bbox[3]) / 2
    return f"{lon - 0.01:.4f},{lat - 0.01:.4f},{lon + 0.01:.4f},{lat + 0.01:.4f}", str(record.time)[:10]


if __name__ == "__main__":
    main()
