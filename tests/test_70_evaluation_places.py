"""Intervals over places hold the truth as often as they say, and there are none where they could not."""

import numpy as np
import pytest
from scipy.stats import t as student

from vadose.evaluation.places import FEWEST, each_place_once, over_places

STATIONS = [36, 2, 2, *[1] * 44]
"""Sizes of the places of 84 real stations."""


def scores(sizes: list[int], replicates: int, seed: int, skewed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Departures of sensors from the truth, (replicates, sensors), and their places, whose 0.7 of the variance is."""
    rng, block = np.random.default_rng(seed), np.repeat(np.arange(len(sizes)), sizes)
    place, own = rng.normal(size=(replicates, len(sizes))), rng.normal(size=(replicates, len(block)))
    z = np.sqrt(0.7) * place[:, block] + np.sqrt(0.3) * own
    if not skewed:
        return z, block
    return np.tanh(1.03 + 0.35 * z) - np.tanh(1.03 + 0.35 * rng.normal(size=1_000_000)).mean(), block


@pytest.mark.parametrize("skewed", [False, True], ids=["normal", "R"])
@pytest.mark.parametrize("sizes", [[4] * 5, STATIONS], ids=len)
def test_ninety_per_cent_intervals_hold_the_truth_and_p_values_step_with_them(sizes: list[int], skewed: bool):
    values, block = scores(sizes, 400, seed=len(sizes), skewed=skewed)
    percentile = np.random.default_rng(0).multinomial(len(sizes), [1 / len(sizes)] * len(sizes), size=200)
    held, by_place, chance, plain = [], [], [], []
    for row in values:
        found = over_places(row, np.ones(len(block)), block)
        places = over_places(row, each_place_once(block), block)
        ends, (low, high) = found.interval(0.9), places.interval(0.9)
        held.append(ends[0] <= 0 <= ends[1])
        by_place.append(low <= 0 <= high)
        chance.append(found.p())
        draws = (percentile @ np.bincount(block, row)) / (percentile @ np.array(sizes))
        plain.append(np.quantile(draws, 0.05) <= 0 <= np.quantile(draws, 0.95))
    assert 0.86 <= np.mean(held) <= 0.955, np.mean(held)
    assert 0.86 <= np.mean(by_place) <= 0.94, np.mean(by_place)
    assert np.mean(plain) < np.mean(held) - 0.01
    assert np.array_equal(np.array(chance) >= 0.1, held)


def test_with_fewer_than_five_effective_places_there_is_none():
    rng = np.random.default_rng(1)
    four = over_places(rng.normal(size=4), np.ones(4), np.arange(4))
    crowded = np.repeat(np.arange(40), [60, *[1] * 39])
    most = over_places(rng.normal(size=99), np.ones(99), crowded)
    assert four.effective == pytest.approx(4) and most.places == 40 and most.effective < FEWEST
    for found in (four, most):
        assert np.isfinite(found.value) and np.isnan([*found.interval(0.9), found.p()]).all()
    assert np.isfinite(over_places(rng.normal(size=99), each_place_once(crowded), crowded).interval(0.9)).all()
    nothing = over_places(np.zeros(0), np.zeros(0), np.zeros(0, np.intp))
    assert np.isnan([nothing.value, *nothing.interval(0.9), nothing.p()]).all()


def test_places_of_one_sensor_without_skewness_have_the_t_interval():
    values = np.array([-3.0, -1, 0, 0, 1, 3]) + 5
    half = student.isf(0.05, 5) * values.std(ddof=1) / np.sqrt(6)
    found = over_places(values, np.ones(6), np.arange(6))
    np.testing.assert_allclose(found.interval(0.9), (5 - half, 5 + half))
    assert found.p() == pytest.approx(2 * student.sf(5 / (values.std(ddof=1) / np.sqrt(6)), 5))


def test_a_long_tail_widens_the_side_where_it_lies():
    values = np.array([0.8, 0.82, 0.79, 0.81, 0.83, 0.8, 0.78, 0.3])
    low, high = over_places(values, np.ones(8), np.arange(8)).interval(0.9)
    mean = values.mean()
    assert mean - low > high - mean > 0
    mirrored = over_places(-values, np.ones(8), np.arange(8)).interval(0.9)
    np.testing.assert_allclose(mirrored, (-high, -low))


def test_the_order_and_the_scale_of_weights_do_not_matter():
    rng, block = np.random.default_rng(2), np.repeat(np.arange(9), [5, 3, *[1] * 7])
    values, weights, order = rng.normal(size=15), rng.uniform(1, 9, 15), rng.permutation(15)
    found = over_places(values, weights, block)
    again = over_places(values[order], 7 * weights[order], block[order])
    assert found.value == pytest.approx((values * weights).sum() / weights.sum())
    np.testing.assert_allclose(found.interval(0.9), again.interval(0.9))


def test_no_difference_anywhere_is_no_chance():
    nothing = over_places(np.zeros(8), np.ones(8), np.arange(8))
    assert nothing.interval(0.9) == (0, 0) and nothing.p() == 1
    assert over_places(np.ones(8), np.ones(8), np.arange(8)).p() == 0
