"""Statistics that add, the metrics made of them, anomalies, and the scores of a spread."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytesmo.metrics
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pytesmo.time_series.anomaly import calc_anomaly
from scipy.integrate import quad
from scipy.stats import norm

from vadose.evaluation import METRICS, Moments, per_sensor
from vadose.evaluation.anomaly import anomalies, window_samples
from vadose.evaluation.metric import bias, kge, mse, pearson_r, rmse, slope, std_ratio, ubrmse
from vadose.evaluation.uncertainty import LEVELS, covered, crps_gaussian
from vadose.report.extra_scores import window_words

MOISTURE = st.integers(0, 600_000).map(lambda millionths: millionths / 1e6)


@st.composite
def pairs(draw, groups=3):
    """Estimates, labels and groups of one to 60 samples."""
    size = draw(st.integers(1, 60))
    p, t = (draw(hnp.arrays(np.float64, size, elements=MOISTURE)) for _ in range(2))
    return p, t, draw(hnp.arrays(np.intp, size, elements=st.integers(0, groups - 1)))


def one(p, t) -> Moments:
    return Moments.of(np.asarray(p), np.asarray(t), np.zeros(len(p), np.intp), 1)


def values(moments: Moments) -> dict[str, np.ndarray]:
    return {metric.name: metric.of(moments) for metric in METRICS}


@given(pairs(), st.data())
def test_chunks_add_to_the_whole(series, data):
    p, t, group = series
    cut = sorted(data.draw(st.lists(st.integers(0, len(p)), max_size=4)))
    chunks = [np.s_[a:b] for a, b in zip([0, *cut], [*cut, len(p)], strict=True)]
    total = sum(
        (Moments.of(p[c], t[c], group[c], 3) for c in chunks[1:]), Moments.of(*(a[chunks[0]] for a in series), 3)
    )
    whole = Moments.of(p, t, group, 3)
    for name in ("n", "p", "t", "pp", "tt", "pt", "dd"):
        np.testing.assert_allclose(getattr(total, name), getattr(whole, name), rtol=1e-12, atol=1e-12)


@given(pairs())
def test_adding_is_symmetric_and_nothing_adds_nothing(series):
    p, t, group = series
    half = len(p) // 2
    a, b = (Moments.of(p[s], t[s], group[s], 3) for s in (np.s_[:half], np.s_[half:]))
    nothing = Moments.of(p[:0], t[:0], group[:0], 3)
    for name in ("n", "p", "t", "pp", "tt", "pt", "dd"):
        np.testing.assert_allclose(getattr(a + b, name), getattr(b + a, name), rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(getattr(a + nothing, name), getattr(a, name))
        np.testing.assert_array_equal(getattr(nothing + a, name), getattr(a, name))


def test_sums_keep_their_digits_far_from_zero():
    rng = np.random.default_rng(1)
    p = rng.normal(0, 1e-4, 1000)
    t = p + rng.normal(0, 1e-6, 1000)
    near, far = one(p, t), one(p + 1000, t + 1000)
    assert ubrmse(far)[0] == pytest.approx(ubrmse(near)[0], rel=1e-5)
    assert pearson_r(far)[0] == pytest.approx(pearson_r(near)[0], abs=1e-8)


def test_means_of_millions_keep_their_digits():
    p = np.random.default_rng(6).uniform(0.3, 0.3001, 2_000_000)
    m = one(p, np.full(p.size, 0.1))
    assert m.p[0] == pytest.approx(math.fsum(p) / p.size, abs=1e-16)
    assert bias(m)[0] == pytest.approx(math.fsum(p) / p.size - 0.1, abs=1e-15)


@given(pairs(groups=1), st.floats(0.1, 10), st.floats(-1, 1))
def test_scores_under_shift_and_scale(series, scale, shift):
    p, t, _ = series
    assume(len(p) > 2 and p.std() > 1e-3 and t.std() > 1e-3)
    m, moved, scaled = one(p, t), one(p + shift, t), one(scale * p, scale * t)
    assert pearson_r(one(scale * p + shift, t)) == pytest.approx(pearson_r(m), abs=1e-9)
    assert pearson_r(one(-p, t)) == pytest.approx(-pearson_r(m), abs=1e-9)
    assert ubrmse(moved) == pytest.approx(ubrmse(m), abs=1e-12)
    assert bias(moved) == pytest.approx(bias(m) + shift, abs=1e-12)
    for metric in (bias, rmse, ubrmse):
        assert metric(scaled) == pytest.approx(scale * metric(m), rel=1e-9, abs=1e-12)
    assert slope(one(scale * p, t)) == pytest.approx(scale * slope(m), rel=1e-9, abs=1e-12)
    assert std_ratio(one(scale * p, t)) == pytest.approx(scale * std_ratio(m), rel=1e-9)


@given(pairs(groups=1), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_ubrmse_is_below_rmse(series, random):
    p, t, _ = series
    order = list(range(len(p)))
    random.shuffle(order)
    for name, value in values(one(p, t)).items():
        np.testing.assert_allclose(values(one(p[order], t[order]))[name], value, rtol=1e-7, atol=1e-12)
    m = one(p, t)
    assert ubrmse(m)[0] <= rmse(m)[0] + 1e-15
    assert mse(m)[0] == pytest.approx(bias(m)[0] ** 2 + ubrmse(m)[0] ** 2, abs=1e-15)
    assert rmse(m)[0] == pytest.approx(np.sqrt(np.mean((p - t) ** 2)), abs=1e-12)


def test_metrics_against_their_formulas():
    rng = np.random.default_rng(2)
    t = rng.uniform(0.05, 0.4, 200)
    p = 0.6 * t + 0.1 + rng.normal(0, 0.03, 200)
    m, r = one(p, t), np.corrcoef(p, t)[0, 1]
    assert pearson_r(m)[0] == pytest.approx(r, abs=1e-12)
    assert slope(m)[0] == pytest.approx(np.polyfit(t, p, 1)[0], abs=1e-10)
    assert std_ratio(m)[0] == pytest.approx(p.std() / t.std(), abs=1e-12)
    expected = 1 - np.sqrt((r - 1) ** 2 + (p.std() / t.std() - 1) ** 2 + (p.mean() / t.mean() - 1) ** 2)
    assert kge(m)[0] == pytest.approx(expected, abs=1e-12)
    assert kge(one(t, t))[0] == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("constant", [0.1, 0.3, np.float64(np.float32(0.1)), 0.0])
def test_a_constant_series_has_no_correlation(constant):
    t = np.random.default_rng(3).uniform(0, 0.5, 777)
    flat = np.full(777, constant)
    assert np.isnan(pearson_r(one(flat, t))[0])
    assert np.isnan(pearson_r(one(t, flat))[0])
    assert np.isnan(slope(one(t, flat))[0])
    assert slope(one(flat, t))[0] == pytest.approx(0, abs=1e-12)
    assert ubrmse(one(flat, t))[0] == pytest.approx(t.std(), abs=1e-12)


def test_groups_without_pairs_have_no_score():
    empty = Moments.of(np.array([]), np.array([]), np.array([], np.intp), 2)
    for name, value in values(empty).items():
        assert np.isnan(value).all(), name


def test_scores_agree_with_pytesmo_on_random_series():
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(20), 150)
    t = rng.uniform(0.02, 0.5, group.size)
    p = 0.5 * t + rng.normal(0.1, 0.05, group.size)
    m = Moments.of(p, t, group, 20)
    for sensor in range(20):
        _agrees_with_pytesmo(m, sensor, p[group == sensor], t[group == sensor])


@pytest.mark.real
def test_scores_agree_with_pytesmo_on_real_stations(real: Path):
    table = pd.read_csv(real / "points" / "conus_10day.csv.gz", parse_dates=["period_start"])
    table = table.dropna(subset=["smap_usda_ssm_mm", "soil_moisture_m3m3"]).sort_values(["station", "period_start"])
    group, stations = pd.factorize(table["station"])
    p, t = (table["smap_usda_ssm_mm"] / 50).to_numpy(), table["soil_moisture_m3m3"].to_numpy()
    m = Moments.of(p, t, group, len(stations))
    short = anomalies((p, t), table["period_start"].to_numpy().astype("datetime64[ns]"), group)
    anomaly_r = pearson_r(Moments.of(*short, group, len(stations)))
    assert len(stations) == 84
    for sensor in range(84):
        mine = group == sensor
        _agrees_with_pytesmo(m, sensor, p[mine], t[mine])
        index = pd.DatetimeIndex(table["period_start"][mine])
        theirs = [calc_anomaly(pd.Series(values[mine], index), window_size=35) for values in (p, t)]
        assert anomaly_r[sensor] == pytest.approx(pytesmo.metrics.pearson_r(*(s.to_numpy() for s in theirs)), abs=1e-6)


def _agrees_with_pytesmo(m: Moments, sensor: int, p: np.ndarray, t: np.ndarray) -> None:
    theirs = pytesmo.metrics
    assert pearson_r(m)[sensor] == pytest.approx(theirs.pearson_r(p, t), abs=1e-6)
    assert bias(m)[sensor] == pytest.approx(theirs.bias(p, t), abs=1e-6)
    assert rmse(m)[sensor] == pytest.approx(theirs.rmsd(p, t), abs=1e-6)
    assert ubrmse(m)[sensor] == pytest.approx(theirs.ubrmsd(p, t), abs=1e-6)


def test_anomalies_take_the_season_away_and_know_no_neighbour():
    days = np.arange("2019-01-01", "2021-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
    time = np.concatenate([days, days])
    group = np.repeat([0, 1], days.size)
    season = 0.2 + 0.1 * np.sin(2 * np.pi * np.arange(days.size) / 365)
    both = np.concatenate([season, season + 0.3])
    (departure,) = anomalies((both,), time, group)
    inner = (np.arange(days.size) > 17) & (np.arange(days.size) < days.size - 18)
    assert np.abs(departure[: days.size][inner]).max() < 0.002
    np.testing.assert_allclose(departure[: days.size], departure[days.size :], atol=1e-12)


def test_the_window_of_anomalies_holds_both_its_ends():
    time = np.array(["2020-01-01T00", "2020-01-18T12", "2020-02-05T00", "2020-02-22T13"], "datetime64[ns]")
    values = np.array([0.1, 0.2, 0.6, 0.3])
    (departure,) = anomalies((values,), time, np.zeros(4, np.intp))
    np.testing.assert_allclose(departure, [-0.05, -0.1, 0.2, 0.0], atol=1e-15)
    theirs = calc_anomaly(pd.Series(values, pd.DatetimeIndex(time)), window_size=35)
    np.testing.assert_allclose(departure, theirs, atol=1e-12)


def test_windows_tell_how_many_samples_they_hold():
    steps = {"day": 1, "ten days": 10, "forty days": 40}
    times = [pd.date_range("2020-01-01", periods=150, freq=f"{step}D").to_numpy() for step in steps.values()]
    group = np.repeat(np.arange(3), 150)
    held = window_samples(np.concatenate(times), group, 4)
    np.testing.assert_array_equal(held, [35, 3, 1, np.nan])
    assert np.isnan(window_samples(times[0][:0], group[:0], 1)).all()


def test_a_window_of_one_sample_has_no_anomaly_and_one_of_three_is_marked():
    def sensors(step):
        rng, size = np.random.default_rng(0), 150
        truth = rng.uniform(0.1, 0.4, size)
        keys = {"network": "N", "station": "a", "sensor": "s", "lat": 1.5, "lon": 2.5}
        time = pd.date_range("2020-01-01", periods=size, freq=f"{step}D")
        table = {"time": time, "soil_moisture": truth + rng.normal(0, 0.05, size), "soil_moisture_in_situ": truth}
        return per_sensor(pd.DataFrame(keys | table))

    daily, ten, forty = (sensors(step) for step in (1, 10, 40))
    assert [np.isnan(one.loc[0, "anomaly_r"]) for one in (daily, ten, forty)] == [False, False, True]
    assert window_words(daily["anomaly_samples"]) == "which contains 35 samples in the median of sensors (35 to 35)"
    assert "is not comparable with that of daily series" in window_words(ten["anomaly_samples"])
    assert "no R of these anomalies for 1 sensor with fewer than 3" in window_words(forty["anomaly_samples"])


def test_anomalies_of_nothing():
    assert [len(a) for a in anomalies((np.array([]),), np.array([], "datetime64[ns]"), np.array([], np.intp))] == [0]


@given(st.floats(0, 0.5), st.floats(0.005, 0.2), st.floats(0, 0.6))
def test_crps_is_its_integral(mean, spread, truth):
    below, _ = quad(lambda x: norm.cdf(x, mean, spread) ** 2, min(mean, truth) - 10 * spread, truth, limit=200)
    above, _ = quad(lambda x: norm.sf(x, mean, spread) ** 2, truth, max(mean, truth) + 10 * spread, limit=200)
    score = crps_gaussian(np.array([mean]), np.array([spread]), np.array([truth]))
    assert score[0] == pytest.approx(below + above, abs=1e-6)


def test_crps_without_spread_and_with_none_stated():
    score = crps_gaussian(np.array([0.2, 0.2]), np.array([0.0, np.nan]), np.array([0.25, 0.25]))
    assert score[0] == pytest.approx(0.05)
    assert np.isnan(score[1])


@pytest.mark.parametrize("percent", LEVELS)
def test_a_true_spread_covers_what_it_says(percent):
    rng = np.random.default_rng(5)
    spread = rng.uniform(0.02, 0.1, 40_000)
    mean = rng.uniform(0.1, 0.4, 40_000)
    truth = rng.normal(mean, spread)
    assert covered(mean, spread, truth, percent).mean() == pytest.approx(percent / 100, abs=0.01)
    assert covered(mean, spread / 2, truth, percent).mean() < percent / 100 - 0.1
    assert np.isnan(covered(mean, spread * np.nan, truth, percent)).all()
