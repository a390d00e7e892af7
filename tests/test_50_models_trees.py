"""Boosted trees as tensors, and the member of an ensemble that they make."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.fusion import HistorySpec, InputSpec
from vadose.models import Batch, DepartureTrees
from vadose.models.departure_trees import TreesError
from vadose.models.tree_tensors import TreeTensors

lightgbm = pytest.importorskip("lightgbm")
NEEDS = InputSpec(cells=("sand",), history=HistorySpec(("smap", "vv"), 4, 10.0))


def boosted(missing: float, seed: int, rounds: int = 20, leaves: int = 7) -> tuple[np.ndarray, list]:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(400, 3)).astype(np.float32)
    label = np.sin(2 * table[:, 0]) + table[:, 1] * (table[:, 2] > 0)
    table[rng.random(table.shape) < missing] = np.nan
    given = {"verbosity": -1, "num_leaves": leaves, "min_data_in_leaf": 5, "num_threads": 1}
    return table, [
        lightgbm.train(given | {"seed": number}, lightgbm.Dataset(table, label), rounds) for number in range(2)
    ]


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([0.0, 0.1, 0.6]), st.integers(0, 1000), st.integers(1, 12), st.integers(2, 31))
def test_tensors_estimate_what_the_trees_do(missing, seed, rounds, leaves):
    table, boosters = boosted(missing, seed, rounds, leaves)
    fresh = np.random.default_rng(seed + 1).normal(size=(300, 3)).astype(np.float32)
    fresh[::3, 0] = np.nan
    fresh[1::5, 2] = np.nan
    trees = TreeTensors.of(boosters)
    for rows in (table, fresh):
        expected = np.mean([one.predict(rows) for one in boosters], axis=0)
        np.testing.assert_allclose(trees(torch.from_numpy(rows)).numpy(), expected, atol=1e-6)


def test_trees_without_a_split_are_a_constant():
    table, label = np.zeros((50, 2), np.float32), np.full(50, 0.3)
    grown = lightgbm.train({"verbosity": -1}, lightgbm.Dataset(table, label), 3)
    assert TreeTensors.of([grown])(torch.zeros(4, 2)).tolist() == pytest.approx([0.3] * 4)


def test_every_cell_of_a_tile_is_estimated_as_if_alone():
    columns = len(DepartureTrees(NEEDS, True, TreeTensors(1, 1, 0), TreeTensors(1, 1, 0), TreesError(0.0, 0.0)).columns)
    rng = np.random.default_rng(0)

    def trees(width: int) -> TreeTensors:
        table = rng.normal(size=(300, width)).astype(np.float32)
        given = {"verbosity": -1, "min_data_in_leaf": 5, "num_threads": 1}
        return TreeTensors.of([lightgbm.train(given, lightgbm.Dataset(table, table[:, 0] * 0.1), 10)])

    invariant = int(
        DepartureTrees(NEEDS, True, TreeTensors(1, 1, 0), TreeTensors(1, 1, 0), TreesError(0.0, 0.0)).invariant.numel()
    )
    member = DepartureTrees(NEEDS, True, trees(invariant), trees(columns), TreesError(0.05, 0.7)).eval()
    cells, history = torch.rand(2, 1, 3, 4), torch.rand(2, 4, 2, 3, 4)
    history[:, :, 1, 1] = torch.nan
    day = torch.tensor([10.0, 200.0])
    whole = member.estimate(Batch(torch.zeros(2, 0, 0, 0), cells, history, day))
    for y, x in ((0, 0), (1, 2), (2, 3)):
        part = Batch(torch.zeros(2, 0, 0, 0), cells[..., y : y + 1, x : x + 1], history[..., y : y + 1, x : x + 1], day)
        alone = member.estimate(part)
        np.testing.assert_allclose(alone.mean[:, 0, 0], whole.mean[:, y, x], atol=1e-6)
        np.testing.assert_allclose(alone.std[:, 0, 0], whole.std[:, y, x], atol=1e-6)
    assert (whole.std >= 0.05).all()
