"""Chips that are turned and mirrored: the same pixels, the same middle, the same for a row whatever batch it is in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.dataset.augment import WAYS, augment, ways

CELL = 32


def chips(count: int, cells: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 2, cells * CELL, cells * CELL), np.float32)


@given(st.integers(0, WAYS - 1), st.sampled_from([1, 3, 5]), st.integers(0, 99))
def test_a_turned_chip_has_the_same_pixels_and_the_same_middle_cell(way: int, cells: int, seed: int) -> None:
    before = chips(2, cells, seed)
    after = augment(before, np.full(2, way))
    middle = slice(cells // 2 * CELL, (cells // 2 + 1) * CELL)
    for part in (slice(None), middle):
        one, other = (np.sort(images[..., part, part].reshape(4, -1)) for images in (before, after))
        np.testing.assert_array_equal(one, other)
    assert np.array_equal(before, after) is (way == 0)


def test_the_channels_of_a_chip_stay_together() -> None:
    one = chips(8)
    one[:, 1] = 2 * one[:, 0]
    after = augment(one, np.arange(8))
    np.testing.assert_array_equal(after[:, 1], 2 * after[:, 0])


def test_the_eight_ways_are_all_the_ways_there_are() -> None:
    square = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    seen = {tuple(augment(square, np.array([way])).ravel()) for way in range(WAYS)}
    assert len(seen) == WAYS
    assert tuple(square.ravel()) == tuple(augment(square, np.array([0])).ravel())


def test_a_row_is_turned_its_own_way_in_every_epoch_anew() -> None:
    rows = np.arange(8000)
    first = ways(rows, seed=1, epoch=0)
    assert np.bincount(first, minlength=WAYS) == pytest.approx(1000, abs=120)
    np.testing.assert_array_equal(ways(rows[::-7], 1, 0), first[::-7])
    for other in (ways(rows, 1, 1), ways(rows, 2, 0)):
        assert (other == first).mean() == pytest.approx(1 / WAYS, abs=0.02)
