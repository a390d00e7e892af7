"""Shards that are spoiled in any way: no crash, no wrong value, memory and time that the input cannot drive up."""

import gzip
import struct
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from published_writer import checksum, delimited, example, feature, framed, varint, write_shard
from vadose.batchu2022 import examples
from vadose.batchu2022.inflate import inflater, installed
from vadose.batchu2022.protobuf import MOST_FIELDS, Unreadable, parse
from vadose.batchu2022.records import Fault, TFRecord, records

NAME = "data-00000-of-00001.tfrecord.gz"
TEXTS = [bytes(np.random.default_rng(number).integers(0, 256, 200, np.uint8)) for number in range(6)]
VALUES = {
    "sensor_id": "NET__Hill-1__Probe",
    "timestamp": 1.5e12,
    "center_lat": 40.5,
    "center_long": -100.25,
    "smap_sm": 200,
    "sm_0_5": 0.25,
}
MIB = 2**20
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

places = st.integers(0, 10**6)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), places, st.integers(0, 7)),
        st.tuples(st.just("cut"), places, st.integers(1, 40)),
        st.tuples(st.just("put"), places, st.binary(min_size=1, max_size=12)),
        st.tuples(st.just("again"), places, st.integers(1, 60)),
        st.tuples(st.just("end"), places, st.none()),
    ),
    min_size=1,
    max_size=4,
)


def spoiled(content: bytes, how: list[tuple]) -> bytes:
    for kind, where, what in how:
        place = where % max(len(content), 1)
        before, after = content[:place], content[place:]
        if kind == "flip" and after:
            content = before + bytes([after[0] ^ 1 << what]) + after[1:]
        elif kind == "cut":
            content = before + after[what:]
        elif kind == "put":
            content = before + what + after
        elif kind == "again":
            content = before + after[:what] + after
        elif kind == "end":
            content = before
    return content


def right(path: Path, tool: str = "zlib") -> set[bytes]:
    """What is read of a shard as right."""
    found = records(path, longest=MIB, inflater=inflater(tool))
    return {one.data.tobytes() for one in found if isinstance(one, TFRecord)}


@SHARED
@given(changes, st.sampled_from(installed()))
def test_a_spoiled_gzip_gives_no_wrong_record(tmp_path: Path, how: list[tuple], tool: str) -> None:
    packed = gzip.compress(b"".join(map(framed, TEXTS)), mtime=0)
    (tmp_path / NAME).write_bytes(spoiled(packed, how))
    assert right(tmp_path / NAME, tool) <= set(TEXTS)


@SHARED
@given(changes)
def test_a_spoiled_shard_gives_no_wrong_record(tmp_path: Path, how: list[tuple]) -> None:
    path = tmp_path / NAME.removesuffix(".gz")
    path.write_bytes(spoiled(b"".join(map(framed, TEXTS)), how))
    assert right(path) <= set(TEXTS)


@SHARED
@given(changes)
def test_a_spoiled_example_in_a_sound_record_is_an_example_or_a_fault(tmp_path: Path, how: list[tuple]) -> None:
    content = spoiled(example(VALUES), how)
    write_shard(tmp_path / NAME, [example(VALUES), content, example(VALUES)])
    first, middle, last = examples(tmp_path / NAME, VALUES)
    assert dict(first.values) == dict(last.values)
    if isinstance(middle, Fault):
        assert (middle.record, middle.ends) == (1, False) and middle.reason
    else:
        assert all(isinstance(value, str | float) for value in middle.values.values())
        assert 0 < middle.values.get("smap_sm", 1) <= 255
        assert np.isfinite([value for value in middle.values.values() if isinstance(value, float)]).all()


@contextmanager
def bounded(mebibytes: float, seconds: float) -> Iterator[None]:
    """What happens inside takes no more memory and time."""
    tracemalloc.start()
    began = time.process_time()
    try:
        yield
        taken, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()
    assert peak <= mebibytes
    assert taken <= seconds


@pytest.mark.parametrize("length", [63 * MIB, 2**31, 2**40, 2**63, 2**64 - 1])
def test_memory_is_bounded_whatever_a_record_says_of_its_length(tmp_path: Path, length: int) -> None:
    head = struct.pack("<Q", length)
    (tmp_path / NAME).write_bytes(gzip.compress(framed(b"first") + head + checksum(head) + bytes(10_000)))
    with bounded(mebibytes=24 + 64 + 4, seconds=5):
        first, fault = (one.data.tobytes() if isinstance(one, TFRecord) else one for one in records(tmp_path / NAME))
    assert first == b"first" and fault.ends


@pytest.mark.parametrize("tool", installed())
def test_a_bomb_is_passed_over_in_bounded_memory(tmp_path: Path, tool: str) -> None:
    """A record of 256 MiB of nothing, packed into a quarter of a MiB."""
    length = struct.pack("<Q", 256 * MIB)
    with gzip.open(tmp_path / NAME, "wb", compresslevel=9) as file:
        file.write(framed(b"first") + length + checksum(length))
        for _ in range(256):
            file.write(bytes(MIB))
        file.write(bytes(4) + framed(b"last"))
    assert (tmp_path / NAME).stat().st_size < MIB
    with bounded(mebibytes=24 + 4, seconds=20):
        found = list(records(tmp_path / NAME, inflater=inflater(tool)))
    assert [type(one) for one in found] == [TFRecord, Fault, TFRecord]
    assert found[1].reason == f"its {256 * MIB} bytes exceed the limit of {64 * MIB}"


@pytest.mark.parametrize(
    "content",
    [
        delimited(1, delimited(1, b"") * MOST_FIELDS),
        (varint(9 << 3) + b"\x01") * (4 * MOST_FIELDS),
        delimited(1, delimited(1, delimited(1, b"smap_sm") + delimited(2, feature(7))) * MOST_FIELDS),
        b"\x80" * MIB,
        b"\x0a\x80\x80" * MIB,
    ],
    ids=["entries", "unknown fields", "one name again and again", "a number without end", "lengths"],
)
def test_a_hostile_example_ends_soon(content: bytes) -> None:
    data = np.frombuffer(content, np.uint8)
    with bounded(mebibytes=32, seconds=5), pytest.raises(Unreadable):
        parse(data, {b"smap_sm"})


def test_a_thousand_small_members_are_one_shard_without_a_hang(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"".join(gzip.compress(framed(text)) for text in TEXTS * 170))
    with bounded(mebibytes=32, seconds=10):
        found = sum(isinstance(one, TFRecord) for one in records(tmp_path / NAME))
    assert found == 1020
