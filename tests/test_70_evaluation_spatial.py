"""Scores across sensors, date by date."""

import numpy as np
import pandas as pd
import pytest

from vadose.errors import VadoseError
from vadose.evaluation import Bootstrap, spatial
from vadose.report.space import every_date, space_markdown


def field(r: float, sensors: int = 60, days: int = 30, seed: int = 0) -> pd.DataFrame:
    """Sensors two degrees apart whose estimates correlate by `r` across them on every day."""
    rng = np.random.default_rng(seed)
    truth, error = rng.standard_normal((2, sensors, days))
    weather = 0.05 * np.sin(np.arange(days))
    return pd.DataFrame(
        {
            "network": "SIM",
            "station": np.repeat([f"s{i:03d}" for i in range(sensors)], days),
            "sensor": "5cm",
            "lat": np.repeat(np.arange(sensors) // 10 * 2 + 0.5, days),
            "lon": np.repeat(np.arange(sensors) % 10 * 2 + 0.5, days),
            "time": np.tile(pd.date_range("2020-01-01T06", periods=days, freq="D"), sensors),
            "soil_moisture": (0.25 + weather + 0.03 * (r * truth + np.sqrt(1 - r**2) * error)).ravel(),
            "soil_moisture_in_situ": (0.25 + weather + 0.03 * truth).ravel(),
        }
    )


def test_each_date_is_scored_over_its_sensors():
    table = field(0.6)
    table.loc[table.index[:7], "soil_moisture"] = np.nan
    found = spatial(table.sample(frac=1, random_state=1))
    expected = {
        day: rows["soil_moisture"].corr(rows["soil_moisture_in_situ"])
        for day, rows in table.groupby(table["time"].dt.floor("D"))
    }
    assert found.dates["date"].tolist() == sorted(expected)
    np.testing.assert_allclose(found.dates["r"], [expected[day] for day in found.dates["date"]], atol=1e-12)
    assert found.dates["sensors"].tolist() == [59] * 7 + [60] * 23
    assert found.r.value == pytest.approx(np.mean(list(expected.values())), abs=1e-12)
    assert found.r.low < found.r.value < found.r.high


def test_samples_of_one_day_are_one():
    table = field(0.6, days=5)
    twice = pd.concat(
        [
            table.assign(soil_moisture=table["soil_moisture"] + d, time=table["time"] + pd.Timedelta(d * 500, "h"))
            for d in (0.01, -0.01)
        ]
    )
    pd.testing.assert_frame_equal(spatial(twice).dates, spatial(table).dates, rtol=1e-9)


def test_dates_with_few_sensors_have_no_score_and_do_not_count():
    table = field(0.6, days=4)
    few = (table["time"] >= "2020-01-04") & (table["station"] >= "s005")
    found = spatial(table[~few])
    assert found.dates["sensors"].tolist() == [60, 60, 60, 5]
    assert np.isnan(found.dates["r"].iloc[3])
    assert found.r.value == pytest.approx(found.dates["r"].iloc[:3].mean())
    none = spatial(table, min_sensors=61)
    assert none.dates["r"].isna().all()
    assert np.isnan([none.r.value, none.r.low, none.r.high]).all()


def test_intervals_over_places_cover_the_truth():
    held = 0
    for seed in range(100):
        own = np.random.default_rng(seed).standard_normal(
            (60, 1)
        )  # each place keeps its error: dates are not independent
        table = field(1.0, days=5, seed=seed)
        steady = np.random.default_rng(seed + 1000).standard_normal((60, 1))
        table["soil_moisture_in_situ"] = (0.25 + 0.03 * np.repeat(steady, 5, axis=1)).ravel()
        table["soil_moisture"] = (0.25 + 0.03 * np.repeat(0.6 * steady + 0.8 * own, 5, axis=1)).ravel()
        r = spatial(table, bootstrap=Bootstrap(draws=300)).r
        held += r.low <= 0.6 <= r.high
    assert 80 <= held <= 97


def test_each_date_has_an_interval_and_each_choice_of_dates_its_mean():
    table = field(0.6, days=40)
    few = (table["time"] >= "2020-02-09") & (table["station"] >= "s005")
    found = spatial(table[~few])
    dates = found.by_date()
    scored = dates["r"].notna()
    assert scored.tolist() == [True] * 39 + [False] and dates.loc[~scored, ["r_low", "r_high"]].isna().all(axis=None)
    assert (dates.loc[scored, "r_low"] < dates.loc[scored, "r"]).all()
    assert (dates.loc[scored, "r"] < dates.loc[scored, "r_high"]).all()
    january = (dates["date"] < "2020-02-01").to_numpy()
    alone = spatial(table[table["time"] < "2020-02-01"])
    assert found.mean_r(january) == alone.r
    one = spatial(table[table["time"] < "2020-01-02"]).r
    assert (one.low, one.high) == pytest.approx(dates.loc[0, ["r_low", "r_high"]].tolist())


def test_the_chapter_has_its_tables_and_says_when_there_are_none():
    table = field(0.6, days=40)
    text = space_markdown({"A": spatial(table), "B": spatial(field(0.8, days=40))})
    r = spatial(table).r
    assert f"| A | 40 | 0 | 60 (60 to 60) | {r.value:.3f} [{r.low:.3f}, {r.high:.3f}] |" in text
    assert "| Jan | A | 31 |" in text and "| Feb | B | 9 |" in text
    every = every_date({"A": spatial(table)})
    assert every["sensors"].eq(60).all() and every["r_low"].notna().all() and set(every["product"]) == {"A"}
    assert space_markdown({"A": spatial(table, min_sensors=61)}) == "No date has 10 sensors."


def test_a_date_on_which_all_sensors_say_the_same_has_no_r():
    table = field(0.6, days=3)
    table.loc[table["time"] < "2020-01-02", "soil_moisture"] = 0.2
    assert spatial(table).dates["r"].isna().tolist() == [True, False, False]


def test_nothing_scorable_and_two_sensors_a_date():
    assert spatial(field(0.5, days=2).assign(soil_moisture_in_situ=np.nan)).dates.empty
    with pytest.raises(VadoseError, match="Ask for 3 or more"):
        spatial(field(0.5, days=2), min_sensors=2)
