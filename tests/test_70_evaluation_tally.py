"""Statistics of tables in chunks, of workers and of whole tables are the same."""

import itertools
import pickle
from functools import reduce
from operator import add

import dask
import dask.bag
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulated_series import simulated
from vadose.errors import VadoseError
from vadose.evaluation import METRICS, Means, Moments, Tally, per_sensor
from vadose.evaluation.tally import SPREAD

KEYS = ["network", "station", "sensor", "n", "n_spread", "left_out", "note"]
NUMBERS = ["lat", "lon", *(metric.name for metric in METRICS), *SPREAD]
TABLE = simulated(0.8, 0.7, samples=40, sensors=5, seed=3)["product 0"]
TABLE = TABLE.assign(
    soil_moisture_std=np.where(TABLE.index % 3 > 0, 0.03, np.nan), lat=TABLE["lat"] + TABLE.index % 2 * 1e-3
)
TABLE.loc[TABLE.index[10:15], "soil_moisture"] = np.nan
TABLE.loc[TABLE.index[60:63], "soil_moisture_in_situ"] = np.nan
TABLE.loc[TABLE["station"] == "s0004", "soil_moisture"] = 0.2


def same(found: pd.DataFrame, whole: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found[KEYS], whole[KEYS])
    np.testing.assert_allclose(found[NUMBERS], whole[NUMBERS], rtol=1e-12, atol=1e-12)


@given(st.lists(st.integers(0, len(TABLE)), max_size=6), st.randoms(use_true_random=False))
def test_any_chunks_in_any_order_give_the_scores_of_the_whole(cuts, random):
    rows = list(range(len(TABLE)))
    random.shuffle(rows)
    edges = [0, *sorted(cuts), len(rows)]
    chunks = [TABLE.iloc[rows[a:b]] for a, b in itertools.pairwise(edges) if b > a]
    same(reduce(add, map(Tally.of, chunks), Tally.empty()).scores(), per_sensor(TABLE))


def test_a_dask_bag_and_delayed_calls_give_the_scores_of_the_whole():
    chunks = [TABLE.iloc[start::7] for start in range(7)]
    bag = dask.bag.from_sequence(chunks, npartitions=3).map(Tally.of).fold(add)
    delayed = reduce(dask.delayed(add), [dask.delayed(Tally.of)(chunk) for chunk in chunks])
    for found in dask.compute(bag, delayed, scheduler="threads"):
        same(found.scores(), per_sensor(TABLE))


def test_a_tally_that_was_pickled_scores_the_same():
    tally = Tally.of(TABLE)
    again = pickle.loads(pickle.dumps(tally))
    assert again.moments == tally.moments
    assert again.uncertainty == tally.uncertainty
    pd.testing.assert_frame_equal(again.scores(), tally.scores())


def test_statistics_are_one_by_their_values():
    group = np.array([0, 0, 1])
    a, b = (Moments.of(np.array([0.1, 0.2, last]), np.ones(3), group, 2) for last in (0.3, 0.4))
    assert a == Moments.of(np.array([0.1, 0.2, 0.3]), np.ones(3), group, 2)
    assert a != b
    assert a != Means.of(np.array([0.1, 0.2, 0.3]), group, 2)
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)


def test_nothing_has_no_sensor_and_adds_nothing():
    assert Tally.empty().scores().empty
    same((Tally.empty() + Tally.of(TABLE) + Tally.empty()).scores(), per_sensor(TABLE))


def test_a_chunk_that_is_no_table_is_refused():
    with pytest.raises(VadoseError, match="not in m3 m-3"):
        Tally.of(TABLE.assign(soil_moisture=TABLE["soil_moisture"] * 100))
    with pytest.raises(VadoseError, match="Ask for 2 or more"):
        Tally.of(TABLE).scores(1)
