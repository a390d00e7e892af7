"""Sentinel-2: reflectance whichever catalogue it came from, seen pixels only, two resolutions."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import rasterio
from affine import Affine

from real_archive import BANDS_L2A, BASELINES, DATES, Layer, build, painted, write_item, write_raster
from vadose.errors import NoDataError, VadoseError
from vadose.grid import AreaOfInterest, Period, from_lonlat, tile_around, to_lonlat
from vadose.sources.raster import Raster
from vadose.sources.sentinel2 import Sentinel2
from vadose.sources.stac import parse

UTM = "EPSG:32633"
FINE = Affine(10, 0, 500000, 0, -10, 5000000)
COARSE = Affine(20, 0, 500000, 0, -20, 5000000)
DAY = Period.parse("2021-06-01")
TEN, TWENTY = ("B02", "B03", "B04", "B08"), ("B11", "B12")


def place(x: float, y: float, halo: int = 1, epsg: int = 32633) -> AreaOfInterest:
    """The ground of a chip whose middle cell holds a place."""
    return AreaOfInterest.from_tile(tile_around(*to_lonlat(epsg).transform(x, y), halo), "chip")


AREA = place(501500, 4998500)


def layers(number: int = 3000, classes: int | None = 4) -> dict[str, Layer]:
    """Bands of one number, 300 x 300 pixels of 10 m, and one class everywhere."""
    fine = {name: Layer(np.full((300, 300), number, np.uint16), UTM, FINE, 0) for name in TEN}
    coarse = {name: Layer(np.full((150, 150), number, np.uint16), UTM, COARSE, 0) for name in TWENTY}
    scl = {} if classes is None else {"SCL": Layer(np.full((150, 150), classes, np.uint8), UTM, COARSE, 0)}
    return fine | coarse | scl


def write(archive: Path, held: dict[str, Layer], baseline: str = "02.14") -> Path:
    properties = {"s2:processing_baseline": baseline, "platform": "Sentinel-2A"}
    return write_item(archive, "sentinel-2-l2a", "scene", "2021-06-01T10:00:00Z", held, properties)


def test_a_scene_gives_one_dataset_for_each_resolution(tmp_path):
    write(tmp_path, layers())
    fine, coarse = Sentinel2(tmp_path).open(AREA, DAY)
    assert (set(fine.data_vars), set(coarse.data_vars)) == (set(TEN), set(TWENTY))
    assert [abs(float(part["x"][1] - part["x"][0])) for part in (fine, coarse)] == [10, 20]
    for part in (fine, coarse):
        assert (part.attrs["source"], part.attrs["item"]) == ("sentinel2", "scene")
        assert part.attrs["processing_baseline"] == "02.14"
        assert part.rio.crs.to_epsg() == 32633
        assert part["time"].values[0] == np.datetime64("2021-06-01T10:00:00", "ns")
        for array in part.data_vars.values():
            assert (array.dims, array.dtype, array.attrs["units"]) == (("time", "y", "x"), np.float32, "1")


def test_every_pixel_tells_its_own_place(tmp_path):
    held = layers()
    for name, transform in (("B04", FINE), ("B11", COARSE)):
        size = held[name].values.shape
        x, _ = painted(size, transform)
        held[name] = Layer((x - 500000).astype(np.uint16), UTM, transform, 0)
    for name, transform in (("B08", FINE), ("B12", COARSE)):
        size = held[name].values.shape
        _, y = painted(size, transform)
        held[name] = Layer((5000000 - y).astype(np.uint16), UTM, transform, 0)
    write(tmp_path, held)
    fine, coarse = Sentinel2(tmp_path).open(AREA, DAY)
    for part, across, down in ((fine, "B04", "B08"), (coarse, "B11", "B12")):
        x, y = np.meshgrid(part["x"], part["y"])
        np.testing.assert_allclose(part[across].values[0] * 1e4, x - 500000, atol=0.01)
        np.testing.assert_allclose(part[down].values[0] * 1e4, 5000000 - y, atol=0.01)


@pytest.mark.parametrize(("baseline", "expected"), [("02.14", 0.3), ("03.01", 0.3), ("04.00", 0.2), ("05.11", 0.2)])
def test_the_offset_follows_the_baseline(tmp_path, baseline, expected):
    write(tmp_path, layers(), baseline)
    for part in Sentinel2(tmp_path).open(AREA, DAY):
        for array in part.data_vars.values():
            np.testing.assert_allclose(array.values, expected, atol=1e-6)


CATALOGUES = {
    "cdse/sentinel-2-l2a/S2B_MSIL2A_20200322T074609_N0500_R135_T36NYH_20230612T214223": 0.2,
    "earth-search/none/S2B_33SVB_20210221_0_L2A": 0.3,
    "earth-search/sentinel-2-c1-l2a/S2A_T13TDE_20240402T174230_L2A": 0.2,
    "earth-search/sentinel-2-l2a/S2A_29RKH_20200219_0_L2A": 0.3,
    "earth-search/sentinel-s2-l2a-cogs/S2A_28QCH_20200714_0_L2A": 0.3,
    "pc/sentinel-2-l2a/S2A_MSIL2A_20150704T101006_R022_T35XQA_20210411T133707": 0.3,
    "pc/sentinel-2-l2a/S2B_MSIL2A_20250312T014549_R074_T53NKG_20250312T041213": 0.2,
    "stactools/sentinel2-l2a-example/S2A_T07HFE_20190212T192646_L2A": 0.3,
}


@pytest.mark.real
@pytest.mark.parametrize("file", CATALOGUES)
def test_the_same_number_in_every_catalogue(tmp_path, real, file):
    """A real item, its address as it is, and beside it files of its names that hold the number 3000."""
    item = json.loads((real / "stac_items" / f"{file}.json").read_text())
    record = parse(item)
    lon, lat = (record.bbox[0] + record.bbox[2]) / 2, (record.bbox[1] + record.bbox[3]) / 2
    x, y = (20 * round(value / 20) for value in from_lonlat(record.epsg).transform(lon, lat))
    for asset in record.assets:
        size = 20 if asset.band in ("B11", "B12", "scl") else 10
        shape, kind = (2400 // size, 2400 // size), np.uint8 if asset.band == "scl" else np.uint16
        layer = Layer(np.full(shape, 5 if asset.band == "scl" else 3000, kind), f"EPSG:{record.epsg}", grid(x, y, size))
        path = tmp_path / Path(urlsplit(asset.href).path).name
        write_jp2(path, layer) if path.suffix == ".jp2" else write_raster(path, layer)
    for asset in item["assets"].values():
        asset["href"] = asset["href"].split("/")[-1] if asset["href"].startswith("..") else asset["href"]
        asset.pop("file:size", None), asset.pop("file:checksum", None)
    (tmp_path / "item.json").write_text(json.dumps(item))
    area = AreaOfInterest.from_tile(tile_around(lon, lat, 1))
    parts = Sentinel2(tmp_path).open(area, Period.parse(str(record.time)[:10]))
    assert [set(part.data_vars) for part in parts] == [set(TEN), set(TWENTY)]
    for part in parts:
        for array in part.data_vars.values():
            np.testing.assert_allclose(array.values, CATALOGUES[file], atol=1e-6)


def grid(x: float, y: float, size: float) -> Affine:
    return Affine(size, 0, x - 1200, 0, -size, y + 1200)


def write_jp2(path: Path, layer: Layer) -> None:
    height, width = layer.values.shape
    shape = {"height": height, "width": width, "count": 1, "dtype": layer.values.dtype}
    place_ = {"crs": layer.crs, "transform": layer.transform}
    with rasterio.open(path, "w", driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES", **shape, **place_) as file:
        file.write(layer.values, 1)


@pytest.mark.parametrize("kind", range(12))
def test_only_ground_is_kept(tmp_path, kind):
    ground = kind in (2, 4, 5, 6, 7)  # dark, vegetation, bare, water, unclassified
    write(tmp_path, layers(classes=kind))
    for part in Sentinel2(tmp_path).open(AREA, DAY):
        for array in part.data_vars.values():
            assert np.isfinite(array.values).all() == ground
            assert np.isnan(array.values).all() == (not ground)


def test_the_classes_of_20_m_mask_the_pixels_under_them(tmp_path):
    held = layers()
    held["SCL"].values[70, 80] = 9  # rows 140, 141 and columns 160, 161 of the bands of 10 m
    write(tmp_path, held)
    fine, coarse = Sentinel2(tmp_path).open(AREA, DAY)
    for part, size, row, column in ((fine, 10, (140, 141), (160, 161)), (coarse, 20, (70,), (80,))):
        for array in part.data_vars.values():
            y, x = np.nonzero(np.isnan(array.values[0]))
            rows = np.round((5000000 - part["y"].values[y]) / size - 0.5)
            columns = np.round((part["x"].values[x] - 500000) / size - 0.5)
            assert (set(rows), set(columns)) == (set(row), set(column))
            assert len(y) == len(row) ** 2


def test_l2a_without_classes_is_left_out_as_its_clouds_would_count_as_ground(tmp_path):
    write(tmp_path, layers(classes=None))
    with pytest.raises(NoDataError, match=r"left out: scene: .*no scene classification \(SCL\).*clouds would count"):
        Sentinel2(tmp_path).open(AREA, DAY)


def test_classes_whose_file_is_not_there_are_no_classes(tmp_path):
    item = write(tmp_path, layers())
    item.with_name("SCL.tif").unlink()
    with pytest.raises(
        NoDataError, match=r"left out: scene: .*the file of its scene classification \(SCL\) is missing"
    ):
        Sentinel2(tmp_path).open(AREA, DAY)


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("scl-jp2", {}),
        ("Scl", {}),
        ("SCL_60m", {}),
        ("classes", {"title": "Scene classfication map (SCL) - 20m"}),
        ("classes", {"eo:bands": [{"name": "SCL"}]}),
        ("classes", {"href": "./T33TVM_20210601_SCL_20m.tif"}),
    ],
)
def test_classes_are_found_under_any_key(tmp_path, key, fields):
    held = layers(classes=9)
    scl = held.pop("SCL")
    item = write(tmp_path, held)
    content = json.loads(item.read_text())
    content["assets"][key] = {"href": "./SCL.tif"} | fields
    write_raster(item.parent / Path(content["assets"][key]["href"]).name, scl)
    item.write_text(json.dumps(content))
    fine, _ = Sentinel2(tmp_path).open(AREA, DAY)
    assert np.isnan(fine["B04"].values).all()


def test_a_picture_of_classes_is_no_classification(tmp_path):
    item = write(tmp_path, layers(classes=None))
    content = json.loads(item.read_text())
    content["assets"]["scl_preview"] = {"href": "./B02.tif", "title": "SCL preview", "roles": ["thumbnail"]}
    item.write_text(json.dumps(content))
    with pytest.raises(NoDataError, match="no scene classification"):
        Sentinel2(tmp_path).open(AREA, DAY)


@pytest.mark.parametrize("number", [0, 65535])
def test_a_pixel_that_one_band_did_not_see_is_missing_in_all(tmp_path, number):
    held = layers()
    held["B03"].values[150, 150] = number
    write(tmp_path, held, "05.11")
    fine, coarse = Sentinel2(tmp_path).open(AREA, DAY)
    for array in fine.data_vars.values():
        assert np.isnan(array.sel(x=501505, y=4998495).values).all()
        assert np.isnan(array.values).sum() == 1
    assert all(np.isfinite(array.values).all() for array in coarse.data_vars.values())


def test_negative_reflectance_is_a_value(tmp_path):
    write(tmp_path, layers(number=900), "04.00")
    fine, _ = Sentinel2(tmp_path).open(AREA, DAY)
    np.testing.assert_allclose(fine["B04"].values, -0.01, atol=1e-6)


def test_some_bands_are_better_than_none(tmp_path):
    held = layers()
    write(tmp_path, {name: held[name] for name in ("B04", "B12", "SCL")})
    fine, coarse = Sentinel2(tmp_path).open(AREA, DAY)
    assert (set(fine.data_vars), set(coarse.data_vars)) == ({"B04"}, {"B12"})


def test_bands_computed_together_are_read_once(tmp_path, monkeypatch):
    read = []
    plain = Raster.read
    monkeypatch.setattr(Raster, "read", lambda self, window: (read.append(self.path.stem), plain(self, window))[1])
    write(tmp_path, layers())
    fine, _ = Sentinel2(tmp_path).open(AREA, DAY)
    assert read == []
    fine.compute()
    assert sorted(read) == ["B02", "B03", "B04", "B08", "SCL"]


def test_l1c_is_read_when_asked_and_never_mixed_with_l2a(tmp_path):
    held = layers()
    write(tmp_path, held)
    properties = {"s2:processing_baseline": "05.00"}
    write_item(tmp_path, "sentinel-2-l1c", "top", "2021-06-01T10:00:00Z", held, properties)
    assert {part.attrs["item"] for part in Sentinel2(tmp_path).open(AREA, DAY)} == {"scene"}
    top = Sentinel2(tmp_path, "sentinel-2-l1c").open(AREA, DAY)
    assert {part.attrs["item"] for part in top} == {"top"}
    np.testing.assert_allclose(top[0]["B04"].values, 0.2, atol=1e-6)


def test_an_item_without_baseline_is_refused(tmp_path):
    write_item(tmp_path, "sentinel-2-l2a", "scene", "2021-06-01T10:00:00Z", layers())
    with pytest.raises(
        VadoseError, match=r"Neither its processing baseline nor an offset is stated.*Add s2:processing_baseline"
    ):
        Sentinel2(tmp_path).open(AREA, DAY)


def test_a_cut_file_is_refused_by_name(tmp_path):
    item = write(tmp_path, layers())
    path = item.with_name("B11.tif")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(VadoseError, match=r"B11\.tif: reading it.*Get the file again"):
        Sentinel2(tmp_path).open(AREA, DAY)


def test_classes_that_are_gone_are_refused_when_computed(tmp_path):
    item = write(tmp_path, layers())
    fine, _ = Sentinel2(tmp_path).open(AREA, DAY)
    item.with_name("SCL.tif").unlink()
    with pytest.raises(VadoseError, match=r"SCL\.tif: reading it"):
        fine.compute()


def test_nothing_found(tmp_path):
    write(tmp_path, layers())
    with pytest.raises(NoDataError, match=r"holds 1 items of 2021-06-01\.\.2021-06-01, 1 of them over the area"):
        Sentinel2(tmp_path).open(AREA, Period.parse("2022-01-01/2022-12-31"))
    with pytest.raises(NoDataError, match="0 of them over the area"):
        Sentinel2(tmp_path).open(AreaOfInterest.from_bbox(0, 0, 1, 1), DAY)


@pytest.mark.real
@pytest.mark.parametrize("scene", DATES)
def test_real_scenes_are_read_back_as_reflectance(tmp_path, real, scene):
    build(real / "scenes" / scene, tmp_path)
    with rasterio.open(real / "scenes" / scene / "s2_l2a.tif") as file:
        numbers, epsg, bounds = file.read(), file.crs.to_epsg(), file.bounds
    area = place(bounds.left + 1120, bounds.bottom + 1120, 5, epsg)
    (found,) = Sentinel2(tmp_path).open(area, Period.parse(DATES[scene]))
    assert found["B04"].shape == (1, 224, 224)
    shift = 1000 if BASELINES[scene] >= "04.00" else 0
    for name, index in BANDS_L2A.items():
        values = found[name].values[0]
        np.testing.assert_allclose(values, (numbers[index - 1] - shift) / 1e4, atol=1e-6)
        low, high = np.nanpercentile(values, (1, 99))
        assert 0 <= low < high < 0.6, name


@pytest.mark.real
def test_simulated_classes_hide_a_quarter_of_a_real_scene(tmp_path, real):
    build(real / "scenes" / "denmark", tmp_path, scl=True)
    with rasterio.open(real / "scenes" / "denmark" / "s2_l2a.tif") as file:
        epsg, bounds = file.crs.to_epsg(), file.bounds
    area = place(bounds.left + 1120, bounds.bottom + 1120, 5, epsg)
    (found,) = Sentinel2(tmp_path).open(area, Period.parse(DATES["denmark"]))
    hidden = np.isnan(found["B08"].values[0])
    assert hidden[:112, :112].all()
    assert hidden.mean() == 0.25
