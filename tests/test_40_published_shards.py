"""Streams of published examples: what is decoded, what is listed, batches, and going on where it ended."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from published_writer import example, framed, write_shard
from vadose.batchu2022 import (
    FEATURES,
    IMAGES,
    PublishedBatch,
    ShardReport,
    absent,
    examples,
    published_batches,
    shards,
)
from vadose.batchu2022.import_log import read_report, write_report
from vadose.batchu2022.records import Fault
from vadose.batchu2022.shards import Example
from vadose.errors import VadoseError

RNG = np.random.default_rng(0)
RADAR = RNG.integers(0, 256, (512, 512))
HEIGHT = RNG.integers(-20, 3000, (512, 512))
NAME = "data-0000{}-of-00003.tfrecord.gz"


def content(**others: object) -> dict[str, object]:
    known = {"sensor_id": "NET__Hill-1__Probe", "timestamp": 1.5e12, "center_lat": 40.0, "center_long": -100.0}
    return known | others


def one(path: Path, features: dict[str, object], wanted: tuple[str, ...], **how: int) -> Example | Fault:
    (found,) = examples(write_shard(path / NAME.format(0), [example(features)]), wanted, **how)
    return found


def test_images_are_cut_to_their_middle_and_elevations_are_no_bytes(tmp_path: Path) -> None:
    features = content(sentinel_1_VV=RADAR, nasa_dem_elevation=HEIGHT, gldas_sm=7)
    found = one(tmp_path, features, ("sentinel_1_VV", "nasa_dem_elevation"))
    assert set(found.values) == {"sentinel_1_VV", "nasa_dem_elevation"}
    for name, pixels, dtype in (("sentinel_1_VV", RADAR, np.uint8), ("nasa_dem_elevation", HEIGHT, np.int16)):
        assert found.values[name].dtype == dtype
        assert (found.values[name] == pixels[112:400, 112:400]).all()


def test_the_whole_image_is_read_when_asked_for(tmp_path: Path) -> None:
    found = one(tmp_path, content(sentinel_1_VV=RADAR), ("sentinel_1_VV",), kept=512)
    assert (found.values["sentinel_1_VV"] == RADAR).all()


@pytest.mark.parametrize("kept", [0, -2, 287, 514])
def test_no_such_middle_is_refused(tmp_path: Path, kept: int) -> None:
    with pytest.raises(VadoseError, match="512"):
        examples(tmp_path / "any.tfrecord", ("sentinel_1_VV",), kept=kept)


def test_no_such_feature_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(VadoseError, match="sentinel_1_HH") as refusal:
        examples(tmp_path / "any.tfrecord", ("sentinel_1_HH",))
    assert "sentinel_1_VV" in refusal.value.problem


def test_zero_is_missing_in_scaled_scalars_only(tmp_path: Path) -> None:
    features = content(smap_sm=0, gldas_sm=3, center_lat=0.0, gldas_temp=0, utm_zone="30N")
    found = one(tmp_path, features, ("smap_sm", "gldas_sm", "center_lat", "gldas_temp", "utm_zone", "sm_0_5"))
    assert found.values == {"gldas_sm": 3.0, "center_lat": 0.0, "gldas_temp": 0.0, "utm_zone": "30N"}


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        (content(sentinel_1_VV=np.full((512, 512), 256)), "sentinel_1_VV: its numbers range from 256 to 256"),
        (content(sentinel_1_VV=RADAR[:256]), "sentinel_1_VV: an image has 131072 whole numbers, not 512 x 512"),
        (content(sentinel_1_VV=0.5), "sentinel_1_VV: a list of float"),
        ({"sensor_id": "A__B__C", "timestamp": 1.5e12, "center_lat": 1.0}, "it has no center_long"),
        (content(timestamp=None), "it has no timestamp"),
    ],
)
def test_an_example_that_is_not_as_released_is_a_fault(tmp_path: Path, features: dict, reason: str) -> None:
    found = one(tmp_path, features, ("sensor_id", "timestamp", "center_lat", "center_long", "sentinel_1_VV"))
    assert isinstance(found, Fault)
    assert (found.record, found.offset, found.ends) == (0, 0, False)
    assert reason in found.reason


def test_shards_are_found_in_order_and_absent_ones_are_known(tmp_path: Path) -> None:
    for number in (2, 0):
        write_shard(tmp_path / NAME.format(number), [b""])
    (tmp_path / "LICENSE.md").write_text("CC-BY")
    found = shards(tmp_path)
    assert [path.name for path in found] == [NAME.format(0), NAME.format(2)]
    assert absent(found) == (1,)


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VadoseError, match=r"tfrecord\.gz"):
        shards(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards: a whole one, one with a spoiled record, and one that is cut."""
    path = tmp_path_factory.mktemp("published")
    texts = [example(content(sentinel_1_VV=(RADAR + n) % 256, sm_0_5=n / 10, smap_sm=n)) for n in range(5)]
    write_shard(path / NAME.format(0), texts)
    spoiled = bytearray(framed(texts[1]))
    spoiled[500] ^= 4
    middle = framed(texts[0]) + spoiled + framed(texts[2]) + framed(example({"timestamp": "noon"}))
    (path / NAME.format(1)).write_bytes(gzip.compress(middle, 1))
    cut = gzip.compress(b"".join(map(framed, texts)), 1)
    (path / NAME.format(2)).write_bytes(cut[: len(cut) // 2])
    return path


def of_kind(stream: list, kind: type) -> list:
    return [found for found in stream if isinstance(found, kind)]


def test_batches_and_accounts_of_damaged_shards(folder: Path) -> None:
    stream = list(published_batches(shards(folder), ("sentinel_1_VV",), size=2))
    first, second, third = of_kind(stream, ShardReport)
    assert (first.read, first.faults, first.whole) == (5, (), True)
    assert (second.read, second.whole) == (2, True)
    assert [(fault.record, fault.reason) for fault in second.faults] == [
        (1, "its checksum is wrong"),
        (3, "it has no sensor_id"),
    ]
    assert third.read < 5
    assert not third.whole
    batches = of_kind(stream, PublishedBatch)
    assert [len(batch.index) for batch in batches[:4]] == [2, 2, 1, 2]
    assert all(batch.index["shard"].nunique() == 1 for batch in batches)
    for batch in batches:
        for record, pixels in zip(batch.index["record"], batch.pixels["sentinel_1_VV"], strict=True):
            assert (pixels == ((RADAR + record) % 256)[112:400, 112:400]).all()


def test_a_batch_holds_whole_numbers_scalars_and_its_index(folder: Path) -> None:
    batch = next(iter(published_batches([folder / NAME.format(0)], ("sentinel_1_VV", "sentinel_1_VH"))))
    assert batch.pixels["sentinel_1_VV"].dtype == np.uint8
    assert batch.present["sentinel_1_VV"].all()
    assert not batch.present["sentinel_1_VH"].any()
    assert np.isnan(batch.scalars["smap_sm"][0])
    assert batch.scalars["smap_sm"][1:].tolist() == [1, 2, 3, 4]
    row = batch.index.iloc[3]
    assert (row["network"], row["station"], row["sensor"]) == ("NET", "Hill-1", "Probe")
    assert row["soil_moisture_in_situ"] == np.float32(0.3)
    assert row["label_from"] == "sm_0_5"
    assert row["rounding_s"] == 65.536
    assert abs(row["time"].value / 1e6 - 1.5e12) <= 65536


@pytest.mark.parametrize(
    ("features", "label"),
    [
        ({}, (np.nan, "")),
        ({"sm_0_5": 0.2, "sm_5_5": 0.3}, (np.float32(0.2), "sm_0_5")),
        ({"sm_5_5": 0.3}, (np.float32(0.3), "sm_5_5")),
        ({"sm_0_5": 0.0}, (0.0, "sm_0_5")),
        ({"sm_0_5": 0.0, "sm_5_5": 0.3}, (np.float32(0.3), "sm_5_5")),
        ({"sm_5_5": 0.0}, (0.0, "sm_5_5")),
    ],
)
def test_labels_are_missing_where_they_are_absent_not_where_they_are_zero(
    tmp_path: Path, features: dict[str, float], label: tuple[float, str]
) -> None:
    path = write_shard(tmp_path / NAME.format(0), [example(content(**features))])
    batch = next(iter(published_batches([path], (), ())))
    found = batch.index.iloc[0]
    assert found["label_from"] == label[1]
    assert np.array_equal(found["soil_moisture_in_situ"], label[0], equal_nan=True)


def test_an_image_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write_shard(tmp_path / NAME.format(0), [example(content(aster_B13=5, utm_zone="30N"))])
    with pytest.raises(VadoseError, match="aster_B13 as an image"):
        list(published_batches([path], ("aster_B13",), ()))
    with pytest.raises(VadoseError, match="utm_zone as a number"):
        list(published_batches([path], (), ("utm_zone",)))


def test_the_report_of_a_shard_is_kept_as_it_was(folder: Path, tmp_path: Path) -> None:
    reports = of_kind(list(published_batches(shards(folder), (), ())), ShardReport)
    assert sum(len(report.faults) for report in reports) >= 3
    for report in reports:
        write_report(tmp_path / "ledger.json", report)
        assert read_report(tmp_path / "ledger.json") == report


@pytest.mark.parametrize(
    "text", ["no json", "[]", json.dumps({"tallies": [{"shard": "a"}]}), json.dumps({"tallies": 5})]
)
def test_a_spoiled_ledger_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "ledger.json").write_text(text)
    with pytest.raises(VadoseError, match="ledger"):
        read_report(tmp_path / "ledger.json")


def test_what_the_paper_reads_is_declared() -> None:
    assert len(FEATURES) > 100
    assert len(IMAGES) == 14
    assert {FEATURES[name].predictor for name in IMAGES} == {
        *("vv", "vh", "incidence_angle", "B02", "B03", "B04", "B08", "B11", "B12"),
        *("elevation", "sand", "silt", "clay", "bulk_density"),
    }
    assert FEATURES["sentinel_1_VV"].units == "published 0-255 units"
