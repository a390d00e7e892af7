"""One process at a time on what is written, and no way out of a folder that is filled."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vadose.errors import VadoseError
from vadose.io.locks import LOCK, alone_at, alone_in, exclusive_lock, is_vacant

HOLDING = """
import sys, time
from pathlib import Path
from vadose.io import locks
with getattr(locks, sys.argv[1])(Path(sys.argv[2]), *map(eval, sys.argv[3:])):
    print("held", flush=True)
    time.sleep(60)
"""
WAYS = {"exclusive_lock": (exclusive_lock, ()), "alone_in": (alone_in, (("card.md",),)), "alone_at": (alone_at, ())}


@contextmanager
def another(way: str, target: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the target."""
    arguments = [sys.executable, "-c", HOLDING, way, str(target), *map(repr, WAYS[way][1])]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout and other.stdout.readline() == "held\n"
            yield other
        finally:
            other.kill()


def lock_of(way: str, target: Path) -> Path:
    return target.with_name(f".{target.name}.{LOCK}") if way == "alone_at" else target / LOCK


@pytest.mark.parametrize("way", WAYS)
def test_a_second_one_is_told_of_the_first_until_it_is_killed(way, tmp_path):
    hold, rest = WAYS[way]
    target = tmp_path / "target"
    with another(way, target) as other:
        with (
            pytest.raises(VadoseError, match=f"Process {other.pid} on {socket.gethostname()} is writing to it"),
            hold(target, *rest),
        ):
            pass
        other.kill()
        other.wait()
        assert lock_of(way, target).exists()
        with hold(target, *rest):
            assert json.loads(lock_of(way, target).read_text())["pid"] == os.getpid()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("way", WAYS)
def test_a_link_to_the_target_is_the_target(way, tmp_path):
    hold, rest = WAYS[way]
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with hold(tmp_path / "link", *rest) as held:
        assert held == tmp_path / "target"
        with pytest.raises(VadoseError, match="is writing"), hold(tmp_path / "target", *rest):
            pass


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe", "other text", "hard link"])
def test_what_is_no_lock_is_refused_and_stays(kind, way, tmp_path):
    hold, rest = WAYS[way]
    target, victim = tmp_path / "target", tmp_path / "victim"
    target.mkdir()
    victim.write_text("precious")
    lock = lock_of(way, target)
    make = {
        "link": lambda: lock.symlink_to(victim),
        "dangling link": lambda: lock.symlink_to(tmp_path / "nowhere"),
        "folder": lock.mkdir,
        "pipe": lambda: os.mkfifo(lock),
        "other text": lambda: lock.write_text('{"notes": 1}'),
        "hard link": lambda: os.link(victim, lock),
    }
    make[kind]()
    with pytest.raises(VadoseError, match="not a lock of vadose"), hold(target, *rest):
        pass
    assert victim.read_text() == "precious" and os.path.lexists(lock) and not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("told", ["", "{}", '{"pid": 1}', f'{{"pid": 4194305, "host": "{socket.gethostname()}"}}'])
def test_what_a_killed_process_left_is_free(told, tmp_path):
    (tmp_path / LOCK).write_text(told)
    with exclusive_lock(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_holder_on_another_machine_is_not_taken_for_dead(tmp_path):
    (tmp_path / LOCK).write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    with pytest.raises(VadoseError, match="Process 1 on elsewhere") as refused, exclusive_lock(tmp_path):
        pass
    assert str(tmp_path / LOCK) in refused.value.hint


def test_leftovers_of_dead_runs_are_swept_and_those_of_a_live_one_are_not(tmp_path):
    folder, left = tmp_path / "map", tmp_path / "map" / "tiles" / ".a.npz.0a1b2c3d.npz"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    with another("exclusive_lock", folder):
        assert not left.exists()
        left.write_text("half")
        with pytest.raises(VadoseError), exclusive_lock(folder):
            pass
        assert left.exists()
    with exclusive_lock(folder):
        assert not left.exists()
        left.write_text("half")
        (left.parent / "whole.npz").touch()
    assert sorted(path.name for path in folder.rglob("*")) == [left.name, "tiles", "whole.npz"], "its own to tidy up"
    with pytest.raises(KeyboardInterrupt), exclusive_lock(folder):
        left.write_text("half")
        raise KeyboardInterrupt
    assert sorted(path.name for path in folder.rglob("*")) == ["tiles", "whole.npz"]


def test_a_folder_that_was_made_for_a_lock_alone_is_gone_with_it(tmp_path):
    for hold, rest in WAYS.values():
        with pytest.raises(ValueError), hold(tmp_path / "new" / "deep", *rest):
            raise ValueError
        assert list(tmp_path.iterdir()) == []
    with exclusive_lock(tmp_path / "new") as folder:
        (folder / "file").touch()
    assert (tmp_path / "new" / "file").exists()


@pytest.mark.parametrize("where", ["tiles", "README.txt", "fold-0/network-0", "samples/arrays.zarr"])
def test_nothing_is_written_through_links_that_lead_out(where, tmp_path):
    folder = tmp_path / "folder"
    (folder / where).parent.mkdir(parents=True)
    (folder / where).symlink_to(tmp_path / "victim")
    with pytest.raises(VadoseError, match=rf"{where} in it is a link to {tmp_path}/victim"), exclusive_lock(folder):
        pass
    with exclusive_lock(folder, read_only=[where.split("/")[0]]):
        pass


def test_links_within_a_folder_are_the_users_own(tmp_path):
    (tmp_path / "latest.tif").symlink_to("soil_moisture_1.tif")
    with exclusive_lock(tmp_path):
        pass


def test_a_folder_of_leftovers_is_vacant(tmp_path):
    assert is_vacant(tmp_path) and is_vacant(tmp_path / "nowhere")
    for name in (LOCK, ".world.json.0a1b2c3d.json"):
        (tmp_path / name).touch()
    assert is_vacant(tmp_path)
    (tmp_path / "thesis.txt").touch()
    assert not is_vacant(tmp_path)
