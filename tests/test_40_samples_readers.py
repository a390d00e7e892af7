"""Chips read by several threads: the same epoch from any batch on, errors that arrive, and no thread that stays."""

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.dataset import Samples, SampleStore, SampleWriter, batches
from vadose.dataset.chip_cache import ChipCache
from vadose.errors import VadoseError
from vadose.fusion import InputSpec
from vadose.registry import PREDICTORS
from vadose.variables import INCIDENCE_ANGLE

HOLDS = InputSpec(pixels=("vv",), cells=("vv",))
COUNT, BLOCK = 70, 32
"""Samples of the store, and samples in one of its files."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SampleStore:
    return written(tmp_path_factory.mktemp("readers") / "store")


def written(path: Path) -> SampleStore:
    index = pd.DataFrame({"network": "SIMULATED", "station": np.arange(COUNT) % 7, "sensor": "a", "lat": 0.0})
    index = index.assign(lon=0.0, time=pd.Timestamp("2020-01-01")).astype({"station": str})
    chips = np.random.default_rng(0).random((COUNT, 1, 32, 32), np.float32)
    with SampleWriter.open(path, HOLDS, {}, simulated=True) as writer:
        writer.append(Samples(index, np.zeros((COUNT, 1), np.float32), np.empty((COUNT, 0, 0), np.float32), chips))
    return SampleStore.open(path)


@given(
    size=st.integers(1, 80),
    start=st.integers(0, 75),
    readers=st.integers(1, 9),
    epoch=st.integers(0, 2),
    together=st.integers(1, 12),
    shuffle=st.booleans(),
    turn=st.booleans(),
)
def test_what_is_left_of_an_epoch_is_what_it_would_have_given(
    store, size, start, readers, epoch, together, shuffle, turn
) -> None:
    rows = np.arange(COUNT)[::-1]

    def epoch_from(begin: int, threads: int) -> list:
        return list(
            batches(
                store, rows, HOLDS, size, 5, epoch, shuffle, together, start=begin, turn=turn, readers=threads
            )
        )  # fmt: skip

    every, left = epoch_from(0, 1), epoch_from(start, readers)
    assert len(left) == max(len(every) - start, 0)
    for one, other in zip(every[start:], left, strict=True):
        for name in ("rows", "pixels", "cells", "label", "sensors", "times"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_batches_that_are_passed_over_are_not_read(store: SampleStore) -> None:
    asked: list[int] = []

    class Told(ChipCache):
        def of(self, rows: np.ndarray) -> np.ndarray:
            asked.extend(rows.tolist())
            return super().of(rows)

    chips = Told(store, HOLDS.pixels, 0, budget_bytes=0)
    left = list(batches(store, store.rows, HOLDS, 8, 1, chips=chips, start=6, readers=3))
    assert sorted(asked) == sorted(row for batch in left for row in batch.rows.tolist())
    assert len(asked) == COUNT - 6 * 8


@pytest.mark.parametrize("readers", [1, 2, 7])
@pytest.mark.parametrize("used", [0, 1, 5])
def test_a_consumer_that_leaves_early_leaves_no_thread(store: SampleStore, readers: int, used: int) -> None:
    before = threading.active_count()
    given = batches(store, store.rows, HOLDS, 4, readers=readers)
    for _ in range(used):
        next(given)
    given.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("readers", [1, 2, 7])
def test_an_error_of_any_reader_arrives_in_its_place_and_ends_all_of_them(tmp_path: Path, readers: int) -> None:
    broken = written(tmp_path / "store")
    file = tmp_path / "store" / "arrays.zarr" / "pixels" / "vv" / "c" / "1" / "0" / "0"
    file.write_bytes(file.read_bytes()[:100])
    before = threading.active_count()
    given = batches(broken, broken.rows, HOLDS, 8, shuffle=False, readers=readers)
    assert [len(next(given).rows) for _ in range(BLOCK // 8)] == [8] * (BLOCK // 8)
    with pytest.raises(VadoseError, match="pixels/vv cannot be read"):
        next(given)
    assert threading.active_count() == before


def test_no_predictor_of_pixels_is_a_direction() -> None:
    """A chip may be turned as long as it holds values alone: an angle of the compass would have to turn with it."""
    angles = [variable for variable in PREDICTORS.values() if variable.units in {"degree", "degrees", "radian", "rad"}]
    assert angles == [INCIDENCE_ANGLE]
    words = ("azimuth", "aspect", "direction", "heading", "eastward", "northward")
    assert not [name for name, one in PREDICTORS.items() if any(word in f"{name} {one.long_name}" for word in words)]
