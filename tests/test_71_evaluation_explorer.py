"""The interactive map of a scorecard in a browser: drawn, clicked, filtered, exported, printed, without network."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from simulated_series import simulated
from vadose.evaluation import check, per_sensor
from vadose.report.page.explorer import MOST_SAMPLES, explorer
from vadose.report.page.explorer import _series as packed_series

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
COLOURS = """(() => {
  const c = document.getElementById("x-map"), s = new Set();
  const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  for (let k = 0; k < d.length; k += 4) s.add((d[k] << 16) + (d[k + 1] << 8) + d[k + 2]);
  return s.size;
})()"""
"""Number of colours on the map."""
BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def content(sensors: int, samples: int = 150, places: int = 0) -> SimpleNamespace:
    """What the interactive part reads of a scorecard, of two products."""
    tables = simulated(0.7, 0.9, samples=samples, sensors=sensors, products=2, seed=5)
    rng = np.random.default_rng(2)
    lat, lon = rng.uniform(-40, 65, sensors), rng.uniform(-120, 140, sensors)
    matched = {}
    for name, table in tables.items():
        number = np.repeat(np.arange(sensors), samples)
        step = pd.to_timedelta(7 * np.tile(np.arange(samples), sensors), unit="D")
        whole = table.assign(
            network=np.where(number % 3 == 0, "ALPHA", "BETA"),
            time=pd.Timestamp("2017-01-01") + step,
            lat=lat[number],
            lon=lon[number],
            climate=np.where(number % 2 == 0, "Dfb", "BSk"),
        )
        matched[name] = check(whole)
    scored = {name: per_sensor(table) for name, table in matched.items()}
    bounds = {f"{score}_{end}": np.nan for score in ("r", "ubrmse", "rmse", "bias") for end in ("low", "high")}
    products = tuple(SimpleNamespace(name=name, sensors=one) for name, one in scored.items())
    return SimpleNamespace(
        scores=SimpleNamespace(products=products, samples=matched, min_samples=20),
        time=SimpleNamespace(sensors={name: one.assign(**bounds) for name, one in scored.items()}),
    )


def written(path: Path, held: SimpleNamespace) -> Path:
    made = explorer(held)
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src '{made.hash}'"
    style = (Path(__file__).parents[1] / "src/vadose/report/page/scorecard.css").read_text()
    head = (
        f"<meta charset='utf-8'><meta http-equiv='Content-Security-Policy' content=\"{policy}\"><style>{style}</style>"
    )
    body = f"<section id='sensors'>{made.section}</section>{made.program}"
    path.write_text(f"<!doctype html><html><head>{head}</head><body>{body}</body></html>")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with sync_api.sync_playwright() as playwright:
        held = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield held
        held.close()


@pytest.fixture(scope="module")
def held() -> SimpleNamespace:
    return content(30)


@pytest.fixture
def page(browser, held, tmp_path):
    """An opened page; anything that it asks of a network, and any complaint, fails the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 900}, accept_downloads=True)
    shown, heard = context.new_page(), []
    shown.on("console", lambda message: heard.append(message.text))
    shown.on("pageerror", lambda error: heard.append(str(error)))
    shown.on(
        "request", lambda one: heard.append(one.url) if not one.url.startswith(("file:", "data:", "blob:")) else None
    )
    shown.goto(written(tmp_path / "page.html", held).as_uri())
    shown.wait_for_selector("body[data-series=ready]", timeout=120_000)
    yield shown
    assert heard == []
    context.close()


def test_packed_series_are_the_samples_of_each_sensor(held):
    first = held.scores.products[0].sensors
    made = packed_series(held.scores, first)
    assert made["step"] == 1 and made["samples"] == 30 * 150 < MOST_SAMPLES
    assert made["bounds"] == list(range(0, 30 * 150 + 1, 150))


def test_names_and_gaps_are_data_alone():
    odd = content(3, 40)
    for table in odd.scores.samples.values():
        table["station"] = table["station"].where(table["station"] != table["station"].iloc[0], "</script><b>x")
    for name, table in odd.scores.samples.items():
        place = next(one for one in odd.scores.products if one.name == name)
        place.sensors = per_sensor(table)
        odd.time.sensors[name] = place.sensors.assign(
            **{f"{score}_{end}": np.nan for score in ("r", "ubrmse", "rmse", "bias") for end in ("low", "high")}
        )
    made = explorer(odd)
    text = re.search(r'id="explorer-data">(.*?)</script>', str(made.program), re.DOTALL)[1]
    assert "<" not in text and "</script><b>x" in json.loads(text)["sensors"]["station"]


