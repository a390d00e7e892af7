"""One scan of an archive: kept beside it, renewed by what changed, never trusted when it is damaged or another's."""

import json
import os
import time
from pathlib import Path

import geopandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vadose.errors import NoDataError
from vadose.grid import AreaOfInterest, Period
from vadose.sources import ArchiveScan, item_files, kept_scan, open_mask_sources, open_sources
from vadose.sources.archive import ItemIndex
from vadose.sources.granules import GranuleIndex

RTC = "sentinel-1-rtc"
LONG_AGO = time.time() - 1000
COUNT = kept_scan.FEWEST + 20
GRANULES = ("SMAP_L3_SM_P_E_20210609_R19240_001.h5", "GLDAS_NOAH025_3H.A20210609.0300.021.nc4")


def item(number: int, collection: str = RTC, **properties: object) -> dict[str, object]:
    day = f"2021-06-{1 + number % 30:02d}T05:30:00Z"
    assets = {"vv": {"href": "./vv.tif", "raster:bands": [{"nodata": -9999}], "proj:shape": [3, 4]}}
    box = [9.0, 55.0, 10.0, 56.0] if number else [179.5, -10.0, -179.5, -9.0]
    told = {"datetime": day, "sat:relative_orbit": number, "platform": f"S1{number}"} | properties
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"{collection}-{number}",
        "collection": collection,
        "bbox": box,
        "properties": told,
        "assets": assets,
    }


def put(path: Path, content: object, when: float = LONG_AGO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    os.utime(path, (when, when))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    for number in range(COUNT):
        put(folder / "s1" / f"{number}.json", item(number))
    put(folder / "grd.json", item(1, "sentinel-1-grd"))
    put(folder / "other.json", {"what": "no item"})
    for name in GRANULES:
        put(folder / "granules" / name, "")
    return folder


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are parsed."""
    names: list[str] = []
    read = item_files.items_of

    def noting(path: Path) -> list[item_files.Item]:
        names.append(path.name)
        return read(path)

    monkeypatch.setattr("vadose.sources.scan.items_of", noting)
    return names


def held(folder: Path) -> dict[str, object]:
    """All that the sources find in an archive."""
    archive = ArchiveScan.of(folder)
    found: dict[str, object] = {}
    for source in (*open_sources(archive), *open_mask_sources(archive)):
        index = getattr(source, "index", None)
        if isinstance(index, ItemIndex | GranuleIndex):
            found[source.name] = index.records if isinstance(index, ItemIndex) else index.granules, index.unread
    return found


def test_all_sources_share_one_reading_and_the_next_process_reads_nothing(archive, parsed):
    first = held(archive)
    assert len(parsed) == COUNT + 2, "each file once, whatever the number of sources"
    assert len(first["sentinel1"][0]) == COUNT and len(first["smap"][0]) == len(first["gldas"][0]) == 1
    parsed.clear()
    assert held(archive) == first and parsed == []


def test_what_changed_is_read_again_and_what_is_gone_is_forgotten(archive, parsed):
    held(archive)
    parsed.clear()
    put(archive / "s1" / "3.json", item(3, platform="other"), LONG_AGO + 1)
    put(archive / "s1" / "new.json", item(COUNT))
    (archive / "s1" / "4.json").unlink()
    (archive / "granules" / GRANULES[0]).unlink()
    found = held(archive)
    assert sorted(parsed) == ["3.json", "new.json"]
    names = {record.id: record.platform for record, _ in found["sentinel1"][0]}
    assert names["sentinel-1-rtc-3"] == "other" and "sentinel-1-rtc-4" not in names
    assert f"sentinel-1-rtc-{COUNT}" in names and not found["smap"][0]
    parsed.clear()
    assert held(archive) == found and parsed == []


def test_a_file_that_has_just_changed_is_not_relied_on(archive, parsed):
    put(archive / "s1" / "3.json", item(3), time.time())
    held(archive)
    parsed.clear()
    held(archive)
    assert parsed == ["3.json"]


def test_a_file_that_cannot_be_read_is_tried_again(archive, parsed):
    broken = put(archive / "broken.json", "{")
    assert "corrupt file" in {entry.kind for entry in held(archive)["dem"][1]}
    parsed.clear()
    held(archive)
    assert parsed == [broken.name]


@pytest.mark.parametrize("kind", ["bytes", "table", "code", "columns"])
def test_a_damaged_or_foreign_index_is_made_anew(archive, parsed, kind):
    first = held(archive)
    path = archive / kept_scan.NAME
    table = pq.read_table(path)
    if kind == "bytes":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "table":
        pq.write_table(pa.table({"id": ["a"], "geometry": [b""], "assets": ["{}"]}), path)
    elif kind == "code":
        pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"vadose_index": b"{}"}), path)
    else:
        pq.write_table(table.drop_columns(["assets"]), path)
    parsed.clear()
    assert held(archive) == first and len(parsed) == COUNT + 2
    parsed.clear()
    assert held(archive) == first and parsed == []


def test_one_odd_item_does_not_keep_the_others_from_being_kept(archive, parsed):
    put(archive / "odd.json", item(1, "sentinel-1-rtc", **{"sat:relative_orbit": 10**30}) | {"id": "huge"})
    first = held(archive)
    parsed.clear()
    assert held(archive) == first and parsed == ["odd.json"]


def test_an_index_is_no_item_and_a_table_that_others_read(archive):
    held(archive)
    place = put(archive / "inner" / "a.json", item(500))
    (archive / kept_scan.NAME).rename(place.with_name(kept_scan.NAME))
    assert len(ItemIndex.of(archive, RTC).records) == COUNT + 1, "an archive within an archive brings its index along"
    table = geopandas.read_parquet(archive / kept_scan.NAME)
    assert {"item", "granule", "other"} == set(table["kind"])
    assert table.set_index("id").loc["sentinel-1-rtc-1", "geometry"].bounds == (9, 55, 10, 56)


def test_an_archive_that_cannot_be_written_is_kept_in_the_cache(archive, parsed, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write = kept_scan.atomic_write

    def refusing(path: Path):
        if path.is_relative_to(archive):
            raise OSError(30, "Read-only file system", str(path))
        return write(path)

    monkeypatch.setattr(kept_scan, "atomic_write", refusing)
    first = held(archive)
    assert not (archive / kept_scan.NAME).exists()
    parsed.clear()
    assert held(archive) == first and parsed == []
    monkeypatch.setenv("XDG_CACHE_HOME", str(put(tmp_path / "file", "")))
    assert held(archive) == first, "neither place: the archive is read each time"


def test_a_small_archive_is_read_without_an_index(tmp_path):
    put(tmp_path / "a.json", item(1))
    assert len(ItemIndex.of(tmp_path, RTC).records) == 1
    assert not (tmp_path / kept_scan.NAME).exists()


def test_why_an_item_is_unfit_is_told_alike_from_the_index(archive):
    area, period = AreaOfInterest.from_bbox(9.1, 55.1, 9.2, 55.2, "here"), Period.parse("2021-06-01/2021-07-01")
    told = set()
    for _ in range(2):
        with pytest.raises(NoDataError, match=r"left out: .*There is no") as raised:
            ItemIndex.of(archive, RTC).find(area, period)
        told.add(str(raised.value))
    assert len(told) == 1
