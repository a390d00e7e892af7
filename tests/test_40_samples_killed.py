"""A build killed with SIGKILL, at chosen places and at random moments, goes on and gives the same bytes and names."""

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from importlib import import_module
from itertools import count
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from test_40_samples_collocate import ARCHIVE, NEEDS, TOP
from vadose.dataset import SampleStore
from vadose.dataset.collocate import build

SENSORS = [TOP, replace(TOP, station="second")]
AFRESH = get_context("forkserver")
AFRESH.set_forkserver_preload(["vadose.dataset.collocate", "vadose.fusion", "rioxarray"])
PLACES = [
    ("before the plan of the build is there", "vadose.io.atomic._swap", 1),
    ("within a part of the second sensor", "numpy.savez_compressed", 2),
    ("when all parts of a sensor are there, but not its report", "vadose.io.atomic._swap", 3),
    ("before a whole sensor takes its place", "vadose.io.atomic._swap", 4),
    ("between two sensors", "vadose.dataset.resumable.ResumableBuild.put", 2),
    ("within the arrays of the store", "vadose.dataset.writer._Stream.append", 7),
    ("while the store is finished", "vadose.dataset.writer._Stream.flush", 2),
    ("before the declaration of the store is there", "vadose.dataset.writer.metadata", 1),
    ("before the whole store takes its place", "vadose.io.atomic._swap", 9),
    ("when the store is whole", "vadose.dataset.resumable.ResumableBuild.remove", 1),
    ("while the parts are removed", "os.rmdir", 2),
]


def made(path: Path) -> None:
    build(SENSORS, ARCHIVE, NEEDS, path, made_from={"archive": "simulated hill"}, simulated=True)


def die_at(where: str, call: int) -> None:
    """Kill this process, as the kernel does, before a function is called for this time."""
    module = next(name for name in prefixes(where) if importable(name))
    *owners, name = where.removeprefix(f"{module}.").split(".")
    owner = reduce(getattr, owners, import_module(module))
    original, calls = getattr(owner, name), count(1)

    def killing(*args: object, **kwargs: object) -> object:
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(owner, name, killing)


def prefixes(where: str) -> Iterator[str]:
    parts = where.split(".")
    return (".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))


def importable(name: str) -> bool:
    try:
        import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def killed_at(path: Path, where: str, call: int) -> None:
    die_at(where, call)
    made(path)


def told(path: Path, begun: Path) -> None:
    begun.touch()
    made(path)


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file's bytes and every folder, hidden ones too, by path."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in found}


def started(target: object, *args: object) -> ForkServerProcess:
    process = AFRESH.Process(target=target, args=args)
    process.start()
    return process


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes | None]:
    folder = tmp_path_factory.mktemp("whole")
    made(folder / "store")
    assert len(SampleStore.open(folder / "store")) == 18
    return contents(folder)


@pytest.mark.parametrize(("where", "call"), [place[1:] for place in PLACES], ids=[place[0] for place in PLACES])
def test_a_build_killed_at_a_place_goes_on_to_the_same_bytes(
    tmp_path: Path, whole: dict[str, bytes | None], where: str, call: int
) -> None:
    process = started(killed_at, tmp_path / "store", where, call)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert contents(tmp_path) != whole
    made(tmp_path / "store")
    assert contents(tmp_path) == whole


def test_a_build_killed_before_the_older_store_is_removed_leaves_nothing_of_it(
    tmp_path: Path, whole: dict[str, bytes | None]
) -> None:
    build([TOP], ARCHIVE, NEEDS, tmp_path / "store", made_from={"archive": "simulated hill"}, simulated=True)
    process = started(killed_at, tmp_path / "store", "vadose.io.atomic._remove", 11)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 4, "the store, its parts, the older store and the lock"
    assert len(SampleStore.open(tmp_path / "store")) == 18
    made(tmp_path / "store")
    assert contents(tmp_path) == whole


def test_a_build_killed_at_random_again_and_again_ends_with_the_same_bytes(
    tmp_path: Path, whole: dict[str, bytes | None]
) -> None:
    rng, killed = random.Random(4), 0
    begun = tmp_path / "begun"
    work = tmp_path / "work"
    work.mkdir()
    for _ in range(6):
        begun.unlink(missing_ok=True)
        process = started(told, work / "store", begun)
        while not begun.exists() and process.is_alive():
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.join(60)
        killed += process.exitcode == -signal.SIGKILL
    assert killed >= 4
    made(work / "store")
    assert contents(work) == whole
