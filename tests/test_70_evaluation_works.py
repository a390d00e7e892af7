"""Published works beside ours: the same region, period and metric, every difference told, none dropped."""

from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
import yaml

from vadose.errors import VadoseError
from vadose.evaluation import Bootstrap, Setting, Split, compare_with_literature, per_sensor, publications
from vadose.evaluation.metric import METRICS
from vadose.evaluation.pooled import pooled
from vadose.evaluation.predictions import check
from vadose.evaluation.publications import Figure, Publication
from vadose.report.literature import CAUTION, benchmark_markdown, benchmark_records, figure_table, open_row
from vadose.report.scorecard import write_scorecard

YEARS = pd.date_range("2018-01-01", "2020-12-31", freq="10D")


def product(lon: float = -100.0) -> pd.DataFrame:
    """Twelve sensors of the United States, three years; of each year the estimate is worse than of the one before."""
    rng = np.random.default_rng(0)
    parts = []
    for number in range(12):
        truth = rng.uniform(0.05, 0.4, len(YEARS)) + 0.01 * number
        noise = rng.normal(0.01, 1, len(YEARS)) * 0.02 * (YEARS.year - 2017)
        parts.append(
            pd.DataFrame(
                {
                    "network": "NET",
                    "station": f"st{number:02d}",
                    "sensor": "s",
                    "lat": 32.5 + number,
                    "lon": lon + number,
                }
                | {"time": YEARS, "soil_moisture": truth + noise, "soil_moisture_in_situ": truth}
            )
        )
    return pd.concat(parts, ignore_index=True)


def work(**changes: object) -> Publication:
    told = {
        "work": "Someone 2020",
        "source": {"cited": "a journal"},
        "region": {"name": "here", "box": [-125, 24, -66, 50]},
        "figures": [{"score": "r", "over": "median", "value": 0.7}],
    }
    return Publication.model_validate(told | changes)


def test_the_works_of_the_package_are_whole():
    held = publications()
    assert len(held) >= 20 and len({one.work for one in held}) == len(held)
    folder = files("vadose.evaluation").joinpath("published")
    assert len(list(folder.iterdir())) == len(held)
    by_name = {one.work: one for one in held}
    readme = by_name["Batchu 2023, README of the journal version"]
    assert len(readme.figures) == 42
    best = [f.value for f in readme.figures if f.product == "+ SMAP + GLDAS" and f.part == "test"]
    assert best == [0.056, 0.087, 0.729]
    assert by_name["Liu 2022"].figures[0] == Figure(score="r", over="median", value=0.901)
    assert all(one.source.cited for one in held)


def test_figures_of_the_works_are_those_of_their_sources():
    by_name = {one.work: one for one in publications()}
    arxiv = by_name["Batchu 2022, README of the arXiv version"]
    assert [f.value for f in arxiv.figures if (f.product, f.part) == ("SMAP + GLDAS network", "validation")] == [
        0.061,
        0.102,
        0.663,
    ]
    for name in ("core sites", "ISMN"):
        (kolassa,) = [one for one in by_name.values() if one.work.startswith("Kolassa") and one.work.endswith(name)]
        assert kolassa.period == "2015-04-01/2017-03-31"
        assert {f.over for f in kolassa.figures} == {"mean"}
    china = by_name["Li 2022 (SMCI1.0)"]
    assert {(f.part, f.split.way) for f in china.figures} == {
        ("station to station", "places"),
        ("year to year", "times"),
    }


def test_every_work_of_the_package_says_what_its_figures_were_checked_against():
    names = files("vadose.evaluation").joinpath("published").iterdir()
    assert all("checked" in yaml.safe_load(file.read_text()) for file in names)
    found = compare_with_literature(publications(), product(lon=20.0))
    told = {row[0]: row[2] for row in map(open_row, found)}
    assert told["Batchu 2022, README of the arXiv version"] == "code README"
    assert told["Balenzano 2021"] == "not re-read"
    (near,) = compare_with_literature([work(checked="data page")], product())
    for text in (
        benchmark_markdown([near]),
        benchmark_markdown(compare_with_literature([work(checked="data page")], product(lon=20.0))),
    ):
        assert "checked against" in text
        assert "data page" in text


