"""The viewer in a real browser, used as a person uses it: what it shows is what the files hold."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import xarray as xr
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

import served_maps
import vadose
from served_maps import NOTICE, TIMES, WEST
from vadose.grid import cell_centres
from vadose.maps import at_points, over_polygons
from vadose.maps.opening import open_maps
from vadose.serving.catalogue import time_text

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
ARGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
)
PATIENCE_MS = 120_000
"""On a busy machine; WebGL is drawn by the processor."""


@dataclass
class Seen:
    """What a page did besides its pictures."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def tiles(self) -> list[dict[str, str]]:
        """Return layer and query of the tiles that were asked for."""
        found = [urlparse(one) for one in self.requests if "/tiles/WebMercatorQuad/" in one]
        return [
            {key: values[0] for key, values in parse_qs(one.query).items()}
            | {"layer": one.path.split("/layers/")[1].split("/")[0]}
            for one in found
        ]

    def wait_for_tile(self, **wanted: str) -> None:
        """Wait until a tile with these words was asked for."""
        for _ in range(PATIENCE_MS // 100):
            if any(wanted.items() <= tile.items() for tile in self.tiles()):
                return
            self.page.wait_for_timeout(100)
        pytest.fail(f"no tile {wanted} among {self.tiles()[-5:]}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_maps.write(tmp_path_factory.mktemp("viewed") / "map")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with served_maps.server(folder) as client:
        yield client.address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        held = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGS])
        yield held
        held.close()


@contextmanager
def opened(
    browser: Browser, address: str, fragment: str = "", width: int = 1280, height: int = 800, **facts: str
) -> Iterator[Seen]:
    """Open the viewer; at the end, nothing was wrong and nothing was asked beyond the server."""
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **facts)
    context.set_default_timeout(PATIENCE_MS)
    seen = Seen(context.new_page(), address)
    seen.page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
    seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.goto(address + fragment)
    seen.page.wait_for_selector("html[data-ready=true]", state="attached")
    try:
        yield seen
        assert not seen.errors
        away = [one for one in seen.requests if not one.startswith((address, "blob:", "data:"))]
        assert not away
    finally:
        context.close()


@pytest.fixture(scope="module")
def seen(browser: Browser, address: str) -> Iterator[Seen]:
    with opened(browser, address) as held:
        yield held


@pytest.fixture
def page(seen: Seen) -> Page:
    """The page of the module as it is when it was opened."""
    seen.requests.clear()
    seen.page.evaluate("location.hash = '#map=border-country'")
    seen.page.wait_for_selector("#result", state="hidden")
    seen.page.wait_for_timeout(200)
    return seen.page


