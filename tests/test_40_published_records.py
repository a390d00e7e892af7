"""TFRecord framing: whole shards, damaged ones, hostile lengths, and arbitrary bytes."""

import gzip
import struct
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from published_writer import checksum, crc32c, framed, masked, write_shard
from vadose.batchu2022.inflate import fastest, inflater, installed
from vadose.batchu2022.records import Fault, TFRecord, masked_crc32c, records
from vadose.errors import VadoseError

TEXTS = [b"first", b"", b"third" * 1000]
NAME = "data-00000-of-00001.tfrecord"


def read(path: Path, **how: int) -> list[bytes | Fault]:
    return [one.data.tobytes() if isinstance(one, TFRecord) else one for one in records(path, **how)]


def write(folder: Path, content: bytes, name: str = NAME) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_checksums_agree_with_their_polynomial() -> None:
    assert crc32c(b"123456789") == google_crc32c.value(b"123456789") == 0xE3069283  # RFC 3720's check value
    assert struct.pack("<I", masked_crc32c(crc32c(b"data"))) == masked(crc32c(b"data"))


@pytest.mark.parametrize("name", [NAME, f"{NAME}.gz"])
def test_records_come_in_order_with_their_place(tmp_path: Path, name: str) -> None:
    path = write_shard(tmp_path / name, TEXTS)
    assert read(path) == TEXTS
    places = [(one.number, one.offset) for one in records(path)]
    assert places == [(0, 0), (1, 5 + 16), (2, 5 + 16 + 16)]


@pytest.mark.parametrize("name", installed())
def test_every_decompressor_gives_the_same(tmp_path: Path, name: str) -> None:
    path = write_shard(tmp_path / f"{NAME}.gz", TEXTS)
    damaged = write(tmp_path, path.read_bytes()[:-20], "cut.tfrecord")
    damaged = damaged.rename(tmp_path / "cut.tfrecord.gz")
    assert [one.data.tobytes() for one in records(path, inflater=inflater(name))] == TEXTS
    *_, last = records(damaged, inflater=inflater(name))
    assert isinstance(last, Fault)
    assert last.ends


def test_the_fastest_installed_decompressor_is_taken() -> None:
    assert fastest().name == installed()[0]
    assert installed()[-1] == "zlib"


def test_a_decompressor_that_nobody_has_is_refused() -> None:
    with pytest.raises(VadoseError, match="decompressor lzma") as refusal:
        inflater("lzma")
    assert "zlib" in refusal.value.problem


def test_two_gzip_members_are_one_shard(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.gz"
    path.write_bytes(gzip.compress(framed(b"one")) + gzip.compress(framed(b"two")))
    assert read(path) == [b"one", b"two"]


def test_a_wrong_checksum_costs_one_record(tmp_path: Path) -> None:
    spoiled = bytearray(framed(b"second"))
    spoiled[13] ^= 1
    first, fault, third = read(write(tmp_path, framed(b"first") + spoiled + framed(b"third")))
    assert (first, third) == (b"first", b"third")
    assert fault == Fault(NAME, 1, 21, "its checksum is wrong")


def test_a_wrong_length_ends_the_shard(tmp_path: Path) -> None:
    spoiled = bytearray(framed(b"second"))
    spoiled[0] ^= 1
    first, fault = read(write(tmp_path, framed(b"first") + spoiled + framed(b"third")))
    assert first == b"first"
    assert fault == Fault(NAME, 1, 21, "the checksum of its length is wrong", ends=True)


@pytest.mark.parametrize("length", [2**60, 2**64 - 1, 2**40])
def test_a_hostile_length_takes_no_memory_and_ends_the_shard(tmp_path: Path, length: int) -> None:
    head = struct.pack("<Q", length)
    first, fault = read(write(tmp_path, framed(b"first") + head + checksum(head) + b"little"))
    assert first == b"first"
    assert (fault.record, fault.ends) == (1, True)
    assert "the shard ends within it" in fault.reason


def test_a_record_beyond_the_limit_is_passed_over(tmp_path: Path) -> None:
    first, fault, third = read(write_shard(tmp_path / NAME, [b"a", b"b" * 300_000, b"c"]), longest=1000)
    assert (first, third) == (b"a", b"c")
    assert fault == Fault(NAME, 1, 17, "its 300000 bytes exceed the limit of 1000")


@pytest.mark.parametrize("cut", range(1, len(framed(b"second"))))
def test_a_shard_cut_anywhere_gives_what_is_whole(tmp_path: Path, cut: int) -> None:
    content = framed(b"first") + framed(b"second")[:-cut]
    first, fault = read(write(tmp_path, content))
    assert first == b"first"
    assert (fault.record, fault.offset, fault.ends) == (1, 21, True)


@pytest.mark.parametrize("kept", [0, 3, 10, 100, 2000, -9, -5, -1])
def test_a_cut_gzip_gives_no_wrong_record(tmp_path: Path, kept: int) -> None:
    whole = write_shard(tmp_path / f"{NAME}.gz", [bytes([number]) * 999 for number in range(256)]).read_bytes()
    (tmp_path / f"{NAME}.gz").write_bytes(whole[:kept])
    got = read(tmp_path / f"{NAME}.gz")
    texts = [one for one in got if isinstance(one, bytes)]
    assert texts == [bytes([number]) * 999 for number in range(len(texts))]
    assert isinstance(got[-1], Fault)


def test_a_file_that_is_no_gzip_or_not_there_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz").write_bytes(b"no gzip at all, but long enough to look")
    for path in (tmp_path / f"{NAME}.gz", tmp_path / "absent.tfrecord.gz"):
        (fault,) = read(path)
        assert (fault.record, fault.ends) == (0, True)
        assert "cannot be read" in fault.reason


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), max_size=5), st.integers(0, 400), st.integers(0, 7), st.binary(max_size=30))
def test_no_damage_gives_a_wrong_record(tmp_path: Path, texts: list[bytes], place: int, bit: int, tail: bytes) -> None:
    content = bytearray(b"".join(map(framed, texts)) + tail)
    if content:
        content[place % len(content)] ^= 1 << bit
    got = [one for one in read(write(tmp_path, bytes(content))) if isinstance(one, bytes)]
    left = iter(texts)
    assert all(one in left for one in got)  # a subsequence: what is read is right and in order


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from([NAME, f"{NAME}.gz"]))
def test_arbitrary_bytes_are_faults(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert all(isinstance(one, Fault) for one in records(tmp_path / name))
