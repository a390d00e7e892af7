"""The laws of the house: who may know whom is for the import law; here, how long things may be and what is barred."""

import ast
from pathlib import Path
from statistics import median

import pytest
import yaml

from vadose.experiment import read_experiment
from vadose.samples import TableMapping

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
FILE_LINES, FUNCTION_LINES, COMMAND_LINES = 300, 50, 10


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def body_lines(function: ast.FunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_small(path):
    assert len(path.read_text().splitlines()) <= FILE_LINES
    long = [f.name for f in functions(path) if f.end_lineno - f.lineno + 1 > FUNCTION_LINES]
    assert not long


def test_the_median_file_is_short():
    assert median(len(path.read_text().splitlines()) for path in SOURCES) <= 140


def test_a_command_has_at_most_ten_lines():
    commands = [f for f in functions(ROOT / "src/vadose/cli.py") if f.decorator_list]
    assert len(commands) >= 8
    assert not [f.name for f in commands if body_lines(f) > COMMAND_LINES]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_assert_and_no_global_state(path):
    tree = ast.parse(path.read_text())
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert | ast.Global)]


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_committed_experiment_is_readable(path):
    assert read_experiment(path).name


@pytest.mark.parametrize("path", sorted((ROOT / "configs/tables").glob("*.yaml")), ids=lambda path: path.name)
def test_every_committed_mapping_is_readable(path):
    assert TableMapping.read(path).predictors
    assert yaml.safe_load(path.read_text())


def test_no_room_is_named_for_nothing():
    rooms = {path.name.removesuffix(".py") for path in (ROOT / "src/vadose").iterdir()}
    assert not rooms & {"utils", "util", "core", "common", "helpers", "misc"}
