"""The pages of the Python API run as they stand, one after the other in one folder."""

import re
from pathlib import Path

import matplotlib as mpl

PAGES = sorted((Path(__file__).parents[1] / "docs" / "tutorials").glob("python-api-*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_pages_run_as_they_stand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    assert len(PAGES) == 4
    for page in PAGES:
        text, names = page.read_text(encoding="utf-8"), {"__name__": page.stem}
        blocks = list(BLOCK.finditer(text))
        assert blocks, page.name
        for block in blocks:
            lines = text.count("\n", 0, block.start(1))  # so that an error names the line of the page
            exec(compile("\n" * lines + block[1], page.name, "exec"), names)
