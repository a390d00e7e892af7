"""The page: whole in one file, quiet in a browser, and hostile names are only names."""

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from vadose.evaluation import publications
from vadose.report.page.markup import html_of, table_html
from vadose.report.page.style import svg_of
from vadose.report.scorecard import write_scorecard
from vadose.report.text import shown

LOOKS_AT_PAGES = True
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$\\frac{1}{0}$ $",
    "_hidden",
    "{{ 7*7 }} {% raw %}",
    "a|b\nnew line\x07",
    "&amp; & <b>",
    "土壤水分 Fühler",
    "]]></svg><script>",
    "x" * 400,
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def product(seed: int, spread: float = np.nan) -> pd.DataFrame:
    days = 40
    truth = np.random.default_rng(1).uniform(0.05, 0.45, len(HOSTILE) * days)
    return pd.DataFrame(
        {
            "network": np.repeat([HOSTILE[0], HOSTILE[2]] * 5, days),
            "station": np.repeat(HOSTILE, days),
            "sensor": np.repeat(HOSTILE[::-1], days),
            "lat": np.repeat(np.linspace(-33.5, 47.5, len(HOSTILE)), days),
            "lon": np.repeat(np.linspace(-120, 120, len(HOSTILE)), days),
            "time": np.tile(pd.date_range("2020-01-01", periods=days, freq="9D"), len(HOSTILE)),
            "soil_moisture": truth + np.random.default_rng(seed).normal(0, 0.05, truth.size),
            "soil_moisture_std": spread,
            "soil_moisture_in_situ": truth,
            "climate": np.repeat([HOSTILE[1], HOSTILE[5]] * 5, days),
        }
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    write_scorecard(
        folder,
        {HOSTILE[0]: product(2, 0.05), HOSTILE[3]: product(3)},
        title=HOSTILE[1],
        notes=HOSTILE,
        notice=HOSTILE[8],
        chapters={HOSTILE[4]: f"| {HOSTILE[0]} | R |\n| :-- | --: |\n| `x` | **0.5** |\n\n{HOSTILE[1]}"},
        works=publications(),
    )
    return folder / "scorecard.html"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_names_stay_names(page):
    text = page.read_text()
    tags = _Tags()
    tags.feed(text)
    assert not [tag for tag, _ in tags.tags if tag in {"iframe", "object", "link", "base", "form", "b", "svg"}]
    assert [attrs for tag, attrs in tags.tags if tag == "script"] == [
        {"type": "application/json", "id": "explorer-data"},
        {},
    ]
    assert not [a for _, attrs in tags.tags for a in attrs if a.startswith("on")]
    assert "49" not in re.findall(r"<h2>([^<]*)</h2>", text), "a template is no formula"
    for name in ("&lt;script&gt;alert(1)&lt;/script&gt;", "{{ 7*7 }}", "&amp;amp; &amp; &lt;b&gt;", "土壤水分 Fühler"):
        assert name in text


def test_the_page_needs_nothing_beside_it(page):
    tags = _Tags()
    tags.feed(page.read_text())
    sources = [attrs["src"] for tag, attrs in tags.tags if "src" in attrs]
    assert len(sources) >= 5 and all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    links = [attrs["href"] for tag, attrs in tags.tags if tag == "a"]
    assert all(link.startswith(("#", "https://")) for link in links)
    held = {attrs["id"] for _, attrs in tags.tags if "id" in attrs}
    assert {link[1:] for link in links if link.startswith("#")} <= held
    policy = next(attrs["content"] for _, attrs in tags.tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'")
    program = page.read_text().rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy, "no other program runs"
    assert "@import" not in page.read_text() and "url(" not in page.read_text()
    assert all(attrs["alt"] for tag, attrs in tags.tags if tag == "img")


def test_pictures_are_drawings_without_links(page):
    for source in re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page.read_text()):
        drawing = base64.b64decode(source).decode()
        assert "<script" not in drawing and "<image" not in drawing.replace('<image xlink:href="data:', "")
        assert not re.findall(r'href="(?!#|data:)', drawing)


def test_a_picture_has_the_same_bytes_each_time():
    def drawn() -> Figure:
        figure = Figure()
        figure.subplots().scatter([1, 2], [3, 4], label="Fühler")
        figure.legend()
        return figure

    assert svg_of(drawn) == svg_of(drawn) and b"<path" in svg_of(drawn)


def test_every_part_is_there(page):
    text = page.read_text()
    for part in (
        "scores",
        "sensors",
        "extremes",
        "networks",
        "spread",
        "strata",
        "chapter-1",
        "works",
        "left-out",
        "every",
    ):
        assert f'id="{part}"' in text, part
    assert "@media print" in text
    assert "<th scope='row'><code>x</code></th><td>" in text.replace("<td class=words>", "<td>")
    assert len(text) < 3_000_000


def test_one_product_with_one_network_and_two_sensors(tmp_path):
    table = product(2).iloc[:80].drop(columns=["climate", "soil_moisture_std"]).assign(network="NET", station="st")
    table = table.assign(sensor=np.repeat(["a", "b"], 40))
    write_scorecard(tmp_path, {"only": table}, title="Small")
    text = (tmp_path / "scorecard.html").read_text()
    assert 'id="spread"' not in text and 'id="works"' not in text
    assert "All sensors, lowest R first" in text


def test_constant_estimates_leave_the_page_whole(tmp_path):
    write_scorecard(tmp_path, {"flat": product(2).assign(soil_moisture=0.2)}, title="Flat")
    assert "constant estimate" in (tmp_path / "scorecard.html").read_text()


def test_the_little_markdown():
    assert html_of("### <b>\n\n- a `x`\n- b **c**\n  d") == (
        "<h3>&lt;b&gt;</h3>\n<ul><li>a <code>x</code></li><li>b <strong>c</strong>\n  d</li></ul>"
    )
    assert html_of("[t](javascript:alert(1)) [t](https://x.org/?a=1)").count("<a ") == 1
    assert "<small>[0.1, 0.2]</small>" in table_html(("a", "b"), [("x", "0.15 [0.1, 0.2]")])
    assert shown("$x$\x00") == "\\$x\\$\N{REPLACEMENT CHARACTER}" and len(shown("y" * 400)) == 60


def _looked_at(page: Path, folder: Path) -> tuple[str, Path]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    shot = folder / "shot.png"
    asked = "--no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-sync --enable-logging=stderr "
    asked += "--disable-background-networking --disable-component-update --window-size=1200,2000"
    told = subprocess.run(
        [CHROMIUM, "--headless", *asked.split(), f"--user-data-dir={folder}", f"--screenshot={shot}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return "\n".join(line for line in told.stderr.splitlines() if "CONSOLE" in line), shot


def test_a_browser_shows_it_and_has_nothing_to_complain_of(page, tmp_path):
    import matplotlib.image as mpimg

    complaints, shot = _looked_at(page, tmp_path)
    assert complaints == ""
    picture = mpimg.imread(shot)
    assert (picture[..., :3].min(axis=2) < 0.5).mean() > 0.01, "something is drawn"


def test_a_browser_complains_of_what_would_be_loaded(page, tmp_path):
    loud = tmp_path / "loud.html"
    loud.write_text(page.read_text().replace("<main>", "<main><img src='https://example.org/x.png'><script>1</script>"))
    complaints, _ = _looked_at(loud, tmp_path)
    assert "example.org" in complaints and "script" in complaints
