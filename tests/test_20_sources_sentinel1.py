"""Sentinel-1 RTC: linear power where it was seen, the angle, and files that lie."""

import json
import pickle
import shutil
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from real_archive import DATES, Layer, build, painted, write_item, write_raster
from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period, Tile, from_lonlat, tile_around, to_lonlat
from vadose.sources import layers, raster
from vadose.sources.incidence import IncidenceModel, tie_points
from vadose.sources.sentinel1 import Sentinel1
from vadose.sources.window import Window

UTM = "EPSG:32633"
GRID = Affine(10, 0, 500000, 0, -10, 5000000)
SHAPE = (700, 500)
DAY = Period.parse("2019-06-01")
TIME = "2019-06-01T05:00:00Z"


def place(x: float, y: float, halo: int = 1, epsg: int = 32633) -> AreaOfInterest:
    """The ground of a chip whose middle cell holds a place."""
    return AreaOfInterest.from_tile(tile_around(*to_lonlat(epsg).transform(x, y), halo), "chip")


AREA = place(502000, 4997000)


def paint(transform: Affine = GRID, shape: tuple[int, int] = SHAPE) -> dict[str, Layer]:
    """vv tells its easting and vh its northing, in km from the grid's corner, plus 1."""
    x, y = painted(shape, transform)
    values = {"vv": (x - 500000) / 1000 + 1, "vh": (5000000 - y) / 1000 + 1}
    return {name: Layer(array.astype(np.float32), UTM, transform, -32768) for name, array in values.items()}


def write(archive: Path, layers: dict[str, Layer] | None = None, name: str = "pass", time: str = TIME, **more) -> Path:
    return write_item(archive, "sentinel-1-rtc", name, time, layers or paint(), **more)


def cut(path: Path, fraction: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * fraction)])


def test_a_pass_conforms(tmp_path):
    orbit = {"platform": "SENTINEL-1A", "sat:relative_orbit": 51, "sat:orbit_state": "descending"}
    write(tmp_path, properties=orbit)
    source = Sentinel1(tmp_path)
    (found,) = source.open(AREA, DAY)
    assert source.name == "sentinel1"
    assert {variable.name for variable in source.variables} == {"vv", "vh", "incidence_angle"}
    assert found["vv"].dims == ("time", "y", "x")
    assert found["vv"].dtype == np.float32
    assert found["vv"].attrs["units"] == "1"
    assert found["time"].values[0] == np.datetime64("2019-06-01T05:00:00", "ns")
    assert found.rio.crs.to_epsg() == 32633
    assert found.attrs == {
        "source": "sentinel1",
        "item": "pass",
        "platform": "sentinel-1a",
        "relative_orbit": 51,
        "orbit_state": "descending",
    }


def test_every_pixel_tells_its_own_place(tmp_path):
    write(tmp_path)
    (found,) = Sentinel1(tmp_path).open(AREA, DAY)
    x, y = np.meshgrid(found["x"], found["y"])
    np.testing.assert_allclose(found["vv"].values[0], (x - 500000) / 1000 + 1, rtol=1e-6)
    np.testing.assert_allclose(found["vh"].values[0], (5000000 - y) / 1000 + 1, rtol=1e-6)


def test_a_file_with_its_south_first_is_turned_upright(tmp_path):
    south_up = Affine(10, 0, 500000, 0, 10, 5000000 - 10 * SHAPE[0])
    write(tmp_path, paint(south_up))
    (found,) = Sentinel1(tmp_path).open(AREA, DAY)
    assert (np.diff(found["y"]) < 0).all()
    np.testing.assert_allclose(found["vh"].values[0, :, 0], (5000000 - found["y"]) / 1000 + 1, rtol=1e-6)


