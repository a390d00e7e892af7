"""The scorecard's files: all figures, everything that was left out, whole or not there."""

import json
import resource
import shutil
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from vadose.errors import VadoseError
from vadose.evaluation import per_sensor, publications, score, summary
from vadose.report.headline import console_summary
from vadose.report.scorecard import write_scorecard
from vadose.report.text import counted, headline_rows, markdown_table, p_values


def product(noise: float, seed: int, spread: float | None = None) -> pd.DataFrame:
    """Thirty sensors of one truth, the last of them with few samples."""
    days, stations = 60, 30
    truth = np.random.default_rng(5).uniform(0.05, 0.45, stations * days)
    frame = pd.DataFrame(
        {
            "network": "NET",
            "station": np.repeat([f"st{i:02d}" for i in range(stations)], days),
            "sensor": "s1",
            "lat": np.repeat(np.linspace(-30.5, 30.5, stations), days),
            "lon": 5.5,
            "time": np.tile(pd.date_range("2020-01-01", periods=days, freq="D"), stations),
            "soil_moisture": truth + np.random.default_rng(seed).normal(0.01, noise, truth.size),
            "soil_moisture_std": np.nan if spread is None else spread,
            "soil_moisture_in_situ": truth,
        }
    )
    return frame.iloc[: len(frame) - 50]


def both() -> dict[str, pd.DataFrame]:
    flat = product(0.08, 2)
    flat.loc[flat["station"] == "st04", "soil_moisture"] = 0.2
    return {"network": product(0.04, 1, spread=0.04).iloc[100:], "SMAP": flat}


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """A scorecard that tests only read."""
    folder = tmp_path_factory.mktemp("card") / "out"
    notes = ["Split: by 1° block."]
    write_scorecard(folder, both(), title="A trial", notes=notes, notice="SIMULATED: no sensor, no satellite.")
    return folder


@pytest.fixture
def products() -> dict[str, pd.DataFrame]:
    return both()


def test_the_page_says_what_was_found(card):
    path = card / "scorecard.md"
    page = path.read_text()
    assert page.startswith("# A trial\n\n> **SIMULATED: no sensor, no satellite.**\n")
    for part in (
        "1,640 samples at 28 sensors, at least 20 samples per sensor; neighbours",
        "| network | 28 places | 1,640 |",
        "| network | 28 sensors (28.0 effective places) | 1,640 |",
        "| SMAP | 28 sensors (28.0 effective places) | 1,640 |",
        "The mean over sensors counts a site",
        "| network | sensor | 28 |",
        "| network | place | 28 |",
        "(29 sensors, 1,740 samples) |",
        "each sensor's own mean (not a model)",
        "Brackets: 90% intervals",
        "## network minus the others",
        "p of R / ubRMSE / RMSE",
        "## Calibration of the standard deviation",
        "## Worst sensors of network",
        "## Left out",
        "too few matched samples: 2: NET/st00/s1 (0 samples, 20 needed); NET/st29/s1 (10 samples, 20 needed).",
        "constant series: 1: NET/st04/s1 (constant estimate).",
        "- Split: by 1° block.",
    ):
        assert part in page, part
    rows = [line for line in page.splitlines() if line.startswith("| network") and "0." in line]
    assert "28 places" in rows[0] and rows[0].count("[") == 4
    assert next(row for row in rows if "28 sensors" in row).count("[") == 5


def test_the_page_and_the_strata_are_written_with_it(tmp_path, products):
    path = write_scorecard(tmp_path, products, title="A trial", works=publications())
    page, markdown = (tmp_path / "scorecard.html").read_text(), path.read_text()
    figures = json.loads((tmp_path / "scorecard.json").read_text())
    winter = next(row for row in figures["strata"] if row["class"] == "winter" and row["product"] == "SMAP")
    cell = f"{winter['r']:.3f} [{winter['r_low']:.3f}, {winter['r_high']:.3f}]"
    assert cell in markdown and cell.replace(" [", "<small>[") in page
    assert len(figures["benchmark"]) == len(publications())
    assert all(one["open"] or one["differences"] for one in figures["benchmark"])


def test_json_and_csv_hold_the_same_figures(tmp_path, products):
    write_scorecard(tmp_path, products, title="A trial", min_samples=30)
    figures = json.loads((tmp_path / "scorecard.json").read_text())
    sensors = pd.read_csv(tmp_path / "scorecard.csv", keep_default_na=False, na_values=[""])
    assert figures["kind"] == "scorecard"
    assert figures["made_from"]["min_samples"] == 30
    assert sensors.groupby("product").size().to_dict() == {"network": 30, "SMAP": 30}
    mine = sensors[(sensors["product"] == "network") & sensors["left_out"].isna()]
    assert figures["headline"][0]["r"] == pytest.approx(mine["r"].mean(), abs=1e-12)
    assert figures["headline"][0]["samples"] == mine["n"].sum()
    assert figures["headline"][0]["r_over_places"] == pytest.approx(mine["r"].mean()), "each place has one sensor"
    assert (figures["headline"][0]["places"], round(figures["headline"][0]["effective_places"])) == (len(mine),) * 2
    by_place = {row["of_each"]: row for row in figures["products"]["network"]["coverage_90_by"]}
    assert by_place["sensor"]["number"] == len(mine) and 0 <= by_place["place"]["under_70"] <= 1
    by_score = {row["score"]: row for row in figures["products"]["SMAP"]["all_its_own_samples"]}
    expected = summary(per_sensor(products["SMAP"], 30)).loc["ubrmse", "mean"]
    assert by_score["ubrmse"]["mean"] == pytest.approx(expected, abs=1e-12)
    assert figures["products"]["network"]["sensors_left_out"] == [
        {"network": "NET", "station": "st00", "sensor": "s1", "n": 0, "left_out": "0 samples, 30 needed"},
        {"network": "NET", "station": "st01", "sensor": "s1", "n": 20, "left_out": "20 samples, 30 needed"},
        {"network": "NET", "station": "st29", "sensor": "s1", "n": 10, "left_out": "10 samples, 30 needed"},
    ]
    assert figures["products"]["network"]["rows"]["rows"] == len(products["network"])
    assert figures["headline"][-1]["r"] is None


