"""Maps whose run or whose workers are killed: what is finished stays, and the map ends with the same bytes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import distributed
import psutil
import pytest
import torch

import small_map
from vadose.errors import VadoseError
from vadose.mapping import Executor, MapRequest, TilesFailed
from vadose.mapping.make import make_map

TILE_CELLS = 2
"""Small tiles, so that there are many."""
PATIENT_S = 40.0
"""A worker begins late where other tests run beside it."""
RUN = """
import sys
from pathlib import Path
import vadose.mapping.make as mapping
mapping.TILE_CELLS = int(sys.argv[5])
request = mapping.MapRequest(*map(Path, sys.argv[1:3]), sys.argv[3], "2021-06-08/2021-06-10", Path(sys.argv[4]),
                             formats=("cog", "zarr"), pictures=False)
mapping.make_map(request, lambda *_: None)
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ground")
    small_map.write_archive(folder / "archive")
    small_map.write_run(folder / "run", members=1)
    return folder


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vadose.mapping.executors.PATIENCE_S", PATIENT_S)
    monkeypatch.setattr("vadose.mapping.make.TILE_CELLS", TILE_CELLS)


@pytest.fixture
def whole(ground: Path) -> dict[str, bytes]:
    """The files of a map that was never stopped."""
    out = ground / "whole"
    if not (out / "collection.json").exists():
        mapped(ground, out)
    return products(out)


def mapped(ground: Path, out: Path, crew: Executor | None = None) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    asked = (ground / "run", ground / "archive", small_map.AREA, "2021-06-08/2021-06-10", out)
    request = MapRequest(*asked, formats=("cog", "zarr"), pictures=False)
    make_map(request, lambda done, total, _: told.append((done, total)), executor=crew or Executor())
    return told


def products(out: Path) -> dict[str, bytes]:
    files = (path for path in out.rglob("*") if path.is_file() and "tiles" not in path.parts)
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def finished(out: Path) -> int:
    return len(list((out / "tiles").glob("[!.]*.json")))


def wait_for(condition: "object", seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.002)


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(ground, whole, tmp_path):
    rng, counts = random.Random(5), []
    arguments = [ground / "run", ground / "archive", small_map.AREA, tmp_path / "map", TILE_CELLS]
    for _ in range(3):
        before = finished(tmp_path / "map")
        with subprocess.Popen([sys.executable, "-c", RUN, *map(str, arguments)]) as process:
            wait_for(lambda before=before: finished(tmp_path / "map") > before or process.poll() is not None)
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
        counts.append(finished(tmp_path / "map"))
    assert counts[0] >= 1 and counts == sorted(counts)
    told = mapped(ground, tmp_path / "map")
    assert told[0][0] == counts[-1], "what was finished is not done again"
    assert products(tmp_path / "map") == whole


def kill_when_begun(out: Path, pids: "object") -> Thread:
    """A thread that kills one worker when the first tile is finished."""

    def kill() -> None:
        wait_for(lambda: finished(out) >= 1)
        psutil.Process(pids()[0]).kill()  # type: ignore[operator]

    thread = Thread(target=kill)
    thread.start()
    return thread


def spawned() -> list[int]:
    """Processes of this one that work for it."""
    return [
        child.pid for child in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(child.cmdline())
    ]


def test_a_worker_of_a_local_cluster_that_is_killed_is_replaced(ground, whole, tmp_path):
    killer = kill_when_begun(tmp_path / "map", spawned)
    told = mapped(ground, tmp_path / "map", Executor("processes", 2))
    killer.join()
    assert told[-1][0] == told[-1][1]
    assert products(tmp_path / "map") == whole


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, list[int]]]:
    """Address of a scheduler with two workers, each a process of its own, and the workers' process ids."""
    with dask_processes(tmp_path) as start:
        address, _ = started(start, tmp_path)
        workers = [start("worker", address, *WORKER, "--local-directory", str(tmp_path)) for _ in range(2)]
        with distributed.Client(address, timeout=PATIENT_S) as client:
            client.wait_for_workers(len(workers), timeout=PATIENT_S)
        yield address, [worker.pid for worker in workers]


WORKER = ("--nthreads", "1", "--no-dashboard", "--no-nanny")
Start = Callable[..., "subprocess.Popen[bytes]"]


