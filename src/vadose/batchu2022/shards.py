"""Streaming of examples from published shards, with a report of unreadable ones."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vadose.batchu2022.decode import Value, decoded
from vadose.batchu2022.features import CENTRE, IDENTITY, SIDE, Feature, chosen
from vadose.batchu2022.protobuf import Raw, Unreadable, parse
from vadose.batchu2022.records import LONGEST, Fault, TFRecord, records
from vadose.errors import VadoseError

_NAME = re.compile(r".*-(\d+)-of-(\d+)\.tfrecord(\.gz)?")


@dataclass(frozen=True)
class Example:
    """A published example.

    Attributes:
        shard: name of its file.
        record: its number in the shard, from 0.
        values: values of its wanted features, by name.
    """

    shard: str
    record: int
    values: Mapping[str, Value]


@dataclass(frozen=True)
class ShardReport:
    """Report of a completely read shard.

    Attributes:
        shard: name of its file.
        size: size of its file, bytes.
        read: examples that were read.
        faults: records that could not be read.
    """

    shard: str
    size: int
    read: int
    faults: tuple[Fault, ...] = ()

    @property
    def whole(self) -> bool:
        """Return whether its last record was reached."""
        return not any(fault.ends for fault in self.faults)


def shards(folder: Path) -> tuple[Path, ...]:
    """Return the shards in a folder, by name.

    Raises:
        VadoseError: there are none.
    """
    found = tuple(sorted(path for path in folder.glob("*.tfrecord*") if _NAME.fullmatch(path.name)))
    if not found:
        raise VadoseError(
            f"published: shards in {folder}",
            "Found no file named …-00000-of-00500.tfrecord.gz",
            "Give the folder that the published shards were downloaded to",
        )
    return found


def absent(found: Collection[Path]) -> tuple[int, ...]:
    """Return the numbers of the missing shards of a complete set, by their names."""
    parts = [match for path in found if (match := _NAME.fullmatch(path.name))]
    return tuple(sorted(set(range(max(int(part[2]) for part in parts))) - {int(part[1]) for part in parts}))


def examples(
    path: Path,
    wanted: Collection[str],
    kept: int = CENTRE,
    longest: int = LONGEST,
    optional: Collection[str] = (),
) -> Iterator[Example | Fault]:
    """Yield every example of a shard in order, with a fault in place of each unreadable one.

    Args:
        path: path of the shard, inflated if its name ends in .gz.
        wanted: names of features; nothing else is decoded. A missing one is left out, except the sensor, the time and
            the place, without which an example is a fault.
        kept: pixels along a side of the central part of each image.
        longest: largest size of a record, bytes.
        optional: wanted features that count as missing, not as a fault, if they are not one number or text.

    Raises:
        VadoseError: the release has no such feature, or an image no such central part.
    """
    if not (0 < kept <= SIDE and kept % 2 == 0):
        raise VadoseError(
            f"published: the central {kept} pixels", f"An image has {SIDE}", f"Ask for an even number up to {SIDE}"
        )
    return _read(path, _Wanted(chosen(wanted), frozenset(optional), kept), longest)


@dataclass(frozen=True)
class _Wanted:
    features: tuple[Feature, ...]
    optional: frozenset[str]
    kept: int

    def value(self, feature: Feature, raw: Raw | None, record: TFRecord) -> Value | None:
        try:
            value = None if raw is None else decoded(feature, raw, record.data, self.kept)
        except Unreadable:
            if feature.name not in self.optional:
                raise
            return None
        return None if feature.name in self.optional and isinstance(value, np.ndarray) else value


def _read(path: Path, wanted: _Wanted, longest: int) -> Iterator[Example | Fault]:
    for record in records(path, longest):
        if isinstance(record, Fault):
            yield record
            continue
        try:
            yield Example(path.name, record.number, _values(record, wanted))
        except Unreadable as error:
            yield Fault(path.name, record.number, record.offset, str(error))


def _values(record: TFRecord, wanted: _Wanted) -> dict[str, Value]:
    raws = parse(record.data, {feature.name.encode() for feature in wanted.features})
    values: dict[str, Value] = {}
    for feature in wanted.features:
        value = wanted.value(feature, raws.get(feature.name.encode()), record)
        if value is not None:
            values[feature.name] = value
        elif feature.name in IDENTITY:
            raise Unreadable(f"it has no {feature.name}")
    return values
