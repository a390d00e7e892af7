"""Samples in batches, shuffled with a seed; chips are read ahead while the last batch is used."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadose.fusion import Needs
from vadose.samples.chips import Chips
from vadose.samples.layout import IDENTITY
from vadose.samples.store import Floats, Rows, SampleStore


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
    """

    pixels: Floats | None
    cells: Floats
    history: Floats
    label: Floats
    rows: Rows
    sensors: Rows


def batches(
    store: SampleStore,
    rows: Rows,
    needs: Needs,
    batch_size: int,
    seed: int = 0,
    epoch: int = 0,
    shuffle: bool = True,
    per_sensor: int = 1,
    chips: Chips | None = None,
) -> Iterator[SampleBatch]:
    """All rows once, in batches, the last of which may be smaller.

    Args:
        store: that meets the needs.
        rows: to give.
        needs: predictors in the order of the channels.
        batch_size: samples in a batch.
        seed, epoch: together they fix the order; another epoch has another one.
        shuffle: whether the order is random; otherwise that of `rows`.
        per_sensor: samples of one sensor that stay together in a random order.
        chips: of the store and the needs, to read them once for several epochs.

    Raises:
        Refusal: the store does not meet the needs, or a file of it cannot be read.
    """
    store.check(needs)
    sensor: Rows = np.asarray(store.index.iloc[rows].groupby(list(IDENTITY), sort=False).ngroup(), np.intp)
    rng = np.random.default_rng([seed, epoch])
    order = _grouped(sensor, per_sensor, rng) if shuffle else np.arange(len(rows))
    cells, history, label = store.cells(needs.cells, rows), store.history(needs.history, rows), store.labels(rows)

    read = chips or Chips(store, needs.pixels, needs.halo, budget_bytes=0)

    def batch(part: NDArray[np.intp]) -> SampleBatch:
        pixels = read.of(rows[part]) if needs.pixels else None
        return SampleBatch(pixels, cells[part], history[part], label[part], rows[part], sensor[part])

    parts = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return _ahead(batch, parts) if needs.pixels else map(batch, parts)


def _grouped(sensor: NDArray[np.intp], together: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """A random order in which runs of `together` samples are of one sensor."""
    shuffled = rng.permutation(len(sensor))
    if together == 1:
        return shuffled
    by_sensor = shuffled[np.argsort(sensor[shuffled], kind="stable")]
    ends = np.flatnonzero(np.diff(sensor[by_sensor])) + 1
    runs = [
        group[start : start + together]
        for group in np.split(by_sensor, ends)
        for start in range(0, len(group), together)
    ]
    return np.concatenate([runs[place] for place in rng.permutation(len(runs))])


def _ahead(batch: Callable[[NDArray[np.intp]], SampleBatch], parts: list[NDArray[np.intp]]) -> Iterator[SampleBatch]:
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting = [reader.submit(batch, part) for part in parts[:1]]
        for part in parts[1:]:
            ready = waiting.pop()
            waiting.append(reader.submit(batch, part))
            yield ready.result()
        for ready in waiting:
            yield ready.result()
