"""Samples in batches, shuffled with a seed; chips are read ahead while the last batch is used."""

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
    """Some samples in the order of a model's needs; physical units, NaN where missing.

    Attributes:
        pixels: (sample, channel, y, x) at 10 m, halo included; None for needs without pixels.
        cells: (sample, variable).
        history: (sample, step, variable), the latest step first.
        label: (sample,), m3 m-3; NaN where it is not known.
        rows: (sample,), in the store.
        sensors: (sample,), a number for each sensor of the batch.
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
) -> Iterator[SampleBatch]:
    """All rows once, in batches, the last of which may be smaller.

    Args:
        store: that meets the needs.
        rows: to give.
        needs: predictors in the order of the channels.
        batch_size: samples in a batch.
        seed, epoch: together they fix the order; another epoch has another one.
        shuffle: whether the order is random; otherwise that of `rows`.
        per_sensor: samples of one sensor that stay together in a random order; a batch then has
            `batch_size // per_sensor` such groups at most, as even as can be. Where a sensor has fewer samples, its
            group is all of them.
        chips: of the store and the needs, to read them once for several epochs.
        start: batches that are passed over without being read, to go on within an epoch.
        turn: whether each chip is turned or mirrored, by the seed, the epoch and its row; see `augment`.
        readers: threads that read chips ahead, each a batch.

    Raises:
        VadoseError: the store does not meet the needs, or a file of it cannot be read.
    """
    store.check(needs)
    sensor: Rows = np.asarray(store.index.iloc[rows].groupby(list(IDENTITY), sort=False).ngroup(), np.intp)
    parts = _dealt(sensor, batch_size, np.random.default_rng([seed, epoch]), shuffle, per_sensor)[start:]
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
    """Batches in a random order, of groups of `together` samples of one sensor."""
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
    """Yield the batches in order; beside the one in use each reader has one in hand or done."""
    with ThreadPoolExecutor(max_workers=readers) as pool:
        waiting = deque(pool.submit(batch, part) for part in parts[:readers])
        for part in parts[readers:]:
            ready = waiting.popleft()
            waiting.append(pool.submit(batch, part))
            yield ready.result()
        while waiting:
            yield waiting.popleft().result()
