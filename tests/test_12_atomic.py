"""Files and folders that are replaced: whole or as they were, whatever ends the process and whatever lies there."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vadose.errors import VadoseError
from vadose.io import atomic
from vadose.io.atomic import atomic_write, in_words, is_leftover, recover, renewing, scratch, sweep
from vadose.io.files import write_json


def put(path: Path, text: str, folder: bool) -> None:
    with atomic_write(path) as temporary:
        if folder:
            temporary.mkdir()
        (temporary / "text" if folder else temporary).write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["exchanged", "renamed twice"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of replacing a folder; the second is that of file systems that cannot exchange names."""
    if request.param == "renamed twice":
        monkeypatch.setattr(atomic, "exchange", lambda *_: False)
    return str(request.param)


def test_a_folder_is_replaced_and_nothing_else_remains(way, tmp_path):
    for text in ("old", "new"):
        put(tmp_path / "store", text, folder=True)
        assert (tmp_path / "store" / "text").read_text() == text
        assert names(tmp_path) == ["store"]


@pytest.mark.parametrize("link", [False, True])
def test_a_file_never_replaces_a_folder_nor_a_folder_a_file(link, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    folder, file = (tmp_path / name for name in ("folder", "file"))
    if link:
        for name in ("folder", "file"):
            (tmp_path / f"to {name}").symlink_to(tmp_path / name)
        folder, file = (tmp_path / f"to {name}" for name in ("folder", "file"))
    before = names(tmp_path)
    with pytest.raises(VadoseError, match="A folder exists there"):
        put(folder, "new", folder=False)
    with pytest.raises(VadoseError, match="A file or a link exists there"):
        put(file, "new", folder=True)
    assert (tmp_path / "folder" / "thesis.txt").read_text() == (tmp_path / "file").read_text() == "precious"
    assert names(tmp_path) == before


def test_a_link_that_stands_where_a_file_is_written_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "file").symlink_to(tmp_path / "victim")
    put(tmp_path / "file", "new", folder=False)
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "file").is_symlink() and (tmp_path / "file").read_text() == "new"


@pytest.mark.parametrize("folder", [True, False])
def test_an_error_or_an_ending_leaves_what_was_there(folder, tmp_path):
    put(tmp_path / "it", "old", folder)
    for ended in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(ended), atomic_write(tmp_path / "it") as temporary:
            temporary.mkdir() if folder else temporary.write_text("half")
            raise ended
    assert names(tmp_path) == ["it"]


def test_names_as_long_as_the_file_system_allows_can_be_written(tmp_path):
    name = f"{'ä' * 125}.csv"
    put(tmp_path / name, "text", folder=False)
    assert names(tmp_path) == [name]
    with pytest.raises(OSError, match=os.strerror(errno.ENAMETOOLONG)):
        put(tmp_path / f"{name}{name}", "text", folder=False)


KILLED = """
import os, signal, sys
from pathlib import Path
from vadose.io import atomic

at, twice = int(sys.argv[2]), sys.argv[3] == "twice"
calls = 0

def hook(event, arguments):
    global calls
    calls += event == "os.rename"
    if event == "os.rename" and calls == at:
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
if twice:
    atomic.exchange = lambda *_: False
with atomic.atomic_write(Path(sys.argv[1])) as temporary:
    temporary.mkdir()
    (temporary / "text").write_text("new")
"""


@pytest.mark.parametrize(("at", "way"), [(1, "once"), (1, "twice"), (2, "twice")])
@pytest.mark.parametrize("mend", [recover, lambda path: sweep(path.parent)], ids=["by name", "in its folder"])
def test_what_was_there_comes_back_when_a_run_was_killed_at_a_rename(
    at: int, way: str, mend: Callable[[Path], None], tmp_path: Path
) -> None:
    store = tmp_path / "store.zarr"
    put(store, "old", folder=True)
    ended = subprocess.run([sys.executable, "-c", KILLED, store, str(at), way], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 2
    mend(store)
    assert names(tmp_path) == ["store.zarr"] and (store / "text").read_text() == "old"


def test_only_leftovers_of_the_path_are_removed(tmp_path):
    others = [".store.lock", ".store.0a1b2c3d.bak", ".storage.0a1b2c3d", "store.0a1b2c3d", ".profile", ".git"]
    for name in (*others, ".store.0a1b2c3d", ".store.00000000.old"):
        (tmp_path / name).mkdir()
    (tmp_path / "store").mkdir()
    recover(tmp_path / "store")
    assert names(tmp_path) == sorted([*others, "store"])


def test_sweeping_follows_no_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ".x.0a1b2c3d").write_text("of others")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here" / ".x.0a1b2c3d").symlink_to(tmp_path / "elsewhere")
    sweep(tmp_path / "here")
    assert names(tmp_path / "here") == ["link"] and names(tmp_path / "elsewhere") == [".x.0a1b2c3d"]


def test_what_is_half_written_has_a_name_that_is_recognised(tmp_path):
    for name in ("plain", "with.suffix", "store.zarr", f"{'n' * 250}.tif"):
        with atomic_write(tmp_path / name) as temporary:
            assert is_leftover(temporary.name)
            temporary.touch()
    with scratch(tmp_path / "parts") as folder:
        assert is_leftover(folder.name) and folder.is_dir()
    assert not any(is_leftover(name) for name in names(tmp_path))


def test_several_files_come_into_a_folder_all_or_none(tmp_path):
    card = tmp_path / "card"
    card.mkdir()
    for name in ("a.md", "own notes.txt"):
        (card / name).write_text("old")
    with pytest.raises(ValueError), renewing(card) as folder:
        put(folder / "a.md", "new", folder=False)
        raise ValueError
    assert {path.name: path.read_text() for path in card.iterdir()} == {"a.md": "old", "own notes.txt": "old"}
    with renewing(card) as folder:
        put(folder / "a.md", "new", folder=False)
        write_json(folder / "b.json", {})
        assert (card / "a.md").read_text() == "old" and not (card / "b.json").exists()
    assert names(card) == ["a.md", "b.json", "own notes.txt"] and names(tmp_path) == ["card"]
    assert (card / "a.md").read_text() == "new" and (card / "own notes.txt").read_text() == "old"


@pytest.mark.parametrize("what", ["worked in", "with folders"])
def test_a_folder_that_cannot_be_exchanged_is_written_into(what, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    if what == "worked in":
        (tmp_path / "sub").rmdir()
        monkeypatch.chdir(tmp_path)
    inode = tmp_path.stat().st_ino
    with renewing(tmp_path) as folder:
        put(folder / "a", "new", folder=False)
    assert (tmp_path / "a").read_text() == "new" and tmp_path.stat().st_ino == inode


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "Free some disk space"),
        (errno.EACCES, "write permission"),
        (errno.EROFS, "disk"),
        (errno.ENAMETOOLONG, "shorter"),
        (errno.ENOTDIR, "folders"),
        (errno.EISDIR, "file"),
        (None, "permissions"),
    ],
)
def test_errors_of_the_system_are_told_in_three_parts(code, remedy):
    error = OSError("GDAL says nothing") if code is None else OSError(code, os.strerror(code), "/data/map.tif")
    told = in_words(error)
    assert remedy in told.hint
    assert told.problem == ("GDAL says nothing." if code is None else f"{os.strerror(code)}.")
    assert code is None or "/data/map.tif" in told.context
