"""Batches: each row once, the same for a seed and an epoch, what the store holds, and errors that arrive."""

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.dataset import Samples, SampleStore, SampleWriter, batches
from vadose.dataset.augment import augment, ways
from vadose.errors import VadoseError
from vadose.fusion import HistorySpec, InputSpec

HOLDS = InputSpec(("vv", "B04"), ("vv", "smap"), HistorySpec(("smap",), 4, 1.0), halo=1)
CELLS_ALONE = InputSpec(cells=("smap", "vv"), history=HistorySpec(("smap",), 2, 1.0))
COUNT = 45


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SampleStore:
    random = np.random.default_rng(5)
    index = pd.DataFrame(
        {"network": "SIMULATED", "station": "a", "sensor": "a", "lat": 0.0, "lon": 0.0}, index=range(COUNT)
    ).assign(
        time=pd.date_range("2020-01-01", periods=COUNT, freq="1D"),
        soil_moisture_in_situ=np.where(np.arange(COUNT) % 5 == 0, np.nan, np.arange(COUNT) / 100),
    )
    samples = Samples(
        index,
        random.random((COUNT, 2), np.float32),
        random.random((COUNT, 4, 1), np.float32),
        random.random((COUNT, 2, 96, 96), np.float32),
    )
    path = tmp_path_factory.mktemp("loader") / "store"
    with SampleWriter.open(path, HOLDS, {}, simulated=True) as writer:
        writer.append(samples)
    return SampleStore.open(path)


@pytest.mark.parametrize("needs", [HOLDS, CELLS_ALONE])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_comes_once_with_what_the_store_holds(store: SampleStore, needs: InputSpec, shuffle: bool) -> None:
    rows = np.arange(COUNT)[::-2]
    found = list(batches(store, rows, needs, 8, seed=1, shuffle=shuffle))
    assert [len(batch.rows) for batch in found] == [8, 8, 7]
    order = np.concatenate([batch.rows for batch in found])
    assert sorted(order) == sorted(rows)
    assert np.array_equal(order, rows) is not shuffle
    for batch in found:
        np.testing.assert_array_equal(batch.cells, store.cells(needs.cells, batch.rows))
        np.testing.assert_array_equal(batch.history, store.history(needs.history, batch.rows))
        np.testing.assert_array_equal(batch.label, store.labels(batch.rows))
        if needs.pixels:
            np.testing.assert_array_equal(batch.pixels, store.pixels(needs.pixels, batch.rows, needs.halo))
        else:
            assert batch.pixels is None
        assert {array.dtype for array in (batch.cells, batch.history, batch.label)} == {np.dtype("float32")}


def test_seed_and_epoch_fix_the_order(store: SampleStore) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [int(row) for b in batches(store, store.rows, CELLS_ALONE, 7, seed, epoch) for row in b.rows]

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_a_smaller_halo_is_cut_from_the_chips(store: SampleStore) -> None:
    needs = InputSpec(pixels=("B04",), halo=0)
    batch = next(batches(store, np.array([3, 1]), needs, 2, shuffle=False))
    np.testing.assert_array_equal(batch.pixels, store.pixels(("B04",), np.array([3, 1]), 1)[:, :, 32:64, 32:64])


def test_no_rows_give_no_batches(store: SampleStore) -> None:
    assert list(batches(store, np.empty(0, np.intp), HOLDS, 4)) == []


def test_needs_that_are_not_met_are_refused_at_once(store: SampleStore) -> None:
    with pytest.raises(VadoseError, match="The store lacks pixels vh"):
        batches(store, store.rows, InputSpec(pixels=("vh",), halo=1), 4)


def test_a_consumer_may_stop_and_leaves_no_thread(store: SampleStore) -> None:
    before = threading.active_count()
    given = batches(store, store.rows, HOLDS, 4)
    next(given)
    given.close()
    assert threading.active_count() <= before


