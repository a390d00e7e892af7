"""Progress on a terminal and without one: each step names what it counts."""

import io

import pytest
from rich.console import Console

from vadose.cli import console
from vadose.io.progress import Step

STEPS = (
    (0, 7, Step("", "sources searched")),
    (7, 7, Step("dem", "sources searched")),
    (1, 3, Step("0.4 MB received, dem", "archive items")),
    (3, 3, Step("1.2 MB received, gldas", "archive items")),
    (1, 1, "zone 32"),
)


def test_lines_without_a_terminal(capsys):
    with console.progress("tiles") as report:
        for step in STEPS:
            report(*step)
    assert capsys.readouterr().err.splitlines() == [
        "sources searched 0/7",
        "sources searched 7/7 dem",
        "archive items 1/3 0.4 MB received, dem",
        "archive items 3/3 1.2 MB received, gldas",
        "tiles 1/1 zone 32",
    ]


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_bar_on_a_terminal(monkeypatch, number):
    shown = io.StringIO()
    monkeypatch.setattr(console, "ERRORS", Console(file=shown, force_terminal=True, width=160))
    with console.progress("tiles") as report:
        for step in STEPS[: number + 1]:
            report(*step)
    done, total, step = STEPS[number]
    last = shown.getvalue().replace("\x1b", "\n").splitlines()
    what = step.counted if isinstance(step, Step) else "tiles"
    assert any(f"{what} {step}".strip() in line for line in last)
    assert any(f"{done}/{total}" in line for line in last)
