"""Reading and writing of files: atomic, bounded, with metadata of their origin."""

import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from vadose import __version__
from vadose.errors import VadoseError
from vadose.io.atomic import atomic_write as atomic_write  # noqa: PLC0414 - part of this module's interface
from vadose.io.atomic import renewing as renewing  # noqa: PLC0414 - part of this module's interface

LARGEST_JSON, LARGEST_YAML = 64 << 20, 1 << 20
"""Largest size of a parsed file, bytes."""
DEEPEST = 64
"""Largest nesting depth of lists and mappings; GeoJSON and STAC items have fewer than 20 levels."""
MOST_VALUES = 100_000
"""Largest number of values of a YAML file, aliases expanded."""
_Model = TypeVar("_Model", bound=BaseModel)


class Unreadable(VadoseError):
    """A file or text that cannot be read as JSON or YAML."""


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as readable JSON, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, default=str) + "\n")


def read_bytes(path: Path, largest: int = LARGEST_JSON, asked: str = "", remedy: str = "") -> bytes:
    """Read a regular file, without waiting for a FIFO, a device or a socket.

    Args:
        path: path of the file.
        largest: largest size, bytes.
        asked: context of the error.
        remedy: hint of the error.

    Raises:
        Unreadable: the file is missing, not regular, empty or larger than `largest`, or the system fails.
    """
    asked, remedy = asked or f"file {path}", remedy or "Write the file again, or name another one"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(asked, f"It is {_kind_of(status.st_mode)}, not a regular file", remedy)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(min(status.st_size, largest) + 1)
        finally:
            os.close(descriptor)
    except Unreadable:
        raise
    except (OSError, ValueError) as error:
        raise Unreadable(asked, f"It cannot be read ({error})", remedy) from error
    if len(content) > largest:
        raise Unreadable(asked, f"It has more than {largest:,} bytes", remedy)
    if not content.strip():
        raise Unreadable(asked, "It is empty", remedy)
    return content


def read_json(
    path: Path, asked: str = "", remedy: str = "", *, largest: int = LARGEST_JSON, nan: bool = False
) -> dict[str, Any]:
    """Read a JSON file that contains a mapping.

    Args:
        path: path of the file.
        asked: context of the error.
        remedy: hint of the error.
        largest: largest size, bytes.
        nan: whether NaN and infinite numbers are accepted.

    Raises:
        Unreadable: as `read_bytes` and `parse_json`, or the content is not a mapping.
    """
    content = parse_json(read_bytes(path, largest, asked, remedy), asked or f"file {path}", remedy, nan=nan)
    if not isinstance(content, dict):
        raise _no_mapping(asked or f"file {path}", content, remedy)
    return content


def parse_json(content: bytes | str, asked: str, remedy: str = "", *, nan: bool = False) -> Any:
    """Parse untrusted JSON (UTF-8, with or without a byte order mark).

    Args:
        content: the text.
        asked: context of the error.
        remedy: hint of the error.
        nan: whether NaN and infinite numbers are accepted.

    Raises:
        Unreadable: it is not JSON, repeats a key in a mapping, is nested more than `DEEPEST` levels deep, or contains a
            non-finite number.
    """
    remedy = remedy or "Write the file again, or name another one"
    strict: dict[str, Any] = {} if nan else {"parse_constant": _not_finite, "parse_float": _finite}
    with _explained(asked, "JSON", remedy):
        value = json.loads(_decoded(content), object_pairs_hook=_without_twins, **strict)
        _require_shallow(value)
    return value


def read_yaml(path: Path, asked: str = "", remedy: str = "") -> dict[str, Any]:
    """Read a YAML file that contains a mapping.

    Args:
        path: path of the file.
        asked: context of the error.
        remedy: hint of the error.

    Raises:
        Unreadable: as `read_bytes`; or it is not YAML, not a mapping, repeats a key, is nested too deeply, or its
            aliases expand to more than `MOST_VALUES` values.
    """
    asked, remedy = asked or f"file {path}", remedy or "Write the file again, or name another one"
    content = read_bytes(path, LARGEST_YAML, asked, remedy)
    with _explained(asked, "YAML", remedy):
        loader = _Loader(_decoded(content))
        node = loader.get_single_node()
        _require_few(node)
        value = None if node is None else loader.construct_document(node)
        _require_shallow(value)
    if not isinstance(value, dict):
        raise _no_mapping(asked, value, remedy)
    return value


