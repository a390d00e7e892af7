"""Commands killed at every one of their renames: a small part of `benchmarks/kills.py`, which kills all of them."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "kills.py"
QUICK = ("samples append", "samples table", "samples describe")


def test_quick_commands_killed_at_every_rename_lose_nothing_and_end_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    asked = [sys.executable, SCRIPT, "--renames", "99", "--random", "1", "--only", *QUICK]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    for name in QUICK:
        renames, kills = map(int, re.search(rf"{name}: (\d+) renames, (\d+) kills, 0 faults", told.stdout).groups())
        assert renames >= 1 and kills == renames + 1, told.stdout
