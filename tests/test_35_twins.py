"""Two processings of one scene: each counts from when it was made until the next one was, in hindsight the newest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from real_archive import Layer, write_item
from vadose.fusion import FeatureBuilder, HistorySpec, InputSpec, TemporalPolicy, build_features
from vadose.fusion.publication import in_hindsight
from vadose.grid import AreaOfInterest, Period, tile_around
from vadose.mapping.inventory import inventory
from vadose.sources.archive import KEPT, OLDER
from vadose.sources.sentinel1 import Sentinel1
from vadose.sources.sentinel2 import Sentinel2
from vadose.sources.source import Source

RTC, L2A = "sentinel-1-rtc", "sentinel-2-l2a"
MADE = "s2:generation_time"
TILE = tile_around(15.0, 45.14, 0)
CORNER = (TILE.west * 320 - 320, TILE.north * 320 + 320)
GRID = Affine(10, 0, CORNER[0], 0, -10, CORNER[1])
TOLD = {"platform": "s2a", "s2:processing_baseline": "03.01"}
SEEN = np.datetime64("2019-03-01T05:00", "ns")
NOON = np.datetime64("2019-03-05T12:00", "ns")
AREA = AreaOfInterest.from_tile(TILE)
YEAR = Period.parse("2019-01-01/2019-12-31")
NEEDS = {"B04": InputSpec(cells=("B04",), history=HistorySpec(("B04",), 3, 2.0)), "vv": InputSpec(cells=("vv",))}


def a_scene(archive: Path, name: str, value: float, clock: str = "05:00:00", **told: Any) -> Path:
    bands = {"B04": value * 1e4, "SCL": 4}
    layers = {key: Layer(np.full((96, 96), held, np.uint16), f"EPSG:{TILE.epsg}", GRID) for key, held in bands.items()}
    return write_item(archive, L2A, name, f"2019-03-01T{clock}Z", layers, TOLD | told)


def made(day: str) -> dict[str, str]:
    return {MADE: f"{day}T00:00:00Z"}


def three(archive: Path) -> Source:
    """A scene as it was first made, made again in 2021, and again in 2023; catalogues time the last otherwise."""
    a_scene(archive, "c", 0.1, **made("2019-03-01"))
    a_scene(archive, "b", 0.2, **made("2021-01-01"))
    a_scene(archive, "a", 0.3, "05:04:00", **made("2023-01-01"))
    return Sentinel2(archive)


def seen_at(source: Source, as_of: str | None, name: str = "B04") -> tuple[tuple[str, ...], float]:
    moment = None if as_of is None else np.datetime64(as_of, "ns")
    inputs = build_features([source], TILE, NOON, NEEDS[name], as_of=moment)
    if name == "B04":
        recent = inputs.history[name][1:3].max()
        assert float(recent) == pytest.approx(float(inputs.cells[name].mean())), "the past reads the same processing"
    return inputs.items, round(float(inputs.cells[name].mean()), 4)


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2019-03-06", ("c", 0.1)),
        ("2020-12-31T23:59:59", ("c", 0.1)),
        ("2021-01-01", ("b", 0.2)),
        ("2022-12-31", ("b", 0.2)),
        ("2023-01-02", ("a", 0.3)),
        (None, ("a", 0.3)),
    ],
)
def test_as_of_reads_the_processing_that_there_was(tmp_path: Path, as_of: str | None, expected: Any) -> None:
    source = three(tmp_path)
    assert seen_at(source, as_of) == ((expected[0],), expected[1])
    moment = None if as_of is None else np.datetime64(as_of, "ns")
    held = inventory([source], AREA, [NOON], NEEDS["B04"], TemporalPolicy(), moment)
    assert [one.name for one in held] == [expected[0]], "a map names what it reads"


def test_causal_estimates_read_each_processing_in_its_time(tmp_path: Path) -> None:
    a_scene(tmp_path, "first", 0.1, **made("2019-03-01"))
    a_scene(tmp_path, "again", 0.2, **made("2019-03-04"))
    windows = TemporalPolicy({"sentinel2": 30.0}, causal=True)
    assembler = FeatureBuilder.open(
        [Sentinel2(tmp_path)], TILE, Period(SEEN, SEEN + np.timedelta64(9, "D")), NEEDS["B04"], windows
    )
    days = {hours: assembler.at(SEEN + np.timedelta64(hours, "h")).items for hours in (12, 25, 66, 68)}
    assert days == {12: (), 25: ("first",), 66: ("first",), 68: ("again",)}


def test_a_processing_of_the_same_day_comes_no_sooner_than_a_first_one(tmp_path: Path) -> None:
    a_scene(tmp_path, "first", 0.1, **made("2019-03-01"))
    a_scene(tmp_path, "again", 0.2, **{MADE: "2019-03-01T08:00:00Z"})
    windows = TemporalPolicy(causal=True)
    whole = Period(SEEN, SEEN + np.timedelta64(3, "D"))
    assembler = FeatureBuilder.open([Sentinel2(tmp_path)], TILE, whole, NEEDS["B04"], windows)
    assert [assembler.at(SEEN + np.timedelta64(hours, "h")).items for hours in (6, 25)] == [(), ("again",)]


def test_two_processings_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    a_scene(tmp_path / "old", "S2A_33TVL_20190301_0_L2A", 0.1, **made("2019-03-01"))
    a_scene(tmp_path / "new", "S2A_33TVL_20190301_0_L2A", 0.2, **made("2021-01-01"))
    source = Sentinel2(tmp_path)
    assert [seen_at(source, when)[1] for when in ("2020-01-01", "2022-01-01", None)] == [0.1, 0.2, 0.2]


def test_radar_processed_again_counts_from_then(tmp_path: Path) -> None:
    for name, value, when in (("old", 0.1, "2020-01-01"), ("new", 0.2, "2022-01-01")):
        layers = {"vv": Layer(np.full((96, 96), value, np.float32), f"EPSG:{TILE.epsg}", GRID)}
        told = {"platform": "s1a", "processing:datetime": f"{when}T00:00:00Z"}
        write_item(tmp_path, RTC, name, "2019-03-01T05:00:00Z", layers, told)
    source = Sentinel1(tmp_path)
    assert [seen_at(source, when, "vv") for when in ("2021-01-01", None)] == [(("old",), 0.1), (("new",), 0.2)]
    assert source.passes(AREA, YEAR).tolist() == [int(SEEN.astype(np.int64))], "a pass once"


@pytest.mark.parametrize("when", [None, "9999-01-01", "no time"])
def test_the_older_is_left_out_for_good_where_nobody_knows_when_the_newer_came(
    tmp_path: Path, when: str | None
) -> None:
    a_scene(tmp_path, "old", 0.1, updated="2022-01-01T00:00:00Z", **made("2019-03-01"))
    a_scene(tmp_path, "new", 0.2, updated="2023-01-01T00:00:00Z", **(made(when) if when else {}))
    source = Sentinel2(tmp_path)
    assert [seen_at(source, asked) for asked in ("2020-01-01", None)] == [(("new",), 0.2)] * 2
    assert [(one.name, one.kind) for one in source.index.left_out] == [("old", OLDER)]


def test_in_hindsight_the_newest_alone_is_found_and_the_others_named(tmp_path: Path) -> None:
    source = three(tmp_path)
    assert [record.id for record in source.index.find(AREA, YEAR)] == ["a"]
    assert sorted((one.name, one.kind) for one in source.index.left_out) == [("b", KEPT), ("c", KEPT)]
    opened = source.open(AREA, YEAR)
    assert {one.attrs["item"] for one in opened} == {"a", "b", "c"}
    assert {one.attrs["item"] for one in in_hindsight(opened)} == {"a"}


def test_an_older_processing_is_not_replaced_by_one_that_cannot_be_read(tmp_path: Path) -> None:
    a_scene(tmp_path, "old", 0.1, **made("2019-03-01"))
    for file in a_scene(tmp_path, "new", 0.2, **made("2021-01-01")).parent.glob("*.tif"):
        file.unlink()
    source = Sentinel2(tmp_path)
    assert [seen_at(source, when) for when in ("2020-01-01", "2022-01-01", None)] == [(("old",), 0.1)] * 3
