"""Scores of parts of the period, trends of scores, parts of MSE, rescaling."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, theilslopes

import vadose
from simulated_series import simulated
from vadose.errors import VadoseError
from vadose.evaluation import Bootstrap, check, per_sensor, rescale, stability, subperiods
from vadose.report.extra_scores import sampling


def table(samples: int = 1500, sensors: int = 6, seed: int = 3) -> pd.DataFrame:
    return check(simulated(0.7, 0.9, samples=samples, sensors=sensors, seed=seed)["product 0"])


def test_parts_of_mse_sum_to_it():
    scores = per_sensor(table())
    parts = scores[["mse_corr", "mse_bias", "mse_var"]].sum(axis=1)
    np.testing.assert_allclose(parts, scores["mse"], rtol=1e-12)


def test_kendall_is_tau_b_and_undefined_for_a_constant():
    whole = table(200, 2)
    whole["soil_moisture"] = whole["soil_moisture"].round(2)
    first = whole["station"] == whole["station"].iloc[0]
    scores = per_sensor(whole).set_index("station")
    own = whole[first]
    expected = kendalltau(own["soil_moisture"], own["soil_moisture_in_situ"]).statistic
    assert scores.loc[own["station"].iloc[0], "kendall"] == pytest.approx(expected, abs=1e-12)
    constant = per_sensor(whole.assign(soil_moisture=whole["soil_moisture"].where(first, 0.2))).set_index("station")
    assert constant["kendall"].isna().tolist() == [False, True]


@pytest.mark.parametrize("parts", ["month", "season", "year", "rolling"])
def test_a_part_is_scored_as_its_samples_alone(parts):
    whole = table()
    found = subperiods({"one": whole}, parts, min_samples=10)
    time = whole["time"]
    own = {
        "month": lambda name: time.dt.strftime("%b") == name,
        "season": lambda name: time.dt.month.isin(
            {"Dec-Feb": (12, 1, 2), "Mar-May": (3, 4, 5), "Jun-Aug": (6, 7, 8), "Sep-Nov": (9, 10, 11)}[name]
        ),
        "year": lambda name: time.dt.year == int(name),
        "rolling": lambda name: time.dt.normalize().between(*name.split(" to ")),
    }[parts]
    assert len(found) > 3 and (found["sensors"] > 0).sum() > 3
    for row in found[found["sensors"] > 0].to_dict("records"):
        held = whole[own(row["part"]).to_numpy()]
        expected = per_sensor(held, 10)
        expected = expected[expected["left_out"] == ""]
        assert row["sensors"] == len(expected) and row["samples"] == expected["n"].sum()
        for score in ("r", "ubrmse", "rmse", "bias"):
            assert row[score] == pytest.approx(expected[score].mean(), abs=1e-12)


def test_sensors_with_too_few_samples_of_a_part_are_counted():
    whole = table(400, 3)
    cut = whole[
        (whole["station"] != whole["station"].iloc[0]) | (whole["time"].dt.month != 3) | (whole["time"].dt.day < 4)
    ]
    march = subperiods({"one": cut}, "month", min_samples=20).set_index("part").loc["Mar"]
    assert (march["sensors"], march["too_few"]) == (2, 1)


def test_a_rolling_window_needs_a_length():
    with pytest.raises(VadoseError, match="not positive"):
        subperiods({"one": table(50, 1)}, "rolling", days=0)


def drifting(drift: float, sensors: int = 8, years: int = 8, seed: int = 0) -> pd.DataFrame:
    """Daily-like series whose bias changes by `drift` m3 m-3 per decade."""
    rng = np.random.default_rng(seed)
    time = pd.date_range("2010-01-01", periods=37 * years, freq="10D")
    since = np.asarray((time - time[0]) / pd.Timedelta(days=3652.5))
    parts = []
    for number in range(sensors):
        truth = 0.25 + 0.05 * rng.standard_normal(time.size)
        estimate = truth + 0.02 * rng.standard_normal(time.size) + drift * since + 0.02 * rng.standard_normal() * since
        parts.append(
            pd.DataFrame(
                {"network": "N", "station": f"s{number:03d}", "sensor": "p", "lat": 10.0 + 2 * number, "lon": 5.0}
                | {"time": time, "soil_moisture": estimate, "soil_moisture_in_situ": truth}
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_a_trend_is_the_median_slope_of_the_yearly_scores():
    whole = drifting(0.05)
    found = stability(whole).sensors.set_index("station")
    for station, rows in check(whole).groupby("station"):
        yearly = per_sensor(rows.assign(sensor=rows["time"].dt.year.astype(str)))
        yearly = yearly[yearly["left_out"] == ""]
        years = yearly["sensor"].astype(int)
        for score in ("r", "ubrmse", "bias"):
            expected = 10 * theilslopes(yearly[score], years)[0]
            assert found.loc[station, f"{score}_per_decade"] == pytest.approx(expected, abs=1e-12)


def test_a_trend_needs_three_years():
    found = stability(drifting(0.05, years=2))
    assert found.sensors["bias_per_decade"].isna().all() and found.summary["sensors"].eq(0).all()


def test_intervals_of_mean_trends_cover():
    """The 90 % interval of the mean trend holds the true one in nine of ten sets of twelve places."""
    held = []
    for seed in range(150):
        row = (
            stability(drifting(0.03, sensors=12, years=5, seed=seed), bootstrap=Bootstrap())
            .summary.set_index("score")
            .loc["bias"]
        )
        held.append(row["low"] <= 0.03 <= row["high"])
    assert 0.83 <= np.mean(held) <= 0.96


def test_rescaling_is_named_above_all_figures(tmp_path):
    whole = table(300, 5)
    card = vadose.evaluate(whole, scaling="mean-std", out=tmp_path / "card")
    assert card.sensors["bias"].abs().max() < 1e-9
    page = (tmp_path / "card" / "scorecard.html").read_text()
    assert "Rescaled (mean-std)" in page and "not of the products" in page
    plain = vadose.evaluate(whole)
    np.testing.assert_allclose(plain.sensors["r"], card.sensors["r"], atol=1e-12)
    assert plain.sensors["bias"].abs().max() > 1e-3 and "Rescaled" not in str(plain)
    with pytest.raises(VadoseError, match="Published figures are of products as they are"):
        vadose.evaluate(whole, scaling="cdf", literature="published")


def test_rescaling_keeps_the_sign_of_r_and_scales_the_standard_deviation():
    whole = table(300, 2)
    turned = whole.assign(soil_moisture=0.5 - whole["soil_moisture"], soil_moisture_std=0.02)
    before = per_sensor(turned)
    for way in ("linear", "mean-std", "min-max"):
        scaled = rescale(turned, way)
        np.testing.assert_allclose(per_sensor(scaled)["r"], before["r"], atol=1e-9)
        for station, rows in scaled.groupby("station"):
            own = turned.loc[turned["station"] == station, "soil_moisture"]
            ratio = rows["soil_moisture"].std() / own.std()
            np.testing.assert_allclose(rows["soil_moisture_std"], 0.02 * ratio, rtol=1e-9)
    with pytest.raises(VadoseError, match="mean-std, linear, min-max, cdf"):
        rescale(turned, "quantile")


def test_a_constant_estimate_is_not_rescaled():
    whole = table(100, 2)
    first = whole["station"] == whole["station"].iloc[0]
    scaled = rescale(whole.assign(soil_moisture=whole["soil_moisture"].where(~first, 0.2)), "cdf")
    assert scaled.loc[first, "soil_moisture"].isna().all() and scaled.loc[~first, "soil_moisture"].notna().all()


@pytest.mark.parametrize(
    ("freq", "name"), [("3h", "sub-daily (3-hourly)"), ("D", "daily"), ("10D", "10-day"), ("36h", "1.5-day")]
)
def test_sampling_is_named(freq, name):
    parts = [
        pd.DataFrame(
            {"network": "N", "station": station, "sensor": "p", "lat": 1.0, "lon": 1.0, "soil_moisture": 0.2}
            | {"time": pd.date_range("2020-01-01", periods=30, freq=freq)}
        )
        for station in "ab"
    ]
    assert sampling(check(pd.concat(parts))) == name