def read_config(
    model: type[_Model],
    path: Path,
    context: str,
    hint: str,
    complete: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    **validation: Any,
) -> _Model:
    """Read a YAML file as a pydantic model.

    Args:
        model: model of the content.
        path: path of the file.
        context: context of the error.
        hint: hint of the error.
        complete: adds optional keys that the file omits.
        validation: context of the model's validators.

    Raises:
        VadoseError: as `read_yaml` and `validated`.
    """
    return validated(model, complete(read_yaml(path, context, hint)), context, hint, **validation)


def validated(model: type[_Model], content: Any, context: str, hint: str, **validation: Any) -> _Model:
    """Validate the content of a file as a pydantic model.

    Raises:
        VadoseError: keys are unknown, missing or of the wrong type; each is named.
    """
    try:
        return model.model_validate(content, context=validation)
    except ValidationError as error:
        raise VadoseError(context, "; ".join(_fault(model, dict(one)) for one in error.errors()), hint) from error


def closest(name: str, known: Iterable[str]) -> str:
    """Return a suggestion of the most similar name, or nothing."""
    lower = {other.lower(): other for other in known}
    found = get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    return f" (did you mean '{lower[found[0]]}'?)" if found else ""


def metadata(kind: str, made_from: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a file: its kind, the package version and its provenance."""
    return {"kind": kind, "vadose_version": __version__, "made_from": dict(made_from)}


def sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, refusing repeated keys."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set[tuple[str, str]]()
        for key, _ in node.value:
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None
            if name in seen:
                raise ValueError(f"the key '{key.value}' is given twice, the second time in line {_line(key)}")
            if name:
                seen.add(name)
        return node


def _fault(model: type[BaseModel], fault: dict[str, Any]) -> str:
    where = ".".join(map(str, fault["loc"])) or "the file"
    if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):  # of models, and of dataclasses
        schema = model.model_json_schema()
        parts = [schema, *schema.get("$defs", {}).values()]
        keys = [key for part in parts for key in part.get("properties", ())]
        return f"{where}: unknown key{closest(str(fault['loc'][-1]), keys)}"
    return f"{where}: {str(fault['msg']).removeprefix('Value error, ')}"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


@contextmanager
def _explained(asked: str, language: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except RecursionError as error:
        raise Unreadable(asked, "Its content is nested too deeply", remedy) from error
    except MemoryError as error:
        raise Unreadable(asked, "Its content does not fit into memory", remedy) from error
    except UnicodeDecodeError as error:
        raise Unreadable(asked, f"It is not UTF-8 text ({error.reason} at byte {error.start})", remedy) from error
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise Unreadable(asked, f"It cannot be read as {language} ({' '.join(str(error).split())})", remedy) from error


def _decoded(content: bytes | str) -> str:
    text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    if not text.strip():
        raise ValueError("it is empty")
    return text


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key '{next(name for name in names if names.count(name) > 1)}' is given twice")
    return content


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a finite number")


def _require_shallow(value: Any) -> None:
    layer = [value]
    for _ in range(DEEPEST):
        nested = [one.values() if isinstance(one, dict) else one for one in layer if isinstance(one, dict | list)]
        layer = [part for parts in nested for part in parts]
        if not layer:
            return
    raise ValueError(f"it is nested more than {DEEPEST} levels deep")


def _require_few(node: yaml.Node | None) -> None:
    """Count the values of a YAML document without following an alias twice."""
    counts: dict[int, int] = {}
    under_way = set[int]()

    def count(one: Any) -> int:
        if isinstance(one, tuple):
            return sum(map(count, one))
        if id(one) in under_way:
            raise ValueError(f"an alias in line {_line(one)} refers to itself")
        if id(one) not in counts:
            under_way.add(id(one))
            counts[id(one)] = 1 + (0 if isinstance(one, yaml.ScalarNode) else sum(map(count, one.value)))
            under_way.remove(id(one))
        return counts[id(one)]

    if node is not None and count(node) > MOST_VALUES:
        raise ValueError(f"it expands to more than {MOST_VALUES:,} values")


def _no_mapping(asked: str, value: Any, remedy: str) -> Unreadable:
    return Unreadable(asked, f"It contains {_SORTS.get(type(value), 'one value')}, not a mapping of keys", remedy)


_SORTS: Mapping[type, str] = {list: "a list", type(None): "nothing", str: "a text", bool: "a truth value"}


def _kind_of(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")