def test_other_scores_and_chance_in_time_are_told(card):
    text = (card / "scorecard.md").read_text()
    chapter = text.split("## Other scores, and sampling in time")[1].split("\n## ")[0]
    rows = [line for line in chapter.splitlines() if line.startswith("| network |")]
    assert len(rows) == 3 and "network minus SMAP" in chapter
    told = json.loads((card / "scorecard.json").read_text())
    across = {row["product"]: row["value"] for row in told["in_space"]}
    assert across["network"] > across["SMAP"]
    by = {(row["product"], row["minus"], row["score"]): row for row in told["in_time"]}
    assert by["network", "SMAP", "ubrmse"]["high"] < 0 and by["network", "SMAP", "ubrmse"]["p"] < 0.05
    sensors = pd.read_csv(card / "scorecard.csv").query("left_out.isna()")
    assert (sensors["ubrmse_low"] < sensors["ubrmse"]).all() and (sensors["ubrmse"] < sensors["ubrmse_high"]).all()


def test_counts_of_rows_add_up(products):
    products["SMAP"].loc[:199, "soil_moisture_in_situ"] = np.nan
    products["SMAP"].loc[300:309, "soil_moisture"] = np.nan
    rows = {product.name: product.rows for product in score(products).products}
    for counts in rows.values():
        parts = (counts[name] for name in ("without estimate", "without label", "scorable"))
        assert sum(parts) == counts["rows"]
    assert rows["SMAP"]["without label"] == 200
    assert rows["SMAP"]["without estimate"] == 10
    assert rows["network"]["matched"] == rows["SMAP"]["matched"] == len(products["network"]) - 10


def test_the_terminal_shows_the_headline(card, tmp_path):
    text = console_summary(card / "scorecard.md")
    assert text.splitlines()[:2] == ["A trial", "SIMULATED: no sensor, no satellite."]
    assert text == console_summary(card)
    widths = {len(line) for line in text.splitlines()[3:]}
    assert len(widths) == 1
    assert "each sensor's own mean (not a model)" in text
    with pytest.raises(VadoseError, match="no such file"):
        console_summary(tmp_path / "elsewhere")


def test_one_product_alone(tmp_path, products):
    page = write_scorecard(tmp_path, {"SMAP": products["SMAP"]}, title="Alone").read_text()
    assert "minus the others" not in page
    assert "Calibration of the standard deviation" not in page
    assert "on all its own samples" not in page


def test_nothing_is_written_when_there_is_nothing_to_score(tmp_path, products):
    folder = tmp_path / "out"
    with pytest.raises(VadoseError, match="the longest with 60 samples") as caught:
        write_scorecard(folder, products, title="A trial", min_samples=61)
    assert "at least 61 matched samples" in caught.value.context
    assert "fewer of them" in caught.value.hint
    with pytest.raises(VadoseError, match="predictions 'percent'"):
        write_scorecard(
            folder,
            products | {"percent": products["SMAP"].eval("soil_moisture = soil_moisture * 100")},
            title="A trial",
        )
    assert not folder.exists()


def test_a_full_disk_leaves_the_old_scorecard_whole(card, tmp_path, products):
    shutil.copytree(card, tmp_path, dirs_exist_ok=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with _largest_file(5_000), pytest.raises(OSError, match="File too large"):
        write_scorecard(tmp_path, products, title="The new one")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_names_cannot_break_a_table():
    assert markdown_table(("sensor",), [("a|b",)]).splitlines()[-1] == "| a\\|b |"


def test_one_of_a_kind_is_counted_in_the_singular():
    assert [counted(n, "places") for n in (0, 1, 2, 1500)] == ["0 places", "1 place", "2 places", "1,500 places"]
    kinds = [f"{over}{end}" for over in ("", "_over_places") for end in ("", "_low", "_high")]
    names = [f"{score}{kind}" for score in ("r", "ubrmse", "rmse", "bias", "r_median") for kind in kinds]
    row = dict.fromkeys(names, 0.5) | {"product": "a", "samples": 9, "places": 1, "sensors": 1, "effective_places": 1.0}
    assert [cells[1] for cells in headline_rows([row])] == ["1 place", "1 sensor (1.0 effective places)"]


def test_the_same_input_gives_the_same_bytes(card, tmp_path, products):
    notes = ["Split: by 1° block."]
    write_scorecard(tmp_path, products, title="A trial", notes=notes, notice="SIMULATED: no sensor, no satellite.")
    for file in ("scorecard.md", "scorecard.csv", "scorecard.json", "scorecard.html"):
        assert (card / file).read_bytes() == (tmp_path / file).read_bytes(), file


@contextmanager
def _largest_file(size: int):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_p_value_that_is_too_small_for_its_digits_is_not_zero():
    assert p_values([0.2, 0.0004, 0.0, 0.0006, np.nan, None]) == "0.200 / <0.001 / <0.001 / 0.001 / – / –"
