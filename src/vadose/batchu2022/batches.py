"""Batches of published examples for a sample writer: index rows, whole-number pixels, scalars."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vadose.batchu2022.decode import Pixels
from vadose.batchu2022.features import CENTRE, FEATURES, IDENTITY, IMAGES, LABELS, SCALARS
from vadose.batchu2022.records import Fault
from vadose.batchu2022.shards import Example, ShardReport, examples
from vadose.dataset.layout import LABEL
from vadose.errors import VadoseError
from vadose.grid import nanoseconds
from vadose.variables import IDENTITY as SENSOR

Labels = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True, eq=False)
class PublishedBatch:
    """Examples of one shard, in order.

    Attributes:
        index: one row per example: shard, record, sensor_id, network, station, sensor, lat, lon (degrees), time (UTC),
            rounding_s (half the spacing of its published time, s), soil_moisture_in_situ (m3 m-3, NaN without a label),
            label_from ("sm_0_5", "sm_5_5" or "") and columns of the label matcher.
        pixels: (sample, y, x) by feature, in the units of `FEATURES`: uint8, or int16 for elevations.
        present: (sample,) by image: whether the example has it; its pixels are 0 otherwise.
        scalars: (sample,) by feature, NaN where missing.
    """

    index: pd.DataFrame
    pixels: Mapping[str, Pixels]
    present: Mapping[str, NDArray[np.bool_]]
    scalars: Mapping[str, NDArray[np.float32]]


def published_batches(
    paths: Iterable[Path],
    images: Sequence[str] = IMAGES,
    scalars: Sequence[str] = SCALARS,
    kept: int = CENTRE,
    size: int = 32,
    labels: Labels | None = None,
    loose: Sequence[str] = (),
) -> Iterator[PublishedBatch | ShardReport]:
    """Yield the examples of some shards in batches, and after the last batch of each shard its report.

    A batch contains examples of one shard only, so that everything before a report is complete.

    Args:
        paths: paths of the shards.
        images: features that are images.
        scalars: features that are numbers.
        kept: pixels along a side of the central part of each image.
        size: largest number of examples in a batch.
        loose: undocumented features that are read as scalars if they are one number, and as missing otherwise.
        labels: returns the labels of index rows, as `LabelMatcher.labels`; by default the published ones alone.

    Raises:
        VadoseError: the release has no such feature, or an image no such central part.
    """
    wanted = (*IDENTITY, *LABELS, *images, *scalars, *loose)
    for path in paths:
        faults: list[Fault] = []
        count = 0
        for group in _grouped(examples(path, wanted, kept, optional=loose), size, faults):
            count += len(group)
            batch = _batch(group, images, scalars, kept, labels)
            yield replace(batch, scalars={**batch.scalars, **{name: _loosely(group, name) for name in loose}})
        yield ShardReport(path.name, path.stat().st_size if path.exists() else 0, count, tuple(faults))


def index_of(read: Collection[Example]) -> pd.DataFrame:
    """Return index rows of examples, as described in `PublishedBatch.index`."""
    stamps = np.array([one.values["timestamp"] for one in read], np.float32)
    ids = [str(one.values["sensor_id"]) for one in read]
    parts = [text.split("__") if text.count("__") == 2 else ["", "", ""] for text in ids]
    published = [label_of(one) for one in read]
    return pd.DataFrame(
        {
            "shard": [one.shard for one in read],
            "record": np.array([one.record for one in read], np.int64),
            "sensor_id": ids,
            **{name: [part[place] for part in parts] for place, name in enumerate(SENSOR)},
            "lat": np.array([one.values["center_lat"] for one in read], np.float64),
            "lon": np.array([one.values["center_long"] for one in read], np.float64),
            "time": nanoseconds(stamps.astype(np.float64).round().astype("datetime64[ms]"), "published: timestamp"),
            "rounding_s": np.spacing(stamps).astype(np.float64) / 2000,
            LABEL: np.array([value for value, _ in published], np.float64),
            "label_from": [name for _, name in published],
        }
    )


def label_of(example: Example) -> tuple[float, str]:
    """Return the published label of an example and its feature; NaN and "" without one.

    A label is missing if the example lacks the feature. A reading of zero is a reading, unless the other label shows
    that it marks a missing one.
    """
    known = {name: float(example.values[name]) for name in LABELS if name in example.values}
    name = next((name for name, value in known.items() if value != 0), next(iter(known), ""))
    return known.get(name, np.nan), name


def _grouped(read: Iterator[Example | Fault], size: int, faults: list[Fault]) -> Iterator[list[Example]]:
    group: list[Example] = []
    for one in read:
        if isinstance(one, Fault):
            faults.append(one)
            continue
        group.append(one)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _batch(
    group: list[Example], images: Sequence[str], scalars: Sequence[str], kept: int, labels: Labels | None
) -> PublishedBatch:
    index = index_of(group)
    if labels is not None:
        matched = labels(index)
        index = index.assign(**{name: matched[name] for name in SENSOR})
        index = index.drop(columns=[LABEL, "label_from"]).join(matched.drop(columns=list(SENSOR)))
    return PublishedBatch(
        index,
        {name: _pixels(group, name, kept) for name in images},
        {name: np.array([name in one.values for one in group]) for name in images},
        {name: _scalars(group, name) for name in scalars},
    )


def _pixels(group: list[Example], name: str, kept: int) -> Pixels:
    pixels = np.zeros((len(group), kept, kept), FEATURES[name].dtype)
    for place, one in enumerate(group):
        value = one.values.get(name)
        if isinstance(value, np.ndarray):
            pixels[place] = value
        elif value is not None:
            raise _other(one, name, "an image")
    return pixels


def _scalars(group: list[Example], name: str) -> NDArray[np.float32]:
    values = [one.values.get(name, np.nan) for one in group]
    for one, value in zip(group, values, strict=True):
        if not isinstance(value, float):
            raise _other(one, name, "a number")
    return np.array(values, np.float32)


def _loosely(group: list[Example], name: str) -> NDArray[np.float32]:
    values = (one.values.get(name) for one in group)
    return np.array([value if isinstance(value, float) else np.nan for value in values], np.float32)


def _other(example: Example, name: str, what: str) -> VadoseError:
    return VadoseError(
        f"published: {name} as {what}",
        f"Record {example.record} of {example.shard} has none",
        "Ask for it in its own form",
    )
