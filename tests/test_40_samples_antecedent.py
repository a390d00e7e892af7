"""The past of a table's rows: the same steps of time as fusion has."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vadose.dataset.history_features import history_features
from vadose.fusion.history import step_means, steps_of


@given(
    hours=st.lists(st.integers(0, 24 * 60), min_size=1, max_size=25, unique=True).map(sorted),
    seed=st.integers(0, 99),
    steps=st.integers(1, 6),
    step_days=st.sampled_from([0.5, 1.0, 3.0, 10.0]),
)
def test_antecedent_rows_fall_in_the_same_steps_as_observations_do_in_fusion(
    hours: list[int], seed: int, steps: int, step_days: float
) -> None:
    random = np.random.default_rng(seed)
    times = np.datetime64("2020-01-01", "ns") + np.array(hours) * np.timedelta64(1, "h")
    values = random.random((len(hours), 2))
    values[random.random(values.shape) < 0.3] = np.nan
    found = history_features(times, values, steps, step_days)
    for row, moment in enumerate(times):
        step = steps_of(times, moment, steps, step_days)
        expected = step_means(values[:, np.newaxis, :], step, steps)[:, 0]
        np.testing.assert_allclose(found[row], expected, rtol=1e-6)


@given(hnp.arrays(np.float64, 5, elements=st.floats(0, 1)))
def test_the_row_itself_is_its_first_step_exactly(values: np.ndarray) -> None:
    times = np.datetime64("2020-01-01", "ns") + np.arange(5) * np.timedelta64(10, "D")
    found = history_features(times, values[:, np.newaxis], 2, 10.0)
    np.testing.assert_array_equal(found[:, 0, 0], values.astype(np.float32))
    np.testing.assert_array_equal(found[1:, 1, 0], values[:-1].astype(np.float32))


def test_a_step_is_a_mean_weighted_by_what_was_seen():
    values = np.array([0.2, 0.4, np.nan])[:, np.newaxis, np.newaxis]
    share = np.array([1.0, 1 / 1024, 1.0])[:, np.newaxis, np.newaxis]
    step = np.array([0, 0, 0])
    assert step_means(values, step, 1, share)[0, 0, 0] == np.float32((0.2 + 0.4 / 1024) / (1 + 1 / 1024))
    assert step_means(values, step, 1)[0, 0, 0] == np.float32(0.3)
    alone = step_means(values[1:2], step[:1], 2, share[1:2])
    assert alone[0, 0, 0] == np.float32(0.4)
    assert np.isnan(alone[1, 0, 0])
