"""Protocol Buffers' wire format: what protobuf allows, what it does not, and arbitrary bytes."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from published_writer import delimited, example, feature, varint
from vadose.batchu2022.decode import decoded
from vadose.batchu2022.features import FEATURES
from vadose.batchu2022.protobuf import MOST_FIELDS, Kind, Raw, Unreadable, parse
from vadose.batchu2022.varint import floats, image, integers

BY_TENSORFLOW = bytes.fromhex(
    "0a670a160a0a63656e7465725f6c6174120812060a04000022420a230a0973656e736f725f696412160a140a124e45545f5f48696c6c2d315f5f50726f62650a110a07736d61705f736d12061a040a02c8010a150a0974696d657374616d70120812060a047c9fae53"
)
"""An Example with VALUES, as TensorFlow 2.21 serialises it."""
VALUES = {"center_lat": 40.5, "sensor_id": "NET__Hill-1__Probe", "smap_sm": 200, "timestamp": 1.5e12}


def array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def entry(name: bytes, value: bytes) -> bytes:
    return delimited(1, delimited(1, name) + delimited(2, value))


def value_of(name: str, data: bytes, kept: int = 288) -> object:
    return decoded(FEATURES[name], parse(array(data), {name.encode()})[name.encode()], array(data), kept)


def test_an_example_reads_back() -> None:
    data = example(VALUES)
    assert {name: value_of(name, data) for name in VALUES} == VALUES | {"timestamp": float(np.float32(1.5e12))}


def test_only_wanted_features_are_looked_into() -> None:
    data = delimited(1, entry(b"nonsense", b"\xff\xff\xff") + entry(b"smap_sm", feature(7)))
    assert set(parse(array(data), {b"smap_sm"})) == {b"smap_sm"}
    with pytest.raises(Unreadable):
        parse(array(data), {b"nonsense"})


def test_absent_features_and_features_without_a_list_are_absent() -> None:
    data = example({"smap_sm": None, "gldas_sm": 3})
    assert set(parse(array(data), {b"smap_sm", b"gldas_sm", b"sm_0_5"})) == {b"gldas_sm"}


def test_the_last_of_a_repeated_name_counts() -> None:
    data = delimited(1, entry(b"smap_sm", feature(7)) + entry(b"smap_sm", feature(8)))
    assert value_of("smap_sm", data) == 8
    emptied = delimited(1, entry(b"smap_sm", feature(7)) + entry(b"smap_sm", b""))
    assert parse(array(emptied), {b"smap_sm"}) == {}


def test_parts_of_a_message_are_joined_and_unknown_fields_passed_over() -> None:
    unknown = varint(9 << 3) + varint(5) + varint(10 << 3 | 1) + bytes(8) + varint(11 << 3 | 5) + bytes(4)
    data = (
        unknown + delimited(1, entry(b"gldas_sm", feature(1))) + delimited(1, unknown + entry(b"smap_sm", feature(9)))
    )
    assert (value_of("smap_sm", data), value_of("gldas_sm", data)) == (9, 1)


def test_unpacked_numbers_read_as_packed_ones_do() -> None:
    unpacked = delimited(3, varint(1 << 3) + varint(200))
    assert value_of("smap_sm", delimited(1, entry(b"smap_sm", unpacked))) == 200
    single = delimited(2, varint(1 << 3 | 5) + struct.pack("<f", 0.25))
    assert value_of("sm_0_5", delimited(1, entry(b"sm_0_5", single))) == 0.25


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("smap_sm", feature(0.5), "a list of float, not of int64"),
        ("smap_sm", feature("60"), "a list of bytes, not of int64"),
        ("sm_0_5", feature(1), "a list of int64, not of float"),
        ("sensor_id", feature(1), "a list of int64, not of bytes"),
        ("smap_sm", feature([1, 2]), "2 values, not one"),
        ("smap_sm", feature(np.empty(0, np.int64)), "0 values, not one"),
        ("sm_0_5", feature([1.0, 2.0]), "2 values, not one"),
        ("sensor_id", feature(["a", "b"]), "2 values, not one"),
        ("smap_sm", feature(256), "256 is not within 0..255"),
        ("smap_sm", feature(-1), "-1 is not within 0..255"),
        ("sm_0_5", feature(float("nan")), "nan is not a number"),
        ("center_lat", feature(float("inf")), "inf is not a number"),
        ("sensor_id", feature(b"\xff\xfe"), "not UTF-8"),
        ("sm_0_5", delimited(2, delimited(1, b"abc")), "ends within a number"),
        ("smap_sm", delimited(3, delimited(1, b"\x80")), "ends within a number"),
        ("smap_sm", delimited(3, delimited(1, b"\xff" * 9 + b"\x02")), "more than 64 bits"),
        ("smap_sm", delimited(3, delimited(1, b"\x80" * 10 + b"\x01")), "more than 64 bits"),
        ("smap_sm", delimited(3, varint(1 << 3 | 5) + bytes(4)), "wire type 5"),
        ("smap_sm", delimited(3, delimited(1, b"\x80") + delimited(1, b"\x01")), "ends within a number"),
        ("sentinel_1_VV", feature(5), "an image has 1 whole numbers, not 512 x 512"),
        ("sentinel_1_VV", feature(np.empty(0, np.int64)), "an image has 0 whole numbers"),
    ],
)
def test_what_the_release_does_not_have_is_told(name: str, content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        value_of(name, delimited(1, entry(name.encode(), content)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x0a\xff\xff\xff\xff\x0f", "longer than its message"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "longer than its message"),
        (b"\x0a" + b"\xff" * 10, "more than 64 bits"),
        (b"\x0a" + b"\xff" * 9 + b"\x02", "more than 64 bits"),
        (b"\x0a", "ends within a number"),
        (b"\x0b", "wire type 3"),
        (b"\x0f", "wire type 7"),
        (b"\x02\x00", "number 0"),
        (b"\x08\x01", "a message has the wire type 0"),
        (varint(9 << 3) + b"\x01" + b"\x48\x01" * MOST_FIELDS, "more than 65536 fields"),
    ],
)
def test_what_is_no_example_is_told(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse(array(data), {b"smap_sm"})


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
def test_integers_of_any_length_read_back(numbers: list[int]) -> None:
    assert integers(array(b"".join(map(varint, numbers)))).tolist() == numbers


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=40))
def test_floats_read_back(numbers: list[float]) -> None:
    assert floats(array(struct.pack(f"<{len(numbers)}f", *numbers))).tolist() == numbers


@given(st.data())
def test_images_read_back_whatever_their_numbers(data: st.DataObject) -> None:
    low, high = data.draw(
        st.sampled_from([(0, 127), (128, 255), (0, 255), (1, 1), (0, 9000), (128, 16383), (-5, 2**40)])
    )
    side = 8
    seed = data.draw(st.integers(0, 2**32 - 1))
    pixels = np.random.default_rng(seed).integers(low, high, (side, side), endpoint=True)
    packed = array(b"".join(varint(int(one)) for one in pixels.ravel()))
    for kept in (2, 4, 8):
        edge = (side - kept) // 2
        found = image(packed, side, kept)
        assert (found == pixels[edge : edge + kept, edge : edge + kept]).all()
        assert found.dtype == np.uint8 or high > 255


def test_an_image_of_all_256_values_reads_back() -> None:
    pixels = np.random.default_rng(0).permutation(np.arange(1024) % 256).reshape(32, 32)
    assert (image(array(b"".join(varint(int(one)) for one in pixels.ravel())), 32, 32) == pixels).all()


def test_numbers_longer_than_need_be_keep_their_value() -> None:
    packed = array(b"\x81\x00" + b"\x85\x80\x00" + b"\x07" + b"\xff\x01")
    assert image(packed, 2, 2).tolist() == [[1, 5], [7, 255]]


@given(st.binary(max_size=400), st.sampled_from(sorted(FEATURES)))
def test_arbitrary_bytes_are_read_or_told(content: bytes, name: str) -> None:
    for data in (content, delimited(1, content), delimited(1, entry(name.encode(), content))):
        try:
            raws = parse(array(data), {name.encode()})
            values = [decoded(FEATURES[name], raw, array(data)) for raw in raws.values()]
        except Unreadable as error:
            assert str(error)
        else:
            assert all(value is None or isinstance(value, float | str) for value in values)


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_spoiled_byte_gives_no_wrong_type(place: int, byte: int) -> None:
    spoiled = bytearray(example(VALUES))
    spoiled[place % len(spoiled)] = byte
    try:
        raws = parse(array(bytes(spoiled)), {b"sensor_id", b"smap_sm"})
        values = {name: decoded(FEATURES[name.decode()], raw, array(bytes(spoiled))) for name, raw in raws.items()}
    except Unreadable:
        return
    assert isinstance(values.get(b"sensor_id", ""), str)
    assert values.get(b"smap_sm") is None or 0 < values[b"smap_sm"] <= 255


@given(st.binary(max_size=64))
def test_packed_integers_of_arbitrary_bytes_agree_with_a_plain_reading(content: bytes) -> None:
    try:
        found = integers(array(content)).tolist()
    except Unreadable:
        return
    plain, value, shift = [], 0, 0
    for byte in content:
        value, shift = value | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            plain.append(value - 2**64 if value >= 2**63 else value)
            value, shift = 0, 0
    assert found == plain


def test_bytes_that_tensorflow_wrote_are_what_is_written_here() -> None:
    assert example(dict(sorted(VALUES.items()))) == BY_TENSORFLOW
    assert Raw(Kind.INT64, ((0, 1),)).parts(array(b"ab"))[0].tobytes() == b"a"


def test_a_shard_of_tensorflow_reads_equal(tmp_path) -> None:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from published_writer import write_shard
    from vadose.batchu2022 import examples

    pixels = np.random.default_rng(1).integers(0, 256, (512, 512))
    lists = {
        "sensor_id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[VALUES["sensor_id"].encode()])),
        "sentinel_1_VV": tf.train.Feature(int64_list=tf.train.Int64List(value=pixels.ravel().tolist())),
        "smap_sm": tf.train.Feature(int64_list=tf.train.Int64List(value=[200])),
    }
    for name, value in (("timestamp", 1.5e12), ("center_lat", 40.5), ("center_long", -100.25)):
        lists[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    written = tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString(deterministic=True)
    path = tmp_path / "data-00000-of-00001.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(written)
    (one,) = examples(path, lists, kept=512)
    assert (one.values["sentinel_1_VV"] == pixels).all()
    ours = VALUES | {"center_long": -100.25, "sentinel_1_VV": pixels}
    copy = write_shard(tmp_path / "copy.tfrecord", [example(dict(sorted(ours.items())))])
    assert copy.read_bytes() == path.read_bytes()


@given(st.binary(max_size=80), st.sampled_from([2, 4]))
def test_images_of_arbitrary_bytes_agree_with_their_integers(content: bytes, kept: int) -> None:
    try:
        found = image(array(content), 4, kept)
    except Unreadable:
        return
    assert sum(byte < 0x80 for byte in content) == 16
    if kept == 4:
        assert (found == integers(array(content)).reshape(4, 4)).all()


@pytest.mark.parametrize("count", [0, 1, 15, 17, 40])
@pytest.mark.parametrize("number", [5, 200, 3000])
def test_an_image_of_another_size_is_told(count: int, number: int) -> None:
    with pytest.raises(Unreadable, match=f"an image has {count} whole numbers, not 4 x 4"):
        image(array(varint(number) * count), 4, 2)
    if count == 15:
        with pytest.raises(Unreadable, match="15 whole numbers"):
            image(array(varint(number) * count + b"\x80"), 4, 2)
