"""An item's words held against its numbers: what contradicts them is left out with both figures, all else is read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from real_archive import BANDS_L2A, BASELINES, DATES, Layer, write_item, write_raster
from vadose.errors import NoDataError
from vadose.grid import AreaOfInterest, Period, tile_around, to_lonlat
from vadose.sources.archive import ItemIndex
from vadose.sources.dem import Dem
from vadose.sources.left_out import Unfit
from vadose.sources.soil_units import density_factor, texture_factor
from vadose.sources.soilgrids import SoilGrids

UTM, FINE, COARSE = "EPSG:32633", Affine(10, 0, 500000, 0, -10, 5000000), Affine(20, 0, 500000, 0, -20, 5000000)
AREA = AreaOfInterest.from_tile(tile_around(*to_lonlat(32633).transform(500300, 4999700), 0), "chip")
DAY = Period.parse("2021-06-01")
SIDE = 64
Numbers = NDArray[Any]


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scene(
    tmp_path: Path,
    reflectance: dict[str, Numbers],
    classes: int | Numbers = 4,
    baseline: str = "02.14",
    scale: float = 1e-4,
    added: float = 0.0,
    kind: type = np.uint16,
    properties: dict[str, Any] | None = None,
    assets: dict[str, Any] | None = None,
) -> ItemIndex:
    """A scene whose numbers are (reflectance + added) / scale."""
    layers = {}
    for name, values in reflectance.items():
        numbers = (values + added) / scale
        numbers = np.clip(np.round(numbers), 1, None) if kind is np.uint16 else numbers
        layers[name] = Layer(numbers.astype(kind), UTM, FINE, 0)
    layers["SCL"] = Layer(np.full((SIDE // 2, SIDE // 2), classes, np.uint8), UTM, COARSE, 0)
    told = {"s2:processing_baseline": baseline} | (properties or {})
    write_item(tmp_path, "sentinel-2-l2a", "scene", "2021-06-01T10:00:00Z", layers, told, assets)
    return ItemIndex.of(tmp_path, "sentinel-2-l2a")


def surface(blue: float, red: float, nir: float, spread: float = 0.15) -> dict[str, Numbers]:
    rng = seeded()
    return {
        name: level * np.exp(rng.normal(0, spread, (SIDE, SIDE)))
        for name, level in (("B02", blue), ("B04", red), ("B08", nir))
    }


PLANTS, FOREST, DESERT = surface(0.035, 0.045, 0.34), surface(0.012, 0.014, 0.2), surface(0.15, 0.3, 0.4)


def kind_of(index: ItemIndex) -> str:
    """Why the scene is left out; empty where it is read."""
    try:
        index.find(AREA, DAY)
    except NoDataError:
        (left,) = index.left_out
        assert left.reason in str(index.left_out)
        return left.kind
    assert index.left_out == ()
    return ""


@pytest.mark.parametrize("baseline", ["02.14", "05.11"])
@pytest.mark.parametrize(
    ("reflectance", "classes"),
    [
        (PLANTS, 4),
        (FOREST, 4),
        (DESERT, 5),
        (surface(0.02, 0.008, 0.004), 6),
        (surface(0.9, 0.9, 0.8, 0.02), 11),
        (surface(0.7, 0.7, 0.7, 0.05), 9),
        (surface(0.006, 0.004, 0.02), 2),
    ],
    ids=["plants", "forest", "desert", "water", "snow", "cloud", "shadow"],
)
def test_true_scenes_are_read(tmp_path, reflectance, classes, baseline):
    shift = 0.1 if baseline >= "04.00" else 0.0
    assert kind_of(scene(tmp_path, reflectance, classes, baseline, added=shift)) == ""


def test_dark_forest_that_is_slightly_negative_is_read(tmp_path):
    dark = {name: values - 0.02 for name, values in FOREST.items()}
    assert kind_of(scene(tmp_path, dark, 4, "05.11", added=0.1)) == ""


@pytest.mark.parametrize("reflectance", [PLANTS, FOREST, surface(0.08, 0.09, 0.25)])
@pytest.mark.parametrize("flag", [{}, {"earthsearch:boa_offset_applied": False}])
def test_an_offset_that_makes_land_negative_is_not_believed(tmp_path, reflectance, flag):
    index = scene(tmp_path, reflectance, 5, "05.11", properties=flag)
    assert kind_of(index) == "negative reflectance"
    reason = index.left_out[0].reason
    for figure in ("clear pixels of land are below -0.02", "median -0.0", "offset -0.1", "baseline 05.11"):
        assert figure in reason


def test_a_few_pixels_or_none_that_are_clear_are_no_ground_to_judge_by(tmp_path):
    classes = np.full((SIDE // 2, SIDE // 2), 9)
    classes[:5, :5] = 4
    assert kind_of(scene(tmp_path, PLANTS, classes, "05.11")) == ""


def test_numbers_of_which_the_offset_was_not_taken_are_not_believed(tmp_path):
    index = scene(tmp_path, PLANTS, 4, "03.01", added=0.1)
    assert kind_of(index) == "reflectance too high"
    assert "median blue of 4096 pixels of vegetation is 0.13" in index.left_out[0].reason


@pytest.mark.parametrize(
    ("scale", "kind", "stated", "expected"),
    [
        (1.0, np.float32, None, "reflectance too low"),
        (0.01, np.float32, None, "reflectance too low"),
        (1e-4, np.uint16, 1e-5, "reflectance too low"),
        (1e-4, np.uint16, 4e-4, "reflectance too high"),
        (1e-4, np.uint16, 1e-3, "numbers outside the range"),
        (1e-4, np.uint16, 0.01, "numbers outside the range"),
        (1e-4, np.float32, None, ""),
        (1.0, np.float32, 1.0, ""),
    ],
)
def test_a_wrong_scale_is_not_believed(tmp_path, scale, kind, stated, expected):
    assets = {b: {"raster:bands": [{"scale": stated, "offset": 0}]} for b in PLANTS} if stated else None
    assert kind_of(scene(tmp_path, PLANTS, 4, scale=scale, kind=kind, assets=assets)) == expected


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_reflectance_of_top_of_atmosphere_in_other_units_is_seen_without_classes(tmp_path, scale):
    layers = {n: Layer((v / scale).astype(np.float32), UTM, FINE, 0) for n, v in PLANTS.items()}
    properties = {"s2:processing_baseline": "02.09"}
    write_item(tmp_path, "sentinel-2-l1c", "top", "2021-06-01T10:00:00Z", layers, properties)
    index = ItemIndex.of(tmp_path, "sentinel-2-l1c")
    with pytest.raises(NoDataError, match="99 % of the numbers of its brightest band are below"):
        index.find(AREA, DAY)


@pytest.mark.real
@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize(("classes", "added"), [(4, 0), (5, 0), (4, -1000), (5, -1000)])
def test_real_scenes_on_both_sides(tmp_path, real, name, classes, added):
    with rasterio.open(real / "scenes" / name / "s2_l2a.tif") as file:
        bands = {band: file.read(number).astype(np.int16) for band, number in BANDS_L2A.items()}
        crs, transform = file.crs.to_string(), file.transform
    layers = {band: Layer(values + added, crs, transform, 0) for band, values in bands.items()}
    coarse = transform @ Affine.scale(2)
    layers["SCL"] = Layer(np.full((112, 112), classes, np.uint8), crs, coarse, 0)
    properties = {"s2:processing_baseline": BASELINES[name]}
    write_item(tmp_path, "sentinel-2-l2a", "scene", "2021-06-01T10:00:00Z", layers, properties)
    index = ItemIndex.of(tmp_path, "sentinel-2-l2a")
    ((record, _),) = index.records
    west, south, east, north = record.bbox
    area = AreaOfInterest.from_bbox(west, south, east, north)
    if added:
        with pytest.raises(NoDataError, match="clear pixels of land are below"):
            index.find(area, DAY)
    else:
        assert index.find(area, DAY)


def pass_of(tmp_path: Path, vv: Numbers, vh: Numbers | None = None, **tags: Any) -> ItemIndex:
    layers = {"vv": Layer(vv.astype(np.float32), UTM, FINE, -32768)}
    if vh is not None:
        layers["vh"] = Layer(vh.astype(np.float32), UTM, FINE, -32768)
    write_item(tmp_path, "sentinel-1-rtc", "pass", "2021-06-01T05:00:00Z", layers, **tags)
    return ItemIndex.of(tmp_path, "sentinel-1-rtc")


def speckled(level: float, seed: int = 1) -> Numbers:
    return level * seeded(seed).gamma(4.4, 1 / 4.4, (SIDE, SIDE))


GROUNDS = {
    "fields": (0.06, 0.012),
    "rain forest": (0.2, 0.065),
    "town": (1.5, 0.3),
    "percolating snow": (0.8, 0.2),
    "desert": (0.005, 0.0006),
    "calm water": (0.002, 0.0002),
}


@pytest.mark.parametrize("ground", GROUNDS)
def test_power_is_read(tmp_path, ground):
    vv, vh = (speckled(level, seed) for seed, level in enumerate(GROUNDS[ground]))
    assert kind_of(pass_of(tmp_path, vv, vh)) == ""


def test_power_less_noise_with_many_negative_numbers_and_gaps_is_read(tmp_path):
    vv = speckled(0.003) - 0.004
    vv[:20], vv[20:30] = -32768, 0
    assert kind_of(pass_of(tmp_path, vv)) == ""


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("part", [1.0, 0.3])
def test_decibels_are_named(tmp_path, ground, part):
    vv = speckled(GROUNDS[ground][0])
    rows = round(part * SIDE)
    vv[:rows] = 10 * np.log10(vv[:rows])
    index = pass_of(tmp_path, vv)
    if np.mean(vv < -1) < 0.05:
        pytest.skip("decibels above -1 look like power")
    assert kind_of(index) == "backscatter in decibels"
    assert "decibels (dB), while linear power" in index.left_out[0].reason


@pytest.mark.parametrize("ground", ["fields", "rain forest"])
def test_amplitudes_are_named(tmp_path, ground):
    vv, vh = (np.sqrt(speckled(level, seed)) for seed, level in enumerate(GROUNDS[ground]))
    index = pass_of(tmp_path, vv, vh)
    assert kind_of(index) == "backscatter as amplitude"
    assert "Median VV is" in index.left_out[0].reason


def test_numbers_of_a_detector_are_no_backscatter(tmp_path):
    assert kind_of(pass_of(tmp_path, speckled(300))) == "numbers outside the range"


OTHER_CONVENTIONS = {
    "a property": ({"card4l:measurement_type": "sigma-0"}, {}),
    "a title": ({}, {"vv": {"title": "Sigma0 VV"}}),
    "a description": ({}, {"vv": {"description": "sigma nought, ellipsoid"}}),
    "beta": ({"s1:calibration": "beta0"}, {}),
    "a Greek letter": ({}, {"vh": {"title": "σ⁰ VH"}}),
}


@pytest.mark.parametrize("name", OTHER_CONVENTIONS)
def test_backscatter_of_another_convention_is_left_out(tmp_path, name):
    properties, assets = OTHER_CONVENTIONS[name]
    index = pass_of(tmp_path, speckled(0.12), speckled(0.03, 1), properties=properties, assets=assets)
    assert kind_of(index) == "backscatter is not gamma0"


def test_gamma0_made_of_sigma0_is_read(tmp_path):
    properties = {"card4l:measurement_type": "gamma-0", "processing:lineage": "sigma0 to gamma0"}
    assets = {"vv": {"title": "Gamma0 VV, of sigma0"}}
    assert kind_of(pass_of(tmp_path, speckled(0.12), speckled(0.03, 1), properties=properties, assets=assets)) == ""


@pytest.mark.parametrize("flag", [True, 1, "true", "True"])
@pytest.mark.parametrize("name", ["earthsearch:boa_offset_applied", "sentinel:boa_offset_applied"])
def test_a_shift_that_was_made_already_may_be_stated_as_text(tmp_path, flag, name):
    index = scene(tmp_path, DESERT, 5, "05.11", properties={name: flag})
    (record,) = index.find(AREA, DAY)
    assert {asset.offset for asset in record.assets if asset.band != "scl"} == {0.0}


@pytest.mark.parametrize("stated", [5.1, "5.1", "05.10", "N0510", " 5.10 "])
def test_a_baseline_in_any_form_is_known(tmp_path, stated):
    index = scene(tmp_path, PLANTS, 4, stated, added=0.1)
    (record,) = index.find(AREA, DAY)
    assert record.baseline == "05.10"


def ground_at(tmp_path: Path, heights: Numbers, crs: str = "EPSG:4326", **stated: Any) -> tuple[ItemIndex, float]:
    """A tile of heights; its index, and the greatest height read."""
    transform = Affine(1 / 3600, 0, 14.995, 0, -1 / 3600, 45.16)
    layer = Layer(heights, "EPSG:4326", transform)
    tags = {key: stated.pop(key) for key in ("scales", "offsets", "units") if key in stated}
    fields = {"elevation": stated} if stated else None
    file = write_item(tmp_path, "nasadem", "tile", "2000-02-20T00:00:00Z", {"elevation": layer}, assets=fields)
    write_raster(file.with_name("elevation.tif"), Layer(heights, crs, transform))
    with rasterio.open(file.with_name("elevation.tif"), "r+") as raster:
        for name, value in tags.items():
            setattr(raster, name, (value,))
    source = Dem(tmp_path)
    try:
        (found,) = source.open(AreaOfInterest.from_bbox(14.996, 45.15, 15.0, 45.155), DAY)
    except NoDataError:
        return source.index, float("nan")
    return source.index, float(np.nanmax(found["elevation"].values))


HILL = np.full((60, 60), 1000, np.int16)
UNIT = {"raster:bands": [{"unit": "ft"}]}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({}, 1000),
        ({"units": "m"}, 1000),
        ({"units": "ft"}, 304.8),
        ({"units": "dm"}, 100),
        ({"scales": 0.1}, 100),
        ({"scales": 0.5, "offsets": -100.0}, 400),
        ({"crs": "EPSG:4326+6360"}, 1000 * 1200 / 3937),
        ({"crs": "EPSG:4326+5773"}, 1000),
        (UNIT, 304.8),
        ({"raster:bands": [{"scale": 0.1, "unit": "m"}], "scales": 0.1}, 100),
    ],
)
def test_heights_become_metres_by_what_item_file_or_datum_state_and_once(tmp_path, stated, expected):
    index, height = ground_at(tmp_path, HILL, **stated)
    assert height == pytest.approx(expected, rel=1e-5)
    assert index.left_out == ()


@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        ({"units": "hPa"}, "units of height"),
        ({"units": "m", "crs": "EPSG:4326+6360"}, "units of height"),
        ({"raster:bands": [{"scale": 1.0}], "scales": 0.1}, "scale differs"),
    ],
)
def test_units_and_tags_that_contradict_each_other_are_not_believed(tmp_path, stated, kind):
    index, height = ground_at(tmp_path, HILL, **stated)
    assert np.isnan(height)
    assert [left.kind for left in index.left_out] == [kind]


@pytest.mark.parametrize("part", [1.0, 0.05])
def test_heights_that_no_ground_has_are_not_believed(tmp_path, part):
    heights = np.full((60, 60), 8500, np.int16)
    heights[: round(60 * part)] = 12000
    index, _ = ground_at(tmp_path, heights)
    assert [left.kind for left in index.left_out] == ["numbers outside the range"]
    assert "values are outside -500..9000 m" in index.left_out[0].reason


def test_voids_and_the_sea_are_no_odd_heights(tmp_path):
    heights = np.full((60, 60), 0, np.int16)
    heights[:10], heights[18:22] = -32768, 8000
    index, height = ground_at(tmp_path, heights)
    assert (height, index.left_out) == (8000, ())


def test_the_sample_of_a_large_file_is_spread_over_it(tmp_path):
    vv = np.full((1200, 1200), 0.06, np.float32)
    vv[600:] = -12.0
    assert kind_of(pass_of(tmp_path, vv)) == "backscatter in decibels"


HERE = Affine(0.0025, 0, 14.9, 0, -0.0025, 45.3)
TRUE = {"sand": 0.21, "silt": 0.54, "clay": 0.25, "bulk_density": 1279.0}
NAMES = {"sand": "sand", "silt": "silt", "clay": "clay", "bulk_density": "bdod"}


def soils(tmp_path: Path, factors: dict[str, float], kind: type = np.float32, **tags: Any) -> SoilGrids:
    for band, factor in factors.items():
        values = TRUE[band] / factor * seeded(2).normal(1, 0.003, (120, 120))
        values = np.round(values) if np.issubdtype(kind, np.integer) else values
        path = tmp_path / "soilgrids" / f"{NAMES[band]}_0-5cm_mean.tif"
        write_raster(path, Layer(values.astype(kind), "EPSG:4326", HERE, None if kind is np.uint8 else -9999))
        with rasterio.open(path, "r+") as file:
            for name, value in tags.items():
                setattr(file, name, (value,))
    return SoilGrids(tmp_path)


def means(source: SoilGrids) -> dict[str, float]:
    parts = source.open(AreaOfInterest.from_bbox(14.95, 45.1, 15.0, 45.15), DAY)
    return {str(name): float(np.nanmean(array)) for part in parts for name, array in part.data_vars.items()}


TEXTURES = ("sand", "silt", "clay")


@pytest.mark.parametrize("density", [1.0, 10.0, 100.0, 1000.0])
@pytest.mark.parametrize("texture", [1e-3, 1e-2, 1.0])
def test_soils_in_any_of_the_usual_units_are_read(tmp_path, texture, density):
    found = means(soils(tmp_path, dict.fromkeys(TEXTURES, texture) | {"bulk_density": density}))
    assert found == pytest.approx(TRUE, rel=0.01)


@pytest.mark.parametrize(("kind", "texture"), [(np.int16, 1e-3), (np.uint8, 1e-2)])
def test_soils_of_whole_numbers_are_read(tmp_path, kind, texture):
    found = means(soils(tmp_path, dict.fromkeys(TEXTURES, texture) | {"bulk_density": 10.0}, kind))
    assert found == pytest.approx(TRUE, rel=0.03)


def test_tags_of_scale_are_applied_once(tmp_path):
    found = means(soils(tmp_path, dict.fromkeys(TEXTURES, 1e-3) | {"bulk_density": 10.0}, np.int16, scales=0.1))
    assert found == pytest.approx(TRUE, rel=0.02)


@pytest.mark.parametrize(
    "factors",
    [
        {"sand": 1e-2, "silt": 1e-3, "clay": 1e-3},
        {"sand": 2e-3, "silt": 2e-3, "clay": 2e-3},
        {"sand": 1e-2},
        {"sand": 1e-2, "clay": 1e-2},
    ],
)
def test_textures_of_unknown_units_are_left_out_and_bulk_density_is_read(tmp_path, factors):
    source = soils(tmp_path, factors | {"bulk_density": 10.0})
    assert means(source) == pytest.approx({"bulk_density": 1279}, rel=0.01)
    assert {left.kind for left in source.left_out} == {"texture of unknown units"}
    assert {left.name for left in source.left_out} == {f"{name}_0-5cm_mean.tif" for name in factors}
    assert "Their medians are" in source.left_out[0].reason


def test_stated_units_that_the_numbers_are_not_in_leave_the_maps_out(tmp_path):
    source = soils(tmp_path, dict.fromkeys(TEXTURES, 1e-3), units="%")
    with pytest.raises(NoDataError, match=r"The files state %; their medians are sand 210, .* which is g kg-1"):
        means(source)


def test_a_density_that_no_soil_has_is_left_out(tmp_path):
    source = soils(tmp_path, dict.fromkeys(TEXTURES, 1e-3) | {"bulk_density": 1e-4})
    assert set(means(source)) == set(TEXTURES)
    assert [left.kind for left in source.left_out] == ["bulk density of unknown units"]


@given(
    clay=st.floats(0.02, 0.9),
    share=st.floats(0.05, 0.95),
    density=st.floats(240, 2200),
    whole=st.sampled_from([1.0, 100.0, 1000.0]),
    ten=st.sampled_from([1.0, 10.0, 100.0, 1000.0]),
)
def test_any_soil_in_any_unit_is_known(clay, share, density, whole, ten):
    parts = {"sand": (1 - clay) * share, "silt": (1 - clay) * (1 - share), "clay": clay}
    noise = seeded(3).normal(1, 0.01, 200)
    maps = {name: (part * whole * noise).astype(np.float32) for name, part in parts.items()}
    assert texture_factor(maps, {}, "") == pytest.approx(1 / whole)
    assert density_factor((density / ten * noise).astype(np.float32), "") == ten


@given(wrong=st.floats(0.15, 0.8))
def test_any_texture_that_is_no_whole_is_refused(wrong):
    maps = {name: np.full(100, wrong * 1000 / 3, np.float32) for name in TEXTURES}
    with pytest.raises(Unfit, match="whole soils sum to"):
        texture_factor(maps, {}, "")


def test_the_json_of_left_out_items_holds_both_figures(tmp_path):
    index = scene(tmp_path, PLANTS, 4, "05.11")
    kind_of(index)
    told = json.loads(json.dumps([vars(left) for left in index.left_out]))
    assert told[0]["name"] == "scene" and "-0.1" in told[0]["reason"]
