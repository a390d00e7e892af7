"""When products could be had: by their catalogue where its dates tell it; late dates do not hide the first product."""

import json
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

import real_archive
from vadose.fusion import InputSpec, TemporalPolicy
from vadose.grid import AreaOfInterest
from vadose.mapping.inventory import inventory
from vadose.sources.granules import GranuleIndex
from vadose.sources.published import NAME, by_catalogue, earliest, read_dates
from vadose.sources.sentinel2 import Sentinel2
from vadose.sources.smap import Smap

OBSERVED, NOMINAL = np.datetime64("2021-06-10T10:00", "ns"), np.datetime64("2021-06-11T10:00", "ns")


@pytest.mark.parametrize(
    ("stated", "counts"),
    [
        ("2021-06-10T14:00", True),
        ("2021-06-15", True),
        ("2021-07-11T10:00", True),
        ("2021-07-11T10:01", False),
        ("2023-03-01", False),
        ("2021-06-10T09:59", False),
        ("NaT", False),
    ],
    ids=["sooner", "late", "very late", "later", "reprocessed", "before it was observed", "unknown"],
)
def test_a_date_counts_if_it_can_be_that_of_the_first_product(stated, counts):
    date = np.datetime64(stated, "ns")
    assert by_catalogue(date, OBSERVED, NOMINAL) == (date if counts else None)


def test_of_several_dates_the_first_counts():
    assert earliest([None, "2021-06-12", "2021-06-11", None]) == "2021-06-11"
    assert earliest([None]) is None


def optical(archive: Path, name: str, more: dict[str, str]) -> None:
    """An item of 10 June."""
    grid, rng = Affine(20, 0, 600_000, 0, -20, 5_500_000), np.random.default_rng(0)
    bands = {
        key: real_archive.Layer(rng.uniform(300, 900, (64, 64)).astype("uint16"), "EPSG:32632", grid, 0)
        for key in ("B04", "B08")
    }
    bands["SCL"] = real_archive.Layer(np.full((64, 64), 5, "uint8"), "EPSG:32632", grid, 0)
    about = {"platform": "sentinel-2a", "s2:processing_baseline": "03.00"}
    real_archive.write_item(archive, "sentinel-2-l2a", name, "2021-06-10T10:00:00Z", bands, about | more)


def seen(archive: Path, as_of: str, policy: TemporalPolicy | None = None) -> list[str]:
    """Inputs of a map as of a time, as its provenance names them."""
    source = Sentinel2(archive)
    area = AreaOfInterest.from_bbox(*source.index.records[0][0].bbox)
    moments, until = [np.datetime64("2021-06-20", "ns")], np.datetime64(as_of, "ns")
    held = inventory([source], area, moments, InputSpec(cells=("B04",)), policy or TemporalPolicy(), until)
    return [f"{one.name} {one.published}" for one in held]


def test_the_date_of_an_item_decides_and_is_named(tmp_path):
    optical(tmp_path, "late", {"created": "2021-06-14T08:00:00Z", "updated": "2022-01-01T00:00:00Z"})
    assert seen(tmp_path, "2021-06-14T07:59") == []
    assert seen(tmp_path, "2021-06-14T08:00") == ["late published 2021-06-14T08:00:00Z by its catalogue"]


@pytest.mark.parametrize("more", [{}, {"created": "2023-03-01T00:00:00Z"}, {"updated": "2021-01-01T00:00:00Z"}])
def test_without_a_date_that_tells_the_latency_counts(tmp_path, more):
    optical(tmp_path, "one", more)
    assert seen(tmp_path, "2021-06-11T09:59") == []
    assert seen(tmp_path, "2021-06-11T10:00") == ["one published 2021-06-11T10:00:00Z by latency"]


def test_a_latency_that_a_run_states_outweighs_the_catalogue(tmp_path):
    optical(tmp_path, "one", {"created": "2021-06-10T12:00:00Z"})
    policy = TemporalPolicy(latency_days={"sentinel2": 3.0})
    assert seen(tmp_path, "2021-06-13T09:59", policy) == []
    assert seen(tmp_path, "2021-06-13T10:00", policy) == ["one published 2021-06-13T10:00:00Z by latency"]


def test_a_newer_processing_replaces_the_first_when_it_was_published(tmp_path):
    first = {"s2:generation_time": "2021-06-10T14:00:00Z", "created": "2021-06-10T16:00:00Z"}
    again = {"s2:generation_time": "2021-06-12T14:00:00Z", "created": "2021-06-12T20:00:00Z"}
    optical(tmp_path, "one", first)
    optical(tmp_path, "two", again | {"s2:processing_baseline": "03.01"})
    for as_of, name in (("2021-06-10T16:00", "one"), ("2021-06-12T19:59", "one"), ("2021-06-12T20:00", "two")):
        assert [line.split()[0] for line in seen(tmp_path, as_of)] == [name]


def granule(folder: Path, version: str, stated: str | None) -> GranuleIndex:
    """The granule of 10 June, with its date."""
    name = f"SMAP_L3_SM_P_20210610_R18290_{version}.h5"
    (folder / name).write_bytes(b"")
    (folder / NAME).write_text(json.dumps({} if stated is None else {name: stated}))
    return Smap(folder).index


@pytest.mark.parametrize(
    ("version", "stated", "at"),
    [
        ("001", "2021-06-11T20:00:00Z", "2021-06-11T20:00"),
        ("001", "2021-06-20T00:00:00Z", "2021-06-20T00:00"),
        ("001", None, "2021-06-12T02:00"),
        ("001", "2023-01-01T00:00:00Z", "2021-06-12T02:00"),
        ("002", "2021-06-20T00:00:00Z", "2021-06-12T02:00"),
        ("001", "no time", "2021-06-12T02:00"),
    ],
    ids=["sooner", "late", "unknown", "reprocessed", "revision", "damaged"],
)
def test_granules_have_the_dates_beside_them(tmp_path, version, stated, at):
    (found,) = granule(tmp_path, version, stated).granules
    assert found.available_at == np.datetime64(at, "ns")
    assert found.by_catalogue == (stated is not None and stated.startswith(at))


@pytest.mark.parametrize("text", ["[1", "[1]", '{"a": 1}'])
def test_damaged_dates_are_none(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    assert read_dates(tmp_path) == {}
