"""Kills, full disks, shared caches, outages and short tokens while an archive is fetched from catalogues on loopback.

python benchmarks/fetch_faults.py [--world WORLD] [--kills 20] [--only kills disks pairs outages]

Every ended archive must have the bytes of one that was fetched undisturbed. But for that one, tokens live two seconds.
The Earth is SIMULATED (preset tiny). Full disks are file systems in memory, which needs the right to mount.
"""

import argparse
import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
PASSWORD = "canary-8f3a51c7"
STARTED = multiprocessing.get_context("forkserver")
"""Commands begin in copies of one process that has imported everything."""
DISK_MB = (0.5, 1.5, 3.0)
INCOMPLETE, TRIES, LIFE_S = 3, 6, 2.0


@dataclass(frozen=True, eq=False)
class Bench:
    """A place to fetch, and what comes of it undisturbed.

    Attributes:
        world: servers.
        folder: of all archives.
        command: words of the command, without its output.
        expected: checksums of the files of the archive, by name.
        requests: of the undisturbed run.
    """

    world: "World"  # noqa: F821 - of the tests, whose folder is named above
    folder: Path
    command: tuple[str, ...]
    expected: dict[str, str]
    requests: int

    def start(
        self, name: str, *, cache: Path | None = None, out: Path | None = None, command: Sequence[str] = ()
    ) -> multiprocessing.Process:
        """Begin the command in a process of its own."""
        (self.folder / name).mkdir(exist_ok=True)
        words = (*(command or self.command), "--out", str(out or self.folder / name / "archive"))
        environment = {
            "VADOSE_CACHE": str(cache or self.folder / name / "cache"),
            "EARTHDATA_USERNAME": "canary-user",
            "EARTHDATA_PASSWORD": PASSWORD,
        }
        process = STARTED.Process(target=be, args=(words, environment, self.folder / name / "log.txt"))
        process.start()
        return process

    def end(self, name: str, tries: int = 1, **more: object) -> tuple[int | None, bool]:
        """Run the command, and again while something is incomplete: a token may end before its request is answered.

        Returns:
            Its exit status, and whether the archive is the undisturbed one.
        """
        for _ in range(tries):
            process = self.start(name, **more)
            process.join()
            if process.exitcode != INCOMPLETE:
                break
        return process.exitcode, contents(more.get("out") or self.folder / name / "archive") == self.expected

    def asked(self) -> int:
        """Return the requests since the last reset."""
        return sum(len(server.requests) for server in self.world.servers)

    def log(self, name: str) -> str:
        """Return what the commands of a folder printed."""
        return (self.folder / name / "log.txt").read_text()


def be(words: Sequence[str], environment: dict[str, str], log: Path) -> None:
    """In a process of its own: do a command."""
    os.environ |= environment
    with log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["vadose", "--verbose", *words]
    from vadose.cli.main import main  # noqa: PLC0415 - imported before, in the process that is copied

    main()


