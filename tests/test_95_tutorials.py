"""The tutorials run as they stand, one after the other in one folder."""

import json
import re
import shlex
import sys
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

from vadose.cli.main import main

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("tutorials/archive-to-map", "tutorials/ismn-to-scorecard", "tutorials/evaluate-a-product")
BLOCK = re.compile(r"(?:`([\w.]+)`:\n\n)?^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def command(line, monkeypatch):
    monkeypatch.setattr(sys, "argv", shlex.split(line))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0, line


def run_page(name, monkeypatch):
    text, names = (DOCS / f"{name}.md").read_text(encoding="utf-8"), {}
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


def test_the_tables_of_real_products_are_made_and_scored_as_shown(real, tmp_path, monkeypatch):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "data").symlink_to(real)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    text = (DOCS / "results" / "real-products.md").read_text(encoding="utf-8")
    blocks = {language: content for _, language, content in BLOCK.findall(text) if language}
    exec(compile(blocks["python"], "real-products", "exec"), {})
    shown = re.findall(r"^vadose evaluate .*$", text, re.MULTILINE)
    for line in (line for line in shown if "--literature" not in line and "network.parquet" not in line):
        command(line, monkeypatch)
    scores = json.loads(Path("smap_ismn/scorecard.json").read_text())["headline"][0]
    assert f"| {scores['sensors']} sensors ({scores['effective_places']:.1f} effective places) | " in text
    assert f"| {scores['samples']:,} | {scores['r']:.3f} [{scores['r_low']:.3f}, {scores['r_high']:.3f}] | " in text
