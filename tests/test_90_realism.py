"""The simulated world beside the real one: the same function for both, figures that can be checked, a page that is."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import rasterio
from pyproj import Transformer

from vadose.errors import VadoseError
from vadose.evaluation import per_sensor
from vadose.experiment.build_samples import in_situ_archive
from vadose.insitu import Ismn
from vadose.studies.realism import RECORDED, compare_with_real, record_real
from vadose.studies.realism.comparisons import SECTIONS, Comparison
from vadose.studies.realism.figures import PANELS
from vadose.studies.realism.observations import KEY, VALUES, Observations, cloud_cover
from vadose.studies.realism.page import markdown
from vadose.studies.realism.real import observe_real
from vadose.studies.realism.series import by_sensor, retrievals_by_sensor
from vadose.studies.realism.simulated import observe_archive
from vadose.studies.realism.statistics import HISTOGRAMS, Bins, Statistics, statistics_of

COMPARISONS = [comparison for comparisons in SECTIONS.values() for comparison in comparisons]


@pytest.fixture(scope="module")
def archive(tiny_world):
    return tiny_world


@pytest.fixture(scope="module")
def simulated(archive):
    return observe_archive(archive)


@pytest.fixture(scope="module")
def sensor(archive):
    return Ismn(in_situ_archive(archive)).sensors()[0]


def row(simulated, sensor, number):
    table = simulated.composites
    own = table[(table["network"] == sensor.network) & table["station"].str.startswith(f"{sensor.station} ")]
    return own.iloc[number]


def within(times, start):
    return (times >= start) & (times < start + pd.Timedelta(days=10))


def table_of(rng, sensors=3, periods=80):
    """Ten-day values that are random, at sensors of more than two years."""
    index = pd.MultiIndex.from_product(
        [["NET"], [f"s{n}" for n in range(sensors)], pd.date_range("2017-01-01", periods=periods, freq="10D")],
        names=KEY,
    )
    values = rng.uniform(0.05, 0.4, (len(index), len(VALUES)))
    return pd.DataFrame(values, index, list(VALUES)).reset_index()


def retrievals_of(table):
    return table[[*KEY, "soil_moisture", "smap"]]


def test_in_situ_values_are_the_means_of_good_hours(archive, simulated, sensor):
    readings = Ismn(in_situ_archive(archive)).read(sensor)
    for number in (0, 4):
        found = row(simulated, sensor, number)
        hours = readings[within(readings.index, found["period_start"]) & (readings["flag"] == "G").to_numpy()]
        assert found["soil_moisture"] == pytest.approx(hours["soil_moisture"].mean())


def test_radar_values_are_means_of_power_around_the_sensor(archive, simulated, sensor):
    found = row(simulated, sensor, 3)
    powers = []
    for path in (archive / "sentinel-1-rtc").rglob("*.json"):
        item = json.loads(path.read_text())
        west, south, east, north = item["bbox"]
        time = pd.Timestamp(item["properties"]["datetime"]).tz_localize(None)
        if west < sensor.lon < east and south < sensor.lat < north and within(time, found["period_start"]):
            with rasterio.open(path.parent / item["assets"]["vv"]["href"]) as file:
                x, y = Transformer.from_crs(4326, file.crs, always_xy=True).transform(sensor.lon, sensor.lat)
                line, column = file.index(x, y)
                powers.append(file.read(1)[line - 1 : line + 2, column - 1 : column + 2].astype(float).mean())
    assert powers
    assert found["vv_db"] == pytest.approx(10 * np.log10(np.mean(powers)), abs=1e-4)


def test_every_sensor_has_every_period_once(simulated):
    table = simulated.composites
    assert not table.duplicated(KEY).any()
    assert len(table) == table.groupby(["network", "station"]).ngroups * table["period_start"].nunique()
    assert table[list(VALUES)].notna().any().all()
    assert set(simulated.pixels) == {"vv_db", "vh_db", "B02", "B03", "B04", "B08", "B11", "B12"}


def test_retrievals_are_means_of_three_days_of_each_week(archive, simulated, sensor):
    table = simulated.retrievals
    assert list(table.columns) == [*KEY, "soil_moisture", "smap"]
    starts = pd.DatetimeIndex(table["period_start"].unique()).sort_values()
    assert set(np.diff(starts) / pd.Timedelta(days=7)) <= {1.0, 2.0, 3.0}
    readings = Ismn(in_situ_archive(archive)).read(sensor)
    own = table[(table["network"] == sensor.network) & table["station"].str.startswith(f"{sensor.station} ")]
    found = own.iloc[3]
    inside = (readings.index >= found["period_start"]) & (readings.index < found["period_start"] + pd.Timedelta(days=3))
    hours = readings[inside & (readings["flag"] == "G").to_numpy()]
    assert found["soil_moisture"] == pytest.approx(hours["soil_moisture"].mean())
    assert table["smap"].notna().any()


def test_figures_of_retrievals_are_those_of_a_known_series():
    table = table_of(np.random.default_rng(5), sensors=1, periods=36)
    told = retrievals_of(table).assign(smap=table["soil_moisture"] * 2 + 0.05)
    figures = retrievals_by_sensor(told).iloc[0]
    assert figures["smap_l3.r"] == pytest.approx(1)
    assert figures["smap_l3.spread"] == pytest.approx(2 * figures["smap_l3.sensor"])
    assert figures["smap_l3.ubrmse"] == pytest.approx(table["soil_moisture"].std(ddof=0))
    assert figures["smap_l3.bias"] == pytest.approx(table["soil_moisture"].mean() + 0.05)


def test_values_of_another_product_are_shown_and_not_judged():
    real = Statistics.read(RECORDED)
    text = markdown(Statistics(real.counts, real.statistics | {"smap.spread": 0.01}, real.histograms), real)
    assert "| 0.010 | 0.108 | — | another product |" in text
    assert "**differs**" not in text
    assert "NASA-USDA Enhanced SMAP" in text


def test_cloud_cover_is_what_the_items_state(archive, simulated):
    items = [json.loads(path.read_text()) for path in (archive / "sentinel-2-l2a").rglob("*.json")]
    stated = [item["properties"]["eo:cloud_cover"] / 100 for item in items]
    assert sorted(simulated.cloud_cover) == pytest.approx(sorted(stated))


def test_the_page_stands_without_the_real_data(archive, simulated, tmp_path, monkeypatch):
    monkeypatch.setattr("vadose.studies.realism.observe_archive", {archive: simulated}.__getitem__)
    page = tmp_path / "docs" / "page.md"
    compare_with_real(archive, None, page)
    text = page.read_text()
    assert "Everything under “simulated” is simulated" in text
    for image in re.findall(r"\((images/[^)]+)\)", text):
        assert (page.parent / image).stat().st_size > 5000
    assert len(re.findall(r"\| (alike|\*\*differs\*\*|not measured|another product) \|", text)) == len(COMPARISONS)


def test_an_archive_of_a_few_days_is_refused_and_nothing_written(archive, tmp_path):
    short = tmp_path / "short"
    source = min(in_situ_archive(archive).rglob("*_sm_0.0[05]*_0.05*.stm"))
    target = short / "ismn" / source.relative_to(in_situ_archive(archive))
    target.parent.mkdir(parents=True)
    header, *lines = source.read_text().splitlines(keepends=True)
    target.write_text("".join([header, *[line for line in lines if " G " in line][:5]]))
    with pytest.raises(VadoseError) as refusal:
        compare_with_real(short, None, tmp_path / "out" / "page.md")
    assert "short" in refusal.value.context
    assert re.search(r"span [1-9] days", refusal.value.problem)
    assert "at least 10 days" in refusal.value.hint
    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_real_data_is_refused(tmp_path):
    with pytest.raises(VadoseError) as refusal:
        observe_real(tmp_path)
    assert "points/conus_10day.csv.gz" in refusal.value.problem


def test_scores_against_sensors_are_those_of_the_scorecard():
    table = table_of(np.random.default_rng(0))
    years = (table["period_start"] - table["period_start"].min()).dt.days // 365
    known = {"soil_moisture": table["smap"], "soil_moisture_in_situ": table["soil_moisture"]}
    predictions = table.assign(sensor=years.astype(str), lat=1.0, lon=2.0, time=table["period_start"], **known)
    scores = per_sensor(predictions, min_samples=20).groupby(["network", "station"])[["r", "bias", "ubrmse"]].mean()
    found = by_sensor(table)[["smap.r", "smap.bias", "smap.ubrmse"]]
    np.testing.assert_allclose(found.to_numpy(), scores.to_numpy(), atol=1e-9)


def test_a_year_with_few_values_has_no_figures():
    table = table_of(np.random.default_rng(1), periods=36)
    table.loc[(table["station"] == "s0") & (table.groupby("station").cumcount() >= 19), "soil_moisture"] = np.nan
    found = by_sensor(table)
    assert np.isnan(found.loc[("NET", "s0"), ["soil_moisture.median", "smap.r"]]).all()
    assert found.loc[("NET", "s1"), ["soil_moisture.median", "smap.r"]].notna().all()


def test_memory_and_seasons_of_a_known_series():
    table = table_of(np.random.default_rng(2), sensors=1, periods=36)
    month = table["period_start"].dt.month
    figures = by_sensor(table.assign(soil_moisture=0.1 + 0.01 * month)).iloc[0]
    assert figures["soil_moisture.range"] == pytest.approx(0.11)
    assert figures["soil_moisture.lag1"] > 0.95
    alternating = by_sensor(table.assign(soil_moisture=np.arange(36) % 2 * 0.1)).iloc[0]
    assert alternating["soil_moisture.lag1"] == pytest.approx(-1)
    assert alternating["soil_moisture.spread"] == pytest.approx(0.05, rel=0.02)


def test_a_longer_world_of_the_same_kind_has_the_same_figures():
    one = table_of(np.random.default_rng(3), periods=36)
    later = one.assign(period_start=one["period_start"] + pd.Timedelta(days=365))
    both = by_sensor(pd.concat([one, later]))
    pd.testing.assert_frame_equal(both, by_sensor(one), rtol=1e-9)


def test_histograms_count_everything_that_is_there():
    shares = Bins(0, 1, 4).shares(np.array([-5, 0.1, 0.3, 0.9, 7, np.nan]))
    assert shares == [0.4, 0.2, 0.0, 0.4]
    assert Bins(0, 1, 4).shares(np.array([])) == [0, 0, 0, 0]


def test_every_comparison_and_panel_shows_what_is_measured():
    pixels = dict.fromkeys(("vv_db", "vh_db", "B02", "B03", "B04", "B08", "B11", "B12"), np.linspace(0, 1, 50))
    table = table_of(np.random.default_rng(4))
    found = statistics_of(Observations(table, retrievals_of(table), pixels, np.array([0.2, 0.8])))
    keys = [comparison.key for comparison in COMPARISONS]
    assert len(keys) == len(set(keys))
    assert set(keys) == set(found.statistics)
    assert all(found.statistics[key] is not None for key in keys)
    assert {name for panels in PANELS for name, _ in panels.columns} == set(HISTOGRAMS)
    assert all(sum(shares) == pytest.approx(1, abs=0.01) for shares in found.histograms.values())


@pytest.mark.parametrize(
    ("simulated", "verdict"), [(0.5, "alike"), (0.61, "differs"), (0.39, "differs"), (None, "not measured")]
)
def test_the_verdict_follows_the_tolerance(simulated, verdict):
    one, other = (Statistics({}, {"r": value}, {}) for value in (simulated, 0.5))
    assert Comparison("r", "R", "1", 0.1, "because").verdict(one, other) == verdict


def test_the_page_gives_the_reason_of_each_difference_and_of_no_other():
    real = Statistics.read(RECORDED)
    off = next(c for c in COMPARISONS if c.key == "vv_db.r")
    same = markdown(real, real)
    assert "Nothing that could be measured differs" in same
    assert "**differs**" not in same
    text = markdown(Statistics(real.counts, real.statistics | {"vv_db.r": 0.9}, real.histograms), real)
    assert text.count("**differs**") == 1
    assert off.why in text
    assert f"- {off.words}: simulated higher, 0.900 for" in text


def test_the_recorded_figures_are_aggregates_of_the_real_data(real, tmp_path):
    record_real(real, tmp_path / "real.json")
    again, held = Statistics.read(tmp_path / "real.json"), Statistics.read(RECORDED)
    assert again.counts == held.counts
    assert again.statistics == pytest.approx(held.statistics, abs=1e-4)
    for name, shares in held.histograms.items():
        assert again.histograms[name] == pytest.approx(shares, abs=1e-3)
    content = json.loads(RECORDED.read_text())
    assert "ISMN" in str(content["made_from"])
    assert not {"network", "station", "lat", "lon"} & set(content)


def test_the_real_figures_are_those_known_of_them(real):
    found = Statistics.read(RECORDED).statistics
    assert found["smap.r"] == pytest.approx(0.75, abs=0.02)
    assert found["smap_l3.r"] == pytest.approx(0.65, abs=0.06)
    assert 0.045 < found["smap_l3.ubrmse"] < 0.065
    assert 0.2 < found["vv_db.r"] < 0.3
    assert 0.05 < found["smap.ubrmse"] < 0.08
    assert cloud_cover(real / "stac_items" / "earth-search" / "sentinel-2-c1-l2a").size == 10