def test_ours_is_the_same_metric_over_the_same_region_and_period():
    table = product()
    told = work(period="2019-01-01/2019-12-31", figures=[{"score": s, "over": o, "value": 0.5} for s, o in ASKED])
    (found,) = compare_with_literature([told], table, bootstrap=Bootstrap(draws=200))
    own = table[table["time"].dt.year == 2019]
    sensors = per_sensor(own)
    assert found.ours.sensors == 12 and found.ours.samples == len(own)
    for figure in told.figures:
        ours = found.ours.of(figure)
        if figure.over in {"mean", "median"}:
            assert ours.value == pytest.approx(sensors[figure.score].agg(figure.over), abs=1e-12)
            assert ours.low < ours.value < ours.high
    whole = np.corrcoef(own["soil_moisture"], own["soil_moisture_in_situ"])[0, 1]
    assert found.ours.of(told.figures[2]).value == pytest.approx(whole, abs=1e-12)
    assert found.ours.of(told.figures[3]).value == pytest.approx(sensors["rmse"].mean()), "not stated: the mean"
    assert found.ours.of(told.figures[4]) is None and found.ours.of(told.figures[5]) is None


ASKED = (
    ("r", "median"),
    ("rmse", "mean"),
    ("r", "pooled"),
    ("rmse", "not stated"),
    ("ubrmse", "stations"),
    ("r2", "not stated"),
)


def test_the_pooled_interval_is_that_of_scores_without_each_sensor():
    table, bootstrap = check(product()), Bootstrap()
    found = pooled(table, bootstrap)
    sensors = table.drop_duplicates("station")
    lat, lon = sensors["lat"].to_numpy(), sensors["lon"].to_numpy()
    size = table.groupby("station").size().to_numpy().astype(float)

    def r(part):
        return np.corrcoef(part["soil_moisture"], part["soil_moisture_in_situ"])[0, 1]

    def rmse(part):
        return np.sqrt(np.mean((part["soil_moisture"] - part["soil_moisture_in_situ"]) ** 2))

    for name, of in (("r", r), ("rmse", rmse)):
        without = np.array([of(table[table["station"] != station]) for station in sensors["station"]])
        parts = of(table) + (size.sum() - size) / size * (of(table) - without)
        expected = bootstrap.mean(parts, lat, lon, size)
        assert (found[name].low, found[name].high) == pytest.approx((expected.low, expected.high), abs=1e-9)
        assert found[name].low < found[name].value < found[name].high
    assert set(found) == {metric.name for metric in METRICS}
    one = pooled(table[table["station"] == "st00"], bootstrap)
    assert np.isfinite(one["r"].value) and np.isnan(one["r"].low)


def test_anomalies_of_ten_day_rows_do_not_stand_beside_published_ones():
    told = work(figures=[{"score": "anomaly_r", "over": "mean", "value": 0.66}])
    table, origin = product(), pd.Timestamp("2018-01-01")
    rank = table["time"].rank(method="dense") - 1
    near, far = (
        compare_with_literature([told], table.assign(time=origin + rank * pd.Timedelta(step)))[0]
        for step in ("1D", "10D")
    )
    assert near.ours.of(told.figures[0]) is not None
    assert far.ours.of(told.figures[0]) is None
    assert any("contains 3 samples" in line and "left out" in line for line in far.differences)
    assert not any("left out" in line for line in near.differences)