@BROWSER
def test_the_map_is_drawn_and_a_click_shows_series_and_scores(page, held):
    colours = page.evaluate(COLOURS)
    assert colours > 50 and page.locator("#x-count").inner_text() == "30 of 30 sensors"
    page.focus("#x-map")
    page.keyboard.press("Enter")
    assert page.locator("#x-one").is_visible() and page.locator("#x-series path").count() == 3
    row = held.scores.products[0].sensors.iloc[0]
    cells = page.locator("#x-scores tr").all_inner_texts()
    assert page.locator("#x-name").inner_text() == f"{row['network']}/{row['station']}/{row['sensor']}"
    assert any(cell.startswith("R\t") and f"{row['r']:.3f}" in cell for cell in cells)
    box = page.locator("#x-map").bounding_box()
    page.locator("#x-list tbody tr").first.evaluate("(row) => row.click()")
    first = page.locator("#x-name").inner_text()
    assert first and box["height"] > 300


@BROWSER
def test_filters_and_holdouts_recompute_the_scores(page, held):
    page.select_option("#x-class-0", label="all but ALPHA")
    sensors, samples = held.scores.products[0].sensors, held.scores.samples["product 0"]
    kept = sensors[sensors["network"] != "ALPHA"]
    assert page.locator("#x-count").inner_text() == f"{len(kept)} of 30 sensors"
    mean = page.locator("#x-summary tbody tr").first.inner_text().split("\t")
    assert mean[1] == f"{len(kept)}" and mean[2] == f"{kept['r'].mean():.3f}"
    page.select_option("#x-years", "only 2018")
    year = per_sensor(samples[(samples["time"].dt.year == 2018) & (samples["network"] != "ALPHA")])
    mean = page.locator("#x-summary tbody tr").first.inner_text().split("\t")
    assert float(mean[2]) == pytest.approx(year["r"].mean(), abs=1.5e-3), "from values in steps of 0.0001"
    assert "2018 alone" in page.locator("#x-holdout").inner_text()


@BROWSER
def test_lines_of_requirements_stand_in_the_distribution(page):
    page.select_option("#x-metric", "ubrmse")
    text = page.locator("#x-hist").inner_text()
    assert "0.04 SMAP requirement" in text and "0.06 NISAR goal" in text
    assert "not justifiable on scientific grounds" in page.locator("#sensors").inner_text()


@BROWSER
def test_figures_and_tables_are_saved(page, tmp_path):
    page.focus("#x-map")
    page.keyboard.press("Enter")
    wanted = {
        "#x-map-save >> text=PNG": b"\x89PNG",
        "#x-map-save >> text=SVG": b"<svg",
        "#x-hist-save >> text=SVG": b"<svg",
        "#x-series-save >> text=PNG": b"\x89PNG",
    }
    for where, start in wanted.items():
        with page.expect_download() as download:
            page.click(where)
        assert Path(download.value.path()).read_bytes().startswith(start), where
    near = page.locator("#x-scores + .x-save")
    with page.expect_download() as download:
        near.locator("text=CSV").click()
    table = pd.read_csv(download.value.path(), encoding="utf-8-sig")
    assert table.columns.tolist() == ["score", "product 0", "product 1"] and len(table) >= 9
    with page.expect_download() as download:
        near.locator("text=LaTeX").click()
    text = Path(download.value.path()).read_text()
    assert text.startswith("\\begin{tabular}{lrr}") and "m\\textsuperscript{3}" in text


@BROWSER
def test_the_page_prints_its_map(page, tmp_path):
    page.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").stat().st_size > 20_000
    page.emulate_media(media="print")
    assert page.locator("#x-map").is_visible() and not page.locator("#x-filters").is_visible()


@BROWSER
def test_five_thousand_sensors_are_drawn_at_once(browser, tmp_path):
    path = written(tmp_path / "page.html", content(5000, 40))
    context = browser.new_context()
    shown = context.new_page()
    begin = time.monotonic()
    shown.goto(path.as_uri())
    shown.wait_for_selector("body[data-explorer=ready]", timeout=120_000)
    spent = shown.evaluate("performance.now()") / 1000
    assert shown.locator("#x-count").inner_text() == "5,000 of 5,000 sensors"
    assert spent < 30 and time.monotonic() - begin < 60, "benchmarks/page.py has the time on an idle machine"
    context.close()
