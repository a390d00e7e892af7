"""OPERA RTC-S1: bursts of 30 m with a mask, read on request alone, and never beside another product."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from real_archive import Layer, painted, write_item
from vadose.errors import NoDataError
from vadose.experiment.product_identity import differences
from vadose.fusion import InputSpec, build_features
from vadose.grid import AreaOfInterest, Period, tile_around
from vadose.registry import ARCHIVE_PRODUCTS, PRODUCTS
from vadose.sources import products_of
from vadose.sources.sentinel1 import Sentinel1
from vadose.sources.stac import ALLOWED, NOT_ALLOWED, SENTINEL1_OPERA, parse
from vadose.variables import GAMMA0_OPERA, GAMMA0_RTC

COLLECTION = "OPERA_L2_RTC-S1_V1"
NAME = "OPERA_L2_RTC-S1_T015-030804-IW{swath}_{start}Z_20210602T{made}Z_S1A_30_v1.0"
TILE = tile_around(15.0, 45.14, 1)
AREA = AreaOfInterest.from_tile(TILE)
DAY = Period.parse("2021-06-01")
NOON = np.datetime64("2021-06-01T12:00", "ns")
WEST, NORTH = (TILE.west - 3) * 320 // 30 * 30, (TILE.north + 3) * 320 // 30 * 30
SIDE = 90
GRID = Affine(30, 0, WEST, 0, -30, NORTH)
TOLD = {"platform": "sentinel-1a", "sat:orbit_state": "ascending"}


def layers(shift: float = 0.0) -> dict[str, Layer]:
    """A burst in which no two pixels are alike, all of them seen."""
    x, y = painted((SIDE, SIDE), GRID)
    power = 0.1 + (x - WEST + 2 * (NORTH - y)) / 1e5 + shift
    crs = f"EPSG:{TILE.epsg}"
    return {
        "VV": Layer(power.astype(np.float32), crs, GRID, np.nan),
        "VH": Layer((power / 5).astype(np.float32), crs, GRID, np.nan),
        "mask": Layer(np.zeros((SIDE, SIDE), np.uint8), crs, GRID, 255),
        "incidence_angle": Layer((35 + (x - WEST) / 1e4).astype(np.float32), crs, GRID, np.nan),
    }


def write(archive: Path, of: dict[str, Layer] | None = None, **told: Any) -> Path:
    """Write a burst as an item."""
    start, swath, made = told.pop("start", "20210601T050000"), told.pop("swath", 2), told.pop("made", "010203")
    name = NAME.format(start=start, swath=swath, made=made)
    time = f"{start[:4]}-{start[4:6]}-{start[6:8]}T{start[9:11]}:{start[11:13]}:{start[13:]}Z"
    return write_item(archive, COLLECTION, name, time, of or layers(), {ALLOWED: True} | TOLD | told)


def write_rtc(archive: Path) -> None:
    held = layers()
    write_item(archive, "sentinel-1-rtc", "pass", "2021-06-01T05:00:00Z", {"vv": held["VV"], "vh": held["VH"]})


def test_a_burst_conforms(tmp_path: Path) -> None:
    write(tmp_path)
    source = Sentinel1(tmp_path)
    (found,) = source.open(AREA, DAY)
    assert set(found.data_vars) == {"vv", "vh", "incidence_angle"}
    assert found.attrs["relative_orbit"] == 15 and found.attrs["platform"] == "sentinel-1a"
    whole = layers()
    x, y = np.meshgrid(found["x"], found["y"])
    np.testing.assert_allclose(found["vv"][0], 0.1 + (x - WEST + 2 * (NORTH - y)) / 1e5, rtol=1e-6)
    np.testing.assert_allclose(found["incidence_angle"][0], 35 + (x - WEST) / 1e4, rtol=1e-6)
    assert source.index.product == SENTINEL1_OPERA and source.index.left_out == ()
    assert whole["VV"].values.shape == (SIDE, SIDE)


def test_layover_shadow_and_what_lies_beyond_the_burst_are_missing(tmp_path: Path) -> None:
    held = layers()
    values = np.zeros((SIDE, SIDE), np.uint8)
    for number, classes in enumerate((0, 1, 2, 3, 255)):
        values[:, number::5] = classes
    held["mask"] = Layer(values, held["mask"].crs, GRID, 255)
    write(tmp_path, held)
    (found,) = Sentinel1(tmp_path).open(AREA, DAY)
    column = np.round((found["x"].values - WEST) / 30 - 0.5).astype(int)
    for name in ("vv", "vh", "incidence_angle"):
        seen = np.isfinite(found[name].values[0])
        assert seen[:, column % 5 == 0].all() and not seen[:, column % 5 != 0].any()


def test_pixels_of_30_m_fill_the_pixels_of_a_tile(tmp_path: Path) -> None:
    write(tmp_path)
    needs = InputSpec(pixels=("vv", "vh", "incidence_angle"), cells=("vv",), halo=1)
    found = build_features([Sentinel1(tmp_path)], TILE, NOON, needs)
    x, y = (found.tile.pixels.coords[name].values for name in ("x", "y"))
    own = [(np.floor((at - start) / step) + 0.5) * step + start for at, start, step in ((x, WEST, 30), (y, NORTH, -30))]
    expected = 0.1 + (own[0][np.newaxis] - WEST + 2 * (NORTH - own[1][:, np.newaxis])) / 1e5
    np.testing.assert_allclose(found.pixels["vv"], expected, rtol=1e-5)


def test_it_is_left_out_by_name_unless_allowed(tmp_path: Path) -> None:
    write(tmp_path, None, **{ALLOWED: False})
    source = Sentinel1(tmp_path)
    with pytest.raises(NoDataError, match=r'read on request alone.*"vadose:allowed": true'):
        source.open(AREA, DAY)
    assert [one.kind for one in source.index.left_out] == [NOT_ALLOWED]
    assert source.products == {"vv": GAMMA0_RTC, "vh": GAMMA0_RTC}


@pytest.mark.parametrize("allowed", [True, False])
def test_it_is_never_read_beside_the_usual_product(tmp_path: Path, allowed: bool) -> None:
    write_rtc(tmp_path)
    write(tmp_path, None, start="20210601T170000", **{ALLOWED: allowed})
    source = Sentinel1(tmp_path)
    (found,) = source.open(AREA, DAY)
    assert found.attrs["item"] == "pass"
    (left,) = source.index.left_out
    assert left.kind == (f"{SENTINEL1_OPERA} is not read beside sentinel-1-rtc" if allowed else NOT_ALLOWED)


def test_a_burst_without_its_mask_is_refused(tmp_path: Path) -> None:
    held = layers()
    del held["mask"]
    write(tmp_path, held)
    with pytest.raises(NoDataError, match=r"it has no mask of layover and shadow \(MASK\): both would count as ground"):
        Sentinel1(tmp_path).open(AREA, DAY)


def test_the_angle_on_the_terrain_is_not_taken_for_that_on_the_ellipsoid(tmp_path: Path) -> None:
    held = layers()
    held["local_incidence_angle"] = held.pop("incidence_angle")
    write(tmp_path, held)
    (found,) = Sentinel1(tmp_path).open(AREA, DAY)
    assert set(found.data_vars) == {"vv", "vh"}


def test_bursts_of_one_overflight_are_one_pass(tmp_path: Path) -> None:
    for start, swath in (("20210601T050000", 1), ("20210601T050002", 2), ("20210601T050005", 1)):
        write(tmp_path, start=start, swath=swath)
    write(tmp_path, start="20210601T163000", swath=3)
    times = [str(time)[:19] for time in Sentinel1(tmp_path).passes(AREA, DAY)]
    assert times == ["2021-06-01T05:00:05", "2021-06-01T16:30:00"]


def test_of_two_processings_of_a_burst_the_newer_counts(tmp_path: Path) -> None:
    write(tmp_path, made="010203")
    write(tmp_path, layers(0.05), made="040506")
    source = Sentinel1(tmp_path)
    (record,) = source.index.find(AREA, DAY)
    assert "20210602T040506" in record.id


def test_samples_and_maps_are_told_which_product_it_is(tmp_path: Path) -> None:
    write(tmp_path / "opera")
    write_rtc(tmp_path / "rtc")
    opera, rtc = (products_of([Sentinel1(tmp_path / name)]) for name in ("opera", "rtc"))
    assert {name: opera[name] for name in ("vv", "vh")} == dict.fromkeys(("vv", "vh"), GAMMA0_OPERA)
    assert rtc == dict(ARCHIVE_PRODUCTS)
    assert GAMMA0_OPERA in PRODUCTS["vv"], "a table may name it"
    (line,) = differences(InputSpec(cells=("vv", "vh")), rtc, ("vv", "vh"), opera, "an archive")
    assert line.startswith(
        f"vh, vv: the network was trained on {GAMMA0_RTC}, an archive has {GAMMA0_OPERA}: used unchanged"
    )
    assert differences(InputSpec(cells=("vv",)), opera, ("vv",), opera, "an archive") == ()


def test_a_catalogue_may_parse_it_before_it_is_allowed(tmp_path: Path) -> None:
    item = json.loads(write(tmp_path, None, **{ALLOWED: None}).read_text())
    record = parse(item)
    assert record.product == SENTINEL1_OPERA and record.generated == "2021-06-02T01:02:03.000000"
    assert sorted(asset.band for asset in record.assets) == ["incidence_angle", "mask", "vh", "vv"]
