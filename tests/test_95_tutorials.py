"""The tutorials run as they stand, one after the other in one folder."""

import re
import shlex
import sys
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

from vadose.cli.main import main

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
PAGES = ("archive-to-map", "ismn-to-scorecard", "evaluate-a-product")
BLOCK = re.compile(r"(?:`([\w.]+)`:\n\n)?^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def command(line, monkeypatch):
    monkeypatch.setattr(sys, "argv", shlex.split(line))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0, line


def run_page(name, monkeypatch):
    text, names = (TUTORIALS / f"{name}.md").read_text(encoding="utf-8"), {}
    for block in BLOCK.finditer(text):
        file, language, content = block.groups()
        match language:
            case "yaml":
                Path(file).write_text(content)
            case "python":
                exec(compile("\n" * text.count("\n", 0, block.start(3)) + content, name, "exec"), names)
            case "":
                for line in content.splitlines():
                    command(line, monkeypatch)


@pytest.mark.xdist_group("world")
def test_the_tutorials_run_as_they_stand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    for page in PAGES:
        run_page(page, monkeypatch)
    series = pd.read_csv("series.csv")
    assert len(series) == 4 and series["soil_moisture"].between(0, 1).all()
    for folder, products in (("card", {"SMAP"}), ("compared", {"network", "mine"})):
        assert {*pd.read_csv(f"{folder}/scorecard.csv")["product"]} == products
        assert "SIMULATED" in Path("run/scorecard.md").read_text()
