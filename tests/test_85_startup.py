"""What each command imports: heavy libraries are imported by the commands that need them, and by no other."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

import vadose
from vadose.cli.main import app

ROOT = Path(vadose.__file__).parent
HEAVY = ("torch", "matplotlib", "scipy.stats", "sklearn", "lightgbm", "lightning", "xarray", "rasterio", "h5py")
"""Each takes a tenth of a second or more."""
READERS = {"xarray", "rasterio"}
NETWORKS = {*READERS, "torch"}
SCORES = {"scipy.stats", "matplotlib", "h5py"}
NEEDS = {
    "ablate": {*NETWORKS, *SCORES},
    "catalogues check": {*READERS, "h5py"},
    "catalogues download-ismn": {*READERS, "h5py"},
    "demo": {*NETWORKS, *SCORES},
    "estimate": NETWORKS,
    "evaluate": {*READERS, *SCORES},
    "export": NETWORKS,
    "fetch": {*READERS, "h5py"},
    "map": {*NETWORKS, "h5py"},
    "models list": READERS,
    "models release": NETWORKS,
    "models show": NETWORKS,
    "samples append": READERS,
    "samples build": READERS,
    "samples convert-ismn": READERS,
    "samples describe": READERS,
    "samples fit-units": READERS,
    "samples import-batchu2022": READERS,
    "samples import-table": READERS,
    "samples verify": READERS,
    "series": {*NETWORKS, "h5py"},
    "serve": {"xarray"},
    "simulate compare": {*NETWORKS, *SCORES},
    "simulate evaluate": {*NETWORKS, *SCORES},
    "simulate samples": {*NETWORKS, *SCORES},
    "simulate make": {*READERS, "h5py"},
    "train": {*NETWORKS, *SCORES},
}
"""Heavy libraries that each command imports before it begins."""


def _modules(name: str) -> Iterator[str]:
    """Yield a module and the packages that hold it, which are imported before it."""
    parts = name.split(".")
    return (".".join(parts[: count + 1]) for count in range(len(parts)))


@cache
def _path(module: str) -> Path | None:
    place = ROOT.parent / Path(*module.split("."))
    return next((one for one in (place / "__init__.py", place.with_suffix(".py")) if one.is_file()), None)


def _at_import(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that are done when a module is imported."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _at_import(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.ClassDef):
            for part in ("body", "orelse", "handlers", "finalbody"):
                yield from _at_import(getattr(node, part, []))


@cache
def _lazy_names(package: str) -> dict[str, str]:
    """Names of a package that are imported when they are used, with their modules."""
    path = _path(package)
    if package == "vadose":
        return dict(vadose._WHERE)
    if path is None or "lazily(" not in path.read_text():
        return {}
    nodes = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom))
    return {one.name: str(node.module) for node in nodes for one in node.names}


@cache
def _imports(module: str) -> frozenset[str]:
    """Return what a module of vadose imports, by name."""
    path = _path(module)
    assert path is not None, module
    tree, found = ast.parse(path.read_text()), set[str]()
    for node in _at_import(tree.body):
        if isinstance(node, ast.Import):
            found.update(one.name for one in node.names)
        elif node.module:
            found.add(node.module)
            for one in node.names:
                inner = f"{node.module}.{one.name}"
                found.add(_lazy_names(node.module).get(one.name, inner if _path(inner) else node.module))
    return frozenset(found)


@cache
def heavy(module: str) -> frozenset[str]:
    """Return the heavy libraries that the import of a module of vadose leads to."""
    seen, waiting, found = set[str](), [module], set[str]()
    while waiting:
        one = waiting.pop()
        for name in _modules(one) if one.split(".")[0] == "vadose" else ():
            if name not in seen and _path(name):
                seen.add(name)
                waiting += _imports(name)
        found.update(library for library in HEAVY if f"{one}.".startswith(f"{library}."))
    return frozenset(found)


def _commands() -> dict[str, Callable[..., object]]:
    def below(group: typer.Typer, before: str) -> Iterator[tuple[str, Callable[..., object]]]:
        for one in group.registered_commands:
            assert one.callback is not None
            yield f"{before}{one.name or one.callback.__name__}", one.callback
        for held in group.registered_groups:
            assert held.typer_instance is not None
            yield from below(held.typer_instance, f"{before}{held.name} ")

    return dict(below(app, ""))


def _called(command: Callable[..., object]) -> set[str]:
    """Return the modules of the API that a command calls."""
    names = re.findall(r"\bvadose\.(\w+)\(", inspect.getsource(inspect.unwrap(command)))
    return {vadose._WHERE[name] for name in names}


@pytest.mark.parametrize("command", NEEDS)
def test_a_command_imports_the_heavy_libraries_that_it_needs(command):
    assert set().union(*map(heavy, _called(_commands()[command]))) == NEEDS[command]


def test_each_command_has_its_line():
    assert set(_commands()) == set(NEEDS)


def test_options_are_read_before_anything_heavy_is_imported():
    assert heavy("vadose.cli.main") == set()


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("vadose.cli.main", {*HEAVY, "numpy", "pandas", "pyproj"}),
        ("vadose.api.samples", {"torch", "scipy.stats", "matplotlib"}),
    ],
)
def test_a_process_imports_no_more_than_the_sources_state(module, unneeded):
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not unneeded & set(done.stdout.split())