def test_a_file_that_cannot_be_read_raises_in_the_consumer(tmp_path: Path) -> None:
    holds = InputSpec(pixels=("vv",), cells=("vv",))
    index = pd.DataFrame({"network": "A", "station": "a", "sensor": "a", "lat": 0.0, "lon": 0.0}, index=range(64))
    chips = np.random.default_rng(0).random((64, 1, 32, 32), np.float32)
    with SampleWriter.open(tmp_path / "store", holds, {}) as writer:
        empty = np.empty((64, 0, 0), np.float32)
        writer.append(
            Samples(index.assign(time=pd.Timestamp("2020-01-01")), np.zeros((64, 1), np.float32), empty, chips)
        )
    broken = SampleStore.open(tmp_path / "store")
    file = tmp_path / "store" / "arrays.zarr" / "pixels" / "vv" / "c" / "1" / "0" / "0"
    file.write_bytes(file.read_bytes()[:100])
    given = batches(broken, broken.rows, holds, 32, shuffle=False)
    assert len(next(given).rows) == 32
    with pytest.raises(VadoseError, match="pixels/vv cannot be read"):
        next(given)


@pytest.mark.parametrize("start", [0, 1, 4, 9])
@pytest.mark.parametrize("per_sensor", [1, 3])
def test_an_epoch_goes_on_where_it_stood(store: SampleStore, start: int, per_sensor: int) -> None:
    whole, rest = (
        list(batches(store, store.rows, HOLDS, 8, 1, 2, per_sensor=per_sensor, start=begin, turn=True))
        for begin in (0, start)
    )
    assert len(rest) == max(len(whole) - start, 0)
    for one, other in zip(whole[start:], rest, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.history, other.history)


@pytest.mark.parametrize("readers", [2, 5, 50])
def test_any_number_of_readers_gives_the_same_batches(store: SampleStore, readers: int) -> None:
    one, many = (list(batches(store, store.rows, HOLDS, 4, 3, readers=count)) for count in (1, readers))
    assert [list(batch.rows) for batch in one] == [list(batch.rows) for batch in many]
    for first, other in zip(one, many, strict=True):
        np.testing.assert_array_equal(first.pixels, other.pixels)


def test_turned_chips_are_those_of_the_store_and_nothing_else_is_touched(store: SampleStore) -> None:
    plain, other = (next(iter(batches(store, store.rows, HOLDS, 45, 4, turn=turn))) for turn in (False, True))
    np.testing.assert_array_equal(plain.rows, other.rows)
    np.testing.assert_array_equal(plain.cells, other.cells)
    np.testing.assert_array_equal(augment(plain.pixels, ways(plain.rows, 4, 0)), other.pixels)
    assert (plain.pixels != other.pixels).any(axis=(1, 2, 3)).mean() > 0.7


def test_all_samples_of_a_network_stay_together(tmp_path: Path) -> None:
    sizes = [7, 3, 12, 5, 9]
    network = np.repeat([f"SIM-{number}" for number in range(len(sizes))], sizes)
    index = pd.DataFrame({"network": network, "station": np.arange(36).astype(str), "sensor": "a"}).assign(
        lat=0.0, lon=0.0, time=pd.Timestamp("2020-01-01"), soil_moisture_in_situ=0.2
    )
    holds = InputSpec(cells=("smap",))
    with SampleWriter.open(tmp_path / "store", holds, {}, simulated=True) as writer:
        writer.append(Samples(index, np.zeros((36, 1), np.float32), np.zeros((36, 0, 0), np.float32)))
    store = SampleStore.open(tmp_path / "store")
    found = [batch.rows for batch in batches(store, store.rows, holds, 24, per_sensor=4, networks=True)]
    assert sorted(np.concatenate(found)) == list(range(36)) and len(found) == 3
    held = [set(network[rows]) for rows in found]
    assert sum(map(len, held)) == len(sizes), "no network is in two batches"
    other = [batch.rows for batch in batches(store, store.rows, holds, 24, epoch=1, networks=True)]
    assert [set(network[rows]) for rows in other] != held
