"""What a command may write onto: its own earlier result, and nothing else."""

import os
from pathlib import Path

import pytest

from vadose.errors import VadoseError
from vadose.io.outputs import RESULTS, Request

MINE = Request("estimate", "0123456789abcdef")


def test_a_request_is_its_arguments_wherever_all_of_it_is_moved(tmp_path, monkeypatch):
    def asked(root: Path, **changes: object) -> Request:
        return Request.of("estimate", root / "out.parquet", **({"run": root / "run", "folds": 3} | changes))

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    same = asked(tmp_path / "here")
    assert same == asked(tmp_path / "moved") == asked(Path())
    assert same != asked(tmp_path / "here", folds=4) != asked(tmp_path / "here", run=tmp_path / "run")
    assert same != Request.of("evaluate", tmp_path / "here" / "out.parquet", run=tmp_path / "here" / "run", folds=3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"my own notes", "was not made by this command"),
        (b"", "was not made by this command"),
        (b"x" * 10**6 + Request("estimate", "f" * 16).mark.encode(), "with other arguments"),
        (Request("evaluate", "0123456789abcdef").mark.encode() + b"x" * 10**6, "made by 'vadose evaluate'"),
    ],
)
def test_what_something_else_made_is_refused_and_stays(content, words, tmp_path):
    path = tmp_path / "out.parquet"
    path.write_bytes(content)
    with pytest.raises(VadoseError, match=words), MINE.file(path):
        pass
    assert path.read_bytes() == content and [one.name for one in tmp_path.iterdir()] == ["out.parquet"]


def test_an_own_result_may_be_written_anew(tmp_path):
    path = tmp_path / "out.parquet"
    path.write_bytes(b"x" * 10**6 + MINE.mark.encode() + b"y" * 1000)
    with MINE.file(path) as held:
        assert held == path


def test_leftovers_beside_the_other_files_of_a_result_are_removed(tmp_path):
    page, picture = tmp_path / "page.md", tmp_path / "images" / "values.png"
    picture.parent.mkdir()
    left, foreign = picture.with_name(".values.png.0a1b2c3d.png"), picture.with_name(".mine.png.0a1b2c3d.png")
    left.touch()
    foreign.touch()
    picture.write_bytes(b"a picture of my own")
    with pytest.raises(VadoseError, match=f"{picture} was not made by this command"), MINE.file(page, [picture]):
        pass
    picture.write_bytes(MINE.mark.encode())
    with MINE.file(page, [picture]):
        assert sorted(one.name for one in picture.parent.iterdir()) == [foreign.name, picture.name]


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("what", ["other kind", "below a file", "too long", "too deep", "pipe", "device"])
def test_a_place_that_cannot_be_written_is_told_before_any_work(what, folder, tmp_path):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    path = {
        "other kind": tmp_path / ("file" if folder else "folder"),
        "below a file": tmp_path / "file" / "deep" / "out",
        "too long": tmp_path / ("n" * 256),
        "too deep": tmp_path.joinpath(*["n" * 200] * 25),
        "pipe": tmp_path / "pipe",
        "device": Path(os.devnull),
    }[what]
    before = sorted(tmp_path.rglob("*"))
    for hold in (
        (MINE.store(path, "m"), MINE.files(path, ["m"], "m"), MINE.folder(path, [])) if folder else (MINE.file(path),)
    ):
        with pytest.raises(VadoseError) as refused, hold:
            pass
        assert str(path) in refused.value.context
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "file").read_text() == "precious"


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, *_: Path(path) != tmp_path)
    with (
        pytest.raises(VadoseError, match=f"Nothing can be written into {tmp_path}"),
        MINE.file(tmp_path / "new" / "out"),
    ):
        pass


@pytest.mark.parametrize("name", sorted(RESULTS))
def test_a_folder_with_the_result_of_another_command_is_refused(name, tmp_path):
    (tmp_path / name).write_text("{}")
    for own in ([], ["mine.json"], ["mine.json", name]):
        with pytest.raises(VadoseError, match=f"It contains {name}, a result of 'vadose {RESULTS[name]}'"):
            MINE.require_no_other(tmp_path, own)
    MINE.require_no_other(tmp_path, [name])
    (tmp_path / "mine.json").write_text("{}")
    MINE.require_no_other(tmp_path, ["mine.json", name])


def test_files_of_ones_own_that_have_the_names_of_a_result_stay(tmp_path):
    (tmp_path / "card.md").write_text("my own")
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(VadoseError, match="was not made by this command"), MINE.files(tmp_path, ["card.md", "m"], "m"):
        pass
    (tmp_path / "card.md").unlink()
    with MINE.files(tmp_path, ["card.md", "m"], "m") as held:
        (held / "card.md").write_text("new")
        (held / "m").write_text(MINE.mark)
    with MINE.files(tmp_path, ["card.md", "m"], "m"):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "precious"
