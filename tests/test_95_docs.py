"""What the documents show exists: commands, options, targets, files."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from click import Command, Context, Group

from vadose.cli.main import app

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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


def test_the_readme_shows_commands():
    assert len([line for page, line in COMMANDS if page == "README.md"]) >= 7
