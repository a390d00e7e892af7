"""One reader for JSON and one for YAML: whatever lies in the file, content or a clear error."""

import ast
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vadose
from vadose.io import files
from vadose.io.files import DEEPEST, Unreadable, parse_json, read_json, read_yaml

Read = Callable[[Path], dict[str, Any]]
READERS = [pytest.param(read_json, id="json"), pytest.param(read_yaml, id="yaml")]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [b'{"a": [1, 2.5, null, "x"]}', b'\xef\xbb\xbf{"a": [1, 2.5, null, "x"]}'])
def test_a_mapping_is_read_with_and_without_a_byte_order_mark(read: Read, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    assert read(tmp_path / "a") == {"a": [1, 2.5, None, "x"]}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": 1, "a": 2}', "given twice"),
        (b'{"a": {"b": 1, "b": 1}}', "given twice"),
        (b"[" * 100_000, "too deeply"),
        (b'{"a": ' * 100_000, "too deeply"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", f"more than {DEEPEST} levels"),
        (b"[1, 2]", "contains a list"),
        (b"null", "contains nothing"),
        (b'"text"', "contains a text"),
        (b"3", "not a mapping"),
        (b'{"a": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"a": "\x00"}', "cannot be read"),
    ],
)
def test_what_is_no_mapping_is_refused(read: Read, content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Unreadable) as refused:
        read(tmp_path / "a")
    assert told in str(refused.value)
    assert str(tmp_path / "a") in refused.value.context
    assert refused.value.hint


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("kind", ["fifo", "folder", "socket", "absent", "circle", "device", "nul"])
def test_only_regular_files_are_read_and_nothing_is_waited_for(read: Read, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.path.relpath(path))
    elif kind == "circle":
        path.symlink_to(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "nul":
        path = tmp_path / "a\0b"
    with pytest.raises(Unreadable):
        read(path)


@pytest.mark.parametrize("read", READERS)
def test_a_file_larger_than_the_limit_is_refused(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_YAML", 100)
    (tmp_path / "a").write_text('{"a": "' + 200 * "x" + '"}')
    with pytest.raises(Unreadable, match="more than 100 bytes"):
        read_json(tmp_path / "a", largest=100) if read is read_json else read(tmp_path / "a")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_json_numbers_are_finite_unless_asked(number: str) -> None:
    with pytest.raises(Unreadable, match="not a finite number"):
        parse_json(f"[{number}]", "here")
    assert len(parse_json(f"[{number}]", "here", nan=True)) == 1


def test_what_does_not_fit_into_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: object, **__: object) -> None:
        raise MemoryError

    (tmp_path / "a").write_text("{}")
    monkeypatch.setattr("json.loads", short)
    with pytest.raises(Unreadable, match="memory"):
        read_json(tmp_path / "a")


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join(9 * [f'*{name}'])}]\n" for name, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "more than 100,000 values"),
        ("a: &a [*a]", "refers to itself"),
        ("a: &a {b: *a}", "refers to itself"),
        ("a: &a {<<: *a}", "refers to itself"),
        ("a: !!python/object/apply:os.system [true]", "cannot be read as YAML"),
        ("a: 2022-13-45", "cannot be read as YAML"),
        ("{[a]: 1}", "cannot be read as YAML"),
        ("a: 1\n---\nb: 2", "cannot be read as YAML"),
        ("a: {<<: 3}", "cannot be read as YAML"),
        ("a: *b", "cannot be read as YAML"),
    ],
)
def test_yaml_bombs_and_objects_are_refused(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(Unreadable) as refused:
        read_yaml(tmp_path / "a.yaml")
    assert told in refused.value.problem


def test_honest_aliases_and_merges_of_yaml_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base: &base {x: 1, y: 2}\nother: {<<: *base, y: 3}\nlist: [*base, *base]\n")
    assert read_yaml(tmp_path / "a.yaml") == {
        "base": {"x": 1, "y": 2},
        "other": {"x": 1, "y": 3},
        "list": [{"x": 1, "y": 2}, {"x": 1, "y": 2}],
    }


def test_no_other_place_parses_json_or_yaml() -> None:
    """What another place may parse is what vadose itself wrote or ships, and what is checked there."""
    root = Path(vadose.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            name = ast.unparse(node.func)
            inner = ast.unparse(node.args[0]) if node.args else ""
            own = any(word in inner for word in ("json.dumps(", "model_dump_json(", ".to_json("))
            if name in {"json.load", "json.loads", "yaml.load", "yaml.safe_load"} and not own:
                found.append(f"{path.relative_to(root)}: {name}({inner})")
    own_lines = {
        "catalogues/lock_index.py",  # lines of an index that is read anew if it is not what was written
        "report/page/explorer.py",  # coastlines of the package
        "serving/formats.py",  # tag of a map's own files, {} if it is anything else
        "serving/service.py",  # settings passed to workers of the same server
    }
    assert {line.split(":")[0] for line in found} - own_lines == {"io/files.py"}
