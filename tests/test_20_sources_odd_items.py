"""Odd items and odd folders: each is read, or left out by name, and none ends or empties the archive."""

import hashlib
import json
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from affine import Affine

from real_archive import Layer, write_item, write_raster
from vadose.errors import NoDataError
from vadose.fusion.scene import scenes_of
from vadose.grid import AreaOfInterest, Period
from vadose.insitu.archive import ArchiveReader
from vadose.io.folders import walk
from vadose.sources.archive import ItemIndex
from vadose.sources.crs import epsg_of, horizontal_wkt
from vadose.sources.dem import Dem
from vadose.sources.integrity import multihash
from vadose.sources.sentinel1 import Sentinel1

RTC, L2A = "sentinel-1-rtc", "sentinel-2-l2a"
GRID = Affine(10, 0, 500000, 0, -10, 5000000)
DOT = Layer(np.full((40, 40), 0.1, np.float32), "EPSG:32633", GRID)
AREA = AreaOfInterest.from_bbox(14.99, 45.14, 15.01, 45.16, "istria")
YEAR = Period.parse("2019-01-01/2019-12-31")
HEIGHT = Layer(np.full((36, 36), 300, np.int16), "EPSG:4326", Affine(1 / 3600, 0, 14.995, 0, -1 / 3600, 45.16))


def an_item(archive: Path, name: str = "a", day: str = "2019-03-01", **changes: Any) -> Path:
    return write_item(archive, RTC, name, f"{day}T05:00:00Z", {"vv": DOT}, **changes)


def changed(file: Path, **fields: Any) -> dict[str, Any]:
    """Change the fields of an item; None removes one."""
    item = json.loads(file.read_text()) | fields
    item = {key: value for key, value in item.items() if value != "absent"}
    file.write_text(json.dumps(item))
    return item


def found(archive: Path) -> list[str]:
    return [record.id for record in ItemIndex.of(archive, RTC).find(AREA, YEAR)]


def test_links_in_circles_end_and_each_file_is_found_once(tmp_path):
    an_item(tmp_path)
    (tmp_path / "one").symlink_to(".")
    (tmp_path / "two").symlink_to(".")
    (tmp_path / RTC / "up").symlink_to("..")
    names = [path.name for path in walk(tmp_path)]
    assert sorted(names) == ["a.json", "vv.tif"]
    assert found(tmp_path) == ["a"]


def test_a_link_to_itself_does_not_end_the_search(tmp_path):
    an_item(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "dead.json").symlink_to("nowhere.json")
    assert found(tmp_path) == ["a"]
    assert sorted(left.name for left in ItemIndex.of(tmp_path, RTC).left_out) == ["dead.json", "loop.json"]


def test_stores_of_zarr_are_not_searched(tmp_path):
    an_item(tmp_path)
    an_item(tmp_path / "truth.zarr")
    (tmp_path / "truth.zarr" / "zarr.json").write_text("{}")
    assert sorted(path.name for path in walk(tmp_path)) == ["a.json", "vv.tif"]


def test_a_folder_that_lies_elsewhere_is_followed(tmp_path):
    an_item(tmp_path / "disk")
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "linked").symlink_to(tmp_path / "disk")
    assert found(archive) == ["a"]


def test_pipes_sockets_and_hidden_files_are_not_waited_for(tmp_path):
    an_item(tmp_path)
    os.mkfifo(tmp_path / "pipe.json")
    os.mkfifo(tmp_path / "pipe.stm")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.json").write_text("{")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.json"))
        index = ItemIndex.of(tmp_path, RTC)
        assert [record.id for record in index.find(AREA, YEAR)] == ["a"]
        assert [left.name for left in index.left_out] == ["pipe.json", "s.json"]
        assert "is a pipe, not a regular file" in index.left_out[0].reason
        assert ArchiveReader(tmp_path).data == ()


