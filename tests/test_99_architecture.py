"""Laws that neither ruff, mypy nor import-linter can hold."""

import ast
from pathlib import Path

import pytest
import yaml

from vadose.dataset import TableMapping
from vadose.experiment import read_experiment

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


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
