"""Scores of each sensor and of all of them, and the intervals from a bootstrap over places."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.errors import VadoseError
from vadose.evaluation import Bootstrap, per_sensor, reliability, summary
from vadose.evaluation.places import over_places
from vadose.evaluation.sensors import coverage_by


def predictions(samples: dict[str, int], seed: int = 0) -> pd.DataFrame:
    """Sensors of so many daily samples each, one degree apart."""
    rng = np.random.default_rng(seed)
    tables = []
    for place, (station, count) in enumerate(samples.items()):
        truth = rng.uniform(0.05, 0.45, count)
        tables.append(
            pd.DataFrame(
                {
                    "network": "NET",
                    "station": station,
                    "sensor": "s1",
                    "lat": 10.5 + place,
                    "lon": 20.5,
                    "time": pd.date_range("2020-01-01", periods=count, freq="D"),
                    "soil_moisture": truth + rng.normal(0.02, 0.04, count),
                    "soil_moisture_std": 0.04,
                    "soil_moisture_in_situ": truth,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def test_each_sensor_is_scored_by_its_own_samples():
    frame = predictions({"a": 50, "b": 80}).sample(frac=1, random_state=1)
    scores = per_sensor(frame).set_index("station")
    for station, mine in frame.groupby("station"):
        error = mine["soil_moisture"] - mine["soil_moisture_in_situ"]
        row = scores.loc[station]
        assert row["n"] == len(mine)
        assert row["r"] == pytest.approx(mine["soil_moisture"].corr(mine["soil_moisture_in_situ"]), abs=1e-12)
        assert row["bias"] == pytest.approx(error.mean(), abs=1e-12)
        assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean()), abs=1e-12)
        assert row["ubrmse"] == pytest.approx(error.std(ddof=0), abs=1e-12)
        assert row["lat"] == mine["lat"].iloc[0]


def test_sensors_with_too_few_samples_stay_in_the_table_and_say_so():
    scores = per_sensor(predictions({"a": 50, "few": 19, "enough": 20})).set_index("station")
    assert scores.loc["few", "left_out"] == "19 samples, 20 needed"
    assert np.isnan(scores.loc["few", ["r", "bias", "rmse", "ubrmse", "crps"]].astype(float)).all()
    assert list(scores["left_out"] == "") == [True, True, False]  # a, enough, few
    assert summary(scores.reset_index()).loc["r", "sensors"] == 2


def test_rows_without_label_or_estimate_do_not_count():
    frame = predictions({"a": 60, "b": 60})
    frame.loc[:9, "soil_moisture_in_situ"] = np.nan
    frame.loc[10:14, "soil_moisture"] = np.nan
    frame.loc[60:, "soil_moisture_in_situ"] = np.nan
    scores = per_sensor(frame).set_index("station")
    assert scores.loc["a", "n"] == 45
    assert scores.loc["b", "n"] == 0
    assert scores.loc["b", "left_out"] == "0 samples, 20 needed"


def test_a_table_without_any_label_has_sensors_and_no_scores():
    scores = per_sensor(predictions({"a": 30}).drop(columns="soil_moisture_in_situ"))
    assert scores["n"].tolist() == [0]
    assert np.isnan(summary(scores)["mean"]).all()


def test_constant_series_are_named():
    frame = predictions({"a": 40, "flat": 40, "stuck": 40})
    frame.loc[40:79, "soil_moisture"] = 0.1
    frame.loc[80:, "soil_moisture_in_situ"] = 0.3
    scores = per_sensor(frame).set_index("station")
    assert scores["note"].to_dict() == {"a": "", "flat": "constant estimate", "stuck": "constant label"}
    assert scores["r"].isna().to_dict() == {"a": False, "flat": True, "stuck": True}
    assert scores["anomaly_r"].isna().to_dict() == {"a": False, "flat": True, "stuck": True}
    assert scores["ubrmse"].notna().all()
    assert summary(scores.reset_index()).loc["r", "sensors"] == 1
    assert summary(scores.reset_index()).loc["ubrmse", "sensors"] == 3


def test_two_samples_are_the_least():
    with pytest.raises(VadoseError, match="Ask for 2 or more"):
        per_sensor(predictions({"a": 3}), min_samples=1)
    scores = per_sensor(predictions({"a": 2}), min_samples=2)
    assert abs(scores.loc[0, "r"]) == pytest.approx(1)
    assert scores.loc[0, "kendall"] == pytest.approx(scores.loc[0, "r"])


def test_summary_is_the_unweighted_mean_and_median():
    scores = per_sensor(predictions({str(i): 20 + 30 * i for i in range(7)}))
    row = summary(scores).loc["rmse"]
    assert row["mean"] == pytest.approx(scores["rmse"].mean(), abs=1e-12)
    assert row["median"] == pytest.approx(scores["rmse"].median(), abs=1e-12)
    assert row["mean_low"] < row["mean"] < row["mean_high"]
    assert row["median_low"] <= row["median"] <= row["median_high"]


def test_a_higher_level_makes_a_wider_interval():
    scores = per_sensor(predictions({str(i): 40 for i in range(12)}))
    row, wide = summary(scores).loc["r"], summary(scores, Bootstrap(level=0.95)).loc["r"]
    assert wide["mean_low"] < row["mean_low"] < row["mean"] < row["mean_high"] < wide["mean_high"] <= 1


def test_one_place_gives_no_interval():
    frame = predictions({"a": 30, "b": 30}).assign(lat=10.5)
    row = summary(per_sensor(frame)).loc["r"]
    assert np.isfinite(row["mean"])
    assert np.isnan([row["mean_low"], row["mean_high"]]).all()


def test_blocks_of_places():
    lat, lon = np.array([0.5, 0.9, -0.5, 0.5, 0.5]), np.array([10.1, 10.9, 10.1, -179.9, 180.0])
    blocks = Bootstrap().blocks(lat, lon)
    assert blocks[0] == blocks[1]
    assert len(set(blocks[[0, 2, 3]])) == 3
    assert blocks[3] == blocks[4]
    with pytest.raises(VadoseError, match="level"):
        Bootstrap(level=90)


def test_intervals_cover_the_truth_only_when_places_are_resampled():
    rng = np.random.default_rng(9)
    clusters, members, draws = 40, 5, 200
    lat = np.repeat(np.arange(clusters) + 0.5, members)
    apart = lat + np.tile(np.arange(members), clusters) * 100  # every sensor a place of its own
    hits = {"clustered": 0, "independent": 0, "median": 0}
    bootstrap = Bootstrap()
    for _ in range(draws):
        values = np.repeat(rng.normal(0, 1, clusters), members) + rng.normal(0, 0.5, lat.size)
        lon = np.zeros(lat.size)
        for name, interval in (
            ("clustered", bootstrap.mean(values, lat, lon)),
            ("independent", bootstrap.mean(values, apart, lon)),
            ("median", bootstrap.median(values, lat, lon)),
        ):
            hits[name] += interval.low <= 0 <= interval.high
    assert 0.85 <= hits["clustered"] / draws <= 0.95
    assert 0.85 <= hits["median"] / draws <= 0.97
    assert hits["independent"] / draws < 0.75


def test_the_median_of_a_crowded_place_has_no_interval():
    values = np.random.default_rng(0).normal(size=30)
    lat = np.r_[np.full(12, 0.5), np.arange(18) + 1.5]
    assert np.isnan(Bootstrap().median(values, lat, np.zeros(30)).low)
    lat[:3] = np.arange(3) + 40.5
    assert Bootstrap().median(values, lat, np.zeros(30)).low < np.median(values)


def test_a_site_of_many_sensors_is_one_place_of_the_mean_over_places():
    scores = per_sensor(predictions({str(i): 40 for i in range(16)}))
    site = np.arange(16) < 10
    scores = scores.assign(lat=np.where(site, 0.5, scores["lat"]), rmse=np.where(site, 0.1, 0.05))
    row = summary(scores).loc["rmse"]
    assert row["mean"] == pytest.approx((10 * 0.1 + 6 * 0.05) / 16)
    assert row["over_places"] == pytest.approx((0.1 + 6 * 0.05) / 7)
    assert (row["places"], row["effective"]) == (7, pytest.approx(16**2 / (10**2 + 6)))
    assert np.isnan(row["mean_low"]) and row["over_places_low"] < row["over_places"] < row["over_places_high"]


def test_coverage_is_told_by_sensor_and_by_place():
    scores = per_sensor(predictions({str(i): 40 for i in range(10)}))
    held = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 1, 1, 1, 1, 0.6])
    scores = scores.assign(lat=np.where(np.arange(10) < 5, 0.5, scores["lat"]), coverage_90=held)
    found = coverage_by(scores)
    assert found["number"].to_dict() == {"sensor": 10, "place": 6}
    assert found["under_70"].to_dict() == {"sensor": pytest.approx(0.6), "place": pytest.approx(2 / 6)}
    assert found.loc["place", "mean"] == pytest.approx((0.5 + 4 + 0.6) / 6)
    assert found.loc["sensor", "q50"] == pytest.approx(np.quantile(held, 0.5))
    assert coverage_by(scores.assign(coverage_90=np.nan))["under_70"].isna().all()


def test_reliability_weighs_samples():
    frame = predictions({"a": 30, "b": 90, "c": 50})
    frame.loc[frame["station"] == "c", "soil_moisture_std"] = np.nan
    scores = per_sensor(frame)
    stated = reliability(scores)
    with_spread = frame[frame["soil_moisture_std"].notna()]
    inside = ((with_spread["soil_moisture"] - with_spread["soil_moisture_in_situ"]).abs() <= 1.6448536 * 0.04).mean()
    assert stated.loc["coverage_90", "samples"] == 120
    assert stated.loc["coverage_90", "mean"] == pytest.approx(inside, abs=1e-12)
    assert stated.loc["coverage_50", "mean"] < stated.loc["coverage_80", "mean"] < stated.loc["coverage_95", "mean"]
    nothing = reliability(per_sensor(frame.assign(soil_moisture_std=np.nan)))
    assert nothing["mean"].isna().all()
    assert (nothing["samples"] == 0).all()


@pytest.mark.real
def test_raw_smap_at_the_real_stations(real: Path):
    table = pd.read_csv(real / "points" / "conus_10day.csv.gz", parse_dates=["period_start"])
    frame = table.rename(columns={"period_start": "time", "soil_moisture_m3m3": "soil_moisture_in_situ"})
    frame = frame.assign(sensor="5cm", soil_moisture=frame["smap_usda_ssm_mm"] / 50)
    frame = frame[["network", "station", "sensor", "lat", "lon", "time", "soil_moisture", "soil_moisture_in_situ"]]
    scores = per_sensor(frame)
    assert (scores["left_out"] == "").sum() == 84
    assert scores["n"].sum() == 8418
    row = summary(scores)["mean"]
    assert row["r"] == pytest.approx(0.715, abs=0.001)
    assert row["ubrmse"] == pytest.approx(0.083, abs=0.001)
    assert row["rmse"] == pytest.approx(0.108, abs=0.001)
    tyro = scores[scores["r"] == scores["r"].min()].iloc[0]
    assert (tyro["network"], tyro["station"]) == ("ARM", "Tyro")
    assert tyro["r"] == pytest.approx(-0.66, abs=0.01)


def test_one_place_that_fails_does_not_run_away_with_an_interval():
    values = np.concatenate([np.linspace(0.6, 0.9, 46), [-0.66]])
    found = over_places(values, np.ones(47), np.arange(47))
    low, high = found.interval(0.9)
    half = 1.679 * np.std(values, ddof=1) / np.sqrt(47)
    assert 0.75 * half < high - found.value < half < found.value - low < 1.7 * half