@given(
    east=st.integers(-400, 5400),
    north=st.integers(-7400, 400),
    rows=st.integers(1, 3),
    columns=st.integers(1, 3),
)
def test_the_window_is_what_the_area_needs_and_little_more(east, north, rows, columns):
    grid = raster.Grid(rasterio.CRS.from_epsg(32633).to_wkt(), GRID, *SHAPE)
    tile = Tile(32633, (500000 + east) // 320, (5000000 + north) // 320, columns, rows)
    box = tile.pixels.boundingbox
    window = grid.window(AreaOfInterest.from_tile(tile))
    touches = box.right > 500000 and box.left < 505000 and box.top > 4993000 and box.bottom < 5000000
    if window is None:
        assert not touches
        return
    x, y = grid.x(window), grid.y(window)
    assert x[0] <= max(box.left - 5, 500005) and x[-1] >= min(box.right + 5, 504995)
    assert y[0] >= min(box.top + 5, 4999995) and y[-1] <= max(box.bottom - 5, 4993005)
    assert len(x) <= columns * 32 + 20 and len(y) <= rows * 32 + 20


def test_two_areas_see_the_same_pixels(tmp_path, real):
    annotate(real, write(tmp_path, over_the_annotation(), assets=ANNOTATION))
    source, chip = Sentinel1(tmp_path), place(503000, 5030000, 1, 32631)
    (small,) = source.open(chip, DAY)
    (large,) = source.open(place(502600, 5030300, 4, 32631), DAY)
    same = large.sel(x=small["x"], y=small["y"])
    for name in ("vv", "vh", "incidence_angle"):
        np.testing.assert_array_equal(small[name].values, same[name].values)


def test_an_area_across_the_antimeridian_is_one_window(tmp_path):
    x, y = from_lonlat(32701).transform(180, -16)
    transform = Affine(10, 0, 10 * round(x / 10) - 3000, 0, -10, 10 * round(y / 10) + 3000)
    east, _ = painted((600, 600), transform)
    layer = Layer(((east - transform.c) / 1000 + 1).astype(np.float32), "EPSG:32701", transform, -32768)
    item = write(tmp_path, {"vv": layer})
    content = json.loads(item.read_text())
    content["bbox"] = [179.97, -16.03, -179.97, -15.97]
    item.write_text(json.dumps(content))
    area = AreaOfInterest.from_tile(tile_around(-179.9999, -16, 2))
    assert len(area.geometry.geoms) == 2
    (found,) = Sentinel1(tmp_path).open(area, DAY)
    assert 160 < found.sizes["x"] < 190
    np.testing.assert_allclose(found["vv"][0, 0], (found["x"] - transform.c) / 1000 + 1, rtol=1e-6)


def test_pixels_come_out_the_same_in_blocks(tmp_path, monkeypatch):
    write(tmp_path)
    area = place(502000, 4997000, 4)
    (whole,) = Sentinel1(tmp_path).open(area, DAY)
    monkeypatch.setattr(layers, "BLOCK", 100)
    (blocks,) = Sentinel1(tmp_path).open(area, DAY)
    assert blocks["vv"].data.numblocks == (1, 4, 4)
    np.testing.assert_array_equal(whole["vv"].values, blocks["vv"].values)


def test_power_stays_linear_and_what_is_not_positive_is_missing(tmp_path):
    layers = paint()
    values = np.full(SHAPE, 0.05, np.float32)
    values[300, 200:205] = (0, -0.01, -32768, np.nan, 12.5)
    layers["vv"] = Layer(values, UTM, GRID, -32768)
    write(tmp_path, layers)
    (found,) = Sentinel1(tmp_path).open(AREA, DAY)
    row = found["vv"].sel(y=5000000 - 3005, x=slice(502000, 502060), method=None).values[0]
    np.testing.assert_array_equal(row, np.array([np.nan] * 4 + [12.5, 0.05], np.float32))
    assert np.isfinite(found["vh"].values).all()


def test_the_angle_comes_from_the_items_own_raster(tmp_path):
    angle = np.full(SHAPE, 3856, np.uint16)
    angle[300, 200] = 0
    layers = {
        "gamma0_vv": paint()["vv"],
        "gamma0_vh": paint()["vh"],
        "incidence": Layer(angle, UTM, GRID, 0),
    }
    item = {"incidence": {"raster:bands": [{"nodata": 0, "scale": 0.01, "unit": "degrees"}]}}
    write_item(tmp_path, "sentinel1-rtc-aws", "aws", TIME, layers, assets=item)
    (found,) = Sentinel1(tmp_path).open(AREA, DAY)
    angles = found["incidence_angle"].sel(y=5000000 - 3005, x=slice(502000, 502020)).values[0]
    np.testing.assert_allclose(angles, [np.nan, 38.56], rtol=1e-6)
    assert found["incidence_angle"].attrs["units"] == "degree"


ANNOTATION = {"schema-product-vv": {"href": "./annotation.xml", "type": "application/xml"}}


def over_the_annotation() -> dict[str, Layer]:
    """Layers in the middle of the swath of the real annotation."""
    x, _ = painted(SHAPE, GRID)
    transform = Affine(10, 0, 500000, 0, -10, 5033000)
    return {name: Layer((x * 0 + 0.1).astype(np.float32), "EPSG:32631", transform, -32768) for name in ("vv", "vh")}


def annotate(real: Path, item: Path) -> Path:
    (annotation,) = (real / "s1_annotation").glob("*.xml")
    return Path(shutil.copy(annotation, item.with_name("annotation.xml")))


@pytest.mark.parametrize("epsg", [32630, 32631, 32632])
def test_a_smooth_surface_holds_the_real_tie_points(real, epsg):
    (annotation,) = (real / "s1_annotation").glob("*.xml")
    points = tie_points(annotation)
    assert points.shape == (210, 3)
    np.testing.assert_allclose(points[0], [1.929931301635841, 44.53525246605311, 30.47481883903625])
    surface = IncidenceModel.fit(points, rasterio.CRS.from_epsg(epsg).to_wkt())
    assert surface.residual < 0.03
    x, y = from_lonlat(epsg).transform(points[:, 0], points[:, 1])
    at_points = np.array([surface.at(np.array([a]), np.array([b]))[0, 0] for a, b in zip(x, y, strict=True)])
    np.testing.assert_allclose(at_points, points[:, 2], atol=0.03)


def test_a_tie_point_left_out_of_the_fit_is_met_as_well(real):
    (annotation,) = (real / "s1_annotation").glob("*.xml")
    points, wkt = tie_points(annotation), rasterio.CRS.from_epsg(32631).to_wkt()
    x, y = from_lonlat(32631).transform(points[:, 0], points[:, 1])
    for index in range(0, 210, 7):
        surface = IncidenceModel.fit(np.delete(points, index, axis=0), wkt)
        angle = surface.at(x[[index]], y[[index]])[0, 0]
        assert abs(angle - points[index, 2]) < 0.05


def test_the_angle_comes_from_the_annotation(tmp_path, real):
    annotate(real, write(tmp_path, over_the_annotation(), assets=ANNOTATION))
    (found,) = Sentinel1(tmp_path).open(place(503000, 5030000, 1, 32631), DAY)
    points = tie_points(tmp_path / "sentinel-1-rtc/pass/annotation.xml")
    x, y = from_lonlat(32631).transform(points[:, 0], points[:, 1])
    nearest = np.argsort(np.hypot(x - 503000, y - 5030000))[:4]
    angle = found["incidence_angle"].values[0]
    assert points[nearest, 2].min() < angle.min() < angle.max() < points[nearest, 2].max()
    assert 0 < np.ptp(angle) < 0.2


def test_beyond_the_tie_points_there_is_no_angle(tmp_path, real):
    annotate(real, write(tmp_path, assets=ANNOTATION))
    (found,) = Sentinel1(tmp_path).open(AREA, DAY)
    assert np.isnan(found["incidence_angle"].values).all()
    assert np.isfinite(found["vv"].values).all()


def test_without_raster_and_annotation_there_is_no_angle(tmp_path):
    write(tmp_path)
    (found,) = Sentinel1(tmp_path).open(AREA, DAY)
    assert set(found.data_vars) == {"vv", "vh"}


def test_a_file_that_is_not_there_is_told_and_the_others_are_read(tmp_path):
    write(tmp_path, assets=ANNOTATION)
    source = Sentinel1(tmp_path)
    (found,) = source.open(AREA, DAY)
    assert set(found.data_vars) == {"vv", "vh"}
    (left,) = source.index.left_out
    assert (left.name, left.kind) == ("pass/annotation", "file is not there")


@pytest.mark.parametrize("content", [b"<product/>", b"<geolocationGridPointList><a></geolocationGridPointList>"])
def test_an_annotation_without_a_whole_grid_is_refused(tmp_path, content):
    item = write(tmp_path, assets=ANNOTATION)
    item.with_name("annotation.xml").write_bytes(content)
    (found,) = Sentinel1(tmp_path).open(AREA, DAY)
    with pytest.raises(VadoseError, match=r"annotation\.xml.*no complete geolocationGridPointList.*Get the annotation"):
        found["incidence_angle"].compute()


@pytest.mark.parametrize(
    "places",
    [
        [(15 + i, 45 + i) for i in range(2)],
        [(15, 45 + i) for i in range(20)],
        [(15 + i, float("nan")) for i in range(20)],
    ],
)
def test_an_annotation_whose_points_make_no_surface_is_refused(tmp_path, places):
    fields = "<longitude>{}</longitude><latitude>{}</latitude><incidenceAngle>38</incidenceAngle>"
    points = "".join(f"<geolocationGridPoint>{fields.format(*place)}</geolocationGridPoint>" for place in places)
    file = tmp_path / "few.xml"
    file.write_text(f"<p><geolocationGridPointList count='2'>{points}</geolocationGridPointList></p>")
    with pytest.raises(VadoseError, match=f"It has {len(places)} tie points.*A surface needs 12"):
        tie_points(file)


def test_nothing_is_read_before_it_is_computed(tmp_path):
    item = write(tmp_path)
    (found,) = Sentinel1(tmp_path).open(AREA, DAY)
    item.with_name("vv.tif").unlink()
    assert np.isfinite(found["vh"].values).all()
    with pytest.raises(VadoseError, match=r"vv\.tif: reading it\. It is not a complete GTiff file.*Get the file again"):
        found["vv"].compute()


def test_a_dataset_can_be_sent_elsewhere(tmp_path):
    write(tmp_path)
    source = pickle.loads(pickle.dumps(Sentinel1(tmp_path)))
    (found,) = source.open(AREA, DAY)
    sent = pickle.loads(cloudpickle.dumps(found))
    np.testing.assert_array_equal(sent["vv"].values, found["vv"].values)


def test_a_file_cut_in_its_header_is_refused_when_opened(tmp_path):
    cut(write(tmp_path).with_name("vv.tif"), 0.001)
    with pytest.raises(VadoseError, match=r"vv\.tif: reading it.*Get the file again"):
        Sentinel1(tmp_path).open(AREA, DAY)


def test_a_file_cut_in_its_pixels_is_left_out_by_name(tmp_path):
    cut(write(tmp_path).with_name("vv.tif"), 0.4)
    with pytest.raises(NoDataError, match=r"left out: pass: .*vv\.tif: reading it.*Get the file again"):
        Sentinel1(tmp_path).open(place(502000, 4994000), DAY)


def test_a_file_cut_after_it_was_opened_is_refused_when_computed(tmp_path):
    item = write(tmp_path)
    (found,) = Sentinel1(tmp_path).open(place(502000, 4994000), DAY)
    cut(item.with_name("vv.tif"), 0.4)
    with pytest.raises(VadoseError, match=r"vv\.tif: reading it.*Get the file again"):
        found["vv"].compute()


def test_a_file_of_another_format_is_refused(tmp_path):
    file = write(tmp_path).with_name("vv.tif")
    other = write_raster(tmp_path / "other.tif", paint()["vv"])
    file.write_text(
        f"<VRTDataset rasterXSize='500' rasterYSize='700'><SRS>{UTM}</SRS>"
        "<GeoTransform>500000,10,0,5000000,0,-10</GeoTransform><VRTRasterBand dataType='Float32' band='1'>"
        f"<SimpleSource><SourceFilename>{other}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(VadoseError, match=r"not a complete GTiff file"):
        Sentinel1(tmp_path).open(AREA, DAY)


def test_a_file_without_crs_is_refused(tmp_path):
    item = write(tmp_path)
    write_raster(item.with_name("vv.tif"), Layer(np.ones(SHAPE, np.float32), None, GRID))
    with pytest.raises(
        VadoseError, match=r"vv\.tif.*no coordinate reference system.*Write CRS and transform into the file"
    ):
        Sentinel1(tmp_path).open(AREA, DAY)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_file_on_no_known_place_is_refused(tmp_path):
    item = write(tmp_path)
    write_raster(item.with_name("vv.tif"), Layer(np.ones(SHAPE, np.float32), UTM, Affine.identity()))
    with pytest.raises(VadoseError, match=r"vv\.tif.*or no place in it"):
        Sentinel1(tmp_path).open(AREA, DAY)
    write_raster(item.with_name("vv.tif"), Layer(np.ones(SHAPE, np.float32), 'LOCAL_CS["site",UNIT["metre",1]]', GRID))
    with pytest.raises(VadoseError, match=r"site.*It cannot be transformed to.*Give the file a CRS on Earth"):
        Sentinel1(tmp_path).open(AREA, DAY)


def test_a_rotated_file_is_refused(tmp_path):
    item = write(tmp_path)
    write_raster(item.with_name("vv.tif"), Layer(np.ones(SHAPE, np.float32), UTM, Affine(8, 6, 500000, 6, -8, 5000000)))
    with pytest.raises(VadoseError, match=r"vv\.tif.*rotated"):
        Sentinel1(tmp_path).open(AREA, DAY)


def test_a_file_in_another_projection_than_its_item_says_is_refused(tmp_path):
    item = write(tmp_path)
    write_raster(item.with_name("vv.tif"), Layer(np.ones(SHAPE, np.float32), "EPSG:32634", GRID))
    with pytest.raises(VadoseError, match=r"vv\.tif.*EPSG:32634; its item pass says EPSG:32633"):
        Sentinel1(tmp_path).open(AREA, DAY)


def test_an_item_whose_box_touches_but_not_its_pixels_is_nothing(tmp_path):
    wide = Layer(np.ones((1000, 1000), np.float32), UTM, Affine(100, 0, 166000, 0, -100, 5000000), -32768)
    write(tmp_path, {"vv": wide})
    source = Sentinel1(tmp_path)
    west, south, _, _ = source.index.records[0][0].bbox
    corner = AreaOfInterest.from_bbox(west + 1e-4, south + 1e-4, west + 2e-3, south + 2e-3, "corner")
    for asked in (source.open, source.passes):
        with pytest.raises(NoDataError, match=r"'corner'.*none of them with a pixel in the area"):
            asked(corner, DAY)


def test_passes_come_in_order_of_time(tmp_path):
    for name, hour in (("late", 17), ("early", 5)):
        write(tmp_path, name=name, time=f"2019-06-01T{hour:02d}:00:00Z")
    found = Sentinel1(tmp_path).open(AREA, DAY)
    assert [dataset.attrs["item"] for dataset in found] == ["early", "late"]


@pytest.mark.parametrize("bands", [("vv", "vh"), ("vv",), ("vh",)])
def test_the_times_of_passes_are_those_of_what_is_opened(tmp_path, bands):
    layers = {name: paint()[name] for name in bands}
    for day in (3, 1, 2):
        write(tmp_path, layers, name=f"pass-{day}", time=f"2019-06-0{day}T05:00:00Z")
    write(tmp_path, layers, name="again", time="2019-06-02T05:00:00Z")
    source, period = Sentinel1(tmp_path), Period.parse("2019-06-01/2019-06-03")
    opened = {time for dataset in source.open(AREA, period) for time in dataset["time"].values}
    found = source.passes(AREA, period)
    assert found.dtype == "datetime64[ns]" and found.tolist() == [int(time) for time in sorted(opened)]
    for area, when in ((place(700000, 4000000), period), (AREA, Period.parse("2020-06-01"))):
        with pytest.raises(NoDataError):
            source.passes(area, when)


def test_the_archive_is_searched_once(tmp_path, monkeypatch):
    write(tmp_path)
    source = Sentinel1(tmp_path)
    first = source.index
    write(tmp_path, name="later")
    assert source.index is first
    assert len(source.open(AREA, DAY)) == 1
    assert len(Sentinel1(tmp_path).open(AREA, DAY)) == 2


@pytest.mark.real
@pytest.mark.parametrize("scene", DATES)
def test_real_scenes_are_read_back_as_linear_power(tmp_path, real, scene):
    build(real / "scenes" / scene, tmp_path)
    with rasterio.open(real / "scenes" / scene / "s1_rtc.tif") as file:
        decibel, epsg, bounds = file.read(), file.crs.to_epsg(), file.bounds
    tile = tile_around(*to_lonlat(epsg).transform(bounds.left + 1120, bounds.bottom + 1120), 5)
    (found,) = Sentinel1(tmp_path).open(AreaOfInterest.from_tile(tile), Period.parse(DATES[scene]))
    assert found.rio.crs.to_epsg() == epsg
    assert found["vv"].shape == (1, 224, 224)
    for name, expected in zip(("vv", "vh"), decibel, strict=True):
        np.testing.assert_allclose(10 * np.log10(found[name].values[0]), expected, atol=1e-4)
    assert found["x"].values[0] == pytest.approx(bounds.left + 5)
    assert found["y"].values[0] == pytest.approx(bounds.top - 5)


def test_numbers_are_scaled_and_every_mark_of_missing_counts(tmp_path):
    values = np.array([[1, 2, 3, 4]], np.int16)
    path = write_raster(tmp_path / "numbers.tif", Layer(values, UTM, GRID, nodata=2))
    opened = raster.Raster.open(raster.Asset("x", str(path), scale=0.5, offset=-1, nodata=3), 4)
    np.testing.assert_array_equal(opened.read(Window(0, 1, 0, 4)), [[-0.5, np.nan, np.nan, np.nan]])


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path, window = tmp_path / "numbers.tif", Window(0, 1, 0, 4)
    for values in ([[1, 2, 3, 4]], [[5, 6, 7, 8]], [[9, 10, 11, 12, 13]]):
        write_raster(tmp_path / "other.tif", Layer(np.array(values, np.int16), UTM, GRID)).replace(path)
        opened = raster.Raster.open(raster.Asset("x", str(path)))
        assert opened.grid.width == len(values[0])
        for _ in range(2):
            np.testing.assert_array_equal(opened.read(window), np.array(values)[:, :4])


def test_a_window_of_another_grid_takes_the_pixels_that_hold_its_centres(tmp_path):
    classes = Layer(np.arange(20, dtype=np.uint8).reshape(4, 5), UTM, Affine(20, 0, 500000, 0, -20, 5000000))
    path = write_raster(tmp_path / "classes.tif", classes)
    opened = raster.Raster.open(raster.Asset("scl", str(path)))
    grid = raster.Grid(opened.grid.crs, GRID, *SHAPE)
    values = opened.nearest(grid, Window(6, 10, 8, 12))
    np.testing.assert_array_equal(
        values,
        [[19, 19, np.nan, np.nan]] * 2 + [[np.nan] * 4] * 2,
    )
    assert np.isnan(opened.nearest(grid, Window(100, 102, 0, 2))).all()
    with pytest.raises(VadoseError, match="Its CRS differs from that of the other bands"):
        opened.nearest(raster.Grid("other", GRID, *SHAPE), Window(0, 1, 0, 1))