@contextmanager
def dask_processes(folder: Path) -> Iterator[Start]:
    """Starts commands of Dask; all of them are killed at the end."""
    dask, log = (
        str(Path(sys.executable).with_name("dask")),
        {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL},
    )
    with ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            process = stack.enter_context(subprocess.Popen([dask, *arguments], cwd=folder, **log))
            stack.callback(process.kill)
            return process

        yield start


def started(start: Start, folder: Path, port: int = 0) -> tuple[str, "subprocess.Popen[bytes]"]:
    """A scheduler that listens: its address and its process."""
    told = folder / "scheduler.json"
    told.unlink(missing_ok=True)
    options = ("--no-dashboard", "--scheduler-file", str(told))
    process = start("scheduler", "--host", "127.0.0.1", "--port", str(port), *options)
    wait_for(lambda: told.exists() and told.stat().st_size > 0)
    return json.loads(told.read_text())["address"], process


def test_a_worker_of_a_scheduler_that_is_killed_leaves_its_tiles_to_the_other(ground, whole, scheduler, tmp_path):
    address, pids = scheduler
    killer = kill_when_begun(tmp_path / "map", lambda: pids)
    told = mapped(ground, tmp_path / "map", Executor(address))
    killer.join()
    assert not psutil.pid_exists(pids[0]) or psutil.Process(pids[0]).status() == psutil.STATUS_ZOMBIE
    assert told[-1][0] == told[-1][1]
    assert products(tmp_path / "map") == whole


def test_a_scheduler_that_is_restarted_leaves_a_map_that_goes_on(ground, whole, tmp_path):
    with dask_processes(tmp_path) as start:
        address, process = started(start, tmp_path)
        start("worker", address, *WORKER)

        def restart() -> None:
            wait_for(lambda: finished(tmp_path / "map") >= 1)
            process.kill()
            process.wait()
            started(start, tmp_path, int(address.rsplit(":")[-1]))
            start("worker", address, *WORKER)

        restarter = Thread(target=restart)
        restarter.start()
        lost: dict[str, str] = {}
        try:
            mapped(ground, tmp_path / "map", Executor(address))
        except TilesFailed as failed:
            lost = dict(failed.reasons)
        restarter.join()
        done = finished(tmp_path / "map")
        assert all("scheduler was lost" in reason for reason in lost.values())
        told = mapped(ground, tmp_path / "map", Executor(address))
    assert told[0][0] == done >= 1 and told[0][0] + len(lost) >= told[0][1]
    assert products(tmp_path / "map") == whole


def test_a_map_on_gpus_takes_no_worker_without_one(ground, scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr("vadose.mapping.executors.PATIENCE_S", 10.0)
    address, _ = scheduler
    with pytest.raises(VadoseError, match="None of its workers declares one"):
        mapped(ground, tmp_path / "map", Executor(address, device="cuda"))
    assert not finished(tmp_path / "map")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_told_by_the_tiles_of_its_workers(ground, tmp_path):
    with pytest.raises(VadoseError, match="no GPU that PyTorch can use"):
        mapped(ground, tmp_path / "threads", Executor(device="cuda"))
    with dask_processes(tmp_path) as start:
        address, _ = started(start, tmp_path)
        start("worker", address, *WORKER)
        start("worker", address, *WORKER, "--resources", "GPU=1")
        with pytest.raises(TilesFailed) as failed:
            mapped(ground, tmp_path / "map", Executor(address, device="cuda"))
    assert all("no GPU that PyTorch can use" in reason for reason in failed.value.reasons.values())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Gives a file system of so many kB; asked again, the same with another size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def sized(kilobytes: int) -> Path:
        again = ["remount,"] if os.path.ismount(folder) else []
        options = "".join([*again, f"size={kilobytes}k"])
        asked = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        made = subprocess.run(asked, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
        return folder

    yield sized
    subprocess.run(["umount", folder], capture_output=True, check=False)


@pytest.mark.skipif(shutil.which("mount") is None, reason="mount is not there")
@pytest.mark.parametrize("kilobytes", [8, 60, 180, 240, 300])
def test_a_disk_that_is_full_is_told_and_the_map_goes_on_when_there_is_room(kilobytes, ground, whole, small_disk):
    out = small_disk(kilobytes) / "map"
    with pytest.raises(VadoseError, match="The disk is full"):
        mapped(ground, out)
    small_disk(64_000)
    done, told = finished(out), mapped(ground, out)
    assert told[0][0] == done
    assert products(out) == whole
