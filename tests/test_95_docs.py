"""What the documents show exists: commands, options, targets, files; generated pages follow the code."""

import re
import shlex
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import typer
import yaml
from click import Command, Context, Group

from vadose.cli.main import app
from vadose.experiment import Experiment
from vadose.registry import Quality

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
COMMANDS = sorted(
    {
        (page.name, line.split("#")[0].strip())
        for page in PAGES
        for block in re.findall(r"```\n(.*?)```", page.read_text(), flags=re.DOTALL)
        for line in block.splitlines()
        if line.startswith(("vadose ", "make "))
    }
)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def command_of(words: list[str]) -> tuple[Command, list[str]]:
    command: Command = typer.main.get_command(app)
    while isinstance(command, Group) and words:
        found = command.get_command(Context(command), words[0])
        assert found, f"no command {words[0]}"
        command, words = found, words[1:]
    return command, words


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[line for _, line in COMMANDS])
def test_every_command_shown_can_be_typed(page, line):
    program, *words = shlex.split(line)
    if program == "make":
        assert set(words) <= targets()
        return
    command, rest = command_of(words)
    assert not isinstance(command, Group)
    command.make_context(command.name, list(rest))


EXPERIMENTS = [
    (page.name, keys)
    for page in PAGES
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL)
    if {"name", "samples", "needs"} <= set(keys := yaml.safe_load(block))
]


@pytest.mark.parametrize(("page", "keys"), EXPERIMENTS, ids=[page for page, _ in EXPERIMENTS])
def test_every_experiment_shown_is_valid(page, keys):
    assert Experiment.model_validate(keys).name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


def generator():
    spec = spec_from_file_location("generate", ROOT / "docs/generate.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = generator()


@pytest.mark.parametrize("name", GENERATOR.PAGES)
def test_generated_pages_are_current(name):
    page = (GENERATOR.REFERENCE / name).read_text(encoding="utf-8")
    assert page == GENERATOR.PAGES[name](), "run 'python docs/generate.py'"


@pytest.mark.parametrize("title", GENERATOR.FILES)
def test_every_key_of_every_configuration_file_has_a_meaning(title):
    for _, name, schema in GENERATOR.sections(GENERATOR.FILES[title][0]):
        told = GENERATOR.meanings(name, schema)
        assert set(schema["properties"]) <= set(told), f"{name} lacks {set(schema['properties']) - set(told)}"
        assert set(told) <= set(schema["properties"]), f"{name} has no {set(told) - set(schema['properties'])}"


def test_attributes_are_read_with_shared_names_continuations_and_units():
    text = """Do it.

    Attributes:
        lat, lon: position, degrees.
        window: largest difference of
            two times, minutes; 0 for none.

    More text.
    """
    found = GENERATOR.attributes(text)
    assert found == {
        "lat": "position, degrees.",
        "lon": "position, degrees.",
        "window": "largest difference of two times, minutes; 0 for none.",
    }
    row = GENERATOR._row("A", "window", {"type": "number", "minimum": 0, "default": 3}, found["window"], False)
    assert row == "| `window` | number ≥ 0 | minutes | `3` | Largest difference of two times; 0 for none |"


def test_every_quality_flag_has_a_meaning():
    page = (ROOT / "docs/reference/quality-flags.md").read_text()
    assert {f"{flag.name}" for flag in Quality} <= set(re.findall(r"`([A-Z0-9_]+)`", page))


def test_one_version_is_stated_everywhere():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == stated
    assert re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == stated


def test_the_readme_shows_commands():
    assert len([line for page, line in COMMANDS if page == "README.md"]) >= 7