@pytest.fixture(scope="module")
def exported(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The exported viewer behind a plain file server."""
    place = tmp_path_factory.mktemp("exported") / "site"
    assert vadose.export_viewer(folder, out=place) > 20
    with served_maps.running(StaticFiles(directory=place, html=True)) as address:
        yield address


def test_an_export_needs_no_server_of_ours(browser, exported, folder):
    lon, lat = cell_centres(WEST)
    for row, column in ((15, 25), (44, 30)):
        place = float(lon[row, column]), float(lat[row, column])
        fragment = f"#map=border-country&point={place[0]:.6f},{place[1]:.6f}"
        with opened(browser, exported, fragment) as held:
            page = held.page
            page.wait_for_selector("#result:not([hidden])")
            expected = at_points(
                open_maps(folder), pd.DataFrame({"place": ["p"], "lon": [place[0]], "lat": [place[1]]})
            )
            assert f"{expected['soil_moisture'].iloc[-1]:.3f} m³" in page.locator(".estimate").inner_text()
            flags = [flag.words for flag in vadose.Quality if int(expected["quality"].iloc[-1]) & flag]
            assert page.locator(".why li").count() == len(flags)
            assert all(words in page.locator("#facts").inner_text() for words in flags)
            assert page.locator("#notice").inner_text() == NOTICE and not page.locator("#draw").is_visible()
            assert page.locator("#files a").count() == 6
            assert _drawn(page)
            page.check("input[name=layer][value=quality]")
            page.wait_for_timeout(500)
            assert any("quality_20210612T053000Z.pmtiles" in one for one in held.requests)


def test_another_folder_is_not_overwritten_by_an_export(folder, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(vadose.VadoseError, match="no folder of an earlier export"):
        vadose.export_viewer(folder, out=tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_notebook_shows_the_viewer_in_a_frame(folder, browser):
    shown = vadose.open_map(folder).vadose.explore(height=500)
    markup = shown._repr_html_()
    assert f'src="{shown.url}"' in markup and 'height="500"' in markup
    with served_maps.running(HTMLResponse(markup)) as notebook:  # of another origin
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(notebook)
        title = page.frame_locator("iframe").locator("#title", has_text="Border Country")
        title.wait_for()
        context.close()
    with pytest.raises(vadose.VadoseError, match="was not opened by open_map"):
        xr.DataTree().vadose.explore()


def test_the_page_says_what_it_shows(page):
    assert page.locator("#title").inner_text() == "Soil moisture of Border Country"
    assert page.locator("#notice").inner_text() == NOTICE
    assert page.locator("#time").inner_text() == "12 Jun 2021, 05:30 UTC"
    assert "m³\u00a0m⁻³" in page.locator("#legend summary").inner_text()
    assert page.locator("#passes line").count() == len(TIMES)
    assert page.locator("#legend .scale").inner_text().split() == ["0", "0.25", "≥", "0.5"]


def test_every_layer_is_shown_with_its_legend(page, seen):
    names = page.locator("input[name=layer]").evaluate_all("all => all.map(one => one.value)")
    assert names == ["soil_moisture", "soil_moisture_std", "quality", "age_sentinel1", "age_smap", "anomaly"]
    for name in names[1:]:  # the first is there from the start
        page.check(f"input[name=layer][value={name}]")
        seen.wait_for_tile(layer=name, datetime=time_text(TIMES[-1]))
        legend = page.locator("#legend").inner_text()
        assert ("open water" in legend) == (name == "quality")
    assert _drawn(page), "the map shows more than one colour"


def _drawn(page: Page) -> bool:
    """Whether the canvas of the map holds many colours."""
    page.wait_for_timeout(500)
    return bool(
        page.evaluate(
            """() => { const map = document.querySelector('#map canvas'), copy = document.createElement('canvas');
            copy.width = 64; copy.height = 64; const context = copy.getContext('2d');
            context.drawImage(map, 0, 0, 64, 64);
            return new Set(new Uint32Array(context.getImageData(0, 0, 64, 64).data.buffer)).size > 8; }"""
        )
    )


def test_a_click_shows_the_series_of_the_cell_and_why_it_is_flagged(page, folder):
    lon, lat = cell_centres(WEST)
    place = float(lon[15, 25]), float(lat[15, 25])
    page.evaluate(f"location.hash = '#map=border-country&view={place[0]:.5f},{place[1]:.5f},13'")
    page.wait_for_timeout(1500)
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#result:not([hidden])")
    expected = at_points(open_maps(folder), pd.DataFrame({"place": ["p"], "lon": [place[0]], "lat": [place[1]]}))
    page.locator("#facts details summary").click()
    rows = page.locator("#facts table tbody tr").evaluate_all(
        "all => all.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert [row[0] for row in rows] == [
        time_text(moment)[:-1].replace("T", " ") for moment in expected["time"].to_numpy()
    ]
    assert [row[1] for row in rows] == [f"{value:.3f}" for value in expected["soil_moisture"]]
    half = 1.645 * expected["soil_moisture_std"]
    assert [row[2] for row in rows] == [f"{value:.3f}" for value in (expected["soil_moisture"] - half)]
    assert [row[3] for row in rows] == [f"{value:.3f}" for value in (expected["soil_moisture"] + half)]
    assert [row[5] for row in rows] == [f"{value:.1f}" for value in expected["age_sentinel1"]]
    why = page.locator(".why").inner_text()
    assert "frost or snow: The soil is frozen" in why and "out of domain: The inputs lie far" in why
    chart = page.locator("#chart svg")
    assert chart.locator(".mean, .band, .flagged, .cursor").count() >= 6
    assert "3 estimates between" in chart.get_attribute("aria-label")


def test_a_sensor_shows_its_readings_beside_the_series_and_its_scores(browser, folder, tmp_path):
    archive, card, places = served_maps.with_sensors(tmp_path)
    with served_maps.server(folder, sensors=archive, scorecard=card) as client:
        lon, lat = places["Hill"]
        with opened(browser, client.address, f"#map=border-country&view={lon:.5f},{lat:.5f},13") as seen:
            page = seen.page
            page.wait_for_timeout(1500)
            box = page.locator("#map").bounding_box()
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            page.wait_for_selector("#result:not([hidden])")
            facts = page.locator("#facts").inner_text()
            assert "Sensor at 0 to 0.05 m." in facts
            assert (
                "Scores of network at this sensor, held out: 120 samples, R 0.813, bias -0.013, ubRMSE 0.048, "
                "88 % in the 90 % interval."
            ) in facts.replace("\N{MINUS SIGN}", "-")
            chart = page.locator("#chart svg")
            assert chart.locator("path.reading").count() == 3 and chart.locator("path.doubtful").count() == 1
            told = chart.locator("path.doubtful title").text_content()
            assert told.startswith("Sensor 5 Jun 2021, 17:40 UTC: 0.340, D01 (")
            page.locator("#facts details summary").click()
            rows = page.locator("#facts table tbody tr").evaluate_all(
                "all => all.map(row => [...row.cells].map(cell => cell.textContent))"
            )
            expected = at_points(open_maps(folder), pd.DataFrame({"place": ["p"], "lon": [lon], "lat": [lat]}))
            assert [row[1] for row in rows] == [f"{value:.3f}" for value in expected["soil_moisture"]]
            assert [row[-2:] for row in rows] == [["0.210", "G"], ["0.340", "D01"], ["0.180", "G"]]
            page.locator("#sensors summary").click()
            assert page.locator("#sensors summary").inner_text() == "2 sensors"
            page.get_by_role("button", name="Vale, 0 to 0.05 m").click()
            page.locator("#result", has_text="SIM, Vale").wait_for()
            assert "Scores of" not in page.locator("#facts").inner_text()
            assert "sensor=" in page.evaluate("location.hash")


def test_an_area_is_drawn_and_its_mean_is_that_of_vadose_series(page, seen, folder):
    page.evaluate("location.hash = '#map=border-country&view=11.95,47.6,12'")
    page.wait_for_timeout(1500)
    page.click("#draw")
    box = page.locator("#map").bounding_box()
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.6, 0.7)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.click("#draw")
    page.wait_for_selector("#result:not([hidden])")
    area = json.loads(parse_qs(urlparse(page.url).fragment)["area"][0])
    expected = over_polygons(open_maps(folder), {"p": shapely.geometry.shape(area)}).iloc[-1]
    text = page.locator(".estimate").inner_text()
    assert f"{expected['soil_moisture']:.3f} m³ m⁻³" in text and f"mean of {expected['cells']} cells" in text
    assert "upper bound" in page.locator("#facts").inner_text()


def test_a_polygon_is_uploaded_and_what_is_none_is_said(page, tmp_path):
    file = tmp_path / "field.geojson"
    field_ = {
        "type": "Feature",
        "properties": {},
        "geometry": shapely.geometry.mapping(shapely.box(11.9, 47.55, 11.95, 47.6)),
    }
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [field_]}))
    page.set_input_files("#upload", file)
    page.wait_for_selector("#result:not([hidden])")
    assert "Mean of an area" in page.locator("#where").inner_text()
    file.write_text("no json")
    page.set_input_files("#upload", file)
    page.wait_for_selector("#status.failed")
    assert "The file is no GeoJSON" in page.locator("#status").inner_text()


def test_dates_change_by_slider_and_buttons_and_are_compared(page, seen):
    page.click("#earlier")
    seen.wait_for_tile(layer="soil_moisture", datetime=time_text(TIMES[1]))
    page.locator("#slider").press("Home")
    seen.wait_for_tile(layer="soil_moisture", datetime=time_text(TIMES[0]))
    assert page.locator("#time").inner_text() == "10 Jun 2020, 05:30 UTC"
    assert page.locator("#slider").get_attribute("aria-valuetext") == "10 Jun 2020, 05:30 UTC"
    page.check("input[name=mode][value=difference]")
    page.select_option("#other", time_text(TIMES[2]))
    seen.wait_for_tile(layer="difference", datetime=time_text(TIMES[0]), minus=time_text(TIMES[2]))
    assert "10 Jun 2020, 05:30 UTC minus 12 Jun 2021, 05:30 UTC" in page.locator("#legend").inner_text()
    page.check("input[name=mode][value=swipe]")
    seen.wait_for_tile(layer="soil_moisture", datetime=time_text(TIMES[2]))
    page.locator("#swipe input").press("ArrowLeft")
    assert page.locator("#stage").evaluate("one => one.style.getPropertyValue('--swipe')") == "49%"


def test_flagged_cells_are_hidden(page, seen):
    page.check("input[name=hide][value=frozen]")
    page.check("input[name=hide][value=urban]")
    seen.wait_for_tile(layer="soil_moisture", hide="frozen,urban")


def test_a_link_shows_the_same_again(page, browser, address):
    dates = "time=2021-06-05T17:10:00Z&other=2020-06-10T05:30:00Z&mode=swipe"
    page.evaluate(f"location.hash = '#map=border-country&layer=quality&hide=urban&{dates}&point=11.9,47.6'")
    page.wait_for_selector("#result:not([hidden])")
    page.click("#share")
    with opened(browser, address, urlparse(page.url).fragment and f"#{urlparse(page.url).fragment}") as again:
        again.page.wait_for_selector("#result:not([hidden])")
        assert again.page.is_checked("input[name=layer][value=quality]")
        assert again.page.is_checked("input[name=hide][value=urban]")
        assert again.page.is_checked("input[name=mode][value=swipe]")
        assert again.page.locator("#time").inner_text() == "5 Jun 2021, 17:10 UTC"
        assert again.page.locator("#where").inner_text() == page.locator("#where").inner_text()


def test_a_hostile_link_is_text(browser, address):
    evil = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
    fragment = f"#map={evil}&layer={evil}&time={evil}&hide={evil}&view=1,2&point=x&area=%7B%22type%22:1%7D&mode={evil}"
    with opened(browser, address, fragment) as held:
        assert held.page.locator("img").count() == 0
        assert held.page.is_checked("input[name=layer][value=soil_moisture]")


def test_the_visible_cells_are_saved_with_their_values(page, folder, tmp_path):
    page.evaluate("location.hash = '#map=border-country&view=11.88,47.6,13&time=2021-06-05T17:10:00Z'")
    page.wait_for_timeout(1500)
    with page.expect_download() as awaited:
        page.click("#download")
    assert re.fullmatch(r"border-country_20210605T171000_32632\.tif", awaited.value.suggested_filename)
    awaited.value.save_as(tmp_path / "clip.tif")
    held = open_maps(folder)[32632]["soil_moisture"].isel(time=1)
    with rasterio.open(tmp_path / "clip.tif") as clip:
        x, y = clip.xy(5, 7)
        np.testing.assert_allclose(clip.read(1)[5, 7], held.sel(x=x, y=y).item(), rtol=1e-6)


def test_a_place_is_found_by_keyboard_alone(page, seen):
    page.evaluate("location.hash = '#map=border-country&view=11.9,47.6,12'")
    page.wait_for_timeout(1500)
    page.locator("#centre").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#result:not([hidden])")
    assert page.locator("#where").inner_text() == "Cell at 11.9000, 47.6000"
    assert page.evaluate("document.activeElement.id") == "where"
    page.keyboard.press("Escape")
    page.wait_for_selector("#result", state="hidden")
    page.fill("#lonlat", "11.91, 47.61")
    page.locator("#lonlat").press("Enter")
    page.wait_for_selector("#result:not([hidden])")
    assert page.locator("#where").inner_text() == "Cell at 11.9100, 47.6100"
    page.fill("#lonlat", "3.0, 3.0")
    page.locator("#lonlat").press("Enter")
    page.wait_for_selector("#status.failed")
    assert "No cell of the map" in page.locator("#status").inner_text()
    assert len(seen.errors) == 1 and "404" in seen.errors.pop()  # the browser's own line of that refusal


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (390, "dark")])
def test_nothing_is_out_of_reach_and_axe_finds_no_serious_fault(width, scheme, browser, address):
    from axe_playwright_python.sync_playwright import Axe

    with opened(
        browser, address, "#map=border-country&point=11.9,47.6&layer=quality", width, 844, color_scheme=scheme
    ) as held:
        held.page.wait_for_selector("#result:not([hidden])")
        assert held.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert held.page.evaluate("document.documentElement.dataset.theme") == scheme
        found = Axe().run(held.page).response["violations"]
        serious = {
            one["id"]: [node["html"][:120] for node in one["nodes"]]
            for one in found
            if one["impact"] in {"serious", "critical"}
        }
        assert not serious
