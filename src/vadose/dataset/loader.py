"""Batches of samples, shuffled with a seed; chips are read ahead while the previous batch is used."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.dataset.augment import augment, ways
from vadose.dataset.chip_cache import ChipCache
from vadose.dataset.layout import IDENTITY
from vadose.dataset.store import Floats, Rows, SampleStore
from vadose.fusion import InputSpec


@dataclass(frozen=True, eq=False)
class SampleBatch:
    """Samples in the order of a model's needs; physical units, NaN where missing.

    Attributes:
        pixels: (sample, channel, y, x) at 10 m, halo included; None for needs without pixels.
        cells: (sample, variable).
        history: (sample, step, variable), the latest step first.
        label: (sample,), m3 m-3; NaN if unknown.
        rows: (sample,), in the store.
        sensors: (sample,), sensor numbers within the batch.
        times: (sample,), UTC.
    """

    pixels: Floats | None
    cells: Floats
    history: Floats
    label: Floats
    rows: Rows
    sensors: Rows
    times: NDArray[np.datetime64]


def batches(
    store: SampleStore,
    rows: Rows,
    needs: InputSpec,
    batch_size: int,
    seed: int = 0,
    epoch: int = 0,
    shuffle: bool = True,
    per_sensor: int = 1,
    chips: ChipCache | None = None,
    *,
    start: int = 0,
    turn: bool = False,
    readers: int = 1,
    networks: bool = False,
) -> Iterator[SampleBatch]:
    """Yield all rows once, in batches, the last of which may be smaller.

    Args:
        store: meets the needs.
        rows: rows to be read.
        needs: predictors in the order of the channels.
        batch_size: number of samples per batch.
        seed, epoch: determine the random order.
        shuffle: whether the order is random; otherwise it is the order of `rows`.
        per_sensor: samples of one sensor that remain together in a random order; a batch has at most `batch_size //
            per_sensor` such groups, as even as possible. If a sensor has fewer samples, they are one group.
        chips: cache of the store and the needs, to read chips once for several epochs.
        start: number of batches to skip without reading, to resume within an epoch.
        turn: whether each chip is rotated or mirrored, by the seed, the epoch and its row; see `augment`.
        readers: number of threads that read chips ahead, a batch each.
        networks: whether, in a random order, all samples of a network remain together instead of `per_sensor` of a
            sensor.

    Raises:
        VadoseError: the store does not meet the needs, or a file is unreadable.
    """
    store.check(needs)
    sensor: Rows = np.asarray(store.index.iloc[rows].groupby(list(IDENTITY), sort=False).ngroup(), np.intp)
    group, together = sensor, per_sensor
    if networks:
        group = np.asarray(store.index["network"].iloc[rows].factorize()[0], np.intp)
        together = int(np.bincount(group).max(initial=1))
    parts = _dealt(group, batch_size, np.random.default_rng([seed, epoch]), shuffle, together)[start:]
    cells, history, label = store.cells(needs.cells, rows), store.history(needs.history, rows), store.labels(rows)
    times = store.index["time"].to_numpy()[rows]
    read = chips or ChipCache(store, needs.pixels, needs.halo, budget_bytes=0)

    def batch(part: NDArray[np.intp]) -> SampleBatch:
        pixels = read.of(rows[part]) if needs.pixels else None
        if turn and pixels is not None:
            pixels = augment(pixels, ways(rows[part], seed, epoch))
        return SampleBatch(pixels, cells[part], history[part], label[part], rows[part], sensor[part], times[part])

    return _ahead(batch, parts, readers) if needs.pixels else map(batch, parts)


def _dealt(sensor: Rows, batch_size: int, rng: np.random.Generator, shuffle: bool, per_sensor: int) -> list[Rows]:
    """Return the samples of each batch."""
    if shuffle and per_sensor > 1:
        return _grouped(sensor, per_sensor, batch_size, rng)
    order = rng.permutation(len(sensor)) if shuffle else np.arange(len(sensor))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def _grouped(sensor: Rows, together: int, batch_size: int, rng: np.random.Generator) -> list[Rows]:
    """Return batches in a random order, of groups of `together` samples of one sensor."""
    shuffled = rng.permutation(len(sensor))
    by_sensor = shuffled[np.argsort(sensor[shuffled], kind="stable")]
    ends = np.flatnonzero(np.diff(sensor[by_sensor])) + 1
    groups = [
        group[start : start + together]
        for group in np.split(by_sensor, ends)
        for start in range(0, len(group), together)
    ]
    count = math.ceil(len(groups) / max(batch_size // together, 1))
    shares = np.array_split(rng.permutation(len(groups)), count) if count else []
    return [np.concatenate([groups[number] for number in share]) for share in shares]


def _ahead(
    batch: Callable[[NDArray[np.intp]], SampleBatch], parts: list[NDArray[np.intp]], readers: int
) -> Iterator[SampleBatch]:
    """Yield the batches in order; besides the current one, each reader has one in progress or finished."""
    with ThreadPoolExecutor(max_workers=readers) as pool:
        waiting = deque(pool.submit(batch, part) for part in parts[:readers])
        for part in parts[readers:]:
            ready = waiting.popleft()
            waiting.append(pool.submit(batch, part))
            yield ready.result()
        while waiting:
            yield waiting.popleft().result()
