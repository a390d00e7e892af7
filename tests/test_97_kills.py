"""Commands killed at every one of their renames: a small part of `benchmarks/kills.py`, which kills all of them."""

import os
import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "kills.py"
QUICK = ("samples append", "samples import-table", "samples describe")


def test_quick_commands_killed_at_every_rename_lose_nothing_and_end_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    asked = [sys.executable, SCRIPT, "--renames", "99", "--random", "1", "--only", *QUICK]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    for name in QUICK:
        renames, kills = map(int, re.search(rf"{name}: (\d+) renames, (\d+) kills, 0 faults", told.stdout).groups())
        assert renames >= 1 and renames <= kills <= renames + 1, told.stdout


def test_a_command_without_a_case_is_told_and_a_case_without_a_command(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(SCRIPT.parent), prepend=os.pathsep)
    check = """
import kills
from vadose.cli.main import app
from vadose.cli.samples import app as samples
covered = [case.name for case in kills.cases()]
print(kills.uncovered(app, covered))
print(kills.uncovered(app, [*covered, "gone"]))
samples.command("new")(lambda: None)
print(kills.uncovered(app, covered))
"""
    told = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert told.stdout.splitlines() == ["[]", "['gone']", "['samples new']"], told.stdout + told.stderr
