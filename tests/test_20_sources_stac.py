"""Items of STAC catalogues: every real one, the traps of their words, and the archive they lie in."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from real_archive import Layer, write_item, write_raster
from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period
from vadose.sources.archive import ItemIndex, locate
from vadose.sources.radiometry import baseline_of, offset_of
from vadose.sources.records import Asset, SceneItem
from vadose.sources.stac import parse

SHARED = Path(os.environ.get("VADOSE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
INDEX = SHARED / "stac_items" / "INDEX.json"
ITEMS = json.loads(INDEX.read_text()) if INDEX.is_file() else []

UNREAD = {
    "sentinel-2-global-mosaics": "none of those",
    "3dep-seamless": "none of those",
    "alos-dem": "none of those",
    "cop-dem-glo-90": "none of those",
    "era5-pds": "none of those",
    "gnatsgo-rasters": "none of those",
    "gnatsgo-tables": "none of those",
    "sentinel-1-grd": "Sentinel-1 GRD, in radar geometry",
    "sentinel1-grd": "Sentinel-1 GRD, in radar geometry",
    "sentinel1-slc": "Sentinel-1 SLC, in radar geometry",
}
UNREAD_WITHOUT_COLLECTION = {
    "S1A_EW_GRDM_1SSH_20181103T235855_20181103T235955_024430_02AD5D_5616": "GRD",
    "S1A_IW_SLC__1SDV_20150305T051937_20150305T052005_004892_006196_ABBB": "SLC",
    "S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8": "GRD",
    "sentinel-1-example": "GRD",
}


def find(folder: Path, product: str, area: AreaOfInterest, period: Period | None) -> tuple[SceneItem, ...]:
    return ItemIndex.of(folder, product).find(area, period)


READ = {
    # file: product, epsg, baseline, platform, orbit, state, band: (scale, offset, nodata, resolution)
    "cdse/sentinel-2-l2a/S2B_MSIL2A_20200322T074609_N0500_R135_T36NYH_20230612T214223": (
        ("sentinel-2-l2a", 32636, "05.00", "sentinel-2b", 135, "descending"),
        {"B04": (1e-4, -0.1, 0, 10), "B11": (1e-4, -0.1, 0, 20), "scl": (1, 0, 0, 20)},
    ),
    "cdse/sentinel-2-l2a/S2C_MSIL2A_20260527T014651_N0512_R017_T55WFR_20260527T042005": (
        ("sentinel-2-l2a", 32655, "05.12", "sentinel-2c", 17, "descending"),
        {"B08": (1e-4, -0.1, 0, 10), "B12": (1e-4, -0.1, 0, 20)},
    ),
    "earth-search/none/S2B_33SVB_20210221_0_L2A": (
        ("sentinel-2-l2a", 32633, "02.14", "sentinel-2b", 79, None),
        {"B04": (1e-4, 0, 0, 10), "B11": (1e-4, 0, None, 20), "scl": (1, 0, None, 20)},
    ),
    "earth-search/sentinel-2-c1-l2a/S2A_T13TDE_20240402T174230_L2A": (
        ("sentinel-2-l2a", 32613, "05.10", "sentinel-2a", 98, None),
        {"B02": (1e-4, -0.1, 0, 10), "B11": (1e-4, -0.1, 0, 20), "scl": (1, 0, 0, 20)},
    ),
    "earth-search/sentinel-2-l2a/S2A_29RKH_20200219_0_L2A": (
        ("sentinel-2-l2a", 32629, "02.14", "sentinel-2a", 37, None),
        {"B04": (1e-4, 0, 0, 10), "B12": (1e-4, 0, 0, 20), "scl": (1, 0, 0, 20)},
    ),
    "earth-search/sentinel-s2-l2a-cogs/S2A_28QCH_20200714_0_L2A": (
        ("sentinel-2-l2a", 32628, "02.14", "sentinel-2a", 123, None),
        {"B04": (1e-4, 0, None, 10), "scl": (1, 0, None, 20)},
    ),
    "other/sentinel-s2-l2a/S2A_OPER_MSI_L2A_TL_SGS__20180524T190423_A015250_T26SKD_N02.08": (
        ("sentinel-2-l2a", 32635, "02.08", "sentinel-2", None, None),
        {"B04": (1e-4, 0, None, None), "scl": (1, 0, None, None)},
    ),
    "other/none/S2A_MSIL1C_20200615T060641_N0209_R134_T45WWS_20200615T080720": (
        ("sentinel-2-l1c", None, "02.09", "sentinel-2a", 134, "descending"),
        {"B04": (1e-4, 0, 0, 10), "B11": (1e-4, 0, 0, 20)},
    ),
    "pc/sentinel-2-l2a/S2A_MSIL2A_20150704T101006_R022_T35XQA_20210411T133707": (
        ("sentinel-2-l2a", 32635, "02.12", "sentinel-2a", 22, "descending"),
        {"B04": (1e-4, 0, None, 10), "B11": (1e-4, 0, None, 20), "scl": (1, 0, None, 20)},
    ),
    "pc/sentinel-2-l2a/S2B_MSIL2A_20220612T182919_R027_T24XWR_20220613T123251": (
        ("sentinel-2-l2a", 32624, "04.00", "sentinel-2b", 27, "ascending"),
        {"B04": (1e-4, -0.1, None, 10), "B11": (1e-4, -0.1, None, 20), "scl": (1, 0, None, 20)},
    ),
    "stactools/none/S2A_OPER_MSI_L2A_TL_2APS_20240108T121951_A044635_T34VEL": (
        ("sentinel-2-l2a", 32634, "05.10", "sentinel-2a", None, None),
        {"B04": (1e-4, -0.1, 0, 10), "B11": (1e-4, -0.1, 0, 20), "scl": (1, 0, 0, 20)},
    ),
    "stactools/sentinel2-l2a-example/S2A_T07HFE_20190212T192646_L2A": (
        ("sentinel-2-l2a", 32707, "02.12", "sentinel-2a", 13, "descending"),
        {"B04": (1e-4, 0, 0, 10), "B11": (1e-4, 0, 0, 20), "scl": (1, 0, 0, 20)},
    ),
    "stactools/sentinel2-l1c-example/S2A_T01LAC_20200717T221944_L1C": (
        ("sentinel-2-l1c", 32701, "02.09", "sentinel-2a", 29, "descending"),
        {"B08": (1e-4, 0, 0, 10), "B12": (1e-4, 0, 0, 20)},
    ),
    "pc/sentinel-1-rtc/S1A_IW_GRDH_1SDV_20240419T045904_20240419T045916_053498_067DF2_rtc": (
        ("sentinel-1-rtc", 32633, None, "sentinel-1a", 51, "descending"),
        {"vv": (1, 0, -32768, 10), "vh": (1, 0, -32768, 10)},
    ),
    "stactools/sentinel1-rtc-aws/S1B_20161121_12SYJ_ASC": (
        ("sentinel-1-rtc", 32612, None, "sentinel-1b", 49, "ascending"),
        {"vv": (1, 0, 0, 20), "vh": (1, 0, 0, 20), "incidence_angle": (0.01, 0, 0, 20)},
    ),
    "pc/nasadem/NASADEM_HGT_s56w072": (
        ("dem", 4326, None, "", None, None),
        {"elevation": (1, 0, None, 1 / 3600)},
    ),
    "pc/cop-dem-glo-30/Copernicus_DSM_COG_10_S90_00_W180_00_DEM": (
        ("dem", 4326, None, "tandem-x", None, None),
        {"elevation": (1, 0, None, 1 / 360)},
    ),
    "stactools/cop-dem-glo-30/Copernicus_DSM_COG_10_N53_00_W115_00_DEM": (
        ("dem", 4326, None, "tandem-x", None, None),
        {"elevation": (1, 0, None, 1 / 2400)},
    ),
}

GRID = Affine(10, 0, 500000, 0, -10, 5000000)
DOT = Layer(np.ones((4, 4), np.float32), "EPSG:32633", GRID)
AREA = AreaOfInterest.from_bbox(14.99, 45.14, 15.01, 45.16, "istria")
YEAR = Period.parse("2019-01-01/2019-12-31")


def the_item(real: Path, file: str) -> dict[str, Any]:
    return json.loads((real / "stac_items" / f"{file}.json").read_text())


@pytest.mark.parametrize("entry", ITEMS, ids=[entry["id"] for entry in ITEMS])
def test_every_real_item_is_read_or_refused_with_the_reason(real, entry):
    item = json.loads((real / "stac_items" / entry["file"]).read_text())
    reason = UNREAD.get(entry["collection"]) or UNREAD_WITHOUT_COLLECTION.get(entry["id"])
    if reason:
        with pytest.raises(VadoseError, match=reason) as refused:
            parse(item)
        assert entry["id"] in refused.value.context
        assert "Take" in refused.value.hint
        return
    record = parse(item)
    assert (record.id, record.collection) == (entry["id"], entry["collection"] or "")
    assert record.time == np.datetime64(entry["datetime"].rstrip("Z"), "ns")
    if entry["epsg"]:
        assert record.epsg == int(str(entry["epsg"]).removeprefix("EPSG:"))
    _, south, _, north = record.bbox
    assert np.allclose(record.bbox, np.clip(entry["bbox"], [-180, -90] * 2, [180, 90] * 2))
    assert south < north
    optical = [band for band in ("B02", "B03", "B04", "B08", "B11", "B12") if record.asset(band)]
    expected = {"dem": 0, "sentinel-1-rtc": 0}.get(record.product, 6)
    assert len(optical) == expected
    offset = -0.1 if record.baseline and record.baseline >= "04.00" else 0.0
    assert {record.asset(band).offset for band in optical} <= {offset}
    assert hash(record) == hash(parse(item))


@pytest.mark.parametrize("file", READ)
def test_each_catalogue_is_read_to_the_right_record(real, file):
    record = parse(the_item(real, file))
    told, assets = READ[file]
    assert told == (
        record.product,
        record.epsg,
        record.baseline,
        record.platform,
        record.relative_orbit,
        record.orbit_state,
    )
    for band, expected in assets.items():
        asset = record.asset(band)
        found = (asset.scale, asset.offset, asset.nodata, asset.resolution)
        for number, wanted in zip(found, expected, strict=True):
            assert number == wanted or number == pytest.approx(wanted, rel=1e-9), band


def test_a_polarisation_may_be_missing_but_not_both(real):
    item = the_item(real, "stactools/sentinel1-rtc-aws/S1B_20161121_12SYJ_ASC")
    del item["assets"]["gamma0_vh"]
    assert [asset.band for asset in parse(item).assets] == ["vv", "incidence_angle"]
    del item["assets"]["gamma0_vv"]
    with pytest.raises(VadoseError, match=r"None of its assets \(incidence\).*vh, vv"):
        parse(item)


@pytest.mark.parametrize("flag", ["earthsearch:boa_offset_applied", "sentinel:boa_offset_applied"])
def test_numbers_that_a_catalogue_has_shifted_are_not_shifted_again(real, flag):
    item = the_item(real, "earth-search/sentinel-2-c1-l2a/S2A_T13TDE_20240402T174230_L2A")
    assert parse(item).asset("B04").offset == -0.1
    item["properties"][flag] = True
    assert parse(item).asset("B04").offset == 0
    item["properties"][flag] = False
    assert parse(item).asset("B04").offset == -0.1


def test_an_observation_from_before_2022_that_was_processed_again_has_the_offset(real):
    item = the_item(real, "pc/sentinel-2-l2a/S2A_MSIL2A_20150704T101006_R022_T35XQA_20210411T133707")
    item["properties"]["s2:processing_baseline"] = "05.00"
    assert parse(item).asset("B04").offset == -0.1


@pytest.mark.parametrize("offset", [0, -0.2, "nan"])
def test_a_stated_offset_that_contradicts_the_baseline_is_refused(real, offset):
    item = the_item(real, "earth-search/sentinel-2-c1-l2a/S2A_T13TDE_20240402T174230_L2A")
    item["assets"]["red"]["raster:bands"][0]["offset"] = offset
    with pytest.raises(VadoseError, match=rf"asset red\..*offset {offset}.*05\.10.*boa_offset_applied"):
        parse(item)


def test_without_baseline_and_offset_the_item_is_refused(real):
    item = the_item(real, "pc/sentinel-2-l2a/S2B_MSIL2A_20220612T182919_R027_T24XWR_20220613T123251")
    item["properties"].pop("s2:processing_baseline")
    assert parse(item).baseline == "04.00"  # from the name of the product
    item["properties"].pop("s2:product_uri")
    with pytest.raises(VadoseError, match=r"Neither.*1000 too high\. Add s2:processing_baseline"):
        parse(item)


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("S2B_MSIL2A_20200322T074609_N0500_R135_T36NYH_20230612T214223", {}, "05.00"),
        ("S2A_OPER_MSI_L2A_TL_SGS__20180524T190423_A015250_T26SKD_N02.08", {}, "02.08"),
        ("S2B_33SVB_20210221_0_L2A", {"sentinel:processing_baseline": "4.00"}, "04.00"),
        ("S2B_33SVB_20210221_0_L2A", {"processing:version": "05.12"}, "05.12"),
        ("S2B_33SVB_20210221_0_L2A", {"processing:version": "v2"}, None),
        ("S2B_33SVB_20210221_0_L2A", {"processing:version": "1.2"}, None),
        ("S2B_33SVB_20210221_0_L2A", {"s2:processing_baseline": 5.1}, "05.10"),
        ("S2B_33SVB_20210221_0_L2A", {"s2:processing_baseline": 4.0}, "04.00"),
        ("S2B_33SVB_20210221_0_L2A", {"s2:processing_baseline": "N0301"}, "03.01"),
        ("S2B_33SVB_20210221_0_L2A", {"s2:processing_baseline": "0301"}, None),
        ("S2A_MSIL2A_20150704T101006_R022_T35XQA_20210411T133707", {}, None),
    ],
)
def test_baseline_is_found_where_the_catalogue_hides_it(name, properties, expected):
    assert baseline_of(name, properties) == expected


def test_a_stated_offset_is_believed_where_no_baseline_is_known():
    assert offset_of(-0.1, None, {}, "") == -0.1
    assert offset_of(0.0, None, {}, "") == 0.0


@given(data=st.data())
def test_a_damaged_item_is_refused_and_never_fails_otherwise(data):
    if not ITEMS:
        pytest.skip("no real items")
    entry = data.draw(st.sampled_from(ITEMS))
    item = json.loads((SHARED / "stac_items" / entry["file"]).read_text())
    junk = st.none() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({}) | st.just([1, "x"])
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = item
        while True:
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
                break
            node = node[key]
        node[key] = data.draw(junk)
    try:
        assert isinstance(parse(item), SceneItem)
    except VadoseError as refusal:
        assert all((refusal.context, refusal.problem, refusal.hint))


@pytest.mark.parametrize("kind", ["", "Sphere", None])
def test_a_geometry_of_no_type_is_refused(tmp_path, kind):
    item = json.loads(an_item(tmp_path, "S1A_IW_GRDH_1SDV_20220103T050000", "2022-01-03").read_text())
    with pytest.raises(VadoseError, match="stac: item"):
        parse(item | {"bbox": None, "geometry": {"type": kind, "coordinates": []}})


@pytest.mark.parametrize("stamp", ["-1", "-0001-01-01", "99999-01-01", "NaT", "10e400", {}])
def test_a_generation_time_out_of_range_is_none(tmp_path, stamp):
    item = json.loads(an_item(tmp_path, "S1A_IW_GRDH_1SDV_20220103T050000", "2022-01-03").read_text())
    item["properties"] |= {"s2:generation_time": stamp, "processing:datetime": stamp, "updated": stamp}
    assert parse(item).generated is None


def an_item(archive: Path, name: str, day: str, **changes: Any) -> Path:
    return write_item(archive, "sentinel-1-rtc", name, f"{day}T05:00:00Z", {"vv": DOT}, **changes)


def test_items_are_found_by_place_and_time_in_order(tmp_path):
    for name, day in (("b", "2019-03-01"), ("a", "2019-03-01"), ("c", "2019-02-01"), ("d", "2020-01-01")):
        an_item(tmp_path / "any" / "folder", name, day)
    far = Layer(DOT.values, "EPSG:32733", GRID)
    write_item(tmp_path, "sentinel-1-rtc", "far", "2019-05-01T00:00:00Z", {"vv": far})
    records = find(tmp_path, "sentinel-1-rtc", AREA, YEAR)
    assert [record.id for record in records] == ["c", "a", "b"]
    assert records[0].asset("vv") == Asset("vv", str(tmp_path / "any/folder/sentinel-1-rtc/c/vv.tif"))
    assert [record.id for record in find(tmp_path, "sentinel-1-rtc", AREA, None)] == ["c", "a", "b", "d"]


def test_the_end_of_a_period_is_not_in_it(tmp_path):
    write_item(tmp_path, "sentinel-1-rtc", "midnight", "2020-01-01T00:00:00Z", {"vv": DOT})
    with pytest.raises(NoDataError):
        find(tmp_path, "sentinel-1-rtc", AREA, YEAR)
    assert find(tmp_path, "sentinel-1-rtc", AREA, Period.parse("2020-01-01"))


def test_times_are_utc(tmp_path, real):
    item = the_item(real, "pc/nasadem/NASADEM_HGT_s56w072")
    item["properties"]["datetime"] = "2019-06-01T02:00:00.1234567+02:00"
    assert parse(item).time == np.datetime64("2019-06-01T00:00:00.123456700", "ns")
    item["properties"] |= {"datetime": None, "start_datetime": "2019-06-01T02:00:00Z"}
    assert parse(item).time == np.datetime64("2019-06-01T02:00:00", "ns")


def test_nothing_found_names_what_there_is(tmp_path):
    an_item(tmp_path, "a", "2018-03-01")
    an_item(tmp_path, "b", "2018-04-01")
    with pytest.raises(NoDataError) as nothing:
        find(tmp_path, "sentinel-1-rtc", AREA, YEAR)
    assert "sentinel-1-rtc: items over 'istria' in 2019-01-01..2019-12-31" in nothing.value.context
    assert "holds 2 items of 2018-03-01..2018-04-01, 2 of them over the area" in nothing.value.problem
    assert "Choose an area and a period" in nothing.value.hint
    with pytest.raises(NoDataError, match="0 of them over the area"):
        find(tmp_path, "sentinel-1-rtc", AreaOfInterest.from_bbox(0, 0, 1, 1), Period.parse("2018-03-01/2018-04-01"))


def test_an_empty_archive_says_what_to_put_there(tmp_path):
    with pytest.raises(NoDataError, match=r"holds none\. Put items of sentinel-1-rtc into the archive"):
        find(tmp_path, "sentinel-1-rtc", AREA, YEAR)
    with pytest.raises(VadoseError, match="There is no such folder"):
        find(tmp_path / "absent", "sentinel-1-rtc", AREA, YEAR)


def test_items_that_are_not_read_are_named_when_nothing_is_found(tmp_path, real):
    grd = the_item(real, "pc/sentinel-1-grd/S1A_IW_GRDH_1SDV_20220428T034417_20220428T034442_042968_05213C")
    (tmp_path / "grd.json").write_text(json.dumps(grd))
    with pytest.raises(NoDataError, match=r"holds none; 1 other items lie there, such as: .* Sentinel-1 GRD"):
        find(tmp_path, "sentinel-1-rtc", AREA, YEAR)


def test_other_json_files_are_passed_over(tmp_path):
    an_item(tmp_path, "a", "2019-03-01")
    others = {
        "declaration.json": {"kind": "archive", "made_from": {}},
        "collection.json": {"type": "Collection", "stac_version": "1.0.0", "id": "x"},
        "fields.geojson": {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}}]},
        "outline.json": {"type": "Feature", "geometry": None, "properties": {}},
        "list.json": [1, 2],
        ".half-written.json": "",
        ".cache/item.json": "{",
    }
    for name, content in others.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    index = ItemIndex.of(tmp_path, "sentinel-1-rtc")
    assert [record.id for record in index.find(AREA, YEAR)] == ["a"]
    assert index.left_out == ()


def test_a_corrupt_json_file_is_left_out_by_name(tmp_path):
    an_item(tmp_path, "a", "2019-03-01")
    whole = an_item(tmp_path, "broken", "2019-03-01")
    whole.write_bytes(whole.read_bytes()[:200])
    index = ItemIndex.of(tmp_path, "sentinel-1-rtc")
    assert [record.id for record in index.find(AREA, YEAR)] == ["a"]
    (left,) = index.left_out
    assert (left.name, left.kind) == ("sentinel-1-rtc/broken/broken.json", "corrupt file")
    assert "Get the file again" in left.reason


def test_an_item_twice_counts_once_and_of_two_that_differ_one_is_left_out_by_name(tmp_path):
    for copy_of in ("one", "two"):
        an_item(tmp_path / copy_of, "a", "2019-03-01")
    assert len(find(tmp_path, "sentinel-1-rtc", AREA, YEAR)) == 1
    an_item(tmp_path / "three", "a", "2019-03-02")
    index = ItemIndex.of(tmp_path, "sentinel-1-rtc")
    assert [str(record.time)[:10] for record in index.find(AREA, YEAR)] == ["2019-03-01"]
    (left,) = index.left_out
    assert left.name == "a"
    assert "Another item of this id lies at" in left.reason


def test_an_item_across_the_antimeridian_is_found_on_both_sides(tmp_path, real):
    item = the_item(real, "stactools/sentinel2-l1c-example/S2A_T01LAC_20200717T221944_L1C")
    item["assets"] = {"red": {"href": "red.tif"}}
    write_raster(tmp_path / "red.tif", Layer(DOT.values, "EPSG:32701", Affine(10, 0, 300000, 0, -10, 8200000)))
    (tmp_path / "item.json").write_text(json.dumps(item))
    index, year = ItemIndex.of(tmp_path, "sentinel-2-l1c"), Period.parse("2020-01-01/2020-12-31")
    assert index.find(AreaOfInterest.from_bbox(179.5, -16, 179.6, -15.9), year)
    assert index.find(AreaOfInterest.from_bbox(-179.9, -16, -179.8, -15.9), year)
    with pytest.raises(NoDataError):
        index.find(AreaOfInterest.from_bbox(0, -16, 1, -15.9), year)


@pytest.mark.parametrize(
    "href",
    [
        "../../../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "../../../outside.tif",
        "/vsicurl/http://example.org/a.tif",
        "https://example.org/..",
        "https://example.org/%2e%2e%2f%2e%2e%2foutside.tif",
        "https://[::1/vv.tif",
        "vv\0.tif",
        ".",
    ],
)
def test_an_address_that_leads_out_of_the_archive_is_not_followed(tmp_path, href):
    archive = tmp_path / "archive"
    (tmp_path / "outside.tif").write_bytes(b"secret")
    an_item(archive, "a", "2019-03-01", assets={"vv": {"href": href}})
    with pytest.raises(NoDataError) as refused:
        find(archive, "sentinel-1-rtc", AREA, YEAR)
    assert "left out: a: " in refused.value.problem
    assert "a.json: asset" in refused.value.problem
    assert "leads out of the archive" in refused.value.problem or "not on this machine" in refused.value.problem


@pytest.mark.parametrize(
    "href",
    [
        "https://example.org/deep/vv.tif",
        "https://example.org/vv.tif?sv=2024&sig=abc%3D",
        "s3://bucket/key/vv.tif",
        "./vv.tif",
        "vv.tif",
        "../a/vv.tif",
    ],
)
def test_a_file_beside_its_item_is_used_wherever_the_address_points(tmp_path, href):
    file = an_item(tmp_path, "a", "2019-03-01", assets={"vv": {"href": href}})
    (record,) = find(tmp_path, "sentinel-1-rtc", AREA, YEAR)
    assert record.asset("vv").href == str(file.with_name("vv.tif"))


def test_an_absolute_path_within_the_archive_is_used(tmp_path):
    file = an_item(tmp_path, "a", "2019-03-01")
    inside = str(file.with_name("vv.tif"))
    assert locate(inside, file, tmp_path) == Path(inside)
    assert locate(f"file://{inside}", file, tmp_path) == Path(inside)


def test_a_remote_file_that_is_not_beside_its_item_is_refused(tmp_path):
    an_item(tmp_path, "a", "2019-03-01", assets={"vv": {"href": "https://example.org/iw-vv.rtc.tiff"}})
    with pytest.raises(VadoseError, match=r"not on this machine: there is no .*iw-vv\.rtc\.tiff\. Download it there"):
        find(tmp_path, "sentinel-1-rtc", AREA, YEAR)