def test_every_difference_of_setting_is_told():
    told = work(
        networks=["ISMN"],
        sensors=1192,
        period="2015-01-01/2019-12-31",
        resolution="30 m",
        split={"way": "random samples"},
        figures=[
            {"score": "r", "value": 0.9, "over": "pooled"},
            {"score": "rmse", "value": 0.05},
            {"score": "rmse", "value": 0.08, "part": "new stations", "split": {"way": "places"}},
        ],
    )
    (found,) = compare_with_literature([told], product(), Setting(Split(way="places", text="by block"), "320 m"))
    text = "\n".join(found.differences)
    for words in (
        "sensors: theirs 1,192, ISMN; ours 12 of NET",
        "region: theirs here; ours within 32.5 to 43.5 N, -100.0 to -89.0 E",
        "period: theirs 2015-01-01..2019-12-31; of it ours 2018-01-01",
        "split: theirs random samples; ours places (by block)",
        "pooled over all samples",
        "not stated; ours is the mean",
        "resolution: theirs 30 m; ours 320 m",
        "every 10 days",
    ):
        assert words in text, words


def test_works_without_samples_of_ours_stay_open_and_are_never_dropped():
    held = publications()
    found = compare_with_literature(held, product(lon=20.0))
    assert [one.work for one in found] == list(held)
    text = benchmark_markdown(found)
    assert all(one.work in text.replace("\\|", "|") for one in held)
    lacking = {one.work.work: one.lacking for one in found}
    assert lacking["Li 2022 (SMCI1.0)"] == "no sample in China"
    assert lacking["Kolassa 2018, at SMAP core sites"].startswith("no sample within 2015-04-01/2017-03-31")
    (few,) = compare_with_literature([work()], product(), min_samples=200)
    assert "no sensor there has 200 samples" in few.lacking


def test_nothing_is_said_to_be_better(tmp_path):
    write_scorecard(
        tmp_path, {"perfect": product().eval("mean = soil_moisture + 0.001 * lat")}, title="T", works=publications()
    )
    for file in ("scorecard.md", "scorecard.html"):
        page = (tmp_path / file).read_text()
        assert CAUTION.split(".")[0] in page
        section = page[page.index("Comparison with published works") :].replace("better than another", "")
        assert not [word for word in ("better", "beats", "outperform", "best") if word in section.split("Left out")[0]]


def test_figures_stand_as_they_are_published():
    told = work(
        figures=[
            {"score": "r", "over": "median", "value": 0.73, "deviation": 0.13},
            {"score": "ubrmse", "value": 0.045, "to": 0.051},
            {"score": "bias", "value": -0.0004},
        ]
    )
    (found,) = compare_with_literature([told], product())
    header, rows = figure_table(found)
    assert header == ("", "R, median", "ubRMSE", "bias", "checked against")
    assert rows[0][-1] == ""
    assert rows[1][0] == "ours, mean over places" and rows[1][1] == "", "theirs is a median"
    assert rows[2] == ("theirs", "0.730 ± 0.130", "0.045 to 0.051", "-0.0004", "not re-read")
    assert benchmark_records([found])[0]["ours"][0]["value"] == pytest.approx(found.ours.of(told.figures[0]).value)


FAULTS = {
    "an unknown key": {"rank": 1},
    "no figures": {"figures": []},
    "a box of nowhere": {"region": {"name": "x", "box": [10, 20, 5, 30]}},
    "a period that is none": {"period": "last year"},
    "an unknown check": {"checked": "hearsay"},
    "an unknown score": {"figures": [{"score": "accuracy", "value": 1}]},
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_file_that_is_no_work_is_refused(fault, tmp_path):
    content = work().model_dump(mode="json") | FAULTS[fault]
    (tmp_path / "work.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(VadoseError, match=r"work\.yaml"):
        publications(tmp_path)


def test_works_of_a_folder(tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(work().model_dump(mode="json")))
    assert publications(tmp_path) == (work(),)
    for folder in (tmp_path / "nowhere", tmp_path / "mine.yaml"):
        with pytest.raises(VadoseError, match="no YAML file"):
            publications(folder)