def collection(archive: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Items whose JSON files are gone: what one file holds of them, addresses relative to the archive."""
    items = []
    for name in names:
        file = an_item(archive, name, f"2019-03-{10 + len(items)}")
        item = json.loads(file.read_text())
        item["assets"]["vv"]["href"] = f"./{RTC}/{name}/vv.tif"
        file.unlink()
        items.append(item)
    return items


def rows(items: list[dict[str, Any]]) -> pa.Table:
    """Items as stac-geoparquet writes them: properties on top, geometry as WKB, bbox as a struct."""
    told = []
    for item in items:
        west, south, east, north = item["bbox"]
        top = {key: item[key] for key in ("type", "stac_version", "id", "collection", "assets")}
        box = {"xmin": west, "ymin": south, "xmax": east, "ymax": north}
        told.append(top | {"bbox": box, "geometry": shapely.to_wkb(shapely.box(*item["bbox"]))} | item["properties"])
    return pa.Table.from_pylist(told)


@pytest.mark.parametrize(
    "form", ["items.json", "items.geojson", "list.json", "lines.ndjson", "lines.json", "t.parquet"]
)
def test_items_of_one_file_are_read(tmp_path, form):
    items = collection(tmp_path, ("a", "b"))
    path = tmp_path / form
    if form == "t.parquet":
        pq.write_table(rows(items), path)
    elif form.startswith("lines"):
        path.write_text("\n".join(map(json.dumps, items)) + "\n")
    else:
        path.write_text(json.dumps(items if form == "list.json" else {"type": "FeatureCollection", "features": items}))
    assert found(tmp_path) == ["a", "b"]


def test_remote_files_of_one_name_are_looked_for_in_the_folder_of_their_item(tmp_path):
    items = collection(tmp_path, ("a", "b"))
    for item in items:
        item["assets"]["vv"]["href"] = f"https://example.org/{item['id']}/vv.tif"
    (tmp_path / RTC / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    records = ItemIndex.of(tmp_path, RTC).find(AREA, YEAR)
    assert [record.asset("vv").href for record in records] == [str(tmp_path / RTC / n / "vv.tif") for n in "ab"]
    (tmp_path / RTC / "b" / "vv.tif").rename(tmp_path / RTC / "vv.tif")
    index = ItemIndex.of(tmp_path, RTC)
    assert [record.id for record in index.find(AREA, YEAR)] == ["a"]
    assert "Several items of items.json name a file vv.tif" in index.left_out[0].reason


@pytest.mark.parametrize(
    "fields",
    [
        {"stac_version": "absent"},
        {"bbox": None, "geometry": {"type": "Polygon", "coordinates": [[[14.9, 45.1], [15.1, 45.1], [15.1, 45.2]]]}},
        {"bbox": [374.9, 45.1, 375.1, 45.2], "geometry": None},
    ],
)
def test_items_that_say_less_or_otherwise_are_read(tmp_path, fields):
    if fields.get("geometry"):
        fields["geometry"]["coordinates"][0].append(fields["geometry"]["coordinates"][0][0])
    if fields.get("bbox"):
        fields["bbox"] = [angle if angle < 360 else angle - 360 for angle in fields["bbox"]]
    changed(an_item(tmp_path), **fields)
    assert found(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("west", "east", "inside", "outside"),
    [(350, 358, -5, 5), (170, 190, -175, 0), (0, 360, -100, None), (190, 200, -165, 165)],
)
def test_longitudes_of_0_to_360_are_understood(tmp_path, west, east, inside, outside):
    changed(an_item(tmp_path), bbox=[west, -10, east, 10])
    ((record, _),) = ItemIndex.of(tmp_path, RTC).records
    assert -180 <= record.bbox[0] <= 180
    index = ItemIndex.of(tmp_path, RTC)
    assert index.find(AreaOfInterest.from_bbox(inside - 1, 0, inside + 1, 1), None)
    if outside is not None:
        with pytest.raises(NoDataError):
            index.find(AreaOfInterest.from_bbox(outside - 1, 0, outside + 1, 1), None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"bbox": None}, "neither bbox nor geometry"),
        ({"bbox": [float("nan"), 0, 1, 1]}, "bbox"),
        ({"bbox": [-1e9, 0, 1, 1]}, "bbox"),
        ({"bbox": [14, 95, 15, 96]}, "bbox"),
        ({"assets": {}}, "None of its assets"),
        ({"assets": None}, "whole STAC item"),
        ({"properties": {}}, "no start_datetime"),
        ({"properties": {"datetime": "1200-01-01"}}, "whole STAC item"),
        ({"properties": {"start_datetime": "2019-03-01", "end_datetime": "2019-03-31"}}, "composite"),
        ({"collection": "s1_rtc"}, "none of those that are read"),
        ({"assets": {"vv": {"href": "vv.tif", "raster:bands": [{"scale": 0}]}}}, "scale 0"),
        ({"assets": {"vv": {"href": "gone.tif"}}}, "There is no"),
    ],
)
def test_an_odd_item_is_left_out_by_name_and_the_others_are_read(tmp_path, fields, words):
    an_item(tmp_path, "good")
    changed(an_item(tmp_path, "odd", "2019-03-05"), **fields)
    index = ItemIndex.of(tmp_path, RTC)
    assert [record.id for record in index.find(AREA, YEAR)] == ["good"]
    (left,) = index.left_out
    assert (left.source, left.name) == ("sentinel1", "odd")
    assert words in left.reason


def test_json_that_is_nested_without_end_is_left_out(tmp_path):
    an_item(tmp_path)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "deeper.geojson").write_text('{"a":' * 100_000)
    index = ItemIndex.of(tmp_path, RTC)
    assert [record.id for record in index.find(AREA, YEAR)] == ["a"]
    assert [left.name for left in index.left_out] == ["deep.json", "deeper.geojson"]


@pytest.mark.parametrize("code", ["EPSG:None", "OGC:CRS84", "ESRI:54009", "nonsense", "", None, 0, "EPSG:999999", []])
def test_a_projection_that_cannot_be_read_leaves_the_word_to_the_raster(tmp_path, code):
    file = an_item(tmp_path)
    item = json.loads(file.read_text())
    changed(file, properties=item["properties"] | {"proj:epsg": None, "proj:code": code})
    assert found(tmp_path) == ["a"]


def test_projections_are_compared_by_their_horizontal_part():
    assert [epsg_of(code) for code in ("EPSG:9518", 4979, "EPSG:32632+5773", "32633")] == [4326, 4326, 32632, 32633]
    assert horizontal_wkt("no CRS") == "no CRS"


@pytest.mark.parametrize("crs", ["EPSG:9518", "EPSG:4326+5773", "EPSG:4979"])
def test_heights_with_a_vertical_datum_are_read(tmp_path, crs):
    file = write_item(tmp_path, "nasadem", "a", "2000-02-20T00:00:00Z", {"elevation": HEIGHT})
    write_raster(file.with_name("elevation.tif"), Layer(HEIGHT.values, crs, HEIGHT.transform))
    (tile,) = Dem(tmp_path).open(AREA, YEAR)
    assert tile.rio.crs.to_epsg() == 4326
    assert float(tile["elevation"].max()) == 300


def test_another_projection_than_the_items_leaves_it_out(tmp_path):
    file = an_item(tmp_path, "a")
    an_item(tmp_path, "b")
    write_raster(file.with_name("vv.tif"), Layer(DOT.values, "EPSG:32634+5773", GRID))
    index = ItemIndex.of(tmp_path, RTC)
    assert [record.id for record in index.find(AREA, YEAR)] == ["b"]
    assert "It is in EPSG:32634; its item a says EPSG:32633" in index.left_out[0].reason


HASHES = {
    "sha256": "1220",
    "sha1": "1114",
    "md5": "d50110",
    "sha3_256": "1620",
    "sha512": "1340",
    "blake2b": "c0e40240",
}


@pytest.mark.parametrize("name", HASHES)
def test_checksums_are_compared(tmp_path, name):
    file = an_item(tmp_path)
    raster = file.with_name("vv.tif")
    digest = hashlib.new(name, raster.read_bytes()).hexdigest()
    assert multihash(HASHES[name] + digest) == (name, digest)
    size = raster.stat().st_size
    changed(file, assets={"vv": {"href": "vv.tif", "file:checksum": HASHES[name] + digest, "file:size": size}})
    assert found(tmp_path) == ["a"]
    content = bytearray(raster.read_bytes())
    content[len(content) // 2] ^= 1
    raster.write_bytes(content)
    with pytest.raises(NoDataError, match=rf"left out: a: .*{name} checksum\. It is \w+; its item says {digest}"):
        found(tmp_path)


@pytest.mark.parametrize("text", ["", "zz", "1220ab", "99", "1220" + "00" * 31, "ff" * 40])
def test_a_checksum_of_another_kind_says_nothing(tmp_path, text):
    assert multihash(text) is None
    changed(an_item(tmp_path), assets={"vv": {"href": "vv.tif", "file:checksum": text}})
    assert found(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"file:size": 17}, r"It has \d+ bytes; its item says 17"),
        ({"proj:shape": [20, 20]}, r"It has 40 x 40 pixels; its item says 20 x 20"),
        ({"proj:transform": [20, 0, 500000, 0, -20, 5000000]}, "Its transform is 10, 0, 500000"),
        ({"proj:transform": [10, 0, 500000, 0, -10, 5003000, 0, 0, 1]}, "its item says 10, 0, 500000, 0, -10, 5003000"),
    ],
)
def test_a_file_that_is_not_the_one_described_is_left_out(tmp_path, fields, words):
    changed(an_item(tmp_path), assets={"vv": {"href": "vv.tif"} | fields})
    with pytest.raises(NoDataError, match=rf"left out: a: .*{words}"):
        found(tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"proj:shape": [40, 40], "proj:transform": [10, 0, 500000, 0, -10, 5000000, 0, 0, 1]},
        {"proj:transform": [10, 0, 500005, 0, -10, 4999995]},
        {"proj:transform": [500000, 10, 0, 5000000, 0, -10]},
        {"proj:shape": [100, 100], "proj:transform": [10, 0, 499900, 0, -10, 5000100]},
    ],
)
def test_the_grid_of_the_file_in_any_words_and_a_cut_of_it_are_read(tmp_path, fields):
    changed(an_item(tmp_path), assets={"vv": {"href": "vv.tif"} | fields})
    assert found(tmp_path) == ["a"]


def twins(archive: Path, collection_: str, names: tuple[str, str], told: tuple[dict[str, Any], dict[str, Any]]) -> None:
    layers = (
        {"vv": DOT}
        if collection_ == RTC
        else {"B04": Layer(DOT.values * 3e4, DOT.crs, GRID), "SCL": Layer(DOT.values + 4, DOT.crs, GRID)}
    )
    for name, properties in zip(names, told, strict=True):
        write_item(archive, collection_, name, "2019-03-01T05:00:00Z", layers, {"platform": "s"} | properties)


@pytest.mark.parametrize(
    ("collection_", "names", "told"),
    [
        (L2A, ("a", "b"), ({"s2:processing_baseline": "05.00"}, {"s2:processing_baseline": "03.01"})),
        (L2A, ("z", "b"), ({"s2:processing_baseline": "10.00"}, {"s2:processing_baseline": "05.00"})),
        (
            L2A,
            (
                "S2A_MSIL2A_20190301T050000_N0500_R001_T33TVM_20230612T214223",
                "S2A_MSIL2A_20190301T050000_N0500_R001_T33TVM_20200612T214223",
            ),
            ({}, {}),
        ),
        (
            L2A,
            ("a", "b"),
            (
                {"s2:processing_baseline": "05.00", "s2:generation_time": "2023-01-01T00:00:00Z"},
                {"s2:processing_baseline": "05.00", "s2:generation_time": "2022-12-31T23:00:00-0500"},
            )[::-1],
        ),
        (RTC, ("a", "b"), ({"updated": "2024-01-01T00:00:00Z"}, {"updated": "2023-01-01T00:00:00Z"})),
        (RTC, ("z", "b"), ({"processing:datetime": "2021-01-01T00:00:00Z"}, {"processing:datetime": "2020-01-01"})),
    ],
)
def test_of_two_processings_of_one_scene_the_newer_is_read_and_the_other_named(tmp_path, collection_, names, told):
    twins(tmp_path, collection_, names, told)
    index = ItemIndex.of(tmp_path, collection_)
    assert [record.id for record in index.find(AREA, YEAR)] == [names[0]]
    (left,) = index.left_out
    assert (left.name, left.kind.split(",")[0]) == (names[1], "older processing")
    assert names[0] in left.reason


def test_neighbours_and_other_satellites_are_no_twins(tmp_path):
    newer, older = ({"updated": f"{year}-01-01T00:00:00Z"} for year in (2024, 2023))
    an_item(tmp_path, "a", properties={"platform": "s1a"} | newer)
    an_item(tmp_path, "b", properties={"platform": "s1b"} | older)
    beside = Layer(DOT.values, DOT.crs, Affine(10, 0, 500100, 0, -10, 5000000))
    properties = {"platform": "s1a"} | older
    write_item(tmp_path, RTC, "c", "2019-03-01T05:00:00Z", {"vv": beside}, properties)
    write_item(tmp_path, RTC, "d", "2019-03-01T06:00:00Z", {"vv": DOT}, properties)
    assert found(tmp_path) == ["a", "b", "c", "d"]


def test_of_looks_of_one_time_the_later_processing_comes_first(tmp_path):
    an_item(tmp_path, "a", properties={"processing:datetime": "2020-01-01T00:00:00Z", "platform": "s1a"})
    an_item(tmp_path, "b", properties={"processing:datetime": "2021-01-01T00:00:00Z", "platform": "s1b"})
    looks = scenes_of(Sentinel1(tmp_path).layers(AREA, YEAR))
    assert [look.item for look in looks] == ["b", "a"]