def contents(archive: Path) -> dict[str, str]:
    """Return checksums of the files of an archive."""
    files = (path for path in archive.rglob("*") if path.is_file())
    return {str(path.relative_to(archive)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kills(bench: Bench, count: int) -> None:
    """Kill while fetching, at any request, and resume."""
    rng, killed, equal = random.Random(0), 0, 0
    for number in range(count):
        name = f"killed-{number}"
        bench.world.reset()
        process, limit = bench.start(name), rng.randrange(2, bench.requests)
        while process.is_alive() and bench.asked() < limit:
            time.sleep(0.002)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.join()
        before = bench.asked()
        bench.world.reset()
        status, same = bench.end(name, TRIES)
        equal += same and status == 0
        print(
            f"  killed after {before} of {bench.requests} requests: resumed with {bench.asked()}, {_told(same)}",
            flush=True,
        )
        shutil.rmtree(bench.folder / name)
    print(f"{killed} kills: {equal} of {count} ended with the same bytes", flush=True)


def disks(bench: Bench) -> None:
    """Fetch onto disks that are full, the archive's or the cache's, and again when they are larger."""
    for size in DISK_MB:
        for what in ("out", "cache"):
            name, disk = f"disk-{what}-{size}", bench.folder / f"disk-{what}-{size}" / "disk"
            disk.mkdir(parents=True)
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size * 1024:.0f}k", "tmpfs", disk]
            if subprocess.run(mount, check=False).returncode:
                print("full disks: no right to mount")
                return
            try:
                status, _ = bench.end(name, **{what: disk / what})
                said = bench.log(name).strip().splitlines()[-3:]
                subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
                again, same = bench.end(name, TRIES, **{what: disk / what})
            finally:
                subprocess.run(["umount", disk], check=True)
            clean = "Traceback" not in bench.log(name)
            print(f"disk of the {what}, {size} MB: status {status}, then {again}, {_told(same and clean)}: {said[1:2]}")


def pairs(bench: Bench) -> None:
    """Two processes at once: two archives of one cache, and one archive."""
    for name, archives in (("one cache, two archives", ("one", "two")), ("one archive", ("both", "both"))):
        folders = [bench.folder / f"pair-{archive}" for archive in archives]
        running = [bench.start(folder.name, cache=bench.folder / f"shared-{archives[0]}") for folder in folders]
        for process in running:
            process.join()
        statuses = sorted(str(process.exitcode) for process in running)
        for folder in folders:
            bench.end(folder.name, TRIES, cache=bench.folder / f"shared-{archives[0]}")
        same = all(contents(folder / "archive") == bench.expected for folder in folders)
        print(f"two processes, {name}: statuses {', '.join(statuses)}, {_told(same)}", flush=True)


def outages(bench: Bench) -> None:
    """Each server down in turn while an archive is fetched, and up again."""
    from catalogue_servers import faults  # noqa: PLC0415

    names = ("stac", "assets", "cmr", "archive", "login", "soilgrids")
    for name in names:
        getattr(bench.world, name).fail(faults.down())
        status, _ = bench.end(f"down-{name}")
        bench.world.mend()
        again, same = bench.end(f"down-{name}", TRIES)
        held = contents(bench.folder / f"down-{name}" / "archive")
        lost = [
            path for path, checksum in bench.expected.items() if path != "vadose.lock" and held.get(path) != checksum
        ]
        more = sorted({path.partition("/")[0] for path in held.keys() - bench.expected.keys()} - {".vadose-lock"})
        found = _told(same) if same or lost or not more else f"equal, and also from elsewhere: {', '.join(more)}"
        print(f"{name} down: status {status}, then {again}, {found}", flush=True)


def _told(same: bool) -> str:
    return "equal" if same else "DIFFERS"


def leaks(folder: Path, secrets: Sequence[str]) -> int:
    held = [secret.encode() for secret in secrets]
    return sum(any(one in path.read_bytes() for one in held) for path in folder.rglob("*") if path.is_file())


def place_of(archive: Path) -> tuple[str, str]:
    """Return box and day of the last Sentinel-1 scene."""
    import vadose  # noqa: PLC0415

    source = vadose.open_archive(archive).sources[0]
    record = source.index.records[-1][0]
    lon, lat = (record.bbox[0] + record.bbox[2]) / 2, (record.bbox[1] + record.bbox[3]) / 2
    return f"{lon - 0.01:.4f},{lat - 0.01:.4f},{lon + 0.01:.4f},{lat + 0.01:.4f}", str(record.time)[:10]


def main() -> None:
    parts: dict[str, Callable[[Bench], None]] = {"disks": disks, "pairs": pairs, "outages": outages}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, help="archive of the preset tiny; made without it")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=["kills", *parts], default=["kills", *parts])
    asked = parser.parse_args()
    STARTED.set_forkserver_preload(["__main__", "vadose.cli.main", "vadose.api.fetch"])
    from catalogue_servers import World  # noqa: PLC0415
    from vadose.simulation import WorldConfig, make  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="faults.") as name:
        folder = Path(name)
        archive = asked.world or folder / "world"
        if asked.world is None:
            make(WorldConfig.preset("tiny"), archive)
        box, date = place_of(archive)
        with World(archive) as world:
            world.login.users.passwords["canary-user"] = PASSWORD
            settings = folder / "catalogues.yaml"
            settings.write_text(yaml.safe_dump(world.settings()))
            command = ("fetch", "--area", box, "--date", date, "--catalogue", str(settings))
            first = Bench(world, folder, command, {}, 0)
            started = time.monotonic()
            status, _ = first.end("plain")
            world.assets.tokens.life = LIFE_S
            bench = Bench(world, folder, command, contents(folder / "plain" / "archive"), first.asked())
            seconds = time.monotonic() - started
            print(
                f"undisturbed: status {status}, {len(bench.expected)} files, {bench.requests} requests, {seconds:.1f} s"
            )
            if "kills" in asked.only:
                kills(bench, asked.kills)
            for part in (parts[one] for one in asked.only if one in parts):
                part(bench)
            tokens = [token.split("sig=")[-1] for token in world.assets.tokens.issued]
            secrets = [*tokens, PASSWORD, *world.login.users.tokens]
            files = sum(path.is_file() for path in folder.rglob("*"))
            print(f"{len(secrets)} secrets: found in {leaks(folder, secrets)} of {files} files")


if __name__ == "__main__":
    main()
