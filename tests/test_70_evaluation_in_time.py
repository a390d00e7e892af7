"""Intervals from blocks of time cover the truth, draws of single samples do not; differences and their p-values."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, kstest

from simulated_series import autoregressive, simulated
from vadose.evaluation import (
    Bootstrap,
    Moments,
    block_length,
    bootstrap_p,
    differences,
    effective_samples,
    holm,
    per_sensor,
    score,
    temporal_bootstrap,
)
from vadose.evaluation.blocks import resampled_moments, tail
from vadose.evaluation.metric import METRICS, pearson_r

R = 0.7


def test_blocks_of_time_cover_the_truth_and_single_samples_do_not():
    """Of 250 simulated series the 90 % intervals hold the true R; `benchmarks/bootstrap_coverage.py` takes 500."""
    table = simulated(R, 0.85, samples=1000, sensors=250, seed=11)
    found = temporal_bootstrap(table, bootstrap=Bootstrap(draws=400)).sensors["product 0"]
    held = (found["r_low"] <= R) & (found["r_high"] >= R)
    rng, single = np.random.default_rng(0), []
    for _, rows in table["product 0"].groupby("station"):
        (moments,) = resampled_moments(
            [rows["soil_moisture"].to_numpy()], rows["soil_moisture_in_situ"].to_numpy(), 1, 400, rng
        )
        low, high = np.quantile(pearson_r(moments), [0.05, 0.95])
        single.append(low <= R <= high)
    assert 0.85 <= held.mean() <= 0.95
    assert np.mean(single) < 0.7


def test_effective_samples_are_those_of_the_process():
    memory, n = 0.8, 4000
    p, t = autoregressive(memory, n, 2, np.random.default_rng(1))
    one = np.zeros(n, np.intp)
    expected = n * (1 - memory**2) / (1 + memory**2)
    assert effective_samples(p, t, one, 1)[0] == pytest.approx(expected, rel=0.25)
    assert effective_samples(p, np.random.default_rng(2).normal(size=n), one, 1)[0] > 0.8 * n
    assert np.isnan(effective_samples(np.full(50, 0.5), t[:50], one[:50], 1)[0])


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(0, 99))
def test_effective_samples_know_no_neighbour(sizes, seed):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    p, t = rng.normal(size=(2, len(group))).cumsum(axis=1)
    found = effective_samples(p, t, group, len(sizes))
    for place, size in enumerate(sizes):
        own = effective_samples(p[group == place], t[group == place], np.zeros(size, np.intp), 1)
        np.testing.assert_allclose(found[place], own[0], rtol=1e-9)
        assert np.isnan(found[place]) or 1 <= found[place] <= size


def test_blocks_solve_their_equation_and_grow_with_memory():
    n = np.full(4, 2557)
    length = block_length(n, np.array([2557.0, 1000, 300, 50]))
    assert (np.diff(length) > 0).all()
    assert length[0] == -(-2557 // 150)
    for own, worth in zip(length[1:], (1000.0, 300, 50), strict=True):
        assert own == pytest.approx((2557 - own + 1) ** (2 / 3 * (1 - worth / 2557)), abs=1)
    assert block_length(np.array([0, 1, 2, 3]), np.array([np.nan, 1, 1, 1])).tolist() == [1, 1, 1, 1]


def test_draws_of_blocks_are_sums_over_the_samples_drawn():
    rng = np.random.default_rng(3)
    p, q, t = rng.uniform(0.1, 0.4, (3, 50))
    first, second = resampled_moments([p, q], t, 8, 20, np.random.default_rng(7))
    picks = np.random.default_rng(7).integers(0, 50, 20 * 6, dtype=np.int32).reshape(20, 6)
    for draw, starts in enumerate(picks):
        rows = (starts[:, np.newaxis] + np.arange(8)).ravel() % 50
        for found, own in ((first, p), (second, q)):
            expected = Moments.of(own[rows], t[rows], np.zeros(len(rows), np.intp), 1)
            for name in ("n", "p", "t", "pp", "tt", "pt", "dd"):
                assert getattr(found, name)[draw] == pytest.approx(getattr(expected, name)[0], abs=1e-12)


def test_few_blocks_give_wider_intervals():
    assert tail(0.9, 10_000) == pytest.approx(0.05, abs=1e-3)
    assert tail(0.9, 5) < tail(0.9, 20) < 0.05


def test_a_sensor_has_the_same_intervals_in_whatever_table_it_stands():
    tables = simulated(R, 0.8, samples=80, sensors=6, products=2, seed=4)
    whole = temporal_bootstrap(tables).sensors["product 1"]
    part = temporal_bootstrap({name: table[table["station"] >= "s0003"] for name, table in tables.items()}).sensors[
        "product 1"
    ]
    pd.testing.assert_frame_equal(whole.iloc[3:].reset_index(drop=True), part)


def test_values_are_those_of_per_sensor_and_few_samples_have_none():
    tables = {name: table.iloc[:-70] for name, table in simulated(R, 0.8, samples=80, sensors=3, seed=5).items()}
    found, scores = temporal_bootstrap(tables).sensors["product 0"], per_sensor(tables["product 0"])
    names = [metric.name for metric in METRICS]
    np.testing.assert_allclose(found[names], scores[names], rtol=1e-12)
    assert found[names].isna().all(axis=1).tolist() == [False, False, True]
    np.testing.assert_allclose(found["n_effective"][:2], scores["n_effective"][:2])
    assert ((found["r_low"] <= found["r"]) & (found["r"] <= found["r_high"]))[:2].all()


def test_a_difference_that_is_none_has_p_values_spread_evenly():
    found = temporal_bootstrap(
        simulated(R, 0.5, samples=300, sensors=200, products=2, seed=6), bootstrap=Bootstrap(draws=400)
    )
    p = found.differences["product 1"]["r_p"]
    assert kstest(p, "uniform").pvalue > 0.01
    apart = found.differences["product 1"]
    outside = (apart["r_low"] > 0) | (apart["r_high"] < 0)
    assert (outside == (p < 0.1)).mean() > 0.97


def test_a_difference_that_is_there_is_found_in_time_and_over_sensors():
    tables = simulated(R, 0.5, samples=300, sensors=40, products=1, seed=7)
    better = tables["product 0"].assign(
        soil_moisture=lambda f: 0.5 * f["soil_moisture"] + 0.5 * f["soil_moisture_in_situ"]
    )
    found = temporal_bootstrap({"better": better, "worse": tables["product 0"]})
    assert (found.differences["worse"]["ubrmse_p"] < 0.01).mean() > 0.95
    row = found.means.query("product == 'better' and minus == 'worse' and score == 'ubrmse'").iloc[0]
    assert row["high"] < 0
    assert row["p"] < 0.01
    both = differences(per_sensor(better), per_sensor(tables["product 0"]))
    assert row["mean"] == pytest.approx(both.loc["ubrmse", "difference"], abs=1e-12)


def test_intervals_of_means_are_not_narrower_than_chance_in_time_makes_them():
    table = simulated(R, 0.9, samples=120, sensors=1, seed=9)["product 0"]
    alike = [table.assign(station=f"s{i}", lat=i + 0.5) for i in range(40)]
    row = temporal_bootstrap({"one": pd.concat(alike)}).means.set_index("score").loc["r"]
    scores = per_sensor(pd.concat(alike))
    places = Bootstrap().mean(*(scores[name].to_numpy() for name in ("r", "lat", "lon")))
    assert row["mean"] == pytest.approx(places.value, abs=1e-12)
    assert places.high - places.low < 1e-6 < row["high"] - row["low"]
    apart = simulated(R, 0.9, samples=120, sensors=40, seed=9)
    row, scores = temporal_bootstrap(apart).means.set_index("score").loc["r"], per_sensor(apart["product 0"])
    places = Bootstrap().mean(*(scores[name].to_numpy() for name in ("r", "lat", "lon")))
    assert row["high"] - row["low"] >= places.high - places.low - 1e-12


def test_intervals_of_means_over_sensors_cover_the_mean_of_all_sensors():
    """The truth is the mean over 500 sensors with series as short; the intervals of 25 sets of 20 hold it."""
    table = simulated(R, 0.8, samples=120, sensors=500, seed=12)["product 0"]
    truth = per_sensor(table)[["r", "ubrmse"]].mean()
    held = {"r": 0, "ubrmse": 0}
    for first in range(0, 500, 20):
        part = table[table["station"].between(f"s{first:04d}", f"s{first + 19:04d}")]
        row = temporal_bootstrap({"one": part}, bootstrap=Bootstrap(draws=100)).means.set_index("score")
        for score_name in held:
            held[score_name] += row.loc[score_name, "low"] <= truth[score_name] <= row.loc[score_name, "high"]
    assert min(held.values()) >= 20 and sum(held.values()) <= 49


def test_one_place_has_intervals_of_sensors_and_none_of_their_mean():
    found = temporal_bootstrap(simulated(R, 0.8, samples=60, sensors=4, apart=0.001))
    assert found.means["low"].isna().all()
    assert found.sensors["product 0"]["r_low"].notna().all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_p_value_and_bonferroni(p):
    p = np.array(p)
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= np.minimum(p * len(p), 1)).all()
    assert (corrected >= false_discovery_control(p) - 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()


def test_holm_of_an_example_and_of_what_is_no_hypothesis():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_array_equal(holm(np.array([np.nan, 0.02])), [np.nan, 0.02])


def test_p_values_are_never_zero_and_none_without_draws():
    draws = np.column_stack([np.linspace(1, 2, 99), np.linspace(-1, 1, 99)])
    np.testing.assert_allclose(bootstrap_p(draws), [0.02, 1])
    assert np.isnan(bootstrap_p(np.zeros((0, 2)))).all()


def test_scores_of_several_products_have_p_values_corrected_for_their_number():
    tables = simulated(R, 0.3, samples=60, sensors=30, products=4, seed=10)
    products = score(tables).products
    p = np.array([product.differences.loc["r", "p"] for product in products[1:]])
    np.testing.assert_allclose([product.differences.loc["r", "p_holm"] for product in products[1:]], holm(p))
    assert products[0].differences["p_holm"].isna().all()
